/** One invocation for each element of the result, which reads its index and then its element. */
import gatherBody from '../../../shaders/movement/gather.wgsl?raw'
import narrowIndex from '../../../shaders/movement/position_i32.wgsl?raw'
import wideIndex from '../../../shaders/movement/position_i64.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { isFloat } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { fillValue } from '../movement/fill.ts'
import { inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'

export function gatherPlan(x: TensorType, indices: TensorType, y: TensorType, axis: number): OpPlan {
  const { body, params, values } = fillValue(x.dtype, isFloat(x.dtype) ? NaN : 0)
  const dispatch = linearDispatch(sizeOf(y.shape), {
    name: 'movement/gather',
    body: [body, indices.dtype === 'i64' ? wideIndex : narrowIndex, gatherBody],
    operands: [
      { name: 'x', type: x, access: 'read', ref: inputRef(0) },
      { name: 'indices', type: indices, access: 'read', ref: inputRef(1) },
      { name: 'y', type: y, access: 'write', ref: outputRef() },
    ],
    params: { inner: 'u32', extent: 'u32', picks: 'u32', ...params },
    values: { inner: sizeOf(x.shape.slice(axis + 1)), extent: x.shape[axis] ?? 0, picks: sizeOf(indices.shape), ...values },
  })
  return planOf('gather: one invocation for each element', [dispatch])
}
