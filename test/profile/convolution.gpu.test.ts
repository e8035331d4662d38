/** Convolutions in the tuner and in a profile, on a GPU: verified, kept, taken up; preparations neither timed nor counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededTensor } from '../../models/seeded.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { nameOfKernel } from '../../src/gpu/tuning.ts'
import type { Algorithm } from '../../src/ops/conv2d/algorithm.ts'
import { ALGORITHMS } from '../../src/ops/conv2d/algorithms.ts'
import { choose } from '../../src/ops/conv2d/choose.ts'
import type { Convolution } from '../../src/ops/conv2d/convolution.ts'
import { autotune } from '../../src/profile/autotune.ts'
import { bareConvolution, bareTask, modelTasks } from '../../src/profile/autotune-model.ts'
import { profileModel } from '../../src/profile/profile.ts'
import type { DataflowReport } from '../../src/profile/report.ts'

const ADAPTER = process.env['TILEWRIGHT_ADAPTER'] ?? 'software'

/** Lets `run` have an algorithm changed, and puts it back. */
async function changed(changes: readonly Algorithm[], run: () => Promise<void>): Promise<void> {
  const registry = ALGORITHMS as Map<string, Algorithm>
  const before = [...registry]
  for (const one of changes) registry.set(one.name, one)
  try {
    await run()
  } finally {
    registry.clear()
    for (const [name, one] of before) registry.set(name, one)
  }
}

function named(name: string): Algorithm {
  const found = ALGORITHMS.get(name)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

/** Of each algorithm what is tried. */
const only = (name: string, candidates: (conv: Convolution) => readonly { algorithm: string }[]): Algorithm => ({
  ...named(name),
  candidates,
})

const FEW = [
  ...[...ALGORITHMS.keys()].map((name) => only(name, () => [])),
  only('direct', () => [{ algorithm: 'direct' }]),
  only('winograd', () => [{ algorithm: 'winograd', ...{ tile: 2, half: false } }]),
]

describe('convolutions', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu({ adapter: ADAPTER, tuning: false })
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  it('are tuned: each contender verified and timed, its compilation reported, the result in force', async () => {
    const text = 'conv:8x20x18,8x3x3,p1,nhwc'
    const task = bareTask(text)
    if (task === undefined) throw new Error('no task')
    await changed(FEW, async () => {
      const { tuned, entries, untuned, complete } = await autotune(gpu, [task], { budgetMs: 10_000, samples: 2 })
      expect(untuned).toEqual([])
      expect(complete).toBe(true)
      const [found] = tuned
      if (found === undefined) throw new Error('not tuned')
      expect(found.tried.map(({ config }) => nameOfKernel(config)).toSorted()).toEqual(['direct', 'implicit-gemm', 'winograd'])
      for (const { config, fault, time_ms, compile_ms, checked } of found.tried) {
        expect(fault, nameOfKernel(config)).toBeUndefined()
        expect(time_ms).toBeGreaterThan(0)
        expect(compile_ms).toBeGreaterThan(0)
        expect(checked?.elements).toBe(8 * 20 * 18)
      }
      expect(found.after.time_ms).toBeLessThanOrEqual(found.before.time_ms)
      expect(entries).toEqual([expect.objectContaining({ problem: task.problem.key, config: found.after.config })])
    })
    expect(choose(bareConvolution(text), gpu.facts).reason).toBe('tuned')
    gpu.tuned.clear()
  })

  it('whose algorithm is wrong, or fails to plan, are out with why', async () => {
    const task = bareTask('conv:5x7x6,3x3x3')
    if (task === undefined) throw new Error('no task')
    const honest = named('direct')
    const fake = (name: string, plan: Algorithm['plan']): Algorithm => ({
      ...honest,
      name,
      candidates: () => [{ algorithm: name }],
      schema: honest.schema,
      plan,
    })
    const real = { algorithm: 'direct' }
    const lazy = fake('lazy', (conv, _, device) => {
      const plan = honest.plan(conv, real, device)
      // The last outputs are left as they were.
      return { ...plan, dispatches: plan.dispatches.map((one) => ({ ...one, groups: one.groups - 1 })) }
    })
    const thrower = fake('thrower', () => {
      throw new TypeError('no plan today')
    })
    const asReal = (one: Algorithm): Algorithm => ({
      ...one,
      work: (conv) => honest.work(conv, real),
      accesses: () => ({}),
      error: () => 0,
      refusal: () => undefined,
    })
    await changed([...FEW.filter(({ name }) => name !== 'direct'), asReal(lazy), asReal(thrower)], async () => {
      const { tuned } = await autotune(gpu, [task], { budgetMs: 10_000, samples: 1 })
      const faults = Object.fromEntries(tuned[0]?.tried.map(({ config, fault }) => [nameOfKernel(config), fault]) ?? [])
      expect(faults['lazy']).toMatch(/^wrong: row \d+, column \d+ is 0, not/)
      expect(tuned[0]?.refused).toEqual([{ config: { algorithm: 'thrower' }, reason: 'TypeError: no plan today' }])
      expect(JSON.stringify(tuned[0]?.after)).not.toMatch(/lazy|thrower/)
    })
    gpu.tuned.clear()
  })

  it('stand in a profile with what was expected of them, and what they did', async () => {
    const g = graph('net')
    const weights = (name: string, ...shape: number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.3 })
    const x = g.input('x', 'f32', [2, 6, 13, 11])
    const winograd = { algorithm: 'winograd', tile: 2, half: false }
    const first = g.conv2d(x, weights('w1', 10, 6, 3, 3), { pads: [1, 1, 1, 1], name: 'gemm', algorithm: 'implicit-gemm' })
    const second = g.conv2d(first, weights('w2', 10, 1, 3, 3), {
      ...{ pads: [0, 1, 2, 1], strides: [2, 1], group: 10 },
      name: 'direct',
      algorithm: 'direct',
    })
    g.output('y', g.conv2d(second, weights('w3', 4, 10, 3, 3), { name: 'winograd', algorithm: winograd }))
    const report = await profileModel(gpu, g.finish(), { dataflows: 'fastest', samples: 2 })
    const rowOf = (name: string): DataflowReport => {
      const row = report.layers.find((layer) => layer.name === name)?.dataflows['fastest']
      if (row?.kernel?.convolution === undefined) throw new Error(`${name}: ${JSON.stringify(row)}`)
      return row
    }
    for (const { name, macs } of report.layers) {
      const { kernel, verified, counted_equal, notes, roofline } = rowOf(name)
      expect([verified, counted_equal ?? true], `${name}: ${notes?.join('; ')}`).toEqual([true, true])
      expect(kernel?.predicted_ms).toBeGreaterThan(0)
      expect(kernel?.convolution?.macs).toBe(macs)
      expect(roofline?.operations).toBe(2 * macs)
      const { measured, bound } = kernel?.convolution?.error ?? { measured: NaN, bound: NaN }
      expect(measured).toBeGreaterThan(0)
      expect(measured).toBeLessThanOrEqual(bound)
      expect(bound).toBeLessThan(1e-4)
    }
    const gemm = rowOf('gemm').kernel
    expect(gemm).toMatchObject({ name: 'implicit-gemm', convolution: { multiplications: 2 * 10 * 143 * 54 } })
    // Packed filters are 12 in a line; their packing is not counted.
    expect(gemm?.accesses?.counted['y']).toEqual({ loads: 0, stores: 2 * 10 * 143 })
    expect(Object.keys(gemm?.accesses?.counted ?? {}).toSorted()).toEqual(['w', 'x', 'y'])
    const direct = rowOf('direct').kernel
    expect(direct).toMatchObject({ name: 'direct' })
    expect(direct?.accesses?.counted['x']).toEqual({ loads: 2 * 10 * 7 * 11 * 9, stores: 0 })
    // 3·5 tiles of 2×2 outputs from 4×4 inputs, the last in each direction ragged: 16 multiplications each.
    expect(rowOf('winograd').kernel?.convolution).toMatchObject({
      multiplications: 2 * 10 * 4 * 15 * 16,
      macs: 2 * 10 * 4 * 45 * 9,
    })
  })

  it('run in a profile as in the model: tuned with what is fused into them, in its layouts', async () => {
    const g = graph('block')
    const w = seededTensor(1, 'w', [8, 8, 3, 3], { centre: 0, spread: 0.3 })
    const x = g.input('x', 'f32', [1, 8, 10, 10])
    g.output('y', g.relu(g.add(g.conv2d(x, w, { pads: [1, 1, 1, 1], name: 'conv' }), x)))
    const net = g.finish()
    const [task] = modelTasks(net, gpu.facts).tasks
    expect(task?.problem.key).toMatch(/ residual$/)
    gpu.tuned.set(task?.problem.key ?? '', { algorithm: 'direct' })
    const report = await profileModel(gpu, net, { dataflows: 'fastest', samples: 1 })
    const { kernel, verified, counted_equal, notes } = report.layers[0]?.dataflows['fastest'] ?? {}
    expect([verified, counted_equal, kernel?.name]).toEqual([true, true, 'direct'])
    expect(notes?.[0]).toMatch(/^tuned: direct/)
    gpu.tuned.clear()
  })
})
