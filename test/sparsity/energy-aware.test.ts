/** The order of layers by what pruning them saves, and a sparsity spread over them: against figures that follow from the MACs alone. */
import { describe, expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError, OptionError } from '../../src/errors.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { Random } from '../../src/schedule/search/random.ts'
import {
  energyOrder,
  energyTotals,
  priceLayers,
  spreadByEnergy,
  type EnergyLayer,
  type LayerEnergy,
} from '../../src/sparsity/energy-aware.ts'
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
    problems: [{ M: filters, C: channels, R: rows, S: columns, P: size, Q: size }],
    weights: {
      values: Float32Array.from({ length: filters * channels * rows * columns }, () => random.next() - 0.5),
      shape: [filters, channels, rows, columns],
    },
  }
}

/** A convolution used 256 times over, one 16 times, and a product with more weights that are each used once. */
const conv = layer('conv', [16, 8, 3, 3], 16)
const late = layer('late', [24, 8, 3, 3], 4)
const dense = layer('dense', [64, 32, 1, 1], 1)
const layers = [dense, late, conv]

/** Nothing costs energy but a MAC, or, the other way round, a word from memory. */
function bare(mac: number, memory: number, sparsity?: Hardware['sparsity']): Hardware {
  return {
    name: 'bare',
    array: { x: 4, y: 4 },
    levels: [
      { name: 'DRAM', energy: memory },
      { name: 'RF', words: 256, energy: 0 },
    ],
    network: { energy: 0 },
    mac: { energy: mac },
    ...(sparsity === undefined ? {} : { sparsity }),
  }
}

const macsOnly = await priceLayers(layers, { hardware: bare(1, 0), budget })

describe('what a layer costs', () => {
  test('without zeros what its mapping costs; with them the MACs that are left', async () => {
    const { layers: priced, rules, dataflow } = await priceLayers([conv], { budget })
    expect([rules, dataflow]).toEqual(['skip', 'rs'])
    const { evaluation } = mapProblem(conv.problems[0] ?? {}, { hardware: hardwareNamed('eyeriss'), dataflow: 'rs', budget })
    expect(priced[0]?.price(1)).toEqual({ energy: expect.closeTo(evaluation.energy.total, 3) as number })
    for (const part of [0, 0.25, 1]) {
      expect(macsOnly.layers.map(({ price }) => price(part).energy)).toEqual([2048, 27_648, 294_912].map((macs) => part * macs))
    }
  })

  test('what the machine has no rule for saves nothing', async () => {
    const fetched = await priceLayers([conv], { hardware: bare(0, 1), budget })
    const inputs = await priceLayers([conv], { hardware: bare(1, 0, { compute: { action: 'skip', on: ['inputs'] } }), budget })
    expect(inputs.rules).toBe('own')
    for (const { layers: priced } of [fetched, inputs]) expect(priced[0]?.price(0.25)).toEqual(priced[0]?.price(1))
  })

  test('a machine of 2:4 takes 2:4 alone', async () => {
    const { layers: priced } = await priceLayers([conv], { hardware: 'a100-like', budget })
    const [full, half, grouped] = [1, 0.5, { kept: 2, of: 4 }].map((density) => priced[0]?.price(density))
    expect(half).toEqual(full)
    expect(half?.reason).toContain('stores weights as 2:4')
    expect(grouped?.reason).toBeUndefined()
    expect(grouped?.energy).toBeLessThan(full?.energy ?? NaN)
    const [row] = energyOrder(priced, { kind: 'unstructured', sparsity: 0.75 })
    expect(row).toMatchObject({ saved: 0, zeros: 864, reason: half?.reason })
  })

  test('one of 2:4 that passes over zeros as well does so where they lie anywhere', async () => {
    const rules: Hardware['sparsity'] = {
      compute: { action: 'skip', on: ['weights'] },
      levels: { DRAM: { weights: { format: '2:4' } } },
    }
    const { layers: priced } = await priceLayers([conv], { hardware: bare(1, 0, rules), budget })
    expect(priced[0]?.price(0.25)).toEqual({ energy: 0.25 * 294_912, reason: expect.stringContaining('(DRAM)') as string })
  })

  test('weights that several nodes read cost as often', async () => {
    const twice = { ...conv, problems: [...conv.problems, ...late.problems] }
    const { layers: priced } = await priceLayers([twice], { hardware: bare(1, 0), budget })
    expect(priced[0]?.price(0.5).energy).toBe((294_912 + 16 * 24 * 72) / 2)
  })

  test('what is none is an error; a layer that does not fit is named', async () => {
    await expect(priceLayers(layers, { hardware: 'none' })).rejects.toThrow(OptionError)
    await expect(priceLayers(layers, { dataflow: 'zigzag' })).rejects.toThrow(OptionError)
    await expect(priceLayers(layers, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    const [memory, file] = bare(1, 0).levels
    if (memory === undefined || file === undefined) throw new Error('no levels')
    const tiny = { ...bare(1, 0), levels: [memory, { ...file, words: 1 }], dataflow: 'rs' }
    await expect(priceLayers([conv], { hardware: tiny, budget })).rejects.toThrow(MappingError)
    await expect(priceLayers([conv], { hardware: tiny, budget })).rejects.toThrow('node conv')
    expect((await priceLayers([])).layers).toEqual([])
  })
})

describe('order of layers by energy', () => {
  test('the convolution first, though it has fewer weights', () => {
    const order = energyOrder(macsOnly.layers, { kind: 'unstructured', sparsity: 0.75 })
    expect(order.map(({ name, saved }) => [name, saved])).toEqual([
      ['conv', 0.75 * 294_912],
      ['late', 0.75 * 27_648],
      ['dense', 0.75 * 2048],
    ])
    expect(order.map((row) => row.saved_per_zero)).toEqual([256, 16, 1])
    const totals = energyTotals(order)
    expect(totals).toMatchObject({ weights: 4928, zeros_before: 0, zeros: 3696, sparsity: 0.75, energy_before: 324_608 })
    expect(totals.saved).toBe(0.75 * 324_608)
    expect(energyTotals([])).toMatchObject({ sparsity: 0, retained: 1, saved: 0, saved_per_zero: 0 })
  })

  test('2:4 saves half of the MACs; weights that are zero already save nothing more', async () => {
    const [row] = energyOrder(macsOnly.layers, { kind: '2:4', share: 1 })
    expect(row).toMatchObject({ name: 'conv', zeros_before: 0, zeros: 576, energy: 294_912 / 2 })
    const { values, shape } = conv.weights
    const cut = pruneMask(conv.weights, { kind: '2:4', share: 1 })
    const pruned = { ...conv, weights: { shape, values: Array.from(values, (value, at) => (cut[at] === 0 ? 0 : value)) } }
    for (const hardware of [bare(1, 0), 'a100-like']) {
      const { layers: priced } = await priceLayers([pruned], { hardware, budget })
      const [again] = energyOrder(priced, { kind: '2:4', share: 1 })
      expect(again).toMatchObject({ zeros_before: 576, zeros: 576, saved: 0, saved_per_zero: 0, retained: 1 })
      expect(again?.energy).toBe(priced[0]?.price({ kept: 2, of: 4 }).energy)
    }
  })

  test('weights that are no numbers are told with their layer', () => {
    const [priced] = macsOnly.layers
    if (priced === undefined) throw new Error('no layer')
    const broken = { ...priced, weights: { values: [1, NaN], shape: [1, 2] } }
    expect(() => energyOrder([broken], { kind: '2:4', share: 1 })).toThrow('node dense')
  })
})

describe('a sparsity spread over layers', () => {
  const uniform = energyOrder(macsOnly.layers, { kind: 'unstructured', sparsity: 0.5 })
  const zeros = (rows: readonly LayerEnergy[]): number => rows.reduce((sum, row) => sum + row.zeros, 0)

  test('where a zero saves most as far as its bound, then the next, exactly as many zeros', () => {
    const { bound, layers: spread } = spreadByEnergy(macsOnly.layers, uniform, 0.4)
    expect(bound).toBe(0.4)
    expect(zeros(spread)).toBe(zeros(uniform))
    expect(spread.map(({ name }) => name)).toEqual(['conv', 'late', 'dense'])
    for (const { retained } of spread.slice(0, 2)) {
      expect(retained).toBeGreaterThanOrEqual(0.6)
      expect(retained).toBeLessThan(0.602)
    }
    for (const { name, sparsity, zeros: own, retained, weights, energy } of spread) {
      const given = layers.find((one) => one.name === name)?.weights ?? { values: [], shape: [] }
      const report = maskReport(given, pruneMask(given, { kind: 'unstructured', sparsity }))
      expect(report.weights - report.nonZero).toBe(own)
      expect(report.retained).toBeCloseTo(retained, 6)
      const uses = { conv: 256, late: 16, dense: 1 }[name] ?? NaN
      expect(energy).toBeCloseTo((weights - own) * uses, 6)
    }
  })

  test('no other spread within the bounds saves more', () => {
    const { layers: spread } = spreadByEnergy(macsOnly.layers, uniform, 0.4)
    const best = energyTotals(spread).saved
    const [first, second, third] = spread
    if (first === undefined || second === undefined || third === undefined) throw new Error('three layers')
    const room = [first, second, third].map(({ name }) => {
      const magnitudes = Array.from(layers.find((one) => one.name === name)?.weights.values ?? [], Math.abs).sort((a, b) => a - b)
      const most = 0.4 * magnitudes.reduce((sum, size) => sum + size, 0)
      let sum = 0
      return magnitudes.findIndex((size) => (sum += size) > most)
    })
    let tried = 0
    for (let a = 0; a <= (room[0] ?? 0); a += 7) {
      for (let b = 0; b <= (room[1] ?? 0); b += 7) {
        const c = zeros(uniform) - a - b
        if (c < 0 || c > (room[2] ?? 0)) continue
        tried++
        expect(256 * a + 16 * b + c).toBeLessThanOrEqual(best)
      }
    }
    expect(tried).toBeGreaterThan(1000)
  })

  test.each([0, 0.1, 0.5, 0.9, 1])('the bound that goes with a sparsity of %d always leaves room for it', (sparsity) => {
    const evenly = energyOrder(macsOnly.layers, { kind: 'unstructured', sparsity })
    const { bound, layers: spread } = spreadByEnergy(macsOnly.layers, evenly)
    const worst = Math.max(...evenly.map(({ retained }) => 1 - retained))
    expect(bound).toBeCloseTo(worst < 0.5 ? 1.5 * worst : (1 + worst) / 2, 9)
    expect(zeros(spread)).toBe(zeros(evenly))
    expect(energyTotals(spread).saved).toBeGreaterThanOrEqual(energyTotals(evenly).saved)
  })

  test('layers that are alike share what is left for them', async () => {
    const other = { ...conv, name: 'other', weights: { ...conv.weights, values: conv.weights.values } }
    const { layers: priced } = await priceLayers([conv, other, dense], { hardware: bare(1, 0), budget })
    const evenly = energyOrder(priced, { kind: 'unstructured', sparsity: 0.2 })
    const { layers: spread } = spreadByEnergy(priced, evenly, 0.6)
    const [first, second, last] = spread.map((row) => row.zeros)
    expect(last).toBe(0)
    expect(Math.abs((first ?? NaN) - (second ?? NaN))).toBeLessThanOrEqual(1)
    expect(zeros(spread)).toBe(zeros(evenly))
  })

  test('zeros that are there count', async () => {
    const sparse = layers.map((one) => ({
      ...one,
      weights: { ...one.weights, values: Array.from(one.weights.values, (value, at) => (at % 4 === 0 ? 0 : value)) },
    }))
    const { layers: priced } = await priceLayers(sparse, { hardware: bare(1, 0), budget })
    const { layers: same } = spreadByEnergy(priced, energyOrder(priced, { kind: 'unstructured', sparsity: 0.25 }))
    expect(same.map(({ retained, sparsity, saved }) => [retained, sparsity, saved])).toEqual(same.map(() => [1, 0.25, 0]))
    // One that is sparser than asked for may yet be cut further, where that saves most.
    const [first, ...others] = [...sparse].reverse()
    if (first === undefined) throw new Error('no layer')
    const mixed = await priceLayers([first, ...layers.slice(0, 2)], { hardware: bare(1, 0), budget })
    expect(others).toHaveLength(2)
    const spread = spreadByEnergy(mixed.layers, energyOrder(mixed.layers, { kind: 'unstructured', sparsity: 0.2 }))
    expect(spread.layers[0]?.name).toBe('conv')
    expect(spread.layers[0]?.zeros).toBeGreaterThan(288)
  })

  test('a bound that is none or too tight, and a layer that is not there, are errors', () => {
    expect(() => spreadByEnergy(macsOnly.layers, uniform, 0.1)).toThrow(/a sparsity of 0\.3\d+ with this bound/)
    for (const bound of [-1, 1.5, NaN]) expect(() => spreadByEnergy(macsOnly.layers, uniform, bound)).toThrow(OptionError)
    expect(() => spreadByEnergy(macsOnly.layers.slice(0, 1), uniform)).toThrow(/no layer conv/)
  })
})

test('a mapping is looked for without zeros: evaluate agrees on its accesses', async () => {
  const { layers: priced } = await priceLayers([late], { hardware: 'scnn', budget })
  const { mapping } = mapProblem(late.problems[0] ?? {}, { hardware: hardwareNamed('scnn'), dataflow: 'is', budget })
  const { sparse } = evaluate(late.problems[0] ?? {}, hardwareNamed('scnn'), mapping, { densities: { weights: 0.3 } })
  expect(priced[0]?.price(0.3).energy).toBeCloseTo(sparse.energy.total, 6)
})
