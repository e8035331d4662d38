/** Activations of a network, coded on the GPU: as large as the host's coder says that they are, layer by layer. */
import { expect, it } from 'vitest'
import { lenet5 } from '../../../models/lenet5.ts'
import { seededInput } from '../../../models/seeded.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { runLengthEncode } from '../../../src/ops/run-length-encode/op.ts'
import { runOp } from '../../../src/ops/run.ts'
import { layersOf } from '../../../src/profile/layers.ts'
import { zerosOf } from '../../../src/profile/zeros.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { tensor } from '../../../src/tensor/tensor.ts'

it('the layers of LeNet-5', async () => {
  using gpu = await openGpu()
  const graph = lenet5()
  const inputs = Object.fromEntries(graph.inputs.map(({ name, shape }) => [name, seededInput(0, name, shape.map(Number))]))
  const ratios: number[] = []
  for await (const { x } of layersOf(graph, inputs, 'f32')) {
    const half = tensor(Array.from(x.values, Number), x.shape, 'f16')
    const [words, counts] = await runOp(gpu, runLengthEncode, [half], {})
    const [count] = (await counts?.data()) ?? []
    words?.dispose()
    counts?.dispose()
    const ratio = (64 * Number(count)) / (16 * sizeOf(x.shape))
    expect(ratio).toBe(zerosOf(half).ratio)
    ratios.push(ratio)
  }
  expect(ratios.length).toBeGreaterThan(3)
  expect(gpu.memory.liveBytes).toBe(0)
})
