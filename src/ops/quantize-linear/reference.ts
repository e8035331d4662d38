/** QuantizeLinear on the CPU. A kernel's division may be off by 2.5 units in the last place, so a half may go either way. */
import { BYTE_RANGE, quantized, saturate } from '../../precision/integers.ts'
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { numbersOf, rounded } from '../values.ts'
import { blocksOf, scaleIndex } from './blocks.ts'
import { infer, type QuantizeAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: QuantizeAttributes): ReferenceOutput[] {
  const x = requireInput('quantizeLinear', inputs, 0, 'x')
  const scale = requireInput('quantizeLinear', inputs, 1, 'y_scale')
  const [type] = infer({ inputs, values: [], attributes })
  const dtype = type?.dtype === 'i8' ? 'i8' : 'u8'
  const blocks = blocksOf('quantizeLinear', x, scale, attributes.axis, attributes.blockSize)
  const zeros = inputs[2] === undefined || inputs[2] === null ? null : numbersOf(inputs[2])
  return [
    quantizedOutput(numbersOf(x), x.shape, dtype, (index) => {
      const at = scaleIndex(blocks, index)
      return [numbersOf(scale)[at] ?? NaN, zeros?.[at] ?? 0]
    }),
  ]
}

/** Bytes of `x` by the scale and zero point of each element: within half a step of the exact quotient, and what rounding adds. */
export function quantizedOutput(
  x: ArrayLike<number>,
  shape: readonly number[],
  dtype: 'i8' | 'u8',
  of: (index: number) => readonly [scale: number, zero: number],
): ReferenceOutput {
  const values = new Float64Array(x.length)
  const exact = new Float64Array(x.length)
  const bound = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) {
    const [scale, zero] = of(i)
    const quotient = x[i]! / scale
    values[i] = quantized(Math.fround(quotient), zero, dtype)
    exact[i] = saturate(quotient + zero, BYTE_RANGE[dtype], zero)
    bound[i] = 0.5 + Math.min(gamma(4) * Math.abs(quotient), 0.01)
  }
  return { tensor: rounded(dtype, shape, values), exact, tolerance: { kind: 'bound', bound } }
}
