/**
 * Mirrored mappings on the device: made for other hardware, cut to a workgroup, still exact to the bit and counted as predicted;
 * and a profile on any named hardware says what was merged and shrunk.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { seededTensor } from '../../models/seeded.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { graph } from '../../src/graph/builder.ts'
import { runPlan } from '../../src/ops/run.ts'
import { profileModel } from '../../src/profile/profile.ts'
import { DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { differences, readCounters } from '../../src/schedule/lowering/counters.ts'
import { predictIssued } from '../../src/schedule/lowering/issued.ts'
import { COUNTERS, lower } from '../../src/schedule/lowering/lower.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { mirrorMapping } from '../../src/schedule/mirror.ts'
import { convProblem, inputSpan, type Problem } from '../../src/schedule/problem.ts'
import { generator, integers, loopNest } from './random-mapping.ts'

let gpu: Gpu
let mirrored = 0
/** Results by problem: the same data runs under every mapping. */
const references = new Map<string, Float32Array>()
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  console.log(`mirrored: ${mirrored} mappings equal to the reference and counted as predicted`)
  gpu.dispose()
})

/** Runs the counted build of a mapping: the result to the bit, the counts as predicted. */
async function hold(problem: Problem, mapping: Mapping): Promise<void> {
  const span = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  const input = { rows: span.rows - top - bottom, columns: span.columns - left - right }
  const { N, M, C, P, Q, R, S, groups } = problem
  const random = generator(5)
  const x = integers([N, groups * C, input.rows, input.columns], random)
  const w = integers([groups * M, C, R, S], random)
  const { nest, plan } = lower(problem, mapping, gpu.facts, 'counted', { x, w }, input)
  using onX = gpu.upload(x)
  using onW = gpu.upload(w)
  const outputs = [
    { dtype: 'f32', shape: [N, groups * M, P, Q] },
    { dtype: 'u32', shape: [2 * COUNTERS] },
  ] as const
  const results = await runPlan(gpu, plan, [onX, onW], outputs)
  const [values, counts] = await Promise.all(results.map((result) => result.data()))
  for (const result of results) result.dispose()
  if (!(values instanceof Float32Array) || !(counts instanceof Uint32Array)) throw new Error('no result')
  const key = JSON.stringify(problem)
  const expected = references.get(key) ?? loopNest({ problem, input }, x.values, w.values)
  references.set(key, expected)
  expect(
    values.map((value) => value + 0),
    JSON.stringify(mapping),
  ).toEqual(expected)
  expect(differences(predictIssued(nest, input), readCounters(counts)), JSON.stringify(mapping)).toEqual([])
  mirrored++
}

describe('mappings found for Eyeriss, 14×12 and 55296 words', () => {
  // Tiles of the first are larger than workgroup memory.
  const problems = [
    convProblem({ M: 32, C: 16, P: 27, Q: 27, R: 3, S: 3, padding: [1, 1, 1, 1] }),
    convProblem({ N: 2, M: 13, C: 6, P: 11, Q: 12, R: 3, S: 3, stride: [2, 1], groups: 2 }),
  ]
  for (const dataflow of [...DATAFLOW_NAMES, undefined]) {
    test(dataflow ?? 'no constraint', { timeout: 60_000 }, async () => {
      for (const problem of problems) {
        const hardware = hardwareNamed('eyeriss')
        const { mapping } = mapProblem(problem, { hardware, dataflow, budget: 300 })
        const mirror = mirrorMapping(problem, hardware, mapping, gpu.facts)
        expect(mirror.notes.join('; ')).toMatch(/GLB of 55296 words shrunk to \d+.*modelled: array of 14×12/)
        await hold(problem, mirror.mapping)
      }
    })
  }
})

test('mappings found for every named hardware', { timeout: 120_000 }, async () => {
  const problem = convProblem({ M: 20, C: 9, P: 7, Q: 9, R: 3, S: 3, padding: [1, 1, 1, 1] })
  for (const name of HARDWARE_NAMES) {
    const hardware = hardwareNamed(name)
    const { mapping } = mapProblem(problem, { hardware, budget: 100 })
    const mirror = mirrorMapping(problem, hardware, mapping, gpu.facts)
    expect(mirror.notes.join('; '), name).toMatch(/modelled: array of \d+×\d+/)
    await hold(problem, mirror.mapping).catch((error: unknown) => {
      throw new Error(name, { cause: error })
    })
  }
  expect(mirrored).toBeGreaterThanOrEqual(HARDWARE_NAMES.length)
})

test('profiles on named hardware say what was merged, shrunk and modelled', { timeout: 60_000 }, async () => {
  const g = graph()
  const x = g.input('x', 'f32', [1, 3, 9, 9])
  g.output('y', g.conv2d(x, seededTensor(1, 'w', [8, 3, 3, 3], { centre: 0, spread: 0.3 }), { padding: 1 }))
  const notes = async (hardware: string, dataflow: string): Promise<string> => {
    const report = await profileModel(gpu, g.finish(), { hardware, dataflows: [dataflow], samples: 1 })
    const row = report.layers[0]?.dataflows[dataflow]
    expect([row?.skipped, row?.verified, row?.counted_equal], `${hardware} ${dataflow}`).toEqual([undefined, true, true])
    return row?.notes?.join('; ') ?? ''
  }
  expect(await notes('eyeriss-chip', 'rs')).toMatch(/FSPAD, ISPAD, PSPAD merged into registers.*modelled: array of 14×12/)
  expect(await notes('tpu-v1', 'ws')).toMatch(/array of 256×256 shrunk to (16×\d+).*modelled: array of \1/)
  expect(await notes('diannao', 'nlr')).toMatch(/SB, NBIN, NBOUT merged into workgroup memory/)
  const refused = await profileModel(gpu, g.finish(), { hardware: 'diannao', dataflows: ['ws'] })
  expect(refused.layers[0]?.dataflows.ws?.skipped).toMatch(/diannao has no registers for the weights that ws keeps there/)
})
