/**
 * What gemm, matmul and linear have in common besides their shapes: the terms of the epilogue as optional inputs and attributes,
 * the rule for them, their reference. Input 2 is the bias (C), 3 the residual, 4 the scale.
 */
import { z } from 'zod'
import { OptionError, ShapeError } from '../../errors.ts'
import { broadcastShapes, broadcastStrides, formatShape, sameShape, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireSameDType } from '../checks.ts'
import type { InputTypes, InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { activateExact, activationField, type Activation } from './activation.ts'
import { anyNonFinite } from './kept-reference.ts'
import type { Broadcast, Product } from './product.ts'
import { forcedLevels, strassenTolerance } from './strassen.ts'

/** Inputs of the epilogue. */
export const BIAS = 2
export const RESIDUAL = 3
export const SCALE = 4

/** Attributes of the epilogue and of the kernel. */
export const fusedFields = {
  /** Applied last: a name, or `{name, …}` for what has parameters (activation.ts). */
  activation: activationField,
  /** Dtype of Y where it is not that of A: f16 operands may give f32, so that nothing overflows. */
  output: z.enum(['f32', 'f16']).optional(),
  /** What sums are kept in. f16, for f16 operands, is faster on some GPUs and loses digits: only on request. */
  accumulate: z.enum(['f32', 'f16']).default('f32'),
  /** B is weights that hold 2:4 along the depth, and is read so: checked where B is known before the run; else two of every four stay. */
  sparsity: z.literal('2:4').optional(),
  /** Forces a kernel: its name, or its configuration. One that cannot run the product is an error. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })], { error: 'give a name, or {kernel: name, …}' }).optional(),
}

export interface FusedAttributes {
  readonly activation: Activation
  readonly output?: 'f32' | 'f16' | undefined
  readonly accumulate: 'f32' | 'f16'
  readonly sparsity?: '2:4' | undefined
  readonly kernel?: string | { readonly kernel: string } | undefined
}

/**
 * The type of Y [..., I, J], after the epilogue's inputs were checked: bias and scale broadcast to its last two dimensions, the
 * residual has its shape.
 * @throws ShapeError, DtypeError, OptionError
 */
export function fusedOutput(op: string, inputs: InputTypes, shape: Shape, matrix: Shape, given: FusedAttributes): TensorType {
  const [a] = inputs
  if (a === undefined || a === null) throw new ShapeError('Input 0 is missing', { op })
  for (const [index, name] of [
    [BIAS, 'C'],
    [SCALE, 'scale'],
  ] as const) {
    const term = inputs[index] ?? null
    if (term === null) continue
    requireSameDType(op, name, term, a)
    if (!broadcasts(term.shape, matrix)) {
      throw new ShapeError(`${name} ${formatShape(term.shape)} does not broadcast to ${formatShape(matrix)}`, { op })
    }
  }
  const dtype = given.output ?? (a.dtype === 'f16' ? 'f16' : 'f32')
  const residual = inputs[RESIDUAL] ?? null
  if (residual !== null) {
    requireDType(op, 'residual', residual, [dtype])
    if (!sameShape(residual.shape, shape)) {
      throw new ShapeError(`The residual ${formatShape(residual.shape)} is not like the result ${formatShape(shape)}`, { op })
    }
  }
  if (given.accumulate === 'f16' && a.dtype !== 'f16') {
    throw new OptionError(`Sums of ${a.dtype} operands cannot be kept in f16`, { op, dtype: a.dtype, remedy: 'Give f16 operands' })
  }
  return { dtype, shape }
}

function broadcasts(term: Shape, shape: Shape): boolean {
  try {
    return sameShape(broadcastShapes(term, shape), shape)
  } catch (error) {
    if (error instanceof ShapeError) return false
    throw error
  }
}

/** The epilogue of a product whose result is [..., I, J]. */
export function epilogueOf(
  inputs: InputTypes,
  matrix: readonly [number, number],
  { activation }: FusedAttributes,
  alpha = 1,
  beta = 1,
): Product['epilogue'] {
  const term = (index: number): Broadcast | undefined => {
    const type = inputs[index] ?? null
    if (type === null) return undefined
    const [row = 0, column = 0] = broadcastStrides(type.shape, matrix)
    return { input: index, type, row, column }
  }
  const scale = term(SCALE)
  // As in BLAS: what a factor of 0 leaves nothing of is not read, were it NaN.
  const bias = beta === 0 ? undefined : term(BIAS)
  const residual = inputs[RESIDUAL] ?? null
  return {
    alpha,
    ...(scale === undefined ? {} : { scale }),
    ...(bias === undefined ? {} : { bias: { ...bias, factor: beta } }),
    ...(residual === null ? {} : { residual: { input: RESIDUAL, type: residual } }),
    activation,
  }
}

/** Sums of a product and their magnitudes, [..., I, J] row by row. Both are overwritten. */
export interface ExactSums {
  readonly sum: Float64Array
  readonly magnitude: Float64Array
  readonly depth: number
}

/**
 * Beside the K of a sum: products with alpha, scale and beta, the sums with bias and residual, and one to spare for their order.
 */
const MORE_ROUNDINGS = 6

/**
 * The reference of a product from its exact sums. Bound: γ over all roundings of the magnitudes, through the activation's slope;
 * with f16 accumulators also γ_K of their roundoff 2⁻¹¹, which says nothing from K = 2048 on. Where the caller forces Strassen's
 * product, its own bound besides, of the largest elements of A and B.
 */
export function fusedReference(
  inputs: InputValues,
  type: TensorType,
  matrix: readonly [number, number],
  { sum, magnitude, depth }: ExactSums,
  given: FusedAttributes,
  alpha = 1,
  beta = 1,
): ReferenceOutput[] {
  const [rows, columns] = matrix
  const read = (index: number): { values: Float32Array; row: number; column: number } | null => {
    const tensor = inputs[index] ?? null
    if (tensor === null) return null
    const [row = 0, column = 0] = index === RESIDUAL ? [columns, 1] : broadcastStrides(tensor.shape, matrix)
    return { values: floatsOf(tensor), row, column }
  }
  const scale = read(SCALE)
  const bias = beta === 0 ? null : read(BIAS)
  const residual = read(RESIDUAL)
  const [f, g] = [Math.fround(alpha), Math.fround(beta)]
  const factor = gamma(depth + MORE_ROUNDINGS) + (given.accumulate === 'f16' ? gamma(depth + 1, 2 ** -11) : 0)
  const norm = forcedNorm(inputs, depth, given)
  for (let at = 0; at < sum.length; at++) {
    const row = Math.floor(at / columns) % rows
    const column = at % columns
    const multiplier = f * (scale === null ? 1 : scale.values[row * scale.row + column * scale.column]!)
    const addend = bias === null ? 0 : g * bias.values[row * bias.row + column * bias.column]!
    const other = residual === null ? 0 : residual.values[at]!
    const exact = multiplier * sum[at]! + addend + other
    const more = norm === Infinity ? norm : Math.abs(multiplier) * norm
    const bound = factor * (Math.abs(multiplier) * magnitude[at]! + Math.abs(addend) + Math.abs(other)) + more
    const result = activateExact(given.activation, exact, bound)
    sum[at] = result.value
    magnitude[at] = result.bound
  }
  const dtype = type.dtype === 'f16' ? 'f16' : 'f32'
  const skips = given.sparsity !== undefined && anyNonFinite(sum, magnitude)
  const tolerance = { kind: 'bound', bound: magnitude, ...(norm === Infinity || skips ? { spreads: true } : {}) } as const
  return [{ tensor: rounded(dtype, type.shape, sum), exact: sum, tolerance }]
}

/** What a forced kernel may be off by besides, for every element alike. */
function forcedNorm([a = null, b = null]: InputValues, depth: number, { kernel }: FusedAttributes): number {
  const levels = forcedLevels(kernel)
  return levels === undefined || a === null || b === null ? 0 : strassenTolerance(floatsOf(a), floatsOf(b), depth, levels)
}
