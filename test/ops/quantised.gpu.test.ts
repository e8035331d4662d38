/** Products of bytes and of packed weights on the GPU, held to their references. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { LINEAR_QUANTISATION, MATMUL_INTEGER, MATMUL_NBITS, QLINEAR_MATMUL, valuesOf } from '../cases/quantised.ts'
import { check } from './run-table.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

describe('quantised ops', () => {
  it.each(
    [...MATMUL_INTEGER, ...QLINEAR_MATMUL, ...MATMUL_NBITS, ...LINEAR_QUANTISATION].map(
      (entry) => [entry.definition.name, entry.name, entry] as const,
    ),
  )('%s: %s', async (_, __, entry) => {
    await check(gpu, entry.definition, valuesOf(entry), entry.attributes ?? {})
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
