/** Convolutions of bytes on a grid of sizes, bit for bit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { convInteger } from '../../../src/ops/conv-integer/op.ts'
import { qlinearConv } from '../../../src/ops/qlinear-conv/op.ts'
import { tensor, type HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf, randomFrom } from '../../cases/case.ts'
import { gridOf } from '../conv2d/grid.ts'
import { check } from '../run-table.ts'

type Byte = 'i8' | 'u8'

function bytes(shape: readonly number[], dtype: Byte, seed: number): HostTensor {
  return inputsOf({ name: '', inputs: [shape] }, dtype, seed)[0]!
}

describe('convolutions of bytes', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  it.each([
    [undefined, 14],
    ['direct', 8],
  ])('on a grid, algorithm %s: i32', async (algorithm, count) => {
    const random = randomFrom(7)
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
    for (const [index, point] of gridOf(count, { layouts: ['nchw'] }, 5).entries()) {
      const [x, w] = [point.inputs[0]!, point.inputs[1]!]
      const dtypes = [pick(['i8', 'u8'] as const), pick(['i8', 'u8'] as const)] as const
      const zeros = [random() < 0.7, random() < 0.7]
      const each = random() < 0.5 ? [w[0]!] : []
      const inputs = [
        bytes(x, dtypes[0], index + 1),
        bytes(w, dtypes[1], index + 100),
        zeros[0] ? bytes([], dtypes[0], index + 200) : null,
        zeros[1] ? bytes(each, dtypes[1], index + 300) : null,
      ]
      const { stride, dilation, padding, groups } = point.attributes
      const attributes = { stride, dilation, padding, groups }
      try {
        await check(gpu, convInteger, inputs, { ...attributes, ...(algorithm === undefined ? {} : { algorithm }) }, true)
      } catch (error) {
        throw new Error(`${String(dtypes)} on ${JSON.stringify(point)}`, { cause: error })
      }
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('requantised on a grid', async () => {
    const random = randomFrom(9)
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
    for (const [index, point] of gridOf(3, { layouts: ['nchw'] }, 6).entries()) {
      const [x, w] = [point.inputs[0]!, point.inputs[1]!]
      const [dx, dw, dy] = [pick(['i8', 'u8'] as const), pick(['i8', 'u8'] as const), pick(['i8', 'u8'] as const)]
      const all = w[0]!
      const each = random() < 0.5
      const scales = Array.from({ length: each ? all : 1 }, () => 0.001 + random() / 100)
      const bias = tensor(
        Array.from({ length: all }, () => Math.floor(random() * 20000) - 10000),
        [all],
        'i32',
      )
      const inputs = [
        ...[bytes(x, dx, index + 1), tensor([0.02], []), bytes([], dx, index + 200)],
        ...[bytes(w, dw, index + 100), tensor(scales, each ? [all] : []), bytes(each ? [all] : [], dw, index + 300)],
        ...[tensor([0.5 + random()], []), bytes([], dy, index + 400), random() < 0.5 ? bias : null],
      ]
      const { stride, dilation, padding, groups } = point.attributes
      const attributes = { stride, dilation, padding, groups }
      try {
        await check(gpu, qlinearConv, inputs, attributes)
      } catch (error) {
        throw new Error(`${dx} ${dw} ${dy} on ${JSON.stringify(point)}`, { cause: error })
      }
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })
})
