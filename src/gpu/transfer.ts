/**
 * Values between host and device. They travel as they lie, f16 as its bits, i64 as its two words; only bool widens to 32-bit words on
 * the way up and narrows on the way down. Large tensors travel in chunks, so that staging memory stays small.
 */
import { ShapeError } from '../errors.ts'
import { allocate, byteSize, type DType, type HostArray } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'
import { BUFFER_USAGE, MAP_READ } from './flags.ts'
import { sizeClass, type Segment } from './pool.ts'
import { deviceByteSize } from './program.ts'

/** Bytes of one upload or readback command. */
const CHUNK_BYTES = 16 * 2 ** 20
/** After so many bytes the queue is flushed, so that the driver can reuse its staging memory. */
const FLUSH_BYTES = 128 * 2 ** 20
const KEPT_STAGING = 4

/** Writes a host tensor into segments that hold its type. */
export function writeTensor(queue: GPUQueue, tensor: HostTensor, segments: readonly Segment[]): void {
  const size = deviceByteSize(tensor.dtype)
  const { values } = tensor
  let start = 0
  let sinceFlush = 0
  for (const segment of segments) {
    const count = Math.min(Math.floor(segment.size / size), values.length - start)
    for (let done = 0; done < count;) {
      const step = Math.min(count - done, CHUNK_BYTES / size)
      const bytes = deviceWords(values, tensor.dtype, start + done, step)
      queue.writeBuffer(segment.buffer, segment.offset + done * size, bytes.buffer, bytes.byteOffset, bytes.byteLength)
      done += step
      sinceFlush += bytes.byteLength
      if (sinceFlush >= FLUSH_BYTES) {
        queue.submit([])
        sinceFlush = 0
      }
    }
    start += count
  }
}

/** Elements `start` … `start + count − 1` as they lie on the device: a multiple of 4 bytes, shared with `values` where possible. */
export function deviceWords(values: HostArray, dtype: DType, start: number, count: number): Uint8Array<ArrayBuffer> {
  if (dtype === 'bool') return new Uint8Array(Uint32Array.from((values as Uint8Array).subarray(start, start + count)).buffer)
  const size = byteSize(dtype)
  const bytes = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset + start * size, count * size)
  if (bytes.byteLength % 4 === 0) return bytes
  const padded = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4)
  padded.set(bytes)
  return padded
}

/** Puts device bytes of `dtype` into `target` from element `start` on. */
export function hostValues(bytes: ArrayBuffer, dtype: DType, target: HostArray, start: number, count: number): void {
  const size = byteSize(dtype)
  if (dtype === 'bool') (target as Uint8Array).set(new Uint32Array(bytes, 0, count), start)
  else {
    const into = new Uint8Array(target.buffer as ArrayBuffer, target.byteOffset + start * size, count * size)
    into.set(new Uint8Array(bytes, 0, count * size))
  }
}

/** Mappable buffers, reused between readbacks. */
export class StagingPool {
  readonly #device: GPUDevice
  readonly #free: GPUBuffer[] = []

  constructor(device: GPUDevice) {
    this.#device = device
  }

  take(bytes: number): GPUBuffer {
    const size = sizeClass(bytes)
    const index = this.#free.findIndex((buffer) => buffer.size === size)
    const [reused] = index < 0 ? [] : this.#free.splice(index, 1)
    return reused ?? this.#device.createBuffer({ size, usage: BUFFER_USAGE.mapRead | BUFFER_USAGE.copyTarget, label: 'staging' })
  }

  give(buffer: GPUBuffer): void {
    if (this.#free.push(buffer) > KEPT_STAGING) this.#free.shift()?.destroy()
  }

  dispose(): void {
    for (const buffer of this.#free) buffer.destroy()
    this.#free.length = 0
  }
}

interface Piece {
  readonly segment: Segment
  /** Bytes into the segment, and how many. */
  readonly offset: number
  readonly bytes: number
  /** Elements before this piece, and in it. */
  readonly start: number
  readonly count: number
}

/** Copies of a tensor on their way to the host: encoded into a command buffer now, awaited after it was submitted. */
export interface PendingRead {
  /** Resolves once the submitted copies have arrived. */
  finish(): Promise<HostArray>
}

/** Reads a tensor: pieces of at most 16 MiB, one after another beyond the first. */
export async function readTensor(
  device: GPUDevice,
  staging: StagingPool,
  type: TensorType,
  segments: readonly Segment[],
): Promise<HostArray> {
  const target = allocate(type.dtype, sizeOf(type.shape))
  for (const piece of piecesOf(type, segments)) {
    const buffer = staging.take(piece.bytes)
    const encoder = device.createCommandEncoder({ label: 'readback' })
    encodeCopy(encoder, piece, buffer, 0)
    device.queue.submit([encoder.finish()])
    await land(staging, buffer, [{ piece, at: 0 }], type.dtype, target)
  }
  return target
}

/** Encodes the readback of a small tensor into `encoder`, so that a run and its readback share a submission. */
export function encodeRead(
  encoder: GPUCommandEncoder,
  device: GPUDevice,
  staging: StagingPool,
  type: TensorType,
  segments: readonly Segment[],
): PendingRead {
  const elements = sizeOf(type.shape)
  const bytes = elements * deviceByteSize(type.dtype)
  if (bytes > CHUNK_BYTES || elements === 0) return { finish: () => readTensor(device, staging, type, segments) }
  const pieces = piecesOf(type, segments)
  const buffer = staging.take(bytes)
  const placed: { piece: Piece; at: number }[] = []
  let at = 0
  for (const piece of pieces) {
    encodeCopy(encoder, piece, buffer, at)
    placed.push({ piece, at })
    at += piece.bytes
  }
  return {
    async finish() {
      const target = allocate(type.dtype, elements)
      await land(staging, buffer, placed, type.dtype, target)
      return target
    },
  }
}

async function land(
  staging: StagingPool,
  buffer: GPUBuffer,
  placed: readonly { piece: Piece; at: number }[],
  dtype: DType,
  target: HostArray,
): Promise<void> {
  await buffer.mapAsync(MAP_READ)
  const mapped = buffer.getMappedRange()
  for (const { piece, at } of placed) {
    hostValues(mapped.slice(at, at + piece.bytes), dtype, target, piece.start, piece.count)
  }
  buffer.unmap()
  staging.give(buffer)
}

function encodeCopy(encoder: GPUCommandEncoder, { segment, offset, bytes }: Piece, staging: GPUBuffer, at: number): void {
  encoder.copyBufferToBuffer(segment.buffer, segment.offset + offset, staging, at, bytes)
}

function piecesOf(type: TensorType, segments: readonly Segment[]): Piece[] {
  const size = deviceByteSize(type.dtype)
  const elements = sizeOf(type.shape)
  const pieces: Piece[] = []
  let start = 0
  for (const segment of segments) {
    const inSegment = Math.min(Math.floor(segment.size / size), elements - start)
    for (let done = 0; done < inSegment;) {
      const count = Math.min(inSegment - done, CHUNK_BYTES / size)
      pieces.push({ segment, offset: done * size, bytes: Math.ceil((count * size) / 4) * 4, start, count })
      start += count
      done += count
    }
  }
  if (start !== elements) {
    throw new ShapeError(`Segments hold ${start} of ${elements} elements`, { dtype: type.dtype, shape: type.shape })
  }
  return pieces
}
