/** Attributes and shape rule of csrMatmul. */
import { z } from 'zod'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { indexWords } from '../../sparsity/entries.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { requireInput } from '../checks.ts'
import {
  activationsOf,
  indexBitsField,
  requireDepth,
  requireWords,
  sparseFields,
  sparseOutput,
  type SparseSizes,
} from '../sparse/rule.ts'

export const OP = 'csrMatmul'

export const attributes = z.strictObject({
  ...sparseFields,
  /** Of the weights, held against X. Absent: what X says. */
  depth: z.number().int().min(0).optional(),
  /** Of a column: 32, or 16, two to a word. */
  indexBits: indexBitsField,
})
export type CsrAttributes = z.infer<typeof attributes>

/** Inputs: X, values, columns, pointers, bias or null, residual or null. @throws ShapeError, DtypeError */
export function csrSizes(
  inputs: InputTypes,
  { indexBits, depth: wanted }: CsrAttributes,
): SparseSizes & { readonly entries: number } {
  const { rows, depth, leading } = activationsOf(OP, inputs)
  requireDepth(OP, depth, wanted)
  const entries = requireWords(OP, inputs, 1, 'values', ['f32', 'f16'])
  requireWords(OP, inputs, 2, 'columns', ['u32'], indexWords(entries, indexBits))
  const columns = sizeOf(requireInput(OP, inputs, 3, 'pointers').shape) - 1
  requireWords(OP, inputs, 3, 'pointers', ['u32'], Math.max(1, columns + 1))
  return { rows, columns, depth, entries, shape: [...leading, columns], bias: 4 }
}

/** [..., N] in the dtype of X. */
export function infer({ inputs, attributes: given }: InferContext<CsrAttributes>): TensorType[] {
  return [sparseOutput(OP, inputs, csrSizes(inputs, given))]
}
