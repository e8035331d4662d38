/**
 * PyTorch's semi-structured layout, against an encoder that is the test's own: made from what torch.sparse's documentation and the comments
 * of its conversions say of codes and words, and, of CUTLASS's order, from the table of gather offsets that PyTorch 2.1 had.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DtypeError, FileFormatError, OptionError, ShapeError } from '../../src/errors.ts'
import { loadSemiStructured, saveSemiStructured } from '../../src/formats/two-of-four-torch.ts'
import { encodeSafetensors, writeSafetensors, type RawTensor } from '../../src/formats/safetensors.ts'
import { fromSemiStructured, toSemiStructured, type SemiStructured } from '../../src/sparsity/semi-structured.ts'
import { packTwoOfFour, quantiseTwoOfFour, unpackTwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { tensor } from '../../src/tensor/tensor.ts'

/** Codes by which of a group are not zero, as the comments of torch/sparse/_semi_structured_conversions.py list them. */
const CODES: Readonly<Record<string, number>> = {
  TTFF: 0b0100,
  TFTF: 0b1000,
  FTTF: 0b1001,
  TFFT: 0b1100,
  FTFT: 0b1101,
  FFTT: 0b1110,
  FFFF: 0b1110,
  FFFT: 0b1110,
  FFTF: 0b1110,
  FTFF: 0b1001,
  TFFF: 0b1000,
}

/** What PyTorch makes of a matrix, metadata in plain order. */
function torch(rows: readonly (readonly number[])[], dtype: SemiStructured['dtype']): SemiStructured {
  const span = dtype === 'f32' ? 2 : 4
  const perWord = dtype === 'i8' ? 8 : 4
  const kept: number[] = []
  const words: number[] = []
  for (const row of rows) {
    const codes: number[] = []
    for (let k = 0; k < row.length; k += span) {
      const group = row.slice(k, k + span)
      // A float is two halves.
      const flags = group.flatMap((value) => Array.from({ length: 4 / span }, () => (value === 0 ? 'F' : 'T'))).join('')
      const code = CODES[flags]
      if (code === undefined) throw new Error(`${flags} is not 2:4`)
      codes.push(code)
      const seats = span === 4 ? [code & 3, code >> 2] : [code === 0b0100 ? 0 : 1]
      kept.push(...seats.map((seat) => group[seat] ?? NaN))
    }
    for (let at = 0; at < codes.length; at += perWord) {
      const digits = codes
        .slice(at, at + perWord)
        .toReversed()
        .map((code) => code.toString(16))
      words.push(Number.parseInt(digits.join(''), 16))
    }
  }
  const [lines, depth] = [rows.length, rows[0]?.length ?? 0]
  // As signed integers, which torch.int16 and torch.int32 are.
  const signed = dtype === 'i8' ? Int32Array.from(words, (word) => word | 0) : Int16Array.from(words)
  return {
    dtype,
    values: tensor(kept, [lines, depth / 2], dtype === 'bf16' ? 'f32' : dtype),
    meta: { bits: dtype === 'i8' ? 32 : 16, shape: [lines, depth / span / perWord], words: signed },
  }
}

/** Where PyTorch 2.1 gathered plain word (row, column) from: its `magic` numbers. Rows in 32s, columns in pairs. */
function gathered(row: number, column: number, rows: number, bits: 16 | 32): number {
  const [step, quarters] = bits === 16 ? [8, [0, 1, 4, 5]] : [4, [0, 1, 32, 33]]
  const block = Math.floor(row / 32) * 64
  return (
    (column % 2) * 2 + Math.floor(column / 2) * 2 * rows + (row % 8) * step + (quarters[Math.floor((row % 32) / 8)] ?? NaN) + block
  )
}

/** A matrix of `lines` × `depth` that holds 2:4, or 1:2; zeros among what could be kept. */
function matrix(lines: number, depth: number, span: 2 | 4): fc.Arbitrary<number[][]> {
  const value = fc.integer({ min: -100, max: 100 })
  const group =
    span === 2
      ? fc.tuple(value, fc.boolean()).map(([one, second]) => (second ? [0, one] : [one, 0]))
      : fc
          .tuple(value, value, fc.subarray([0, 1, 2, 3], { minLength: 2, maxLength: 2 }))
          .map(([a, b, [i, j]]) => Array.from({ length: 4 }, (_, seat) => (seat === i ? a : seat === j ? b : 0)))
  const row = fc.array(group, { minLength: depth / span, maxLength: depth / span }).map((groups) => groups.flat())
  return fc.array(row, { minLength: lines, maxLength: lines })
}

const KINDS = [
  ['f16', 16, 4],
  ['bf16', 16, 4],
  ['i8', 32, 4],
  ['f32', 8, 2],
] as const

describe("PyTorch's semi-structured layout", () => {
  it('of the documentation: 0 0 1 1 tiled has words of -4370', () => {
    const row = Array.from({ length: 128 }, (_, k) => (k % 4 < 2 ? 0 : 1))
    const given = torch([row], 'f16')
    expect([...Array.from(given.meta.words)]).toEqual(Array.from({ length: 8 }, () => -4370))
    const packed = fromSemiStructured(given)
    expect([...unpackTwoOfFour(packed).values]).toEqual(row)
    expect([...packed.positions.values]).toEqual([0xeeeeeeee, 0xeeeeeeee, 0xeeeeeeee, 0xeeeeeeee])
  })

  it.each(KINDS)('of %s becomes the matrix, of any whole number of words', (dtype, step, span) => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }))
    const given = sizes.chain(([lines, words]) => matrix(lines, words * step, span))
    fc.assert(
      fc.property(given, (rows) => {
        const packed = fromSemiStructured(torch(rows, dtype))
        expect([...unpackTwoOfFour(packed).values]).toEqual(rows.flat())
        // And a matrix that was packed here is what PyTorch would have, up to where zeros stand.
        const own = packTwoOfFour(tensor(rows.flat(), [rows.length, rows[0]?.length ?? 0], dtype === 'bf16' ? 'f32' : dtype))
        const back = fromSemiStructured(toSemiStructured(own, { dtype }))
        expect([...unpackTwoOfFour(back).values]).toEqual(rows.flat())
      }),
      { numRuns: 20 },
    )
  })

  it.each(KINDS)('of %s in the order of CUTLASS is read and written where asked', (dtype, step, span) => {
    fc.assert(
      fc.property(
        fc
          .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }))
          .chain(([blocks, pairs]) => matrix(32 * blocks, 2 * pairs * step, span)),
        (rows) => {
          const plain = torch(rows, dtype)
          const [lines = 0, columns = 0] = plain.meta.shape
          const words = Int32Array.from(plain.meta.words)
          for (let row = 0; row < lines; row++) {
            for (let column = 0; column < columns; column++) {
              words[gathered(row, column, lines, plain.meta.bits)] = plain.meta.words[row * columns + column] ?? NaN
            }
          }
          const packed = fromSemiStructured({ ...plain, meta: { ...plain.meta, words } }, { order: 'cutlass' })
          expect(packed).toEqual(fromSemiStructured(plain))
          expect([...Array.from(toSemiStructured(packed, { dtype, order: 'cutlass' }).meta.words)]).toEqual([...words])
        },
      ),
      { numRuns: 4 },
    )
  })

  it('shows a line of its own for each that shares positions', () => {
    const rows = Array.from({ length: 8 }, (_, line) =>
      Array.from({ length: 16 }, (__, k) => (k % 4 === 1 || k % 4 === 3 ? line + k : 0)),
    )
    const shared = packTwoOfFour(tensor(rows.flat(), [8, 16], 'f16'), { share: 4 })
    expect(toSemiStructured(shared)).toEqual(torch(rows, 'f16'))
  })

  const half = torch([[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], 'f16')
  const single = torch([[0, 1, 2, 0, 0, 0, 0, 0]], 'f32')
  const words = (given: SemiStructured, ...list: number[]): SemiStructured => ({ ...given, meta: { ...given.meta, words: list } })
  const dense = (values: number[]) => packTwoOfFour(tensor(values, [1, values.length]))

  it.each<[string, () => unknown, new (message: string) => Error, RegExp]>([
    ['positions out of order', () => fromSemiStructured(words(half, 0x44e1)), FileFormatError, /1 and 0 .*rising.*row 0; group 0/],
    [
      'f32 that is no half of a pair',
      () => fromSemiStructured(words(single, 0x44c4)),
      FileFormatError,
      /1100 is no half .*group 0/,
    ],
    ['values of another dtype', () => fromSemiStructured({ ...half, dtype: 'bf16' }), DtypeError, /bf16 has f32 values/],
    ['words of another width', () => fromSemiStructured({ ...half, meta: { ...half.meta, bits: 32 } }), DtypeError, /16 bits/],
    [
      'metadata of another shape',
      () => fromSemiStructured({ ...half, meta: { ...half.meta, shape: [1, 2] } }),
      ShapeError,
      /do not fit.*for 16 of depth/,
    ],
    [
      'values that are no matrix',
      () => fromSemiStructured({ ...half, values: tensor([1], [1], 'f16') }),
      ShapeError,
      /matrix \[M, K\/2\]/,
    ],
    ['an order that is not defined', () => fromSemiStructured(half, { order: 'cutlass' }), OptionError, /multiples of 32 lines/],
    [
      'both of a pair of f32',
      () => toSemiStructured(dense([1, 2, 0, 0, 0, 0, 0, 0])),
      FileFormatError,
      /one f32 of every two.*group 0/,
    ],
    [
      'a value beyond bf16',
      () => toSemiStructured(dense([...Array<number>(15).fill(0), 1.001]), { dtype: 'bf16' }),
      FileFormatError,
      /bf16.*group 3/,
    ],
    ['a depth of part of a word', () => toSemiStructured(dense([1, 0, 0])), ShapeError, /multiple of 8/],
    [
      '4-bit values',
      () => toSemiStructured(quantiseTwoOfFour(dense([1, 0]), { bits: 4 })),
      DtypeError,
      /does not hold 4-bit values/,
    ],
    ['scaled integers', () => toSemiStructured(quantiseTwoOfFour(dense([1, 0]), { bits: 8 })), DtypeError, /does not hold scaled/],
    ['f32 as f16', () => toSemiStructured(dense([1, 0]), { dtype: 'f16' }), DtypeError, /does not hold f32 values as f16/],
  ])('%s: refused', (_, attempt, kind, message) => {
    expect(attempt).toThrow(kind)
    expect(attempt).toThrow(message)
  })
})

describe('a safetensors file with them', () => {
  const rows = Array.from({ length: 4 }, (_, line) =>
    Array.from({ length: 32 }, (__, k) => (k % 4 === line % 3 || k % 4 === 3 ? 1 + k + line : 0)),
  )
  const pairs = rows.map((row) => row.map((value, k) => (k % 2 === 1 ? value : 0)))
  const raw = (dtype: string, shape: number[], ...bytes: number[]): RawTensor => ({ dtype, shape, bytes: Uint8Array.from(bytes) })

  it.each([
    ['f16', rows],
    ['bf16', rows],
    ['i8', rows],
    ['f32', pairs],
  ] as const)('gives %s weights back', (dtype, given) => {
    const file = saveSemiStructured(new Map([['fc.weight', torch(given, dtype)]]))
    const { layers, others, notes } = loadSemiStructured(file)
    const packed = layers.get('fc.weight')
    expect(packed === undefined ? [] : [...unpackTwoOfFour(packed).values]).toEqual(given.flat())
    expect([others, notes]).toEqual([[], dtype === 'bf16' ? ['fc.weight: bf16 became f32, value for value'] : []])
  })

  it('is read byte for byte, by the names of either version, beside other tensors', () => {
    // 1.5 and -2 of bf16 at positions 1 and 2 of four groups: 0x3fc0, 0xc000; four codes of 1001.
    const values = Array.from({ length: 4 }, () => [0xc0, 0x3f, 0x00, 0xc0]).flat()
    const file = writeSafetensors(
      new Map([
        ['a.weight.sparse_tensor_cutlass', raw('BF16', [1, 8], ...values)],
        ['a.weight.meta_tensor_cutlass', raw('I16', [1, 1], 0x99, 0x99)],
        ['b.packed', raw('I8', [1, 16], ...Array.from({ length: 16 }, (_, at) => at))],
        ['b.meta', raw('I32', [1, 1], 0x44, 0x44, 0x44, 0x44)],
        ['b.packed_t', raw('I8', [1, 1], 7)],
        ['b.bias', raw('BF16', [1], 0, 0)],
      ]),
    )
    const { layers, others, notes } = loadSemiStructured(file)
    const [a, b] = ['a.weight', 'b'].map((name) => {
      const packed = layers.get(name)
      return packed === undefined ? [] : [...unpackTwoOfFour(packed).values]
    })
    expect(a).toEqual(Array.from({ length: 4 }, () => [0, 1.5, -2, 0]).flat())
    expect(b).toEqual(Array.from({ length: 8 }, (_, group) => [2 * group, 2 * group + 1, 0, 0]).flat())
    expect(others).toEqual(['b.bias'])
    expect(notes.toSorted()).toEqual(['a.weight: bf16 became f32, value for value', 'b.packed_t: left out, it is for training'])
  })

  const packed = raw('F16', [1, 8], ...Array<number>(16).fill(0))
  const meta = raw('I16', [1, 1], 0x44, 0x44)
  it.each<[string, Record<string, RawTensor>, RegExp]>([
    ['of cuSPARSELt', { 'w.compressed_tensor_cusparselt': packed }, /cuSPARSELt.*tensor w\.compressed.*_FORCE_CUTLASS/],
    ['with values alone', { 'w.packed': packed }, /cuSPARSELt.*tensor w\.packed/],
    ['with metadata alone', { 'w.meta': meta }, /no values: there is no \.packed.*tensor w\.meta/],
    [
      'with values of f64',
      { 'w.packed': raw('F64', [1, 2], ...Array<number>(16).fill(0)), 'w.meta': meta },
      /of F64 .*tensor w\.packed/,
    ],
    ['with metadata of bytes', { 'w.packed': packed, 'w.meta': raw('U8', [1, 2], 4, 4) }, /I16 or I32.*tensor w\.meta; dtype U8/],
    ['with half the metadata', { 'w.packed': packed, 'w.meta': raw('I16', [1, 0]) }, /w: Metadata \[1, 0\] do not fit.*tensor w/],
    [
      'with damaged metadata',
      { 'w.packed': packed, 'w.meta': raw('I16', [1, 1], 0x44, 0x54) },
      /w: .*1 and 1.*tensor w; row 0; group 3/,
    ],
    [
      'twice',
      { 'w.packed': packed, 'w.meta': meta, 'w.sparse_tensor_cutlass': packed, 'w.meta_tensor_cutlass': meta },
      /two forms/,
    ],
  ])('%s is refused', (_, tensors, message) => {
    expect(() => loadSemiStructured(writeSafetensors(new Map(Object.entries(tensors))))).toThrow(message)
  })

  it('without any is refused, saying what they are called', () => {
    expect(() => loadSemiStructured(encodeSafetensors(new Map([['w', tensor([1])]])))).toThrow(
      /no semi-structured.*NAME\.packed and NAME\.meta/,
    )
  })
})
