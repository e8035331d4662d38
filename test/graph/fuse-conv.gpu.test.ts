/** Fused convolutions on the device: one dispatch for what stands behind them, and the results of the nodes run one by one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededInput } from '../../models/seeded.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import { fuseGraph } from '../../src/graph/fuse.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { compile, type CompileOptions, type Model } from '../../src/graph/model.ts'
import { typeGraph } from '../../src/graph/passes.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

const weights = (name: string, ...shape: number[]): HostTensor => seededInput(11, name, shape)

/** Statistics with a variance of 1 and more. */
function normed(g: GraphBuilder, x: Value, name: string, channels: number): Value {
  const variance = new HostTensor(
    'f32',
    [channels],
    Float32Array.from({ length: channels }, (_, c) => 1 + c / 7),
  )
  const [scale, bias, mean] = ['scale', 'bias', 'mean'].map((each) => weights(`${name}.${each}`, channels))
  if (scale === undefined || bias === undefined || mean === undefined) throw new Error('three')
  return g.batchNorm(x, scale, bias, mean, variance, { name: `${name}.bn` })
}

/** A bottleneck and a depthwise convolution with padding in front of it: x [2, 8, 9, 7] → [2, 8, 9, 7]. */
function blocks(): Graph {
  const g = graph('blocks')
  const x = g.input('x', 'f32', [2, 8, 9, 7])
  const narrow = g.relu(normed(g, g.conv2d(x, weights('a', 5, 8, 1, 1), { name: 'a' }), 'a', 5))
  const wide = normed(g, g.conv2d(narrow, weights('b', 8, 5, 3, 3), { name: 'b', padding: 1, bias: weights('b.bias', 8) }), 'b', 8)
  const block = g.relu(g.add(wide, x, { name: 'add' }), { name: 'relu' })
  const padded = g.pad(block, { pads: [0, 0, 1, 2, 0, 0, 1, 0], name: 'pad' })
  const depthwise = normed(g, g.conv2d(padded, weights('c', 8, 1, 3, 3), { name: 'c', groups: 8 }), 'c', 8)
  g.output('y', g.clip(depthwise, { min: 0, max: 6, name: 'relu6' }))
  return g.finish()
}

async function outputOf(model: Model, x: HostTensor): Promise<HostTensor> {
  const { y } = await model.run({ x })
  if (!(y instanceof HostTensor)) throw new Error('no output y')
  return y
}

describe('fused convolutions', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  /** Largest difference of a run from the nodes run one by one, and the largest value. */
  async function difference(options: CompileOptions = {}): Promise<{ difference: number; largest: number }> {
    const input = { x: seededInput(5, 'x', [2, 8, 9, 7]) }
    using whole = await compile(gpu, blocks())
    const apart = (await whole.runAll(input))['y']
    using model = await compile(gpu, blocks(), options)
    // Copies between layouts are not of this pass.
    const nodes = model.plan().filter(({ node }) => node.op !== 'relayout')
    expect(nodes.map(({ node, fused }) => [node.name, fused])).toEqual([
      ['a', ['a.bn', 'relu_1']],
      ['b', ['b.bn', 'add', 'relu']],
      ['c', ['pad', 'c.bn', 'relu6']],
    ])
    for (const { node, plan } of nodes) expect([node.name, plan.dispatches.length]).toEqual([node.name, 1])
    const values = Array.from((await outputOf(model, input.x)).values, Number)
    expect(values).toHaveLength(2 * 8 * 9 * 7)
    const errors = values.map((value, index) => Math.abs(value - Number(apart?.values[index])))
    return { difference: Math.max(...errors), largest: Math.max(...values) }
  }

  it('convolution, batch norm, residual and activation are one dispatch each, in f32', async () => {
    const found = await difference()
    expect(found.difference).toBeLessThan(1e-5)
    expect(found.largest).toBeGreaterThan(1)
  })

  it.each<[string, (g: GraphBuilder, x: Value) => Value]>([
    ['relu', (g, x) => g.relu(x)],
    ['relu6', (g, x) => g.clip(x, { min: 0, max: 6 })],
    ['leakyRelu', (g, x) => g.leakyRelu(x, { alpha: 0.25 })],
    ['silu', (g, x) => g.mul(x, g.sigmoid(x))],
  ])('batch norm, residual and %s lie within the bound of the convolution that they became', async (_, activated) => {
    const g = graph('block')
    const x = g.input('x', 'f32', [2, 8, 9, 7])
    const y = normed(g, g.conv2d(x, weights('b', 8, 8, 3, 3), { padding: 1 }), 'b', 8)
    g.output('y', activated(g, g.add(y, x)))
    const made = g.finish()
    const input = seededInput(6, 'x', [2, 8, 9, 7])
    const typed = fuseGraph(typeGraph(made, new Map([['x', input]])), () => true)
    const [node, ...others] = typed.nodes
    if (node === undefined || others.length > 0) throw new Error('not one node')
    const inputs = node.node.inputs.map((name) => (name === 'x' ? input : (typed.known.get(name ?? '') ?? null)))
    const [reference] = node.definition.reference(inputs, node.context.attributes)
    if (reference === undefined) throw new Error('no reference')
    using model = await compile(gpu, made)
    expect(compare(await outputOf(model, input), reference)).toMatchObject({ ok: true })
  })

  it('NaN and infinities come out where the nodes one by one give them', async () => {
    const values = Float32Array.from(seededInput(5, 'x', [2, 8, 9, 7]).values)
    // Far enough apart, so that finite results lie between.
    for (const [at, value] of [
      [3, NaN],
      [45, Infinity],
      [2 * 63 + 60, -Infinity],
      [8 * 63 + 30, 3e38],
    ] as const)
      values[at] = value
    const input = { x: new HostTensor('f32', [2, 8, 9, 7], values) }
    using model = await compile(gpu, blocks())
    const apart = Array.from((await model.runAll(input))['y']?.values ?? [], Number)
    const fused = Array.from((await outputOf(model, input.x)).values, Number)
    const kinds = new Set<string>()
    for (const [index, want] of apart.entries()) {
      const got = fused[index] ?? 0
      kinds.add(Number.isNaN(want) ? 'NaN' : want === 0 || want === 6 ? 'bound' : 'between')
      if (Number.isNaN(want)) expect(got).toBeNaN()
      else expect(Math.abs(got - want)).toBeLessThan(1e-5)
    }
    expect([...kinds].toSorted()).toEqual(['NaN', 'between', 'bound'])
  })

  it('and in f16', async () => {
    // Each of three layers rounds its operands and its result: 3 · 3 roundings of sums whose terms add up to at most ten.
    const found = await difference({ precision: 'f16' })
    expect(found.difference).toBeLessThan(9 * 10 * 2 ** -11)
    expect(found.largest).toBeGreaterThan(1)
  })
})
