/** Algorithm choice of conv2d: see choose.ts. */
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { planConvolution } from './choose.ts'
import { convolutionOf, type ConvAttributes } from './rule.ts'

export function plan({ inputs, outputs, attributes, device }: PlanContext<ConvAttributes>): OpPlan {
  const output = requireInput('conv2d', outputs, 0, 'Y')
  return planConvolution(convolutionOf(inputs, attributes, output), device, attributes.algorithm)
}
