import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { DTYPES, allocate, type DType } from '../../src/tensor/dtype.ts'
import { halfBits, type Float16Values } from '../../src/tensor/half.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

/** Values that use the whole range of a dtype, bit by bit. */
function sample(dtype: DType, length: number): HostTensor {
  const tensor = new HostTensor(dtype, [length], allocate(dtype, length))
  const { values } = tensor
  if (dtype === 'bool') for (let i = 0; i < length; i++) values[i] = (i * 7) % 3 === 0 ? 1 : 0
  else {
    const bytes = new Uint8Array(values.buffer as ArrayBuffer)
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 73 + (i >> 8) * 31 + 5) & 0xff
  }
  return tensor
}

function bits(dtype: DType, values: unknown): Uint8Array {
  const array = values as Float32Array<ArrayBuffer>
  if (dtype === 'f16') return new Uint8Array(halfBits(values as Float16Values).slice().buffer)
  return new Uint8Array(array.slice().buffer)
}

describe.each([
  ['whole', {}],
  ['in segments of 1024 bytes', { maxStorageBufferBindingSize: 1024 }],
  ['in segments of 256 bytes over several buffers', { maxStorageBufferBindingSize: 256, maxBufferSize: 1000 }],
] as const)('upload and readback, %s', (_name, limits) => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu({ limits })
  })
  afterAll(() => gpu.dispose())

  it.each(DTYPES)('%s of odd and empty lengths comes back bit for bit', async (dtype) => {
    for (const length of [0, 1, 2, 3, 5, 63, 127, 251]) {
      const source = sample(dtype, length)
      using tensor = gpu.upload(source)
      const values = await tensor.data()
      expect(values.constructor).toBe(source.values.constructor)
      expect(bits(dtype, values)).toEqual(bits(dtype, source.values))
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('lies in the segments that the limits ask for', () => {
    using tensor = gpu.allocate({ dtype: 'f32', shape: [251] })
    const most = 'maxStorageBufferBindingSize' in limits ? limits.maxStorageBufferBindingSize : Infinity
    expect(tensor.segments.length).toBe(Math.max(1, Math.ceil(1004 / most)))
    expect(tensor.segments.reduce((sum, segment) => sum + segment.size, 0)).toBe(1008)
    expect(Math.max(...tensor.segments.map((segment) => segment.size))).toBeLessThanOrEqual(most)
    using bytes = gpu.allocate({ dtype: 'u8', shape: [251] })
    expect(bytes.segments.map(({ size }) => size)).toEqual([256])
    const buffers = new Set(tensor.segments.map((segment) => segment.buffer))
    expect(buffers.size).toBe('maxBufferSize' in limits ? 2 : 1)
  })
})

it('carries more than one chunk', async () => {
  using gpu = await openGpu()
  const source = sample('i8', 17 * 2 ** 20 + 3)
  using tensor = gpu.upload(source)
  // Buffer.compare: toEqual takes seconds on millions of elements.
  expect(Buffer.compare(bits('i8', await tensor.data()), bits('i8', source.values))).toBe(0)
})
