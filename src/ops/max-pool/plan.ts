/** Kernel choice of maxPool. */
import float from '../../../shaders/pool/float.wgsl?raw'
import indices from '../../../shaders/pool/indices.wgsl?raw'
import integer from '../../../shaders/pool/integer.wgsl?raw'
import maxIndices from '../../../shaders/pool/max_indices.wgsl?raw'
import maximum from '../../../shaders/pool/maximum.wgsl?raw'
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
  const order = lowest.type === 'f32' ? float : integer
  const kernel = { name: 'max_pool/window', start: lowest.value, type: lowest.type, includePad: false }
  const sizes = poolSizes('maxPool', x, attributes)
  if (!attributes.indices) return planWindowPool({ ...kernel, fold: [order, maximum].join('\n') }, x, outputs, sizes)
  const own = { body: maxIndices, outputNames: ['y', 'indices'], params: { first_innermost: attributes.storageOrder } }
  return planWindowPool({ ...kernel, name: 'max_pool/indices', fold: [order, indices].join('\n'), own }, x, outputs, sizes)
}
