/** Dataflow kernels on the device: every result equals the loop nest bit for bit, every count equals its prediction. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MappingError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { runPlan } from '../../src/ops/run.ts'
import { gpuHardware } from '../../models/hardware/index.ts'
import { DATAFLOW_NAMES, DATAFLOWS } from '../../src/schedule/dataflow.ts'
import { mapForGpu } from '../../src/schedule/gpu-mapping.ts'
import { differences, readCounters } from '../../src/schedule/lowering/counters.ts'
import { predictIssued } from '../../src/schedule/lowering/issued.ts'
import { COUNTERS, lower } from '../../src/schedule/lowering/lower.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, inputSpan, macsOf } from '../../src/schedule/problem.ts'
import {
  generator,
  integers,
  loopNest,
  randomMapping,
  randomProblem,
  widerProblem,
  withSplitLoops,
  type RandomProblem,
} from './random-mapping.ts'

let gpu: Gpu
const held = { mappings: 0, figures: 0, macs: 0 }
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  console.log(`counted: ${held.mappings} mappings of ${held.macs} MACs in all, ${held.figures} figures equal to the prediction`)
  gpu.dispose()
})
/** Loads and stores of two address spaces and hops, for three operands; MACs. */
const FIGURES = 3 * (2 * 2 + 1) + 1

/** Runs both builds of a mapping and holds them against the loop nest and the prediction. */
async function check(
  given: RandomProblem,
  mapping: Mapping,
  seed: number,
  builds: readonly ('fast' | 'counted')[] = ['fast', 'counted'],
): Promise<void> {
  const { problem, input } = given
  const { N, M, C, P, Q, R, S, groups } = problem
  const random = generator(seed)
  const x = integers([N, groups * C, input.rows, input.columns], random)
  const w = integers([groups * M, C, R, S], random)
  const expected = loopNest(given, x.values, w.values)
  const y = { dtype: 'f32', shape: [N, groups * M, P, Q] } as const
  const counts = { dtype: 'u32', shape: [2 * COUNTERS] } as const
  using onX = gpu.upload(x)
  using onW = gpu.upload(w)
  for (const build of builds) {
    const { nest, plan } = lower(problem, mapping, gpu.facts, build, { x, w }, input)
    const outputs = build === 'fast' ? [y] : [y, counts]
    const results = await runPlan(gpu, plan, [onX, onW], outputs)
    const [values, counters] = await Promise.all(results.map((result) => result.data()))
    for (const result of results) result.dispose()
    // A product of zero may be −0 where it is stored as the first term, +0 where it was added: the sign of a zero is no result.
    const numbers = (values as Float32Array).map((value) => value + 0)
    expect(numbers, `${build} ${JSON.stringify({ problem, input, mapping })}`).toEqual(expected)
    if (build === 'counted') {
      const wrong = differences(predictIssued(nest, input), readCounters(counters as Uint32Array))
      expect(wrong, JSON.stringify({ problem, input, mapping })).toEqual([])
      held.mappings++
      held.figures += FIGURES
      held.macs += macsOf(problem)
    }
  }
}

describe('the seven dataflows', () => {
  const cases: readonly (readonly [string, RandomProblem])[] = [
    [
      '3×3',
      { problem: convProblem({ M: 9, C: 5, P: 7, Q: 11, R: 3, S: 3, padding: [1, 1, 1, 1] }), input: { rows: 7, columns: 11 } },
    ],
    [
      'strided, dilated, padded, grouped, batched',
      {
        problem: convProblem({
          N: 2,
          M: 7,
          C: 5,
          P: 5,
          Q: 6,
          R: 3,
          S: 4,
          stride: [2, 3],
          dilation: [2, 1],
          padding: [1, 2, 1, 1],
          groups: 2,
        }),
        input: { rows: 11, columns: 16 },
      },
    ],
    ['matrix product', { problem: convProblem({ P: 37, M: 29, C: 131 }), input: { rows: 37, columns: 1 } }],
    ['fully connected', { problem: convProblem({ N: 3, M: 41, C: 16, R: 6, S: 6 }), input: { rows: 6, columns: 6 } }],
    ['one of everything', { problem: convProblem({}), input: { rows: 1, columns: 1 } }],
    [
      '11×11 stride 4',
      { problem: convProblem({ M: 5, C: 3, P: 9, Q: 10, R: 11, S: 11, stride: [4, 4] }), input: { rows: 43, columns: 47 } },
    ],
  ]
  for (const name of DATAFLOW_NAMES) {
    for (const [title, given] of cases) {
      test(`${name}: ${title}`, async () => {
        const hardware = gpuHardware(gpu.facts)
        const { mapping } = mapForGpu(given.problem, DATAFLOWS[name], hardware, gpu.facts, given.input)
        await check(given, mapping, 7)
      })
    }
  }
})

describe('any mapping', () => {
  test('random mappings of random problems', { timeout: 240_000 }, async () => {
    let run = 0
    let refused = 0
    for (let seed = 1; run < 40; seed++) {
      const random = generator(seed)
      const given = randomProblem(random)
      const mapping = randomMapping(given.problem, random)
      try {
        await check(given, mapping, seed)
        run++
      } catch (error) {
        if (!(error instanceof MappingError))
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`)
        refused++
      }
    }
    expect(run).toBe(40)
    expect(refused).toBeLessThan(40)
  })
})

describe('counted equals predicted at every size', () => {
  const sizes: readonly (readonly [string, RandomProblem])[] = [
    [
      '27×27, 5×5, padded, grouped',
      {
        problem: convProblem({ M: 8, C: 3, P: 27, Q: 27, R: 5, S: 5, padding: [2, 2, 2, 2], groups: 2 }),
        input: { rows: 27, columns: 27 },
      },
    ],
    [
      'primes, asymmetric padding',
      {
        problem: convProblem({ N: 3, M: 17, C: 13, P: 11, Q: 13, R: 3, S: 2, padding: [1, 0, 0, 2] }),
        input: { rows: 12, columns: 12 },
      },
    ],
    [
      'depthwise, dilated',
      {
        problem: convProblem({ P: 19, Q: 23, R: 3, S: 3, dilation: [2, 2], padding: [2, 2, 2, 2], groups: 31 }),
        input: { rows: 19, columns: 23 },
      },
    ],
    ['fully connected', { problem: convProblem({ N: 2, M: 251, C: 29, R: 3, S: 3 }), input: { rows: 3, columns: 3 } }],
    ['matrix product of primes', { problem: convProblem({ P: 101, M: 67, C: 59 }), input: { rows: 101, columns: 1 } }],
    ['K = 1', { problem: convProblem({ P: 53, M: 47 }), input: { rows: 53, columns: 1 } }],
  ]
  for (const name of DATAFLOW_NAMES) {
    test(`${name}`, { timeout: 120_000 }, async () => {
      const before = held.figures
      const random = generator(DATAFLOW_NAMES.indexOf(name) + 100)
      const randoms = Array.from({ length: 4 }, (_, k) => [`random ${k}`, widerProblem(random)] as const)
      for (const [title, given] of [...sizes, ...randoms]) {
        const { mapping } = mapForGpu(given.problem, DATAFLOWS[name], gpuHardware(gpu.facts), gpu.facts, given.input, {
          budget: 100,
        })
        await check(given, mapping, 11, ['counted']).catch((error: unknown) => {
          throw new Error(title, { cause: error })
        })
      }
      expect(held.figures - before).toBe((sizes.length + 4) * FIGURES)
    })
  }

  test('random mappings, some with several loops over a dimension at a level', { timeout: 120_000 }, async () => {
    let run = 0
    for (let seed = 5000; run < 30; seed++) {
      const random = generator(seed)
      const given = widerProblem(random)
      const whole = randomMapping(given.problem, random)
      const mapping = seed % 3 === 0 ? whole : withSplitLoops(whole, random)
      try {
        await check(given, mapping, seed, ['counted'])
        run++
      } catch (error) {
        if (!(error instanceof MappingError)) throw new Error(`seed ${seed}`, { cause: error })
      }
    }
    expect(run).toBe(30)
  })
})

test('forwarded inputs: one load a row and step, the rest hops', async () => {
  const problem = convProblem({ M: 2, C: 3, P: 4, Q: 8, R: 3, S: 3 })
  const span = inputSpan(problem)
  const mapping: Mapping = {
    levels: [
      { name: 'DRAM', temporal: [], spatial: { x: [['M', 2]] } },
      {
        name: 'GLB',
        temporal: [
          ['C', 3],
          ['R', 3],
          ['S', 3],
        ],
        spatial: { x: [['Q', 8]], y: [['P', 4]] },
        keep: ['weights', 'inputs'],
        forward: { inputs: 'x' },
      },
      { name: 'RF', temporal: [], keep: ['outputs'] },
    ],
  }
  const { nest } = lower(
    problem,
    mapping,
    gpu.facts,
    'counted',
    { x: { dtype: 'f32', shape: [] }, w: { dtype: 'f32', shape: [] } },
    span,
  )
  const issued = predictIssued(nest, span)
  // A row of 8 lanes: 8 loads at s = 0, then 1 load and 7 hops at each of s = 1, 2.
  expect(issued.workgroup.inputs.loads).toBe(2 * 3 * 3 * 4 * (8 + 1 + 1))
  expect(issued.hops.inputs).toBe(2 * 3 * 3 * 4 * (7 + 7))
  await check({ problem, input: span }, mapping, 3)
})
