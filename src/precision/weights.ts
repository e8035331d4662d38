/**
 * Weights in 4 or 8 bits, in blocks along the depth that share a scale (and a zero point): the form that `matmulNBits` multiplies
 * by and that com.microsoft MatMulNBits defines. A weight is scale · (q − zero point), q unsigned.
 *
 *     row n of W [N, K]        | block 0         | block 1         | ... ceil(K / block) blocks
 *     packed [N, blocks, ·]    | block·bits/8 bytes each; 4 bits: byte i holds q[2i] in its low half, q[2i+1] in its high half
 *     scales [N · blocks]      | one per block
 *     zeroPoints               | one per block, packed as the weights are; each row starts at a byte
 *
 * Depths that no block boundary ends at are padded with the zero point, which stands for 0.
 */
import { OptionError, ShapeError } from '../errors.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { allocate, type HostArrays } from '../tensor/dtype.ts'
import { finiteNumbers } from './int8.ts'
import { roundHalfEven, saturate } from './integers.ts'

export type WeightBits = 4 | 8

export interface WeightOptions {
  /** Default 4. */
  readonly bits?: WeightBits
  /** Weights along the depth that share a scale: a power of two from 16 up. Default 32. */
  readonly blockSize?: number
  /** No zero points: the middle of the range stands for 0. Default true. */
  readonly symmetric?: boolean
}

/** What `ops.matmulNBits` takes in place of its packed weights, scales, zero points, bits and blockSize. */
export interface PackedWeights {
  /** [N, blocks, blockSize · bits / 8]. */
  readonly packed: HostTensor<'u8'>
  /** [N · blocks], in the dtype of the weights. */
  readonly scales: HostTensor<'f32'> | HostTensor<'f16'>
  /** [N · ceil(blocks · bits / 8)]; absent where symmetric. */
  readonly zeroPoints?: HostTensor<'u8'>
  readonly bits: WeightBits
  readonly blockSize: number
}

/** @throws OptionError unless `bits` is 4 or 8 and `block` a power of two from 16 up */
export function checkBlocks(op: string, bits: number, block: number): void {
  if (bits !== 4 && bits !== 8) throw new OptionError(`Weights of ${bits} bits are not supported`, { op, remedy: 'Use 4 or 8' })
  if (Number.isInteger(block) && block >= 16 && block <= 2 ** 16 && Number.isInteger(Math.log2(block))) return
  throw new OptionError(`A block of ${block} weights is not supported`, { op, remedy: 'Use a power of two from 16 up' })
}

/** A scale rounded to the dtype it is stored in, up so that the range still holds every weight. */
function storedScale(scale: number, into: HostArrays['f32'] | HostArrays['f16'], at: number): number {
  into[at] = scale === 0 ? 1 : scale
  const stored = into[at] ?? 1
  if (stored > 0) return stored
  // Too small for the dtype: the weights of the block are then nearer to 0 than its step.
  into[at] = 2 ** (into instanceof Float32Array ? -126 : -24)
  return into[at] ?? 1
}

/**
 * Quantises weights W [N, K] (f32 or f16) block by block along K.
 * |w − scale·(q − zero point)| ≤ scale/2 asymmetric; symmetric, the largest magnitude takes the end of the range that is one
 * step longer, so that a value at the other end may be off by a whole scale.
 * @throws ShapeError unless W has rank 2; DtypeError for other dtypes, NaN, infinities; OptionError for bits and blockSize
 */
export function quantizeWeights(weights: HostTensor, options: WeightOptions = {}): PackedWeights {
  const { bits = 4, blockSize: block = 32, symmetric = true } = options
  checkBlocks('quantizeWeights', bits, block)
  const [rows, depth] = weights.shape
  if (rows === undefined || depth === undefined || weights.shape.length !== 2) {
    throw new ShapeError('Weights to be packed are a matrix [N, K]', { shape: weights.shape })
  }
  const values = finiteNumbers(weights)
  const blocks = Math.ceil(depth / block)
  const most = 2 ** bits - 1
  const middle = 2 ** (bits - 1)
  const packed = new Uint8Array((rows * blocks * block * bits) / 8)
  const float = weights.dtype === 'f16' ? allocate('f16', rows * blocks) : allocate('f32', rows * blocks)
  const zeroRow = Math.ceil((blocks * bits) / 8)
  const zeros = new Uint8Array(rows * zeroRow)
  const put = (bytes: Uint8Array, start: number, index: number, value: number): void => {
    const byte = start + Math.floor((index * bits) / 8)
    bytes[byte] = (bytes[byte] ?? 0) | (value << ((index * bits) % 8))
  }
  for (let row = 0; row < rows; row++) {
    for (let each = 0; each < blocks; each++) {
      const first = row * depth + each * block
      const count = Math.min(block, depth - each * block)
      let low = 0
      let high = 0
      for (let i = 0; i < count; i++) {
        low = Math.min(low, values[first + i] ?? 0)
        high = Math.max(high, values[first + i] ?? 0)
      }
      // Symmetric: the value of largest magnitude becomes q = 0, `middle` steps from zero, so the scale may be negative.
      const largest = -low > high ? low : high
      const wanted = symmetric ? Math.abs(largest) / middle : (high - low) / most
      const size = storedScale(wanted, float, row * blocks + each)
      const scale = symmetric && largest > 0 ? -size : size
      float[row * blocks + each] = scale
      const zero = symmetric ? middle : saturate(roundHalfEven(-low / scale), [0, most])
      if (!symmetric) put(zeros, row * zeroRow, each, zero)
      const start = ((row * blocks + each) * block * bits) / 8
      for (let i = 0; i < block; i++) {
        const value = i < count ? (values[first + i] ?? 0) / scale : 0
        put(packed, start, i, saturate(roundHalfEven(value) + zero, [0, most], zero))
      }
    }
  }
  return {
    packed: new HostTensor('u8', [rows, blocks, (block * bits) / 8], packed),
    scales:
      float instanceof Float32Array ? new HostTensor('f32', [rows * blocks], float) : new HostTensor('f16', [rows * blocks], float),
    ...(symmetric ? {} : { zeroPoints: new HostTensor('u8', [zeros.length], zeros) }),
    bits,
    blockSize: block,
  }
}
