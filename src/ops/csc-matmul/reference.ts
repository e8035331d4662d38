/** cscMatmul on the CPU: element by element, column by column, in f64. An activation of 0 adds nothing, were the weight infinite. */
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { sparseReference } from '../sparse/rule.ts'
import { floatsOf, numbersOf } from '../values.ts'
import { cscSizes, OP, type CscAttributes } from './rule.ts'

export function reference(inputs: InputValues, given: CscAttributes): ReferenceOutput[] {
  const sizes = cscSizes(inputs, given)
  const { rows, columns: lines, depth, elements } = sizes
  const x = floatsOf(requireInput(OP, inputs, 0, 'X'))
  const weights = floatsOf(requireInput(OP, inputs, 1, 'values'))
  const words = numbersOf(requireInput(OP, inputs, 2, 'rows'))
  const pointers = numbersOf(requireInput(OP, inputs, 3, 'pointers'))
  const rowOf = (entry: number): number => {
    if (given.indexBits === 32) return words[entry] ?? NaN
    return Math.floor((words[Math.floor(entry / 2)] ?? NaN) / (entry % 2 === 0 ? 1 : 65536)) % 65536
  }
  const sum = new Float64Array(rows * lines)
  const magnitude = new Float64Array(rows * lines)
  for (let run = 0; run < elements * depth; run++) {
    const element = Math.floor(run / depth)
    const column = run % depth
    const at = element * (depth + 1) + column
    for (let entry = pointers[at]!; entry < pointers[at + 1]!; entry++) {
      const line = rowOf(entry) * elements + element
      for (let row = 0; row < rows; row++) {
        const activation = x[row * depth + column]!
        if (activation === 0) continue
        const term = activation * weights[entry]!
        sum[row * lines + line] = sum[row * lines + line]! + term
        magnitude[row * lines + line] = magnitude[row * lines + line]! + Math.abs(term)
      }
    }
  }
  return sparseReference(OP, inputs, sizes, { sum, magnitude }, given.activation)
}
