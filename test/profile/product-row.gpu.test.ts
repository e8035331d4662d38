/** Default kernels of matrix products in a profile: which kernel, expected and measured time, accesses counted, place under the roof. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { seededTensor } from '../../models/seeded.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { FAMILIES } from '../../src/ops/gemm/families.ts'
import { accessDifferences } from '../../src/profile/accesses.ts'
import { profileModel } from '../../src/profile/profile.ts'
import type { DataflowReport, ProfileReport } from '../../src/profile/report.ts'
import { peaksOf, rooflineOf } from '../../src/profile/roofline-row.ts'
import { macsOf } from '../../src/schedule/problem.ts'
import { tensor } from '../../src/tensor/tensor.ts'

/** Attention of 3 heads over 20 places, and a gated block with a residual, as language models have them. */
function transformer(): Graph {
  const g = graph('transformer')
  const weights = (name: string, ...shape: number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.3 })
  const x = g.input('x', 'f32', [20, 24])
  const heads = (name: string) => {
    const wide = g.matmul(x, weights(name, 24, 24), { name })
    return g.transpose(g.reshape(wide, [20, 3, 8]), { perm: [1, 0, 2] })
  }
  const scores = g.matmul(heads('q'), g.transpose(heads('k'), { perm: [0, 2, 1] }), { name: 'scores' })
  const mixed = g.matmul(g.softmax(scores), heads('v'), { name: 'mixed' })
  const joined = g.reshape(g.transpose(mixed, { perm: [1, 0, 2] }), [20, 24])
  const out = g.matmul(joined, weights('o', 24, 24), { name: 'out', residual: x })
  const up = g.linear(out, weights('up', 40, 24), { name: 'up', activation: 'silu', bias: weights('bias', 40) })
  g.output('y', g.gemm(up, weights('down', 40, 24), { name: 'down', c: weights('c', 24), scale: weights('scale', 24) }))
  return g.finish()
}

function rowOf(report: ProfileReport, layer: string, dataflow = 'fastest'): DataflowReport {
  const row = report.layers.find(({ name }) => name === layer)?.dataflows[dataflow]
  if (row === undefined) throw new Error(`There is no row ${layer} ${dataflow}`)
  return row
}

describe('a profile of matrix products', () => {
  let gpu: Gpu
  let report: ProfileReport
  beforeAll(async () => {
    gpu = await openGpu()
    report = await profileModel(gpu, transformer(), { dataflows: ['fastest', 'os-a'], samples: 2 })
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  it('says of each which kernel, what it took and what was expected', () => {
    expect(report.layers.map(({ name }) => name)).toEqual(['q', 'k', 'scores', 'v', 'mixed', 'out', 'up', 'down'])
    for (const { name, problem } of report.layers) {
      const { kernel, verified, time_ms, gflops, notes, max_error_ratio } = rowOf(report, name)
      expect(verified, `${name}: ${notes?.join('; ')}`).toBe(true)
      expect(max_error_ratio).toBeLessThanOrEqual(1)
      if (kernel === undefined) throw new Error(`${name} has no kernel`)
      expect(FAMILIES.has(kernel.name)).toBe(true)
      expect(kernel.config).toMatchObject({ kernel: kernel.name })
      expect(macsOf(kernel.problem), name).toBe(macsOf(problem))
      expect(kernel.predicted_ms).toBeGreaterThan(0)
      expect(kernel.predicted_ms).toBeLessThan(1000)
      expect(gflops).toBeCloseTo((2 * macsOf(problem)) / (time_ms ?? NaN) / 1e6, 6)
    }
  })

  it('counts the accesses that were predicted, those of the epilogue too', () => {
    for (const { name } of report.layers) {
      const { kernel, counted_equal, notes } = rowOf(report, name)
      expect(counted_equal, `${name}: ${notes?.join('; ')}`).toBe(true)
      expect(kernel?.accesses?.counted['a']?.loads).toBeGreaterThan(0)
    }
    const { accesses } = rowOf(report, 'down').kernel ?? {}
    expect(accesses?.counted).toMatchObject({ bias: { loads: 480, stores: 0 }, scale: { loads: 480 }, y: { stores: 480 } })
    expect(rowOf(report, 'out').kernel?.accesses?.counted).toMatchObject({ residual: { loads: 480 } })
  })

  it('prices the kernel’s own loop nest', () => {
    for (const { name } of report.layers) {
      const { predicted, mapping, kernel } = rowOf(report, name)
      expect(mapping?.levels.map((level) => level.name)).toEqual(['DRAM', 'GLB', 'RF'])
      expect(predicted?.macs).toBe(macsOf(kernel?.problem ?? report.layers[0]!.problem))
      // No kernel loads less than it needs; each slice of the batch has a B of its own.
      const least = name === 'scores' ? 3 * 8 * 20 : 0
      expect(predicted?.accesses['DRAM']?.weights.reads).toBeGreaterThan(least - 1)
    }
  })

  it('puts every row under one roof, dataflows too', () => {
    const { peaks } = report
    if (peaks === undefined) throw new Error('no peaks')
    expect(peaks.flops.f32).toBeGreaterThan(1e8)
    for (const { name, problem } of report.layers) {
      for (const dataflow of ['fastest', 'os-a']) {
        const { roofline, gflops } = rowOf(report, name, dataflow)
        if (roofline === undefined) throw new Error(`${name} ${dataflow} has no roofline`)
        expect(roofline.operations).toBe(2 * macsOf(problem))
        const roof = Math.min(peaks.flops.f32, roofline.intensity * peaks.bytes_per_s) / 1e9
        expect(roofline.attainable_gflops / roof).toBeCloseTo(1, 9)
        expect((gflops ?? NaN) / roofline.attainable_gflops / roofline.share).toBeCloseTo(1, 6)
      }
    }
    // x [20, 24], w [24, 24], y [20, 24], and the residual of `out`.
    expect(rowOf(report, 'q').roofline?.bytes).toBe(4 * (480 + 576 + 480))
    expect(rowOf(report, 'out').roofline?.bytes).toBe(4 * (480 + 576 + 480 + 480))
  })

  it('in f16, with its own operands in halves', async () => {
    const g = graph()
    const x = g.input('x', 'f32', [5, 33])
    g.output(
      'y',
      g.linear(x, seededTensor(1, 'w', [7, 33], { centre: 0, spread: 0.3 }), {
        name: 'fc',
        bias: seededTensor(1, 'b', [7], { centre: 0, spread: 0.3 }),
        activation: 'tanh',
      }),
    )
    const half = await profileModel(gpu, g.finish(), { dataflows: 'fastest', precision: 'f16', samples: 1 })
    const { verified, counted_equal, notes, roofline } = rowOf(half, 'fc')
    expect([verified, counted_equal], notes?.join('; ')).toEqual([true, true])
    expect(roofline?.bytes).toBe(2 * (5 * 33 + 7 * 33 + 7 + 35))
  })

  it('of tokens: an input of integers, shapes made from shapes', async () => {
    const g = graph('tokens')
    const ids = g.input('ids', 'i64', [1, 6])
    const table = seededTensor(1, 'table', [10, 24], { centre: 0, spread: 0.3 })
    const embedded = g.node('gather', [table, ids])
    const dimensions = g.concat([g.slice(g.node('shape', [ids]), { starts: [1], ends: [2] }), tensor([24], [1], 'i64')], {
      axis: 0,
    })
    g.output(
      'y',
      g.matmul(g.reshape(embedded, dimensions), seededTensor(1, 'w', [24, 10], { centre: 0, spread: 0.3 }), { name: 'head' }),
    )
    const tokens = await profileModel(gpu, g.finish(), { dataflows: 'fastest', samples: 1 })
    expect(tokens.layers.map(({ name, macs }) => [name, macs])).toEqual([['head', 6 * 24 * 10]])
    expect(rowOf(tokens, 'head')).toMatchObject({ verified: true, counted_equal: true })
  })

  it('measures peaks once', async () => {
    // A measurement allocates what it writes to.
    const allocate = vi.spyOn(gpu, 'allocate')
    expect((await peaksOf(gpu)).flops).toEqual(report.peaks?.flops)
    expect(allocate).not.toHaveBeenCalled()
    allocate.mockRestore()
  })
})

describe('the roof', () => {
  const peaks = { flops: { f32: 1e12, f16: 4e12 }, bytes_per_s: 1e11, launch_ms: 0.01, shapes: { f32: '', copy: '' } }

  it.each([
    ['memory', { operations: 1e9, bytes: 1e9, dispatches: 1 }, 20, { intensity: 1, attainable_gflops: 100, share: 0.5 }],
    ['compute', { operations: 1e10, bytes: 1e7, dispatches: 1 }, 40, { intensity: 1000, attainable_gflops: 1000, share: 0.25 }],
    ['compute', { operations: 1e10, bytes: 1e7, dispatches: 1, accumulate: 'f16' as const }, 40, { attainable_gflops: 4000 }],
    ['launch', { operations: 1e6, bytes: 1e3, dispatches: 2 }, 0.02, { share: 0.05 }],
  ])('%s', (bound, work, time_ms, expected) => {
    const row = rooflineOf(work, time_ms, peaks)
    expect(row.bound).toBe(bound)
    for (const [key, value] of Object.entries(expected)) expect(row[key as 'share']).toBeCloseTo(value, 9)
  })
})

it('differences of accesses are told in words, missing operands too', () => {
  const one = { loads: 1, stores: 0 }
  expect(accessDifferences({ a: one }, { a: one })).toEqual([])
  expect(accessDifferences({ a: one, b: one }, { a: { loads: 2, stores: 0 }, y: { loads: 0, stores: 3 } })).toEqual([
    'a loads: counted 2, predicted 1',
    'b loads: counted 0, predicted 1',
    'y stores: counted 3, predicted 0',
  ])
})
