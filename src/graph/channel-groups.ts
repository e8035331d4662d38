/**
 * Permuting the channels of a whole network without changing what it computes. 2:4 keeps two of every four neighbouring channels, so which
 * channels are neighbours decides how much is lost (Pool and Yu, "Channel Permutations for N:M Sparsity", NeurIPS 2021). A permutation is
 * free at run time where everything that names a channel moves along: the filters that make it, what scales it, those that read it.
 *
 *      conv a: filters ──▶ batch norm ──▶ relu ──┬─▶ conv b: input channels
 *         rows              4 vectors            └─▶ add ◀── conv c: rows, …        all by one order, found for b's (and more readers') sake
 */
import { TilewrightError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { floatsOf } from '../ops/values.ts'
import { traceNode } from './channel-rules.ts'
import type { Role, SeatGroup } from './channel-spaces.ts'
import { ChannelTrace } from './channel-trace.ts'
import { ConstantSources, type Source } from './constant-source.ts'
import { bindDimensions, symbolicDimensions } from './dimensions.ts'
import type { Graph } from './graph.ts'
import { resolveInputs, typeGraph, type TypedGraph } from './passes.ts'

/** One axis of a constant that is permuted with a group: seat i of the group is channel positions[i] of the axis. */
export interface GroupAxis {
  readonly role: Role
  readonly positions: Uint32Array
}

/** Channels that are permuted together. */
export interface ChannelGroup {
  readonly size: number
  readonly axes: readonly GroupAxis[]
}

export interface ChannelGroups {
  readonly typed: TypedGraph
  readonly sources: ConstantSources
  readonly groups: readonly ChannelGroup[]
}

/** What symbolic dimensions are tried as: odd, so that a batch is no channel; as large as pictures; as small as can be. */
const TRIALS = [3, 224, 1] as const

/**
 * The types of a graph whose symbolic dimensions stand for some size that its rules allow.
 * @param sizes of symbolic dimensions, by name
 * @param sizesTried for the others, in turn
 * @throws ShapeError, OptionError naming the node where no size does
 */
export function trialTypes(
  graph: Graph,
  sizes: Readonly<Record<string, number>> = {},
  sizesTried: readonly number[] = TRIALS,
): TypedGraph {
  const trials = symbolicDimensions(graph).every((name) => sizes[name] !== undefined) ? [1] : sizesTried
  let failure: unknown
  for (const size of trials) {
    const bound = bindDimensions(graph, sizes, size)
    const shapes = new Map(bound.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
    try {
      return typeGraph(bound, resolveInputs(bound.inputs, shapes), new Map(), { keep: 'all' })
    } catch (error) {
      if (!(error instanceof TilewrightError)) throw error
      failure = error
    }
  }
  throw failure
}

/**
 * The groups of channels that can be permuted, each in any order, with every axis of a constant that must follow.
 * @throws as `trialTypes`
 */
export function channelGroups(graph: Graph, sizes: Readonly<Record<string, number>> = {}): ChannelGroups {
  const typed = trialTypes(graph, sizes)
  const sources = new ConstantSources(graph, typed)
  const trace = new ChannelTrace(typed, sources)
  for (const node of typed.nodes) traceNode(node, trace)
  const groups = trace.finish(graph).map(constantAxes)
  return { typed, sources, groups: groups.filter(({ axes }) => axes.length > 0) }
}

function constantAxes({ size, axes }: SeatGroup): ChannelGroup {
  return { size, axes: axes.flatMap(({ role, positions }) => (role === undefined ? [] : [{ role, positions }])) }
}

/**
 * Permutes a group: seat i gets the channel that sat on seat order[i], on every axis of the group. Constants are replaced, not changed.
 * @param constants by name; those that change are set anew
 */
export function permuteGroup(
  constants: Map<string, HostTensor>,
  sources: ConstantSources,
  { axes }: ChannelGroup,
  order: ArrayLike<number>,
): void {
  for (const { role, positions } of axes) {
    const source = sources.resolve(role.operand)
    const tensor = source === undefined ? undefined : constants.get(source.constant)
    if (source !== undefined && tensor !== undefined)
      constants.set(source.constant, permuted(tensor, source, role, positions, order))
  }
}

/**
 * An operand [outer, extent, inner] with some of its channels exchanged: position p[i]·block + b of the axis gets what was at
 * p[order[i]]·block + b.
 */
function permuted(
  tensor: HostTensor,
  { shape, places }: Source,
  { axis, block, rows }: Role,
  positions: Uint32Array,
  order: ArrayLike<number>,
): HostTensor {
  const before = floatsOf(tensor)
  const values = allocate(tensor.dtype === 'f16' ? 'f16' : 'f32', before.length)
  values.set(before)
  const extent = shape[axis] ?? 0
  const run = block * sizeOf(shape.slice(axis + 1))
  const at = (index: number): number => (places === undefined ? index : (places[index] ?? -1))
  for (const outer of rowsOf(shape, axis, rows)) {
    const base = outer * extent * sizeOf(shape.slice(axis + 1))
    for (let i = 0; i < positions.length; i++) {
      const [to, from] = [positions[i] ?? 0, positions[order[i] ?? i] ?? 0]
      if (to === from) continue
      for (let j = 0; j < run; j++) values[at(base + to * run + j)] = before[at(base + from * run + j)] ?? NaN
    }
  }
  return new HostTensor(tensor.dtype === 'f16' ? 'f16' : 'f32', tensor.shape, values)
}

/** The indices over the axes before `axis`. Only axis 0 is ever restricted, and then `axis` is 1. */
function* rowsOf(shape: Shape, axis: number, rows: Role['rows']): Generator<number> {
  const [from, to] = rows ?? [0, sizeOf(shape.slice(0, axis))]
  for (let row = from; row < to; row++) yield row
}
