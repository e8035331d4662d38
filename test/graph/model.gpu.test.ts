import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeviceLimitError, DeviceLostError, DisposedError, DtypeError, OptionError, ShapeError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { compile } from '../../src/graph/model.ts'
import { HostTensor, tensor, type Tensor } from '../../src/tensor/tensor.ts'
import { OPS } from './ops.ts'

/** y = 2x + w reshaped to [N·3], z = y + 1. */
function net(batch: number | string = 'N'): Graph {
  const g = graph('net')
  const x = g.input('x', 'f32', [batch, 3])
  const w = tensor([10, 20, 30, 40, 50, 60], [2, 3])
  const y = g.add(g.node('affine', [x], { factor: 2, name: 'double' }), batch === 2 ? w : x, { name: 'sum' })
  g.output('y', y)
  g.output('z', g.node('affine', [g.identity(y)], { offset: 1 }))
  return g.finish()
}

async function values(tensor: Tensor | undefined): Promise<number[]> {
  return Array.from((await tensor?.data()) ?? [], Number)
}

describe('a model', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  it('runs', async () => {
    const stages: string[] = []
    using model = await compile(gpu, net(2), {
      ops: OPS,
      onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`),
    })
    expect(model.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: [2, 3] }])
    expect(model.outputs).toEqual([
      { name: 'y', dtype: 'f32', shape: [2, 3] },
      { name: 'z', dtype: 'f32', shape: [2, 3] },
    ])
    expect(stages).toEqual(['upload 1/1', 'compile 1/3', 'compile 2/3', 'compile 3/3'])
    const { y, z } = await model.run({ x: tensor([1, 2, 3, 4, 5, 6], [2, 3]) })
    expect(await values(y)).toEqual([12, 24, 36, 48, 60, 72])
    expect(await values(z)).toEqual([13, 25, 37, 49, 61, 73])
    expect(z?.shape).toEqual([2, 3])
  })

  it('compiles for each batch, keeps a few plans and frees the others', async () => {
    using model = await compile(gpu, net(), { ops: OPS, plans: 2 })
    expect(model.outputs[0]).toEqual({ name: 'y', dtype: 'f32', shape: ['N', 3] })
    const used: number[] = []
    for (const n of [1, 2, 3, 1000, 1, 0, 4]) {
      const x = tensor(
        Array.from({ length: 3 * n }, (_, i) => i),
        [n, 3],
      )
      const { y } = await model.run({ x })
      expect(y?.shape).toEqual([n, 3])
      expect(await values(y)).toEqual(Array.from({ length: 3 * n }, (_, i) => 3 * i))
      used.push(gpu.memory.liveBytes)
    }
    expect(used.at(-1)).toBe(used[1])
  })

  it('shares pipelines between layers and models', async () => {
    const before = gpu.pipelines.size
    using one = await compile(gpu, net(2), { ops: OPS })
    using two = await compile(gpu, net(), { ops: OPS })
    await two.run({ x: tensor([1, 2, 3], [1, 3]) })
    expect(one.disposed).toBe(false)
    expect(gpu.pipelines.size).toBe(before)
  })

  it('leaves live bytes after 1000 runs where they were after the first', async () => {
    using model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    await model.run({ x })
    const { liveBytes, peakBytes } = gpu.memory
    for (let run = 0; run < 1000; run++) {
      const { y } = await model.run({ x })
      if (run % 100 === 0) expect(await values(y)).toEqual([3, 6, 9])
    }
    expect(gpu.memory.liveBytes).toBe(liveBytes)
    expect(gpu.memory.peakBytes).toBe(peakBytes)
  })

  it('queues concurrent runs', async () => {
    using model = await compile(gpu, net(), { ops: OPS })
    const runs = Array.from({ length: 20 }, (_, i) => model.run({ x: tensor([i, i, i], [1, 3]) }))
    const results = await Promise.all(runs)
    for (const [i, { y }] of results.entries()) expect(await values(y)).toEqual([3 * i, 3 * i, 3 * i])
  })

  it('takes and gives device tensors', async () => {
    using model = await compile(gpu, net(), { ops: OPS })
    using x = gpu.upload(tensor([1, 2, 3], [1, 3]))
    const { y: first, z } = await model.run({ x }, { to: 'device' })
    const again = await model.run({ x: z! }, { to: 'device' })
    expect(z?.location).toBe('device')
    expect(await values(z)).toEqual([4, 7, 10])
    expect(await values(again.z)).toEqual([13, 22, 31])
    expect(await values(first)).toEqual([3, 6, 9])
    for (const result of [first, z, again.y, again.z]) result?.dispose()
  })

  it('returns constants, inputs and folded values as outputs', async () => {
    const g = graph()
    const x = g.input('x', 'f32', [2])
    g.output('same', x)
    g.output('folded', g.node('affine', [tensor([1, 2])], { factor: 3 }))
    using model = await compile(gpu, g.finish(), { ops: OPS })
    const { same, folded } = await model.run({ x: tensor([7, 8]) })
    expect(await values(same)).toEqual([7, 8])
    expect(await values(folded)).toEqual([3, 6])
  })

  it('takes the shape of a reshape from a fed value', async () => {
    const g = graph()
    const x = g.input('x', 'f32', [6])
    g.output('y', g.node('affine', [g.reshape(x, g.input('to', 'i64', ['R']))], { factor: 2 }))
    using model = await compile(gpu, g.finish(), { ops: OPS })
    for (const to of [
      [2, 3],
      [6, 1],
      [3, 2],
    ]) {
      // prettier-ignore
      const { y } = await model.run({ x: tensor([1, 2, 3, 4, 5, 6]), to: tensor(to, [2], 'i64') })
      expect(y?.shape).toEqual(to)
      expect(await values(y)).toEqual([2, 4, 6, 8, 10, 12])
    }
  })

  it('returns every value for verification', async () => {
    using model = await compile(gpu, net(2), { ops: OPS })
    const all = await model.runAll({ x: tensor([1, 2, 3, 4, 5, 6], [2, 3]) })
    expect(Object.keys(all)).toEqual(['double', 'y', 'identity_1', 'z'])
    expect([...all.double!.values]).toEqual([2, 4, 6, 8, 10, 12])
    expect([...all.z!.values]).toEqual([13, 25, 37, 49, 61, 73])
  })

  it('stores halves in precision f16 and returns f32', async () => {
    using model = await compile(gpu, net(2), { ops: OPS, precision: 'f16' })
    const x = tensor([1 / 3, 2, 3, 1e6, Number.NaN, -0], [2, 3])
    const { y } = await model.run({ x })
    expect(y?.dtype).toBe('f32')
    const result = await values(y)
    expect(result[0]).toBeCloseTo(10 + 2 / 3, 2)
    expect(result[0]).not.toBe(Math.fround(10 + 2 / 3))
    expect(result.slice(3)).toEqual([Infinity, Number.NaN, 60])
    const all = await model.runAll({ x })
    expect(all.y?.dtype).toBe('f16')
    using onDevice = gpu.upload(x)
    const { y: copy, z: other } = await model.run({ x: onDevice }, { to: 'device' })
    expect(copy?.dtype).toBe('f32')
    expect(await values(copy)).toEqual(result)
    copy?.dispose()
    other?.dispose()
    const { z } = await model.run({ x: onDevice })
    expect((await values(z))[1]).toBe(25)
  })

  it('lets a caller replace the plan of a node', async () => {
    const seen: string[] = []
    using model = await compile(gpu, net(2), {
      ops: OPS,
      planNode: ({ node, definition, context }, device) => {
        seen.push(node.name)
        if (node.name !== 'double') return undefined
        return definition.plan({ ...context, attributes: { factor: 3, offset: 0 }, device })
      },
    })
    const { y } = await model.run({ x: tensor([1, 1, 1, 1, 1, 1], [2, 3]) })
    expect(await values(y)).toEqual([13, 23, 33, 43, 53, 63])
    expect(seen).toEqual(['double', 'sum', 'identity_1', 'affine_1'])
    expect(model.plan().map(({ plan }) => plan.reason)).toEqual(['test', 'test', 'no-op', 'test'])
  })

  it('names what is wrong with its inputs', async () => {
    using model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    await expect(model.run({ picture: x })).rejects.toThrow('The model has no input picture. The model takes x f32 [N, 3]')
    await expect(model.run({})).rejects.toThrow(OptionError)
    await expect(model.run({ x: tensor([1, 2, 3], [1, 3], 'i32') })).rejects.toThrow(DtypeError)
    await expect(model.run({ x: tensor([1, 2, 3]) })).rejects.toThrow(/rank 1, not 2/)
    await expect(model.run({ x: tensor([1, 2], [1, 2]) })).rejects.toThrow(ShapeError)
  })

  it('has no int8 yet, and says so', async () => {
    await expect(compile(gpu, net(), { ops: OPS, precision: 'int8' })).rejects.toThrow(/int8 is not available yet/)
  })

  it('rejects an aborted run with its reason and goes on', async () => {
    using model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    const reason = new Error('enough')
    await expect(model.run({ x }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const control = new AbortController()
    const first = model.run({ x })
    const queued = model.run({ x }, { signal: control.signal })
    const third = model.run({ x })
    control.abort(reason)
    await expect(queued).rejects.toBe(reason)
    expect(await values((await first).y)).toEqual([3, 6, 9])
    expect(await values((await third).y)).toEqual([3, 6, 9])
  })

  it('refuses runs after dispose', async () => {
    const model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    let leave = (): void => {}
    const before = gpu.exclusive(() => new Promise<void>((resolve) => (leave = resolve)))
    const queued = model.run({ x })
    await new Promise((resolve) => setTimeout(resolve, 5))
    model.dispose()
    leave()
    await before
    await expect(queued).rejects.toThrow(DisposedError)
    await expect(model.run({ x })).rejects.toThrow(DisposedError)
  })

  it('uploads lazy weights', async () => {
    const g = graph()
    let made = 0
    const w = new HostTensor('f32', [4], () => {
      made++
      return Float32Array.of(1, 2, 3, 4)
    })
    g.output('y', g.add(g.input('x', 'f32', [4]), w))
    using model = await compile(gpu, g.finish(), { ops: OPS })
    expect(made).toBe(1)
    expect(await values((await model.run({ x: tensor([1, 1, 1, 1]) })).y)).toEqual([2, 3, 4, 5])
  })
})

describe('a model on a small device', () => {
  it('runs in segments', async () => {
    using gpu = await openGpu({
      limits: { maxStorageBufferBindingSize: 256, maxBufferSize: 600, maxStorageBuffersPerShaderStage: 15 },
    })
    using model = await compile(gpu, net(), { ops: OPS })
    const x = tensor(
      Array.from({ length: 300 }, (_, i) => i),
      [100, 3],
    )
    const { z } = await model.run({ x })
    expect(await values(z)).toEqual(Array.from({ length: 300 }, (_, i) => 3 * i + 1))
  })

  it('names the node that binds too much, before anything is allocated', async () => {
    using gpu = await openGpu({ limits: { maxStorageBufferBindingSize: 256, maxStorageBuffersPerShaderStage: 8 } })
    using model = await compile(gpu, net(), { ops: OPS })
    const x = tensor(new Float32Array(300), [100, 3])
    const run = model.run({ x })
    await expect(run).rejects.toThrow(DeviceLimitError)
    await expect(run).rejects.toThrow(
      /10 storage bindings \(node double; op affine; dtype f32; shape \[100, 3\]; limit max.*\. Use a smaller batch/,
    )
    expect(gpu.memory.liveBytes).toBe(0)
  })
})

describe('a lost device', () => {
  it('reaches every waiter, queued ones and later ones', async () => {
    const gpu = await openGpu()
    const model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    await model.run({ x })
    using held = gpu.upload(x)
    const runs = Array.from({ length: 5 }, () => model.run({ x }))
    const read = held.data()
    const idle = gpu.idle()
    gpu.device.destroy()
    const outcomes = await Promise.allSettled([...runs, read, idle])
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(DeviceLostError) as unknown })
    await expect(model.run({ x })).rejects.toThrow(DeviceLostError)
    expect(() => gpu.upload(x)).toThrow(DeviceLostError)
    gpu.dispose()
  })

  it('is a DisposedError where the Gpu was disposed of', async () => {
    const gpu = await openGpu()
    const model = await compile(gpu, net(), { ops: OPS })
    const x = tensor([1, 2, 3], [1, 3])
    const runs = [model.run({ x }), model.run({ x })]
    gpu.dispose()
    for (const run of runs) await expect(run).rejects.toThrow(DisposedError)
    await expect(model.run({ x })).rejects.toThrow(DisposedError)
    expect(() => gpu.upload(x)).toThrow(DisposedError)
  })
})
