/**
 * Compressed sparse column, dealt out over processing elements as EIE lays it (Han et al., "EIE: Efficient Inference Engine on
 * Compressed Deep Neural Network", ISCA 2016, section III): row i belongs to element i mod P, and each element has a CSC of its own
 * rows. Think of a deck dealt to P players: each sorts his own hand by column. With P = 1 it is plain CSC.
 *
 *     P = 2             element 0 (rows 0, 2)      element 1 (rows 1, 3)
 *     [ a . b ]         values    a c | · | b      values    · | d | e f
 *     [ . . e ]         rows      0 1 | · | 0      rows      · | 1 | 0 1       within the element: ⌊i / P⌋, ascending
 *     [ c . . ]         pointers  0 2   2   3      pointers  3  3   4   6      into all entries, [P, depth + 1]
 *     [ . d f ]
 *
 * A product that walks it column by column meets each activation once, and skips the column where that is 0; no two elements add to
 * the same output, so nothing has to be added atomically.
 */
import { OptionError, ShapeError } from '../errors.ts'
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

/** A matrix [lines, depth] by columns, its rows interleaved over `elements`. */
export interface Csc {
  readonly lines: number
  readonly depth: number
  /** Processing elements P. */
  readonly elements: number
  /** [entries], element by element, column by column. */
  readonly values: EntryValues
  /** [entries], or [⌈entries / 2⌉] of 16 bits: row ⌊i / P⌋ within the element. */
  readonly rows: HostTensor<'u32'>
  readonly indexBits: IndexBits
  /** [P, depth + 1], into all entries. */
  readonly pointers: HostTensor<'u32'>
}

/** Rows of element `element` of `elements`. */
export function rowsOfElement(lines: number, elements: number, element: number): number {
  return Math.max(0, Math.ceil((lines - element) / elements))
}

/** @throws OptionError unless P is a positive integer */
export function checkElements(elements: number): void {
  if (Number.isInteger(elements) && elements > 0) return
  throw new OptionError(`${elements} processing elements`, { remedy: 'Give a positive integer' })
}

/**
 * A matrix [lines, depth] of f32 or f16 in CSC. Only what is not 0 becomes an entry (NaN does, -0 does not).
 * @param options.elements default 1; options.indexBits default: 16 where the rows of an element fit them, else 32
 * @throws ShapeError, DtypeError for other tensors; OptionError for 16 bits that are too few, or elements that are no positive integer
 */
export function packCsc(matrix: HostTensor, options: { readonly elements?: number; readonly indexBits?: IndexBits } = {}): Csc {
  const { lines, depth, values, dtype } = denseMatrix(matrix)
  const { elements = 1 } = options
  checkElements(elements)
  const indexBits = indexBitsFor(rowsOfElement(lines, elements, 0), options.indexBits)
  const count = countNonZeros(values)
  const entries = new Float64Array(count)
  const rows = new Uint32Array(count)
  const pointers = new Uint32Array(elements * (depth + 1))
  let at = 0
  for (let element = 0; element < elements; element++) {
    pointers[element * (depth + 1)] = at
    for (let column = 0; column < depth; column++) {
      for (let line = element; line < lines; line += elements) {
        const value = values[line * depth + column] ?? 0
        if (value === 0) continue
        entries[at] = value
        rows[at++] = Math.floor(line / elements)
      }
      pointers[element * (depth + 1) + column + 1] = at
    }
  }
  return {
    lines,
    depth,
    elements,
    values: entryTensor(dtype, entries),
    rows: packIndices(rows, indexBits),
    indexBits,
    pointers: new HostTensor('u32', [elements, depth + 1], pointers),
  }
}

/** The matrix [lines, depth] again. @throws ShapeError for what is not valid */
export function unpackCsc(csc: Csc): HostTensor {
  checkCsc(csc)
  const { lines, depth, elements, values, rows, indexBits, pointers } = csc
  const dense = allocate(values.dtype, lines * depth)
  for (let element = 0; element < elements; element++) {
    for (let column = 0; column < depth; column++) {
      const at = element * (depth + 1) + column
      for (let i = pointers.values[at] ?? 0; i < (pointers.values[at + 1] ?? 0); i++) {
        const line = indexAt(rows.values, indexBits, i) * elements + element
        dense[line * depth + column] = values.values[i] ?? NaN
      }
    }
  }
  return new HostTensor(values.dtype, [lines, depth], dense)
}

/**
 * Whether all fits: lengths, pointers that never fall and follow on from element to element, rows in range and ascending.
 * @throws ShapeError naming the element and the column
 */
export function checkCsc({ lines, depth, elements, values, rows, indexBits, pointers }: Csc): void {
  checkElements(elements)
  const count = values.values.length
  checkLength('CSC', 'values', values, count)
  checkLength('CSC', 'rows', rows, indexWords(count, indexBits))
  checkElementPointers('CSC', pointers, { depth, elements, count })
  for (let element = 0; element < elements; element++) {
    const own = rowsOfElement(lines, elements, element)
    for (let column = 0; column < depth; column++) {
      const at = element * (depth + 1) + column
      let before = -1
      for (let i = pointers.values[at] ?? 0; i < (pointers.values[at + 1] ?? 0); i++) {
        const row = indexAt(rows.values, indexBits, i)
        const where = { element, column, row }
        if (row >= own) throw new ShapeError(`CSC: element ${element}, column ${column} has row ${row} of ${own}`, where)
        if (row <= before) throw new ShapeError(`CSC: element ${element}, column ${column} has row ${row} after ${before}`, where)
        before = row
      }
    }
  }
}

/** That pointers [P, depth + 1] never fall, and that elements follow on. @throws ShapeError naming element and column */
export function checkElementPointers(
  format: string,
  pointers: HostTensor<'u32'>,
  { depth, elements, count }: { readonly depth: number; readonly elements: number; readonly count: number },
): void {
  const [rows, columns] = pointers.shape
  if (pointers.shape.length !== 2 || rows !== elements || columns !== depth + 1) {
    throw new ShapeError(`${format}: pointers are not [${elements}, ${depth + 1}]`, { shape: pointers.shape })
  }
  let first = 0
  for (let element = 0; element < elements; element++) {
    const own = pointers.values.subarray(element * (depth + 1), (element + 1) * (depth + 1))
    const last = element === elements - 1 ? count : (pointers.values[(element + 1) * (depth + 1)] ?? NaN)
    checkPointers(`${format}, element ${element}`, 'column', own, { first, last })
    first = last
  }
}

/** Bytes of values, rows and pointers as they lie in memory. */
export function cscBytes({ values, rows, pointers }: Csc): number {
  return bytesOfTensors(values, rows, pointers)
}
