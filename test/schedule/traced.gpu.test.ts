/**
 * Accesses proved on the device: traced runs of tiny problems, counted by the definition of an access, equal what `evaluate`
 * predicts, figure by figure; and every transfer that was issued is accounted for.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeviceLimitError, MappingError, ShapeError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { gpuHardware } from '../../models/hardware/index.ts'
import { traceMapping, type TraceReport } from '../../src/profile/traced.ts'
import { DATAFLOW_NAMES, DATAFLOWS } from '../../src/schedule/dataflow.ts'
import { mapForGpu } from '../../src/schedule/gpu-mapping.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, inputSpan, macsOf, type Problem } from '../../src/schedule/problem.ts'
import { generator, randomMapping, randomProblem } from './random-mapping.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

const PROBLEMS: Readonly<Record<string, Problem>> = {
  '3×3, padded': convProblem({ M: 5, C: 3, P: 5, Q: 6, R: 3, S: 3, padding: [1, 1, 1, 1] }),
  'stride 2, dilation, padded on three sides': convProblem({
    M: 3,
    C: 2,
    P: 4,
    Q: 5,
    R: 3,
    S: 2,
    stride: [2, 1],
    dilation: [1, 2],
    padding: [1, 2, 0, 1],
  }),
  '1×1, stride 2': convProblem({ M: 7, C: 5, P: 4, Q: 3, stride: [2, 2] }),
  'groups and batch': convProblem({ N: 2, M: 3, C: 2, P: 3, Q: 4, R: 2, S: 3, groups: 3 }),
  'matrix product': convProblem({ P: 7, M: 5, C: 11 }),
}

let figures = 0
let transfers = 0

function hold(report: TraceReport, what: string): void {
  expect(report.differences, what).toEqual([])
  expect(report.figures, what).toBe(1 + 3 * 10 + 3)
  figures += report.figures
  for (const account of report.traced.accounts) transfers += account.issued
}

test('the seven dataflows', () => {
  expect(DATAFLOW_NAMES.length).toBe(7)
})
for (const [title, problem] of Object.entries(PROBLEMS)) {
  for (const name of DATAFLOW_NAMES) {
    test(`${name}: ${title}`, async () => {
      const span = inputSpan(problem)
      const input = {
        rows: span.rows - problem.padding[0] - problem.padding[2],
        columns: span.columns - problem.padding[1] - problem.padding[3],
      }
      const { mapping } = mapForGpu(problem, DATAFLOWS[name], gpuHardware(gpu.facts), gpu.facts, input)
      hold(await traceMapping(gpu, problem, mapping), JSON.stringify(mapping))
    })
  }
}

test('random mappings of random problems', { timeout: 120_000 }, async () => {
  let run = 0
  let refused = 0
  for (let seed = 1; run < 60 && seed < 2000; seed++) {
    const random = generator(seed)
    const { problem } = randomProblem(random)
    const mapping = randomMapping(problem, random)
    if (macsOf(problem) > 3000) continue
    try {
      hold(await traceMapping(gpu, problem, mapping), `seed ${seed} ${JSON.stringify({ problem, mapping })}`)
      run++
    } catch (error) {
      if (!(error instanceof MappingError || error instanceof ShapeError)) throw new Error(`seed ${seed}`, { cause: error })
      refused++
    }
  }
  console.log(`traced: ${run} random mappings, ${refused} refused`)
  expect(run).toBe(60)
})
