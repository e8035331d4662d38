/**
 * Run-length compression of activations on the way to and from DRAM, as the Eyeriss chip does it (Chen, Krishna, Emer, Sze, IEEE
 * JSSC 52(1), 2017, section IV-B). Think of it as shorthand for silence: a run of up to 31 zeros (5 bits) and the value after
 * it (16 bits) make a pair, three pairs and a bit that marks the last word fill 64 bits:
 *
 *     63        58              42        37              21        16               0
 *     | run 5 b | value 16 b    | run 5 b | value 16 b    | run 5 b | value 16 b  | end 1 b |
 *
 * A run that is longer goes on in the next pair: 31 zeros, and a zero as value. How many values there are is the layer's shape,
 * known to both sides, so what is left of the last word says nothing.
 */
import { OptionError } from '../errors.ts'
import type { Hardware, HardwareSparsity } from '../schedule/hardware.ts'
import type { Operand } from '../schedule/problem.ts'

const RUN_BITS = 5
export const VALUE_BITS = 16
export const PAIRS = 3
const WORD_BITS = PAIRS * (RUN_BITS + VALUE_BITS) + 1

const LONGEST_RUN = 2 ** RUN_BITS - 1
const PAIR_BITS = BigInt(RUN_BITS + VALUE_BITS)
const VALUE_MASK = (1n << BigInt(VALUE_BITS)) - 1n
const RUN_MASK = (1n << BigInt(RUN_BITS)) - 1n

/** How many pairs the values take. */
export function runLengthPairs(values: ArrayLike<number>): number {
  let pairs = 0
  let run = 0
  for (let at = 0; at < values.length; at++) {
    if (values[at] === 0 && run < LONGEST_RUN) run++
    else {
      pairs++
      run = 0
    }
  }
  return run > 0 ? pairs + 1 : pairs
}

/** Bits of the compressed values, whole words of 64. */
export function runLengthBits(values: ArrayLike<number>): number {
  return WORD_BITS * Math.ceil(runLengthPairs(values) / PAIRS)
}

/**
 * Values of 16 bits as 64-bit words.
 * @throws OptionError for a value that 16 bits do not hold
 */
export function runLengthEncode(values: ArrayLike<number>): BigUint64Array {
  const words = new BigUint64Array(Math.ceil(runLengthPairs(values) / PAIRS))
  let pairs = 0
  const put = (run: number, value: number): void => {
    const shift = 1n + PAIR_BITS * BigInt(PAIRS - 1 - (pairs % PAIRS))
    const pair = (BigInt(run) << BigInt(VALUE_BITS)) | (BigInt(value) & VALUE_MASK)
    const word = Math.floor(pairs / PAIRS)
    words[word] = (words[word] ?? 0n) | (pair << shift)
    pairs++
  }
  let run = 0
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0
    if (!Number.isInteger(value) || value < -(2 ** (VALUE_BITS - 1)) || value >= 2 ** VALUE_BITS) {
      throw new OptionError(`The value ${value} at ${at} is not of ${VALUE_BITS} bits`, { remedy: 'Quantise the values first' })
    }
    if (value === 0 && run < LONGEST_RUN) run++
    else {
      put(run, value)
      run = 0
    }
  }
  if (run > 0) put(run - 1, 0)
  if (words.length > 0) words[words.length - 1] = (words[words.length - 1] ?? 0n) | 1n
  return words
}

/**
 * The values again, as signed 16-bit integers.
 * @param length how many there are
 * @throws OptionError where the words hold fewer, or end before or after the word that says it is the last
 */
export function runLengthDecode(words: BigUint64Array, length: number): Int16Array {
  const values = new Int16Array(length)
  let at = 0
  for (const [index, word] of words.entries()) {
    const isLast = (word & 1n) === 1n
    if (isLast !== (index === words.length - 1)) {
      throw new OptionError(
        `Word ${index} of ${words.length} ${isLast ? 'says it is the last' : 'is the last and does not say so'}`,
      )
    }
    for (let slot = PAIRS - 1; slot >= 0 && at < length; slot--) {
      const pair = word >> (1n + PAIR_BITS * BigInt(slot))
      at += Number((pair >> BigInt(VALUE_BITS)) & RUN_MASK)
      if (at < length) values[at++] = Number(BigInt.asIntN(VALUE_BITS, pair & VALUE_MASK))
    }
  }
  if (at < length) throw new OptionError(`The words hold ${at} values of ${length}`)
  return values
}

/**
 * Compressed over plain size to expect of values that are zero at random: a pair takes in Σ zᵏ, k = 0…31, values on average and
 * 64/3 bits of 16 a value; 4/3 where nothing is zero (it grows), 1/24 where all is.
 * @throws OptionError for a fraction that is not from 0 to 1
 */
export function runLengthRatio(zeroFraction: number): number {
  if (!(zeroFraction >= 0 && zeroFraction <= 1)) {
    throw new OptionError(`${zeroFraction} of the values are zero`, { limit: 'a fraction from 0 to 1' })
  }
  let taken = 0
  for (let k = LONGEST_RUN; k >= 0; k--) taken = 1 + (k === LONGEST_RUN ? 0 : taken * zeroFraction)
  return WORD_BITS / PAIRS / (VALUE_BITS * taken)
}

/**
 * The hardware with operands stored run-length compressed at its outermost level, from the part of them that is zero: energy and
 * bandwidth there shrink, counts do not.
 * @param zeros part of each operand that is zero; operands not named stay plain
 */
export function withRunLength(hardware: Hardware, zeros: Partial<Readonly<Record<Operand, number>>>): Hardware {
  const [outermost, ...others] = hardware.levels
  if (outermost === undefined) throw new OptionError(`${hardware.name} has no level`)
  const ratios = Object.fromEntries(Object.entries(zeros).map(([operand, fraction]) => [operand, runLengthRatio(fraction)]))
  return { ...hardware, levels: [{ ...outermost, compression: { ...outermost.compression, ...ratios } }, ...others] }
}

/**
 * The same as rules about zeros: what densities then leave is told beside the dense figures, and what MACs meet straight from there is
 * passed over where it is zero.
 * @param operands what is stored so; `ratio`: compressed over plain size, where it was measured (default: zeros at random)
 */
export function runLengthRules(
  { name, levels: [outermost] }: Hardware,
  operands: Partial<Readonly<Record<Operand, { readonly ratio?: number }>>>,
): HardwareSparsity {
  if (outermost === undefined) throw new OptionError(`${name} has no level`)
  const coded = Object.entries(operands).map(([operand, { ratio }]) => {
    // Pairs over values; the last word of a short tensor may be emptier than that.
    const stored = ratio === undefined ? {} : { stored: Math.min(1, (ratio * VALUE_BITS * PAIRS) / WORD_BITS) }
    return [operand, { format: 'rle', run_bits: RUN_BITS, pack_bits: WORD_BITS, ...stored }] as const
  })
  return { levels: { [outermost.name]: Object.fromEntries(coded) } }
}
