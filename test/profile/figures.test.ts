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

/** What the document says of one result, or of the authors' formulas: which table of Figs. 33 and 34 is whose, in the document's order. */
const TABLES = ['end', 'published', 'buffer', 'tilewright'] as const
const published = jobsOf('all', 16).map(publishedCell)
const cellsOf = (table: (typeof TABLES)[number]): readonly Charged[] => (table === 'published' ? published : committed[table].cells)
const two = (value: number | undefined): string => (value ?? NaN).toFixed(2)

/** The tables under a heading of the document: each its rows, without head and rule. */
function tablesUnder(heading: string): string[][] {
  const section = document.split(/^## /m).find((text) => text.startsWith(heading)) ?? ''
  const blocks = section.split(/\n(?!\|)/).map((block) => block.split('\n').filter((line) => line.startsWith('|')))
  return blocks.filter((rows) => rows.length > 0).map((rows) => rows.slice(2))
}

test.each([
  ['Fig. 33', 'conv'],
  ['Fig. 34', 'fc'],
] as const)('the tables of %s in the document are the committed numbers and the formulas, row by row', (heading, kind) => {
  const expected = TABLES.map((table) =>
    comparison(cellsOf(table), kind).map(({ name, parts, operands, total, toRs }) => {
      const cells = [...PARTS.map((part) => parts[part]), ...OPERANDS.map((operand) => operands[operand]), total, toRs]
      return `| ${name} | ${cells.map(two).join(' | ')} |`
    }),
  )
  expect(expected.map((rows) => rows.length)).toEqual(TABLES.map(() => COMPARED.length))
  expect(tablesUnder(heading)).toEqual(expected)
})

test('the table of Fig. 35 in the document is the committed numbers, row by row', () => {
  const expected = byLayer(committed.end.cells).map(({ name, parts, total, share }) => {
    const cells = [...PARTS.map((part) => parts[part]), total].map(two)
    return `| ${[name, ...cells, `${(100 * (share ?? NaN)).toFixed(1)} %`].join(' | ')} |`
  })
  expect(expected).toHaveLength(10)
  expect(tablesUnder('Fig. 35')).toEqual([expected])
})

test('the table of areas in the document is what the designs get', () => {
  const expected = COMPARED.map((dataflow) => {
    const { rfBytes } = ROOMS[dataflow]
    return `| ${dataflow} | ${rfBytes} B | ${bufferBytes(rfBytes).toLocaleString('en-US')} B |`
  })
  const [rows = []] = tablesUnder('What was modelled')
  expect(rows.map((row) => row.split('|').slice(0, 4).join('|').concat('|'))).toEqual(expected)
})

/** Least and most that the others need of row stationary. */
function range(table: (typeof TABLES)[number], kind: 'conv' | 'fc'): readonly [least: string, most: string] {
  const ratios = comparison(cellsOf(table), kind).flatMap(({ name, toRs }) => (name === 'rs' ? [] : [toRs ?? NaN]))
  return [two(Math.min(...ratios)), two(Math.max(...ratios))]
}

test('"In short" says what the results say, number by number', () => {
  const short = document.split(/^## /m).find((text) => text.startsWith('In short')) ?? ''
  const hold = (result: (typeof RESULTS)[number]): number => committed[result].claims.filter(({ agrees }) => agrees).length
  const failing = committed.end.claims.filter(({ agrees }) => !agrees).map(({ id }) => id)
  const osB = comparison(committed.tilewright.cells, 'conv').find(({ name }) => name === 'os-b')
  const [conv, fc] = [range('end', 'conv'), range('end', 'fc')]
  const [looseConv, looseFc] = [range('buffer', 'conv'), range('buffer', 'fc')]
  const formulas = range('published', 'conv')
  const sentences = [
    `Of ${committed.end.claims.length} claims of the survey, ${hold('end')} hold here`,
    `the others ${conv[0]}× to ${conv[1]}× as much (survey: 1.4× to 2.5×; the authors' formulas: ${formulas[0]}× to ${formulas[1]}×)`,
    `but the nearest other only ${fc[0]}× as much (survey: at least 1.3×)`,
    `the others need ${looseConv[0]}× to ${looseConv[1]}× in the CONV layers and ${looseFc[0]}× to ${looseFc[1]}× in the FC layers, ` +
      `and ${hold('buffer')} claims hold`,
    `${hold('tilewright')} claims hold, and in the CONV layers output stationary B needs ${two(osB?.toRs)}× of row stationary`,
  ]
  for (const sentence of sentences) expect(short).toContain(sentence)
  // "The claim that does not hold is the margin in the FC layers": that one, no other; row stationary needs the least in both.
  expect(failing).toEqual(['fc-ratio'])
  for (const least of [conv[0], fc[0]]) expect(Number(least)).toBeGreaterThan(1)
  // No number stands there that was not looked at: those of the sentences are all there are, but for years and conferences.
  const numbers = (text: string): string[] => text.match(/\d+(\.\d+)?/g) ?? []
  const rest = sentences.reduce((text, sentence) => text.replace(sentence, ''), short)
  expect(numbers(rest)).toEqual(['2016'])
})

test('the table of claims in the document is that of the committed result, but for the reasons', () => {
  const expected = committed.end.claims.map(({ where, survey, ours, agrees, published: theirs }) =>
    [where, survey, ours, agrees ? 'yes' : 'no', theirs?.value ?? '–'].join(' | '),
  )
  expect(expected).toHaveLength(18)
  const [rows = []] = tablesUnder('Claim by claim')
  expect(rows.map((row) => row.slice(2).split(' | ').slice(0, 5).join(' | '))).toEqual(expected)
})

test('the CSV has a line for each part and operand of each cell', () => {
  const lines = figuresCsv(committed.end.cells).trim().split('\n')
  expect(lines).toHaveLength(1 + 48 * (1 + 4 * 3))
  expect(lines[0]).toBe('layer,kind,dataflow,macs,part,operand,energy,dram_words,utilization')
  for (const line of lines) expect(line.split(',')).toHaveLength(9)
})
