/** Attributes and shape rule of matmulNBits. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { checkBlocks } from '../../precision/weights.ts'
import { formatShape, sameShape, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import { activationField } from '../gemm/activation.ts'
import type { InferContext, InputTypes } from '../op.ts'

export const attributes = z.strictObject({
  /** Inputs and outputs of the layer, held against A and B; default: what A and B say. */
  K: z.number().int().min(0).optional(),
  N: z.number().int().min(0).optional(),
  /** Bits of a weight, 4 or 8. */
  bits: z.number().int().default(4),
  /** Weights along the depth that share a scale: a power of two from 16 up. */
  blockSize: z.number().int().default(32),
  /**
   * 4: activations may be rounded to i8 per block, which is faster and less exact: the kernel `dot` does so, the others
   * (`vector`, for few rows, `broadcast`, `tiled`) never. Other levels: activations stay floats, summed in f32.
   */
  accuracyLevel: z.number().int().min(0).max(4).default(0),
  /** Applied last. */
  activation: activationField,
  /** A kernel by name instead of the plan's choice. */
  kernel: z.string().optional(),
})
export type NBitsAttributes = z.infer<typeof attributes>

export const OP = 'matmulNBits'

export interface NBitsSizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly bits: 4 | 8
  readonly block: number
  readonly blocks: number
  /** `middle`: there are none. */
  readonly zeros: 'middle' | 'packed' | 'float'
  readonly shape: readonly number[]
}

/** Inputs: A, B, scales, zero points or null, bias or null. @throws ShapeError, DtypeError, OptionError */
export function nbitsSizes(inputs: InputTypes, given: NBitsAttributes): NBitsSizes {
  const { bits, blockSize } = given
  const a = requireInput(OP, inputs, 0, 'A')
  const b = requireInput(OP, inputs, 1, 'B')
  const scales = requireInput(OP, inputs, 2, 'scales')
  const zeros = inputs[3] ?? null
  const bias = inputs[4] ?? null
  checkBlocks(OP, bits, blockSize)
  const K = given.K ?? a.shape.at(-1) ?? 0
  const N = given.N ?? b.shape[0] ?? 0
  requireDType(OP, 'A', a, ['f32', 'f16'])
  requireDType(OP, 'B', b, ['u8'])
  requireSameDType(OP, 'scales', scales, a)
  if (a.shape.length === 0 || a.shape.at(-1) !== K) {
    throw new ShapeError(`A ${formatShape(a.shape)} does not end in K, ${K}`, { op: OP, shape: a.shape })
  }
  const blocks = Math.ceil(K / blockSize)
  const blob = (blockSize * bits) / 8
  if (!sameShape(b.shape, [N, blocks, blob])) {
    throw new ShapeError(`B ${formatShape(b.shape)} is not [N, blocks, bytes], ${formatShape([N, blocks, blob])}`, {
      op: OP,
      K,
      N,
      bits,
      blockSize,
    })
  }
  requireCount('scales', scales, N * blocks)
  if (zeros !== null) {
    requireDType(OP, 'zero_points', zeros, ['u8', a.dtype])
    requireCount('zero_points', zeros, zeros.dtype === 'u8' ? N * Math.ceil((blocks * bits) / 8) : N * blocks)
  }
  if (bias !== null) {
    requireSameDType(OP, 'bias', bias, a)
    requireVector(OP, 'bias', bias, N)
  }
  return {
    rows: sizeOf(a.shape.slice(0, -1)),
    columns: N,
    depth: K,
    bits: bits === 8 ? 8 : 4,
    block: blockSize,
    blocks,
    zeros: zeros === null ? 'middle' : zeros.dtype === 'u8' ? 'packed' : 'float',
    shape: [...a.shape.slice(0, -1), N],
  }
}

/** Exporters write these as vectors and as matrices: only the count says anything. */
function requireCount(name: string, { shape }: TensorType, count: number): void {
  if (sizeOf(shape) !== count)
    throw new ShapeError(`Input ${name} ${formatShape(shape)} has not ${count} values`, { op: OP, shape })
}

/** [..., N] in the dtype of A. */
export function infer({ inputs, attributes: given }: InferContext<NBitsAttributes>): TensorType[] {
  const { shape } = nbitsSizes(inputs, given)
  const a = requireInput(OP, inputs, 0, 'A')
  const output: TensorType = { dtype: a.dtype, shape }
  requireIndexable(OP, a, inputs[1], output)
  return [output]
}
