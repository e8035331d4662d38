/** Pruning at the ends of a network, which whole channels and filters leave; and permutations where filters share positions. No GPU. */
import { describe, expect, test } from 'vitest'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { pruneGraph } from '../../src/graph/prune.ts'
import { floatsOf } from '../../src/ops/values.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { weights } from './prune-graphs.ts'

const constant = (g: GraphBuilder, name: string, shape: readonly number[]): Value => g.constant(weights(name, shape), name)

/** A stem and its twin beside it, a branch that takes the picture along, a gate, and two heads of which one is pooled. */
function branched(): Graph {
  const g = graph('branched')
  const x = g.input('x', 'f32', [1, 4, 4, 4])
  const picture = g.relu(x)
  const stem = g.conv2d(picture, constant(g, 'stem.w', [8, 4, 1, 1]), { name: 'stem' })
  const mixed = g.conv2d(g.concat([stem, x], { axis: 1 }), constant(g, 'mixed.w', [8, 12, 1, 1]), { name: 'mixed' })
  // Scaled by a value for each channel, which the network is given: these are not the channels.
  const scaled = g.mul(mixed, g.input('gate', 'f32', [1, 8, 1, 1]))
  const middle = g.conv2d(scaled, constant(g, 'middle.w', [8, 8, 1, 1]), { name: 'middle' })
  const head = g.conv2d(middle, constant(g, 'head.w', [10, 8, 1, 1]), { name: 'head' })
  g.output('y', g.relu(head))
  g.output('z', g.conv2d(middle, constant(g, 'other.w', [6, 8, 1, 1]), { name: 'other' }))
  return g.finish()
}

describe('whole channels and filters', () => {
  test.each([
    ['channel:0.5', ['middle', 'head', 'other'], ['stem', 'mixed'], /input channels are the network's own; named/],
    ['filter:0.5', ['stem', 'mixed', 'middle'], ['head', 'other'], /filters make the network's results; named/],
  ])('%s leaves an end of the network, with the reason', async (pattern, pruned, left, reason) => {
    const { report, changed } = await pruneGraph(branched(), { pattern })
    expect(report.layers.map(({ name }) => name)).toEqual(pruned)
    expect(report.dense.map(({ name }) => name)).toEqual(left)
    for (const each of report.dense) expect(each.reason).toMatch(reason)
    expect([...changed.keys()].toSorted()).toEqual(pruned.map((name) => `${name}.w`).toSorted())
  })

  test('but prune it where it is named', async () => {
    const { report } = await pruneGraph(branched(), { pattern: 'channel:0.5', layers: ['stem', 'head'] })
    expect(report.layers.map(({ name, sparsity }) => [name, sparsity])).toEqual([
      ['stem', 0.5],
      ['head', 0.5],
    ])
  })

  test('of a network that is an end alone, the error says what is asked for', async () => {
    const g = graph('single')
    g.output('y', g.linear(g.input('x', 'f32', [1, 8]), constant(g, 'w', [4, 8]), { name: 'only' }))
    await expect(pruneGraph(g.finish(), { pattern: 'filter:0.5' })).rejects.toThrow(/only \(linear\): its filters make .* named/)
  })

  test.each(['2:4', 'unstructured:0.5', 'block:2x2:0.5'])('%s takes both ends', async (pattern) => {
    const { report } = await pruneGraph(branched(), { pattern })
    expect([report.layers.length, report.dense.length]).toEqual([5, 0])
  })
})

describe('permuted with shared positions', () => {
  test('the search is over the sums by which masks decide: the best order of one block is found', async () => {
    // 16 filters share positions, so one line of sums decides: of every four channels the two largest, at best the half of all.
    const [filters, channels] = [16, 16]
    const values = floatsOf(weights('reader.w', [filters, channels]))
    const g = graph('shared')
    const made = g.conv2d(g.input('x', 'f32', [1, 3, 2, 2]), constant(g, 'maker.w', [channels, 3, 1, 1]), { name: 'maker' })
    g.output('y', g.conv2d(made, g.constant(tensor(values, [filters, channels, 1, 1]), 'reader.w'), { name: 'reader' }))
    const { report } = await pruneGraph(g.finish(), { pattern: '2:4x16', permute: true, budget: 5000 })
    const sums = Array.from({ length: channels }, (_, channel) =>
      values.reduce((sum, value, at) => sum + (at % channels === channel ? Math.abs(value) : 0), 0),
    )
    const best = sums
      .toSorted((a, b) => b - a)
      .slice(0, channels / 2)
      .reduce((a, b) => a + b, 0)
    const [group] = report.groups
    expect(group?.unpermuted).toBeLessThan(0.99 * best)
    expect(group?.kept).toBeCloseTo(best, 3)
  })
})
