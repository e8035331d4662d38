/** Systolic arrays on the device: results equal the loop nest bit for bit, steps and words equal their closed forms. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { runPlan } from '../../src/ops/run.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { convolutionAttributes } from '../../src/profile/layers.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import { predictSystolic, readSystolicCounts, systolicDifferences, SYSTOLIC_COUNTERS } from '../../src/schedule/systolic/counts.ts'
import { lowerSystolic } from '../../src/schedule/systolic/lower.ts'
import type { SystolicArray } from '../../src/schedule/systolic/shape.ts'
import { allocate } from '../../src/tensor/dtype.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { seededTensor } from '../../models/seeded.ts'
import { generator, integers, loopNest, randomProblem, type RandomProblem } from './random-mapping.ts'

const FLOWS = ['ws', 'os', 'is'] as const
type Flow = (typeof FLOWS)[number]

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

/** SCALE-Sim's closed form, written out here once more: folds × (T+2R+C−2), or (T+R+C−2) where outputs are held. */
function closedForm({ problem }: RandomProblem, flow: Flow, { rows, columns }: SystolicArray): number {
  const pixels = problem.N * problem.P * problem.Q
  const window = problem.C * problem.R * problem.S
  const folds = (a: number, b: number): number => problem.groups * Math.ceil(a / rows) * Math.ceil(b / columns)
  if (flow === 'ws') return folds(window, problem.M) * (pixels + 2 * rows + columns - 2)
  if (flow === 'is') return folds(window, pixels) * (problem.M + 2 * rows + columns - 2)
  return folds(pixels, problem.M) * (window + rows + columns - 2)
}

async function check(given: RandomProblem, flow: Flow, array: SystolicArray, seed: number, longest?: number): Promise<number> {
  const { problem, input } = given
  const { N, M, C, P, Q, R, S, groups } = problem
  const random = generator(seed)
  const x = integers([N, groups * C, input.rows, input.columns], random)
  const w = integers([groups * M, C, R, S], random)
  const expected = loopNest(given, x.values, w.values)
  const y = { dtype: 'f32', shape: [N, groups * M, P, Q] } as const
  const counts = { dtype: 'u32', shape: [2 * SYSTOLIC_COUNTERS] } as const
  const what = JSON.stringify({ flow, array, problem, input, seed })
  using onX = gpu.upload(x)
  using onW = gpu.upload(w)
  let dispatches = 0
  for (const build of ['fast', 'counted'] as const) {
    const { shape, plan } = lowerSystolic(problem, flow, array, gpu.facts, build, { x, w }, longest)
    dispatches = plan.dispatches.length
    const results = await runPlan(gpu, plan, [onX, onW], build === 'fast' ? [y] : [y, counts])
    const [values, counters] = await Promise.all(results.map((result) => result.data()))
    for (const result of results) result.dispose()
    // Whether a zero is −0 depends on the order of additions: the sign of a zero is no result.
    const numbers = (values as Float32Array).map((value) => value + 0)
    expect(numbers, `${build} ${what}`).toEqual(expected)
    if (build === 'fast') continue
    const counted = readSystolicCounts(counters as Uint32Array)
    expect(systolicDifferences(predictSystolic(problem, shape, input), counted), what).toEqual([])
    expect(counted.steps, what).toBe(closedForm(given, flow, array))
    expect(counted.issued.macs, what).toBe(groups * N * M * C * P * Q * R * S)
  }
  return dispatches
}

const CASES: readonly (readonly [string, RandomProblem])[] = [
  ['one of everything', { problem: convProblem({}), input: { rows: 1, columns: 1 } }],
  [
    '3×3, padded',
    { problem: convProblem({ M: 9, C: 5, P: 7, Q: 11, R: 3, S: 3, padding: [1, 1, 1, 1] }), input: { rows: 7, columns: 11 } },
  ],
  [
    'strided, dilated, padded unevenly, grouped, batched',
    {
      problem: convProblem({
        ...{ N: 2, M: 7, C: 5, P: 5, Q: 6, R: 3, S: 4, groups: 2 },
        ...{ stride: [2, 3], dilation: [2, 1], padding: [1, 2, 1, 1] },
      }),
      input: { rows: 11, columns: 16 },
    },
  ],
  ['matrix product', { problem: convProblem({ P: 37, M: 29, C: 131 }), input: { rows: 37, columns: 1 } }],
  ['fully connected', { problem: convProblem({ N: 3, M: 41, C: 16, R: 6, S: 6 }), input: { rows: 6, columns: 6 } }],
  ['K = 1', { problem: convProblem({ N: 2, M: 19, P: 5, Q: 4 }), input: { rows: 5, columns: 4 } }],
]

describe.each(FLOWS)('systolic-%s', (flow) => {
  test.each(CASES)('%s', async (_, given) => {
    await check(given, flow, { rows: 8, columns: 8 }, 5)
  })

  test.each([
    [1, 1],
    [1, 13],
    [11, 1],
    [16, 5],
    [16, 16],
  ])('an array of %i×%i', async (rows, columns) => {
    const problem = convProblem({ M: 17, C: 3, P: 5, Q: 7, R: 3, S: 2, padding: [1, 0, 0, 1] })
    await check({ problem, input: { rows: 6, columns: 7 } }, flow, { rows, columns }, 9)
  })

  test('random problems and arrays', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = generator(seed)
      const given = randomProblem(random)
      // Of few shapes, since each is a pipeline of its own.
      const array = [
        { rows: 3, columns: 7 },
        { rows: 5, columns: 2 },
      ][seed % 2] ?? { rows: 8, columns: 8 }
      await check(given, flow, array, seed)
    }
  })

  test('steps cut into many dispatches: what lanes hold survives between them', async () => {
    const problem = convProblem({ N: 2, M: 11, C: 7, P: 5, Q: 5, R: 2, S: 2 })
    const given = { problem, input: { rows: 6, columns: 6 } }
    for (const seconds of [3.3e-5, 1e-4]) {
      const dispatches = await check(given, flow, { rows: 4, columns: 5 }, 3, seconds)
      expect(dispatches).toBeGreaterThan(1)
    }
  })

  test.each(['f32', 'f16'] as const)('%s within the bound of K terms', async (dtype) => {
    const problem = convProblem({ M: 12, C: 40, P: 6, Q: 6, R: 3, S: 3, padding: [1, 1, 1, 1] })
    const tensorOf = (name: string, shape: number[]): HostTensor => {
      const { values } = seededTensor(7, name, shape, { centre: 0, spread: 1 })
      const stored = allocate(dtype, values.length)
      if (!(stored instanceof BigInt64Array)) stored.set(values)
      return new HostTensor(dtype, shape, stored)
    }
    const x = tensorOf('x', [1, 40, 6, 6])
    const w = tensorOf('w', [12, 40, 3, 3])
    using onX = gpu.upload(x)
    using onW = gpu.upload(w)
    const { plan } = lowerSystolic(problem, flow, { rows: 8, columns: 8 }, gpu.facts, 'fast', { x, w })
    const type = { dtype, shape: [1, 12, 6, 6] } as const
    const [result] = await runPlan(gpu, plan, [onX, onW], [type])
    const values = await result?.data()
    result?.dispose()
    const [reference] = conv2d.reference([x, w, null], conv2d.attributes.parse(convolutionAttributes(problem, x)))
    if (values === undefined || reference === undefined) throw new Error('nothing to compare')
    const { ok, maxRatio } = compare(new HostTensor(dtype, type.shape, values as Float32Array), reference)
    expect([ok, maxRatio <= 1]).toEqual([true, true])
    expect(reference.exact?.every((value) => value === 0)).toBe(false)
  })
})

test('nothing is left allocated', () => {
  expect(gpu.memory.liveBytes).toBe(0)
})
