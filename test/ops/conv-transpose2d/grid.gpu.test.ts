/** Transposed convolutions on a grid of sizes, by each algorithm, held against the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { convTranspose2d } from '../../../src/ops/conv-transpose2d/op.ts'
import { layoutShape, type Layout } from '../../../src/ops/layout.ts'
import { inputsOf, randomFrom } from '../../cases/case.ts'
import { check } from '../run-table.ts'

interface Point {
  readonly inputs: readonly (readonly number[] | null)[]
  readonly attributes: Readonly<Record<string, unknown>> & { readonly layout: Layout; readonly activation: string }
}

/** Odd sizes, strides 1 to 4, dilations 1 to 3, asymmetric padding, outputs added, groups, batches, one to three axes, every layout. */
function grid(count: number, seed: number): Point[] {
  const random = randomFrom(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  return Array.from({ length: count }, (): Point => {
    const rank = pick([1, 2, 2, 2, 3])
    const layout = pick(['nchw', 'nchw', 'nhwc', 'nchw4'] as const)
    const outputLayout = random() < 0.8 ? layout : pick(['nchw', 'nhwc', 'nchw4'] as const)
    const groups = pick([1, 1, 2, 3])
    const whole = layout === 'nchw4' || outputLayout === 'nchw4'
    const channels = pick(whole ? [4, 8] : [1, 2, 3, 4, 8, 17])
    const filters = pick(whole ? [4, 8, 12] : [1, 2, 3, 4, 8, 13, 33])
    const kernel = Array.from({ length: rank }, () => pick([1, 2, 2, 3, 4, 5]))
    const stride = kernel.map((size) => (random() < 0.3 ? Math.min(4, size) : pick([1, 2, 2, 3, 4])))
    const dilation = kernel.map(() => pick([1, 1, 1, 2, 3]))
    const extents = kernel.map(() => pick([1, 2, 3, 5, 7]))
    const more = kernel.map((_, axis) => (random() < 0.3 ? pick([1, stride[axis]! - 1]) : 0))
    const uncut = kernel.map((size, axis) => stride[axis]! * (extents[axis]! - 1) + more[axis]! + dilation[axis]! * (size - 1) + 1)
    const before = uncut.map((size) => Math.min(Math.floor((size - 1) / 2), pick([0, 0, 1, 2, 3])))
    const after = uncut.map((size) => Math.min(Math.floor((size - 1) / 2), pick([0, 0, 1, 2, 3])))
    const outputs = uncut.map((size, axis) => size - before[axis]! - after[axis]!)
    const batch = pick([1, 1, 2, 5])
    const all = groups * filters
    const first = 4 * pick([0, 1, 2])
    // A part of a larger map takes no residual.
    const placed = random() < 0.2 ? { channels: first + all + pick([0, 4, 8]), first } : undefined
    return {
      inputs: [
        layoutShape(layout, batch, groups * channels, extents),
        [groups * channels, filters, ...kernel],
        random() < 0.5 ? [all] : null,
        placed === undefined && random() < 0.3 ? layoutShape(outputLayout, batch, all, outputs) : null,
      ],
      attributes: {
        ...{ stride, dilation, groups, layout, outputLayout, padding: [...before, ...after], outputPadding: more },
        activation: pick(['none', 'relu', 'silu']),
        ...(placed === undefined ? {} : { place: placed }),
      },
    }
  })
}

describe('transposed convolutions on a grid', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each([
    ['phases', 24],
    ['direct', 40],
  ])('%s', async (algorithm, count) => {
    for (const [index, { inputs, attributes }] of grid(count, 1).entries()) {
      const values = inputsOf({ name: '', inputs, data: 'integers' }, 'f32', index + 1)
      try {
        // The other channels of a larger map are nobody's.
        const bits = attributes.activation !== 'silu' && attributes.place === undefined
        await check(gpu, convTranspose2d, values, { ...attributes, algorithm }, bits)
      } catch (error) {
        throw new Error(`${algorithm} on ${JSON.stringify({ inputs, attributes })}`, { cause: error })
      }
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('in halves', async () => {
    for (const [index, { inputs, attributes }] of grid(3, 2).entries()) {
      await check(gpu, convTranspose2d, inputsOf({ name: '', inputs }, 'f16', index + 1), attributes)
    }
  })
})
