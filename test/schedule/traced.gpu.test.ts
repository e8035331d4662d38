/**
 * Accesses proved on the device: traced runs of tiny problems, counted by the definition of an access, equal what `evaluate`
 * predicts, figure by figure; every transfer that was issued is accounted for; and a log with a fault in it is found out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gpuHardware } from '../../models/hardware/index.ts'
import { DeviceLimitError, DtypeError, MappingError, ShapeError, VerificationError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { runPlan } from '../../src/ops/run.ts'
import { traceMapping, type TraceReport } from '../../src/profile/traced.ts'
import { DATAFLOW_NAMES, DATAFLOWS } from '../../src/schedule/dataflow.ts'
import { mapForGpu, withGrid } from '../../src/schedule/gpu-mapping.ts'
import { accessesOf } from '../../src/schedule/lowering/accesses.ts'
import type { Account } from '../../src/schedule/lowering/trace-index.ts'
import { lower } from '../../src/schedule/lowering/lower.ts'
import { dyed, KIND, readTrace, traceWords, type Trace, type TraceRecord } from '../../src/schedule/lowering/trace.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, inputSpan, macsOf, type Problem } from '../../src/schedule/problem.ts'
import { generator, randomMapping, randomProblem, withSplitLoops } from './random-mapping.ts'

let gpu: Gpu
const seen = { mappings: 0, figures: 0, issued: 0, accesses: 0, copies: 0, again: 0, unused: 0, drained: 0, padding: 0, hops: 0 }
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  console.log(
    `traced: ${seen.mappings} mappings, ${seen.figures} figures equal to evaluate; of ${seen.issued} loads and stores ` +
      `${seen.accesses} are accesses, ${seen.copies} copies, ${seen.again} moved again, ${seen.unused} unused, ` +
      `${seen.drained} drains; ${seen.hops} hops, ${seen.padding} accesses to padding`,
  )
  gpu.dispose()
})

function inputOf(problem: Problem): { rows: number; columns: number } {
  const span = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  return { rows: span.rows - top - bottom, columns: span.columns - left - right }
}

/** 3 levels × 3 operands × reads, fills, updates; padding of 3 levels; hops of 3 operands; MACs. */
const FIGURES = 27 + 3 + 3 + 1

function hold(report: TraceReport, what: string): void {
  expect(report.differences, what).toEqual([])
  expect(report.figures, what).toBe(FIGURES)
  seen.mappings++
  seen.figures += report.figures
  for (const account of report.traced.accounts) {
    for (const part of ['issued', 'accesses', 'copies', 'again', 'unused', 'drained'] as const) seen[part] += account[part]
  }
  for (const words of Object.values(report.traced.padding)) seen.padding += words
  for (const hops of Object.values(report.traced.hops)) seen.hops += hops
}

describe('the seven dataflows', () => {
  const problems: readonly (readonly [string, Problem])[] = [
    ['3×3, padded', convProblem({ M: 5, C: 3, P: 5, Q: 6, R: 3, S: 3, padding: [1, 1, 1, 1] })],
    [
      'strided, dilated, padded on three sides',
      convProblem({ M: 3, C: 2, P: 4, Q: 5, R: 3, S: 2, stride: [2, 1], dilation: [1, 2], padding: [1, 2, 0, 1] }),
    ],
    ['1×1, stride 2', convProblem({ M: 7, C: 5, P: 4, Q: 3, stride: [2, 2] })],
    ['groups and batch', convProblem({ N: 2, M: 3, C: 2, P: 3, Q: 4, R: 2, S: 3, groups: 2 })],
    ['matrix product', convProblem({ P: 7, M: 5, C: 11 })],
    ['fully connected', convProblem({ N: 3, M: 7, C: 3, R: 3, S: 2 })],
    ['one of everything', convProblem({})],
  ]
  test.each(problems)('%s', async (_, problem) => {
    for (const name of DATAFLOW_NAMES) {
      const { mapping } = mapForGpu(problem, DATAFLOWS[name], gpuHardware(gpu.facts), gpu.facts, inputOf(problem))
      hold(await traceMapping(gpu, problem, mapping), `${name} ${JSON.stringify(mapping)}`)
    }
    expect(seen.mappings).toBeGreaterThanOrEqual(DATAFLOW_NAMES.length)
  })
})

test('random mappings of random problems', { timeout: 240_000 }, async () => {
  let run = 0
  for (let seed = 1; run < 50 && seed < 2000; seed++) {
    const random = generator(seed)
    const { problem } = randomProblem(random)
    const whole = randomMapping(problem, random)
    const mapping = seed % 2 === 0 ? whole : withSplitLoops(whole, random)
    if (macsOf(problem) > 2000) continue
    try {
      hold(await traceMapping(gpu, problem, mapping), `seed ${seed} ${JSON.stringify({ problem, mapping })}`)
      run++
    } catch (error) {
      // What a workgroup cannot run, and planes of nothing but padding.
      if (!(error instanceof MappingError || error instanceof ShapeError)) throw error
    }
  }
  expect(run).toBe(50)
})

/** Two filters a workgroup; lanes: 2 channels that are summed, 4 columns; the rows of a 3×3 window run over the buffer. */
const HALO = {
  problem: convProblem({ M: 2, C: 2, P: 4, Q: 4, R: 3, S: 3 }),
  mapping: {
    levels: [
      { name: 'DRAM', temporal: [['P', 4]], spatial: { x: [['M', 2]] } },
      {
        name: 'GLB',
        temporal: [
          ['R', 3],
          ['S', 3],
        ],
        spatial: { x: [['Q', 4]], y: [['C', 2]] },
      },
      { name: 'RF', temporal: [], keep: ['outputs'] },
    ],
  } satisfies Mapping,
}

test('by hand: a halo that the GPU loads again is held by definition', async () => {
  const { problem, mapping } = HALO
  const report = await traceMapping(gpu, problem, mapping)
  hold(report, 'halo')
  const account = (space: Account['space'], operand: Account['operand'], kind: Account['kind']): Account | undefined =>
    report.traced.accounts.find((one) => one.space === space && one.operand === operand && one.kind === kind)
  // A tile is 2 channels × 3 rows × 6 columns, for 4 rows of outputs and 2 workgroups; one row of it is new after the first.
  expect(account('storage', 'inputs', 'loads')).toMatchObject({
    issued: 2 * 4 * 36,
    accesses: 2 * (36 + 3 * 12),
    again: 2 * 3 * 24,
    copies: 0,
  })
  // A weight serves 4 lanes.
  expect(account('workgroup', 'weights', 'loads')).toMatchObject({
    issued: macsOf(problem),
    accesses: macsOf(problem) / 4,
    copies: (3 * macsOf(problem)) / 4,
  })
  // 18 products an output in 2 lanes: 9 steps, one hop, one update.
  expect(report.traced.accesses.GLB?.outputs).toEqual({ reads: 0, fills: 0, updates: 32 })
  expect(report.traced.hops).toEqual({ weights: 0, inputs: 0, outputs: 32 })
  expect(report.traced.accesses.RF?.outputs).toEqual({ reads: 18 * 32 - 64, fills: 0, updates: 18 * 32 })
  expect(report.traced.derived.map(({ figure }) => figure)).toContain('RF outputs reads and updates')
})

test('by hand: a strided 1×1 window uses one word in four of the box that the GPU loads', async () => {
  const problem = convProblem({ P: 3, Q: 3, stride: [2, 2] })
  const mapping: Mapping = {
    levels: [
      { name: 'DRAM', temporal: [] },
      {
        name: 'GLB',
        temporal: [
          ['P', 3],
          ['Q', 3],
        ],
      },
      { name: 'RF', temporal: [] },
    ],
  }
  const report = await traceMapping(gpu, problem, mapping)
  hold(report, 'stride')
  expect(report.traced.accounts.filter(({ operand }) => operand === 'inputs')).toMatchObject([
    { space: 'storage', kind: 'loads', issued: 25, accesses: 9, unused: 16 },
    { space: 'workgroup', kind: 'stores', issued: 25, accesses: 9, unused: 16 },
    { space: 'workgroup', kind: 'loads', issued: 9, accesses: 9, unused: 0 },
  ])
})

/** Forwarding needs lanes that a subgroup orders. */
function forwards(Q: number): boolean {
  const { subgroups } = gpu.facts
  return subgroups !== undefined && subgroups.linear && subgroups.min % Q === 0
}
const rowsOf = (problem: Problem): Mapping => ({
  levels: [
    { name: 'DRAM', temporal: [], spatial: { x: [['M', problem.M]] } },
    {
      name: 'GLB',
      temporal: [
        ['C', problem.C],
        ['P', problem.P],
        ['R', problem.R],
        ['S', problem.S],
      ],
      spatial: { x: [['Q', problem.Q]] },
      forward: { inputs: 'x' },
    },
    { name: 'RF', temporal: [], keep: ['outputs'] },
  ],
})

test('forwarded inputs: hops that were made, and hops by definition where the GPU loads', async (context) => {
  const problem = convProblem({ M: 2, C: 2, P: 3, Q: 4, R: 3, S: 3 })
  if (!forwards(4)) context.skip('this adapter has no subgroups in lane order')
  const report = await traceMapping(gpu, problem, rowsOf(problem))
  hold(report, 'forwarded')
  // Each row of 4 lanes: at S−1 = 2 steps of each of 2·3·3 rows and 2 filters, 3 lanes take from their neighbour.
  expect(report.traced.hops.inputs).toBe(2 * 2 * 3 * 3 * 2 * 3)
  // S = 2, R = 2: at the start of a row of outputs the neighbour still holds the word, and the kernel loads it all the same.
  const odd = convProblem({ M: 1, C: 1, P: 3, Q: 4, R: 2, S: 2 })
  const other = await traceMapping(gpu, odd, rowsOf(odd))
  hold(other, 'forwarded, S = 2')
  const loads = other.traced.accounts.find(({ space, operand, kind }) => `${space} ${operand} ${kind}` === 'workgroup inputs loads')
  expect(other.traced.hops.inputs).toBe((other.issued.hops.inputs ?? 0) + (loads?.again ?? 0))
  expect(loads?.again).toBeGreaterThan(0)
})

describe('faults in a log are found out', () => {
  async function traceOf(): Promise<Trace> {
    const { problem, mapping } = HALO
    const input = inputOf(problem)
    const x = dyed([problem.N, problem.C, input.rows, input.columns])
    const w = dyed([problem.M, problem.C, problem.R, problem.S])
    const { nest, plan } = lower(problem, mapping, gpu.facts, 'traced', { x, w }, input)
    using onX = gpu.upload(x)
    using onW = gpu.upload(w)
    const types = [
      { dtype: 'f32', shape: [1, 2, 4, 4] },
      { dtype: 'u32', shape: [traceWords(2 ** 14)] },
    ] as const
    const results = await runPlan(gpu, plan, [onX, onW], types)
    const words = await results[1]?.data()
    for (const result of results) result.dispose()
    if (!(words instanceof Uint32Array)) throw new Error('no log')
    return readTrace(words, nest)
  }
  const audit = (trace: Trace): unknown => accessesOf(trace, HALO.mapping, withGrid(gpuHardware(gpu.facts), HALO.mapping))
  const without = (trace: Trace, kind: number): Trace => {
    const lost = trace.records.findIndex((record) => record.kind === kind)
    expect(lost).toBeGreaterThanOrEqual(0)
    return { ...trace, records: trace.records.filter((_, k) => k !== lost) }
  }
  const changed = (trace: Trace, kind: number, change: (record: TraceRecord) => Partial<TraceRecord>): Trace => {
    const at = trace.records.findLastIndex((record) => record.kind === kind)
    expect(at).toBeGreaterThanOrEqual(0)
    return { ...trace, records: trace.records.map((record, k) => (k === at ? { ...record, ...change(record) } : record)) }
  }

  test('a lost transfer, a wrong word, a wrong sum', async () => {
    const trace = await traceOf()
    expect(() => audit(trace)).not.toThrow()
    const lost = [
      KIND.dramLoad.weights,
      KIND.dramLoad.inputs,
      KIND.dramStore.outputs,
      KIND.bufferLoad.weights,
      KIND.bufferLoad.inputs,
      KIND.bufferLoad.outputs,
      KIND.bufferStore.weights,
      KIND.bufferStore.inputs,
      KIND.bufferStore.outputs,
      KIND.hop.outputs,
      KIND.mac,
    ]
    for (const kind of lost) expect(() => audit(without(trace, kind)), `kind ${kind}`).toThrow(VerificationError)
    for (const kind of [KIND.dramLoad.inputs, KIND.bufferLoad.weights, KIND.bufferStore.inputs, KIND.mac]) {
      expect(() => audit(changed(trace, kind, ({ value }) => ({ value: value + 1 }))), `kind ${kind}`).toThrow(VerificationError)
    }
    for (const kind of [KIND.bufferStore.outputs, KIND.dramStore.outputs]) {
      expect(() => audit(changed(trace, kind, ({ value }) => ({ value: value + 1 }))), `kind ${kind}`).toThrow(/products/)
    }
    expect(() => audit({ ...trace, records: [] })).toThrow(/no multiply-accumulate/)
  })

  test('a log that is too small says how many records it takes', async () => {
    const { problem, mapping } = HALO
    await expect(traceMapping(gpu, problem, mapping, { records: 100 })).rejects.toThrow(DeviceLimitError)
    await expect(traceMapping(gpu, problem, mapping, { records: 100 })).rejects.toThrow(/room for 100.*Give it \d{4} records/)
    expect(gpu.memory.liveBytes).toBe(0)
  })
})

test('what cannot be traced is refused', async () => {
  const { problem, mapping } = HALO
  const f16 = { dtype: 'f16', shape: [] } as const
  expect(() => lower(problem, mapping, gpu.facts, 'traced', { x: f16, w: f16 }, inputOf(problem))).toThrow(DtypeError)
  const empty = convProblem({ P: 2, padding: [1, 0, 1, 0] })
  await expect(traceMapping(gpu, empty, mapping)).rejects.toThrow(/covers the whole input/)
})
