/** Algorithms forced by name where no rule would take them, held against the reference. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGpu, type Gpu } from '../../../src/index.ts'
import { ALGORITHMS, refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { convolutionAt } from './grid.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

const FEW = [[1, 2, 10, 10], [1, 2, 3, 3], null]
const APART = [[1, 3, 10, 10], [3, 1, 3, 3], null]

it.each([...ALGORITHMS.keys()])('%s, by its name', async (algorithm) => {
  const apart = algorithm === 'depthwise'
  const shapes = apart ? APART : FEW
  const attributes = { groups: apart ? 3 : 1, padding: 1 }
  expect(refusalOf(convolutionAt({ inputs: shapes, attributes }), { algorithm }, gpu.facts)).toBeUndefined()
  await check(gpu, conv2d, inputsOf({ name: '', inputs: shapes, data: 'signed' }, 'f32', 1), { ...attributes, algorithm })
  expect(gpu.memory.liveBytes).toBe(0)
})
