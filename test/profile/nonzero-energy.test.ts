/** What zeros are worth on an accelerator: the cost model's own bills, under the densities that were measured. */
import { describe, expect, it } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { inspectGraph } from '../../src/profile/inspect.ts'
import { countNonzeros, type NonzeroReport } from '../../src/profile/nonzero.ts'
import { priceNonzeros } from '../../src/profile/nonzero-energy.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { input, network } from './nonzero-network.ts'

const eyeriss = hardwareNamed('eyeriss')
const BUDGET = { budget: 200 }

async function counted(made: Graph, x = input(1).x): Promise<NonzeroReport> {
  return countNonzeros(made, { runs: [{ x }] })
}

describe('zeros on an accelerator', () => {
  it('gated cost less energy, skipped less time too; totals add up', async () => {
    const made = network()
    const report = await counted(made)
    const { layers } = inspectGraph(made)
    const priced = await priceNonzeros(report, layers, eyeriss, BUDGET)
    expect([priced.hardware, priced.dataflow, priced.budget]).toEqual(['eyeriss', 'rs', 200])
    expect(Object.keys(priced.layers)).toEqual(report.layers.map(({ name }) => name))
    expect(priced.unpriced).toEqual([])
    for (const { name } of report.layers) {
      const bills = priced.layers[name]
      if (bills === undefined) throw new Error(`${name} has no bill`)
      expect(bills.gated.energy, name).toBeLessThan(bills.dense.energy)
      expect(bills.gated.cycles, name).toBe(bills.dense.cycles)
      expect(bills.skipped.cycles, name).toBeLessThan(bills.dense.cycles)
      expect(bills.own).toBeUndefined()
    }
    for (const kind of ['dense', 'gated', 'skipped'] as const) {
      const all = Object.values(priced.layers).map((bills) => bills[kind])
      expect(priced.total[kind].energy).toBeCloseTo(
        all.reduce((sum, { energy }) => sum + energy, 0),
        6,
      )
      expect(priced.total[kind].cycles).toBe(all.reduce((sum, { cycles }) => sum + cycles, 0))
    }
  })

  it('are the bill of a hardware that says so, under the measured densities', async () => {
    const made = network()
    const report = await counted(made)
    const { layers } = inspectGraph(made)
    const gating: Hardware = { ...eyeriss, sparsity: { compute: { action: 'gate', on: ['inputs'] } } }
    const priced = await priceNonzeros(report, layers, gating, BUDGET)
    const problem = layers.find(({ name }) => name === 'second')?.problem
    const density = report.layers.find(({ name }) => name === 'second')?.density
    if (problem === undefined || density === undefined) throw new Error('The layer is not there')
    const { mapping, evaluation } = mapProblem(problem, { hardware: gating, dataflow: 'rs', ...BUDGET })
    const { sparse } = evaluate(problem, gating, mapping, { densities: density })
    expect(priced.layers['second']?.own).toEqual({ energy: sparse.energy.total, cycles: sparse.cycles })
    expect(priced.layers['second']?.dense.energy).toBe(evaluation.energy.total)
    // A MAC of energy 1 for each input that is zero, and nothing else.
    const saved = evaluation.energy.total - sparse.energy.total
    expect(saved).toBeCloseTo((1 - density.inputs) * evaluation.macs * eyeriss.mac.energy, 6)
    expect(priced.total.own?.energy).toBeLessThan(priced.total.dense.energy)
  })

  it('of weights that are not 2:4, where a hardware stores them so, are told and not in a total', async () => {
    const made = network()
    const report = await counted(made)
    const stored: Hardware = {
      ...eyeriss,
      word_bits: 16,
      sparsity: { levels: { DRAM: { weights: { format: '2:4' } } } },
    }
    const halves = { ...report, layers: report.layers.map((layer) => ({ ...layer, density: { weights: 0.5, inputs: 1 } })) }
    const mixed = { ...halves, layers: halves.layers.map((layer, at) => (at === 0 ? (report.layers[0] ?? layer) : layer)) }
    const { layers } = inspectGraph(made)
    const [held, refused] = [
      await priceNonzeros(halves, layers, stored, BUDGET),
      await priceNonzeros(mixed, layers, stored, BUDGET),
    ]
    expect(held.unpriced).toEqual([])
    expect(held.total.own?.energy).toBeLessThan(held.total.dense.energy)
    expect(refused.unpriced).toMatchObject([
      { name: 'first', reason: expect.stringMatching(/^As eyeriss is described: DRAM.*2:4/) as string },
    ])
    expect(refused.layers['first']?.own).toBeUndefined()
    expect(refused.layers['second']?.own).toEqual(held.layers['second']?.own)
    expect(refused.total.own).toBeUndefined()
  })

  it('that are none save nothing; what no dataflow runs is told', async () => {
    const g = graph('full')
    const full = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape)
    const x = g.input('x', 'f32', [1, 4, 6, 6])
    const first = g.conv2d(x, full(8, 4, 3, 3), { name: 'first' })
    g.output('y', g.convTranspose2d(first, full(8, 2, 2, 2), { name: 'turned' }))
    const made = g.finish()
    const report = await counted(made, full(1, 4, 6, 6))
    expect(report.layers.map(({ name, macs, nonzero_macs }) => [name, macs === nonzero_macs])).toEqual([
      ['first', true],
      ['turned', true],
    ])
    const { layers, unpriced } = await priceNonzeros(report, inspectGraph(made).layers, eyeriss, BUDGET)
    expect(layers['first']?.skipped).toEqual(layers['first']?.dense)
    expect(layers['first']?.gated).toEqual(layers['first']?.dense)
    expect(unpriced).toEqual([{ name: 'turned', reason: 'No dataflow runs this convTranspose2d' }])
  })
})
