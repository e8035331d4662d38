/** One value of any dtype as the params of a kernel, and the kernel that writes it everywhere. */
import fillBody from '../../../shaders/movement/fill.wgsl?raw'
import wideBody from '../../../shaders/movement/fill_wide.wgsl?raw'
import wordBody from '../../../shaders/movement/fill_word.wgsl?raw'
import { valueType, type DispatchPlan, type ParamType, type TensorRef } from '../../gpu/program.ts'
import type { DType } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { linearDispatch } from './linear.ts'

/** What a kernel that calls `fill_value()` needs. */
export interface FillValue {
  readonly body: string
  readonly params: Readonly<Record<string, ParamType>>
  readonly values: Readonly<Record<string, number>>
}

/** `value` must be one that `dtype` holds. */
export function fillValue(dtype: DType, value: number | bigint): FillValue {
  if (dtype !== 'i64') return { body: wordBody, params: { fill: valueType(dtype) as ParamType }, values: { fill: Number(value) } }
  const bits = BigInt.asUintN(64, BigInt(value))
  return {
    body: wideBody,
    params: { fill: 'u32', fill_high: 'u32' },
    values: { fill: Number(bits & 0xffffffffn), fill_high: Number(bits >> 32n) },
  }
}

/** Writes `value` to every element of the tensor at `ref`. */
export function fillDispatch(type: TensorType, ref: TensorRef, value: number | bigint): DispatchPlan {
  const { body, params, values } = fillValue(type.dtype, value)
  const operands = [{ name: 'y', type, access: 'write', ref }] as const
  return linearDispatch(sizeOf(type.shape), { name: 'movement/fill', body: [body, fillBody], operands, params, values })
}
