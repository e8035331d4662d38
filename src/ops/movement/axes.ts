/** The axes of squeeze and unsqueeze: input 1 (opset 13 on) or an attribute (before). */
import { z } from 'zod'
import { OptionError } from '../../errors.ts'
import type { InferContext } from '../op.ts'
import { integersAt } from './integers.ts'

export const axesAttributes = z.strictObject({ axes: z.array(z.number().int()).optional() })
export type AxesAttributes = z.infer<typeof axesAttributes>

/** The axes as given, undefined where neither tells. @throws OptionError when both do. */
export function givenAxes(op: string, { inputs, values, attributes }: InferContext<AxesAttributes>): number[] | undefined {
  const input = integersAt(op, 'axes', inputs, values, 1)
  if (input !== undefined && attributes.axes !== undefined)
    throw new OptionError('axes is given as an input and as an attribute', { op })
  return input ?? attributes.axes
}
