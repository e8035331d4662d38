/**
 * Accesses by their definition, from the log of a traced run: sets of words, and nothing of `evaluate`'s formulas. Think of it as an
 * auditor with the diary of every lane:
 *
 *   - what a PE, or a workgroup's buffer, *holds* in a step are the words that its MACs in that step were seen to use;
 *   - what is *new* are the words of that set that it did not hold when it last worked;
 *   - a new word is a fill, and one read of the level that it comes from for all lanes of a workgroup in that step (multicast);
 *   - an output that is new to several lanes is one update of the level above, and a hop for each lane but one (sums.ts).
 *
 * Each of them must be borne out by a transfer in the log (a load, a store, a hop, a word of padding); one that is not is an error.
 * And each transfer is accounted for: an access, a copy that multicast would serve, a word moved though still held (a GPU loads a
 * halo again), or one that no MAC used (a GPU loads the box around a strided window).
 */
import type { Accesses, PerOperand } from '../../cost/evaluation.ts'
import { MappingError, VerificationError } from '../../errors.ts'
import type { Hardware } from '../hardware.ts'
import type { Mapping } from '../mapping.ts'
import { OPERANDS, type Operand } from '../problem.ts'
import { auditSums } from './sums.ts'
import { KIND, type Trace } from './trace.ts'
import { entry, LANES, TraceIndex, type Account, type Child, type Places } from './trace-index.ts'

export interface TracedAccesses {
  readonly macs: number
  /** By level name, as `Evaluation.accesses`. */
  readonly accesses: Readonly<Record<string, PerOperand<Accesses>>>
  /** Input accesses of each level to zero padding. */
  readonly padding: Readonly<Record<string, number>>
  readonly hops: PerOperand<number>
  /** Hops issued beyond these: sums drained though still held. */
  readonly hopsAgain: PerOperand<number>
  readonly accounts: readonly Account[]
  /** Figures without a transfer of their own in the log, and what they were counted from. */
  readonly derived: readonly { readonly figure: string; readonly from: string }[]
}

/** Counts that the audit adds to. */
export interface Counts {
  reads: number
  fills: number
  updates: number
}

/**
 * @param hardware the GPU's: whether its levels multicast is read from it
 * @throws VerificationError when the log does not bear an access out; MappingError for a buffer that does not multicast
 */
export function accessesOf(trace: Trace, mapping: Mapping, hardware: Hardware): TracedAccesses {
  if (hardware.levels[1]?.multicast === false) {
    throw new MappingError('Lanes of a workgroup share what they read: a buffer without multicast cannot be traced', {
      level: hardware.levels[1].name,
    })
  }
  const index = new TraceIndex(trace)
  const { keep } = trace.nest
  const names = mapping.levels.map(({ name }) => name)
  const blank = (): Counts => ({ reads: 0, fills: 0, updates: 0 })
  const counts = names.map(() => ({ weights: blank(), inputs: blank(), outputs: blank() }))
  const padding = names.map(() => 0)
  const hops = { weights: 0, inputs: 0, outputs: 0 }
  const hopsAgain = { weights: 0, inputs: 0, outputs: 0 }
  const accounts: Account[] = []
  const at = (level: number, operand: Operand): Counts => counts[level]?.[operand] ?? blank()
  const pad = (level: number, words: number): void => {
    padding[level] = (padding[level] ?? 0) + words
  }

  for (const operand of OPERANDS) {
    const near = keep.buffer.has(operand) ? 1 : 0
    const inner = keep.registers.has(operand) ? 2 : 3
    const last: Link = { parent: near, child: inner }
    const links: readonly Link[] = near === 1 ? [{ parent: 0, child: 1 }, last] : [last]
    for (const { parent, child } of links) {
      if (operand === 'outputs') {
        const sums = auditSums(index, parent, child)
        at(parent, operand).updates += sums.updates
        at(parent, operand).reads += sums.reads
        if (child < 3) at(child, operand).fills += sums.fills
        hops.outputs += sums.hops
        hopsAgain.outputs += sums.hopsAgain
        accounts.push(...sums.accounts(at(1, operand).fills).map(balanced))
        continue
      }
      const shares = parent === 0 && hardware.levels[0]?.multicast !== false
      const link = auditLink(index, { operand, parent, child, shares })
      at(parent, operand).reads += link.served
      pad(parent, link.paddingServed)
      hops[operand] += link.handed
      accounts.push(...link.accounts.map(balanced))
      if (child === 3) continue
      at(child, operand).fills += link.filled + link.handed
      pad(child, link.paddingFilled)
    }
    if (inner === 2) insidePe(index, operand, at(2, operand), (words) => pad(2, words))
  }
  const byName = <T>(values: readonly T[]): Record<string, T> =>
    Object.fromEntries(names.flatMap((name, level) => (values[level] === undefined ? [] : [[name, values[level]]])))
  return {
    macs: index.macs.length,
    accesses: byName(counts),
    padding: byName(padding),
    hops,
    hopsAgain,
    accounts,
    derived: derivedFigures(trace, names),
  }
}

/** @throws VerificationError when a transfer is in no class, or in two */
function balanced(account: Account): Account {
  const { issued, accesses, copies, again, unused, drained } = account
  if (copies < 0 || again < 0 || issued !== accesses + copies + again + unused + drained) {
    throw new VerificationError('The transfers of the trace do not add up', { ...account })
  }
  return account
}

/** Reads and updates of a PE's own registers: one for each operand of a MAC; the first sum of an output is free. */
function insidePe(index: TraceIndex, operand: Operand, counts: Counts, pad: (words: number) => void): void {
  const { macs } = index
  if (operand === 'outputs') {
    counts.updates += macs.length
    counts.reads += macs.length - new Set(macs.map((mac) => `${index.instance(mac, 2)} ${mac.address}`)).size
    return
  }
  counts.reads += macs.length
  if (operand === 'inputs') pad(macs.filter(({ other }) => other < 0).length)
}

interface Link {
  readonly parent: 0 | 1
  readonly child: Child
}

interface OperandLink extends Link {
  readonly operand: 'weights' | 'inputs'
  /** One read of the parent serves all workgroups. */
  readonly shares: boolean
}

interface LinkAudit {
  readonly served: number
  readonly filled: number
  readonly handed: number
  readonly paddingServed: number
  readonly paddingFilled: number
  readonly accounts: readonly Account[]
}

/** By step, by instance: words that are accesses. */
type Words = Map<number, Map<number, Set<number>>>

/** Weights or inputs on one link of their way down. */
function auditLink(index: TraceIndex, { operand, parent, child, shares }: OperandLink): LinkAudit {
  const isStorage = parent === 0
  const loads = index.places(
    [
      ...index.of((isStorage ? KIND.dramLoad : KIND.bufferLoad)[operand]),
      ...(isStorage && operand === 'inputs' ? index.of(KIND.padding) : []),
    ],
    child,
  )
  const stores = child === 1 ? index.places(index.of(KIND.bufferStore[operand]), child) : undefined
  const forwarded = operand === 'inputs' && index.trace.nest.forward && child === 3 ? handedOver(index) : undefined
  const tiles = index.tiles(operand, child)
  const held = new Map<number, Set<number>>()
  const served: Words = new Map()
  const filled: Words = new Map()
  let [handed, paddingHanded] = [0, 0]
  for (const [time, now] of tiles) {
    for (const [instance, tile] of now) {
      const mine = child < 3 ? held.get(instance) : undefined
      for (const word of tile) {
        if (mine?.has(word) === true) continue
        const isLoaded = loads.get(time)?.get(instance)?.has(word) === true
        const isHanded = forwarded?.neighbours(instance).some((other) => now.has(other) && held.get(other)?.has(word) === true)
        const isBorneOut = isLoaded || (isHanded === true && forwarded?.hops.has(`${instance} ${time}`) === true)
        if (!isBorneOut || (stores !== undefined && stores.get(time)?.get(instance)?.has(word) !== true)) {
          throw new VerificationError(`The trace holds no transfer for a word of ${operand} that a MAC used`, {
            level: parent,
            step: time,
            instance,
            word,
          })
        }
        if (isHanded === true) {
          handed++
          if (word < 0) paddingHanded++
          continue
        }
        put(filled, time, instance, word)
        put(served, time, shares ? 0 : index.workgroup(instance, child), word)
      }
    }
    for (const [instance, tile] of now) held.set(instance, tile)
  }
  const sort = { tiles: new Map(tiles), filled }
  const space = isStorage ? 'storage' : 'workgroup'
  return {
    served: total(served),
    filled: total(filled),
    handed,
    paddingServed: total(served, isPadding),
    paddingFilled: total(filled, isPadding) + paddingHanded,
    accounts: [
      account({ space, operand, kind: 'loads' }, loads, served, sort),
      ...(stores === undefined ? [] : [account({ space: 'workgroup', operand, kind: 'stores' }, stores, filled, sort)]),
    ],
  }
}

/** Who hands inputs to whom: lanes side by side in the row that is forwarded along, and the hops that were logged. */
function handedOver(index: TraceIndex): { hops: ReadonlySet<string>; neighbours: (instance: number) => number[] } {
  const across = index.trace.nest.lanes.at(-1)?.bound ?? 1
  return {
    hops: new Set(index.of(KIND.hop.inputs).map((record) => `${index.instance(record, 3)} ${record.step}`)),
    neighbours: (instance) => {
      const place = (instance % LANES) % across
      return [...(place > 0 ? [instance - 1] : []), ...(place + 1 < across ? [instance + 1] : [])]
    },
  }
}

/** Sorts the transfers of one kind: accesses, copies of them, moved again, used by none. */
function account(
  name: Pick<Account, 'space' | 'operand' | 'kind'>,
  moved: Places,
  accesses: Words,
  { tiles, filled }: { readonly tiles: ReadonlyMap<number, Map<number, Set<number>>>; readonly filled: Words },
): Account {
  const isIssued = (word: number): boolean => name.space === 'workgroup' || !isPadding(word)
  let [issued, again, unused, arrived] = [0, 0, 0, 0]
  for (const [time, instances] of moved) {
    for (const [instance, words] of instances) {
      for (const [word, times] of words) {
        if (!isIssued(word)) continue
        issued += times
        if (tiles.get(time)?.get(instance)?.has(word) !== true) unused += times
        else if (filled.get(time)?.get(instance)?.has(word) === true) {
          arrived++
          again += times - 1
        } else again += times
      }
    }
  }
  const counted = total(accesses, isIssued)
  return { ...name, issued, accesses: counted, copies: arrived - counted, again, unused, drained: 0 }
}

function put(words: Words, time: number, instance: number, word: number): void {
  const at = entry(words, time, () => new Map<number, Set<number>>())
  entry(at, instance, () => new Set<number>()).add(word)
}

function total(words: Words, wanted: (word: number) => boolean = () => true): number {
  let sum = 0
  for (const instances of words.values()) {
    for (const set of instances.values()) for (const word of set) if (wanted(word)) sum++
  }
  return sum
}

function isPadding(word: number): boolean {
  return word < 0
}

function derivedFigures({ nest }: Trace, names: readonly string[]): TracedAccesses['derived'] {
  const [dram, , registers] = names
  const kept = nest.keep.registers
  const pes = 'private variables have no address to log'
  return [
    ...(['weights', 'inputs'] as const).flatMap((operand) =>
      kept.has(operand) ? [{ figure: `${registers} ${operand} reads`, from: `operands of the logged MACs: ${pes}` }] : [],
    ),
    ...(kept.has('outputs')
      ? [
          {
            figure: `${registers} outputs reads and updates`,
            from: `one update a logged MAC, the first of a word free of a read: ${pes}`,
          },
          {
            figure: `${registers} outputs fills`,
            from: 'loads of the sum so far where a lane sends its own up: a kernel adds at the parent, by definition the sum comes back',
          },
        ]
      : []),
    { figure: `${dram} inputs reads of padding`, from: 'logged where a lane makes a zero: no load is issued for it' },
  ]
}
