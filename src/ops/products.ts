/** The matrix products, callable alone, with all that their epilogue takes (see index.ts). */
import { OptionError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { requirePacked } from '../sparsity/packed.ts'
import type { TwoOfFour } from '../sparsity/two-of-four.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { one, type Given, type Options } from './call.ts'
import type { GemmAttributes } from './gemm/rule.ts'
import type { LinearAttributes } from './linear/rule.ts'
import type { MatmulAttributes } from './matmul/rule.ts'
import type { SparseMatmulAttributes } from './sparse-matmul/rule.ts'

/** Operands that a product adds or multiplies before it stores, each broadcast to the last two axes of the result. */
export interface EpilogueOperands {
  /** Of the result's shape and dtype: added after the bias. */
  readonly residual?: Tensor
  /** Multiplies the product before anything is added: one factor for each column [J], row [I, 1] or element, or one in all. */
  readonly scale?: Tensor
}

/** Operands of sparseMatmul besides the epilogue's: the last two go with x of bytes. */
export interface ByteOperands {
  readonly bias?: Tensor
  readonly xZeroPoint?: Tensor
  readonly xScale?: Tensor
}

/**
 * activation(alpha · scale · a · b + beta · c + residual) for matrices a [I, K] and b [K, J], each transposed first where `transA`,
 * `transB` say so; c broadcasts to [I, J]. f32 and f16, summed in f32 unless `accumulate` says f16. `output` stores f16 operands'
 * product as f32. `kernel` forces a kernel by name or configuration.
 * `activation`: `none` (default), `relu`, `sigmoid`, `tanh`, `silu`, `hardSwish`, `gelu`, which is
 * 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), or one with parameters: `{name: 'clip', min, max}` (0 and 6: relu6; an absent bound does
 * not bind), `{name: 'leakyRelu', alpha}`, `{name: 'hardSigmoid', alpha, beta}`.
 * `bias` is `c` by the name that matmul and linear have for it.
 * @throws OptionError for a kernel that there is not, or that cannot run this product on this device,
 *   and for both `c` and `bias`
 */
export function gemm(
  gpu: Gpu,
  a: Tensor,
  b: Tensor,
  options: Options<GemmAttributes> & EpilogueOperands & { readonly c?: Tensor; readonly bias?: Tensor } = {},
): Promise<DeviceTensor> {
  const { c, bias, ...rest } = options
  if (c !== undefined && bias !== undefined) {
    throw new OptionError('c and bias are two names of one operand', { op: 'gemm', remedy: 'Give one of them' })
  }
  return product(gpu, 'gemm', [a, b, c ?? bias ?? null], rest)
}

/**
 * activation(scale · a × b + bias + residual): a [..., I, K] × b [..., K, J] → [..., I, J]. Leading axes broadcast, vectors are a row on
 * the left and a column on the right; bias and scale broadcast to [I, J]. Further options are gemm's.
 */
export function matmul(
  gpu: Gpu,
  a: Tensor,
  b: Tensor,
  options: Options<MatmulAttributes> & EpilogueOperands & { readonly bias?: Tensor } = {},
): Promise<DeviceTensor> {
  const { bias, ...rest } = options
  return product(gpu, 'matmul', [a, b, bias ?? null], rest)
}

/**
 * A fully connected layer: x [N, ...] taken as [N, K], weights w [M, K] → activation(scale · x·wᵀ + bias + residual) [N, M], with `bias`
 * [M]. Further options are gemm's.
 */
export function linear(
  gpu: Gpu,
  x: Tensor,
  w: Tensor,
  options: Options<LinearAttributes> & EpilogueOperands & { readonly bias?: Tensor } = {},
): Promise<DeviceTensor> {
  const { bias, ...rest } = options
  return product(gpu, 'linear', [x, w, bias ?? null], rest)
}

/**
 * activation(scale · x·wᵀ + bias + residual) for x [..., K] and weights w [N, K] that hold 2:4, as `packTwoOfFour` and `quantiseTwoOfFour`
 * make them, → [..., N]; `bias` is [N]. Further options are gemm's. Values f32 or f16 are of x's dtype; 8 and 4 bits go with both.
 *
 * x of i8 or u8 goes with i8 values: Σ (x − xZeroPoint) · w in i32, exact. With `xScale` or scales of the weights (one for a line) it is
 * activation(sum · xScale · scales + bias + residual), f32 or f16. Zero point and scale of x are one value, or one for each row.
 * @throws OptionError for a matrix that is not packed, for what the other kind of x takes, and for bias, residual or activation of bytes without a scale
 */
export async function sparseMatmul(
  gpu: Gpu,
  x: Tensor,
  weights: TwoOfFour,
  options: Omit<Options<SparseMatmulAttributes>, 'share' | 'block' | 'depth'> & EpilogueOperands & ByteOperands = {},
): Promise<DeviceTensor> {
  requirePacked('sparseMatmul', weights, ['positions', 'share'], 'packTwoOfFour')
  const { bias, residual, scale, xZeroPoint, xScale, ...rest } = options
  const { depth, values, positions, scales, share, block } = weights
  const epilogue = [bias ?? null, residual ?? null, scale ?? null]
  const inputs = [x, values, ...epilogue, positions, scales ?? null, xZeroPoint ?? null, xScale ?? null]
  return one(gpu, 'sparseMatmul', inputs, { ...rest, depth, share, ...(block === undefined ? {} : { block }) })
}

function product(
  gpu: Gpu,
  op: string,
  inputs: readonly (Tensor | null)[],
  { residual, scale, ...rest }: Given & EpilogueOperands,
): Promise<DeviceTensor> {
  return one(gpu, op, [...inputs, residual ?? null, scale ?? null], rest)
}
