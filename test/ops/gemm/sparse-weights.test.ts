/** Weights told to be 2:4 are looked at along their depth, however they lie. Without a GPU. */
import { expect, it } from 'vitest'
import { checkSparseWeights, type WeightOrder } from '../../../src/ops/gemm/sparse-weights.ts'
import { tensor } from '../../../src/tensor/tensor.ts'

/** Depth 4, three lines: line 0 keeps two of four, line `full` three. */
function weights(shape: readonly number[], at: (line: number, k: number) => number, full?: number) {
  const values = new Float32Array(shape.reduce((count, extent) => count * extent, 1))
  const lines = values.length / 4
  for (let line = 0; line < lines; line++) {
    for (const k of line === full ? [0, 2, 3] : [1, 3]) values[at(line, k)] = 1
  }
  return tensor(values, shape)
}

const lines = (line: number, k: number): number => 4 * line + k
const across = (line: number, k: number): number => 3 * k + line

it.each<[WeightOrder, readonly number[], (line: number, k: number) => number, number]>([
  ['lines', [3, 4], lines, 2],
  ['across', [4, 3], across, 2],
  ['across', [1, 4, 3], across, 2],
  ['across', [1, 1, 4, 3], across, 1],
  ['across', [4], lines, 0],
  // A filter's taps: [2 filters, 4 channels, 3 taps].
  ['filters', [2, 4, 3], (line, k) => (Math.floor(line / 3) * 4 + k) * 3 + (line % 3), 4],
])('%s %j: two of four hold, three are named with their line', (order, shape, at, full) => {
  expect(() => checkSparseWeights(weights(shape, at), order)).not.toThrow()
  expect(() => checkSparseWeights(weights(shape, at, full), order)).toThrow(`Row ${full}, group 0 (k 0 to 3): 3 non-zeros`)
})
