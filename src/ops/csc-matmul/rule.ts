/** Attributes and shape rule of cscMatmul. */
import { z } from 'zod'
import { indexWords } from '../../sparsity/entries.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import type { InferContext, InputTypes } from '../op.ts'
import {
  activationsOf,
  indexBitsField,
  requireElements,
  requireWords,
  sparseFields,
  sparseOutput,
  type SparseSizes,
} from '../sparse/rule.ts'

export const OP = 'cscMatmul'

export const attributes = z.strictObject({
  ...sparseFields,
  /** Rows of the matrix, outputs of the layer: pointers do not say how many there are. */
  lines: z.number().int().min(0),
  /** Of a row: 32, or 16, two to a word. */
  indexBits: indexBitsField,
})
export type CscAttributes = z.infer<typeof attributes>

export interface CscSizes extends SparseSizes {
  readonly entries: number
  /** Processing elements. */
  readonly elements: number
}

/** Inputs: X, values, rows, pointers, bias or null, residual or null. @throws ShapeError, DtypeError */
export function cscSizes(inputs: InputTypes, { lines, indexBits }: CscAttributes): CscSizes {
  const { rows, depth, leading } = activationsOf(OP, inputs)
  const entries = requireWords(OP, inputs, 1, 'values', ['f32', 'f16'])
  requireWords(OP, inputs, 2, 'rows', ['u32'], indexWords(entries, indexBits))
  const elements = requireElements(OP, inputs, 3, depth)
  return { rows, columns: lines, depth, entries, elements, shape: [...leading, lines], bias: 4 }
}

/** [..., N] in the dtype of X. */
export function infer({ inputs, attributes: given }: InferContext<CscAttributes>): TensorType[] {
  return [sparseOutput(OP, inputs, cscSizes(inputs, given))]
}
