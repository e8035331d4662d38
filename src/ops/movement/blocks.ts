/** Depth-to-space and back: a walk over six axes, of which the kernel sees those that cannot be merged. */
import type { z } from 'zod'
import type { Shape } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { viewPlan } from './copy.ts'
import { byCoordinates, exactly, type Source } from './reference.ts'

export interface BlockViewOp<A> {
  readonly name: string
  readonly attributes: z.ZodType<A>
  /** @throws ShapeError. */
  shapeOf(context: InferContext<A>): number[]
  /** The axes after the batch, in the order of the result, and the stride of each (and of the batch) in the input. */
  nestOf(from: Shape, to: Shape, attributes: A): { extents: number[]; strides: number[]; batch: number }
  /** Independent of the nest, for the reference. */
  sourceOf(from: Shape, to: Shape, attributes: A): Source
}

export function blockViewOp<A>({ name, attributes, shapeOf, nestOf, sourceOf }: BlockViewOp<A>): OpDefinition<A> {
  return {
    name,
    attributes,
    hostInputs: [],
    infer(context) {
      return [{ dtype: requireInput(name, context.inputs, 0, 'input').dtype, shape: shapeOf(context) }]
    },
    reference(inputs, given) {
      const x = requireInput(name, inputs, 0, 'input')
      const shape = shapeOf({ inputs, values: inputs, attributes: given })
      return [exactly(byCoordinates(x, shape, sourceOf(x.shape, shape, given)))]
    },
    plan({ inputs, outputs, attributes: given }) {
      const x = requireInput(name, inputs, 0, 'input')
      const y = outputs[0] ?? x
      const { extents, strides, batch } = nestOf(x.shape, y.shape, given)
      return viewPlan(name, name, x, y, { extents: [x.shape[0] ?? 0, ...extents], strides: [batch, ...strides] })
    },
    flops: () => 0,
  }
}
