/**
 * The mapper against published mappings: for every one of 30 tiny and 119 layer mappings that Timeloop evaluated, it must find
 * one under the same dataflow, on the same hardware, that costs no more. The files are not part of the project; where they are
 * absent the tests say so and skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { evaluate } from '../../src/cost/evaluate.ts'
import { dataflowNamed } from '../../src/schedule/dataflow.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { parseHardware, parseMapping, parseProblem } from '../../src/schedule/parse.ts'
import { departures } from '../../src/schedule/search/departures.ts'

const TRUTH = fileURLToPath(new URL('../../../shared/truth/', import.meta.url))
const isThere = existsSync(TRUTH)
if (!isThere) console.log('skipped: the published mappings are expected in ../shared/truth')

const file = z.object({
  cases: z.array(z.object({ id: z.string(), problem: z.unknown(), hardware: z.unknown(), mapping: z.unknown() })),
})

function casesOf(name: string) {
  const { cases } = file.parse(JSON.parse(readFileSync(`${TRUTH}${name}`, 'utf8')))
  return cases.map(({ id, problem, hardware, mapping }) => ({
    id,
    problem: parseProblem(problem),
    hardware: parseHardware(hardware),
    mapping: parseMapping(mapping),
    dataflow: dataflowNamed(id.split('/')[1] ?? ''),
  }))
}

/** Budgets by default and with TILEWRIGHT_LONG=1: the longer search of the same tuples. */
const isLong = process.env['TILEWRIGHT_LONG'] === '1'

describe.skipIf(!isThere)('published mappings', () => {
  test.each([
    ['timeloop-tiny.json', 30, isLong ? 60_000 : 12_000],
    ['timeloop-16x16.json', 119, isLong ? 60_000 : 3000],
  ] as const)('%s: none is better than what the mapper finds under its dataflow', { timeout: 600_000 }, (name, count, budget) => {
    const cases = casesOf(name)
    for (const halo of ['exact', 'timeloop'] as const) {
      const worse: string[] = []
      const ratios: number[] = []
      let exhaustive = 0
      const began = performance.now()
      let seen = 0
      for (const { id, problem, hardware, mapping, dataflow } of cases) {
        const theirs = evaluate(problem, hardware, mapping, { halo }).energy.total
        const { evaluation, searched } = mapProblem(problem, { hardware, dataflow, halo, budget })
        const ratio = evaluation.energy.total / theirs
        ratios.push(ratio)
        seen += searched.seen
        if (searched.exhaustive) exhaustive++
        if (!(ratio <= 1)) worse.push(`${id}: ${ratio}`)
      }
      ratios.sort((a, b) => a - b)
      const seconds = (performance.now() - began) / 1000
      console.log(
        `${name}, ${halo}: ${ratios.length - worse.length} of ${cases.length} found at most the published energy (${exhaustive} exhaustive); ` +
          `ratio min ${ratios[0]?.toFixed(3)}, median ${ratios[ratios.length >> 1]?.toFixed(3)}, max ${ratios.at(-1)?.toFixed(3)}; ` +
          `${seen} mappings in ${seconds.toFixed(1)} s (${Math.round(seen / seconds / 1000)}k/s)`,
      )
      expect(worse).toEqual([])
    }
    expect(cases.length).toBe(count)
  })

  test('each follows its dataflow as the mapper reads it, but for splits wider than an axis', () => {
    const found: string[] = []
    let followed = 0
    for (const name of ['timeloop-tiny.json', 'timeloop-16x16.json']) {
      for (const { id, problem, hardware, mapping, dataflow } of casesOf(name)) {
        const those = departures(problem, hardware, mapping, dataflow)
        if (those.length === 0) followed++
        else found.push(`${id}: ${those.join(', ')}`)
      }
    }
    console.log(`${followed} follow their dataflow; not, with why: ${found.join('; ')}`)
    // M over 16×16 PEs written as one axis: the mapper splits it over both.
    expect(found.filter((text) => !/os_c(\/\w+)?: GLB takes \d+ along x, which has \d+$/.test(text))).toEqual([])
    expect(followed).toBeGreaterThan(120)
  })
})
