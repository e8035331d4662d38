/**
 * GPU memory. Buffers are taken by size class and given back for reuse; every byte in use is counted, so that a leak shows.
 * An allocation is a run of bytes over one buffer, or over several where it exceeds `maxBufferSize`.
 */
import { DisposedError } from '../errors.ts'
import { BUFFER_USAGE } from './flags.ts'

/** Think of it as a malloc'ed block: `bytes` of memory, cut into segments that one binding takes. */
export interface Allocation {
  readonly buffers: readonly GPUBuffer[]
  readonly bytes: number
}

export interface Segment<B = GPUBuffer> {
  readonly buffer: B
  /** Bytes. */
  readonly offset: number
  readonly size: number
}

export interface MemoryUse {
  /** Bytes of buffers in use. */
  readonly liveBytes: number
  /** Bytes of buffers kept for reuse. */
  readonly pooledBytes: number
  /** The largest liveBytes so far. */
  readonly peakBytes: number
}

/** Bindings are multiples of 16 bytes, so that an odd number of halves, or nothing, can be bound. */
const GRAIN = 16
const SMALLEST_CLASS = 256
const STORAGE = BUFFER_USAGE.storage | BUFFER_USAGE.copySource | BUFFER_USAGE.copyTarget

/** Bytes that hold `bytes` of values in a binding: at least 16, a multiple of 16. */
export function bindingBytes(bytes: number): number {
  return Math.max(GRAIN, Math.ceil(bytes / GRAIN) * GRAIN)
}

/** The size class of `bytes`: four classes to an octave, so that at most a fifth is wasted. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS) return SMALLEST_CLASS
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(bytes)) - 3)
  const quantum = Math.max(GRAIN, step)
  return Math.ceil(bytes / quantum) * quantum
}

export class BufferPool {
  readonly #device: GPUDevice
  readonly #maxBufferSize: number
  readonly #segmentBytes: number
  readonly #keepBytes: number
  readonly #free = new Map<number, GPUBuffer[]>()
  #live = 0
  #pooled = 0
  #peak = 0
  #disposed = false

  /** @param keepBytes at most so many bytes are kept for reuse */
  constructor(device: GPUDevice, options: { maxBufferSize: number; segmentBytes: number; keepBytes: number }) {
    this.#device = device
    this.#maxBufferSize = Math.floor(options.maxBufferSize / GRAIN) * GRAIN
    this.#segmentBytes = options.segmentBytes
    this.#keepBytes = options.keepBytes
  }

  get use(): MemoryUse {
    return { liveBytes: this.#live, pooledBytes: this.#pooled, peakBytes: this.#peak }
  }

  /** Memory for `bytes` of values; its contents are whatever was there. */
  acquire(bytes: number): Allocation {
    if (this.#disposed) throw new DisposedError('The Gpu was disposed')
    const wanted = bindingBytes(bytes)
    if (wanted <= this.#maxBufferSize) return { buffers: [this.#take(wanted)], bytes: wanted }
    const whole = Math.floor(this.#maxBufferSize / this.#segmentBytes) * this.#segmentBytes
    const buffers: GPUBuffer[] = []
    for (let start = 0; start < wanted; start += whole) buffers.push(this.#take(Math.min(whole, wanted - start)))
    return { buffers, bytes: wanted }
  }

  /** Gives memory back. It may be handed out again at once: the queue's order keeps earlier work correct. */
  release(allocation: Allocation): void {
    for (const buffer of allocation.buffers) {
      this.#live -= buffer.size
      if (this.#disposed || this.#pooled + buffer.size > this.#keepBytes) {
        buffer.destroy()
        continue
      }
      this.#pooled += buffer.size
      const list = this.#free.get(buffer.size)
      if (list === undefined) this.#free.set(buffer.size, [buffer])
      else list.push(buffer)
    }
  }

  /** Frees what is kept for reuse. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) buffer.destroy()
    this.#free.clear()
    this.#pooled = 0
  }

  dispose(): void {
    this.#disposed = true
    this.trim()
  }

  #take(bytes: number): GPUBuffer {
    const size = Math.min(sizeClass(bytes), this.#maxBufferSize)
    const reused = this.#free.get(size)?.pop()
    if (reused !== undefined) this.#pooled -= size
    const buffer = reused ?? this.#device.createBuffer({ size, usage: STORAGE, label: 'tensor' })
    this.#live += size
    this.#peak = Math.max(this.#peak, this.#live)
    return buffer
  }
}

/** The segments of a tensor of `bytes` that lies at the start of `allocation`, as `assemble` expects them. */
export function segmentsOf<B extends Pick<GPUBuffer, 'size'>>(
  allocation: { readonly buffers: readonly B[] },
  bytes: number,
  segmentBytes: number,
): Segment<B>[] {
  const wanted = bindingBytes(bytes)
  const segments: Segment<B>[] = []
  let start = 0
  const last = allocation.buffers.at(-1)
  for (const buffer of allocation.buffers) {
    const whole = buffer === last ? buffer.size : Math.floor(buffer.size / segmentBytes) * segmentBytes
    for (let offset = 0; offset < whole && start < wanted; offset += segmentBytes) {
      const size = Math.min(segmentBytes, wanted - start)
      segments.push({ buffer, offset, size })
      start += size
    }
  }
  return segments
}
