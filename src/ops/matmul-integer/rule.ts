/** Attributes and shape rule of matmulInteger. */
import { z } from 'zod'
import { OptionError, ShapeError } from '../../errors.ts'
import { gemmProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType } from '../checks.ts'
import { activationField } from '../gemm/activation.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { flag } from '../window.ts'
import { integerSizes, walkOf, type IntegerSizes, type Walk } from './sizes.ts'

export const attributes = z.strictObject({
  /** B is given as [batch…, J, K]. */
  transB: flag,
  /** Applied last; needs a float result. */
  activation: activationField,
  /** Dtype of a scaled result; default: the dtype of the scales. */
  dtype: z.enum(['f32', 'f16']).optional(),
  /** A kernel by name instead of the plan's choice. */
  kernel: z.string().optional(),
})
export type MatmulIntegerAttributes = z.infer<typeof attributes>

/** Inputs by position, as the op takes them. */
export const INPUTS = ['A', 'B', 'a_zero_point', 'b_zero_point', 'a_scale', 'b_scale', 'bias', 'residual'] as const

export interface MatmulIntegerShape {
  readonly sizes: IntegerSizes
  readonly output: TensorType
  /** How each optional operand is walked, null where it is absent. */
  readonly aZero: Walk | null
  readonly bZero: Walk | null
  readonly aScale: Walk | null
  readonly bScale: Walk | null
  readonly bias: Walk | null
}

/** Who asks, for errors: an op, and what it calls the inputs. */
export interface Names {
  readonly op: string
  readonly inputs: readonly [string, string, string, string, string, string, string, string]
  /** The scales, as the call takes them. */
  readonly scales: string
}

const NAMES: Names = { op: 'matmulInteger', inputs: INPUTS, scales: 'aScale or bScale' }

/** Sizes, result and walks. @throws ShapeError, DtypeError, OptionError for what does not fit */
export function shapeOf(
  inputs: InputTypes,
  { transB, dtype, activation }: Pick<MatmulIntegerAttributes, 'transB' | 'dtype' | 'activation'>,
  { op, inputs: names, scales }: Names = NAMES,
): MatmulIntegerShape {
  const a = requireInput(op, inputs, 0, names[0])
  const b = requireInput(op, inputs, 1, names[1])
  requireDType(op, names[0], a, ['i8', 'u8'])
  requireDType(op, names[1], b, ['i8', 'u8'])
  const sizes = integerSizes(op, a, b, transB)
  const given = (index: number): TensorType | null => inputs[index] ?? null
  const zero = (index: 2 | 3): Walk | null => {
    const type = given(index)
    if (type === null) return null
    requireSameDType(op, names[index], type, index === 2 ? a : b)
    return walkOf(op, names[index], type, sizes, index === 2 ? 'rows' : 'columns')
  }
  const scale = (index: 4 | 5): Walk | null => {
    const type = given(index)
    if (type === null) return null
    requireDType(op, names[index], type, ['f32', 'f16'])
    return walkOf(op, names[index], type, sizes, index === 4 ? 'rows' : 'columns')
  }
  const scaled = given(4) ?? given(5)
  const [bias, residual] = [given(6), given(7)]
  if (scaled === null && (bias !== null || residual !== null || activation !== 'none' || dtype !== undefined)) {
    throw new OptionError('Bias, residual, activation and dtype belong to a scaled product', {
      op,
      remedy: `Give ${scales}, or leave them out for the i32 result`,
    })
  }
  const float = dtype ?? (scaled?.dtype === 'f16' ? 'f16' : 'f32')
  const output: TensorType = { dtype: scaled === null ? 'i32' : float, shape: sizes.shape }
  if (bias !== null) requireDType(op, 'bias', bias, ['f32', 'f16'])
  if (residual !== null) {
    requireDType(op, 'residual', residual, ['f32', 'f16'])
    if (!sameShape(residual.shape, output.shape)) {
      throw new ShapeError(
        `The residual ${formatShape(residual.shape)} is not of the result's shape ${formatShape(output.shape)}`,
        {
          op,
        },
      )
    }
  }
  requireIndexable(op, a, b, output)
  return {
    sizes,
    output,
    aZero: zero(2),
    bZero: zero(3),
    aScale: scale(4),
    bScale: scale(5),
    bias: bias === null ? null : walkOf(op, 'bias', bias, sizes, 'columns'),
  }
}

/** [batch…, I, J] in i32, or in a float where scales are given. */
export function infer({ inputs, attributes: given }: InferContext<MatmulIntegerAttributes>): TensorType[] {
  return [shapeOf(inputs, given).output]
}

/** The loop nest; undefined where an extent is 0. */
export function integerProblem(sizes: IntegerSizes): Problem | undefined {
  const loops = integerLoops(sizes)
  return loops.i * loops.j * loops.k * loops.batch === 0 ? undefined : gemmProblem(loops)
}

/** The product as i×j×k with a batch: where one B serves all of A, the batch is more rows. */
export function integerLoops({ i, j, k, batch, bBatch }: IntegerSizes): { i: number; j: number; k: number; batch: number } {
  const count = batch.reduce((product, size) => product * size, 1)
  const shared = bBatch.every((step, axis) => step === 0 || batch[axis] === 1)
  return shared ? { i: i * count, j, k, batch: 1 } : { i, j, k, batch: count }
}
