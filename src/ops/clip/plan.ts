/** Bounds travel as params, so that all clips of a dtype share one kernel. */
import floatApply from '../../../shaders/elementwise/clip.wgsl?raw'
import integerApply from '../../../shaders/elementwise/clip_integer.wgsl?raw'
import type { OpPlan, ParamType } from '../../gpu/program.ts'
import { isFloat, type DType } from '../../tensor/dtype.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { unaryPlan } from '../elementwise/unary.ts'
import { aliasPlan } from '../movement/linear.ts'
import type { Bound } from './rule.ts'

/** Least and greatest value of the integer dtypes that kernels compute with. */
const RANGE: Partial<Record<DType, { type: ParamType; least: number; greatest: number }>> = {
  i8: { type: 'i32', least: -(2 ** 7), greatest: 2 ** 7 - 1 },
  u8: { type: 'u32', least: 0, greatest: 2 ** 8 - 1 },
  i32: { type: 'i32', least: -(2 ** 31), greatest: 2 ** 31 - 1 },
  u32: { type: 'u32', least: 0, greatest: 2 ** 32 - 1 },
}

/** Kinds of bound that a float kernel is told of. */
const LOW = 1
const HIGH = 2

/** The params of shaders/elementwise/clip.wgsl. */
export function clipParams(
  low: Bound,
  high: Bound,
): { readonly types: Readonly<Record<string, ParamType>>; readonly values: Readonly<Record<string, number>> } {
  const bounds = (low === undefined ? 0 : LOW) + (high === undefined ? 0 : HIGH)
  return { types: { bounds: 'u32', low: 'f32', high: 'f32' }, values: { bounds, low: Number(low ?? 0), high: Number(high ?? 0) } }
}

export function clipPlan(x: TensorType, low: Bound, high: Bound): OpPlan {
  if (low === undefined && high === undefined) return aliasPlan('no bounds: alias')
  if (isFloat(x.dtype)) {
    const { types, values } = clipParams(low, high)
    return unaryPlan({ name: 'clip', apply: floatApply, params: types, values, flops: 2 }, x, x)
  }
  const { type, least, greatest } = RANGE[x.dtype] ?? { type: 'i32', least: 0, greatest: 0 }
  const inRange = (bound: Bound, absent: number): number =>
    bound === undefined ? absent : Math.min(Math.max(Math.trunc(Number(bound)), least), greatest)
  const values = { low: inRange(low, least), high: inRange(high, greatest) }
  return unaryPlan({ name: 'clip', apply: integerApply, params: { low: type, high: type }, values, flops: 2 }, x, x)
}
