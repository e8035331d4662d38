/** The bench of networks without a GPU: its cases, how results are compared, means by family. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { CONV } from '../../bench/cases/conv.ts'
import { MODEL, MODEL_CASES } from '../../bench/cases/model.ts'
import { caseNamed, casesNamed } from '../../bench/cases/table.ts'
import { kernelSamples, ruleAfter } from '../../bench/engines/sample.ts'
import { difference, modelGraph, modelWork } from '../../bench/model/work.ts'
import type { Answer, Job, Measured, Peer } from '../../bench/protocol.ts'
import { faultsOf, reportOf, type BenchReport } from '../../bench/report.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilewright-bench-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const job = (peer: Peer, more: Partial<Job> = {}): Job => ({
  peer,
  bench: 'model',
  case: 'squeezenet1.1',
  model: join(folder, 'model.onnx'),
  peersFolder: '',
  software: true,
  ...more,
})

describe('cases', () => {
  test('are networks that can be built; their sizes are known without their weights', () => {
    expect(new Set(MODEL_CASES.map(({ name }) => name)).size).toBe(MODEL_CASES.length)
    for (const item of MODEL_CASES) {
      expect(modelGraph(item).inputs[0]?.shape[0]).toBe(1)
      expect(MODEL.macs(item)).toBeGreaterThan(2.5e8)
      expect(MODEL.families).toContain(item.family)
    }
    expect(MODEL.macs(caseNamed(MODEL, 'alexnet'))).toBe(724406816)
    // 61 M weights and biases, a picture, a thousand scores.
    expect(MODEL.leastBytes(caseNamed(MODEL, 'alexnet'))).toBe(4 * (60965224 + 3 * 227 ** 2 + 1000))
    for (const name of MODEL.quick) expect(caseNamed(MODEL, name).name).toBe(name)
  })
})

describe('results', () => {
  const item = caseNamed(MODEL, 'squeezenet1.1')

  test('differences are relative to the largest, and the first class is told', () => {
    expect(difference(item, [0, 1, 4], [0, 1, 4])).toEqual({ relative: 0, rows: 3, of: 3, top1: true })
    expect(difference(item, [0, 3, 4], [0, 4.5, 4])).toEqual({ relative: 0.375, rows: 3, of: 3, top1: false })
    expect(difference(item, [0, 3, 4], [0, NaN, 4]).relative).toBe(Infinity)
    expect(difference(caseNamed(MODEL, 'unet16'), [0, 1], [1, 0])).not.toHaveProperty('top1')
    expect(() => difference(item, [0, 0], [0, 0])).toThrow('nothing was compared')
    expect(() => difference(item, [1], [1, 2])).toThrow('2 values')
  })

  test('the CPU provider leaves what the others are held against; without it nothing is said', () => {
    const expected = join(folder, 'expected.bin')
    const values = Float32Array.of(0.5, 0.25)
    expect(modelWork(item, job('tilewright', { expected })).error(values)).toBeUndefined()
    expect(modelWork(item, job('tilewright')).error(values)).toBeUndefined()
    expect(modelWork(item, job('ort-cpu', { expected })).error(values)?.relative).toBe(0)
    expect(modelWork(item, job('tilewright', { expected })).error([0.5, 0.375])?.relative).toBe(0.25)
  })

  test('a job without a file is a fault', () => {
    const { model: _, ...without } = job('tilewright')
    expect(() => modelWork(item, without)).toThrow('no ONNX file')
  })

  test('long runs are sampled three times', () => {
    expect([ruleAfter(2001, 2000).samples, ruleAfter(1999, 2000).samples]).toEqual([3, 7])
    const [often, thrice] = [ruleAfter(1, 2000), ruleAfter(2001, 2000)]
    const kernels = [10, 600, 1900].map((each) => kernelSamples(often, { samples_ms: [each] }))
    expect([...kernels, kernelSamples(thrice, { samples_ms: [10] })]).toEqual([7, 5, 3, 3])
  })
})

const measured = (resident: number, more: Partial<Measured> = {}): Measured => ({
  status: 'ok',
  open_ms: 1,
  first_ms: 10 * resident,
  end_to_end: { samples_ms: [resident], repeats: 1 },
  resident: { samples_ms: [resident], repeats: 1 },
  peak_rss_bytes: 1,
  version: 'x 1',
  toggles: [],
  ...more,
})

function reported(rows: readonly (readonly [string, Partial<Record<Peer, Answer>>])[]): BenchReport {
  return reportOf(CONV, {
    adapter: { vendor: '', architecture: '', device: 'd', description: '', software: true, features: [], toggles: [] },
    roof: { flops: { f32: 1e11 }, bytes_per_s: 1e10 },
    peers: ['tilewright', 'ort-webgpu'],
    results: rows.flatMap(([name, row]) =>
      casesNamed(CONV, name).map((item) => ({ item, answers: new Map(Object.entries(row) as [Peer, Answer][]) })),
    ),
    machine: { processor: 'p', processors: 1, load: 0, load_before: 0, node: 'v', platform: 'l' },
    shader_caches: 'off',
    rounds: 1,
    tuned: false,
    complete: true,
  })
}

test('families have means of their own', () => {
  const report = reported([
    ['resnet50-3x3-64-64-56-f32', { tilewright: measured(10), 'ort-webgpu': measured(40) }],
    ['mobilenet1-dw3x3-512-14-f32', { tilewright: measured(10), 'ort-webgpu': measured(20) }],
    ['mobilenet1-dw3x3-1024-7-f32', { tilewright: measured(10), 'ort-webgpu': measured(80) }],
    ['large-5x5-32-56-f32', { tilewright: { status: 'cannot', reason: 'no op' }, 'ort-webgpu': measured(9) }],
  ])
  const mean = report.means['ort-webgpu']
  expect(mean).toMatchObject({ cases: 3, least: { case: 'mobilenet1-dw3x3-512-14-f32', resident: 2 } })
  expect(mean?.resident).toBeCloseTo(4, 12)
  expect(Object.keys(mean?.families ?? {})).toEqual(['3x3', 'depthwise'])
  expect(mean?.families?.['depthwise']).toMatchObject({ cases: 2, least: { case: 'mobilenet1-dw3x3-512-14-f32', resident: 2 } })
  expect(mean?.families?.['depthwise']?.resident).toBeCloseTo(4, 12)
  expect(faultsOf(report)).toEqual([['large-5x5-32-56-f32, tilewright', 'no op']])
})
