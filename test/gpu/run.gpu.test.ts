import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeviceLimitError, DeviceValidationError, DtypeError } from '../../src/errors.ts'
import { copyDispatch } from '../../src/gpu/fill.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { OpPlan, ProgramSource } from '../../src/gpu/program.ts'
import { runPlan } from '../../src/ops/run.ts'
import { tensor, type TensorType } from '../../src/tensor/tensor.ts'

function copyPlan(from: TensorType, to: TensorType): OpPlan {
  return { reason: 'test', dispatches: [copyDispatch(from, to)], temps: [] }
}

/** Adds 1 to counts[group] for each group that runs: shows groups left out or run twice. */
const COUNT: ProgramSource = {
  name: 'test/count',
  body: `@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
  let group = workgroup_index(wid, grid);
  if (group >= params.groups) { return; }
  store_counts(group, load_counts(group) + 1u);
}`,
  operands: [{ name: 'counts', dtype: 'u32', access: 'read_write' }],
  params: {},
  workgroupSize: [1, 1, 1],
}

function countPlan(groups: number, flops = 0): OpPlan {
  const bind = [{ kind: 'output', index: 0 }] as const
  return { reason: 'test', temps: [], dispatches: [{ program: COUNT, bind, params: {}, groups, cost: { flops, bytes: 0 } }] }
}

describe('runPlan', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each([1, 65_535, 65_536, 70_001, 131_073])('runs each of %i workgroups once', async (groups) => {
    const type = { dtype: 'u32', shape: [groups] } as const
    const zero: OpPlan = { ...countPlan(groups), temps: [{ ...type, zeroed: true }] }
    const plan: OpPlan = { ...zero, dispatches: [{ ...zero.dispatches[0]!, bind: [{ kind: 'temp', index: 0 }] }, copyTemp(type)] }
    const [counts] = await runPlan(gpu, plan, [], [type])
    expect((await counts!.data()).every((count) => count === 1)).toBe(true)
    counts!.dispose()
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('runs each workgroup once when the dispatch is split', async () => {
    const groups = 1003
    const type = { dtype: 'u32', shape: [groups] } as const
    const flops = 5e8 * 0.5 * 7.5
    const plan: OpPlan = {
      reason: 'test',
      temps: [{ ...type, zeroed: true }],
      dispatches: [{ ...countPlan(groups, flops).dispatches[0]!, bind: [{ kind: 'temp', index: 0 }] }, copyTemp(type)],
    }
    const [counts] = await runPlan(gpu, plan, [], [type], { signal: new AbortController().signal })
    expect((await counts!.data()).every((count) => count === 1)).toBe(true)
    counts!.dispose()
  })

  it('converts between f32 and f16', async () => {
    const from = tensor([1, -0, 65504, 1e6, Number.NaN, 1 / 3], [6], 'f32')
    using x = gpu.upload(from)
    const [half] = await runPlan(gpu, copyPlan(x, { dtype: 'f16', shape: [6] }), [x], [{ dtype: 'f16', shape: [6] }])
    const values = [...(await half!.data())]
    expect(values.slice(0, 3)).toEqual([1, -0, 65504])
    expect(values[4]).toBeNaN()
    expect(values[5]).toBeCloseTo(1 / 3, 3)
    half!.dispose()
  })

  it('names the line of a shader that the device refuses, and goes on', async () => {
    const bad: ProgramSource = { ...COUNT, name: 'test/bad', body: 'fn main() { nonsense(); }' }
    const plan = countPlan(1)
    const run = runPlan(
      gpu,
      { ...plan, dispatches: [{ ...plan.dispatches[0]!, program: bad }] },
      [],
      [{ dtype: 'u32', shape: [1] }],
    )
    await expect(run).rejects.toThrow(DeviceValidationError)
    await expect(run).rejects.toThrow(/nonsense[^]*\d+ \| fn main/)
    using x = gpu.upload(tensor([7]))
    const [y] = await runPlan(gpu, copyPlan(x, x), [x], [x])
    expect([...(await y!.data())]).toEqual([7])
    y!.dispose()
  })

  it('refuses to read and write one buffer in a dispatch', async () => {
    using x = gpu.upload(tensor([7]))
    const plan = copyPlan(x, x)
    const [dispatch] = plan.dispatches
    const self: OpPlan = { ...plan, dispatches: [{ ...dispatch!, bind: [dispatch!.bind[0]!, dispatch!.bind[0]!] }] }
    await expect(runPlan(gpu, self, [x], [])).rejects.toThrow(/reads and writes one buffer/)
  })
})

function copyTemp(type: TensorType): OpPlan['dispatches'][number] {
  const bind = [
    { kind: 'temp', index: 0 },
    { kind: 'output', index: 0 },
  ] as const
  return { ...copyDispatch(type, type), bind }
}

describe('a small device', () => {
  it('computes on tensors in segments', async () => {
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: 256, maxBufferSize: 600 } })
    const values = Float32Array.from({ length: 449 }, (_, i) => i - 3.5)
    using x = gpu.upload(tensor(values))
    expect(x.segments.length).toBe(8)
    const [y] = await runPlan(gpu, copyPlan(x, x), [x], [x])
    expect(await y!.data()).toEqual(values)
    y!.dispose()
  })

  it('says before it runs that a tensor takes too many bindings', async () => {
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: 256, maxStorageBuffersPerShaderStage: 4 } })
    expect(() => gpu.allocate({ dtype: 'f32', shape: [5, 64] })).toThrow(DeviceLimitError)
    expect(() => gpu.allocate({ dtype: 'f32', shape: [5, 64] })).toThrow(
      /5 bindings.*dtype f32; shape \[5, 64\].*maxStorageBuffersPerShaderStage 4/,
    )
    using x = gpu.allocate({ dtype: 'f32', shape: [3, 64] })
    const run = runPlan(gpu, copyPlan(x, x), [x], [x], { node: 'conv1' })
    await expect(run).rejects.toThrow(/6 storage bindings \(node conv1; dtype f32; shape \[3, 64\]/)
    expect(gpu.memory.liveBytes).toBe(768)
  })

  it('has no f16 without the feature, and says so', async () => {
    using gpu = await openGpu({ withoutFeatures: ['shader-f16'] })
    expect(() => gpu.allocate({ dtype: 'f16', shape: [2] })).toThrow(DtypeError)
    expect(() => gpu.allocate({ dtype: 'f16', shape: [2] })).toThrow(/shader-f16 is missing\)\. Use precision f32/)
  })
})

describe('a tensor above the binding limit', () => {
  it('of 144 MiB, as AlexNet’s fc6, is bound in ranges', async () => {
    // Held to 128 MiB on any device, which is what lavapipe binds.
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: 2 ** 27 } })
    const values = new Float32Array(4096 * 9216)
    for (let i = 0; i < values.length; i++) values[i] = i
    using x = gpu.upload(tensor(values, [4096, 9216]))
    expect(x.segments.map(({ offset, size }) => [offset, size])).toEqual([
      [0, 2 ** 27],
      [2 ** 27, 2 ** 24],
    ])
    expect(x.segments[0]?.buffer).toBe(x.segments[1]?.buffer)
    const [y] = await runPlan(gpu, copyPlan(x, x), [x], [x])
    const back = (await y!.data()) as Float32Array
    expect(Buffer.compare(new Uint8Array(back.buffer), new Uint8Array(values.buffer))).toBe(0)
    y!.dispose()
  })
})

describe('stopping', () => {
  it('happens between the launches of a split dispatch', async () => {
    using gpu = await openGpu()
    const groups = 64
    using counts = gpu.upload(tensor(new Uint32Array(groups)))
    const bind = [{ kind: 'input', index: 0 }] as const
    const rate = gpu.facts.software ? 5e8 : 5e10
    // Estimated at half a second for every two groups: 32 launches, each a submission of its own.
    const cost = { flops: rate * 0.5 * 32, bytes: 0 }
    const plan: OpPlan = { reason: 'test', temps: [], dispatches: [{ program: COUNT, bind, params: {}, groups, cost }] }
    const control = new AbortController()
    const reason = new Error('enough')
    const idle = gpu.idle.bind(gpu)
    let waits = 0
    gpu.idle = async () => {
      await idle()
      if (++waits === 3) control.abort(reason)
    }
    await expect(runPlan(gpu, plan, [counts], [], { signal: control.signal })).rejects.toBe(reason)
    const expected = Array.from({ length: groups }, (_, group) => (group < 6 ? 1 : 0))
    expect([...(await counts.data())]).toEqual(expected)
  })
})

describe('an error that no scope catches', () => {
  it('is told at the next wait, by name, once', async () => {
    using gpu = await openGpu()
    using x = gpu.upload(tensor([1]))
    const encoder = gpu.device.createCommandEncoder()
    encoder.copyBufferToBuffer(x.segments[0]!.buffer, 0, x.segments[0]!.buffer, 0, 2 ** 20)
    gpu.device.queue.submit([encoder.finish()])
    await expect(gpu.idle()).rejects.toThrow(DeviceValidationError)
    expect([...(await x.data())]).toEqual([1])
  })
})
