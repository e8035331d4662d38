/** What `load_x` and `store_x` do on the device, for each dtype and width, whole and in segments. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { DispatchPlan, OpPlan, OperandSpec } from '../../src/gpu/program.ts'
import { runPlan } from '../../src/ops/run.ts'
import { allocate, type DType, type HostArray } from '../../src/tensor/dtype.ts'
import { float16Array, halfBits, isFloat16Array } from '../../src/tensor/half.ts'
import { HostTensor, type TensorType } from '../../src/tensor/tensor.ts'

const LANES = 32

/** y[i] = `expression` of i for accesses i = 0 … count − 1. */
function dispatchOf(count: number, expression: string, x: OperandSpec, y: OperandSpec): DispatchPlan {
  return {
    program: {
      name: 'test/access',
      body: `@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(wid, grid) * LANES + lane;
  if (i < params.count) { store_y(i, ${expression}); }
}`,
      operands: [x, y],
      params: { count: 'u32' },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [
      { kind: 'input', index: 0 },
      { kind: 'output', index: 0 },
    ],
    params: { count },
    groups: Math.ceil(count / LANES),
    cost: { flops: 0, bytes: 0 },
  }
}

/** Bytes that use the whole range of a dtype. */
function sample(dtype: DType, length: number): HostTensor {
  const values = allocate(dtype, length)
  const bytes = new Uint8Array(values.buffer as ArrayBuffer)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 73 + (i >> 8) * 31 + 5) & 0xff
  // Without NaN, whose bits a conversion may change.
  if (dtype === 'f16' || dtype === 'f32') for (let i = 0; i < length; i++) values[i] = ((i * 37) % 101) - 50.5
  return new HostTensor(dtype, [length], values)
}

function bitsOf(values: HostArray): Uint8Array {
  if (isFloat16Array(values)) return new Uint8Array(halfBits(values).slice().buffer)
  return new Uint8Array(values.slice().buffer)
}

async function compute(gpu: Gpu, x: HostTensor, type: TensorType, dispatch: DispatchPlan): Promise<HostArray> {
  const plan: OpPlan = { reason: 'test', dispatches: [dispatch], temps: [] }
  using input = gpu.upload(x)
  const [output] = await runPlan(gpu, plan, [input], [type])
  try {
    if (output === undefined) throw new Error('the plan has no output')
    return await output.data()
  } finally {
    output?.dispose()
  }
}

describe.each([
  ['whole', {}],
  ['in segments of 256 bytes over several buffers', { maxStorageBufferBindingSize: 256, maxBufferSize: 600 }],
] as const)('accessors, %s', (_name, limits) => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu({ limits })
  })
  afterAll(() => gpu.dispose())

  it.each(['i8', 'u8'] as const)(
    'bytes of %s are loaded with their sign and stored side by side, high bits dropped',
    async (dtype) => {
      for (const length of [1, 2, 3, 5, 255, 259, 771]) {
        const x = sample(dtype, length)
        const dispatch = dispatchOf(
          length,
          `load_x(params.count - 1u - i) * ${dtype === 'u8' ? '3u' : '3'}`,
          { name: 'x', dtype, access: 'read' },
          { name: 'y', dtype, access: 'write' },
        )
        const expected = allocate(dtype, length)
        for (let i = 0; i < length; i++) expected[i] = Number(x.values[length - 1 - i]) * 3
        expect(await compute(gpu, x, x, dispatch)).toEqual(expected)
      }
    },
  )

  it('a byte that is read and written keeps its neighbours', async () => {
    const length = 301
    const x = sample('i8', length)
    const { program, ...rest } = dispatchOf(
      length,
      'load_y(i)',
      { name: 'x', dtype: 'i8', access: 'read' },
      { name: 'y', dtype: 'i8', access: 'read_write' },
    )
    // Each invocation owns byte i and changes it three times.
    const body = program.body.replace(
      /store_y.*/,
      'store_y(i, load_x(i)); for (var n = 0u; n < 3u; n++) { store_y(i, load_y(i) + 5); } }',
    )
    const expected = Int8Array.from({ length }, (_, i) => Number(x.values[i]) + 15)
    expect(await compute(gpu, x, x, { ...rest, program: { ...program, body } })).toEqual(expected)
  })

  it.each(['f32', 'f16', 'i32', 'u32', 'i8', 'u8'] as const)('width 4 moves vectors of %s', async (dtype) => {
    for (const length of [4, 252, 444]) {
      const x = sample(dtype, length)
      const vectors = length / 4
      const dispatch = dispatchOf(
        vectors,
        'load_x(params.count - 1u - i)',
        { name: 'x', dtype, access: 'read', width: 4 },
        { name: 'y', dtype, access: 'write', width: 4 },
      )
      const expected = allocate(dtype, length)
      for (let i = 0; i < length; i++) expected[i] = x.values[length - 4 - (i - (i % 4)) + (i % 4)] as never
      expect(bitsOf(await compute(gpu, x, x, dispatch))).toEqual(bitsOf(expected))
    }
  })

  it.each(['f32', 'f16', 'i8'] as const)('the last vector of %s is bound though the tensor ends inside it', async (dtype) => {
    for (const length of [1, 2, 3, 65, 257, 443]) {
      const x = sample(dtype, length)
      // Written element by element, read back by vectors: what lies past the end is masked by the element count.
      const element = dtype === 'i8' ? 'i32(extractBits(i32(load_x(i / 4u)), 8u * (i % 4u), 8u))' : 'load_x(i / 4u)[i % 4u]'
      const dispatch = dispatchOf(
        length,
        element,
        { name: 'x', dtype, access: 'read', width: 4 },
        { name: 'y', dtype, access: 'write' },
      )
      expect(bitsOf(await compute(gpu, x, x, dispatch))).toEqual(bitsOf(x.values))
    }
  })
})

it('raw halves stay halves, and words of bytes go to dot4I8Packed', async () => {
  using gpu = await openGpu()
  for (const width of [1, 4] as const) {
    const x = sample('f16', 64)
    const specs = [
      { name: 'x', dtype: 'f16', access: 'read', width, raw: true },
      { name: 'y', dtype: 'f16', access: 'write', width, raw: true },
    ] as const
    const dispatch = dispatchOf(64 / width, 'load_x(i) + y_t(0.5h)', ...specs)
    const expected = float16Array(64)
    for (let i = 0; i < 64; i++) expected[i] = Number(x.values[i]) + 0.5
    expect(bitsOf(await compute(gpu, x, x, dispatch))).toEqual(bitsOf(expected))
  }
  const x = sample('i8', 256)
  const specs = [
    { name: 'x', dtype: 'i8', access: 'read', width: 4 },
    { name: 'y', dtype: 'i32', access: 'write' },
  ] as const
  const { program, ...rest } = dispatchOf(64, 'dot4I8Packed(load_x(i), 0x80ff7f02u)', ...specs)
  expect(gpu.facts.language).toContain('packed_4x8_integer_dot_product')
  const packed = { ...rest, program: { ...program, requires: ['packed_4x8_integer_dot_product'] as const } }
  const dot = Int32Array.from({ length: 64 }, (_, i) => {
    return [2, 127, -1, -128].reduce((sum, factor, byte) => sum + factor * Number(x.values[4 * i + byte]), 0)
  })
  expect(await compute(gpu, x, { dtype: 'i32', shape: [64] }, packed)).toEqual(dot)
})

describe('stores of f16 round to nearest, ties to even, infinite from 65520 on', () => {
  /** Every half float, what lies half way to the next, and the f32 on either side of that; both signs; the rest of the range. */
  function values(): Float32Array {
    const bits: number[] = []
    const words = new Uint32Array(1)
    const word = new Float32Array(words.buffer)
    for (const [first, second] of neighbours()) {
      word[0] = (first + second) / 2
      const middle = Number(words[0])
      word[0] = first
      bits.push(Number(words[0]), middle - 1, middle, middle + 1)
    }
    for (const value of [65519.99609375, 65520, 65535, 65536, 1e6, 3.4e38, Infinity, NaN, 1e-40, 1e-45]) {
      word[0] = value
      bits.push(Number(words[0]))
    }
    return new Float32Array(Uint32Array.from([...bits, ...bits.map((pattern) => pattern + 2 ** 31)]).buffer)
  }

  function neighbours(): [number, number][] {
    const all = new Uint16Array(0x7c00).map((_, index) => index)
    const halves = float16Array(all.buffer, 0, all.length)
    return Array.from(all, (index) => [halves[index] ?? NaN, index === 0x7bff ? 65536 : (halves[index + 1] ?? NaN)])
  }

  it.each([
    ['here', {}],
    ['on a device that rounds otherwise', { halvesRound: false }],
  ])('%s', async (_name, other) => {
    using opened = await openGpu()
    expect(opened.facts.halvesRound).toBeTypeOf('boolean')
    using gpu = new Gpu(opened.device, { ...opened.facts, ...other }, opened.adapter)
    const x = new HostTensor('f32', [values().length], values())
    const expected = float16Array(x.values.length)
    expected.set(values())
    const bits = halfBits(expected)
    for (const width of [1, 4] as const) {
      const count = Math.ceil(bits.length / width)
      const specs = [
        { name: 'x', dtype: 'f32', access: 'read', width },
        { name: 'y', dtype: 'f16', access: 'write', width },
      ] as const
      const stored = await compute(gpu, x, { dtype: 'f16', shape: x.shape }, dispatchOf(count, 'load_x(i)', ...specs))
      if (!isFloat16Array(stored)) throw new Error('not halves')
      const wrong = Array.from(halfBits(stored)).flatMap((got, i) => {
        const nan = (pattern = 0): boolean => (pattern & 0x7fff) > 0x7c00
        return got === bits[i] || (nan(got) && nan(bits[i])) ? [] : [[x.values[i], got, bits[i]]]
      })
      expect(wrong).toEqual([])
      expect(stored.length).toBeGreaterThan(250_000)
    }
  })
})
