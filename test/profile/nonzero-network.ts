/** A small network of integers, all sums exact, with zeros of every kind: what is not zero in it is the same wherever it runs. */
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'

/** Uniform numbers in [0, 1), the same for the same seed (Marsaglia's xorshift). */
export function random(seed: number): () => number {
  let state = (seed * 2654435761) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** Two convolutions with rectifiers, a matrix that two layers share, a constant that stands first, a product of activations. */
export function network(): Graph {
  const g = graph('mixed')
  const next = random(50)
  const weights = (...shape: number[]): HostTensor =>
    tensor(
      Float32Array.from({ length: sizeOf(shape) }, () => Math.floor(next() * 5) - 2),
      shape,
    )
  const x = g.input('x', 'f32', [1, 3, 6, 6])
  const first = g.conv2d(x, weights(4, 3, 3, 3), { name: 'first', activation: 'relu' })
  const second = g.conv2d(first, weights(8, 2, 1, 1), { name: 'second', groups: 2, activation: 'relu' })
  const flat = g.reshape(second, [8, 16])
  const shared = weights(16, 16)
  const one = g.linear(flat, shared, { name: 'one', activation: 'relu' })
  const two = g.linear(one, shared, { name: 'two' })
  const left = g.matmul(weights(5, 8), two, { name: 'left' })
  g.output('y', g.matmul(left, g.transpose(two, { perm: [1, 0] }), { name: 'both' }))
  return g.finish()
}

export function input(seed: number): { x: HostTensor } {
  const next = random(seed)
  return {
    x: tensor(
      Float32Array.from({ length: 108 }, () => Math.floor(next() * 3)),
      [1, 3, 6, 6],
    ),
  }
}
