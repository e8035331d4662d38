/** Copies of one strided nest into another: what transpose, slice, concat, depth-to-space and space-to-depth come down to. */
import copyBody from '../../../shaders/movement/copy.wgsl?raw'
import type { DispatchPlan, OpPlan, TensorRef } from '../../gpu/program.ts'
import { sizeOf, stridesOf, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { aliasPlan, inputRef, linearDispatch, outputRef, planOf, type LinearOperand } from './linear.ts'
import { collapse, isContiguous, STRIDE_PARAMS, strideParams, stridesBody, type Nest } from './strides.ts'
import { transposeDispatch } from './transpose.ts'

/** Copies the elements of a nest: its first tensor is read, its second written. */
export function copyDispatch(
  op: string,
  nest: Nest,
  from: { type: TensorType; ref: TensorRef },
  to: { type: TensorType; ref: TensorRef },
): DispatchPlan {
  const count = sizeOf(nest.extents)
  const operands = [
    { name: 'x', access: 'read', ...from },
    { name: 'y', access: 'write', ...to },
  ] as const
  const blocked = count === 0 ? undefined : transposeDispatch(nest, ...operands)
  if (blocked !== undefined) return blocked
  const wide = count === 0 ? undefined : inQuads(nest, from.type, to.type)
  return stridedCopy(op, wide ?? nest, operands, wide === undefined ? 1 : 4)
}

/** The same of bytes, four at a time: extents, strides and offsets of the nest count words. */
export function copyWords(
  op: string,
  nest: Nest,
  from: { type: TensorType; ref: TensorRef },
  to: { type: TensorType; ref: TensorRef },
): DispatchPlan {
  const operands = [
    { name: 'x', access: 'read', ...from },
    { name: 'y', access: 'write', ...to },
  ] as const
  return stridedCopy(op, nest, operands, 4)
}

/** @param width elements of one access: what the nest counts */
function stridedCopy(op: string, nest: Nest, operands: readonly LinearOperand[], width: 1 | 4): DispatchPlan {
  const count = sizeOf(nest.extents)
  return linearDispatch(count, {
    name: 'movement/copy',
    body: [stridesBody, copyBody],
    operands: operands.map((operand) => (width === 1 ? operand : { ...operand, width })),
    params: STRIDE_PARAMS,
    values: count === 0 ? {} : strideParams(op, nest),
    elements: count * width,
  })
}

/** The same copy in quads of elements, where both tensors have them side by side and begin where a vector may. */
function inQuads(nest: Nest, x: TensorType, y: TensorType): Nest | undefined {
  if (x.dtype === 'i64' || x.dtype === 'bool') return undefined
  const { extents, strides, offsets = [0, 0] } = collapse(nest)
  const last = extents.length - 1
  const [p, q] = strides
  const steps = [...p.slice(0, -1), ...q.slice(0, -1), ...offsets, extents[last] ?? 1, sizeOf(x.shape), sizeOf(y.shape)]
  if (p[last] !== 1 || q[last] !== 1 || steps.some((step) => step % 4 !== 0)) return undefined
  const quarter = (list: readonly number[]): number[] => list.map((step, axis) => (axis === last ? step : step / 4))
  return {
    extents: extents.map((extent, axis) => (axis === last ? extent / 4 : extent)),
    strides: [quarter(p), quarter(q)],
    offsets: [offsets[0] / 4, offsets[1] / 4],
  }
}

/** All elements of two row-major tensors of `shape`. */
export function wholeNest(shape: Shape): Nest {
  const strides = stridesOf(shape)
  return { extents: shape, strides: [strides, strides] }
}

/** How a result is gathered from input 0: result element i, j, … is input element offset + Σ index · stride. */
export interface View {
  readonly extents: Shape
  readonly strides: readonly number[]
  readonly offset?: number
}

/** Output 0 as a view of input 0, row-major. Where the view changes no element's place it is an alias. */
export function viewPlan(op: string, what: string, x: TensorType, y: TensorType, { extents, strides, offset = 0 }: View): OpPlan {
  const nest: Nest = { extents, strides: [strides, stridesOf(extents)], offsets: [offset, 0] }
  const size = sizeOf(extents)
  if (size > 0 && size === sizeOf(x.shape) && isContiguous(nest)) return aliasPlan(`${what} moves no element: alias`)
  return planOf(`${what}: strided copy`, [copyDispatch(op, nest, { type: x, ref: inputRef(0) }, { type: y, ref: outputRef() })])
}
