/** eieMatmul on the CPU: element by element, column by column, in f64. Padding and activations of 0 add nothing. */
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { sparseReference } from '../sparse/rule.ts'
import { floatsOf, numbersOf } from '../values.ts'
import { eieSizes, OP, type EieAttributes } from './rule.ts'

export function reference(inputs: InputValues, given: EieAttributes): ReferenceOutput[] {
  const sizes = eieSizes(inputs, given)
  const { rows, columns: lines, depth, elements, shared } = sizes
  const x = floatsOf(requireInput(OP, inputs, 0, 'X'))
  const values = requireInput(OP, inputs, 1, 'values')
  const zeros = numbersOf(requireInput(OP, inputs, 2, 'zeros'))
  const pointers = numbersOf(requireInput(OP, inputs, 3, 'pointers'))
  const codebook = shared ? floatsOf(requireInput(OP, inputs, 4, 'codebook')) : null
  const numbers = numbersOf(values)
  const nibble = (words: ArrayLike<number>, entry: number): number => {
    return Math.floor((words[Math.floor(entry / 8)] ?? NaN) / 16 ** (entry % 8)) % 16
  }
  const weightAt = (entry: number): number => (codebook === null ? numbers[entry]! : (codebook[nibble(numbers, entry)] ?? NaN))
  const sum = new Float64Array(rows * lines)
  const magnitude = new Float64Array(rows * lines)
  for (let run = 0; run < elements * depth; run++) {
    const element = Math.floor(run / depth)
    const column = run % depth
    const at = element * (depth + 1) + column
    let place = -1
    for (let entry = pointers[at]!; entry < pointers[at + 1]!; entry++) {
      place += nibble(zeros, entry) + 1
      const line = place * elements + element
      const weight = weightAt(entry)
      if (weight === 0) continue
      for (let row = 0; row < rows; row++) {
        const activation = x[row * depth + column]!
        if (activation === 0) continue
        sum[row * lines + line] = sum[row * lines + line]! + activation * weight
        magnitude[row * lines + line] = magnitude[row * lines + line]! + Math.abs(activation * weight)
      }
    }
  }
  return sparseReference(OP, inputs, sizes, { sum, magnitude }, given.activation)
}
