/** Figs. 33 to 35 redone: one area, energies that add up, the authors' formulas, and a committed result that the code still gives. */
import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import type { Charged } from '../../src/profile/figures/cells.ts'
import { claimsOf } from '../../src/profile/figures/claims.ts'
import { PARTS, operandOf, partOf, totalOf } from '../../src/profile/figures/energy.ts'
import {
  AREA_PER_BYTE,
  COMPARED,
  PES,
  ROOMS,
  TOTAL_AREA,
  bufferBytes,
  equalAreaHardware,
  memoryArea,
} from '../../src/profile/figures/equal-area.ts'
import { jobsOf } from '../../src/profile/figures/figures.ts'
import { alexnetLayers, dramBounds } from '../../src/profile/figures/layers.ts'
import { priceMapping } from '../../src/profile/figures/pricing.ts'
import { publishedCell } from '../../src/profile/figures/published.ts'
import { redoFigures } from '../../src/profile/figures/redo.ts'
import type { Figures } from '../../src/profile/figures/result.ts'
import { byLayer, comparison, figuresCsv } from '../../src/profile/figures/sheets.ts'
import { OPERANDS } from '../../src/schedule/problem.ts'

const read = (name: string): Figures =>
  JSON.parse(readFileSync(new URL(`../../bench/results/${name}.json`, import.meta.url), 'utf8')) as Figures
const committed = {
  end: read('figures-33-35'),
  buffer: read('figures-33-35-buffer'),
  tilewright: read('figures-33-35-tilewright'),
}
const RESULTS = ['end', 'buffer', 'tilewright'] as const
const document = readFileSync(new URL('../../docs/figures.md', import.meta.url), 'utf8')

describe('one area', () => {
  test('row stationary has the buffer that the area was taken from', () => {
    expect(bufferBytes(512)).toBe(131_072)
    expect(TOTAL_AREA).toBeCloseTo(256 * 512 * 20.87 + 131_072 * 12.7, 3)
  })

  test('buffers differ by up to 2.6×, total storage by up to 80 kB, as ISCA 2016 says', () => {
    const buffers = COMPARED.map((dataflow) => bufferBytes(ROOMS[dataflow].rfBytes))
    const storage = COMPARED.map((dataflow) => bufferBytes(ROOMS[dataflow].rfBytes) + PES * ROOMS[dataflow].rfBytes)
    expect((Math.max(...buffers) / Math.min(...buffers)).toFixed(1)).toBe('2.6')
    expect((Math.max(...storage) - Math.min(...storage)) / 1024).toBeCloseTo(82.3, 1)
    for (const bytes of buffers) expect(bytes).toBeLessThanOrEqual(500 * 1024)
    for (const bytes of buffers) expect(bytes).toBeGreaterThanOrEqual(100 * 1024)
  })

  test('the points of the curve are met, each larger memory larger on silicon, none of no size', () => {
    for (const [bytes, area] of AREA_PER_BYTE) expect(memoryArea(bytes)).toBeCloseTo(bytes * area, 6)
    expect(memoryArea(0)).toBe(0)
    expect(memoryArea(1)).toBe(103.47)
    expect(memoryArea(1 << 20)).toBe((1 << 20) * 12.7)
    const areas = AREA_PER_BYTE.map(([bytes]) => memoryArea(bytes))
    expect(areas).toEqual(areas.toSorted((a, b) => a - b))
    expect(() => memoryArea(-1)).toThrow(/no area/)
    expect(() => memoryArea(NaN)).toThrow(/no area/)
    expect(() => bufferBytes(4096)).toThrow(/leave no buffer/)
  })

  test.each(COMPARED)('%s fits its area', (dataflow) => {
    const { levels, array } = equalAreaHardware(dataflow)
    expect(array.x * array.y).toBe(256)
    const [, buffer, registers] = levels
    const area = PES * memoryArea((registers?.words ?? NaN) * 2) + memoryArea((buffer?.words ?? NaN) * 2)
    expect(area).toBeLessThanOrEqual(TOTAL_AREA)
    expect(area).toBeGreaterThan(TOTAL_AREA * 0.9999)
  })
})

describe('the layers', () => {
  test('are AlexNet as the survey counts it', () => {
    const { macs, worst, best, convReads } = dramBounds()
    expect([macs, worst, best]).toEqual([724_406_816, 2_897_627_264, 60_954_656])
    expect(convReads.worst).toBe(2 * 665_784_864)
    expect(convReads.worst / convReads.best).toBeCloseTo(487.7, 1)
  })

  const truth = new URL('../../../shared/truth/sze_survey.json', import.meta.url)
  test.skipIf(!existsSync(truth))('agree with the exact figures of the truth file (skipped where it is absent)', () => {
    const { exact_checks_computed_here: exact } = JSON.parse(readFileSync(truth, 'utf8')) as {
      exact_checks_computed_here: { alexnet_grouped: { total_MACs: number; total_weights: number } }
    }
    const { macs, best } = dramBounds()
    expect([macs, best]).toEqual([exact.alexnet_grouped.total_MACs, exact.alexnet_grouped.total_weights])
  })
})

describe("the authors' formulas", () => {
  let cells: Charged[] = []
  beforeAll(() => {
    cells = jobsOf('all', 16).map(publishedCell)
  })

  test('give what the survey says, claim by claim', () => {
    const claims = claimsOf(cells, []).filter(({ where }) => where.startsWith('Fig.'))
    expect(claims).toHaveLength(14)
    expect(claims.filter(({ agrees }) => !agrees)).toEqual([])
  })

  test('give 1.4× to 2.5× in the CONV layers', () => {
    const ratios = comparison(cells, 'conv').map(({ name, toRs }) => `${name} ${toRs?.toFixed(2)}`)
    expect(ratios).toEqual(['ws 1.90', 'os-a 1.38', 'os-b 1.46', 'os-c 2.22', 'nlr 2.42', 'rs 1.00'])
  })
})

/** Figures without what the clock or the search's way there may change. */
const energies = (figures: Figures) =>
  figures.cells.map(({ layer, dataflow, energy }) => [dataflow, layer, totalOf(energy)] as const)

describe('a reduced run', () => {
  test('is the same twice, adds up, and is not better than the committed one', { timeout: 60_000 }, async () => {
    const options = { figure: '33', budget: 150 } as const
    const first = await redoFigures(options)
    const again = await redoFigures(options)
    expect(first).toEqual(again)
    expect(first.complete).toBe(true)
    expect(first.cells).toHaveLength(30)
    for (const { energy } of first.cells) {
      const operands = OPERANDS.reduce((sum, operand) => sum + operandOf(energy, operand), 0)
      expect(operands + energy.alu).toBeCloseTo(totalOf(energy), -2)
      for (const part of PARTS) expect(partOf(energy, part)).toBeGreaterThanOrEqual(0)
    }
    const full = new Map(energies(committed.end).map(([dataflow, layer, total]) => [`${dataflow} ${layer}`, total]))
    for (const [dataflow, layer, total] of energies(first)) {
      expect(total, `${dataflow} ${layer}`).toBeGreaterThanOrEqual((full.get(`${dataflow} ${layer}`) ?? Infinity) * (1 - 1e-12))
    }
  })

  test('stopped before it began has no cells, and says so', async () => {
    const figures = await redoFigures({ budget: 10, signal: AbortSignal.abort() })
    expect([figures.complete, figures.cells.length]).toEqual([false, 0])
    expect(figures.claims.map(({ where }) => where)).toEqual(['V-B', 'V-B', 'V-B', 'ISCA 2016, VI-B'])
  })
})

describe.each(RESULTS)('the committed result %s', (result) => {
  const figures = committed[result]
  const { convention } = figures

  test('has every cell', () => {
    const settings = [figures.convention, figures.stationary, figures.batch, figures.complete]
    const stationary = result === 'buffer' ? 'buffer' : 'end'
    expect(settings).toEqual([result === 'tilewright' ? 'tilewright' : 'isca16', stationary, 16, true])
    const names = figures.cells.map(({ dataflow, layer }) => `${dataflow} ${layer}`)
    expect(names).toEqual(jobsOf('all', 16).map(({ dataflow, layer }) => `${dataflow} ${layer.name}`))
  })

  test('is what its mappings cost today', () => {
    const layers = new Map(alexnetLayers(16).map(({ name, problem }) => [name, problem]))
    for (const cell of figures.cells) {
      const problem = layers.get(cell.layer)
      if (problem === undefined) throw new Error(`${cell.layer} is no layer`)
      const { energy, dram } = priceMapping(problem, equalAreaHardware(cell.dataflow), cell.mapping, convention)
      expect({ energy, dram }, `${cell.dataflow} ${cell.layer}`).toEqual({ energy: cell.energy, dram: cell.dram })
      if (convention === 'isca16') continue
      const { energy: evaluated } = evaluate(problem, equalAreaHardware(cell.dataflow), cell.mapping)
      expect(totalOf(energy) / evaluated.total).toBeCloseTo(1, 12)
    }
  })

  test('has the claims that follow from its cells', () => {
    expect(figures.claims).toEqual(claimsOf(figures.cells, jobsOf('all', 16).map(publishedCell)))
  })
})

test('docs/figures.md has a row for every claim, with what comes out and whether it agrees', () => {
  for (const { survey, ours, agrees } of committed.end.claims) {
    const row = document.split('\n').find((line) => line.includes(`| ${survey} |`))
    expect(row, survey).toBeDefined()
    expect(row, survey).toContain(`| ${ours} |`)
    expect(row, survey).toContain(agrees ? '| yes |' : '| no |')
  }
})

test('the tables of the document are the committed numbers', () => {
  for (const result of RESULTS) {
    for (const kind of ['conv', 'fc'] as const) {
      for (const row of comparison(committed[result].cells, kind)) {
        const cells = [...PARTS.map((part) => row.parts[part]), ...OPERANDS.map((operand) => row.operands[operand]), row.total]
        expect(document).toContain(
          `| ${row.name} | ${cells.map((value) => value.toFixed(2)).join(' | ')} | ${row.toRs?.toFixed(2)} |`,
        )
      }
    }
  }
  for (const row of byLayer(committed.end.cells)) expect(document).toContain(`| ${row.name} |`)
})

test('the CSV has a line for each part and operand of each cell', () => {
  const lines = figuresCsv(committed.end.cells).trim().split('\n')
  expect(lines).toHaveLength(1 + 48 * (1 + 4 * 3))
  expect(lines[0]).toBe('layer,kind,dataflow,macs,part,operand,energy,dram_words,utilization')
  for (const line of lines) expect(line.split(',')).toHaveLength(9)
})
