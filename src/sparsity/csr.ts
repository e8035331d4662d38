/**
 * Compressed sparse row (the Yale format: Eisenstat, Gursky, Schultz, Sherman 1977): the non-zeros row after row. Think of a book
 * whose chapters are rows: `pointers` is its table of contents.
 *
 *     [ a . b . ]      values    a b c d          of f32 or f16
 *     [ . . . . ]      columns   0 2 1 3          ascending within a row; 32 bits, or two of 16 to a word (entries.ts)
 *     [ . c . d ]      pointers  0 2 2 4          row r is entries pointers[r] to pointers[r + 1] - 1
 */
import { ShapeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { HostTensor } from '../tensor/tensor.ts'
import {
  bytesOfTensors,
  checkLength,
  checkPointers,
  countNonZeros,
  denseMatrix,
  entryTensor,
  indexAt,
  indexBitsFor,
  indexWords,
  packIndices,
  type EntryValues,
  type IndexBits,
} from './entries.ts'

/** A matrix [lines, depth] by rows. */
export interface Csr {
  readonly lines: number
  readonly depth: number
  /** [entries]. */
  readonly values: EntryValues
  /** [entries], or [⌈entries / 2⌉] of 16 bits. */
  readonly columns: HostTensor<'u32'>
  readonly indexBits: IndexBits
  /** [lines + 1]. */
  readonly pointers: HostTensor<'u32'>
}

/**
 * A matrix [lines, depth] of f32 or f16 in CSR. Only what is not 0 becomes an entry (NaN does, -0 does not).
 * @param options.indexBits default: 16 up to a depth of 65 536, else 32
 * @throws ShapeError, DtypeError for other tensors; OptionError for 16 bits that are too few
 */
export function packCsr(matrix: HostTensor, options: { readonly indexBits?: IndexBits } = {}): Csr {
  const { lines, depth, values, dtype } = denseMatrix(matrix)
  const indexBits = indexBitsFor(depth, options.indexBits)
  const count = countNonZeros(values)
  const entries = new Float64Array(count)
  const columns = new Uint32Array(count)
  const pointers = new Uint32Array(lines + 1)
  let at = 0
  for (let row = 0; row < lines; row++) {
    for (let column = 0; column < depth; column++) {
      const value = values[row * depth + column] ?? 0
      if (value === 0) continue
      entries[at] = value
      columns[at++] = column
    }
    pointers[row + 1] = at
  }
  return {
    lines,
    depth,
    values: entryTensor(dtype, entries),
    columns: packIndices(columns, indexBits),
    indexBits,
    pointers: new HostTensor('u32', [lines + 1], pointers),
  }
}

/** The matrix [lines, depth] again. @throws ShapeError for what is not valid */
export function unpackCsr(csr: Csr): HostTensor {
  checkCsr(csr)
  const { lines, depth, values, columns, indexBits, pointers } = csr
  const dense = allocate(values.dtype, lines * depth)
  for (let row = 0; row < lines; row++) {
    for (let i = pointers.values[row] ?? 0; i < (pointers.values[row + 1] ?? 0); i++) {
      dense[row * depth + indexAt(columns.values, indexBits, i)] = values.values[i] ?? NaN
    }
  }
  return new HostTensor(values.dtype, [lines, depth], dense)
}

/**
 * Whether all fits: lengths, pointers that never fall, columns in range and ascending.
 * @throws ShapeError naming the row
 */
export function checkCsr({ lines, depth, values, columns, indexBits, pointers }: Csr): void {
  const count = values.values.length
  checkLength('CSR', 'values', values, count)
  checkLength('CSR', 'columns', columns, indexWords(count, indexBits))
  checkLength('CSR', 'pointers', pointers, lines + 1)
  checkPointers('CSR', 'row', pointers.values, { first: 0, last: count })
  for (let row = 0; row < lines; row++) {
    let before = -1
    for (let i = pointers.values[row] ?? 0; i < (pointers.values[row + 1] ?? 0); i++) {
      const column = indexAt(columns.values, indexBits, i)
      if (column >= depth) throw new ShapeError(`CSR: row ${row} has column ${column} of ${depth}`, { row, column })
      if (column <= before) throw new ShapeError(`CSR: row ${row} has column ${column} after ${before}`, { row, column })
      before = column
    }
  }
}

/** Bytes of values, columns and pointers as they lie in memory. */
export function csrBytes({ values, columns, pointers }: Csr): number {
  return bytesOfTensors(values, columns, pointers)
}
