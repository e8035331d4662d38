/** What `load_x` and `store_x` do on the device, for each dtype and width, whole and in segments. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { DispatchPlan, OpPlan, OperandSpec } from '../../src/gpu/program.ts'
import { runPlan } from '../../src/ops/run.ts'
import { allocate, type DType, type HostArray } from '../../src/tensor/dtype.ts'
import { halfBits, isFloat16Array } from '../../src/tensor/half.ts'
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
