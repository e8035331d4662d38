/** Kernel choice of linear: the product of x and the transpose of w, read where it lies. */
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import { epilogueOf } from '../gemm/fused.ts'
import { planFused } from '../gemm/packed.ts'
import type { Product } from '../gemm/product.ts'
import type { PlanContext } from '../op.ts'
import { linearSizes, type LinearAttributes } from './rule.ts'

export function plan(context: PlanContext<LinearAttributes>): OpPlan {
  return planFused(productOf(context), context)
}

/** The product that a fully connected layer is. */
export function productOf({ inputs, outputs, attributes }: Omit<PlanContext<LinearAttributes>, 'device'>): Product {
  const { n, m, k } = linearSizes(inputs)
  return {
    op: 'linear',
    rows: n,
    columns: m,
    depth: k,
    a: { input: 0, type: requireInput('linear', inputs, 0, 'x'), line: k, depth: 1 },
    b: { input: 1, type: requireInput('linear', inputs, 1, 'w'), line: k, depth: 1 },
    batch: [],
    epilogue: epilogueOf(inputs, [n, m], attributes),
    accumulate: attributes.accumulate,
    output: requireInput('linear', outputs, 0, 'y'),
  }
}
