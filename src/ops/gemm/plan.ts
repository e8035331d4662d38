/** Kernel choice of gemm: a product that reads A, B and C where they lie, transposed or broadcast. */
import type { OpPlan } from '../../gpu/program.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { epilogueOf } from './fused.ts'
import { planFused } from './packed.ts'
import type { Product } from './product.ts'
import { gemmSizes, type GemmAttributes } from './rule.ts'

export function plan(context: PlanContext<GemmAttributes>): OpPlan {
  return planFused(productOf(context), context)
}

/** The product that a gemm is. */
export function productOf({ inputs, outputs, attributes }: Omit<PlanContext<GemmAttributes>, 'device'>): Product {
  const a = requireInput('gemm', inputs, 0, 'A')
  const b = requireInput('gemm', inputs, 1, 'B')
  const output = requireInput('gemm', outputs, 0, 'Y')
  const { i, j, k } = gemmSizes(a, b, attributes)
  const { transA, transB, alpha, beta, accumulate } = attributes
  return {
    op: 'gemm',
    rows: i,
    columns: j,
    depth: k,
    a: { input: 0, type: a, ...(transA ? { line: 1, depth: i } : { line: k, depth: 1 }) },
    b: { input: 1, type: b, ...(transB ? { line: k, depth: 1 } : { line: 1, depth: j }) },
    batch: [],
    epilogue: epilogueOf(inputs, [i, j], attributes, alpha, beta),
    accumulate,
    output,
  }
}
