/** Kernel choice of globalMaxPool. */
import float from '../../../shaders/pool/float.wgsl?raw'
import maximum from '../../../shaders/pool/maximum.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import type { PlanContext } from '../op.ts'
import { planGlobalPool, type GlobalPoolAttributes } from '../pool/global-pool.ts'

export function plan({ inputs, outputs, attributes }: PlanContext<GlobalPoolAttributes>): OpPlan {
  return planGlobalPool(
    { op: 'globalMaxPool', name: 'global_max_pool/maximum', fold: [float, maximum].join('\n'), start: -Infinity },
    inputs,
    outputs,
    attributes,
  )
}
