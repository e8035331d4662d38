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
import { mapProblem, type MapResult } from '../../src/schedule/mapper.ts'
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
    expect(priced).toMatchObject({
      hardware: 'eyeriss',
      dataflow: 'rs',
      objective: 'edp',
      budget: 200,
      seeds: 3,
      not_two_of_four: [],
    })
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
    const product = ({ evaluation }: MapResult): number => evaluation.energy.total * evaluation.cycles
    const [found] = [1, 2, 3]
      .map((seed) => mapProblem(problem, { hardware: gating, dataflow: 'rs', objective: 'edp', seed, ...BUDGET }))
      .toSorted((a, b) => product(a) - product(b))
    if (found === undefined) throw new Error('No search ran')
    const { mapping, evaluation } = found
    const { sparse } = evaluate(problem, gating, mapping, { densities: density })
    expect(priced.layers['second']?.own).toEqual({ energy: sparse.energy.total, cycles: sparse.cycles })
    expect(priced.layers['second']?.dense.energy).toBe(evaluation.energy.total)
    // A MAC of energy 1 for each input that is zero, and nothing else.
    const saved = evaluation.energy.total - sparse.energy.total
    expect(saved).toBeCloseTo((1 - density.inputs) * evaluation.macs * eyeriss.mac.energy, 6)
    expect(priced.total.own?.energy).toBeLessThan(priced.total.dense.energy)
  })

  it('of weights that are not 2:4, where a hardware stores them so, are a dense run', async () => {
    const made = network()
    const report = await counted(made)
    const stored: Hardware = {
      ...eyeriss,
      word_bits: 16,
      sparsity: { levels: { DRAM: { weights: { format: '2:4' } } } },
    }
    const { layers } = inspectGraph(made)
    const held = report.layers.map((layer) => ({ ...layer, two_of_four: true, density: { weights: 0.5, inputs: 1 } }))
    const priced = async (of: NonzeroReport['layers']) => priceNonzeros({ ...report, layers: of }, layers, stored, BUDGET)
    const all = await priced(held)
    expect([all.unpriced, all.not_two_of_four]).toEqual([[], []])
    expect(all.total.own?.energy).toBeLessThan(all.total.dense.energy)
    // Half zero at random is no 2:4; nor is what holds it because it has too few channels to break it.
    const mixed = await priced(
      held.map((layer, at) => {
        if (at === 0) return { ...layer, two_of_four: false }
        return at === 1 ? { ...layer, density: { weights: 0.7, inputs: 1 } } : layer
      }),
    )
    expect([mixed.unpriced, mixed.not_two_of_four]).toEqual([[], ['first', 'second']])
    for (const name of ['first', 'second']) expect(mixed.layers[name]?.own, name).toEqual(mixed.layers[name]?.dense)
    expect(mixed.layers['one']?.own).toEqual(all.layers['one']?.own)
    expect(mixed.total.own?.energy).toBeGreaterThan(all.total.own?.energy ?? NaN)
    expect(mixed.total.own?.energy).toBeLessThan(mixed.total.dense.energy)
  })

  it('that a format cannot store are told, and not in a total', async () => {
    const made = network()
    const report = await counted(made)
    // Runs need to know how wide a word is.
    const { word_bits: _, ...wordless } = eyeriss
    const coded: Hardware = { ...wordless, sparsity: { levels: { DRAM: { inputs: { format: 'rle' } } } } }
    const { total, unpriced } = await priceNonzeros(report, inspectGraph(made).layers, coded, BUDGET)
    expect(unpriced.map(({ name }) => name)).toEqual(report.layers.map(({ name }) => name))
    expect(unpriced[0]?.reason).toMatch(/^As eyeriss is described: .*how wide its words are/)
    expect(total.own).toBeUndefined()
    expect(total.gated.energy).toBeLessThan(total.dense.energy)
  })

  it('are weighed under a mapping that keeps the PEs busy', async () => {
    const g = graph('busy')
    const x = g.input('x', 'f32', [1, 64, 8, 8])
    const w = tensor(
      Float32Array.from({ length: 64 * 64 * 9 }, (_, at) => at + 1),
      [64, 64, 3, 3],
    )
    g.output('y', g.conv2d(x, w, { name: 'c', pads: [1, 1, 1, 1] }))
    const made = g.finish()
    const half = Float32Array.from({ length: 64 * 64 }, (_, at) => at % 2)
    const report = await counted(made, tensor(half, [1, 64, 8, 8]))
    const priced = await priceNonzeros(report, inspectGraph(made).layers, hardwareNamed('eyeriss-chip'))
    // `map --dataflow rs` finds 36,054 cycles; by energy alone a short search ends at eight times as many.
    expect(priced.total.dense.cycles).toBeLessThan(40_000)
    expect(priced.total.utilization).toBeGreaterThan(0.35)
    expect(priced.total.utilization).toBe(priced.layers['c']?.utilization)
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
