/** Systolic arrays against published SCALE-Sim runs, and the same runs as mappings that `evaluate` counts. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { evaluate } from '../../src/cost/evaluate.ts'
import { im2col, systolicMapping, systolicRun } from '../../src/cost/systolic.ts'
import { foldsOf } from '../../src/cost/time.ts'
import { MappingError } from '../../src/errors.ts'
import { encode } from '../../src/schedule/code.ts'
import type { Hardware, SystolicFlow } from '../../src/schedule/hardware.ts'
import { DIMENSIONS, convProblem, extentOf, gemmProblem, macsOf, type Problem } from '../../src/schedule/problem.ts'

const TRUTH = fileURLToPath(new URL('../../../shared/truth/', import.meta.url))
const isThere = existsSync(`${TRUTH}scalesim.json`)
if (!isThere) console.log('skipped: the published SCALE-Sim runs are expected in ../shared/truth')

const figures = {
  array_cycles: z.number(),
  sram_ifmap_reads: z.number(),
  sram_filter_reads: z.number(),
  sram_ofmap_writes: z.number(),
  mapping_eff_pct: z.number(),
  overall_util_pct: z.number(),
}
const row = z.object({
  net: z.string(),
  layer: z.string(),
  dataflow: z.enum(['ws', 'is', 'os']),
  rows: z.number(),
  cols: z.number(),
  M_pixels: z.number(),
  K_window: z.number(),
  N_filters: z.number(),
  macs: z.number(),
  source: z.string(),
  ...figures,
  compute_util_pct: z.number().optional(),
  closed_form: z.object({ ...figures, row_folds: z.number(), col_folds: z.number(), T: z.number() }).optional(),
  row_folds: z.number().optional(),
  col_folds: z.number().optional(),
  T: z.number().optional(),
})
type Row = z.infer<typeof row>

function rows(): Row[] {
  return z.object({ rows: z.array(row) }).parse(JSON.parse(readFileSync(`${TRUTH}scalesim.json`, 'utf8'))).rows
}

function arrayOf(flow: SystolicFlow, y: number, x: number, words?: number): Hardware {
  return {
    name: `systolic ${flow}`,
    array: { x, y },
    levels: [
      { name: 'DRAM', energy: 200 },
      { name: 'SRAM', energy: 6, ...(words === undefined ? {} : { words }) },
      { name: 'PE', words: 1, energy: 1 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    systolic: flow,
  }
}

const extents = (problem: Problem): number[] => DIMENSIONS.map((name) => extentOf(problem, name))

describe.skipIf(!isThere)('published SCALE-Sim runs', () => {
  test('cycles, SRAM accesses, folds and utilisation of every row', () => {
    const differing: string[] = []
    /** Figures of the file that ours cannot agree with, one by one. */
    const nulls: string[] = []
    let compared = 0
    let simulated = 0
    const all = rows()
    for (const entry of all) {
      const problem = gemmProblem({ i: entry.M_pixels, k: entry.K_window, j: entry.N_filters })
      const run = systolicRun(problem, { rows: entry.rows, columns: entry.cols }, entry.dataflow)
      const check = (what: string, ours: number, theirs: number | undefined, within = 0): void => {
        if (theirs === undefined) return
        compared++
        if (Math.abs(ours - theirs) > within)
          differing.push(`${entry.net} ${entry.layer} ${entry.dataflow} ${what}: ${ours}, ${theirs}`)
      }
      check('MACs', macsOf(problem), entry.macs)
      for (const [source, isSimulated] of [[entry, entry.source === 'scalesim'] as const, [entry.closed_form, false] as const]) {
        if (source === undefined) continue
        const before = compared
        check('cycles', run.cycles, source.array_cycles)
        check('inputs', run.reads.inputs, source.sram_ifmap_reads)
        check('weights', run.reads.weights, source.sram_filter_reads)
        if (isSimulated && entry.dataflow === 'os') {
          // Not ours to meet: the simulator also writes folds·(rows + columns) zeros. The row's closed form has the writes, compared below.
          const zeros = source.sram_ofmap_writes - run.writes.outputs
          nulls.push(
            `${entry.net} ${entry.layer} ${entry.rows}×${entry.cols}: ${run.writes.outputs}, ${source.sram_ofmap_writes}; ` +
              `${zeros} zeros = ${run.folds} folds · ${entry.rows + entry.cols}`,
          )
          expect(zeros, `${entry.net} ${entry.layer}`).toBe(run.folds * (entry.rows + entry.cols))
          expect(entry.closed_form, `${entry.net} ${entry.layer} has no closed form`).toBeDefined()
        } else {
          check('outputs', run.writes.outputs, source.sram_ofmap_writes)
        }
        // Sums of a simulation over up to millions of cycles: equal to 9 digits.
        check('mapping %', 100 * run.mappingEfficiency, source.mapping_eff_pct, 1e-9 * source.mapping_eff_pct)
        check('overall %', 100 * run.utilization, source.overall_util_pct, 1e-9 * source.overall_util_pct)
        const { row_folds: rowFolds, col_folds: columnFolds, T } = source
        check('row folds', run.rowFolds, rowFolds)
        check('column folds', run.columnFolds, columnFolds)
        check('steps', run.steps, T)
        if (isSimulated) simulated += compared - before
      }
      if (entry.source === 'scalesim' && entry.compute_util_pct !== undefined) simulated++
      check('compute %', 100 * run.computeUtilization, entry.compute_util_pct, 1e-9 * (entry.compute_util_pct ?? 0))
    }
    console.log(
      `scalesim.json: ${compared} figures of ${all.length} rows compared with systolicRun (${simulated} simulated, the others of the file's ` +
        `closed forms or shapes), ${differing.length} differ. ` +
        `${nulls.length} simulated write counts cannot agree (ours, theirs): with outputs stationary the simulator also writes ` +
        `folds·(rows + columns) zeros; those rows' closed_form writes are compared instead\n  ${nulls.join('\n  ')}`,
    )
    expect(all.length).toBe(87)
    expect(nulls.length).toBe(18)
    expect(simulated).toBeGreaterThan(300)
    expect(compared).toBeGreaterThan(1000)
    expect(differing).toEqual([])
  })

  test('the same runs as mappings: what evaluate counts is what the file says', () => {
    const differing: string[] = []
    let compared = 0
    let hops = 0
    for (const entry of rows()) {
      const hardware = arrayOf(entry.dataflow, entry.rows, entry.cols)
      const { problem, mapping } = systolicMapping(
        gemmProblem({ i: entry.M_pixels, k: entry.K_window, j: entry.N_filters }),
        hardware,
        entry.dataflow,
      )
      const { accesses, cycles, macs, network } = evaluate(problem, hardware, mapping)
      // The closed form's writes where the row has one: a simulated row with outputs stationary has zeros among its own (above).
      const writes = (entry.closed_form ?? entry).sram_ofmap_writes
      const check = (what: string, ours: number | undefined, theirs: number): void => {
        if (ours !== theirs) differing.push(`${entry.net} ${entry.layer} ${entry.dataflow} ${what}: ${ours}, ${theirs}`)
      }
      for (const [what, ours, theirs] of [
        ['MACs', macs, entry.macs],
        ['cycles', cycles, entry.array_cycles],
        ['inputs', accesses.SRAM?.inputs.reads, entry.sram_ifmap_reads],
        ['weights', accesses.SRAM?.weights.reads, entry.sram_filter_reads],
        ['outputs', accesses.SRAM?.outputs.updates, writes],
      ] as const) {
        compared++
        check(what, ours, theirs)
      }
      // The file has no hops. A sum over K rows of one result costs K − 1 of them, whatever the folds.
      hops++
      check('hops', network.hops.outputs, entry.dataflow === 'os' ? 0 : entry.macs - writes)
    }
    console.log(
      `scalesim.json through evaluate: ${compared} figures of the file compared (MACs, cycles, SRAM accesses), ` +
        `${differing.length} differ; apart from those, hops of ${hops} rows against our own closed form`,
    )
    expect(compared).toBe(5 * 87)
    expect(differing).toEqual([])
  })

  test.each(['alexnet_padded_grouped.csv', 'resnet50_v1_unique.csv'])('layers of %s have the shapes of the rows', (name) => {
    const net = name.startsWith('alexnet') ? 'alexnet' : 'resnet50'
    const lines = readFileSync(`${TRUTH}${name}`, 'utf8').trim().split('\n').slice(1)
    const seen = new Set<string>()
    let compared = 0
    const all = rows().filter((entry) => entry.net === net)
    for (const line of lines) {
      const [layer = '', ...fields] = line.split(',').map((field) => field.trim())
      const [H = 0, W = 0, R = 0, S = 0, C = 0, M = 0, stride = 1] = fields.map(Number)
      const problem = convProblem({
        M,
        C,
        R,
        S,
        P: Math.floor((H - R) / stride) + 1,
        Q: Math.floor((W - S) / stride) + 1,
        stride: [stride, stride],
      })
      const product = im2col(problem)
      for (const entry of all.filter((one) => one.layer === layer)) {
        seen.add(layer)
        compared++
        expect([product.P, product.C, product.M]).toEqual([entry.M_pixels, entry.K_window, entry.N_filters])
      }
    }
    console.log(`${name}: ${lines.length} layers, ${compared} rows compared`)
    expect(new Set(all.map(({ layer }) => layer))).toEqual(seen)
    expect(compared).toBeGreaterThan(0)
  })
})

describe('systolic runs as mappings', () => {
  test('every flow on ragged, batched, grouped and small problems', () => {
    let compared = 0
    for (const flow of ['ws', 'is', 'os'] as const) {
      for (const problem of [
        convProblem({ N: 2, M: 7, C: 5, P: 3, Q: 5, R: 3, S: 2, stride: [2, 1], padding: [1, 0, 1, 1] }),
        convProblem({ M: 3, C: 2, P: 4, Q: 4, R: 3, S: 3, groups: 3 }),
        gemmProblem({ i: 1, j: 1, k: 1 }),
        gemmProblem({ i: 13, j: 11, k: 1 }),
      ]) {
        for (const [y, x] of [
          [4, 3],
          [1, 1],
          [64, 64],
        ] as const) {
          for (const words of [undefined, y * x + 16 * (y + x)]) {
            const hardware = arrayOf(flow, y, x, words)
            const { problem: product, mapping } = systolicMapping(problem, hardware, flow)
            const run = systolicRun(problem, { rows: y, columns: x }, flow)
            const { accesses } = evaluate(product, hardware, mapping)
            expect(foldsOf(encode(mapping), extents(product), flow)).toBe(run.folds)
            expect(accesses.SRAM?.inputs.reads).toBe(run.reads.inputs)
            expect(accesses.SRAM?.weights.reads).toBe(run.reads.weights)
            expect(accesses.SRAM?.outputs.updates).toBe(run.writes.outputs)
            compared++
          }
        }
      }
    }
    expect(compared).toBe(72)
  })

  test('a buffer that holds not even one step of a fold is refused', () => {
    expect(() => systolicMapping(gemmProblem({ i: 9, j: 9, k: 9 }), arrayOf('ws', 4, 4, 5), 'ws')).toThrow(MappingError)
  })
})
