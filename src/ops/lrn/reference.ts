/**
 * Local response normalisation on the CPU in f64.
 * Bound: the errors of the sum, the power and the division, see elementary-accuracy.ts.
 */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { compounded, DIVISION, power } from '../elementary-accuracy.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import { windowOf, type LrnAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: LrnAttributes): ReferenceOutput[] {
  return referenceIn(attributes.layout, inputs, (plain) => inNchw(plain, attributes))
}

function inNchw(inputs: InputValues, attributes: LrnAttributes): ReferenceOutput[] {
  const x = requireInput('lrn', inputs, 0, 'X')
  const [, channels = 1, ...rest] = x.shape
  const inner = sizeOf(rest)
  const { before, after } = windowOf(attributes)
  const [alpha, beta, bias] = [Math.fround(attributes.alpha), Math.fround(attributes.beta), Math.fround(attributes.bias)]
  const values = floatsOf(x)
  const exact = new Float64Array(values.length)
  const bound = new Float64Array(values.length)
  for (let at = 0; at < values.length; at++) {
    const channel = Math.floor(at / inner) % channels
    let squares = 0
    for (let c = Math.max(0, channel - before); c <= Math.min(channels - 1, channel + after); c++) {
      squares += values[at + (c - channel) * inner]! ** 2
    }
    const addend = (alpha / attributes.size) * squares
    const base = bias + addend
    exact[at] = values[at]! / base ** beta
    // Where bias and addend cancel, the base is relatively less exact than its parts.
    const baseError = (gamma(attributes.size + 4) * (Math.abs(bias) + Math.abs(addend))) / Math.abs(base)
    bound[at] = Math.abs(exact[at]!) * compounded(Math.abs(beta) * compounded(baseError) + power(base, beta) + DIVISION)
  }
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', x.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}
