/** Kernel choice of globalAveragePool. */
import mean from '../../../shaders/pool/mean.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import type { PlanContext } from '../op.ts'
import { planGlobalPool, type GlobalPoolAttributes } from '../pool/global-pool.ts'

export function plan({ inputs, outputs, attributes }: PlanContext<GlobalPoolAttributes>): OpPlan {
  return planGlobalPool(
    { op: 'globalAveragePool', name: 'global_average_pool/mean', fold: mean, start: 0 },
    inputs,
    outputs,
    attributes,
  )
}
