/** Systolic arrays without a GPU: steps and words against SCALE-Sim's, names, and plans cut where they run too long. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MappingError, OptionError } from '../../src/errors.ts'
import { estimateSeconds } from '../../src/gpu/launch.ts'
import type { DeviceFacts } from '../../src/gpu/program.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { systolicRun } from '../../src/cost/systolic.ts'
import { systolicEvaluation } from '../../src/schedule/systolic/evaluation.ts'
import { predictSystolic } from '../../src/schedule/systolic/counts.ts'
import { fitArray, lowerSystolic } from '../../src/schedule/systolic/lower.ts'
import { SYSTOLIC_NAMES, systolicNames, systolicShape } from '../../src/schedule/systolic/shape.ts'
import { convProblem, gemmProblem } from '../../src/schedule/problem.ts'
import { FACTS } from '../ops/facts.ts'
import { generator, randomProblem } from './random-mapping.ts'

interface Row {
  readonly net: string
  readonly layer: string
  readonly dataflow: 'ws' | 'os' | 'is'
  readonly rows: number
  readonly cols: number
  readonly M_pixels: number
  readonly K_window: number
  readonly N_filters: number
  readonly source: string
  readonly array_cycles: number
  readonly sram_ifmap_reads: number
  readonly sram_filter_reads: number
  readonly sram_ofmap_writes: number
  /** Where the row is simulated; else the row is the closed form itself. */
  readonly closed_form?: { readonly sram_ofmap_writes: number }
}

const truth = new URL('../../../shared/truth/scalesim.json', import.meta.url)
if (!existsSync(truth)) console.log('SCALE-Sim: skipped, its published figures are not here')

test.skipIf(!existsSync(truth))('steps, injections and ejections are the cycles, SRAM reads and writes of SCALE-Sim', () => {
  const { rows } = JSON.parse(readFileSync(truth, 'utf8')) as { rows: Row[] }
  let compared = 0
  for (const row of rows) {
    const problem = gemmProblem({ i: row.M_pixels, k: row.K_window, j: row.N_filters })
    const shape = systolicShape(problem, row.dataflow, { rows: row.rows, columns: row.cols })
    const counts = predictSystolic(problem, shape, { rows: row.M_pixels, columns: 1 })
    expect([row, counts.steps]).toEqual([row, row.array_cycles])
    expect([row, counts.injections]).toEqual([row, { weights: row.sram_filter_reads, inputs: row.sram_ifmap_reads }])
    expect([row, counts.ejections]).toEqual([row, (row.closed_form ?? row).sram_ofmap_writes])
    compared += 4
  }
  console.log(`SCALE-Sim: ${compared} figures of ${rows.length} rows are equal`)
  expect(compared).toBeGreaterThan(100)
})

test('a convolution is the product of its patches, each group one of its own', () => {
  const problem = convProblem({ N: 2, M: 5, C: 3, P: 4, Q: 6, R: 2, S: 3, groups: 2 })
  const ws = systolicShape(problem, 'ws', { rows: 4, columns: 3 })
  expect([ws.pixels, ws.window, ws.filters]).toEqual([48, 18, 5])
  expect([ws.rowFolds, ws.columnFolds, ws.folds]).toEqual([5, 2, 20])
  expect(ws.steps).toBe(20 * (48 + 2 * 4 + 3 - 2))
  expect(systolicShape(problem, 'is', { rows: 4, columns: 3 }).steps).toBe(2 * 5 * 16 * (5 + 2 * 4 + 3 - 2))
  expect(systolicShape(problem, 'os', { rows: 4, columns: 3 }).steps).toBe(2 * 12 * 2 * (18 + 4 + 3 - 2))
  expect(() => systolicShape(problem, 'ws', { rows: 0, columns: 3 })).toThrow(OptionError)
})

test("steps, injections and ejections are those of the cost model's closed form", () => {
  const random = generator(11)
  for (let round = 0; round < 300; round++) {
    const { problem, input } = randomProblem(random)
    const array = { rows: 1 + Math.floor(random() * 17), columns: 1 + Math.floor(random() * 17) }
    for (const flow of ['ws', 'os', 'is'] as const) {
      const shape = systolicShape(problem, flow, array)
      const counts = predictSystolic(problem, shape, input)
      const run = systolicRun(problem, array, flow)
      expect([counts.steps, shape.folds, shape.stream]).toEqual([run.cycles, run.folds, run.steps])
      expect(counts.injections).toEqual(run.reads)
      expect(counts.ejections).toBe(run.writes.outputs)
      expect(systolicEvaluation(shape, counts, hardwareNamed('eyeriss')).utilization).toBeCloseTo(run.utilization, 12)
    }
  }
})

test('kernels touch memory through accessors alone', () => {
  const folder = new URL('../../shaders/systolic/', import.meta.url)
  const owners = ['access_counted.wgsl', 'network.wgsl']
  const files = readdirSync(folder)
  expect(files).toEqual(expect.arrayContaining(owners))
  for (const file of files.filter((name) => !owners.includes(name))) {
    const code = readFileSync(new URL(file, folder), 'utf8').replaceAll(/\/\/.*/g, '')
    expect(code.match(/\w+\[/g), file).toBeNull()
    if (!/^(access|sums|pause)_/.test(file)) expect(code.match(/\b(load|store)_\w+/g), file).toBeNull()
  }
})

test('names in either spelling; systolic is all three', () => {
  expect(systolicNames('systolic')).toEqual(SYSTOLIC_NAMES)
  expect(systolicNames('Systolic_WS')).toEqual(['systolic-ws'])
  expect(systolicNames('ws')).toBeUndefined()
})

const types = (problem: ReturnType<typeof convProblem>, dtype: 'f32' | 'f16' = 'f32') => ({
  x: { dtype, shape: [problem.N, problem.groups * problem.C, problem.P + problem.R - 1, problem.Q + problem.S - 1] },
  w: { dtype, shape: [problem.groups * problem.M, problem.C, problem.R, problem.S] },
})

test('a stream that takes too long is cut into dispatches of at most half a second, which do every step once and in order', () => {
  const problem = convProblem({ N: 4, M: 64, C: 64, P: 224, Q: 224, R: 3, S: 3 })
  for (const software of [true, false]) {
    const device: DeviceFacts = { ...FACTS, software }
    for (const flow of ['ws', 'is', 'os'] as const) {
      const { plan, shape } = lowerSystolic(problem, flow, { rows: 16, columns: 16 }, device, 'fast', types(problem))
      let next = 0
      for (const dispatch of plan.dispatches) {
        const { fold = NaN, step = NaN, beats = NaN, resumes } = dispatch.params
        expect(fold * shape.foldSteps + step).toBe(next)
        expect(resumes).toBe(next === 0 ? 0 : 1)
        // One workgroup alone, which is all that a launch cannot split.
        expect(estimateSeconds(dispatch.cost, device) / dispatch.groups).toBeLessThanOrEqual(0.5)
        next += beats
      }
      expect(next).toBe(shape.foldSteps * (flow === 'os' ? 1 : shape.rowFolds))
      expect(plan.temps.length).toBe(plan.dispatches.length > 1 ? 1 : 0)
      if (flow === 'ws') expect(plan.dispatches.length).toBeGreaterThan(1)
    }
  }
})

test('an array larger than a workgroup is shrunk, and said; one that is asked for is refused', () => {
  const device = FACTS
  const eyeriss = hardwareNamed('eyeriss')
  expect(fitArray(eyeriss, device)).toEqual({ array: { rows: 12, columns: 14 }, notes: [] })
  const large = fitArray({ ...eyeriss, array: { x: 256, y: 256 } }, device)
  expect(large.array).toEqual({ rows: 16, columns: 16 })
  expect(large.notes.join()).toMatch(/256×256 shrunk to 16×16/)
  const problem = convProblem({ M: 4 })
  expect(() => lowerSystolic(problem, 'ws', { rows: 32, columns: 32 }, device, 'fast', types(problem))).toThrow(MappingError)
})

test('layers that differ in size share a program; partial sums of narrow outputs lie apart in f32', () => {
  const lowered = (problem: ReturnType<typeof convProblem>, dtype: 'f32' | 'f16' = 'f32') =>
    lowerSystolic(problem, 'ws', { rows: 8, columns: 8 }, FACTS, 'fast', types(problem, dtype)).plan
  const small = lowered(convProblem({ M: 9, C: 20, P: 5, Q: 5 }))
  const other = lowered(convProblem({ M: 70, C: 3, P: 9, Q: 7, R: 3, S: 3 }))
  expect(small.dispatches[0]?.program).toEqual(other.dispatches[0]?.program)
  expect(lowered(convProblem({ M: 9, C: 20, P: 5, Q: 5 }), 'f16').temps).toEqual([{ dtype: 'f32', shape: [1, 9, 5, 5] }])
  expect(lowered(convProblem({ M: 9, C: 8, P: 5, Q: 5 }), 'f16').temps).toEqual([])
})
