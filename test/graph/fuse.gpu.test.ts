/** Fused graphs on the device: the same results with fewer dispatches. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededInput } from '../../models/seeded.ts'
import { networkNamed } from '../../models/index.ts'
import '../../src/formats/node-files.ts'
import { decodeTensorProto } from '../../src/formats/tensor-proto.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { loadModel } from '../../src/graph/load.ts'
import { compile, type Model } from '../../src/graph/model.ts'
import { planNodes } from '../../src/graph/planning.ts'
import { typeGraph } from '../../src/graph/passes.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { conformance, hasConformance } from '../conformance/data.ts'

/** Dispatches of a graph as it runs, and as its nodes are. */
function dispatches(gpu: Gpu, model: Model): { fused: number; apart: number } {
  const types = new Map(model.inputs.map(({ name, dtype, shape }) => [name, { dtype, shape: shape.map(Number) }]))
  const count = (nodes: ReturnType<typeof planNodes>): number => nodes.reduce((sum, { plan }) => sum + plan.dispatches.length, 0)
  return { fused: count(model.plan()), apart: count(planNodes(typeGraph(model.graph, types), gpu.facts)) }
}

/** A gated block and a residual one: x [8, 24] → [8, 24]. */
function blocks(): Graph {
  const g = graph('blocks')
  const x = g.input('x', 'f32', [8, 24])
  const weights = (name: string, ...shape: number[]): HostTensor => seededInput(7, name, shape)
  const wide = g.matmul(x, weights('up', 24, 40), { name: 'up' })
  const gated = g.mul(wide, g.sigmoid(wide), { name: 'silu' })
  const back = g.add(g.linear(gated, weights('down', 24, 40)), weights('bias', 1, 24))
  const skipped = g.add(x, back, { name: 'skip' })
  const scaled = g.mul(g.gemm(skipped, weights('last', 24, 24), { transB: true }), weights('scale', 24))
  g.output('y', g.tanh(g.add(scaled, weights('row', 8, 1))))
  return g.finish()
}

async function outputs(model: Model, input: HostTensor): Promise<HostTensor> {
  const results = await model.run({ [model.inputs[0]?.name ?? '']: input })
  const result = Object.values(results)[0]
  if (!(result instanceof HostTensor)) throw new Error('no output')
  return result
}

describe('fused graphs', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  it('a gated block and a residual one are three dispatches of ten, in f32 and in f16', async () => {
    using model = await compile(gpu, blocks())
    expect(dispatches(gpu, model)).toEqual({ fused: 3, apart: 10 })
    const names = model.plan().map(({ node, plan }) => [node.name, plan.reason.split('; with ')[1]])
    expect(names[0]).toEqual(['up', 'sigmoid_1, silu'])
    const x = seededInput(3, 'x', [8, 24])
    // runAll keeps every node's output, so nothing is fused there.
    const all = await model.runAll({ x })
    expect(Object.keys(all)).toHaveLength(model.graph.nodes.length)
    const apart = all['y']
    if (apart === undefined) throw new Error('no y')
    const near = (absolute: number) => ({ tensor: apart, tolerance: { kind: 'relative', relative: 0, absolute } as const })
    const y = await outputs(model, x)
    expect(compare(y, near(1e-5))).toMatchObject({ ok: true })
    expect(Math.max(...(y.values as Float32Array).map(Math.abs))).toBeGreaterThan(0.1)

    using half = await compile(gpu, blocks(), { precision: 'f16' })
    expect(half.plan()).toHaveLength(3)
    // Eight roundings to halves on a path (operands and results of three products), of sums whose terms are twice as large.
    expect(compare(await outputs(half, x), near(8 * 2 * 2 ** -11))).toMatchObject({ ok: true })
  })

  it('LeNet-5 has no activation left behind its layers', async () => {
    using model = await compile(gpu, networkNamed('lenet5').build({ batch: 1 }))
    const layers = model.plan().filter(({ fused = [] }) => fused.length > 0)
    expect(layers.map(({ node, plan, fused }) => [node.name, plan.dispatches.length, fused])).toEqual([
      ['conv1', 1, ['sigmoid1']],
      ['conv2', 1, ['sigmoid2']],
      ['fc3', 1, ['sigmoid3']],
      ['fc4', 1, ['sigmoid4']],
    ])
    expect(model.plan().some(({ node }) => node.op === 'sigmoid')).toBe(false)
  })

  it('keeps apart what would need more bindings than there are', async () => {
    using small = await openGpu({ limits: { maxStorageBufferBindingSize: 65536, maxStorageBuffersPerShaderStage: 8 } })
    const g = graph('segments')
    const x = g.input('x', 'f32', [160, 128])
    // Two segments each: A, B, Y and R are eight bindings, and the bias would be the ninth.
    const product = g.matmul(x, seededInput(1, 'w', [128, 192]))
    g.output('y', g.add(g.add(product, seededInput(1, 'r', [160, 192])), seededInput(1, 'b', [192])))
    using model = await compile(small, g.finish())
    const plan = model.plan()
    expect(plan.map(({ node, fused }) => [node.op, fused?.length ?? 0])).toEqual([
      ['matmul', 1],
      ['add', 0],
    ])
    const input = seededInput(2, 'x', [160, 128])
    const y = await outputs(model, input)
    const all = await model.runAll({ x: input })
    const apart = all['y']
    if (apart === undefined) throw new Error('no y')
    expect(compare(y, { tensor: apart, tolerance: { kind: 'relative', relative: 1e-5, absolute: 1e-5 } })).toMatchObject({
      ok: true,
    })
  })
})

describe.skipIf(!hasConformance)(`a trained model${hasConformance ? '' : ' (no conformance data here)'}`, () => {
  it('gives its published outputs, biases and activations in its convolutions and its product', async () => {
    using gpu = await openGpu()
    using model = await loadModel(gpu, conformance('models/mnist-cntk/model.onnx'))
    const folded = model.plan().flatMap(({ fused = [] }) => fused)
    expect(folded).toEqual(['Plus30', 'ReLU32', 'Plus112', 'ReLU114', 'Plus214'])
    const read = (kind: string): HostTensor =>
      decodeTensorProto(readFileSync(conformance(`models/mnist-cntk/test_data_set_0/${kind}_0.pb`))).tensor
    const y = await outputs(model, read('input'))
    expect(compare(y, { tensor: read('output'), tolerance: { kind: 'relative', relative: 1e-4, absolute: 1e-4 } })).toMatchObject({
      ok: true,
    })
  })
})
