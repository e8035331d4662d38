/**
 * The copies that are transposes: one axis lies side by side in what is read, another in what is written. They are done in blocks of 4 × 4
 * (shaders/movement/transpose.wgsl), several times faster than element by element.
 */
import body from '../../../shaders/movement/transpose.wgsl?raw'
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import readEach from '../../../shaders/movement/quad_read_each.wgsl?raw'
import readWide from '../../../shaders/movement/quad_read_wide.wgsl?raw'
import storeEach from '../../../shaders/movement/quad_store_each.wgsl?raw'
import storeWide from '../../../shaders/movement/quad_store_wide.wgsl?raw'
import type { DispatchPlan, ParamType } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { linearDispatch, type LinearOperand } from './linear.ts'
import { collapse, type Nest } from './strides.ts'

/** Shorter axes are not worth a block. */
const SHORTEST = 4

interface Axis {
  readonly extent: number
  readonly p: number
  readonly q: number
}

/** The blocked dispatch for a nest, undefined where it is none of these copies. */
export function transposeDispatch(nest: Nest, x: LinearOperand, y: LinearOperand): DispatchPlan | undefined {
  if (x.type.dtype !== 'f32' && x.type.dtype !== 'f16') return undefined
  const { extents, strides, offsets = [0, 0] } = collapse(nest)
  const axes = extents.map((extent, axis): Axis => ({ extent, p: strides[0][axis] ?? 0, q: strides[1][axis] ?? 0 }))
  const a = axes.find(({ p, q }) => p === 1 && q !== 1)
  const b = axes.find(({ p, q }) => q === 1 && p !== 1)
  if (a === undefined || b === undefined || axes.some(({ p, q }) => p < 1 || q < 1)) return undefined
  const others = axes.filter((axis) => axis !== a && axis !== b)
  if (others.length > 2 || a.extent < SHORTEST || b.extent < SHORTEST) return undefined
  const [outer = NONE, inner = NONE] = others.length === 1 ? [NONE, ...others] : others
  const aligned = (steps: readonly number[]): boolean => steps.every((step) => step % 4 === 0)
  const wideX = aligned([offsets[0], b.p, outer.p, inner.p, sizeOf(x.type.shape)])
  const wideY = aligned([offsets[1], a.q, outer.q, inner.q, sizeOf(y.type.shape), b.extent])
  const blocks = { a: Math.ceil(a.extent / 4), b: Math.ceil(b.extent / 4) }
  const sizes: Record<string, number> = {
    ...{ blocks_a: blocks.a, blocks_b: blocks.b, extent_a: a.extent, extent_b: b.extent, extent_inner: inner.extent },
    ...{ p_offset: offsets[0], p_b: b.p, p_outer: outer.p, p_inner: inner.p },
    ...{ q_offset: offsets[1], q_a: a.q, q_outer: outer.q, q_inner: inner.q },
    x_last: sizeOf(x.type.shape) - 1,
  }
  const inverses = { blocks_a_inverse: 1 / blocks.a, blocks_b_inverse: 1 / blocks.b, extent_inner_inverse: 1 / inner.extent }
  const typed = (names: readonly string[], type: ParamType): [string, ParamType][] => names.map((name) => [name, type])
  return linearDispatch(blocks.a * blocks.b * inner.extent * outer.extent, {
    name: 'movement/transpose',
    body: [quotient, wideX ? readWide : readEach, wideY ? storeWide : storeEach, body],
    operands: [
      { ...x, ...(wideX ? { width: 4 } : {}) },
      { ...y, ...(wideY ? { width: 4 } : {}) },
    ],
    params: Object.fromEntries([...typed(Object.keys(sizes), 'u32'), ...typed(Object.keys(inverses), 'f32')]),
    values: { ...sizes, ...inverses },
    elements: sizeOf(extents),
  })
}

const NONE: Axis = { extent: 1, p: 0, q: 0 }
