/**
 * What the products of activations with sparse weights have in common, whatever the format: Y = activation(X · Wᵀ + bias + residual)
 * with X [..., K] and W [N, K], and the epilogue of the dense products (src/ops/gemm).
 */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { gemmProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sameShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import { activationField, type Activation } from '../gemm/activation.ts'
import { BIAS, fusedReference, RESIDUAL } from '../gemm/fused.ts'
import type { Product } from '../gemm/product.ts'
import type { InputTypes, InputValues, ReferenceOutput } from '../op.ts'

/** Attributes that all of them have. */
export const sparseFields = {
  /** Applied last. */
  activation: activationField,
  /** A kernel by name instead of the plan's choice. */
  kernel: z.string().optional(),
}

/** Bits of an index. */
export const indexBitsField = z.union([z.literal(16), z.literal(32)]).default(32)

/** Sizes of a call: X has `rows` rows of `depth`, W `columns` lines; `first` is the index of the bias, the residual follows it. */
export interface SparseSizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  /** Of Y. */
  readonly shape: Shape
  /** Which input the bias is; the residual is the next. */
  readonly bias: number
}

/** Rows and depth of X [..., K]. @throws ShapeError, DtypeError */
export function activationsOf(op: string, inputs: InputTypes): { rows: number; depth: number; leading: Shape } {
  const x = requireInput(op, inputs, 0, 'X')
  requireDType(op, 'X', x, ['f32', 'f16'])
  const depth = x.shape.at(-1)
  if (depth === undefined) throw new ShapeError('X is a scalar, not [..., K]', { op })
  const leading = x.shape.slice(0, -1)
  return { rows: sizeOf(leading), depth, leading }
}

/** @throws ShapeError where the weights say a depth and X has another */
export function requireDepth(op: string, depth: number, wanted: number | undefined): void {
  if (wanted === undefined || wanted === depth) return
  throw new ShapeError(`X ends in ${depth}, and the weights have a depth of ${wanted}`, {
    op,
    remedy: 'Give activations as deep as the weights',
  })
}

/** @throws ShapeError unless input `index` is a vector of `count` elements of `dtype`; DtypeError */
export function requireWords(
  op: string,
  inputs: InputTypes,
  index: number,
  name: string,
  dtypes: readonly TensorType['dtype'][],
  count?: number,
): number {
  const input = requireInput(op, inputs, index, name)
  requireDType(op, name, input, dtypes)
  requireVector(op, name, input, count ?? sizeOf(input.shape))
  return sizeOf(input.shape)
}

/** Processing elements that pointers [P, depth + 1] are of. @throws ShapeError, DtypeError */
export function requireElements(op: string, inputs: InputTypes, index: number, depth: number): number {
  const pointers = requireInput(op, inputs, index, 'pointers')
  requireDType(op, 'pointers', pointers, ['u32'])
  const [elements = 0, own] = pointers.shape
  if (pointers.shape.length === 2 && elements > 0 && own === depth + 1) return elements
  throw new ShapeError(`pointers ${formatShape(pointers.shape)} are not [P, ${depth + 1}] of a depth of ${depth}`, { op })
}

/** The type of Y: [..., N] in the dtype of X. @throws ShapeError, DtypeError for what does not fit the epilogue */
export function sparseOutput(op: string, inputs: InputTypes, { columns, shape, bias: first }: SparseSizes): TensorType {
  const x = requireInput(op, inputs, 0, 'X')
  const output: TensorType = { dtype: x.dtype, shape }
  const bias = inputs[first] ?? null
  const residual = inputs[first + 1] ?? null
  if (bias !== null) {
    requireSameDType(op, 'bias', bias, x)
    requireVector(op, 'bias', bias, columns)
  }
  if (residual !== null) {
    requireSameDType(op, 'residual', residual, x)
    if (!sameShape(residual.shape, shape)) {
      throw new ShapeError(`The residual ${formatShape(residual.shape)} is not like the result ${formatShape(shape)}`, { op })
    }
  }
  requireIndexable(op, ...inputs, output)
  return output
}

/**
 * The dense product that a call stands for, as `dispatchesOf` and `splitPlan` take it: they bring the epilogue. W is bound by the
 * kernels themselves.
 */
export function productOf(
  op: string,
  inputs: InputTypes,
  output: TensorType,
  { rows, columns, depth, bias: first }: SparseSizes,
  activation: Activation,
): Product {
  const bias = inputs[first] ?? null
  const residual = inputs[first + 1] ?? null
  return {
    op,
    rows,
    columns,
    depth,
    a: { input: 0, type: requireInput(op, inputs, 0, 'X'), line: depth, depth: 1 },
    b: { input: 1, type: requireInput(op, inputs, 1, 'values'), line: 0, depth: 0 },
    batch: [],
    epilogue: {
      alpha: 1,
      ...(bias === null ? {} : { bias: { input: first, type: bias, row: 0, column: 1, factor: 1 } }),
      ...(residual === null ? {} : { residual: { input: first + 1, type: residual } }),
      activation,
    },
    accumulate: 'f32',
    output,
  }
}

/** Sums of a reference and their magnitudes, row by row, as `fusedReference` finishes them. */
export function sparseReference(
  op: string,
  inputs: InputValues,
  { rows, columns, depth, shape, bias: first }: SparseSizes,
  { sum, magnitude }: { readonly sum: Float64Array; readonly magnitude: Float64Array },
  activation: Activation,
): ReferenceOutput[] {
  const x = requireInput(op, inputs, 0, 'X')
  const terms: (InputValues[number] | null)[] = [x]
  terms[BIAS] = inputs[first] ?? null
  terms[RESIDUAL] = inputs[first + 1] ?? null
  const given = { activation, accumulate: 'f32' } as const
  return fusedReference(terms, { dtype: x.dtype, shape }, [rows, columns], { sum, magnitude, depth }, given)
}

/** The loop nest of as many multiply-accumulates as the dense product has; undefined where there are none. */
export function sparseProblem({
  rows: i,
  columns: j,
  depth: k,
}: Pick<SparseSizes, 'rows' | 'columns' | 'depth'>): Problem | undefined {
  return i * j * k === 0 ? undefined : gemmProblem({ i, j, k })
}

/** What weights that were found to be well formed consist of, by the last of their tensors: looked at once. */
const sound = new WeakMap<HostTensor, readonly HostTensor[]>()

/**
 * Checks packed weights whose tensors are all known before the run; of others the kernels take what there is.
 * @param tensors of the weights, null where only the device knows them
 */
export function checkOnce(
  tensors: readonly (HostTensor | null | undefined)[],
  check: (known: readonly HostTensor[]) => void,
): void {
  const known = tensors.filter((tensor) => tensor !== null && tensor !== undefined)
  const last = known.at(-1)
  if (known.length < tensors.length || last === undefined) return
  const before = sound.get(last)
  if (before?.length === known.length && known.every((tensor, index) => tensor === before[index])) return
  check(known)
  sound.set(last, known)
}

export function isWords(tensor: HostTensor | null | undefined): tensor is HostTensor<'u32'> {
  return tensor?.dtype === 'u32'
}

export function isFloats(tensor: HostTensor | null | undefined): tensor is HostTensor<'f32'> | HostTensor<'f16'> {
  return tensor?.dtype === 'f32' || tensor?.dtype === 'f16'
}
