/** Clipping on the host; a NaN of the input or of a bound in use stays NaN. */
import type { HostTensor } from '../../tensor/tensor.ts'
import { map } from '../elementwise/reference.ts'
import { EXACT } from '../elementwise/tolerance.ts'
import type { ReferenceOutput } from '../op.ts'
import type { Bound } from './rule.ts'

export function clipReference(x: HostTensor, low: Bound, high: Bound): ReferenceOutput {
  const [least, most] = [Number(low ?? -Infinity), Number(high ?? Infinity)]
  const wide = (value: bigint): bigint => {
    const raised = low !== undefined && value < low ? low : value
    return BigInt(high !== undefined && raised > high ? high : raised)
  }
  return map(x, (value) => Math.min(Math.max(value, least), most), wide, EXACT)
}
