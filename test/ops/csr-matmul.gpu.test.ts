/** csrMatmul on the GPU: the grid of cases, each kernel, against its reference; whole numbers bit for bit against the dense product. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { csrMatmul } from '../../src/ops/csr-matmul/op.ts'
import { CSR_KERNELS } from '../../src/ops/csr-matmul/plan.ts'
import { csrInputs, isRounded, SPARSE_CASES } from '../cases/sparse-weights.ts'
import { check } from './run-table.ts'

describe('csrMatmul', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each(SPARSE_CASES.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    for (const [index, kernel] of CSR_KERNELS.entries()) {
      const indexBits = index === 0 ? 16 : 32
      if (isRounded(entry))
        await check(gpu, csrMatmul, csrInputs(entry, 1 + index, indexBits), { ...entry.attributes, indexBits, kernel })
      const whole = { ...entry, integers: true }
      await check(gpu, csrMatmul, csrInputs(whole, 3, indexBits), { indexBits, kernel }, whole.dtype !== 'f16')
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
