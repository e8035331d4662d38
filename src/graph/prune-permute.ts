/**
 * Finds an order for each group of channels that a network can permute, for the sake of the layers that will be pruned 2:4, and applies it
 * where their masks then retain more. A group's readers are stacked: their filters and taps are the lines of one matrix, the group's
 * channels its columns; filters that share positions are one line, their Σ|w|.
 *
 * Groups of four must stay groups of four: a part of a concat that begins in the middle of one shares it with its neighbour. Such channels
 * at its borders stay where they are, those between are searched, and what the masks retain in truth decides.
 */
import { maskReport, pruneMask } from '../sparsity/mask.ts'
import type { PrunePattern } from '../sparsity/pattern.ts'
import { permutationSteps, type ChannelMatrix, type Permutation } from '../sparsity/permutation.ts'
import { GROUP } from '../sparsity/two-of-four.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { permuteGroup, type ChannelGroup, type ChannelGroups } from './channel-groups.ts'
import { layerWeights, type PrunableLayer } from './prune-layers.ts'
import type { PruneOptions } from './prune.ts'

export interface PermutedGroup {
  readonly channels: number
  /** Those whose places were searched. */
  readonly searched: number
  /** Layers that read them. */
  readonly layers: readonly string[]
  /** Σ|w| that the layers' masks keep, before and after. */
  readonly unpermuted: number
  readonly kept: number
  /** Why it stayed as it was. */
  readonly left?: string
}

interface Options extends Pick<PruneOptions, 'budget' | 'signal' | 'onProgress'> {
  readonly pattern: PrunePattern
  readonly seed: number
}

/** A layer that reads a group's channels: seat i is place positions[i] of its depth. */
interface Reader {
  readonly layer: PrunableLayer
  readonly positions: Uint32Array
  /** Filters that read them. */
  readonly rows: readonly [from: number, to: number]
}

/**
 * Permutes every group whose channels a layer to be pruned reads side by side. Never to a worse end: `kept` ≥ `unpermuted` for each.
 * @param constants are set anew where they change
 */
export async function permuteChannels(
  constants: Map<string, HostTensor>,
  channels: ChannelGroups,
  layers: readonly PrunableLayer[],
  options: Options,
): Promise<PermutedGroup[]> {
  const { pattern, signal, onProgress } = options
  const byOperand = new Map(layers.map((layer) => [layer.operand, layer]))
  const read = channels.groups
    .map((group) => ({ group, readers: readersOf(group, byOperand) }))
    .filter(({ readers }) => readers.length > 0)
  const results: PermutedGroup[] = []
  for (const [index, { group, readers }] of read.entries()) {
    signal?.throwIfAborted()
    const names = [...new Set(readers.map(({ layer }) => layer.name))]
    const tell = (share: number): void => {
      const percent = `${Math.round(100 * share)} %`
      onProgress?.({ done: index, total: read.length, text: `permuting ${group.size} channels of ${names[0] ?? ''}, ${percent}` })
    }
    const judged = touched(group, byOperand, pattern)
    const before = keptOf(constants, judged, pattern)
    const seats = wholeQuads(readers)
    const result = { channels: group.size, searched: seats.length, layers: names, unpermuted: before, kept: before }
    if (seats.length <= GROUP) {
      results.push({ ...result, left: 'there is one group of four at most' })
      continue
    }
    const order = await searched(constants, readers, seats, group.size, options, tell)
    const trial = new Map(constants)
    permuteGroup(trial, channels.sources, group, order)
    const kept = keptOf(trial, judged, pattern)
    if (kept > before) for (const [name, tensor] of trial) constants.set(name, tensor)
    results.push(kept > before ? { ...result, kept } : { ...result, left: 'no order that was found retains more' })
  }
  return results
}

/** Readers whose depth has the channels side by side: not after a flatten, where each is a block of positions. */
function readersOf({ axes }: ChannelGroup, byOperand: ReadonlyMap<string, PrunableLayer>): Reader[] {
  return axes.flatMap(({ role, positions }) => {
    const layer = byOperand.get(role.operand)
    if (layer === undefined || role.axis !== layer.depth || role.block !== 1) return []
    return [{ layer, positions, rows: role.rows ?? [0, layer.shape[0] ?? 0] }]
  })
}

/** Layers whose masks change with the group: its readers and, where filters share positions, those whose filters move. */
function touched({ axes }: ChannelGroup, byOperand: ReadonlyMap<string, PrunableLayer>, pattern: PrunePattern): PrunableLayer[] {
  const shares = pattern.kind === '2:4' && pattern.share > 1
  const found = axes.flatMap(({ role }) => {
    const layer = byOperand.get(role.operand)
    return layer !== undefined && (shares || role.axis === layer.depth) ? [layer] : []
  })
  return [...new Set(found)]
}

function keptOf(constants: ReadonlyMap<string, HostTensor>, layers: readonly PrunableLayer[], pattern: PrunePattern): number {
  return layers.reduce((sum, layer) => {
    const values = layerWeights(constants, layer)
    return sum + maskReport({ values }, pruneMask({ values, shape: layer.shape }, pattern)).keptMagnitude
  }, 0)
}

function weightsOf({ layer, rows: [from, to] }: Reader): number {
  return (to - from) * sizeOf(layer.shape.slice(1))
}

/** Seats in the order of the largest reader's places, as far as whole groups of four of its depth are theirs. */
function wholeQuads(readers: readonly Reader[]): number[] {
  const [first] = readers.toSorted((a, b) => weightsOf(b) - weightsOf(a))
  if (first === undefined) return []
  const [, depth = 0] = first.layer.shape
  const seatAt = new Map([...first.positions].map((place, seat) => [place, seat]))
  const seats: number[] = []
  for (let quad = 0; quad < depth; quad += GROUP) {
    const own = Array.from({ length: Math.min(GROUP, depth - quad) }, (_, i) => seatAt.get(quad + i)).filter(
      (seat) => seat !== undefined,
    )
    if (own.length === Math.min(GROUP, depth - quad)) seats.push(...own)
  }
  return seats
}

/** Whether a reader has the same groups of four as `seats` in their order. */
function isAligned({ positions }: Reader, seats: readonly number[]): boolean {
  const quadOf = (slot: number): number => Math.floor((positions[seats[slot] ?? 0] ?? 0) / GROUP)
  return seats.every((_, slot) => quadOf(slot) === quadOf(slot - (slot % GROUP)))
}

/** The order over all seats of the group that the search finds over `seats`. */
async function searched(
  constants: ReadonlyMap<string, HostTensor>,
  readers: readonly Reader[],
  seats: readonly number[],
  size: number,
  { pattern, seed, budget, signal }: Options,
  tell: (share: number) => void,
): Promise<Uint32Array> {
  const matrix = stackedLines(
    constants,
    readers.filter((reader) => isAligned(reader, seats)),
    seats,
    pattern.kind === '2:4' ? pattern.share : 1,
  )
  const { order } = await finished(permutationSteps(matrix, { seed, ...(budget === undefined ? {} : { budget }) }), signal, tell)
  const whole = Uint32Array.from({ length: size }, (_, seat) => seat)
  for (const [slot, seat] of seats.entries()) whole[seat] = seats[order[slot] ?? slot] ?? seat
  return whole
}

/**
 * Filters and taps of all readers, their weights for `seats` side by side. Where `share` filters keep the same positions, the mask decides
 * by their Σ|w|, and so does the search: a line is then that sum, and what it keeps is what the mask does.
 */
function stackedLines(
  constants: ReadonlyMap<string, HostTensor>,
  readers: readonly Reader[],
  seats: readonly number[],
  share: number,
): ChannelMatrix {
  const blocks = readers.map((reader) => ({ ...reader, blocks: sharedBlocks(reader.rows, share) }))
  const lines = blocks.reduce((sum, { layer, blocks: own }) => sum + own.length * sizeOf(layer.shape.slice(2)), 0)
  const values = new Float32Array(lines * seats.length)
  let line = 0
  for (const { layer, positions, blocks: own } of blocks) {
    const weights = layerWeights(constants, layer)
    const [, depth = 0, ...kernel] = layer.shape
    const taps = sizeOf(kernel)
    for (const [from, to] of own) {
      for (let tap = 0; tap < taps; tap++, line++) {
        for (const [slot, seat] of seats.entries()) {
          let sum = 0
          for (let filter = from; filter < to; filter++) {
            sum += Math.abs(weights[(filter * depth + (positions[seat] ?? 0)) * taps + tap] ?? NaN)
          }
          values[line * seats.length + slot] = sum
        }
      }
    }
  }
  return { values, lines, channels: seats.length }
}

/** Rows cut where masks begin a new block: at multiples of `share` from the layer's first filter. */
function sharedBlocks([from, to]: readonly [number, number], share: number): [from: number, to: number][] {
  const blocks: [number, number][] = []
  for (let row = from; row < to;) {
    const next = Math.min(to, (Math.floor(row / share) + 1) * share)
    blocks.push([row, next])
    row = next
  }
  return blocks
}

/** Milliseconds of search between looks at the signal and at what else is going on. */
const TURN_MS = 40

/** Takes a search to its end without keeping others waiting. @throws the signal's reason */
async function finished(
  search: ReturnType<typeof permutationSteps>,
  signal: AbortSignal | undefined,
  tell: (share: number) => void,
): Promise<Permutation> {
  let turn = performance.now()
  for (let step = search.next(); ; step = search.next()) {
    if (step.done === true) return step.value
    if (performance.now() - turn < TURN_MS) continue
    tell(step.value.spent / step.value.budget)
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    turn = performance.now()
  }
}
