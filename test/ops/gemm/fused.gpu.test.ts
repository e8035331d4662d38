/** Epilogues on the device: every activation, every way to broadcast, under the default kernel; sums in f16. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { ACTIVATIONS } from '../../../src/ops/gemm/activation.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { configsFor } from './families.ts'

describe('epilogues', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  it.each(ACTIVATIONS)('%s, from small sums to ones that saturate it', async (activation) => {
    const inputs = inputsOf({ name: '', inputs: [[9, 5], [5, 14], [14], [9, 14], [9, 1]] }, 'f32')
    for (const alpha of [1, 60]) await check(gpu, gemm, inputs, { activation, alpha, beta: alpha })
  })

  it.each([[[]], [[1]], [[14]], [[9, 1]], [[1, 14]], [[9, 14]]])(
    'bias and scale of %j over a batch, with a residual',
    async (shape) => {
      const inputs = inputsOf({ name: '', inputs: [[2, 9, 5], [2, 5, 14], shape, [2, 9, 14], shape], data: 'integers' }, 'f32')
      await check(gpu, matmul, inputs, {}, true)
    },
  )

  it('of a vector operand: a column turned to a row keeps its terms', async () => {
    const inputs = inputsOf(
      {
        name: '',
        inputs: [
          [9, 5],
          [5, 1],
          [9, 1],
          [9, 1],
          [9, 1],
        ],
        data: 'integers',
      },
      'f32',
    )
    await check(gpu, gemm, inputs, { alpha: 2, beta: 3 }, true)
  })

  it('halves into f32, with a residual of f32', async () => {
    const [a = null, b = null, bias = null] = inputsOf({ name: '', inputs: [[9, 5], [5, 14], [14]] }, 'f16')
    const [residual = null] = inputsOf({ name: '', inputs: [[9, 14]] }, 'f32')
    await check(gpu, gemm, [a, b, bias, residual], { output: 'f32', activation: 'silu' })
  })

  // Other families have theirs where their own kernels are tested.
  it.each(['broadcast', 'registers'])('sums in f16 where they are asked for, %s', async (name) => {
    const inputs = inputsOf({ name: '', inputs: [[9, 21], [21, 14], [14]] }, 'f16')
    const config = configsFor(gpu.facts, gemm, inputs, { accumulate: 'f16' }).find(({ kernel }) => kernel === name)
    if (config === undefined) throw new Error(`${name} does not take sums in f16`)
    await check(gpu, gemm, inputs, { accumulate: 'f16', kernel: { ...config } })
  })
})
