/** Which layers of a graph run 2:4: asked for, or found. */
import { expect, it } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { resolveInputs, typeGraph, type TypedGraph } from '../../src/graph/passes.ts'
import { exploitPatterns, sparseGraph } from '../../src/graph/sparsity.ts'
import { holdsTwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { randomFrom } from '../cases/case.ts'
import { prunedMatrix } from '../ops/sparse-matmul/pruned.ts'

const sparseNodes = ({ nodes }: Pick<Graph, 'nodes'>): string[] =>
  nodes.filter(({ attributes }) => attributes.sparsity === '2:4').map(({ name }) => name)

it('2:4: layers that can are pruned and marked, others are listed with the reason; the graph that was given stays', async () => {
  const dense = networkNamed('lenet5').build({})
  const { graph: sparse, report } = await sparseGraph(dense)
  expect(sparseNodes(sparse)).toEqual(['conv2', 'fc3', 'fc4', 'fc5'])
  expect(report.dense.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
    'conv1: a filter reads 1 channel: there is no group of four',
  ])
  for (const { op, inputs } of sparse.nodes.filter(({ attributes }) => attributes.sparsity === '2:4')) {
    const weights = sparse.constants.get(inputs[1] ?? '')
    if (weights === undefined) throw new Error('The weights are constants')
    if (op === 'linear') expect(holdsTwoOfFour(weights)).toBe(true)
  }
  expect(sparseNodes(dense)).toEqual([])
})

function typed(rows: number, weights: HostTensor, op: 'linear' | 'matmul' = 'linear'): TypedGraph {
  const g = graph()
  const x = g.input('x', 'f32', [rows, 24])
  g.output('y', op === 'linear' ? g.linear(x, weights, { name: 'fc' }) : g.matmul(x, weights, { name: 'fc' }))
  const made = g.finish()
  return typeGraph(made, resolveInputs(made.inputs, new Map([['x', [rows, 24]]])))
}

const found = (graph: TypedGraph): string[] => sparseNodes({ nodes: exploitPatterns(graph).nodes.map(({ node }) => node) })

it('auto: products of few rows whose weights hold the pattern, along the depth', () => {
  const random = randomFrom(3)
  const pruned = prunedMatrix(10, 24, random)
  const across = new Float32Array(240)
  pruned.values.forEach((value, at) => (across[(at % 24) * 10 + Math.floor(at / 24)] = value))
  expect(found(typed(16, pruned))).toEqual(['fc'])
  expect(found(typed(1, pruned))).toEqual(['fc'])
  expect(found(typed(17, pruned))).toEqual([])
  expect(found(typed(4, new HostTensor('f32', [24, 10], across), 'matmul'))).toEqual(['fc'])
  expect(found(typed(4, new HostTensor('f32', [10, 24], Float32Array.from({ length: 240 }, random))))).toEqual([])
})
