/**
 * The layout of PyTorch's semi-structured tensors (torch.sparse.SparseSemiStructuredTensorCUTLASS), read and written. It is nearly ours:
 * two values of every four, and a nibble a group, first position | second << 2, the first group lowest. Words are shorter:
 *
 *     dtype       values       metadata [M, ·]       a word holds     depth a multiple of
 *     f16, bf16   [M, K/2]     int16                 4 groups         16
 *     i8          [M, K/2]     int32                 8 groups         32
 *     f32         [M, K/2]     int16                 4 pairs          8
 *
 * f32 is 1:2, one of every two neighbours, written as if each f32 were two halves: the nibble is 0b0100 where the first is kept, 0b1110 where
 * the second is. Two pairs make one of our groups; the way back asks for one value in each half of a group.
 *
 * Metadata are in *plain order*, word by word along a line, or in the order that CUTLASS's tensor core kernels read (reorder_meta() of
 * tools/util/include/cutlass/util/host_reorder.h, then ColumnMajorInterleaved<2>), which is how PyTorch itself keeps them. Nothing in the
 * words tells the two apart: the caller says which.
 */
import { DtypeError, FileFormatError, OptionError, ShapeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { formatShape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { GROUP, KEPT, PADDING, wordsOf, WORD_GROUPS, WORD_VALUES, type TwoOfFour } from './two-of-four.ts'

export type SemiStructuredDtype = 'f32' | 'f16' | 'bf16' | 'i8'
/** `plain`: a line's words one after another; `cutlass`: as PyTorch keeps them. */
export type MetaOrder = 'plain' | 'cutlass'

export interface SemiStructured {
  readonly dtype: SemiStructuredDtype
  /** [M, K/2]; those of bf16 as f32, which holds them all. */
  readonly values: HostTensor
  readonly meta: {
    /** Of a word: 32 for i8, else 16. */
    readonly bits: 16 | 32
    readonly shape: readonly number[]
    /** Row-major, signed or not. */
    readonly words: ArrayLike<number>
  }
}

/** The nibble of a pair whose first, or second, is kept. */
const FIRST_OF_TWO = 0b0100
const SECOND_OF_TWO = 0b1110

const HELD = { f32: 'f32', f16: 'f16', bf16: 'f32', i8: 'i8' } as const
const BITS = { f32: 32, f16: 16, bf16: 32, i8: 8 } as const

const wordBits = (dtype: SemiStructuredDtype): 16 | 32 => (dtype === 'i8' ? 32 : 16)
/** Depth that one word of metadata covers. */
const wordDepth = (dtype: SemiStructuredDtype): number => (wordBits(dtype) / 4) * (dtype === 'f32' ? 2 : GROUP)

/**
 * Where CUTLASS keeps word `column` of line `row`, of `lines`: lines are dealt out like cards, so that the 8 lanes of a quarter warp find
 * theirs side by side; blocks of 2 × 2 are transposed; columns lie in pairs.
 */
function reordered(row: number, column: number, lines: number, bits: 16 | 32): number {
  const hands = bits === 16 ? 4 : 2
  const deck = 8 * hands
  const dealt = row - (row % deck) + (row % 8) * hands + Math.floor((row % deck) / 8)
  const [r, c] = [(dealt & ~1) | (column & 1), (column & ~1) | (dealt & 1)]
  return (c >> 1) * 2 * lines + 2 * r + (c & 1)
}

/** @throws OptionError where CUTLASS's order is not defined */
function placesOf(order: MetaOrder, lines: number, columns: number, bits: 16 | 32): (row: number, column: number) => number {
  if (order === 'plain') return (row, column) => row * columns + column
  const deck = bits === 16 ? 32 : 16
  if (lines % deck !== 0 || columns % 2 !== 0) {
    throw new OptionError(`Metadata of ${lines} × ${columns} words of ${bits} bits have no order of CUTLASS`, {
      remedy: `It is defined for multiples of ${deck} lines and of 2 words; read them in plain order`,
    })
  }
  return (row, column) => reordered(row, column, lines, bits)
}

/**
 * PyTorch's layout as ours; values keep their dtype (bf16: f32).
 * @param options `order` of the metadata, default plain
 * @throws FileFormatError naming row and group whose positions are out of order, of f32 no half of a pair
 * @throws ShapeError where shapes do not fit each other; DtypeError for values or metadata of another dtype; OptionError for `order`,
 * and for a part that is not there
 */
export function fromSemiStructured(given: SemiStructured, options: { readonly order?: MetaOrder } = {}): TwoOfFour {
  requireParts(given)
  const { dtype, values, meta } = given
  const [lines, half] = values.shape
  if (lines === undefined || half === undefined || values.shape.length !== 2) {
    throw new ShapeError(`Semi-structured values are a matrix [M, K/2], not ${formatShape(values.shape)}`, { shape: values.shape })
  }
  if (values.dtype !== HELD[dtype] || meta.bits !== wordBits(dtype)) {
    throw new DtypeError(`Semi-structured ${dtype} has ${HELD[dtype]} values and words of ${wordBits(dtype)} bits`, {
      dtype: values.dtype,
      words: meta.bits,
    })
  }
  const depth = 2 * half
  const columns = depth / wordDepth(dtype)
  if (meta.shape.length !== 2 || meta.shape[0] !== lines || meta.shape[1] !== columns || meta.words.length !== lines * columns) {
    throw new ShapeError(`Metadata ${formatShape(meta.shape)} do not fit values ${formatShape(values.shape)} of ${dtype}`, {
      shape: meta.shape,
      remedy: `A word is for ${wordDepth(dtype)} of depth`,
    })
  }
  const nibbles = meta.bits / 4
  const place = placesOf(options.order ?? 'plain', lines, columns, meta.bits)
  /** Nibble `at` of a line. */
  const nibble = (line: number, at: number): number =>
    ((meta.words[place(line, Math.floor(at / nibbles))] ?? 0) >>> (4 * (at % nibbles))) & 15
  const words = wordsOf(depth)
  const positions = new Uint32Array(lines * words)
  for (let line = 0; line < lines; line++) {
    for (let group = 0; group < words * WORD_GROUPS; group++) {
      const seats = group * GROUP >= depth ? PADDING : dtype === 'f32' ? pairSeats(nibble, line, group) : nibble(line, group)
      if ((seats & 3) >= seats >> 2)
        throw unordered(line, group, `positions ${seats & 3} and ${seats >> 2} are not in rising order`)
      const word = line * words + Math.floor(group / WORD_GROUPS)
      positions[word] = (positions[word] ?? 0) | (seats << (4 * (group % WORD_GROUPS)))
    }
  }
  return {
    lines,
    depth,
    bits: BITS[dtype],
    values: padded(values, lines, half, words * WORD_VALUES),
    positions: new HostTensor('u32', [lines, words], positions),
    share: 1,
  }
}

/** Scripts without types may leave a part out. @throws OptionError naming it */
function requireParts(given: Partial<SemiStructured>): void {
  const { dtype, values, meta } = given
  const missing = [
    ...(dtype !== undefined && Object.hasOwn(HELD, dtype) ? [] : [`dtype (one of ${Object.keys(HELD).join(', ')})`]),
    ...(values instanceof HostTensor ? [] : ['values (a tensor [M, K/2])']),
    ...(meta?.words !== undefined && Array.isArray(meta.shape) ? [] : ['meta ({ bits, shape, words })']),
  ]
  if (missing.length === 0) return
  throw new OptionError(`A semi-structured tensor lacks ${missing.join(', ')}`, {
    remedy: 'loadSemiStructured reads all of it from a file; packTwoOfFour packs a matrix',
  })
}

function unordered(row: number, group: number, what: string): FileFormatError {
  return new FileFormatError(`The metadata of a group are damaged: ${what}`, { row, group })
}

/** Seats of a group from the nibbles of its two pairs. */
function pairSeats(nibble: (line: number, at: number) => number, line: number, group: number): number {
  const [low = 0, high = 0] = [0, 1].map((pair) => {
    const found = nibble(line, 2 * group + pair)
    if (found === FIRST_OF_TWO || found === SECOND_OF_TWO) return 2 * pair + (found === SECOND_OF_TWO ? 1 : 0)
    throw unordered(line, group, `${found.toString(2).padStart(4, '0')} is no half of a pair of f32, which are 0100 and 1110`)
  })
  return low | (high << 2)
}

/** Lines of `half` values, each with zeros up to `room`. */
function padded(values: HostTensor, lines: number, half: number, room: number): TwoOfFour['values'] {
  const fill = <A extends { [index: number]: number }>(out: A, from: ArrayLike<number | bigint>): A => {
    for (let line = 0; line < lines; line++) {
      for (let at = 0; at < half; at++) out[line * room + at] = Number(from[line * half + at] ?? 0)
    }
    return out
  }
  const shape = [lines, room]
  switch (values.dtype) {
    case 'f16':
      return new HostTensor('f16', shape, fill(allocate('f16', lines * room), values.values))
    case 'i8':
      return new HostTensor('i8', shape, fill(allocate('i8', lines * room), values.values))
    default:
      return new HostTensor('f32', shape, fill(allocate('f32', lines * room), values.values))
  }
}

/**
 * Ours as PyTorch's layout; lines that share positions have each their own.
 * @param options `dtype`: bf16 for f32 values that it holds exactly (default: of the values); `order` of the metadata, default plain
 * @throws FileFormatError naming row and group: f32 without one value in each half of a group, values that bf16 does not hold
 * @throws ShapeError for a depth that is no whole number of words; DtypeError for 4-bit or scaled integers; OptionError for `order`
 */
export function toSemiStructured(
  packed: TwoOfFour,
  options: { readonly dtype?: SemiStructuredDtype; readonly order?: MetaOrder } = {},
): SemiStructured {
  const { lines, depth, bits, values, positions, share, scales } = packed
  const own = bits === 32 ? 'f32' : bits === 16 ? 'f16' : 'i8'
  const dtype = options.dtype ?? own
  if (bits === 4 || scales !== undefined || HELD[dtype] !== own) {
    const what = bits === 4 ? '4-bit values' : scales === undefined ? `${own} values as ${dtype}` : 'scaled integers'
    throw new DtypeError(`PyTorch's semi-structured layout does not hold ${what}`, {
      dtype,
      remedy: 'Unpack, or pack as f16 or i8',
    })
  }
  if (depth % wordDepth(dtype) !== 0) {
    throw new ShapeError(`A depth of ${depth} is no whole number of words of PyTorch's semi-structured layout`, {
      dtype,
      remedy: `Pad the matrix to a multiple of ${wordDepth(dtype)}`,
    })
  }
  const half = depth / 2
  const words = wordsOf(depth)
  const columns = depth / wordDepth(dtype)
  const nibbles = wordBits(dtype) / 4
  const place = placesOf(options.order ?? 'plain', lines, columns, wordBits(dtype))
  const out = wordBits(dtype) === 16 ? new Int16Array(lines * columns) : new Int32Array(lines * columns)
  const put = (line: number, at: number, nibble: number): void => {
    const word = place(line, Math.floor(at / nibbles))
    out[word] = (out[word] ?? 0) | (nibble << (4 * (at % nibbles)))
  }
  const kept = allocate(own, lines * half)
  for (let line = 0; line < lines; line++) {
    for (let group = 0; group < depth / GROUP; group++) {
      const word = positions.values[Math.floor(line / share) * words + Math.floor(group / WORD_GROUPS)] ?? 0
      const seats = (word >>> (4 * (group % WORD_GROUPS))) & 15
      const from = line * words * WORD_VALUES + KEPT * group
      const to = line * half + KEPT * group
      const pair = [values.values[from] ?? 0, values.values[from + 1] ?? 0] as const
      if (dtype === 'bf16' && pair.some((value) => !isBf16(value))) {
        throw new FileFormatError('bf16 does not hold a value', { row: line, group, remedy: 'Leave dtype out, or round first' })
      }
      if (dtype !== 'f32') {
        put(line, group, seats)
        kept[to] = pair[0]
        kept[to + 1] = pair[1]
        continue
      }
      halves(seats, pair).forEach((half, index) => {
        if (half === undefined) {
          throw new FileFormatError('PyTorch keeps one f32 of every two, and a half of a group has both', {
            row: line,
            group,
            remedy: 'Pack as f16, which is 2:4 there',
          })
        }
        put(line, 2 * group + index, half.second ? SECOND_OF_TWO : FIRST_OF_TWO)
        kept[to + index] = half.value
      })
    }
  }
  return {
    dtype,
    values: new HostTensor(own, [lines, half], kept),
    meta: { bits: wordBits(dtype), shape: [lines, columns], words: out },
  }
}

/** What a group keeps of each of its halves; undefined for both values of one. A zero may stand anywhere. */
function halves(
  seats: number,
  pair: readonly [number, number],
): ({ readonly second: boolean; readonly value: number } | undefined)[] {
  const found = pair.map((value, slot) => ({ seat: (seats >> (2 * slot)) & 3, value }))
  return [0, 1].map((half) => {
    const own = found.filter(({ seat }) => seat >> 1 === half)
    const taken = own.filter(({ value }) => value !== 0)
    const one = taken[0] ?? own[0]
    if (taken.length > 1) return undefined
    return { second: one === undefined ? true : (one.seat & 1) === 1, value: one?.value ?? 0 }
  })
}

const single = new Float32Array(1)
const singleBits = new Uint32Array(single.buffer)

/** Whether the lower half of an f32's bits is zero. */
function isBf16(value: number): boolean {
  single[0] = value
  return ((singleBits[0] ?? 0) & 0xffff) === 0
}
