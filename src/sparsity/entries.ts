/**
 * What CSR, CSC and EIE's form share: the matrix that they hold, and index words. Think of a word of indices as a drawer with one
 * place (32 bits) or two (16 bits, the lower half first):
 *
 *     u32    | i0            | i1            | i2            |
 *     u16    | i1     i0     | i3     i2     | ·      i4     |     [⌈entries / 2⌉]
 */
import { DtypeError, OptionError, ShapeError } from '../errors.ts'
import { allocate } from '../tensor/dtype.ts'
import { formatShape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'

/** Bits of an index. */
export type IndexBits = 16 | 32

/** Values of the entries, in the matrix's dtype. */
export type EntryValues = HostTensor<'f32'> | HostTensor<'f16'>

/** A matrix [lines, depth] of f32 or f16, row by row. */
export interface DenseMatrix {
  readonly lines: number
  readonly depth: number
  readonly values: ArrayLike<number>
  readonly dtype: 'f32' | 'f16'
}

/** @throws ShapeError, DtypeError for what is no matrix of f32 or f16 */
export function denseMatrix(matrix: HostTensor): DenseMatrix {
  const [lines, depth] = matrix.shape
  if (lines === undefined || depth === undefined || matrix.shape.length !== 2) {
    throw new ShapeError(`A sparse format holds a matrix [lines, depth], not ${formatShape(matrix.shape)}`, { shape: matrix.shape })
  }
  const { dtype, values } = matrix
  if ((dtype !== 'f32' && dtype !== 'f16') || values instanceof BigInt64Array) {
    throw new DtypeError(`Entries are f32 or f16, not ${dtype}`, { dtype, shape: matrix.shape })
  }
  return { lines, depth, values, dtype }
}

/** Entries that are not zero; NaN counts, -0 does not. */
export function countNonZeros(values: ArrayLike<number>): number {
  let count = 0
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) count++
  return count
}

/** `values` as a tensor of `dtype`. */
export function entryTensor(dtype: 'f32' | 'f16', values: Float64Array): EntryValues {
  if (dtype === 'f32') return new HostTensor('f32', [values.length], Float32Array.from(values))
  const halves = allocate('f16', values.length)
  halves.set(values)
  return new HostTensor('f16', [values.length], halves)
}

/** The bits that indices below `extent` need. @throws OptionError where 16 were asked for and are too few */
export function indexBitsFor(extent: number, asked: IndexBits | undefined): IndexBits {
  if (asked === undefined) return extent <= 2 ** 16 ? 16 : 32
  if (asked === 32 || extent <= 2 ** 16) return asked
  throw new OptionError(`Indices up to ${extent - 1} do not fit 16 bits`, { limit: '65536', remedy: 'Use 32' })
}

/** Indices as words, see above. */
export function packIndices(indices: Uint32Array, bits: IndexBits): HostTensor<'u32'> {
  if (bits === 32) return new HostTensor('u32', [indices.length], indices)
  const words = new Uint32Array(Math.ceil(indices.length / 2))
  indices.forEach((index, i) => {
    words[i >> 1] = (words[i >> 1] ?? 0) | (index << (16 * (i & 1)))
  })
  return new HostTensor('u32', [words.length], words)
}

/** Index `i` of packed words. */
export function indexAt(words: Uint32Array, bits: IndexBits, i: number): number {
  if (bits === 32) return words[i] ?? Number.NaN
  return ((words[i >> 1] ?? Number.NaN) >>> (16 * (i & 1))) & 0xffff
}

/** Words that `entries` indices take. */
export function indexWords(entries: number, bits: IndexBits): number {
  return Math.ceil((entries * bits) / 32)
}

/** @throws ShapeError unless a tensor of the format has `count` elements */
export function checkLength(format: string, name: string, { shape, values }: HostTensor, count: number): void {
  if (shape.length === 1 && values.length === count) return
  throw new ShapeError(`${format}: ${name} ${formatShape(shape)} is not [${count}]`, { shape })
}

/**
 * That `pointers` [runs + 1] begin at `first`, never fall and end at `last`.
 * @param runName what a run is, for the error: `row`
 * @throws ShapeError naming the run
 */
export function checkPointers(
  format: string,
  runName: string,
  pointers: ArrayLike<number>,
  { first, last }: { readonly first: number; readonly last: number },
): void {
  if (pointers[0] !== first) throw new ShapeError(`${format}: ${runName} 0 begins at ${pointers[0]}, not at ${first}`)
  for (let run = 0; run + 1 < pointers.length; run++) {
    const [begin = NaN, end = NaN] = [pointers[run], pointers[run + 1]]
    if (end < begin) throw new ShapeError(`${format}: ${runName} ${run} begins at ${begin} and ends at ${end}`, { [runName]: run })
    if (end > last)
      throw new ShapeError(`${format}: ${runName} ${run} ends at ${end}, after the ${last} entries`, { [runName]: run })
  }
  const end = pointers[pointers.length - 1]
  if (end !== last) throw new ShapeError(`${format}: the last ${runName} ends at ${end}, but there are ${last} entries`)
}

/** Bytes of tensors as they lie in memory. */
export function bytesOfTensors(...tensors: readonly (HostTensor | undefined)[]): number {
  return tensors.reduce((sum, tensor) => sum + (tensor === undefined ? 0 : tensor.values.byteLength), 0)
}
