/** Attributes and shape rule of sparseMatmul. */
import { z } from 'zod'
import { OptionError, ShapeError } from '../../errors.ts'
import { checkShare, WORD_DEPTH, WORD_GROUPS, WORD_VALUES, wordsOf, type ValueBits } from '../../sparsity/two-of-four.ts'
import { formatShape, sameShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import { requireDepth } from '../sparse/rule.ts'
import { BIAS, fusedFields, fusedOutput } from '../gemm/fused.ts'
import type { InferContext, InputTypes } from '../op.ts'

export const OP = 'sparseMatmul'
export const POSITIONS = 5
export const SCALES = 6
export const X_ZERO = 7
export const X_SCALE = 8

export const attributes = z.strictObject({
  ...fusedFields,
  /** Of the weights, held against X. Absent: what X says. */
  depth: z.number().int().min(0).optional(),
  /** Lines of the weights that share their positions: 1, or a multiple of 4. */
  share: z.number().int().default(1),
  /** Of depth under one scale: a multiple of 32; default the whole depth. */
  block: z.number().int().positive().optional(),
})
export type SparseMatmulAttributes = z.infer<typeof attributes>

export interface SparseSizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly words: number
  readonly bits: ValueBits
  readonly share: number
  readonly block: number
  readonly blocks: number
  readonly shape: Shape
}

const BITS = { f32: 32, f16: 16, i8: 8, u8: 4 } as const

/** Whether X is bytes, which are multiplied as integers (bytes.ts). */
export function isOfBytes([x = null]: InputTypes): boolean {
  return x?.dtype === 'i8' || x?.dtype === 'u8'
}

/** @throws ShapeError, DtypeError, OptionError for what does not fit */
export function sparseSizes(inputs: InputTypes, { share, block: given, depth: wanted }: SparseMatmulAttributes): SparseSizes {
  const x = requireInput(OP, inputs, 0, 'X')
  const values = requireInput(OP, inputs, 1, 'values')
  const positions = requireInput(OP, inputs, POSITIONS, 'positions')
  const scales = inputs[SCALES] ?? null
  requireDType(OP, 'X', x, ['f32', 'f16', 'i8', 'u8'])
  requireDType(OP, 'values', values, ['f32', 'f16', 'i8', 'u8'])
  requireDType(OP, 'positions', positions, ['u32'])
  if (values.dtype === 'f32' || values.dtype === 'f16') requireSameDType(OP, 'values', values, x)
  checkShare(share)
  const depth = x.shape.at(-1)
  if (depth === undefined) throw new ShapeError('X is a scalar and has no depth', { op: OP, shape: x.shape })
  requireDepth(OP, depth, wanted)
  const columns = values.shape[0] ?? 0
  const words = wordsOf(depth)
  const bits = BITS[values.dtype === 'f32' || values.dtype === 'f16' || values.dtype === 'i8' ? values.dtype : 'u8']
  requireShape('values', values, [columns, words * (bits === 4 ? WORD_GROUPS : WORD_VALUES)], depth)
  requireShape('positions', positions, [Math.ceil(columns / share), words], depth)
  const block = given ?? Math.max(depth, WORD_DEPTH)
  if (given !== undefined && given % WORD_DEPTH !== 0 && given < depth) {
    throw new ShapeError(`A block of ${given} is no multiple of ${WORD_DEPTH}`, { op: OP, block: given })
  }
  const blocks = Math.ceil(depth / block)
  if (scales !== null) {
    requireDType(OP, 'scales', scales, ['f32'])
    requireShape('scales', scales, [columns, blocks], depth)
  }
  const shape = [...x.shape.slice(0, -1), columns]
  return { rows: sizeOf(x.shape.slice(0, -1)), columns, depth, words, bits, share, block, blocks, shape }
}

function requireShape(name: string, { shape }: TensorType, wanted: Shape, depth: number): void {
  if (sameShape(shape, wanted)) return
  throw new ShapeError(`The ${name} ${formatShape(shape)} are not ${formatShape(wanted)}, as a depth of ${depth} needs`, {
    op: OP,
    shape,
    remedy: 'Give what packTwoOfFour made of a matrix of that depth',
  })
}

/** [..., N], in the dtype of a float X unless `output` says otherwise. @throws ShapeError, DtypeError, OptionError */
export function inferFloat({ inputs, attributes: given }: InferContext<SparseMatmulAttributes>): TensorType[] {
  const { rows, columns, shape } = sparseSizes(inputs, given)
  const x = requireInput(OP, inputs, 0, 'X')
  for (const [index, name] of [
    [X_ZERO, 'x_zero_point'],
    [X_SCALE, 'x_scale'],
  ] as const) {
    if ((inputs[index] ?? null) === null) continue
    throw new OptionError(`${name} belongs to bytes, and X is ${x.dtype}`, { op: OP, dtype: x.dtype, remedy: 'Give i8 or u8 X' })
  }
  const bias = inputs[BIAS] ?? null
  if (bias !== null) requireVector(OP, 'bias', bias, columns)
  const output = fusedOutput(OP, inputs, shape, [rows, columns], given)
  requireIndexable(OP, x, inputs[1], output)
  return [output]
}
