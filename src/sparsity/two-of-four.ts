/**
 * 2:4 structured sparsity: of every four neighbours along the depth two are kept (NVIDIA, "Accelerating Inference with Sparsity Using
 * the NVIDIA Ampere Architecture", 2021; Mishra et al., arXiv:2104.08378). Think of a group as a row of four seats of which two are
 * taken: the values that sit, and for each the number of its seat.
 *
 *     dense    | a . . b | . c d . | e f . . |  ...            [lines, depth], a line is an output of the layer
 *     values   | a b     | c d     | e f     |  ...            [lines, 16 · words]
 *     seats    | 0 3     | 1 2     | 0 1     |  ...            a nibble a group: first | second << 2, first < second
 *     words    | nibbles of 8 groups, the first lowest |  ...  [⌈lines / share⌉, words] of u32
 *
 * A line is padded to whole words, 32 of depth: value 0, seats 0 and 1. With `share`, so many neighbouring lines have the same seats.
 */
import { DtypeError, OptionError, ShapeError } from '../errors.ts'
import { allocate, type HostArrays } from '../tensor/dtype.ts'
import { formatShape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { bytesOfTensors } from './entries.ts'

/** Neighbours along the depth of which KEPT stay. */
export const GROUP = 4
export const KEPT = 2
/** Groups whose seats one word holds, and what that is of depth and of values. */
export const WORD_GROUPS = 8
export const WORD_DEPTH = GROUP * WORD_GROUPS
export const WORD_VALUES = KEPT * WORD_GROUPS
/** The nibble of a group of padding: seats 0 and 1. */
export const PADDING = 0b0100

const PLAIN = [32, 16, 8] as const
export const VALUE_BITS = [...PLAIN, 4] as const
export type ValueBits = (typeof VALUE_BITS)[number]

/** A matrix [lines, depth] that holds the pattern, packed. */
export interface TwoOfFour {
  readonly lines: number
  readonly depth: number
  /** Of a value: 32 is f32, 16 f16, 8 i8, 4 signed nibbles in bytes, the lower first. */
  readonly bits: ValueBits
  /** [lines, 16 · words]; of 4 bits u8 [lines, 8 · words], a byte for each group. */
  readonly values: HostTensor<'f32' | 'f16' | 'i8' | 'u8'>
  /** [⌈lines / share⌉, words]. */
  readonly positions: HostTensor<'u32'>
  /** Lines that share their positions: 1, or a multiple of 4. */
  readonly share: number
  /** Of integers: [lines, ⌈depth / block⌉], a value is scale · integer. Absent: 1. */
  readonly scales?: HostTensor<'f32'>
  /** Of depth under one scale: a multiple of 32, or the whole depth. */
  readonly block?: number
}

/** Words of positions of a line. */
export function wordsOf(depth: number): number {
  return Math.ceil(depth / WORD_DEPTH)
}

/** Bytes of values, positions and scales as they lie in memory, padding and all. */
export function twoOfFourBytes({ values, positions, scales }: TwoOfFour): number {
  return bytesOfTensors(values, positions, scales)
}

/** @throws OptionError unless `share` is 1 or a multiple of 4 */
export function checkShare(share: number): void {
  if (share === 1 || (Number.isInteger(share) && share > 0 && share % GROUP === 0)) return
  throw new OptionError(`${share} lines cannot share positions`, { remedy: 'Use 1, or a multiple of 4' })
}

interface Matrix {
  readonly lines: number
  readonly depth: number
  readonly values: HostArrays['f32' | 'f16' | 'i8']
}

function matrixOf(matrix: HostTensor): Matrix {
  const [lines, depth] = matrix.shape
  if (lines === undefined || depth === undefined || matrix.shape.length !== 2) {
    throw new ShapeError(`2:4 is a pattern of matrices [lines, depth], not of ${formatShape(matrix.shape)}`, {
      shape: matrix.shape,
    })
  }
  if (isFloatOrByte(matrix)) return { lines, depth, values: matrix.values }
  throw new DtypeError(`2:4 holds f32, f16 and i8 values, not ${matrix.dtype}`, { dtype: matrix.dtype })
}

function isFloatOrByte(tensor: HostTensor): tensor is HostTensor<'f32' | 'f16' | 'i8'> {
  return tensor.dtype === 'f32' || tensor.dtype === 'f16' || tensor.dtype === 'i8'
}

/**
 * The seats of a group, a nibble: those taken in one of the lines, filled up by the first that are free. More than two taken: undefined.
 * NaN takes a seat, -0 does not.
 */
function seatsOf({ depth, values }: Matrix, first: number, last: number, group: number): number | undefined {
  let taken = 0
  for (let line = first; line < last; line++) {
    for (let seat = 0; seat < GROUP; seat++) {
      const k = GROUP * group + seat
      if (k < depth && values[line * depth + k] !== 0) taken |= 1 << seat
    }
  }
  return SEATS[taken]
}

/** By the set of seats that are taken (bit i: seat i): first | second << 2. Absent for three and four. */
const SEATS: readonly (number | undefined)[] = Array.from({ length: 1 << GROUP }, (_, taken) => {
  const all = [0, 1, 2, 3]
  const own = all.filter((seat) => (taken & (1 << seat)) !== 0)
  if (own.length > KEPT) return undefined
  const [first = 0, second = 0] = [...own, ...all.filter((seat) => !own.includes(seat))].slice(0, KEPT).toSorted((a, b) => a - b)
  return first | (second << 2)
})

/**
 * Whether a matrix [lines, depth] holds the pattern.
 * @param share lines that must have their non-zeros at the same positions
 * @throws ShapeError naming row and group of the first group with more than two; DtypeError; OptionError for `share`
 */
export function checkTwoOfFour(matrix: HostTensor, share = 1): void {
  const fault = firstFault(matrix, share)
  if (fault === undefined) return
  const { row, group, count } = fault
  const where = share === 1 ? `Row ${row}` : `Rows ${row} to ${Math.min(row + share, matrix.shape[0] ?? 0) - 1}`
  throw new ShapeError(
    `${where}, group ${group} (k ${GROUP * group} to ${GROUP * group + 3}): ${count} non-zeros, at most 2 fit 2:4`,
    {
      row,
      group,
      shape: matrix.shape,
      remedy: 'Prune the matrix first: tilewright prune MODEL.onnx --pattern 2:4 -o OUT.onnx',
    },
  )
}

/** Whether a matrix [lines, depth] holds the pattern. @throws ShapeError, DtypeError for what is no matrix of values */
export function holdsTwoOfFour(matrix: HostTensor, share = 1): boolean {
  return firstFault(matrix, share) === undefined
}

function firstFault(given: HostTensor, share: number): { row: number; group: number; count: number } | undefined {
  checkShare(share)
  const matrix = matrixOf(given)
  const { lines, depth, values } = matrix
  for (let row = 0; row < lines; row += share) {
    const last = Math.min(row + share, lines)
    for (let group = 0; group * GROUP < depth; group++) {
      if (seatsOf(matrix, row, last, group) !== undefined) continue
      let count = 0
      for (let k = GROUP * group; k < Math.min(depth, GROUP * (group + 1)); k++) {
        for (let line = row; line < last; line++) {
          if (values[line * depth + k] === 0) continue
          count++
          break
        }
      }
      return { row, group, count }
    }
  }
  return undefined
}

/**
 * Packs a matrix [lines, depth] of f32, f16 or i8 that holds the pattern; no value is changed.
 * @throws ShapeError naming row and group where it does not hold; DtypeError; OptionError for `share`
 */
export function packTwoOfFour(given: HostTensor, { share = 1 }: { readonly share?: number } = {}): TwoOfFour {
  checkTwoOfFour(given, share)
  const matrix = matrixOf(given)
  const { lines, depth, values } = matrix
  const words = wordsOf(depth)
  const positions = new Uint32Array(Math.ceil(lines / share) * words)
  const dtype = given.dtype === 'f16' ? 'f16' : given.dtype === 'i8' ? 'i8' : 'f32'
  const kept = allocate(dtype, lines * words * WORD_VALUES)
  for (let row = 0; row < lines; row += share) {
    const last = Math.min(row + share, lines)
    for (let group = 0; group < words * WORD_GROUPS; group++) {
      const seats = seatsOf(matrix, row, last, group) ?? 0
      const word = (row / share) * words + Math.floor(group / WORD_GROUPS)
      positions[word] = (positions[word] ?? 0) | (seats << (4 * (group % WORD_GROUPS)))
      for (let line = row; line < last; line++) {
        for (let slot = 0; slot < KEPT; slot++) {
          const k = GROUP * group + ((seats >> (2 * slot)) & 3)
          if (k < depth) kept[line * words * WORD_VALUES + KEPT * group + slot] = values[line * depth + k] ?? 0
        }
      }
    }
  }
  const shape = [lines, words * WORD_VALUES]
  return {
    lines,
    depth,
    bits: dtype === 'f16' ? 16 : dtype === 'i8' ? 8 : 32,
    values: new HostTensor(dtype, shape, kept),
    positions: new HostTensor('u32', [Math.ceil(lines / share), words], positions),
    share,
  }
}

/** The first group of positions [rows, words] whose two are not in rising order. Undefined: all are. */
export function unorderedGroup(
  positions: HostTensor<'u32'>,
): { row: number; group: number; first: number; second: number } | undefined {
  const words = positions.shape[1] ?? 1
  for (let at = 0; at < positions.values.length; at++) {
    const word = positions.values[at] ?? 0
    for (let nibble = 0; nibble < WORD_GROUPS; nibble++) {
      const first = (word >>> (4 * nibble)) & 3
      const second = (word >>> (4 * nibble + 2)) & 3
      if (first >= second) return { row: Math.floor(at / words), group: (at % words) * WORD_GROUPS + nibble, first, second }
    }
  }
  return undefined
}

/**
 * Calls back with every kept value of the depth, padding left out: its line, its k, and the value, scaled. Positions are taken as they
 * are: who loads a file checks them.
 */
export function eachKept(packed: TwoOfFour, callback: (line: number, k: number, value: number) => void): void {
  const { lines, depth, bits, values, positions, share, scales, block = depth } = packed
  const words = wordsOf(depth)
  const blocks = Math.ceil(depth / Math.max(1, block))
  for (let line = 0; line < lines; line++) {
    for (let group = 0; group * GROUP < depth; group++) {
      const word = positions.values[Math.floor(line / share) * words + Math.floor(group / WORD_GROUPS)] ?? 0
      const seats = (word >>> (4 * (group % WORD_GROUPS))) & 15
      for (let slot = 0; slot < KEPT; slot++) {
        const k = GROUP * group + ((seats >> (2 * slot)) & 3)
        if (k >= depth) continue
        const stored = bits === 4 ? nibble(values.values, line * words * WORD_GROUPS + group, slot) : undefined
        const value = stored ?? values.values[line * words * WORD_VALUES + KEPT * group + slot] ?? 0
        callback(line, k, value * (scales?.values[line * blocks + Math.floor(k / block)] ?? 1))
      }
    }
  }
}

/** A signed nibble of a byte: slot 0 the lower. */
function nibble(bytes: ArrayLike<number>, at: number, slot: number): number {
  return ((((bytes[at] ?? 0) >> (4 * slot)) & 15) << 28) >> 28
}

/** The matrix [lines, depth] again: in the dtype of the values; of scaled or 4-bit integers f32. */
export function unpackTwoOfFour(packed: TwoOfFour): HostTensor<'f32' | 'f16' | 'i8'> {
  const { lines, depth, bits, scales } = packed
  const dtype = bits === 16 ? 'f16' : bits === 8 && scales === undefined ? 'i8' : 'f32'
  const dense = allocate(dtype, lines * depth)
  eachKept(packed, (line, k, value) => {
    dense[line * depth + k] = value
  })
  return new HostTensor(dtype, [lines, depth], dense)
}

/** Integers of 8 and of 4 bits reach from -LARGEST to LARGEST. */
const LARGEST = { 8: 127, 4: 7 } as const

/**
 * Rounds float values to integers of 8 or 4 bits with a scale for each line and block of depth: |w − scale · q| ≤ scale / 2.
 * @param options `block`: of depth under one scale, a multiple of 32; default the whole depth
 * @throws OptionError for values that are integers already, are not finite, and for `block`
 */
export function quantiseTwoOfFour(packed: TwoOfFour, options: { readonly bits: 8 | 4; readonly block?: number }): TwoOfFour {
  const { lines, depth, positions, share } = packed
  const { bits, block = WORD_DEPTH * Math.max(1, wordsOf(depth)) } = options
  if (bits !== 8 && bits !== 4) {
    throw new OptionError(`There are no values of ${String(bits)} bits`, { remedy: 'Use 8 or 4' })
  }
  if (packed.bits !== 32 && packed.bits !== 16) {
    throw new OptionError(`The values are integers of ${packed.bits} bits already`, { remedy: 'Quantise f32 or f16 values' })
  }
  if (!Number.isInteger(block) || block <= 0 || block % WORD_DEPTH !== 0) {
    throw new OptionError(`A block of ${block} is not supported`, { remedy: 'Use a multiple of 32, or none: the whole depth' })
  }
  const words = wordsOf(depth)
  const blocks = Math.ceil(depth / block)
  const scales = new Float32Array(lines * blocks)
  const floats = packed.values.values
  const blockValues = (block / WORD_DEPTH) * WORD_VALUES
  const row = words * WORD_VALUES
  for (let at = 0; at < floats.length; at++) {
    const value = Math.abs(floats[at] ?? 0)
    if (!Number.isFinite(value)) throw new OptionError(`Value ${at % row} of row ${Math.floor(at / row)} is not finite`, {})
    const scale = Math.floor(at / row) * blocks + Math.floor((at % row) / blockValues)
    scales[scale] = Math.max(scales[scale] ?? 0, value / LARGEST[bits])
  }
  for (let at = 0; at < scales.length; at++) if (scales[at] === 0) scales[at] = 1
  const integers = Int8Array.from(floats, (value, at) => {
    const scale = scales[Math.floor(at / row) * blocks + Math.floor((at % row) / blockValues)] ?? 1
    return Math.max(-LARGEST[bits], Math.min(LARGEST[bits], Math.round(value / scale)))
  })
  const values =
    bits === 8 ? new HostTensor('i8', [lines, row], integers) : new HostTensor('u8', [lines, row / 2], nibbles(integers))
  return { lines, depth, bits, values, positions, share, scales: new HostTensor('f32', [lines, blocks], scales), block }
}

function nibbles(integers: Int8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: integers.length / 2 }, (_, at) => {
    return ((integers[2 * at] ?? 0) & 15) | (((integers[2 * at + 1] ?? 0) & 15) << 4)
  })
}
