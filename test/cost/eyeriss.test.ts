/**
 * The Eyeriss chip as measured (Chen et al., JSSC 2017): AlexNet under the mapping of its Table III. Active PEs are exact; what took the
 * chip longer than its active PEs need lies within a fifth; its compressed DRAM traffic is below our plain one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { runLengthRatio, withRunLength } from '../../src/cost/compression.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import type { Evaluation } from '../../src/cost/evaluation.ts'
import { tileWords } from '../../src/schedule/check.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, macsOf, type Problem } from '../../src/schedule/problem.ts'

const FILE = fileURLToPath(new URL('../../../shared/truth/eyeriss_jssc17.json', import.meta.url))
const isThere = existsSync(FILE)
if (!isThere) console.log('skipped: the measured figures are expected in ../shared/truth')

const measured = z.object({
  layer: z.string(),
  proc_latency: z.number(),
  GMACs: z.number(),
  active_PEs: z.number(),
  ifmap_zeros_pct: z.number(),
  GLB_MB: z.number(),
  DRAM_MB: z.number(),
})
const file = z.object({
  alexnet_batch4: z.array(measured),
  alexnet_rs_mapping_tableIII: z.object({
    columns: z.array(z.string()),
    rows: z.array(z.array(z.union([z.string(), z.number()]))),
  }),
  vgg16_batch3: z.array(measured),
})
type Measured = z.infer<typeof measured>

interface Row {
  readonly chip: Measured
  /** Table III: m, n, e, p, q, r, t and the buffer sizes in kB. */
  readonly scheme: Readonly<Record<string, number>>
  readonly problem: Problem
  readonly mapping: Mapping
}

const CHIP = hardwareNamed('eyeriss-chip')
const SIMPLE = hardwareNamed('eyeriss')
const BATCH = 4

function problemOf(scheme: Readonly<Record<string, number>>): Problem {
  const { R = 0, E = 0, C_per_group: C = 0, M = 0, U = 0 } = scheme
  // AlexNet: two groups where half of the inputs' channels go into a filter (layers 2, 4, 5).
  const groups = [48, 192].includes(C) ? 2 : 1
  return convProblem({ N: BATCH, M: M / groups, C, P: E, Q: E, R, S: R, stride: [U, U], groups })
}

/** Table III as loops: e output rows (folded into free rows of PEs where they exceed the 14 columns), r and t copies, n images a pass. */
function mappingOf(problem: Problem, scheme: Readonly<Record<string, number>>, hardware: Hardware): Mapping {
  const { m = 1, n = 1, e = 1, p = 1, q = 1, r = 1, t = 1 } = scheme
  const { M, C, P, Q, R, S, N, groups } = problem
  const down = Math.ceil(e / 14)
  const across = Math.ceil(e / down)
  const beside = Math.min(t, Math.floor(14 / across))
  const outer: Loop[] = [
    ['G', groups],
    ['M', M / m],
    ['N', N / n],
    ['P', Math.ceil(P / e)],
    ['C', C / (q * r)],
  ]
  const inner: Loop[] = [
    ['M', m / (p * t)],
    ['N', n],
    ['Q', Q],
  ]
  const inPe: Loop[] = [
    ['C', q],
    ['S', S],
    ['M', p],
  ]
  const spatial: { x: Loop[]; y: Loop[] } = {
    x: [
      ['P', across],
      ['M', beside],
    ],
    y: [
      ['P', down],
      ['C', r],
      ['M', t / beside],
      ['R', R],
    ],
  }
  const last = hardware.levels.length - 1
  const array = last === 2 ? 1 : 2
  return {
    levels: hardware.levels.map(({ name, holds }, index) => ({
      name,
      temporal: [outer, inner][index] ?? (index === last ? inPe : []),
      ...(index === array ? { spatial } : {}),
      ...(holds === undefined ? (name === 'GLB' ? { keep: ['inputs', 'outputs'] as const } : {}) : { keep: holds }),
    })),
  }
}

/**
 * PEs at work in a full pass (e rows of outputs), by `evaluate`: utilisation × PEs of the pass by itself. The whole layer's is less where
 * its last pass is ragged (55 rows as 7 × 8 + …), and Table V of the chip gives the full one.
 */
function activePes(problem: Problem, scheme: Readonly<Record<string, number>>): number {
  const pass = convProblem({ ...problem, P: scheme.e ?? NaN })
  const { utilization } = evaluate(pass, SIMPLE, mappingOf(pass, scheme, SIMPLE))
  return Number((utilization * SIMPLE.array.x * SIMPLE.array.y).toFixed(9))
}

const MB = 1e6
const words = (evaluation: Evaluation, level: string): number =>
  Object.values(evaluation.accesses[level] ?? {}).reduce((sum, { reads, fills, updates }) => sum + reads + fills + updates, 0)

describe.skipIf(!isThere)('the Eyeriss chip', () => {
  let rows: Row[] = []
  let vgg: Measured[] = []

  beforeAll(() => {
    const parsed = file.parse(JSON.parse(readFileSync(FILE, 'utf8')))
    const { columns, rows: table } = parsed.alexnet_rs_mapping_tableIII
    rows = table.map((cells) => {
      const scheme = Object.fromEntries(columns.map((column, at) => [column, Number(cells[at])]))
      const chip = parsed.alexnet_batch4.find(({ layer }) => layer === cells[0])
      if (chip === undefined) throw new Error(`${String(cells[0])} was not measured`)
      const problem = problemOf(scheme)
      return { chip, scheme, problem, mapping: mappingOf(problem, scheme, CHIP) }
    })
    vgg = parsed.vgg16_batch3
    expect(rows.length).toBe(5)
  })

  test('active PEs and the sizes of the tiles in the buffer are those of Table III', () => {
    let compared = 0
    const differing: string[] = []
    for (const { chip, scheme, problem, mapping } of rows) {
      const { macs } = evaluate(problem, CHIP, mapping)
      const kB = (operand: 'inputs' | 'outputs'): number =>
        Number(((2 * tileWords(problem, mapping, 1, operand)) / 1024).toFixed(1))
      for (const [what, ours, theirs] of [
        ['active PEs', activePes(problem, scheme), chip.active_PEs],
        ['kB of inputs', kB('inputs'), scheme.ifmap_KB],
        ['kB of partial sums', kB('outputs'), scheme.psum_KB],
        ['GMACs', Number((macs / 1e9).toFixed(2)), chip.GMACs],
      ] as const) {
        compared++
        if (ours !== theirs) differing.push(`${chip.layer} ${what}: ${ours}, ${theirs}`)
      }
    }
    console.log(
      `eyeriss_jssc17.json, AlexNet: ${compared} figures compared (active PEs and MACs through evaluate, buffer tiles), ` +
        `${differing.length} differ`,
    )
    expect(differing).toEqual([])
    expect(compared).toBe(4 * 5)
  })

  test('processing took 1.00 to 1.21 of what the active PEs need', () => {
    const ratios: number[] = []
    for (const { chip, scheme, problem } of rows) {
      const clock = CHIP.clock_hz ?? NaN
      const least = (1e3 * macsOf(problem)) / (activePes(problem, scheme) * clock)
      const { cycles } = evaluate(problem, SIMPLE, mappingOf(problem, scheme, SIMPLE))
      const steps = (1e3 * cycles) / clock
      const ratio = chip.proc_latency / least
      ratios.push(ratio)
      console.log(
        `${chip.layer}: ${chip.proc_latency} ms measured, ${least.toFixed(2)} ms for its MACs on its active PEs (${ratio.toFixed(3)}), ` +
          `${steps.toFixed(2)} ms by the mapping's steps (${(chip.proc_latency / steps).toFixed(3)})`,
      )
      expect(steps).toBeGreaterThanOrEqual(least * (1 - 1e-9))
      expect(chip.proc_latency).toBeGreaterThanOrEqual(steps * 0.995)
    }
    expect(ratios.length).toBe(5)
    for (const ratio of ratios) {
      expect(Number(ratio.toFixed(2))).toBeGreaterThanOrEqual(1)
      expect(Number(ratio.toFixed(2))).toBeLessThanOrEqual(1.21)
    }
  })

  test('plain DRAM traffic is at least the measured, compressed one; our compressed prediction beside it', () => {
    let compared = 0
    for (const [at, { chip, problem, mapping }] of rows.entries()) {
      const evaluation = evaluate(problem, CHIP, mapping)
      const plain = (2 * words(evaluation, 'DRAM')) / MB
      const zeros = chip.ifmap_zeros_pct / 100
      // Zeros of the outputs: those of the next layer's inputs (pooling between them left out), of its own where there is none.
      const after = (rows[at + 1]?.chip.ifmap_zeros_pct ?? chip.ifmap_zeros_pct) / 100
      const dram = evaluation.accesses.DRAM
      const packed =
        (2 / MB) *
        ((dram?.weights.reads ?? 0) +
          (dram?.inputs.reads ?? 0) * runLengthRatio(zeros) +
          ((dram?.outputs.reads ?? 0) + (dram?.outputs.updates ?? 0)) * runLengthRatio(after))
      const priced = evaluate(problem, withRunLength(CHIP, { inputs: zeros, outputs: after }), mapping)
      expect(priced.energy.levels.DRAM).toBeCloseTo((200 * packed * MB) / 2, 0)
      console.log(
        `${chip.layer}: DRAM ${plain.toFixed(2)} MB plain, ${packed.toFixed(2)} run-length compressed, ${chip.DRAM_MB} measured; ` +
          `buffer ${((2 * words(evaluation, 'GLB')) / MB).toFixed(1)} MB, ${chip.GLB_MB} measured`,
      )
      expect(plain).toBeGreaterThanOrEqual(chip.DRAM_MB)
      compared++
    }
    console.log(`eyeriss_jssc17.json, AlexNet: ${compared} layers' DRAM traffic compared`)
    expect(compared).toBe(5)
  })

  test('VGG-16 is reported: no mapping of it is published', () => {
    const layers = vgg.filter(({ layer }) => layer !== 'TOTAL')
    for (const { layer, proc_latency: latency, GMACs, active_PEs: pes } of layers) {
      const least = (GMACs * 1e9 * 1e3) / (pes * 200e6)
      const doubt = pes === 163 ? '; 163 PEs is doubtful, its neighbours have 168' : ''
      console.log(`${layer}: ${latency} ms measured, ${(latency / least).toFixed(3)} of its MACs on ${pes} PEs${doubt}`)
    }
    expect(layers.length).toBe(13)
  })
})
