/** Kernel choice of maxPool. */
import float from '../../../shaders/pool/float.wgsl?raw'
import indices from '../../../shaders/pool/indices.wgsl?raw'
import integer from '../../../shaders/pool/integer.wgsl?raw'
import max from '../../../shaders/pool/max.wgsl?raw'
import noIndices from '../../../shaders/pool/no-indices.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import type { DType } from '../../tensor/dtype.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { planWindowPool } from '../pool/plan-window-pool.ts'
import { poolSizes } from '../pool/window-pool.ts'
import type { MaxPoolAttributes } from './rule.ts'

/** What no value lies below, and the type of the param that says so. */
const LOWEST: Partial<Record<DType, { value: number; type: 'f32' | 'i32' | 'u32' }>> = {
  i8: { value: -128, type: 'i32' },
  u8: { value: 0, type: 'u32' },
}

export function plan({ inputs, outputs, attributes }: PlanContext<MaxPoolAttributes>): OpPlan {
  const x = requireInput('maxPool', inputs, 0, 'X')
  const lowest = LOWEST[x.dtype] ?? { value: -Infinity, type: 'f32' }
  const kernel = {
    name: 'max_pool/window',
    body: [lowest.type === 'f32' ? float : integer, attributes.indices ? indices : noIndices, max].join('\n'),
    outputNames: ['y', 'indices'],
    params: { lowest: lowest.value, ...(attributes.indices ? { first_innermost: attributes.storageOrder } : {}) },
    types: { lowest: lowest.type },
    withAfter: false,
  }
  return planWindowPool(kernel, x, outputs, poolSizes('maxPool', x, attributes))
}
