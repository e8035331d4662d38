/** Epilogues on the device: every activation, every way to broadcast, under the default kernel; sums in f16. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { ACTIVATIONS, activationParams, activationWgsl, RELU6, type Activation } from '../../../src/ops/gemm/activation.ts'
import { clip } from '../../../src/ops/clip/op.ts'
import { hardSigmoid } from '../../../src/ops/hard-sigmoid/op.ts'
import { hardSwish } from '../../../src/ops/hard-swish/op.ts'
import * as ops from '../../../src/ops/index.ts'
import { leakyRelu } from '../../../src/ops/leaky-relu/op.ts'
import type { OpDefinition } from '../../../src/ops/op.ts'
import { relu } from '../../../src/ops/relu/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { sigmoid } from '../../../src/ops/sigmoid/op.ts'
import { tanh } from '../../../src/ops/tanh/op.ts'
import { tensor } from '../../../src/tensor/tensor.ts'
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

  const PARAMETRIC: readonly Activation[] = [
    RELU6,
    { name: 'clip', min: -0.5 },
    { name: 'leakyRelu', alpha: 0.1 },
    { name: 'hardSigmoid', alpha: -0.7, beta: 0.25 },
  ]

  it.each([...ACTIVATIONS, ...PARAMETRIC])('%j, from small sums to ones that saturate it', async (activation) => {
    const inputs = inputsOf({ name: '', inputs: [[9, 5], [5, 14], [14], [9, 14], [9, 1]] }, 'f32')
    for (const alpha of [1, 60]) await check(gpu, gemm, inputs, { activation, alpha, beta: alpha })
  })

  it.each<[Activation, OpDefinition, object]>([
    ['relu', relu, {}],
    ['sigmoid', sigmoid, {}],
    ['tanh', tanh, {}],
    ['hardSwish', hardSwish, {}],
    [{ name: 'clip', min: -1, max: 6 }, clip, { min: -1, max: 6 }],
    [{ name: 'clip', min: 0 }, clip, { min: 0 }],
    [{ name: 'clip', max: 6 }, clip, { max: 6 }],
    [{ name: 'leakyRelu', alpha: -0.5 }, leakyRelu, { alpha: -0.5 }],
    [{ name: 'hardSigmoid', alpha: 0, beta: 0.5 }, hardSigmoid, { alpha: 0, beta: 0.5 }],
    [{ name: 'hardSigmoid', alpha: 0.2, beta: 0.5 }, hardSigmoid, {}],
  ])('%j of NaN, infinities and zeros as its op has it', async (activation, definition, attributes) => {
    const x = tensor([NaN, Infinity, -Infinity, 0, -0, 1, -1, 3, -3, 7, -7, 1e30, -1e30], [13, 1])
    const [apart] = definition.reference([x], parseAttributes(definition, attributes))
    using y = await ops.gemm(gpu, x, tensor([1], [1, 1]), { activation })
    const values = Array.from(await y.data(), Number)
    expect(values).toHaveLength(13)
    const expected = Array.from(apart?.tensor.values ?? [], Number)
    values.forEach((value, at) => {
      const want = expected[at] ?? 0
      if (Number.isFinite(want)) expect(Math.abs(value - want)).toBeLessThanOrEqual(2 ** -20 * Math.max(1, Math.abs(want)))
      else expect(value).toBe(want)
    })
  })

  it('bounds and slopes are params: one program for all', () => {
    expect(activationWgsl(RELU6)).toBe(activationWgsl({ name: 'clip', max: -3 }))
    expect(activationParams(RELU6)).not.toEqual(activationParams({ name: 'clip', max: -3 }))
    expect(activationWgsl({ name: 'leakyRelu', alpha: 1 })).toBe(activationWgsl({ name: 'leakyRelu', alpha: 2 }))
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
