/** cscMatmul and eieMatmul on the GPU: the grid of cases, plain and dealt out over elements, against their references. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { cscMatmul } from '../../src/ops/csc-matmul/op.ts'
import { eieMatmul } from '../../src/ops/eie-matmul/op.ts'
import { cscInputs, eieInputs, isRounded, SPARSE_CASES } from '../cases/sparse-weights.ts'
import { check } from './run-table.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

const cases = SPARSE_CASES.map((entry) => [entry.name, entry] as const)

describe('cscMatmul', () => {
  it.each(cases)('%s', async (_, entry) => {
    const lines = entry.columns
    for (const [elements, indexBits] of [
      [1, 16],
      [4, 32],
    ] as const) {
      if (isRounded(entry))
        await check(gpu, cscMatmul, cscInputs(entry, 1, indexBits, elements), { ...entry.attributes, indexBits, lines })
      const whole = { ...entry, integers: true }
      await check(gpu, cscMatmul, cscInputs(whole, 3, indexBits, elements), { indexBits, lines }, whole.dtype !== 'f16')
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })
})

describe('eieMatmul', () => {
  it.each(cases)('%s', async (_, entry) => {
    const lines = entry.columns
    for (const options of [{ elements: 1 }, { elements: 13, values: 'shared' }] as const) {
      if (isRounded(entry)) await check(gpu, eieMatmul, eieInputs(entry, 1, options), { ...entry.attributes, lines })
      const whole = { ...entry, integers: true }
      await check(gpu, eieMatmul, eieInputs(whole, 3, options), { lines }, whole.dtype !== 'f16')
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
