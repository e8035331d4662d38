/**
 * Algorithm choice of convTranspose2d: forced by the caller, or by rule.
 *
 *     groups of at most 4 filters, or quads that groups share     direct     a tile of filters would be mostly empty
 *     else                                                        phases     products of stride-1 windows, no zero between values
 */
import { z } from 'zod'
import { OptionError } from '../../errors.ts'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { directSchema, planDirect } from './algorithms/direct.ts'
import { phasesRefusal, phasesSchema, planPhases } from './algorithms/phases.ts'
import { transposedOf, type ConvTransposeAttributes } from './rule.ts'
import type { Transposed } from './transposed.ts'

const ALGORITHMS = z.discriminatedUnion('algorithm', [directSchema, phasesSchema])
type TransposedConfig = z.infer<typeof ALGORITHMS>

/** Up to as many filters per group, a tile of a matrix product would be mostly empty. */
const FEW_FILTERS = 4

export function plan({ inputs, outputs, attributes, device }: PlanContext<ConvTransposeAttributes>): OpPlan {
  const conv = transposedOf(inputs, attributes, requireInput('convTranspose2d', outputs, 0, 'Y'))
  const { algorithm } = attributes
  const config = algorithm === undefined ? byRule(conv) : forced(conv, algorithm)
  if (sizeOf(conv.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const made = planned(conv, config, device)
  return { ...made, reason: `${algorithm === undefined ? 'by rule' : 'forced'}: ${made.reason}` }
}

function planned(conv: Transposed, config: TransposedConfig, device: DeviceFacts): OpPlan {
  return config.algorithm === 'direct' ? planDirect(conv) : planPhases(conv, config, device)
}

function byRule(conv: Transposed): TransposedConfig {
  const few = conv.groups > 1 && conv.filters <= FEW_FILTERS
  return { algorithm: few || phasesRefusal(conv) !== undefined ? 'direct' : 'phases' }
}

/** @throws OptionError when it is no configuration, or cannot run this convolution */
function forced(conv: Transposed, given: string | { readonly algorithm: string }): TransposedConfig {
  const parsed = ALGORITHMS.safeParse(typeof given === 'string' ? { algorithm: given } : given)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    throw new OptionError(`This is no algorithm of transposed convolution: ${faults.join('; ')}`, {
      op: conv.op,
      remedy: 'Algorithms: direct, phases',
    })
  }
  const refusal = parsed.data.algorithm === 'phases' ? phasesRefusal(conv) : undefined
  if (refusal === undefined) return parsed.data
  throw new OptionError(`Algorithm ${parsed.data.algorithm} cannot run this convolution: ${refusal}`, {
    op: conv.op,
    dtype: conv.x.dtype,
    shape: conv.x.shape,
    remedy: 'Choose another algorithm, or none',
  })
}
