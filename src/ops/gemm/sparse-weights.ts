/** Whether weights that an op is told to take as 2:4 hold it, where their values are known before anything runs. */
import { checkTwoOfFour } from '../../sparsity/two-of-four.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { floatsOf } from '../values.ts'

/** How weights lie: [N, K], [K, N], or [M, C, …taps]. */
export type WeightOrder = 'lines' | 'across' | 'filters'

/** Those that hold it: weights of one tensor are looked at once. */
const held = new WeakMap<HostTensor, Set<WeightOrder>>()

/**
 * @param weights null where only the device knows them: of those the two of largest magnitude in every four are kept
 * @throws ShapeError naming row and group; of filters a row is a filter's tap, [filters · taps, channels]
 */
export function checkSparseWeights(weights: HostTensor | null, order: WeightOrder): void {
  if (weights === null || held.get(weights)?.has(order) === true) return
  checkTwoOfFour(order === 'lines' ? weights : turned(weights, order))
  held.set(weights, (held.get(weights) ?? new Set<WeightOrder>()).add(order))
}

/** [K, N] as [N, K], [M, C, taps] as [M · taps, C]. */
function turned(weights: HostTensor, order: WeightOrder): HostTensor {
  const [first = 0, second = 0, ...rest] = weights.shape
  const [outer, depth, inner] = order === 'across' ? [1, first, second] : [first, second, sizeOf(rest)]
  const values = floatsOf(weights)
  const lines = new Float32Array(values.length)
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < depth; k++) {
      for (let i = 0; i < inner; i++) lines[(o * inner + i) * depth + k] = values[(o * depth + k) * inner + i] ?? NaN
    }
  }
  return new HostTensor('f32', [outer * inner, depth], lines)
}
