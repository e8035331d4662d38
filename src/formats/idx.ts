/**
 * MNIST's files (LeCun, Cortes, Burges): a magic number 00 00 TYPE RANK, the extents as big-endian words, then the values. Pictures are
 * u8 [count, height, width], labels u8 [count].
 */
import { FileFormatError } from '../errors.ts'
import { formatShape, sizeOf } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { looksLike } from './sniff.ts'

/** Type code of unsigned bytes, the one that pictures and labels have. */
const BYTES = 8
const MOST_RANK = 4

/** Whether bytes begin as such a file does. */
export function isIdx(bytes: Uint8Array): boolean {
  const [a, b, type, rank = 0] = bytes
  return a === 0 && b === 0 && type === BYTES && rank >= 1 && rank <= MOST_RANK
}

/** @throws FileFormatError where the bytes are no such file, or their number is not what the head says */
export function decodeIdx(bytes: Uint8Array): HostTensor<'u8'> {
  if (!isIdx(bytes)) throw new FileFormatError(`This is no IDX file of bytes: ${looksLike(bytes)}`)
  const rank = bytes[3] ?? 0
  const head = 4 + 4 * rank
  if (bytes.length < head) throw new FileFormatError('The IDX file ends in its head', { bytes: bytes.length })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis))
  if (bytes.length - head !== sizeOf(shape)) {
    throw new FileFormatError(`The IDX file says ${formatShape(shape)}, but ${bytes.length - head} bytes follow`, { shape })
  }
  return new HostTensor('u8', shape, bytes.subarray(head))
}
