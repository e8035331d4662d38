/** Kernel choice of linear: the strided product of x and the transpose of w, read where it lies. */
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import { planProduct } from '../gemm/strided-product.ts'
import type { PlanContext } from '../op.ts'
import { linearSizes, type LinearAttributes } from './rule.ts'

export function plan({ inputs, outputs }: PlanContext<LinearAttributes>): OpPlan {
  const { n, m, k } = linearSizes(inputs)
  const bias = inputs[2] ?? null
  return planProduct({
    op: 'linear',
    rows: n,
    columns: m,
    depth: k,
    a: { input: 0, type: requireInput('linear', inputs, 0, 'x'), row: k, column: 1 },
    b: { input: 1, type: requireInput('linear', inputs, 1, 'w'), row: 1, column: k },
    ...(bias === null ? {} : { c: { input: 2, type: bias, row: 0, column: 1 } }),
    alpha: 1,
    beta: 1,
    batch: [],
    output: requireInput('linear', outputs, 0, 'y'),
  })
}
