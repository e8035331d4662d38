/** Ops that only rename the shape of a tensor: nothing is dispatched, memory is shared. Any dtype. */
import type { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { aliasPlan } from './linear.ts'
import { exactly, underShape } from './reference.ts'

export interface AliasOp<A> {
  readonly name: string
  readonly attributes: z.ZodType<A>
  readonly hostInputs?: readonly number[]
  /** The new shape of the input of shape `shape`; it must hold as many elements. */
  shapeOf(shape: Shape, context: InferContext<A>): readonly number[]
}

export function aliasOp<A>({ name, attributes, hostInputs = [], shapeOf }: AliasOp<A>): OpDefinition<A> {
  const checkedShape = (shape: Shape, context: InferContext<A>): readonly number[] => {
    const target = shapeOf(shape, context)
    if (sizeOf(target) === sizeOf(shape)) return target
    throw new ShapeError(`${sizeOf(shape)} elements do not fit shape ${formatShape(target)}`, { op: name, shape })
  }
  return {
    name,
    attributes,
    hostInputs,
    infer(context) {
      const x = requireInput(name, context.inputs, 0, 'data')
      return [{ dtype: x.dtype, shape: checkedShape(x.shape, context) }]
    },
    reference(inputs, given) {
      const x = requireInput(name, inputs, 0, 'data')
      return [exactly(underShape(x, checkedShape(x.shape, { inputs, values: inputs, attributes: given })))]
    },
    plan: () => aliasPlan(`${name} moves no element: alias`),
    flops: () => 0,
  }
}
