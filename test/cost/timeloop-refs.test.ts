/**
 * Counts and cycles against the runs that Timeloop's exercises publish: 20 dense ones, several with levels that store nothing.
 * The file is not part of the project; where it is absent the tests say so and skip.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { evaluate } from '../../src/cost/evaluate.ts'
import { readMapping } from '../../src/formats/timeloop/mapping.ts'
import { readYaml } from '../../src/formats/yaml/read.ts'
import { tileWords } from '../../src/schedule/check.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { OPERANDS } from '../../src/schedule/problem.ts'
import { denseReference, hardwareOf, mappingOf, parseNest, problemOf, reference, type Reference } from './timeloop-refs.ts'

const FILE = fileURLToPath(new URL('../../../shared/truth/timeloop_refs.json', import.meta.url))
const isThere = existsSync(FILE)
if (!isThere) console.log('skipped: the published runs are expected in ../shared/truth/timeloop_refs.json')

const raw = isThere ? z.object({ tuples: z.array(z.unknown()) }).parse(JSON.parse(readFileSync(FILE, 'utf8'))).tuples : []
const sparse = raw.filter((tuple) => reference.parse(tuple).sparse)
const dense = raw.filter((tuple) => !reference.parse(tuple).sparse).map((tuple) => denseReference.parse(tuple))

interface Compared {
  /** "id LEVEL operand kind: ours, theirs" of every figure that differs. */
  readonly differing: string[]
  /** Cycles, utilisation, MACs, and the reads, fills and updates of each level and operand; none twice. */
  readonly figures: number
  /** Sizes of tiles, by level and operand: given with the counts, printed in the nest, or both. */
  readonly tiles: number
}

/** A figure that the file repeats (the cycles at every level, a tile in the nest and beside its counts) must be the same and counts once. */
function compare(entry: Reference): Compared {
  const read = problemOf(entry)
  const nest = parseNest(entry.mapping_loopnest, read.operands)
  const hardware = hardwareOf(entry, nest)
  const mapping = mappingOf(nest, read)
  const ours = evaluate(read.problem, hardware, mapping, { halo: 'timeloop' })
  const differing: string[] = []
  const seen = { figures: new Map<string, number>(), tiles: new Map<string, number>() }
  const check = (of: 'figures' | 'tiles', name: string, mine: number | undefined, theirs: number, within = 0): void => {
    if (seen[of].get(name) === theirs) return
    const again = seen[of].has(name) ? ' (given twice, not the same)' : ''
    seen[of].set(name + again, theirs)
    if (mine === undefined || Math.abs(mine - theirs) > within)
      differing.push(`${entry.id.split('/').slice(-2).join('/')} ${name}${again}: ${mine}, ${theirs}`)
  }
  check('figures', 'cycles', ours.cycles, Number(entry.summary.Cycles))
  const printed = Number.parseFloat(entry.summary.Utilization) / 100
  check('figures', 'utilization', ours.utilization, printed, 0.00005 + 1e-12)
  for (const { level, Cycles, access, 'Computes (total)': computes } of entry.levels) {
    check('figures', 'cycles', ours.cycles, Cycles)
    if (computes !== undefined) check('figures', 'macs', ours.macs, computes)
    for (const [name, counts] of Object.entries(access ?? {})) {
      const operand = read.operands.get(name)
      if (operand === undefined) throw new Error(`no operand ${name}`)
      for (const kind of ['reads', 'fills', 'updates'] as const) {
        check('figures', `${level} ${operand} ${kind}`, ours.accesses[level]?.[operand][kind], counts[`${kind}_total`])
      }
      const index = mapping.levels.findIndex((own) => own.name === level)
      check('tiles', `${level} ${operand} tile`, tileWords(read.problem, mapping, index, operand), counts.tile_size)
    }
  }
  for (const [index, { name, tiles }] of nest.entries()) {
    for (const operand of OPERANDS) {
      const words = tiles[operand]
      if (words !== undefined) check('tiles', `${name} ${operand} tile`, tileWords(read.problem, mapping, index, operand), words)
    }
  }
  return { differing, figures: seen.figures.size, tiles: seen.tiles.size }
}

describe.skipIf(!isThere)('published runs of Timeloop', () => {
  test('20 dense ones, as Timeloop counts', () => {
    const results = dense.map(compare)
    const differing = results.flatMap((result) => result.differing)
    const figures = results.reduce((sum, result) => sum + result.figures, 0)
    const tiles = results.reduce((sum, result) => sum + result.tiles, 0)
    console.log(
      `timeloop_refs: ${figures} counts and cycles and ${tiles} tile sizes of ${dense.length} mappings compared, each once, ` +
        `${differing.length} differ; ${sparse.length} with zeros are compared in sparse-refs.test.ts`,
    )
    expect(differing).toEqual([])
    expect(dense.length).toBe(20)
    for (const result of results) expect(Math.min(result.figures, result.tiles)).toBeGreaterThan(0)
    expect([figures, tiles]).toEqual([495, 145])
  })

  test('mappings given as directives are those printed as loop nests', () => {
    const given = dense.filter(({ mapping_given: directives }) => directives.length > 0)
    for (const entry of given) {
      const read = problemOf(entry)
      const nest = parseNest(entry.mapping_loopnest, read.operands)
      const hardware = hardwareOf(entry, nest)
      const mapping = readMapping(readYaml(entry.id, JSON.stringify(entry.mapping_given)), { ...read, hardware })
      const full = (levels: Mapping['levels']) =>
        levels.map(({ name, temporal, spatial: { x = [], y = [] } = {}, keep = OPERANDS }) => ({ name, temporal, x, y, keep }))
      expect(full(mapping.levels), entry.id).toEqual(full(mappingOf(nest, read).levels))
    }
    console.log(`timeloop_refs: ${given.length} mappings given as directives are those printed`)
    expect(given.length).toBe(9)
  })
})
