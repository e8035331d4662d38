/** Kernel choice of matmul: the product over the broadcast batch. */
import type { OpPlan } from '../../gpu/program.ts'
import { broadcastStrides } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { epilogueOf } from '../gemm/fused.ts'
import { planFused } from '../gemm/packed.ts'
import type { Product } from '../gemm/product.ts'
import type { PlanContext } from '../op.ts'
import { matmulSizes, type MatmulAttributes } from './rule.ts'

export function plan(context: PlanContext<MatmulAttributes>): OpPlan {
  return planFused(productOf(context), context)
}

/** The product that a matmul is. */
export function productOf({ inputs, outputs, attributes }: Omit<PlanContext<MatmulAttributes>, 'device'>): Product {
  const { i, j, k, aBatch, bBatch, batch } = matmulSizes(inputs)
  const aSteps = broadcastStrides(aBatch, batch)
  const bSteps = broadcastStrides(bBatch, batch)
  return {
    op: 'matmul',
    rows: i,
    columns: j,
    depth: k,
    a: { input: 0, type: requireInput('matmul', inputs, 0, 'A'), line: k, depth: 1 },
    b: { input: 1, type: requireInput('matmul', inputs, 1, 'B'), line: 1, depth: j },
    batch: batch.map((size, axis) => ({ size, a: (aSteps[axis] ?? 0) * i * k, b: (bSteps[axis] ?? 0) * k * j })),
    epilogue: epilogueOf(inputs, [i, j], attributes),
    accumulate: attributes.accumulate,
    output: requireInput('matmul', outputs, 0, 'Y'),
  }
}
