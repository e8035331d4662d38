/**
 * Softmax on the CPU in f64, y = e^(x−m) / Σ e^(x−m) with m the maximum of the row.
 * Bound: each exponential is off by its own error (elementary-accuracy.ts) and by the rounding u·|x−m| of its argument; the sum by
 * the mean of those and γ for its additions; then the division. A device may take exponentials below 2⁻¹²⁶ as 0.
 */
import { requireInput } from '../checks.ts'
import { compounded, DIVISION, exponential } from '../elementary-accuracy.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { F32_ROUNDOFF, gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { softmaxRows, type SoftmaxAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: SoftmaxAttributes): ReferenceOutput[] {
  const x = requireInput('softmax', inputs, 0, 'X')
  const { rows, size, inner } = softmaxRows(x, attributes)
  const values = floatsOf(x)
  const exact = new Float64Array(values.length)
  const bound = new Float64Array(values.length)
  const own = new Float64Array(size)
  for (let row = 0; row < rows; row++) {
    const start = Math.floor(row / inner) * size * inner + (row % inner)
    let greatest = -Infinity
    for (let i = 0; i < size; i++) greatest = Math.max(greatest, values[start + i * inner]!)
    let sum = 0
    for (let i = 0; i < size; i++) sum += Math.exp(values[start + i * inner]! - greatest)
    let mean = 0
    for (let i = 0; i < size; i++) {
      const distance = values[start + i * inner]! - greatest
      const share = Math.exp(distance) / sum
      exact[start + i * inner] = share
      own[i] = share === 0 ? 0 : exponential(distance) + F32_ROUNDOFF * Math.abs(distance)
      mean += share * own[i]!
    }
    for (let i = 0; i < size; i++) {
      const share = exact[start + i * inner]!
      bound[start + i * inner] = share * compounded(own[i]! + mean + gamma(size) + DIVISION) + 2 ** -126
    }
  }
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', x.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}
