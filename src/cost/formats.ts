/**
 * What a compressed format makes of a tile: how many of its values are stored, and how many bits beside them say where they were.
 * Think of a coat check: only coats are hung up, but each needs a ticket.
 *
 * | format | stored of each value (density d, z = 1 − d) | bits beside |
 * |---|---|---|
 * | `bitmask` | d | 1 a place |
 * | `rle` | 1 / Σ zᵏ, k = 0…2^run_bits − 1: a run that is longer stores a zero | run_bits a stored value, and what packing leaves over |
 * | `coordinate` | d | ⌈log2 words of the tile⌉ a stored value |
 * | `csr` | d | ⌈log2 length of a line⌉ a stored value, and a pointer for each line and one more |
 * | `csc` | d | the same, lines and their length exchanged |
 * | `2:4` | 1/2, zero or not | 2 a stored value: its place in the group of four |
 *
 * Lines of `csr`: a filter of weights, an image row of inputs and outputs (lengths: the filter's values, the columns); of `csc`: a
 * filter tap of a channel of weights, a pixel of inputs and outputs (lengths: the filters; the channels). The names and what each
 * stores are those of Sparseloop (MICRO 2022, section 3.1: B, RLE, CP, UOP-CP); relative indices of EIE (Han et al., ISCA
 * 2016) are `rle` of 4 bits, whose pointers it adds. Runs of 5 bits in packs of 64 are Eyeriss' (`compression.ts`).
 */
import { OptionError } from '../errors.ts'
import type { OperandSparsity } from '../schedule/hardware.ts'
import type { Dimension, Operand } from '../schedule/problem.ts'

/** What becomes of one value, on average. */
export interface Stored {
  /** Values stored. */
  readonly values: number
  /** Bits beside them. */
  readonly metadata: number
}

export interface FormatContext {
  readonly operand: Operand
  readonly density: number
  /** Bits of a value; NaN where the hardware does not say. */
  readonly valueBits: number
  /** Words of the tile, its length along each dimension, and input columns. */
  readonly words: number
  readonly lengths: Readonly<Record<Dimension, number>>
  readonly columns: number
}

const PLAIN: Stored = { values: 1, metadata: 0 }

/** @throws OptionError where the packing has no room for a pair, or the width of a value is not known */
export function storedBy(sparsity: OperandSparsity | undefined, context: FormatContext): Stored {
  const { density, words } = context
  switch (sparsity?.format) {
    case undefined:
      return PLAIN
    case 'bitmask':
      return { values: density, metadata: 1 }
    case 'rle':
      return runs(sparsity, context)
    case 'coordinate':
      return { values: density, metadata: density * (sparsity.index_bits ?? bitsFor(words)) }
    case '2:4':
      return { values: 0.5, metadata: 1 }
    case 'csr':
    case 'csc': {
      const length = lineLength(sparsity.format, context)
      const pointers = (words / length + 1) * bitsFor(words + 1)
      return { values: density, metadata: density * (sparsity.index_bits ?? bitsFor(length)) + pointers / words }
    }
  }
}

/**
 * Runs of zeros and the values after them.
 * @throws OptionError where the packing has no room for a pair
 */
export function runs(
  { run_bits: bits = 5, pack_bits: pack, stored }: OperandSparsity,
  { density, valueBits }: Pick<FormatContext, 'density' | 'valueBits'>,
): Stored {
  const zero = 1 - density
  // Σ zᵏ, k = 0…2^bits − 1.
  const taken = density === 0 ? 2 ** bits : (1 - zero ** (2 ** bits)) / density
  const values = stored ?? 1 / taken
  if (pack === undefined) return { values, metadata: values * bits }
  const pairs = Math.floor((pack - 1) / (bits + valueBits))
  if (!(pairs >= 1)) {
    throw new OptionError(`${pack} bits hold no pair of a run of ${bits} bits and a value of ${valueBits}`, {
      remedy: 'Give larger pack_bits, and "word_bits" to the hardware',
    })
  }
  return { values, metadata: values * (pack / pairs - valueBits) }
}

function lineLength(format: 'csr' | 'csc', { operand, lengths, columns }: FormatContext): number {
  const { M, C, R, S, Q } = lengths
  if (operand === 'weights') return format === 'csr' ? C * R * S : M
  if (operand === 'inputs') return format === 'csr' ? columns : C
  return format === 'csr' ? Q : M
}

/** Bits that tell `count` things apart. */
function bitsFor(count: number): number {
  return Math.max(1, Math.ceil(Math.log2(count)))
}
