/** Random shapes and attributes on whole numbers: every kernel must agree with the reference bit for bit. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { conv2d } from '../../src/ops/conv2d/op.ts'
import { gemm } from '../../src/ops/gemm/op.ts'
import { linear } from '../../src/ops/linear/op.ts'
import { matmul } from '../../src/ops/matmul/op.ts'
import { maxPool } from '../../src/ops/max-pool/op.ts'
import { inputsOf } from '../cases/case.ts'
import { check } from './run-table.ts'

const RUNS = { numRuns: 60, seed: 20170327 }
/** Each may need a kernel of its own. */
const FEW_RUNS = { ...RUNS, numRuns: 35 }

/** Sizes around the edges of tiles as often as small ones. */
const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(15, 16, 17, 31, 63, 64, 65, 67))

const convolution = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 3 }),
    channels: fc.integer({ min: 1, max: 6 }),
    filters: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(16, 17, 65)),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    dilation: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }),
    extra: fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })),
    bias: fc.boolean(),
    activation: fc.constantFrom('none', 'relu'),
  })
  .map(({ batch, groups, channels, filters, kernel, extra, bias, ...attributes }) => {
    const extent = (axis: 0 | 1): number => attributes.dilation[axis] * (kernel[axis] - 1) + 1 + extra[axis]
    return {
      inputs: [
        [batch, groups * channels, extent(0), extent(1)],
        [groups * filters, channels, ...kernel],
        bias ? [groups * filters] : null,
      ],
      attributes: { ...attributes, groups },
    }
  })

describe('random problems on whole numbers', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it('conv2d', async () => {
    const property = fc.asyncProperty(convolution, fc.integer({ min: 1, max: 99 }), async ({ inputs, attributes }, seed) => {
      await check(gpu, conv2d, inputsOf({ name: '', inputs, data: 'integers' }, 'f32', seed), attributes, true)
    })
    await fc.assert(property, FEW_RUNS)
  })

  it('gemm', async () => {
    const property = fc.asyncProperty(
      size,
      size,
      fc.integer({ min: 0, max: 70 }),
      fc.boolean(),
      fc.boolean(),
      async (i, j, k, transA, transB) => {
        const inputs = [transA ? [k, i] : [i, k], transB ? [j, k] : [k, j], [j]]
        await check(
          gpu,
          gemm,
          inputsOf({ name: '', inputs, data: 'integers' }, 'f32'),
          { transA, transB, alpha: 2, beta: -1 },
          true,
        )
      },
    )
    await fc.assert(property, RUNS)
  })

  it('matmul', async () => {
    const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('a', 'b', 'both')), { maxLength: 4 })
    const property = fc.asyncProperty(
      batches,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      async (batch, i, j, k) => {
        const own = (side: string): number[] => batch.map(([extent, sides]) => (sides === side || sides === 'both' ? extent : 1))
        const inputs = [
          [...own('a'), i, k],
          [...own('b'), k, j],
        ]
        await check(gpu, matmul, inputsOf({ name: '', inputs, data: 'integers' }, 'f32'), {}, true)
      },
    )
    await fc.assert(property, RUNS)
  })

  it('maxPool', async () => {
    const axis = fc.record({
      extra: fc.integer({ min: 0, max: 7 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      before: fc.integer({ min: 0, max: 3 }),
      after: fc.integer({ min: 0, max: 3 }),
    })
    const property = fc.asyncProperty(
      fc.array(axis, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.boolean(),
      async (axes, ceilMode, indices) => {
        const attributes = {
          kernel: axes.map(({ kernel }) => kernel),
          stride: axes.map(({ stride }) => stride),
          dilation: axes.map(({ dilation }) => dilation),
          padding: [...axes.map(({ before }) => before), ...axes.map(({ after }) => after)],
          ceilMode,
          indices,
        }
        const inputs = [[2, 2, ...axes.map(({ extra, kernel, dilation }) => dilation * (kernel - 1) + 1 + extra)]]
        await check(gpu, maxPool, inputsOf({ name: '', inputs, data: 'integers' }, 'f32'), attributes, !indices)
      },
    )
    await fc.assert(property, RUNS)
  })

  it('linear with weights larger than one binding', async () => {
    // AlexNet's first fully connected layer: 144 MiB of weights, where bindings often end at 128 MiB.
    const inputs = [[1, 9216], [4096, 9216], [4096]]
    await check(gpu, linear, inputsOf({ name: '', inputs, data: 'integers' }, 'f32'), {}, true)
  })
})
