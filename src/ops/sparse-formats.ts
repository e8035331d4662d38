/** Products with weights in the sparse formats of the literature, callable alone (see index.ts). */
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Csc } from '../sparsity/csc.ts'
import type { Csr } from '../sparsity/csr.ts'
import type { Eie } from '../sparsity/eie.ts'
import { requirePacked } from '../sparsity/packed.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { one, type Options } from './call.ts'
import type { CscAttributes } from './csc-matmul/rule.ts'
import type { CsrAttributes } from './csr-matmul/rule.ts'
import type { EieAttributes } from './eie-matmul/rule.ts'

/** What a product with sparse weights adds before its activation. */
export interface SparseOperands {
  /** [N]. */
  readonly bias?: Tensor
  /** Of the result's shape, added after the bias. */
  readonly residual?: Tensor
}

/**
 * activation(x·wᵀ + bias + residual) for x [..., K] (f32 or f16) and weights w [N, K] as `packCsr` makes them → [..., N], in x's dtype,
 * summed in f32. What is no entry is not multiplied. Up to four rows, lanes share a line's entries (`vector`); of more, each lane has
 * rows of its own (`dense`); `kernel` forces one.
 * @throws OptionError for a matrix that is not packed, naming `packCsr`; so the others here theirs
 */
export async function csrMatmul(
  gpu: Gpu,
  x: Tensor,
  weights: Csr,
  options: Omit<Options<CsrAttributes>, 'indexBits' | 'depth'> & SparseOperands = {},
): Promise<DeviceTensor> {
  requirePacked('csrMatmul', weights, ['columns', 'pointers'], 'packCsr')
  const { depth, values, columns, pointers, indexBits } = weights
  const { bias, residual, ...rest } = options
  return one(gpu, 'csrMatmul', [x, values, columns, pointers, bias ?? null, residual ?? null], { ...rest, depth, indexBits })
}

/**
 * As `csrMatmul`, of weights as `packCsc` makes them: walked column by column, and a column whose activations are 0 is skipped, whatever
 * its weights are.
 */
export async function cscMatmul(
  gpu: Gpu,
  x: Tensor,
  weights: Csc,
  options: Omit<Options<Omit<CscAttributes, 'lines'>>, 'indexBits'> & SparseOperands = {},
): Promise<DeviceTensor> {
  requirePacked('cscMatmul', weights, ['rows', 'pointers'], 'packCsc')
  const { lines, values, rows, pointers, indexBits } = weights
  const { bias, residual, ...rest } = options
  return one(gpu, 'cscMatmul', [x, values, rows, pointers, bias ?? null, residual ?? null], { ...rest, indexBits, lines })
}

/** As `cscMatmul`, of weights in EIE's form, as `packEie` makes them; a row of x at a time. */
export async function eieMatmul(
  gpu: Gpu,
  x: Tensor,
  weights: Eie,
  options: Options<Omit<EieAttributes, 'lines'>> & SparseOperands = {},
): Promise<DeviceTensor> {
  requirePacked('eieMatmul', weights, ['zeros', 'pointers'], 'packEie')
  const { lines, values, zeros, pointers, codebook } = weights
  const { bias, residual, ...rest } = options
  const inputs = [x, values, zeros, pointers, codebook ?? null, bias ?? null, residual ?? null]
  return one(gpu, 'eieMatmul', inputs, { ...rest, lines })
}
