/**
 * EIE's own form (Han et al., ISCA 2016, section III-B): CSC interleaved over processing elements (csc.ts) whose rows are *relative*. An
 * entry is a value and the zeros before it, 4 bits each; more than 15 zeros are broken by a padding entry, a zero that is stored.
 *
 *     column of one element   . . v1 . . . v2  (20 zeros)  v3
 *     zeros before             2    3       15      4               nibbles, eight to a word, the first lowest
 *     value                   v1   v2       0      v3               the third is padding: 15 zeros and itself, then 4 more
 *
 * Values may be shared (Deep Compression: Han, Mao, Dally, ICLR 2016): a codebook of 16, an entry names one of them by 4 bits more, so that
 * an entry is a byte. Where there is padding the codebook's first value is 0.
 */
import { OptionError, ShapeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { checkElementPointers, checkElements, rowsOfElement } from './csc.ts'
import { sharedValues, nearestValue } from './codebook.ts'
import { bytesOfTensors, checkLength, denseMatrix, entryTensor, type EntryValues } from './entries.ts'

/** The most zeros that an entry can have before it. */
const MOST_ZEROS = 15
/** Weights that a codebook holds. */
export const CODES = 16
/** Nibbles in a word. */
const WORD_NIBBLES = 8

/** A matrix [lines, depth] in EIE's form. */
export interface Eie {
  readonly lines: number
  readonly depth: number
  /** Processing elements P. */
  readonly elements: number
  /** Entries, padding among them. */
  readonly entries: number
  /** Entries that are padding. */
  readonly padding: number
  /** [⌈entries / 8⌉]: zeros before each entry, nibbles. */
  readonly zeros: HostTensor<'u32'>
  /** [entries] of f32 or f16; with a codebook [⌈entries / 8⌉] words of nibbles. */
  readonly values: EntryValues | HostTensor<'u32'>
  /** [16]. Absent: values are themselves. */
  readonly codebook?: EntryValues
  /** [P, depth + 1], into all entries. */
  readonly pointers: HostTensor<'u32'>
}

/** Nibbles, eight to a word, the first lowest. */
function packNibbles(nibbles: ArrayLike<number>): HostTensor<'u32'> {
  const words = new Uint32Array(Math.ceil(nibbles.length / WORD_NIBBLES))
  for (let i = 0; i < nibbles.length; i++) {
    const word = Math.floor(i / WORD_NIBBLES)
    words[word] = (words[word] ?? 0) | ((nibbles[i] ?? 0) << (4 * (i % WORD_NIBBLES)))
  }
  return new HostTensor('u32', [words.length], words)
}

/** Nibble `i` of packed words. */
function nibbleAt(words: Uint32Array, i: number): number {
  return ((words[Math.floor(i / WORD_NIBBLES)] ?? 0) >>> (4 * (i % WORD_NIBBLES))) & 15
}

export interface EieOptions {
  /** Processing elements, default 64, as the chip has. */
  readonly elements?: number
  /** `shared`: the 16 values that k-means finds, begun evenly between the smallest and the largest. Default: values stay themselves. */
  readonly values?: 'own' | 'shared'
}

/**
 * A matrix [lines, depth] of f32 or f16 in EIE's form. Shared values are the nearest of 16, exact where there are no more of them.
 * @throws ShapeError, DtypeError for other tensors; OptionError for elements that are no positive integer, and for NaN or infinities to share
 */
export function packEie(matrix: HostTensor, options: EieOptions = {}): Eie {
  const { lines, depth, values, dtype } = denseMatrix(matrix)
  const { elements = 64, values: form = 'own' } = options
  checkElements(elements)
  const kept: number[] = []
  const zeros: number[] = []
  const pointers = new Uint32Array(elements * (depth + 1))
  let padding = 0
  for (let element = 0; element < elements; element++) {
    pointers[element * (depth + 1)] = kept.length
    for (let column = 0; column < depth; column++) {
      let run = 0
      for (let line = element; line < lines; line += elements) {
        const value = values[line * depth + column] ?? 0
        if (value === 0) {
          run++
          continue
        }
        for (; run > MOST_ZEROS; run -= MOST_ZEROS + 1) {
          kept.push(0)
          zeros.push(MOST_ZEROS)
          padding++
        }
        kept.push(value)
        zeros.push(run)
        run = 0
      }
      pointers[element * (depth + 1) + column + 1] = kept.length
    }
  }
  const own = Float64Array.from(kept)
  const common = {
    lines,
    depth,
    elements,
    entries: kept.length,
    padding,
    zeros: packNibbles(zeros),
    pointers: new HostTensor('u32', [elements, depth + 1], pointers),
  }
  if (form === 'own') return { ...common, values: entryTensor(dtype, own) }
  const codebook = entryTensor(dtype, sharedValues(own, { count: CODES, zero: padding > 0 }))
  return { ...common, values: packNibbles(own.map((value) => nearestValue(codebook.values, value))), codebook }
}

/** The matrix [lines, depth] again, with values as the codebook has them. @throws ShapeError, OptionError for what is not valid */
export function unpackEie(eie: Eie): HostTensor {
  const { lines, depth, codebook, values } = eie
  const dtype = codebook?.dtype ?? (values.dtype === 'f16' ? 'f16' : 'f32')
  const dense = allocate(dtype, lines * depth)
  walk(eie, (line, column, value) => {
    dense[line * depth + column] = value
  })
  return new HostTensor(dtype, [lines, depth], dense)
}

/**
 * Whether all fits: lengths, pointers that never fall, no column that runs past an element's rows.
 * @throws ShapeError naming the element and the column; OptionError for elements that are no positive integer
 */
export function checkEie(eie: Eie): void {
  walk(eie, () => undefined)
}

function walk(eie: Eie, visit: (line: number, column: number, value: number) => void): void {
  const { lines, depth, elements, entries, zeros, values, codebook, pointers } = eie
  checkElements(elements)
  checkLength('EIE', 'zeros', zeros, Math.ceil(entries / WORD_NIBBLES))
  checkLength('EIE', 'values', values, codebook === undefined ? entries : Math.ceil(entries / WORD_NIBBLES))
  if (codebook !== undefined) checkLength('EIE', 'codebook', codebook, CODES)
  checkElementPointers('EIE', pointers, { depth, elements, count: entries })
  const valueOf = (i: number): number => {
    if (codebook === undefined) return values.values[i] ?? NaN
    if (values.dtype !== 'u32') throw new OptionError('EIE: values beside a codebook are nibbles in u32', { dtype: values.dtype })
    return codebook.values[nibbleAt(values.values, i)] ?? NaN
  }
  for (let element = 0; element < elements; element++) {
    const own = rowsOfElement(lines, elements, element)
    for (let column = 0; column < depth; column++) {
      const at = element * (depth + 1) + column
      let row = -1
      for (let i = pointers.values[at] ?? 0; i < (pointers.values[at + 1] ?? 0); i++) {
        row += nibbleAt(zeros.values, i) + 1
        if (row >= own) {
          throw new ShapeError(`EIE: element ${element}, column ${column} runs to row ${row} of ${own}`, { element, column, row })
        }
        visit(row * elements + element, column, valueOf(i))
      }
    }
  }
}

/** Bytes of zeros, values, codebook and pointers as they lie in memory. */
export function eieBytes({ zeros, values, codebook, pointers }: Eie): number {
  return bytesOfTensors(zeros, values, codebook, pointers)
}

/** What the form costs of a matrix. */
export interface EieReport {
  readonly nonZeros: number
  readonly entries: number
  /** Entries that are padding, as a share of all. */
  readonly paddingShare: number
  /** All bytes, pointers among them, over the non-zeros. */
  readonly bitsPerNonZero: number
  /** Entries alone: 8 bits with a codebook, 36 of f32, 20 of f16, times the padding. */
  readonly entryBitsPerNonZero: number
  /** The busiest element's entries over the mean: what the slowest takes longer. */
  readonly imbalance: number
}

/** Bits for each non-zero, padding and balance of a matrix in EIE's form. */
export function eieReport(eie: Eie): EieReport {
  const { depth, elements, entries, padding, zeros, values, pointers } = eie
  const nonZeros = entries - padding
  let busiest = 0
  for (let element = 0; element < elements; element++) {
    const first = element * (depth + 1)
    busiest = Math.max(busiest, (pointers.values[first + depth] ?? 0) - (pointers.values[first] ?? 0))
  }
  const per = (bytes: number): number => (nonZeros === 0 ? 0 : (8 * bytes) / nonZeros)
  return {
    nonZeros,
    entries,
    paddingShare: entries === 0 ? 0 : padding / entries,
    bitsPerNonZero: per(eieBytes(eie)),
    entryBitsPerNonZero: per(bytesOfTensors(zeros, values)),
    imbalance: entries === 0 ? 1 : busiest / (entries / elements),
  }
}
