/** Activations: unary ops of f32 and f16 alone. */
import type { z } from 'zod'
import { DtypeError } from '../../errors.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import type { OpDefinition, Tolerance } from '../op.ts'
import { FLOATS } from './dtypes.ts'
import { map } from './reference.ts'
import { unaryOp } from './unary.ts'

export interface FloatOp<A> {
  readonly name: string
  readonly attributes: z.ZodType<A>
  /** Arithmetic operations for each element. */
  readonly flops: number
  /** WGSL that defines `fn apply(x: f32) -> f32`. */
  readonly apply: string
  params?(attributes: A): Readonly<Record<string, number>>
  /** The function itself, in f64. */
  value(x: number, attributes: A): number
  tolerance(x: HostTensor, attributes: A): Tolerance
}

export function floatOp<A>(op: FloatOp<A>): OpDefinition<A> {
  const noIntegers = (): never => {
    throw new DtypeError(`${op.name} takes floats`, { op: op.name, dtype: 'i64' })
  }
  return unaryOp({
    ...op,
    dtypes: FLOATS,
    apply: () => op.apply,
    reference: (x, attributes) => map(x, (value) => op.value(value, attributes), noIntegers, op.tolerance(x, attributes)),
  })
}
