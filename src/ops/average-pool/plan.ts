/** Kernel choice of averagePool. */
import mean from '../../../shaders/pool/mean.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { planWindowPool } from '../pool/plan-window-pool.ts'
import { poolSizes } from '../pool/window-pool.ts'
import type { AveragePoolAttributes } from './rule.ts'

export function plan({ inputs, outputs, attributes }: PlanContext<AveragePoolAttributes>): OpPlan {
  const x = requireInput('averagePool', inputs, 0, 'X')
  const kernel = {
    ...({ name: 'average_pool/window', fold: mean, start: 0, type: 'f32' } as const),
    includePad: attributes.countIncludePad,
  }
  return planWindowPool(kernel, x, outputs, poolSizes('averagePool', x, attributes))
}
