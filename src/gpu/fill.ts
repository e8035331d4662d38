/** The runtime's own kernels: clearing a tensor, and copying one (which converts between f32 and f16). */
import copyBody from '../../shaders/runtime/copy.wgsl?raw'
import zeroBody from '../../shaders/runtime/zero.wgsl?raw'
import { DtypeError } from '../errors.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { TensorType } from '../tensor/tensor.ts'
import { tensorBytes } from './device-tensor.ts'
import { valueType, type DispatchPlan, type TensorRef } from './program.ts'
import { isFloat, type DType } from '../tensor/dtype.ts'

const LANES = 256

/** Elements that one access moves: 4 where a vector of the dtype exists. What lies past a tensor's end belongs to it, so ends may round up. */
function widthOf(dtype: DType): 1 | 4 {
  return dtype === 'i64' || dtype === 'bool' ? 1 : 4
}

/** Clears the tensor at `ref`. */
export function zeroDispatch(type: TensorType, ref: TensorRef): DispatchPlan {
  const width = widthOf(type.dtype)
  const count = Math.ceil(sizeOf(type.shape) / width)
  return {
    program: {
      name: 'runtime/zero',
      body: zeroBody,
      operands: [{ name: 'x', dtype: type.dtype, access: 'write', width }],
      params: { count: 'u32' },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [ref],
    params: { count },
    groups: Math.ceil(count / LANES),
    cost: { flops: 0, bytes: tensorBytes(type) },
  }
}

/** Copies input 0 to output 0, of one shape; dtypes may differ only where their values have one WGSL type. @throws DtypeError. */
export function copyDispatch(from: TensorType, to: TensorType): DispatchPlan {
  if (valueType(from.dtype) !== valueType(to.dtype)) {
    throw new DtypeError(`A device tensor of ${from.dtype} cannot be used as ${to.dtype}`, { dtype: from.dtype, shape: from.shape })
  }
  const alike = from.dtype === to.dtype || (isFloat(from.dtype) && isFloat(to.dtype))
  const width = alike ? widthOf(to.dtype) : 1
  const count = Math.ceil(sizeOf(to.shape) / width)
  return {
    program: {
      name: 'runtime/copy',
      body: copyBody,
      operands: [
        { name: 'x', dtype: from.dtype, access: 'read', width },
        { name: 'y', dtype: to.dtype, access: 'write', width },
      ],
      params: { count: 'u32' },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [
      { kind: 'input', index: 0 },
      { kind: 'output', index: 0 },
    ],
    params: { count },
    groups: Math.ceil(count / LANES),
    cost: { flops: 0, bytes: tensorBytes(from) + tensorBytes(to) },
  }
}
