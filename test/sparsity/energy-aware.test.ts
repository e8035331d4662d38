/** The order of layers by what pruning them saves, against the cost model, and a sparsity spread over them. */
import { describe, expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { OptionError } from '../../src/errors.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { Random } from '../../src/schedule/search/random.ts'
import { energyOfKept, energyOrder, layerSparsities, type EnergyLayer } from '../../src/sparsity/energy-aware.ts'
import { maskReport, pruneMask } from '../../src/sparsity/mask.ts'

const budget = 300

function layer(
  name: string,
  [filters, channels, rows, columns]: readonly [number, number, number, number],
  size: number,
): EnergyLayer {
  const random = new Random(filters)
  return {
    name,
    problem: { M: filters, C: channels, R: rows, S: columns, P: size, Q: size },
    weights: {
      values: Float32Array.from({ length: filters * channels * rows * columns }, () => random.next() - 0.5),
      shape: [filters, channels, rows, columns],
    },
  }
}

/** A convolution used 256 times over, and a product with more weights that are each used once. */
const conv = layer('conv', [16, 8, 3, 3], 16)
const dense = layer('dense', [64, 32, 1, 1], 1)
const layers = [dense, conv]

describe('order of layers by energy', () => {
  test('the convolution first, though it has fewer weights; by the cost model', () => {
    const order = energyOrder(layers, { kept: 0.25, budget })
    expect(order.map(({ name }) => name)).toEqual(['conv', 'dense'])
    const [first] = order
    const { energy } = mapProblem(conv.problem, { hardware: hardwareNamed('eyeriss'), dataflow: 'rs', budget }).evaluation
    expect(first?.energy).toBeCloseTo(energy.total, 6)
    expect(first?.saved).toBeCloseTo(0.75 * (energy.per_operand.weights + energy.mac), 6)
    expect(first?.savedPerWeight).toBeCloseTo((first?.saved ?? NaN) / (0.75 * 16 * 8 * 9), 9)
    expect(energyOfKept({ fixed: 3, scaled: 10 }, 0.5)).toBe(8)
  })

  test('weights that are zero already save nothing more', () => {
    const half = conv.weights.values
    const pruned = { ...conv, weights: { ...conv.weights, values: Array.from(half, (value, at) => (at % 2 === 0 ? 0 : value)) } }
    const [before] = energyOrder([conv], { kept: 0.5, budget })
    const [after] = energyOrder([pruned], { kept: 0.5, budget })
    expect(after).toMatchObject({ saved: 0, savedPerWeight: 0, nonZero: half.length / 2 })
    expect(after?.energy).toBeCloseTo((before?.energy ?? NaN) - (before?.saved ?? NaN), 6)
  })

  test('another hardware or dataflow, and shares that are none', () => {
    const rs = energyOrder([conv], { kept: 0, budget })
    const ws = energyOrder([conv], { kept: 0, budget, dataflow: 'ws', hardware: hardwareNamed('eyeriss') })
    expect(ws[0]?.energy).not.toBe(rs[0]?.energy)
    expect(() => energyOrder(layers, { kept: 1.5 })).toThrow(OptionError)
    expect(() => energyOrder(layers, { kept: 0.5, hardware: 'none' })).toThrow(OptionError)
    expect(energyOrder([], { kept: 0.5 })).toEqual([])
  })
})

describe('a sparsity spread over layers', () => {
  const order = energyOrder(layers, { kept: 0.5, budget })
  const all = order.reduce((sum, { weights }) => sum + weights, 0)

  test('the first of the order as far as its bound, then the next, exactly as many zeros as asked for', () => {
    const spread = layerSparsities(layers, order, { sparsity: 0.5, lost: 0.4 })
    expect(spread.reduce((sum, { zeros }) => sum + zeros, 0)).toBe(Math.round(0.5 * all))
    const [first, second] = spread
    expect(first?.name).toBe('conv')
    expect(first?.lost).toBeLessThanOrEqual(0.4)
    expect(first?.lost).toBeGreaterThan(0.395)
    expect(first?.sparsity).toBeGreaterThan(second?.sparsity ?? NaN)
    for (const { name, sparsity, zeros, lost, energy, saved } of spread) {
      const weights = layers.find((one) => one.name === name)?.weights ?? { values: [], shape: [] }
      const report = maskReport(weights, pruneMask(weights, { kind: 'unstructured', sparsity }))
      expect(report.weights - report.nonZero).toBe(zeros)
      expect(1 - report.retained).toBeCloseTo(lost, 6)
      const before = order.find((one) => one.name === name)
      expect(energy + saved).toBeCloseTo(before?.energy ?? NaN, 6)
    }
  })

  test('zeros that are there count; a bound too tight is an error that says how far it goes', () => {
    const sparse = layers.map((one) => ({
      ...one,
      weights: { ...one.weights, values: Array.from(one.weights.values, (value, at) => (at % 4 === 0 ? 0 : value)) },
    }))
    const left = layerSparsities(sparse, energyOrder(sparse, { kept: 0.5, budget }), { sparsity: 0.25 })
    expect(left.map(({ lost }) => lost)).toEqual([0, 0])
    expect(left.map(({ sparsity }) => sparsity)).toEqual([0.25, 0.25])
    expect(() => layerSparsities(layers, order, { sparsity: 0.9, lost: 0.1 })).toThrow(OptionError)
    expect(() => layerSparsities(layers, order, { sparsity: 0.9, lost: 0.1 })).toThrow(/with this bound/)
    expect(() => layerSparsities([conv], order, { sparsity: 0.5 })).toThrow(/no layer dense/)
    expect(() => layerSparsities(layers, order, { sparsity: -1 })).toThrow(OptionError)
  })
})
