/** Kernel choice of globalMaxPool. */
import float from '../../../shaders/pool/float.wgsl?raw'
import maximum from '../../../shaders/pool/maximum.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import type { PlanContext } from '../op.ts'
import { planGlobalPool, type GlobalPoolAttributes } from '../pool/global-pool.ts'

export function plan({ inputs, outputs }: PlanContext<GlobalPoolAttributes>): OpPlan {
  return planGlobalPool('globalMaxPool', 'global_max_pool/rows', [float, maximum].join('\n'), -Infinity, inputs, outputs)
}
