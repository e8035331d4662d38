/** Ops whose result is a strided view of their input, made row-major by a copy. Any dtype. */
import type { z } from 'zod'
import type { HostTensor } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import type { InferContext, OpDefinition } from '../op.ts'
import { viewPlan, type View } from './copy.ts'
import { byCoordinates, exactly, type Source } from './reference.ts'

export interface ViewOp<A> {
  readonly name: string
  readonly attributes: z.ZodType<A>
  readonly hostInputs?: readonly number[]
  /** The view of input 0 for the shape rule and the kernel. @throws ShapeError, DtypeError. */
  viewOf(context: InferContext<A>): View
  /** Independent of the view: which input coordinate an output coordinate holds. */
  sourceOf(x: HostTensor, context: InferContext<A>): Source
}

export function viewOp<A>({ name, attributes, hostInputs = [], viewOf, sourceOf }: ViewOp<A>): OpDefinition<A> {
  return {
    name,
    attributes,
    hostInputs,
    infer(context) {
      const { dtype } = requireInput(name, context.inputs, 0, 'data')
      return [{ dtype, shape: viewOf(context).extents }]
    },
    reference(inputs, given) {
      const x = requireInput(name, inputs, 0, 'data')
      const context = { inputs, values: inputs, attributes: given }
      return [exactly(byCoordinates(x, viewOf(context).extents, sourceOf(x, context)))]
    },
    plan(context) {
      const x = requireInput(name, context.inputs, 0, 'data')
      return viewPlan(name, name, x, context.outputs[0] ?? x, viewOf(context))
    },
    flops: () => 0,
  }
}
