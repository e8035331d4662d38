/** CSR, CSC and EIE's form on the host: there and back, what is refused, what they cost; their references against the dense product. */
import { describe, expect, it } from 'vitest'
import { ShapeError } from '../../src/errors.ts'
import { cscMatmul } from '../../src/ops/csc-matmul/op.ts'
import { csrMatmul } from '../../src/ops/csr-matmul/op.ts'
import { eieMatmul } from '../../src/ops/eie-matmul/op.ts'
import { linear } from '../../src/ops/linear/op.ts'
import type { OpDefinition } from '../../src/ops/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { numbersOf } from '../../src/ops/values.ts'
import { checkCsc, cscBytes, packCsc, unpackCsc } from '../../src/sparsity/csc.ts'
import { checkCsr, csrBytes, packCsr, unpackCsr } from '../../src/sparsity/csr.ts'
import { checkEie, eieBytes, eieReport, packEie, unpackEie } from '../../src/sparsity/eie.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { aroundOf, cscInputs, csrInputs, eieInputs, randomTensor, SPARSE_CASES, weightsOf } from '../cases/sparse-weights.ts'

const MATRIX = tensor([1, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0, 4], [3, 4], 'f32')

/** Every case, and what the formats treat specially. */
const MATRICES: readonly (readonly [string, HostTensor])[] = [
  ...SPARSE_CASES.map((entry) => [entry.name, weightsOf(entry, 7)] as const),
  ['runs of exactly 15, 16, 31 and 32 zeros', spaced([15, 16, 31, 32, 48])],
  ['NaN and infinities', tensor([NaN, 0, Infinity, -0, -Infinity, 0], [2, 3], 'f32')],
]

/** One column with these runs of zeros, a one after each. */
function spaced(runs: readonly number[]): HostTensor {
  const column = runs.flatMap((run) => [...Array.from({ length: run }, () => 0), 1])
  return tensor(column, [column.length, 1], 'f32')
}

/** Either zero is 0. */
const plain = (values: HostTensor): number[] => Array.from(numbersOf(values), (value) => value + 0)

describe('there and back', () => {
  it.each(MATRICES)('%s', (_, matrix) => {
    const wanted = plain(matrix)
    for (const indexBits of [16, 32] as const) {
      expect(plain(unpackCsr(packCsr(matrix, { indexBits })))).toEqual(wanted)
      for (const elements of [1, 3, 64]) expect(plain(unpackCsc(packCsc(matrix, { indexBits, elements })))).toEqual(wanted)
    }
    for (const elements of [1, 3, 64]) expect(plain(unpackEie(packEie(matrix, { elements })))).toEqual(wanted)
  })

  it('by hand', () => {
    const csr = packCsr(MATRIX, { indexBits: 32 })
    expect(plain(csr.values)).toEqual([1, 2, 3, 4])
    expect(plain(csr.columns)).toEqual([0, 2, 1, 3])
    expect(plain(csr.pointers)).toEqual([0, 2, 2, 4])
    expect(plain(packCsr(MATRIX).columns)).toEqual([0x20000, 0x30001])
    const csc = packCsc(MATRIX, { elements: 2, indexBits: 32 })
    expect(plain(csc.values)).toEqual([1, 3, 2, 4])
    expect(plain(csc.rows)).toEqual([0, 1, 0, 1])
    expect(plain(csc.pointers)).toEqual([0, 1, 2, 3, 4, 4, 4, 4, 4, 4])
  })

  it('breaks runs of more than 15 zeros', () => {
    const eie = packEie(spaced([15, 16, 31, 32]), { elements: 1 })
    // 15 | padding 15, 0 | padding 15, 15 | padding 15, padding 15, 0
    expect(plain(eie.zeros)).toEqual([0x0ffff0ff])
    expect(plain(eie.values)).toEqual([1, 0, 1, 0, 1, 0, 0, 1])
    expect(eie.padding).toBe(4)
  })
})

describe('what is not valid names its row', () => {
  const csr = packCsr(MATRIX, { indexBits: 32 })
  const words = (values: number[]): HostTensor<'u32'> => tensor(values, [values.length], 'u32')
  it.each([
    ['a column out of range', { columns: words([0, 4, 1, 3]) }, /row 0 has column 4 of 4/],
    ['columns that fall', { columns: words([0, 2, 3, 1]) }, /row 2 has column 1 after 3/],
    ['a column twice', { columns: words([0, 0, 1, 3]) }, /row 0 has column 0 after 0/],
    ['pointers that fall', { pointers: words([0, 3, 2, 4]) }, /row 1 begins at 3 and ends at 2/],
    ['pointers past the end', { pointers: words([0, 2, 5, 4]) }, /row 1 ends at 5, after the 4 entries/],
    ['entries left over', { pointers: words([0, 2, 2, 3]) }, /last row ends at 3, but there are 4/],
    ['a first pointer that is not 0', { pointers: words([1, 2, 2, 4]) }, /row 0 begins at 1/],
    ['too few pointers', { pointers: words([0, 2, 4]) }, /pointers/],
    ['too few columns', { columns: words([0, 2, 1]) }, /columns/],
  ])('CSR: %s', (_, change, message) => {
    expect(() => checkCsr({ ...csr, ...change })).toThrow(ShapeError)
    expect(() => checkCsr({ ...csr, ...change })).toThrow(message)
  })

  const csc = packCsc(MATRIX, { elements: 2, indexBits: 32 })
  const pointers = (values: number[]): HostTensor<'u32'> => tensor(values, [2, 5], 'u32')
  it.each([
    ['a row out of range', { rows: words([0, 2, 0, 1]) }, /element 0, column 1 has row 2 of 2/],
    ['pointers that fall', { pointers: pointers([0, 1, 0, 3, 4, 4, 4, 4, 4, 4]) }, /element 0: column 1 begins at 1 and ends at 0/],
    ['elements that do not follow on', { pointers: pointers([0, 1, 2, 3, 4, 3, 4, 4, 4, 4]) }, /element 0/],
    ['pointers of other elements', { elements: 3 }, /pointers are not \[3, 5\]/],
  ])('CSC: %s', (_, change, message) => {
    expect(() => checkCsc({ ...csc, ...change })).toThrow(ShapeError)
    expect(() => checkCsc({ ...csc, ...change })).toThrow(message)
  })

  it('EIE: a column that runs past its rows', () => {
    const eie = packEie(MATRIX, { elements: 2 })
    expect(() => checkEie(eie)).not.toThrow()
    expect(() => checkEie({ ...eie, zeros: words([0x3000]) })).toThrow(/element 0, column 3 runs to row 3 of 2/)
  })

  it('16 bits that are too few, tensors that are no matrices', () => {
    const wide = tensor(new Float32Array(70000), [1, 70000], 'f32')
    expect(() => packCsr(wide, { indexBits: 16 })).toThrow(/do not fit 16 bits/)
    expect(packCsr(wide).indexBits).toBe(32)
    expect(() => packCsr(tensor([1], [1]))).toThrow(ShapeError)
    expect(() => packCsc(tensor([1], [1, 1], 'i8'))).toThrow(/f32 or f16/)
    expect(() => packEie(MATRIX, { elements: 0 })).toThrow(/0 processing elements/)
  })
})

describe('what a format costs', () => {
  it('in bytes', () => {
    const matrix = randomTensor('f32', [64, 128], { density: 0.1, seed: 5 })
    const count = plain(matrix).filter((value) => value !== 0).length
    expect(csrBytes(packCsr(matrix, { indexBits: 32 }))).toBe(8 * count + 4 * 65)
    expect(csrBytes(packCsr(matrix))).toBe(4 * count + 4 * Math.ceil(count / 2) + 4 * 65)
    expect(cscBytes(packCsc(matrix, { elements: 4, indexBits: 32 }))).toBe(8 * count + 4 * 4 * 129)
    const eie = packEie(matrix, { elements: 4, values: 'shared' })
    expect(eieBytes(eie)).toBe(2 * 4 * Math.ceil(eie.entries / 8) + 4 * 16 + 4 * 4 * 129)
    const report = eieReport(eie)
    expect(report.nonZeros).toBe(count)
    expect(report.paddingShare).toBeCloseTo(eie.padding / eie.entries)
    expect(report.bitsPerNonZero).toBeCloseTo((8 * eieBytes(eie)) / count)
    expect(report.imbalance).toBeGreaterThanOrEqual(1)
  })

  it('pads nothing where elements have at most 16 rows, and more the sparser a column is', () => {
    const matrix = randomTensor('f32', [256, 64], { density: 0.05, seed: 6 })
    expect(eieReport(packEie(matrix, { elements: 16 })).paddingShare).toBe(0)
    const shares = [8, 2, 1].map((elements) => eieReport(packEie(matrix, { elements })).paddingShare)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    expect(shares[0]).toBeGreaterThan(0)
  })
})

describe('shared values', () => {
  it('are exact where there are no more than 16', () => {
    const matrix = randomTensor('f16', [40, 30], { density: 0.2, integers: true, seed: 8 })
    const eie = packEie(matrix, { elements: 1, values: 'shared' })
    expect(eie.padding).toBeGreaterThan(0)
    expect(plain(unpackEie(eie))).toEqual(plain(matrix))
  })

  it('are else nearer than 16 even steps', () => {
    const matrix = randomTensor('f32', [64, 64], { density: 0.5, seed: 9 })
    const shared = plain(unpackEie(packEie(matrix, { elements: 8, values: 'shared' })))
    const own = plain(matrix)
    const squares = shared.map((value, i) => (value - (own[i] ?? NaN)) ** 2)
    const span = Math.max(...own) - Math.min(...own)
    const mean = squares.reduce((sum, square) => sum + square, 0) / own.filter((value) => value !== 0).length
    expect(Math.sqrt(mean)).toBeLessThan(span / 15 / Math.sqrt(12))
    expect(new Set(shared).size).toBeLessThanOrEqual(17)
  })

  it('are not made of NaN', () => {
    expect(() => packEie(tensor([NaN], [1, 1], 'f32'), { values: 'shared' })).toThrow(/NaN or infinite/)
  })
})

describe('references are the dense product of the same weights, bit for bit on whole numbers', () => {
  const exact = (definition: OpDefinition, inputs: readonly (HostTensor | null)[], given: unknown): number[] => {
    const [output] = definition.reference(inputs, parseAttributes(definition, given))
    if (output === undefined) throw new Error('no output')
    return plain(output.tensor)
  }
  it.each(SPARSE_CASES.map((entry) => [entry.name, entry] as const))('%s', (_, given) => {
    const entry = { ...given, integers: true, weights: given.dtype ?? 'f32' }
    const { activation } = given.attributes ?? {}
    const own = activation === undefined ? {} : { activation }
    const { x, bias, residual } = aroundOf(entry, 4)
    const rows = x.shape.slice(0, -1).reduce((product, extent) => product * extent, 1)
    const flat = (value: HostTensor | null, width: number): HostTensor | null =>
      value === null ? null : tensor(plain(value), [rows, width], value.dtype)
    const w = weightsOf(entry, 4)
    const wanted = exact(linear, [flat(x, entry.depth), w, bias, flat(residual, entry.columns)], own)
    expect(wanted.length).toBe(rows * entry.columns)
    expect(exact(csrMatmul, csrInputs(entry, 4, 16), { ...own, indexBits: 16 })).toEqual(wanted)
    expect(exact(cscMatmul, cscInputs(entry, 4, 32, 3), { ...own, lines: entry.columns })).toEqual(wanted)
    for (const values of ['own', 'shared'] as const) {
      expect(exact(eieMatmul, eieInputs(entry, 4, { elements: 2, values }), { ...own, lines: entry.columns })).toEqual(wanted)
    }
  })
})
