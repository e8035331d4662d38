/** csrMatmul on the CPU: row by row, entry by entry, in f64. What is no entry is not multiplied, were X infinite there. */
import { requireInput } from '../checks.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { sparseReference } from '../sparse/rule.ts'
import { floatsOf, numbersOf } from '../values.ts'
import { csrSizes, OP, type CsrAttributes } from './rule.ts'

export function reference(inputs: InputValues, given: CsrAttributes): ReferenceOutput[] {
  const sizes = csrSizes(inputs, given)
  const { rows, columns: lines, depth } = sizes
  const x = floatsOf(requireInput(OP, inputs, 0, 'X'))
  const weights = floatsOf(requireInput(OP, inputs, 1, 'values'))
  const words = numbersOf(requireInput(OP, inputs, 2, 'columns'))
  const pointers = numbersOf(requireInput(OP, inputs, 3, 'pointers'))
  const columnOf = (entry: number): number => {
    if (given.indexBits === 32) return words[entry] ?? NaN
    return Math.floor((words[Math.floor(entry / 2)] ?? NaN) / (entry % 2 === 0 ? 1 : 65536)) % 65536
  }
  const sum = new Float64Array(rows * lines)
  const magnitude = new Float64Array(rows * lines)
  for (let line = 0; line < lines; line++) {
    for (let entry = pointers[line]!; entry < pointers[line + 1]!; entry++) {
      const column = columnOf(entry)
      const weight = weights[entry]!
      for (let row = 0; row < rows; row++) {
        const term = column < depth ? x[row * depth + column]! * weight : NaN
        const at = row * lines + line
        sum[at] = sum[at]! + term
        magnitude[at] = magnitude[at]! + Math.abs(term)
      }
    }
  }
  return sparseReference(OP, inputs, sizes, { sum, magnitude }, given.activation)
}
