/**
 * Tensors in GPU memory. Row-major elements, in segments that one binding takes each: a tensor larger than the binding limit lies
 * in several, which may be ranges of one buffer or several buffers. See `deviceByteSize` for how each dtype lies.
 */
import { DeviceLimitError, DisposedError, DtypeError, type ErrorDetails } from '../errors.ts'
import type { DType, HostArray } from '../tensor/dtype.ts'
import { formatShape, sizeOf, type Shape } from '../tensor/shape.ts'
import type { Tensor, TensorType } from '../tensor/tensor.ts'
import type { Segment } from './pool.ts'
import { deviceByteSize, segmentBytes, segmentCount, type DeviceFacts } from './program.ts'

export type Layout = 'row-major'

/** What a tensor needs of the Gpu it lies on. */
export interface TensorHome {
  read(tensor: DeviceTensor): Promise<HostArray>
  release(tensor: DeviceTensor): void
}

export class DeviceTensor implements Tensor {
  readonly location = 'device'
  readonly dtype: DType
  readonly shape: Shape
  readonly layout: Layout = 'row-major'
  readonly #segments: readonly Segment[]
  readonly #home: TensorHome
  #disposed = false

  constructor(home: TensorHome, type: TensorType, segments: readonly Segment[]) {
    this.#home = home
    this.dtype = type.dtype
    this.shape = type.shape
    this.#segments = segments
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Where the bytes lie. @throws DisposedError after `dispose`. */
  get segments(): readonly Segment[] {
    if (this.#disposed) {
      throw new DisposedError('This tensor was disposed', {
        dtype: this.dtype,
        shape: this.shape,
        remedy: 'Read it before you dispose of it',
      })
    }
    return this.#segments
  }

  /** The values, read back. @throws DisposedError, DeviceLostError. */
  async data(): Promise<HostArray> {
    return this.#home.read(this)
  }

  /** Gives the memory back. Work already submitted still sees it. */
  dispose(): void {
    if (this.#disposed) return
    this.#home.release(this)
    this.#disposed = true
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** Bytes of a tensor's values on the device: whole 32-bit words. */
export function tensorBytes(type: TensorType): number {
  return Math.ceil((sizeOf(type.shape) * deviceByteSize(type.dtype)) / 4) * 4
}

/**
 * Checks that the device can hold a tensor and bind it whole: its dtype, its segments, and that a u32 can index it.
 * @throws DtypeError for f16 without `shader-f16`, DeviceLimitError for a tensor that is too large. `where` names the node and op.
 */
export function checkTensor(type: TensorType, facts: DeviceFacts, where: ErrorDetails = {}): void {
  const { dtype, shape } = type
  if (dtype === 'f16' && !facts.features.has('shader-f16')) {
    throw new DtypeError('This device has no half floats', {
      ...where,
      dtype,
      shape,
      limit: 'feature shader-f16 is missing',
      remedy: 'Use precision f32, or another adapter',
    })
  }
  const elements = sizeOf(shape)
  if (elements >= 2 ** 32) {
    throw new DeviceLimitError(`A tensor of shape ${formatShape(shape)} has more elements than a shader can index`, {
      ...where,
      dtype,
      shape,
      limit: '2^32 elements',
      remedy: 'Split it, or use a smaller batch',
    })
  }
  const bytesPerSegment = segmentBytes(facts.limits)
  const count = segmentCount(type, bytesPerSegment)
  const limit = facts.limits.maxStorageBuffersPerShaderStage
  if (count > limit) {
    throw new DeviceLimitError(`A tensor of ${tensorBytes(type)} bytes takes ${count} bindings of ${bytesPerSegment} bytes`, {
      ...where,
      dtype,
      shape,
      limit: `maxStorageBuffersPerShaderStage ${limit}, maxStorageBufferBindingSize ${facts.limits.maxStorageBufferBindingSize}`,
      remedy: 'Use a smaller batch, precision f16, or an adapter with larger bindings',
    })
  }
}
