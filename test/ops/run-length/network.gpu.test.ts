/** Activations of a network, coded on the GPU: as large as the host's coder says that they are, layer by layer. */
import { expect, it } from 'vitest'
import { openGpu } from '../../../src/gpu/node.ts'
import { graph } from '../../../src/graph/builder.ts'
import { runLengthEncode } from '../../../src/ops/run-length-encode/op.ts'
import { runOp } from '../../../src/ops/run.ts'
import { layersOf } from '../../../src/profile/layers.ts'
import { zerosOf } from '../../../src/profile/zeros.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../../src/tensor/tensor.ts'

/** Values in −1 … 1 that do not repeat. */
function waves(shape: readonly number[]): HostTensor {
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, at) => Math.sin(12.9898 * (at + 1))),
    shape,
  )
}

it('of a network whose layers end with rectifiers', async () => {
  using gpu = await openGpu()
  const g = graph()
  let x = g.input('x', 'f32', [1, 3, 24, 24])
  for (const [from, to] of [
    [3, 16],
    [16, 16],
    [16, 24],
  ] as const) {
    x = g.conv2d(x, waves([to, from, 3, 3]), { padding: 1, activation: 'relu', bias: tensor(new Float32Array(to).fill(-0.2)) })
  }
  g.output('y', g.conv2d(x, waves([4, 24, 1, 1])))
  const inputs = { x: waves([1, 3, 24, 24]) }
  const ratios: number[] = []
  for await (const { x } of layersOf(g.finish(), inputs, 'f32')) {
    const half = tensor(Array.from(x.values, Number), x.shape, 'f16')
    const [words, counts] = await runOp(gpu, runLengthEncode, [half], {})
    const [count] = (await counts?.data()) ?? []
    words?.dispose()
    counts?.dispose()
    const ratio = (64 * Number(count)) / (16 * sizeOf(x.shape))
    expect(ratio).toBe(zerosOf(half).ratio)
    ratios.push(ratio)
  }
  expect(ratios.length).toBe(4)
  // The picture has no zeros, so that its code is larger than it is.
  expect(ratios[0]).toBeCloseTo(4 / 3, 2)
  for (const ratio of ratios.slice(1)) expect(ratio).toBeLessThan(1.1)
  expect(gpu.memory.liveBytes).toBe(0)
})
