/**
 * Where elements lie: a loop nest over `extents` with one stride per axis in each of two tensors (read and written, or the two operands
 * of a sum). Axes that can be walked as one are merged, so that most nests shrink to one to three axes.
 */
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import strides from '../../../shaders/movement/strides.wgsl?raw'
import { DeviceLimitError } from '../../errors.ts'
import type { ParamType } from '../../gpu/program.ts'
import type { Shape } from '../../tensor/shape.ts'

/** As many axes as `shaders/movement/strides.wgsl` walks. */
export const MAX_AXES = 8

/** A loop nest, outermost axis first; element i, j, … lies at offset + Σ index · stride in each tensor. */
export interface Nest {
  readonly extents: readonly number[]
  /** One list of strides for each tensor. */
  readonly strides: readonly [readonly number[], readonly number[]]
  readonly offsets?: readonly [number, number]
}

/** The same elements in the same order with as few axes as possible: extents of 1 dropped, neighbours merged. */
export function collapse(nest: Nest): Nest {
  const extents: number[] = []
  const p: number[] = []
  const q: number[] = []
  nest.extents.forEach((extent, axis) => {
    const [ownP, ownQ] = [nest.strides[0][axis] ?? 0, nest.strides[1][axis] ?? 0]
    if (extent === 1) return
    const last = extents.length - 1
    if (last >= 0 && p[last] === ownP * extent && q[last] === ownQ * extent) {
      extents[last] = (extents[last] ?? 1) * extent
      p[last] = ownP
      q[last] = ownQ
    } else {
      extents.push(extent)
      p.push(ownP)
      q.push(ownQ)
    }
  })
  return { extents, strides: [p, q], offsets: nest.offsets ?? [0, 0] }
}

/** True when a nest reads its first tensor from start to end in order: copying it would change nothing but the shape. */
export function isContiguous(nest: Nest): boolean {
  const { extents, strides, offsets = [0, 0] } = collapse(nest)
  return offsets[0] === 0 && (extents.length === 0 || (extents.length === 1 && strides[0][0] === 1))
}

const INNER = Array.from({ length: MAX_AXES - 1 }, (_, axis) => axis)

/** What shaders that call `locate` begin with. */
export const stridesBody = [quotient, strides].join('\n')

/** The params that `shaders/movement/strides.wgsl` reads. */
export const STRIDE_PARAMS: Readonly<Record<string, ParamType>> = {
  rank: 'u32',
  ...Object.fromEntries(
    INNER.flatMap((axis) => [`extent_${axis}`, `p_${axis}`, `q_${axis}`].map((name): [string, ParamType] => [name, 'u32'])),
  ),
  ...Object.fromEntries(INNER.map((axis): [string, ParamType] => [`inverse_${axis}`, 'f32'])),
  p_outer: 'u32',
  q_outer: 'u32',
  p_offset: 'u32',
  q_offset: 'u32',
}

/** Their values for a nest. Negative strides travel as two's complement: index arithmetic is modulo 2^32. @throws DeviceLimitError. */
export function strideParams(op: string, nest: Nest): Record<string, number> {
  const { extents, strides, offsets = [0, 0] } = collapse(nest)
  const rank = extents.length
  if (rank > MAX_AXES) {
    throw new DeviceLimitError(`The tensors have ${rank} axes that cannot be walked together`, {
      op,
      shape: nest.extents,
      limit: `${MAX_AXES} axes`,
      remedy: 'Merge axes by a reshape, or do it in two steps',
    })
  }
  const [p, q] = strides
  const params: Record<string, number> = { rank }
  for (const axis of INNER) {
    const at = rank - 1 - axis
    params[`extent_${axis}`] = extents[at] ?? 1
    params[`inverse_${axis}`] = 1 / (extents[at] ?? 1)
    params[`p_${axis}`] = (p[at] ?? 0) >>> 0
    params[`q_${axis}`] = (q[at] ?? 0) >>> 0
  }
  params.p_outer = (p[0] ?? 0) >>> 0
  params.q_outer = (q[0] ?? 0) >>> 0
  params.p_offset = offsets[0] >>> 0
  params.q_offset = offsets[1] >>> 0
  return params
}

/** Strides that walk `shape` in the order of `perm`. */
export function permuted(values: Shape, perm: readonly number[]): number[] {
  return perm.map((axis) => values[axis] ?? 1)
}
