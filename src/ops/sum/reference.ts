/** The sum in f64, or modulo the width of integers. */
import { isFloat } from '../../tensor/dtype.ts'
import { broadcastShapes, broadcastStrides, sizeOf } from '../../tensor/shape.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { output, wideOutput } from '../elementwise/reference.ts'
import { ULP } from '../elementwise/tolerance.ts'
import { indexTable } from '../movement/reference.ts'
import type { ReferenceOutput } from '../op.ts'
import { numbersOf } from '../values.ts'

/** Each of the n − 1 additions rounds by an ulp of a partial sum, which Σ|xᵢ| bounds: |error| ≤ (n − 1)·2⁻²³·Σ|xᵢ|·(1 + small). */
export function sumReference(inputs: readonly HostTensor[]): ReferenceOutput {
  const shape = broadcastShapes(...inputs.map((input) => input.shape))
  const size = sizeOf(shape)
  const wide = new BigInt64Array(size)
  const exact = new Float64Array(size)
  const magnitude = new Float64Array(size)
  for (const input of inputs) {
    const table = indexTable(shape, broadcastStrides(input.shape, shape))
    const { values } = input
    if (values instanceof BigInt64Array) {
      table.forEach((at, i) => (wide[i] = (wide[i] ?? 0n) + (values[at] ?? 0n)))
      continue
    }
    const numbers = numbersOf(input)
    table.forEach((at, i) => {
      exact[i] = (exact[i] ?? 0) + (numbers[at] ?? NaN)
      magnitude[i] = (magnitude[i] ?? 0) + Math.abs(numbers[at] ?? NaN)
    })
  }
  const dtype = inputs[0]?.dtype ?? 'f32'
  if (dtype === 'i64') return wideOutput(shape, wide)
  const factor = inputs.length * ULP
  return output(
    dtype,
    shape,
    exact,
    isFloat(dtype) ? { kind: 'bound', bound: magnitude.map((sum) => factor * sum) } : { kind: 'exact' },
  )
}
