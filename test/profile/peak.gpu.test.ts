/** The peaks' kernels compute what they say, and the figures are a device's, not a stopped clock's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { runPlan } from '../../src/ops/run.ts'
import { copyDispatch, dotDispatch, fmaDispatch, measureDotPeak, measurePeaks } from '../../src/profile/peak.ts'
import { tensor } from '../../src/tensor/tensor.ts'

describe('peaks', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu({ adapter: process.env['TILEWRIGHT_ADAPTER'] ?? 'software' })
  })
  afterAll(() => gpu.dispose())

  it.each(['f32', 'f16'] as const)('the multiply-adds of %s run to the end: every chain is at its limit', async (dtype) => {
    if (dtype === 'f16') expect(gpu.facts.features).toContain('shader-f16')
    const plan = { reason: '', dispatches: [fmaDispatch(dtype, 4, 3)], temps: [] }
    const [y] = await runPlan(gpu, plan, [], [{ dtype: 'f32', shape: [3 * 256] }])
    // x ← x/2 + 3/4 tends to 3/2; four chains of four.
    expect([...new Set((await y?.data()) as Float32Array)]).toEqual([24])
    y?.dispose()
  })

  it('the packed dot products run to the end: sums as a host adds them up', async () => {
    const factor = [3, 5, -7, 11]
    const packed = factor.reduce((word, byte, place) => word + (byte & 255) * 2 ** (8 * place), 0)
    const chain = (start: number): number => {
      let sum = start
      for (let link = 0; link < 1024; link++) {
        const before = sum
        for (const [place, byte] of factor.entries()) sum += byte * ((((before >> (8 * place)) & 255) << 24) >> 24)
        sum |= 0
      }
      return sum
    }
    const plan = { reason: '', dispatches: [dotDispatch(2, 2, packed)], temps: [] }
    const [y] = await runPlan(gpu, plan, [], [{ dtype: 'i32', shape: [512] }])
    const wanted = Int32Array.from({ length: 512 }, (_, index) => chain(index % 256) + chain((index % 256) + 1))
    expect(await y?.data()).toEqual(wanted)
    y?.dispose()
    expect(await measureDotPeak(gpu)).toBeGreaterThan(1e8)
  })

  it('the copy copies', async () => {
    const values = Float32Array.from({ length: 8192 }, (_, index) => index - 4000)
    using x = gpu.upload(tensor(values))
    const plan = { reason: '', dispatches: [copyDispatch(8192, 4)], temps: [] }
    const [y] = await runPlan(gpu, plan, [x], [{ dtype: 'f32', shape: [8192] }])
    expect(await y?.data()).toEqual(values)
    y?.dispose()
  })

  it('measures once, and says which shapes won', async () => {
    const peaks = await measurePeaks(gpu)
    console.log(
      `${(peaks.flops.f32 / 1e9).toFixed(1)} GFLOP/s f32, ${((peaks.flops.f16 ?? 0) / 1e9).toFixed(1)} f16, ${(peaks.bytes_per_s / 1e9).toFixed(1)} GB/s`,
    )
    console.log(peaks.shapes, peaks.clock)
    // Any machine of this century, and none of this one.
    expect(peaks.flops.f32).toBeGreaterThan(1e8)
    expect(peaks.flops.f32).toBeLessThan(1e16)
    expect(peaks.flops.f16).toBeGreaterThan(1e8)
    expect(peaks.bytes_per_s).toBeGreaterThan(1e8)
    expect(peaks.bytes_per_s).toBeLessThan(1e14)
    expect(await measurePeaks(gpu)).toBe(peaks)
  })

  it('stops with the signal, and measures anew after it', async () => {
    const other = await openGpu({ adapter: process.env['TILEWRIGHT_ADAPTER'] ?? 'software' })
    await expect(measurePeaks(other, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
    other.dispose()
  })
})
