/**
 * Batch normalisation on the CPU in f64.
 * Bound: the root, the division, and γ for the other operations; the root halves its argument's error.
 */
import { requireInput } from '../checks.ts'
import { compounded, DIVISION, SQUARE_ROOT } from '../elementary-accuracy.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { channelsOf, STATISTICS, type BatchNormAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: BatchNormAttributes): ReferenceOutput[] {
  return referenceIn(attributes.layout, inputs, (plain) => inNchw(plain, attributes))
}

function inNchw(inputs: InputValues, attributes: BatchNormAttributes): ReferenceOutput[] {
  const x = requireInput('batchNorm', inputs, 0, 'X')
  const [scale, bias, mean, variance] = STATISTICS.map((name, index) =>
    floatsOf(requireInput('batchNorm', inputs, index + 1, name)),
  )
  const { channels, inner } = channelsOf(inputs)
  const epsilon = Math.fround(attributes.epsilon)
  const values = floatsOf(x)
  const exact = new Float64Array(values.length)
  const bound = new Float64Array(values.length)
  // Difference, product and sum, half of the sum under the root, one rounding to spare; the bias takes part in the last sum.
  const relative = compounded(SQUARE_ROOT + DIVISION + gamma(5))
  for (let at = 0; at < values.length; at++) {
    const c = Math.floor(at / inner) % channels
    const scaled = ((values[at]! - mean![c]!) * scale![c]!) / Math.sqrt(variance![c]! + epsilon)
    exact[at] = scaled + bias![c]!
    bound[at] = relative * Math.abs(scaled) + gamma(1) * Math.abs(bias![c]!)
  }
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', x.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}
