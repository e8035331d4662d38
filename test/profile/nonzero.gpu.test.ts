/** Non-zero MACs of activations that a GPU made: on integers the same as of the CPU reference's. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { countNonzeros } from '../../src/profile/nonzero.ts'
import { input, network } from './nonzero-network.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => {
  expect(gpu.memory.liveBytes).toBe(0)
  gpu.dispose()
})

it('are those of the reference, run by run', async () => {
  const graph = network()
  const runs = [input(1), input(2), input(3)]
  const [here, there] = [await countNonzeros(graph, { runs, gpu }), await countNonzeros(graph, { runs })]
  expect(here.activations).toEqual({ inputs: 'given', runs: 3, adapter: gpu.adapter })
  expect(here.layers.length).toBe(6)
  expect({ ...here, activations: null }).toEqual({ ...there, activations: null })
})
