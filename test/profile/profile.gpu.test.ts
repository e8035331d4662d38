/** Profiling a small network: every row verified and counted as predicted, stopped runs partial, refusals named. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import { compile } from '../../src/graph/model.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { countNonzeros } from '../../src/profile/nonzero.ts'
import { profileModel } from '../../src/profile/profile.ts'
import type { DataflowReport, ProfileReport } from '../../src/profile/report.ts'
import { DATAFLOW_NAMES, DATAFLOWS, type Dataflow } from '../../src/schedule/dataflow.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { seededInputs } from '../../models/inputs.ts'
import { seededTensor } from '../../models/seeded.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

/** Two convolutions (one strided with a fused ReLU and bias, one grouped), a fully connected layer and a product. */
function network(): Graph {
  const g = graph()
  const weights = (name: string, shape: number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.3 })
  const x = g.input('x', 'f32', [1, 3, 21, 19])
  const a = g.conv2d(x, weights('a', [8, 3, 5, 5]), { stride: 2, padding: 1, bias: weights('ab', [8]), activation: 'relu' })
  const b = g.conv2d(a, weights('b', [12, 4, 3, 3]), { groups: 2, padding: 1 })
  const c = g.linear(b, weights('c', [11, 12 * 10 * 9]))
  g.output('y', g.gemm(c, weights('d', [11, 7]), {}))
  return g.finish()
}

function rows(report: ProfileReport): [string, DataflowReport][] {
  return report.layers.flatMap((layer) =>
    Object.entries(layer.dataflows).map(([name, row]): [string, DataflowReport] => [`${layer.name} ${name}`, row]),
  )
}

test('every layer under every dataflow is verified, counted as predicted and timed', async () => {
  const events: string[] = []
  const report = await profileModel(gpu, network(), {
    dataflows: ['all', 'fastest'],
    onProgress: ({ layer, dataflow, index, total, phase }) => events.push(`${index}/${total} ${layer} ${dataflow} ${phase}`),
  })
  expect(report.layers.length).toBe(4)
  expect(report.complete).toBe(true)
  const all = rows(report)
  expect(all.length).toBe(4 * (DATAFLOW_NAMES.length + 1))
  for (const [name, row] of all) {
    expect(row.skipped, name).toBeUndefined()
    expect(row.verified, name).toBe(true)
    expect(row.max_error_ratio, name).toBeLessThanOrEqual(1)
    expect(row.time_ms, name).toBeGreaterThan(0)
    if (name.endsWith('fastest')) continue
    expect(row.counted_equal, `${name}: ${row.notes?.join('; ')}`).toBe(true)
    expect(row.counted).toEqual(row.predicted?.issued)
    expect(row.predicted?.macs).toBe(row.counted?.macs)
    expect(row.predicted?.energy.total, name).toBeGreaterThan(row.predicted?.macs ?? Infinity)
    // What a kernel issues from storage is never less than the words that must come from DRAM.
    expect(row.counted?.storage.weights.loads, name).toBeGreaterThanOrEqual(row.predicted?.accesses.DRAM?.weights.reads ?? Infinity)
  }
  expect(events.length).toBeGreaterThan(all.length)
  const counted = await countNonzeros(network(), { runs: [seededInputs(network())] })
  expect(report.layers.map(({ zeros }) => zeros?.nonzero_macs)).toEqual(counted.layers.map(({ nonzero_macs }) => nonzero_macs))
  expect(counted.total.nonzero_macs).toBeLessThan(counted.total.macs)
  expect(gpu.memory.liveBytes).toBe(0)
})

test('f16 storage, f32 accumulation', async () => {
  const report = await profileModel(gpu, network(), { dataflows: ['ws', 'rs'], precision: 'f16' })
  for (const [name, row] of rows(report)) {
    expect(row.verified, `${name} ${row.skipped ?? ''} ${row.max_error_ratio}`).toBe(true)
    expect(row.counted_equal, name).toBe(true)
  }
})

test('batched products, each operand broadcast over a part of the batch', async () => {
  const g = graph()
  const a = g.input('a', 'f32', [2, 1, 5, 6])
  g.output('y', g.matmul(a, seededTensor(2, 'b', [3, 6, 7], { centre: 0, spread: 1 })))
  const report = await profileModel(gpu, g.finish(), { dataflows: ['ws', 'os-b', 'fastest'] })
  expect(report.layers[0]?.problem).toMatchObject({ groups: 6, P: 5, M: 7, C: 6 })
  for (const [name, row] of rows(report)) expect(row.verified, `${name} ${row.skipped}`).toBe(true)
})

test('model.profile, with an input whose batch is open', async () => {
  const g = graph()
  const x = g.input('x', 'f32', ['N', 2, 6, 6])
  g.output('y', g.conv2d(x, seededTensor(3, 'w', [4, 2, 3, 3], { centre: 0, spread: 1 })))
  using model = await compile(gpu, g.finish())
  const report = await model.profile(
    { x: seededTensor(4, 'x', [3, 2, 6, 6], { centre: 0, spread: 1 }) },
    { dataflow: 'is', baseline: 'cpu' },
  )
  expect(report.layers[0]?.problem.N).toBe(3)
  expect(rows(report).map(([name, { verified, counted_equal }]) => [name, verified, counted_equal])).toEqual([
    ['conv2d_1 is', true, true],
  ])
  await expect(model.profile({ x: seededTensor(4, 'x', [3, 1, 6, 6], { centre: 0, spread: 1 }) })).rejects.toThrow(/x/)
})

test('stopped: the rows done, and not complete', async () => {
  const stop = new AbortController()
  const report = await profileModel(gpu, network(), {
    dataflows: 'all',
    signal: stop.signal,
    onProgress: ({ index }) => {
      if (index === 3) stop.abort()
    },
  })
  expect(report.complete).toBe(false)
  expect(rows(report).length).toBe(3)
  expect(gpu.memory.liveBytes).toBe(0)
})

test('a mapping for a larger hardware is shrunk, and says so', async () => {
  const report = await profileModel(gpu, network(), { dataflows: ['rs'], hardware: 'eyeriss' })
  expect(report.hardware).toBe('eyeriss')
  const [, row] = rows(report)[0] ?? []
  expect(row?.verified).toBe(true)
  expect(row?.notes?.join('; ')).toMatch(/GLB of 55296 words shrunk to 8176/)
})

test("constraints of one's own: a window that slides straight from storage", async () => {
  const g = graph()
  const x = g.input('x', 'f32', [1, 2, 5, 10])
  g.output('y', g.conv2d(x, seededTensor(5, 'w', [3, 2, 3, 3], { centre: 0, spread: 1 }), { padding: 1 }))
  const mine = {
    name: 'mine',
    title: 'everything in registers, nothing in the buffer',
    spatial: { x: [], y: [] },
    keep: { buffer: [], registers: ['weights', 'inputs', 'outputs'] },
    innermost: ['Q'],
    registers: ['S'],
  } satisfies Dataflow
  const report = await profileModel(gpu, g.finish(), { dataflows: ['ws', mine] })
  expect(rows(report).map(([name, { verified, counted_equal }]) => [name, verified, counted_equal])).toEqual([
    ['conv2d_1 ws', true, true],
    ['conv2d_1 mine', true, true],
  ])
})

test('wrong options are named', async () => {
  const { ws } = DATAFLOWS
  await expect(profileModel(gpu, network(), { dataflows: [ws, { ...ws }] })).rejects.toThrow(/Two dataflows are called ws/)
  await expect(profileModel(gpu, network(), { dataflows: [{ ...ws, name: '__proto__' }] })).rejects.toThrow(OptionError)
  await expect(profileModel(gpu, network(), { dataflows: [{ name: 'a' } as Dataflow] })).rejects.toThrow(/spatial/)
  await expect(profileModel(gpu, network(), { dataflows: ['bogus'] })).rejects.toThrow(OptionError)
  await expect(profileModel(gpu, network(), { precision: 'int8' })).rejects.toThrow(/int8/)
  await expect(profileModel(gpu, network(), { samples: 0 })).rejects.toThrow(OptionError)
  await expect(profileModel(gpu, 'no such network')).rejects.toThrow(OptionError)
  const input = { nope: new HostTensor('f32', [1], new Float32Array(1)) }
  await expect(profileModel(gpu, network(), { input })).rejects.toThrow(/no input nope/)
})
