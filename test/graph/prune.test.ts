/** Pruning of graphs: which layers, by which masks, and what the report says. No GPU. */
import { describe, expect, test } from 'vitest'
import { OptionError, UnsupportedOpError } from '../../src/errors.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { pruneGraph, type PruneReport } from '../../src/graph/prune.ts'
import { parsePattern } from '../../src/sparsity/pattern.ts'
import { floatsOf } from '../../src/ops/values.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { runOnHost, weights } from './prune-graphs.ts'

function constant(g: GraphBuilder, name: string, shape: readonly number[]): Value {
  return g.constant(weights(name, shape), name)
}

/** Every kind of layer: a stem, a product of each form, a depthwise and a transposed convolution. */
function everyKind(): Graph {
  const g = graph('kinds')
  const stem = g.conv2d(g.input('x', 'f32', [1, 3, 4, 4]), constant(g, 'stem.w', [8, 3, 1, 1]), { name: 'stem' })
  const deep = g.conv2d(stem, constant(g, 'deep.w', [8, 1, 3, 3]), { groups: 8, padding: 1, name: 'deep' })
  const grouped = g.conv2d(deep, constant(g, 'grouped.w', [6, 4, 3, 3]), { groups: 2, padding: 1, name: 'grouped' })
  const up = g.convTranspose2d(grouped, constant(g, 'up.w', [6, 5, 1, 1]), { name: 'up' })
  const linear = g.linear(up, constant(g, 'linear.w', [12, 80]), { name: 'linear' })
  const gemm = g.gemm(linear, constant(g, 'gemm.w', [12, 9]), { name: 'gemm' })
  const turned = g.gemm(gemm, constant(g, 'turned.w', [10, 9]), { transB: true, name: 'turned' })
  g.output('y', g.matmul(turned, constant(g, 'matmul.w', [10, 7]), { name: 'matmul' }))
  return g.finish()
}

function values(given: Graph, name: string): Float32Array {
  const found = given.constants.get(name)
  if (found === undefined) throw new Error(`There is no constant ${name}`)
  return floatsOf(found)
}

function zeros(list: Float32Array): number {
  return list.reduce((count, value) => count + Number(value === 0), 0)
}

/** Non-zeros in each group of four along the depth of a matrix [lines, depth], the last group maybe short. */
function mostInFours(list: Float32Array, depth: number, at: (line: number, k: number) => number): number {
  let most = 0
  for (let line = 0; line < list.length / depth; line++) {
    for (let first = 0; first < depth; first += 4) {
      let count = 0
      for (let k = first; k < Math.min(first + 4, depth); k++) count += Number(list[at(line, k)] !== 0)
      most = Math.max(most, count)
    }
  }
  return most
}

describe('2:4', () => {
  test('cuts along the input channels of every form of weights, and lists what it leaves', async () => {
    const given = everyKind()
    const before = new Map([...given.constants].map(([name, value]) => [name, Float32Array.from(floatsOf(value))]))
    const { graph: pruned, changed, report } = await pruneGraph(given)
    expect(report.layers.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['grouped', 6, 4, 3, 3],
      ['linear', 12, 80],
      ['gemm', 9, 12],
      ['turned', 10, 9],
      ['matmul', 7, 10],
    ])
    expect(report.dense.map(({ name, weights: count, reason }) => [name, count, reason])).toEqual([
      ['stem', 24, expect.stringContaining('3 channels')],
      ['deep', 72, expect.stringContaining('1 channel:')],
      ['up', 30, expect.stringContaining('transposed')],
    ])
    expect([...changed.keys()]).toEqual(['grouped.w', 'linear.w', 'gemm.w', 'turned.w', 'matmul.w'])
    const grouped = values(pruned, 'grouped.w')
    expect(mostInFours(grouped, 4, (line, k) => (Math.floor(line / 9) * 4 + k) * 9 + (line % 9))).toBe(2)
    expect(mostInFours(values(pruned, 'linear.w'), 80, (line, k) => line * 80 + k)).toBe(2)
    expect(mostInFours(values(pruned, 'gemm.w'), 12, (line, k) => k * 9 + line)).toBe(2)
    expect(mostInFours(values(pruned, 'turned.w'), 9, (line, k) => line * 9 + k)).toBe(2)
    expect(mostInFours(values(pruned, 'matmul.w'), 10, (line, k) => k * 7 + line)).toBe(2)
    for (const layer of report.layers) {
      const [own, old] = [values(pruned, `${layer.name}.w`), before.get(`${layer.name}.w`) ?? new Float32Array()]
      expect(own.length - zeros(own)).toBe(layer.non_zero)
      // What is left is as it was; the graph given is as it was too.
      expect(own.every((value, i) => value === 0 || value === old[i])).toBe(true)
      expect(values(given, `${layer.name}.w`)).toEqual(old)
      const sum = (list: Float32Array): number => list.reduce((total, value) => total + Math.abs(value), 0)
      expect(sum(own) / sum(old)).toBeCloseTo(layer.retained, 6)
      expect(layer.retained_unstructured).toBeGreaterThanOrEqual(layer.retained)
    }
    const { totals } = report
    expect(totals).toMatchObject({ layers: 8, efficacy: null })
    expect(totals.weights - totals.non_zero).toBe(report.layers.reduce((sum, layer) => sum + layer.weights - layer.non_zero, 0))
  })

  test('weights of two layers are cut once; weights behind a transpose where they lie; halves stay halves', async () => {
    const g = graph()
    const x = g.input('x', 'f16', [2, 8])
    const half = (name: string): HostTensor => tensor(Array.from(floatsOf(weights(name, [64]))), [8, 8], 'f16')
    const w = g.constant(half('w'), 'w')
    const twice = g.linear(g.linear(x, w, { name: 'a' }), w, { name: 'b' })
    const turned = g.transpose(g.constant(half('v'), 'v'), { perm: [1, 0] })
    g.output('y', g.matmul(twice, turned, { name: 'c' }))
    const { graph: pruned, report } = await pruneGraph(g.finish())
    expect(report.layers.map(({ name, nodes }) => [name, nodes])).toEqual([
      ['a', ['a', 'b']],
      ['c', ['c']],
    ])
    for (const name of ['w', 'v']) {
      expect(pruned.constants.get(name)?.dtype).toBe('f16')
      expect(mostInFours(values(pruned, name), 8, (line, k) => line * 8 + k)).toBe(2)
    }
  })

  test('weights that are read along both axes are cut along the first', async () => {
    const g = graph()
    const w = constant(g, 'w', [8, 8])
    const a = g.gemm(g.input('x', 'f32', [2, 8]), w, { transB: true, name: 'a' })
    g.output('y', g.gemm(a, w, { name: 'b' }))
    const { report } = await pruneGraph(g.finish())
    expect(report.layers.map(({ name }) => name)).toEqual(['a'])
    expect(report.dense).toMatchObject([{ name: 'b', reason: expect.stringContaining('the other axis') as string }])
  })
})

test.each<[string, number]>([
  ['unstructured:0.75', 0.75],
  ['filter:0.5', 0.5],
  ['channel:0.25', 0.25],
  ['block:2x3:0.5', 0.5],
])('%s cuts its part of every layer', async (pattern, sparsity) => {
  const { report } = await pruneGraph(everyKind(), { pattern, layers: ['linear'] })
  expect(report.pattern).toBe(pattern)
  expect(report.layers[0]?.sparsity).toBeCloseTo(sparsity, 1)
  expect(report.layers[0]?.retained).toBeGreaterThanOrEqual(1 - sparsity)
})

describe('which layers', () => {
  const names = ({ layers }: PruneReport): string[] => layers.map(({ name }) => name)

  test('by name, with *; those left out say so', async () => {
    const { report } = await pruneGraph(everyKind(), { layers: ['g*', 'matmul'], skip: ['gemm'] })
    expect(names(report)).toEqual(['grouped', 'matmul'])
    expect(report.dense.filter(({ name }) => ['gemm', 'linear'].includes(name)).map(({ name, reason }) => [name, reason])).toEqual([
      ['linear', 'not among the layers asked for'],
      ['gemm', 'skipped by name'],
    ])
  })

  test('by a priority, the first few alone', async () => {
    const priority = new Map([
      ['matmul', 2],
      ['linear', 3],
    ])
    const { report } = await pruneGraph(everyKind(), { priority, most: 2 })
    expect(names(report)).toEqual(['linear', 'matmul'])
    expect(report.dense.some(({ reason }) => reason === 'after the first 2 in the order')).toBe(true)
  })

  test('a layer by a pattern of its own', async () => {
    const patterns = new Map([['linear', parsePattern('unstructured:0.25')]])
    const { report } = await pruneGraph(everyKind(), { pattern: 'unstructured:0.75', patterns, layers: ['linear', 'matmul'] })
    const parts = Object.fromEntries(report.layers.map(({ name, sparsity }) => [name, sparsity]))
    expect(parts['linear']).toBeCloseTo(0.25, 1)
    expect(parts['matmul']).toBeCloseTo(0.75, 1)
  })

  test.each<[string, () => Graph, Parameters<typeof pruneGraph>[1], string]>([
    ['a name that no layer has', everyKind, { layers: ['nothing'] }, 'called nothing'],
    ['a pattern that is none', everyKind, { pattern: '3:4' }, '3:4'],
    ['permuting for another pattern', everyKind, { pattern: 'filter:0.5', permute: true }, 'filter:0.5'],
    ['nothing left', everyKind, { skip: ['*'] }, 'nothing to prune'],
    ['no layers at all', () => relu(), {}, 'no convolution'],
    ['weights that are no numbers', () => relu(NaN), {}, 'NaN'],
  ])('%s is an error', async (_, given, options, text) => {
    await expect(pruneGraph(given(), options)).rejects.toThrow(OptionError)
    await expect(pruneGraph(given(), options)).rejects.toThrow(text)
  })

  test('weights that another op reads as well stay; those of a product whose channels stay are cut', async () => {
    const g = graph()
    const w = constant(g, 'w', [8, 8])
    const a = g.linear(g.input('x', 'f32', [8, 8]), w, { name: 'a' })
    const v = g.gemm(g.add(a, w, { name: 'sum' }), constant(g, 'v', [8, 5]), { transA: true, name: 'turned' })
    g.output('y', v)
    const { report } = await pruneGraph(g.finish(), { permute: true })
    expect(names(report)).toEqual(['turned'])
    expect(report.dense).toMatchObject([{ name: 'a', reason: expect.stringContaining('sum (add)') as string }])
    expect(report.groups).toEqual([])
  })

  test.each<[string, (g: GraphBuilder) => HostTensor | Value]>([
    ['fed', (g) => g.input('w', 'i8', [4, 4])],
    [
      'constant',
      () =>
        tensor(
          Array.from({ length: 16 }, (_, i) => i - 8),
          [4, 4],
          'i8',
        ),
    ],
  ])('a network whose quantised weights are %s is refused by its layers', async (_, bytes) => {
    const g = graph()
    const w = g.transpose(g.dequantizeLinear(bytes(g), tensor([0.5], [])), { perm: [1, 0] })
    g.output('y', g.linear(g.input('x', 'f32', [1, 4]), w, { name: 'fc' }))
    await expect(pruneGraph(g.finish())).rejects.toThrow(UnsupportedOpError)
    await expect(pruneGraph(g.finish())).rejects.toThrow('fc (linear)')
  })
})

function relu(weight?: number): Graph {
  const g = graph('small')
  const x = g.relu(g.input('x', 'f32', [1, 4]))
  g.output('y', weight === undefined ? x : g.linear(x, tensor([1, 2, 3, weight], [1, 4])))
  return g.finish()
}

describe('permuted', () => {
  /** A concat whose second part begins in the middle of a group of four, an add, and 1 × 1 filters that read them. */
  function parts(): Graph {
    const g = graph()
    const x = g.input('x', 'f32', [1, 3, 2, 2])
    const filters = (name: string, count: number): Value => g.conv2d(x, constant(g, `${name}.w`, [count, 3, 1, 1]), { name })
    const joined = g.concat([filters('a', 10), filters('b', 18)], { axis: 1 })
    const read = g.conv2d(joined, constant(g, 'r.w', [16, 28, 1, 1]), { name: 'r' })
    const sum = g.add(read, g.conv2d(joined, constant(g, 's.w', [16, 28, 1, 1]), { name: 's' }))
    g.output('y', g.conv2d(sum, constant(g, 't.w', [5, 16, 3, 3]), { padding: 1, name: 't' }))
    return g.finish()
  }

  test.each(['2:4', '2:4x4'])('%s: retains more, groups never less, and the network before computes the same', async (pattern) => {
    const given = parts()
    const { dense, graph: pruned, report } = await pruneGraph(given, { pattern, permute: true, seed: 3, budget: 2000 })
    expect(report.groups.map(({ channels, searched }) => [channels, searched])).toEqual([
      [10, 8],
      [18, 16],
      [16, 16],
    ])
    for (const { kept, unpermuted } of report.groups) expect(kept).toBeGreaterThanOrEqual(unpermuted)
    const { retained, retained_unpermuted: plain } = report.totals.pruned
    expect(retained).toBeGreaterThan(plain)
    expect(report.totals.efficacy).toBeGreaterThan(0)
    const input = { x: weights('x', [1, 3, 2, 2]) }
    const [wanted, own, cut] = [given, dense, pruned].map((each) => runOnHost(each, input)[0])
    if (wanted === undefined || own === undefined || cut === undefined) throw new Error('There is no output')
    const off = (list: HostTensor): number =>
      Math.max(...floatsOf(list).map((value, i) => Math.abs(value - Number(wanted.values[i]))))
    expect(off(own)).toBeLessThan(1e-4)
    expect(off(cut)).toBeGreaterThan(1e-2)
  })

  test('the same for the same seed; a search can be stopped', async () => {
    const reports = await Promise.all([1, 1].map((seed) => pruneGraph(parts(), { permute: true, seed, budget: 500 })))
    expect(reports[0]?.report).toEqual(reports[1]?.report)
    const stop = AbortSignal.abort(new Error('enough'))
    await expect(pruneGraph(parts(), { permute: true, signal: stop })).rejects.toThrow('enough')
  })
})
