/** Kernel choice of globalAveragePool. */
import mean from '../../../shaders/pool/mean.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import type { PlanContext } from '../op.ts'
import { planGlobalPool, type GlobalPoolAttributes } from '../pool/global-pool.ts'

export function plan({ inputs, outputs }: PlanContext<GlobalPoolAttributes>): OpPlan {
  return planGlobalPool('globalAveragePool', 'global_average_pool/rows', mean, 0, inputs, outputs)
}
