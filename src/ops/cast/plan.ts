/** One kernel, with one line of WGSL for each pair of dtypes. */
import castBody from '../../../shaders/elementwise/cast.wgsl?raw'
import convertBody from '../../../shaders/elementwise/convert.wgsl?raw'
import { valueType, type OpPlan } from '../../gpu/program.ts'
import type { DType } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { aliasPlan, inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'

export function castPlan(x: TensorType, y: TensorType): OpPlan {
  if (x.dtype === y.dtype) return aliasPlan('same dtype: alias')
  const dispatch = linearDispatch(sizeOf(x.shape), {
    name: 'elementwise/cast',
    body: [castBody, `fn convert(x: x_t) -> y_t { return ${conversion(x.dtype, y.dtype)}; }`, convertBody],
    operands: [
      { name: 'x', type: x, access: 'read', ref: inputRef(0) },
      { name: 'y', type: y, access: 'write', ref: outputRef() },
    ],
  })
  return planOf(`cast from ${x.dtype} to ${y.dtype}`, [dispatch])
}

/** How a dtype lies in a kernel. */
type Word = 'float' | 'i32' | 'u32' | 'i64'

function wordOf(dtype: DType): Word {
  const type = valueType(dtype)
  return type === 'f32' ? 'float' : type === 'i32' || type === 'u32' ? type : 'i64'
}

/** WGSL for `x` of dtype `from` as `to`. Stores of i8 and u8 drop high bits. */
function conversion(from: DType, to: DType): string {
  const word = wordOf(from)
  switch (to) {
    case 'bool':
      return word === 'float' ? 'float_to_bool(x)' : `word_to_bool(${word === 'i64' ? 'x.x | x.y' : 'u32(x)'})`
    case 'f32':
    case 'f16':
      return word === 'i64' ? 'i64_to_float(x)' : 'f32(x)'
    case 'i64':
      return `${word}_to_i64(x)`
    case 'i32':
      return word === 'float' ? 'float_to_i32(x)' : bits('i32', word)
    case 'u32':
      return word === 'float' ? 'float_to_u32(x)' : bits('u32', word)
    case 'i8':
      return word === 'float' ? 'clamp(float_to_i32(x), -128, 127)' : bits('i32', word)
    case 'u8':
      return word === 'float' ? 'min(float_to_u32(x), 255u)' : bits('u32', word)
  }
}

/** The low word of an integer as `type`. */
function bits(type: 'i32' | 'u32', word: Word): string {
  return word === 'i64' ? `bitcast<${type}>(x.x)` : `${type}(x)`
}
