/** Profiling on systolic arrays: every row verified, its steps those of the closed form, arrays shrunk where they must be. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { profileModel } from '../../src/profile/profile.ts'
import { SYSTOLIC_NAMES } from '../../src/schedule/systolic/shape.ts'
import { OPERANDS } from '../../src/schedule/problem.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { seededTensor } from '../../models/seeded.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

function network(): Graph {
  const g = graph()
  const weights = (name: string, shape: number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.3 })
  const x = g.input('x', 'f32', [2, 3, 13, 11])
  const a = g.conv2d(x, weights('a', [8, 3, 3, 3]), { stride: 2, padding: 1, activation: 'relu' })
  const b = g.conv2d(a, weights('b', [6, 4, 3, 3]), { groups: 2, padding: 1 })
  g.output('y', g.linear(b, weights('c', [11, 6 * 7 * 6])))
  return g.finish()
}

test.each(['f32', 'f16'] as const)('every layer in %s is verified, and its steps are the closed form', async (precision) => {
  const report = await profileModel(gpu, network(), { dataflows: ['systolic', 'ws'], precision })
  expect(report.complete).toBe(true)
  let rows = 0
  for (const { name, macs, dataflows, problem } of report.layers) {
    expect(Object.keys(dataflows)).toEqual([...SYSTOLIC_NAMES, 'ws'])
    for (const flow of SYSTOLIC_NAMES) {
      const row = dataflows[flow]
      const { systolic, predicted, counted } = row ?? {}
      const what = `${name} ${flow} ${row?.skipped ?? row?.notes?.join('; ')}`
      expect([row?.verified, row?.counted_equal], what).toEqual([true, true])
      if (systolic === undefined || predicted === undefined) throw new Error(what)
      expect(systolic.counted, what).toEqual(systolic.predicted)
      const { array, folds, fold_steps: each } = systolic
      const pixels = problem.N * problem.P * problem.Q
      const taps = problem.C * problem.R * problem.S
      const [along, across, stream] = {
        'systolic-ws': [taps, problem.M, pixels],
        'systolic-is': [taps, pixels, problem.M],
        'systolic-os': [pixels, problem.M, taps],
      }[flow] as [number, number, number]
      expect(folds).toBe(problem.groups * Math.ceil(along / array.rows) * Math.ceil(across / array.columns))
      expect(each).toBe(stream + array.rows + array.columns - 2 + (flow === 'systolic-os' ? 0 : array.rows))
      expect(systolic.counted.steps).toBe(folds * each)
      expect(predicted.cycles).toBe(folds * each)
      expect(predicted.utilization).toBeLessThan(1)
      expect(counted?.macs).toBe(macs)
      // The bill adds up: levels, network and MACs are the total, and so are operands and MACs.
      const { energy } = predicted
      const levels = Object.values(energy.levels).reduce((sum, level) => sum + level, energy.mac + energy.network)
      expect(energy.total).toBeCloseTo(levels, 3)
      expect(OPERANDS.reduce((sum, operand) => sum + energy.per_operand[operand], energy.mac)).toBeCloseTo(levels, 3)
      expect(predicted.accesses.DRAM?.weights.reads).toBe(systolic.counted.injections.weights)
      expect(row?.time_ms, what).toBeGreaterThan(0)
      rows++
    }
  }
  expect(rows).toBe(9)
  expect(gpu.memory.liveBytes).toBe(0)
})

test("a hardware's array is the one that runs, shrunk where a workgroup does not hold it", async () => {
  const eyeriss = hardwareNamed('eyeriss')
  const own = await profileModel(gpu, network(), { dataflows: ['systolic-os'], hardware: eyeriss })
  expect(own.layers[0]?.dataflows['systolic-os']?.systolic?.array).toEqual({ rows: 12, columns: 14 })
  const large = { ...eyeriss, array: { x: 512, y: 512 } }
  const shrunk = await profileModel(gpu, network(), { dataflows: ['systolic_os'], hardware: large })
  const row = shrunk.layers[0]?.dataflows['systolic-os']
  expect(row?.verified).toBe(true)
  expect(row?.notes?.join('; ')).toMatch(/array of 512×512 shrunk to \d+×\d+: a workgroup has \d+ invocations/)
})

test('named twice is run once', async () => {
  const g = graph()
  const x = g.input('x', 'f32', [1, 2, 4, 4])
  g.output('y', g.conv2d(x, seededTensor(5, 'w', [3, 2, 3, 3], { centre: 0, spread: 1 }), { padding: 1 }))
  const report = await profileModel(gpu, g.finish(), { dataflows: ['systolic', 'systolic-ws'] })
  expect(Object.keys(report.layers[0]?.dataflows ?? {})).toEqual([...SYSTOLIC_NAMES])
})
