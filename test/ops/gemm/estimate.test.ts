/** The estimate: each part from its own formula on a case worked out by hand, and what must follow whatever the rates. */
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../../src/cost/evaluate.ts'
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { byEstimate, estimate, kernelMachine, ratesFor, type Rates } from '../../../src/ops/gemm/estimate.ts'
import { allCandidates, familyNamed } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { bareProduct as productOf } from '../../../src/profile/autotune-model.ts'
import { convProblem } from '../../../src/schedule/problem.ts'
import { FACTS } from '../facts.ts'

const DEVICE: DeviceFacts = {
  ...FACTS,
  features: new Set(['subgroups', 'shader-f16']),
  subgroups: { min: 32, max: 32, linear: true },
  limits: { ...FACTS.limits, maxComputeWorkgroupStorageSize: 32768, maxComputeInvocationsPerWorkgroup: 1024 },
}

/** Rates so that each part comes out in its own unit. */
const ONE: Rates = {
  flops: { f32: 1, f16: 1, matrix: 1 },
  bytes: 1,
  cacheBytes: 1,
  workgroupBytes: 1,
  accesses: 1,
  scalar: 1,
  conversions: Infinity,
  registers: 128,
  launch: 0,
  invocations: Infinity,
  // Workgroups one after another: the machine is always full.
  groups: 1,
  overlap: true,
}

const broadcast = (more: Record<string, unknown>): Config => ({ kernel: 'broadcast', ...more })
const CONFIG = broadcast({ rows: 16, strips: 1, subgroups: 1, staged: false })

describe('parts', () => {
  const product = productOf('gemm:64x96x256')
  const { parts } = estimate(product, CONFIG, DEVICE, ONE)

  test('arithmetic: operations, and those of lanes beyond the edges', () => {
    expect(parts.arithmetic).toBe(2 * 64 * 96 * 256)
    // 65 rows take 5 tiles of 16, 260 columns 3 tiles of 128.
    expect(estimate(productOf('gemm:65x96x260'), CONFIG, DEVICE, ONE).parts.arithmetic).toBe(2 * 80 * 96 * 384)
    const half = estimate({ ...product, accumulate: 'f16' }, CONFIG, DEVICE, { ...ONE, flops: { f32: 1, f16: 4, matrix: 1 } })
    expect(half.parts.arithmetic).toBe((2 * 64 * 96 * 256) / 4)
  })

  test('memory: every word once, halves as halves', () => {
    expect(parts.memory).toBe(4 * (64 * 96 + 96 * 256 + 64 * 256))
    expect(estimate(productOf('gemm:64x96x256:f16'), CONFIG, DEVICE, ONE).parts.memory).toBe(2 * (64 * 96 + 96 * 256 + 64 * 256))
  })

  test('cache: what workgroups fetch, as evaluate counts it', () => {
    // A tile of 16 × 128: each of 4 × 2 workgroups fetches its rows of A and its columns of B.
    const fetched = 8 * (16 * 96 + 96 * 128) + 64 * 256
    expect(parts.cache).toBe(4 * fetched)
  })

  test('issue: accesses, of which a vector of four is one', () => {
    const counts = familyNamed('broadcast', 'x').accesses(product, CONFIG, DEVICE)
    const all = Object.values(counts).reduce((sum, { loads, stores }) => sum + loads + stores, 0)
    expect(all).toBeGreaterThan(0)
    expect(parts.issue).toBe(all / 4)
    // Neither the rows of A nor of B lie on whole vectors here.
    const odd = productOf('gemm:64x95x255')
    const single = familyNamed('broadcast', 'x').accesses(odd, CONFIG, DEVICE)
    const total = Object.values(single).reduce((sum, { loads, stores }) => sum + loads + stores, 0)
    expect(estimate(odd, CONFIG, DEVICE, ONE).parts.issue).toBe(total)
  })

  test('halves that are converted come on top, scalars may cost less', () => {
    const counts = familyNamed('broadcast', 'x').accesses(product, CONFIG, DEVICE)
    const all = Object.values(counts).reduce((sum, { loads, stores }) => sum + loads + stores, 0)
    const half = estimate(productOf('gemm:64x96x256:f16'), CONFIG, DEVICE, { ...ONE, conversions: 2 })
    expect(half.parts.issue).toBe(all / 4 + all / 2)
    const odd = productOf('gemm:64x95x255')
    expect(estimate(odd, CONFIG, DEVICE, { ...ONE, scalar: 0.5 }).parts.issue).toBe(
      estimate(odd, CONFIG, DEVICE, ONE).parts.issue / 2,
    )
  })

  test('sums that registers do not hold slow the arithmetic', () => {
    // 16 rows of four columns.
    const spilled = estimate(product, CONFIG, DEVICE, { ...ONE, registers: 16 })
    expect(spilled.parts.arithmetic).toBe(4 * parts.arithmetic)
  })

  test('nothing goes through workgroup memory that a kernel does not have', () => expect(parts.workgroup).toBe(0))
})

describe('the sum', () => {
  const product = productOf('gemm:64x96x256')

  test('where bottlenecks overlap the largest is paid, else arithmetic and accesses add up', () => {
    const over = estimate(product, CONFIG, DEVICE, ONE)
    expect(over.seconds).toBe(Math.max(...Object.values<number>({ ...over.parts })))
    expect(over.parts[over.bound]).toBe(over.seconds)
    const { arithmetic, cache, workgroup, issue } = over.parts
    expect(estimate(product, CONFIG, DEVICE, { ...ONE, overlap: false }).seconds).toBe(arithmetic + cache + workgroup + issue)
  })

  test('a grid that fills the machine one and a half times takes two waves', () => {
    const { occupancy, waves, seconds } = estimate(product, CONFIG, DEVICE, { ...ONE, groups: 16 })
    expect([waves, occupancy]).toEqual([0.5, 0.5])
    expect(seconds).toBe(2 * estimate(product, CONFIG, DEVICE, ONE).seconds)
    const { waves: more, occupancy: share } = estimate(productOf('gemm:192x96x256'), CONFIG, DEVICE, { ...ONE, groups: 16 })
    expect([more, share]).toEqual([1.5, 0.75])
    // 8 workgroups of 32 lanes, of which 4 have room at once.
    expect(estimate(product, CONFIG, DEVICE, { ...ONE, groups: Infinity, invocations: 128 }).waves).toBe(2)
  })

  test('starting dispatches comes on top', () => {
    const { seconds, launch } = estimate(product, CONFIG, DEVICE, { ...ONE, launch: 1e9 })
    expect(launch).toBe(1e9)
    expect(seconds).toBe(1e9 + estimate(product, CONFIG, DEVICE, ONE).seconds)
  })

  test('measured peaks take the place of those of the kind', () => {
    const twice = ratesFor({ software: false }, { flops: { f32: 2e13, f16: 5e13 }, bytes_per_s: 1e12 })
    expect(twice.flops).toEqual({ f32: 2e13, f16: 5e13, matrix: 16e13 })
    expect(twice.bytes).toBe(1e12)
    expect(twice.accesses).toBe(2 * ratesFor({ software: false }).accesses)
  })
})

describe('every candidate of every family', () => {
  const products = ['gemm:1x512x512', 'gemm:16x512x512', 'gemm:128x256x384', 'gemm:512x512x512:f16', 'gemm:37x41x43', 'gemm:3x1x5']

  test.each(products)('%s: has an estimate, finite and above the roof of memory', (text) => {
    const product = productOf(text)
    const configs = allCandidates(product, DEVICE)
    expect(configs.length).toBeGreaterThan(0)
    const ranked = configs.map((config) => ({ config, estimate: estimate(product, config, DEVICE) })).toSorted(byEstimate)
    expect(ranked.map(({ config }) => config)).toEqual(expect.arrayContaining(configs))
    for (const [index, { config, estimate: one }] of ranked.entries()) {
      expect(Number.isFinite(one.seconds)).toBe(true)
      expect(one.seconds).toBeGreaterThanOrEqual(one.parts.memory)
      expect(one.occupancy).toBeGreaterThan(0)
      expect(one.occupancy).toBeLessThanOrEqual(1)
      expect(one.parts.arithmetic * ratesFor(DEVICE).flops.matrix).toBeGreaterThanOrEqual(
        2 * product.rows * product.columns * product.depth * 0.999,
      )
      expect(one.seconds).toBeGreaterThanOrEqual(ranked[index - 1]?.estimate.seconds ?? 0)
      expect(familyNamed(config.kernel, 'x').refusal(product, config, DEVICE)).toBeUndefined()
    }
  })

  test('the machine takes every mapping, and its multiply-adds are the problem', () => {
    const product = productOf('gemm:128x256x384')
    const problem = convProblem({ P: 128, C: 256, M: 384 })
    for (const config of allCandidates(product, DEVICE)) {
      const mapping = familyNamed(config.kernel, 'x').mappingOf(product, config, DEVICE)
      expect(evaluate(problem, kernelMachine(DEVICE), mapping).macs).toBe(128 * 256 * 384)
    }
  })
})
