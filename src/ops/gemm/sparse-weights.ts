/** Whether weights that an op is told to take as 2:4 hold it, where their values are known before anything runs. */
import { checkTwoOfFour, holdsTwoOfFour } from '../../sparsity/two-of-four.ts'
import { sizeOf, type Shape } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { floatsOf } from '../values.ts'

/** How weights lie: [N, K]; [K, N] behind any extents of 1, or a column [K]; or [M, C, …taps]. */
export type WeightOrder = 'lines' | 'across' | 'filters'

/** Whether they hold it: weights of one tensor are looked at once. */
const looked = new WeakMap<HostTensor, Map<WeightOrder, boolean>>()

/** Whether weights that lie so hold 2:4. */
export function holdsSparseWeights(weights: HostTensor, order: WeightOrder): boolean {
  const known = looked.get(weights)?.get(order)
  if (known !== undefined) return known
  const holds = holdsTwoOfFour(linesOf(weights, order))
  looked.set(weights, (looked.get(weights) ?? new Map<WeightOrder, boolean>()).set(order, holds))
  return holds
}

/**
 * @param weights null where only the device knows them: of those the two of largest magnitude in every four are kept
 * @throws ShapeError naming row and group; of filters a row is a filter's tap, [filters · taps, channels]
 */
export function checkSparseWeights(weights: HostTensor | null, order: WeightOrder): void {
  if (weights === null || holdsSparseWeights(weights, order)) return
  checkTwoOfFour(linesOf(weights, order))
}

/** [K, N] as [N, K], [M, C, taps] as [M · taps, C]. */
function linesOf(weights: HostTensor, order: WeightOrder): HostTensor {
  if (order === 'lines') return weights
  const [outer, depth, inner] = order === 'across' ? acrossOf(weights.shape) : filtersOf(weights.shape)
  const values = floatsOf(weights)
  const lines = new Float32Array(values.length)
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < depth; k++) {
      for (let i = 0; i < inner; i++) lines[(o * inner + i) * depth + k] = values[(o * depth + k) * inner + i] ?? NaN
    }
  }
  return new HostTensor('f32', [outer * inner, depth], lines)
}

type Extents = readonly [outer: number, depth: number, inner: number]

function acrossOf(shape: Shape): Extents {
  return shape.length === 1 ? [1, sizeOf(shape), 1] : [1, shape.at(-2) ?? 0, shape.at(-1) ?? 0]
}

function filtersOf([filters = 0, channels = 0, ...taps]: Shape): Extents {
  return [filters, channels, sizeOf(taps)]
}
