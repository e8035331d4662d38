/** Sums of convolutions of bytes on the CPU, exact: differences to the zero points are whole numbers of at most 8 bits and a sign. */
import type { HostTensor } from '../../tensor/tensor.ts'
import { convolved } from '../conv2d/reference.ts'
import type { ConvSizes } from '../conv2d/rule.ts'
import { numbersOf } from '../values.ts'

/** Σ (x − zero)(w − zero of the filter) as f64, [N, M, …], not yet wrapped to 32 bits; padding adds nothing. */
export function integerConvSums(
  x: HostTensor,
  w: HostTensor,
  xZero: HostTensor | null,
  wZero: HostTensor | null,
  sizes: ConvSizes,
): Float64Array {
  const zero = xZero === null ? 0 : (numbersOf(xZero)[0] ?? 0)
  const zeros = wZero === null ? [0] : numbersOf(wZero)
  const all = sizes.groups * sizes.filters
  const own = all === 0 ? 0 : w.values.length / all
  const values = Float32Array.from(numbersOf(x), (value) => value - zero)
  const weights = Float32Array.from(
    numbersOf(w),
    (value, at) => value - (zeros[zeros.length === 1 ? 0 : Math.floor(at / own)] ?? 0),
  )
  return convolved(values, weights, sizes).sum
}
