/** Measured time as objective: every candidate verified and timed, the fastest wins, repeatable, stoppable, refusals named. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError, OptionError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { keyOf } from '../../src/profile/shortlist.ts'
import { tuneProblem } from '../../src/profile/tune.ts'
import { DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { convProblem, macsOf } from '../../src/schedule/problem.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

const problem = convProblem({
  ...{ N: 2, M: 13, C: 6, P: 9, Q: 7, R: 3, S: 3, groups: 2 },
  ...{ stride: [2, 1], dilation: [1, 2], padding: [1, 0, 0, 2] },
})

test(
  'the fastest of the verified candidates, each distinct and run, in the order of predicted cost',
  { timeout: 240_000 },
  async () => {
    const phases = new Set<string>()
    const result = await tuneProblem(gpu, problem, {
      dataflow: 'all',
      candidates: 5,
      budget: 60,
      samples: 2,
      onProgress: ({ phase, index, total }) => {
        phases.add(phase)
        expect(index).toBeLessThanOrEqual(total)
      },
    })
    const { tried } = result
    expect(tried.length).toBe(5)
    expect(result.complete).toBe(true)
    expect(new Set(tried.map(({ mapping }) => keyOf(mapping))).size).toBe(5)
    expect(tried.map(({ score }) => score)).toEqual(tried.map(({ score }) => score).toSorted((a, b) => a - b))
    for (const one of tried) {
      expect([one.refused, one.verified], JSON.stringify(one)).toEqual([undefined, true])
      expect(one.max_error_ratio).toBeLessThanOrEqual(1)
      expect(one.samples_ms?.length).toBeGreaterThan(0)
      expect(DATAFLOW_NAMES).toContain(one.dataflow)
    }
    expect(result.time_ms).toBe(Math.min(...tried.map(({ time_ms }) => time_ms ?? NaN)))
    const winner = tried.find(({ time_ms }) => time_ms === result.time_ms)
    expect([winner?.mapping, winner?.dataflow]).toEqual([result.mapping, result.dataflow])
    const { issued, ...evaluation } = result.evaluation
    expect(evaluation).toEqual(evaluate(problem, result.hardware, result.mapping))
    expect(issued?.macs).toBe(macsOf(problem))
    expect(result.searched.seen).toBeGreaterThanOrEqual(7 * 5)
    expect(result.clock.quantum_ns).toBeGreaterThan(0)
    expect(result.adapter).toEqual(gpu.adapter)
    expect([...phases]).toEqual(['search', 'reference', 'compile', 'verify', 'time'])
    expect(gpu.memory.liveBytes).toBe(0)
  },
)

test('the same seed tries the same mappings; `none` looks beyond the seven', { timeout: 240_000 }, async () => {
  const options = { dataflow: 'none', candidates: 3, budget: 20, samples: 1, seed: 5 } as const
  const small = convProblem({ M: 5, C: 4, P: 6, Q: 6, R: 3, S: 3 })
  const [first, second] = [await tuneProblem(gpu, small, options), await tuneProblem(gpu, small, options)]
  const listed = ({ tried }: typeof first) => tried.map(({ dataflow, mapping, score }) => ({ dataflow, mapping, score }))
  expect(listed(first)).toEqual(listed(second))
  expect(first.tried.every(({ verified }) => verified)).toBe(true)
  const all = await tuneProblem(gpu, small, { ...options, dataflow: 'all', candidates: 1 })
  expect(first.searched.seen).toBeGreaterThan(all.searched.seen)
  // All that `all` sees `none` sees too: its best by prediction is at least as good.
  expect(first.tried[0]?.score).toBeLessThanOrEqual(all.tried[0]?.score ?? NaN)
})

test('stopped: the best so far; before anything is timed, the reason', async () => {
  const stop = new AbortController()
  const result = await tuneProblem(gpu, problem, {
    dataflow: 'ws',
    candidates: 4,
    budget: 40,
    samples: 1,
    signal: stop.signal,
    onProgress: ({ phase, index }) => {
      if (phase === 'verify' && index === 2) stop.abort()
    },
  })
  expect(result.complete).toBe(false)
  expect(result.tried.length).toBe(2)
  expect(result.time_ms).toBe(Math.min(...result.tried.map(({ time_ms }) => time_ms ?? NaN)))
  const reason = new Error('enough')
  await expect(tuneProblem(gpu, problem, { dataflow: 'ws', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(gpu.memory.liveBytes).toBe(0)
})

test('for another hardware, shrunk and said; what fits nowhere and wrong options are named', async () => {
  const options = { dataflow: 'ws', candidates: 1, budget: 10, samples: 1 }
  const eyeriss = hardwareNamed('eyeriss')
  const result = await tuneProblem(gpu, problem, { ...options, hardware: eyeriss })
  expect(result.notes.join('; ')).toMatch(/GLB of 55296 words shrunk/)
  const none = { ...eyeriss, levels: eyeriss.levels.map((level, index) => (index === 1 ? { ...level, words: 1 } : level)) }
  await expect(tuneProblem(gpu, problem, { ...options, hardware: none })).rejects.toThrow(MappingError)
  await expect(tuneProblem(gpu, problem, { ...options, dataflow: 'bogus' })).rejects.toThrow(OptionError)
  await expect(tuneProblem(gpu, problem, { ...options, candidates: 0 })).rejects.toThrow(/0 candidates/)
  await expect(tuneProblem(gpu, problem, { ...options, samples: 1.5 })).rejects.toThrow(OptionError)
})
