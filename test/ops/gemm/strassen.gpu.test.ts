/** Strassen's product on the GPU: odd sizes, strides, epilogues, two levels, halves; what its accessors count. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { strassen, type StrassenConfig } from '../../../src/ops/gemm/kernels/strassen.ts'
import { linear } from '../../../src/ops/linear/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { accessDifferences, countedAccesses } from '../../../src/profile/accesses.ts'
import { HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { productOfCall } from './families.ts'

describe('Strassen', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  const LEVELS = [1, 2] as const

  it.each(LEVELS)('is exact on whole numbers, odd sizes, %i levels', async (levels) => {
    for (const [i, k, j] of [
      [4, 4, 4],
      [5, 7, 6],
      [33, 18, 21],
      [64, 40, 72],
    ] as const) {
      const inputs = inputsOf(
        {
          name: '',
          inputs: [
            [i, k],
            [k, j],
          ],
          data: 'integers',
        },
        'f32',
      )
      await check(gpu, gemm, inputs, { kernel: { kernel: 'strassen', levels } }, true)
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it('takes transposed operands, and ends with the epilogue', async () => {
    const shapes = [[19, 34], [21, 19], [21], [34, 21]]
    const inputs = inputsOf({ name: '', inputs: shapes, data: 'integers' }, 'f32')
    const attributes = { transA: true, transB: true, alpha: 2, activation: 'relu', kernel: 'strassen' }
    await check(gpu, gemm, inputs, attributes, true)
  })

  it('is within its bound on real numbers and on halves', async () => {
    for (const dtype of ['f32', 'f16'] as const) {
      const inputs = inputsOf({ name: '', inputs: [[50, 131], [70, 131], [70]] }, dtype)
      await check(gpu, linear, inputs, { kernel: { kernel: 'strassen', levels: 2 }, activation: 'gelu' })
    }
    expect(gpu.memory.liveBytes).toBe(0)
  })

  it.each<[string, number, readonly (readonly [number, number])[], object]>([
    [
      'element by element',
      1,
      [
        [35, 22],
        [22, 37],
      ],
      {},
    ],
    [
      'vectors',
      2,
      [
        [36, 24],
        [24, 40],
      ],
      {},
    ],
    [
      'one value of vectors across, vectors along',
      1,
      [
        [36, 20],
        [24, 36],
      ],
      { transA: true, transB: true },
    ],
  ])('loads and stores what it says: %s', async (_, levels, shapes, transposed) => {
    const inputs = inputsOf({ name: '', inputs: shapes }, 'f32')
    const config: StrassenConfig = { kernel: 'strassen', levels: levels === 2 ? 2 : 1 }
    const attributes = { ...transposed, kernel: config }
    const product = productOfCall(gemm, inputs, attributes)
    const context = { inputs, values: inputs.map(() => null), attributes: parseAttributes(gemm, attributes) }
    const plan = gemm.plan({ ...context, outputs: [product.output], device: gpu.facts })
    const uploaded = inputs.map((input) => (input instanceof HostTensor ? gpu.upload(input) : null))
    const counted = await countedAccesses(gpu, plan, uploaded, [product.output])
    for (const tensor of uploaded) tensor?.dispose()
    expect(accessDifferences(strassen.accesses(product, config, gpu.facts), counted)).toEqual([])
    expect(Object.keys(counted).toSorted()).toEqual(['a', 'b', 'factors', 'products', 'y'])
  })
})
