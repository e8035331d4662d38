/** Attributes and shape rule of eieMatmul. */
import { z } from 'zod'
import type { TensorType } from '../../tensor/tensor.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { activationsOf, requireElements, requireWords, sparseFields, sparseOutput, type SparseSizes } from '../sparse/rule.ts'

export const OP = 'eieMatmul'

export const attributes = z.strictObject({
  ...sparseFields,
  /** Rows of the matrix, outputs of the layer: pointers do not say how many there are. */
  lines: z.number().int().min(0),
})
export type EieAttributes = z.infer<typeof attributes>

export interface EieSizes extends SparseSizes {
  /** Padding among them; with a codebook, in whole words. */
  readonly entries: number
  /** Processing elements. */
  readonly elements: number
  /** Whether values are nibbles that name one of a codebook. */
  readonly shared: boolean
}

/** Nibbles in a word. */
const WORD_NIBBLES = 8

/** Inputs: X, values, zeros, pointers, codebook or null, bias or null, residual or null. @throws ShapeError, DtypeError */
export function eieSizes(inputs: InputTypes, { lines }: EieAttributes): EieSizes {
  const { rows, depth, leading } = activationsOf(OP, inputs)
  const shared = (inputs[4] ?? null) !== null
  const count = requireWords(OP, inputs, 1, 'values', shared ? ['u32'] : ['f32', 'f16'])
  requireWords(OP, inputs, 2, 'zeros', ['u32'], shared ? count : Math.ceil(count / WORD_NIBBLES))
  const elements = requireElements(OP, inputs, 3, depth)
  if (shared) requireWords(OP, inputs, 4, 'codebook', ['f32', 'f16'], 16)
  const entries = shared ? count * WORD_NIBBLES : count
  return { rows, columns: lines, depth, entries, elements, shared, shape: [...leading, lines], bias: 5 }
}

/** [..., N] in the dtype of X. */
export function infer({ inputs, attributes: given }: InferContext<EieAttributes>): TensorType[] {
  return [sparseOutput(OP, inputs, eieSizes(inputs, given))]
}
