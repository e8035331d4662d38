/** Algorithm choice of conv2d: see choose.ts. */
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { choiceOf, planConvolution } from './choose.ts'
import { convolutionOf, type ConvAttributes } from './rule.ts'

export function plan({ inputs, outputs, attributes, device }: PlanContext<ConvAttributes>): OpPlan {
  const output = requireInput('conv2d', outputs, 0, 'Y')
  return planConvolution(convolutionOf(inputs, attributes, output), device, attributes.algorithm)
}

/** The configuration that `plan` chooses as the forced one. @throws OptionError where a forced algorithm is not legal */
export function settled({ inputs, outputs, attributes, device }: PlanContext<ConvAttributes>): ConvAttributes {
  const output = requireInput('conv2d', outputs, 0, 'Y')
  const { config } = choiceOf(convolutionOf(inputs, attributes, output), device, attributes.algorithm)
  return { ...attributes, algorithm: { ...config } }
}
