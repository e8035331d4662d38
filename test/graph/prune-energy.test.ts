/** Networks pruned where that saves most energy: what is planned is what is cut, and saves more than the same zeros spread evenly. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { graph as builder } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { energyLayers, planByEnergy, pruneByPlan, type EnergyPlan } from '../../src/graph/prune-energy.ts'
import { pruneGraph } from '../../src/graph/prune.ts'
import { conformance, hasConformance } from '../conformance/data.ts'
import { weights } from './prune-graphs.ts'

const NOTE = hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'
const budget = 300

/** Prunes by the plan, and holds what came out to what was planned. */
async function checked(graph: Graph, pattern: string, plan: EnergyPlan): Promise<void> {
  const { report } = await pruneGraph(graph, { pattern, ...pruneByPlan(plan) })
  expect(plan.layers.length).toBeGreaterThan(0)
  expect(report.layers.map((layer) => [layer.name, layer.weights - layer.non_zero])).toEqual(
    plan.layers.map(({ name, zeros }) => [name, zeros]),
  )
  for (const [index, { retained }] of report.layers.entries()) expect(retained).toBeCloseTo(plan.layers[index]?.retained ?? NaN, 5)
  expect(report.totals.pruned.retained).toBeCloseTo(plan.totals.retained, 5)
  expect(report.totals.pruned.sparsity).toBeCloseTo(plan.totals.sparsity, 9)
}

describe('lenet5', () => {
  let lenet: Graph
  beforeAll(() => {
    lenet = networkNamed('lenet5').build()
  })

  test('the layers that save most energy come first', async () => {
    const plan = await planByEnergy(lenet, { budget })
    const saved = plan.layers.map((layer) => layer.saved)
    expect(saved).toEqual(saved.toSorted((a, b) => b - a))
    expect(plan.layers[0]?.name).toBe('conv2')
    const all = await planByEnergy(lenet, { budget, pattern: 'unstructured:0.5' })
    expect(all.uniform?.layers.slice(0, 2).map(({ name }) => name)).toEqual(['conv2', 'conv1'])
    expect([plan.hardware, plan.rules, plan.uniform, plan.bound]).toEqual(['eyeriss', 'skip', null, null])
    await checked(lenet, '2:4', plan)
    const most = await planByEnergy(lenet, { budget, most: 2 })
    expect(most.layers).toEqual(plan.layers.slice(0, 2))
    await checked(lenet, '2:4', most)
  })

  test('an unstructured sparsity is spread over the layers that are named', async () => {
    const options = { budget, pattern: 'unstructured:0.6', skip: ['fc5'], most: 3, lost: 0.7 }
    const plan = await planByEnergy(lenet, options)
    expect(plan.layers).toHaveLength(3)
    expect(plan.bound).toBe(0.7)
    for (const { name, retained } of plan.layers) {
      expect(name).not.toBe('fc5')
      expect(retained).toBeGreaterThanOrEqual(0.3)
    }
    await checked(lenet, 'unstructured:0.6', plan)
  })

  test.each([
    [{ most: 0 }, 'most: 0'],
    [{ layers: ['conv9'] }, 'called conv9'],
    [{ lost: 0.5 }, 'bounds unstructured sparsity, not 2:4'],
    [{ pattern: 'unstructured:0.6', lost: 0.1 }, 'with this bound'],
    [{ pattern: 'unstructured:0.6', lost: 2 }, 'may lose 2'],
    [{ pattern: 'unstructured:0.6', hardware: 'eyeriss-chip' }, 'saves no energy on eyeriss-chip: it takes zero weights'],
    [{ pattern: 'unstructured:0.6', hardware: 'a100-like' }, 'stores weights as 2:4'],
    [{ hardware: 'none' }, 'no hardware called'],
  ])('%j is an error', async (options, text) => {
    await expect(planByEnergy(lenet, { budget, ...options })).rejects.toThrow(text)
  })
})

test('weights that two nodes read, each along one axis, are one layer with the work of both', () => {
  const g = builder('shared')
  const w = g.constant(weights('w', [12, 8]), 'w')
  g.output('a', g.linear(g.input('x', 'f32', ['N', 8]), w, { name: 'first' }))
  g.output('b', g.linear(g.input('z', 'f32', [5, 8]), w, { name: 'second' }))
  const turned = g.constant(weights('v', [8, 12]), 'v')
  g.output('c', g.matmul(g.input('y', 'f32', [2, 8]), turned, { name: 'across' }))
  const [shared, across] = energyLayers(g.finish())
  expect(shared?.problems.map(({ M, C, N, P, Q }) => [M, C, (N ?? 1) * (P ?? 1) * (Q ?? 1)])).toEqual([
    [12, 8, 1],
    [12, 8, 5],
  ])
  expect(across).toMatchObject({ name: 'across', weights: { shape: [12, 8] } })
  const row = weights('v', [8, 12]).values
  expect(Array.from(across?.weights.values ?? []).slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, k) => row[k * 12]))
})

test('a network that has nothing to prune has an empty plan, and pruning it says why', async () => {
  const g = builder('none')
  g.output('y', g.relu(g.input('x', 'f32', [4])))
  const none = g.finish()
  const plan = await planByEnergy(none)
  expect(plan.layers).toEqual([])
  await expect(pruneGraph(none, pruneByPlan(plan))).rejects.toThrow('no convolution')
})

describe('more energy is saved than by as many zeros spread evenly', () => {
  async function saved(graph: Graph, options: Parameters<typeof planByEnergy>[1]): Promise<number> {
    const pattern = 'unstructured:0.5'
    const plan = await planByEnergy(graph, { budget, pattern, ...options })
    expect(plan.totals.zeros).toBe(plan.uniform?.totals.zeros)
    expect(plan.totals.energy_before).toBeCloseTo(plan.uniform?.totals.energy_before ?? NaN, 3)
    for (const { retained } of plan.layers) expect(1 - retained).toBeLessThanOrEqual((plan.bound ?? 0) + 1e-6)
    await checked(graph, pattern, plan)
    return plan.totals.saved / (plan.uniform?.totals.saved ?? NaN)
  }

  test('alexnet, seeded; the two largest products, where a zero saves least, left out for their size', async () => {
    const alexnet = networkNamed('alexnet').build()
    expect(await saved(alexnet, { skip: ['fc6', 'fc7'] })).toBeGreaterThan(1.15)
  })

  test.skipIf(!hasConformance).each(['eyeriss', 'scnn'])(`cifar-resnet20, trained, on %s${NOTE}`, async (hardware) => {
    const { graph } = await importOnnx(new Uint8Array(readFileSync(conformance('models/cifar-resnet20/model.onnx'))))
    expect(await saved(graph, { hardware })).toBeGreaterThan(1.15)
  })
})
