/** Kernel choice of matmul: the strided product over the broadcast batch. */
import type { OpPlan } from '../../gpu/program.ts'
import { broadcastStrides } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { planProduct } from '../gemm/strided-product.ts'
import type { PlanContext } from '../op.ts'
import { matmulSizes, type MatmulAttributes } from './rule.ts'

export function plan({ inputs, outputs }: PlanContext<MatmulAttributes>): OpPlan {
  const { i, j, k, aBatch, bBatch, batch } = matmulSizes(inputs)
  const aSteps = broadcastStrides(aBatch, batch)
  const bSteps = broadcastStrides(bBatch, batch)
  return planProduct({
    op: 'matmul',
    rows: i,
    columns: j,
    depth: k,
    a: { input: 0, type: requireInput('matmul', inputs, 0, 'A'), row: k, column: 1 },
    b: { input: 1, type: requireInput('matmul', inputs, 1, 'B'), row: j, column: 1 },
    alpha: 1,
    beta: 0,
    batch: batch.map((size, axis) => ({ size, a: (aSteps[axis] ?? 0) * i * k, b: (bSteps[axis] ?? 0) * k * j })),
    output: requireInput('matmul', outputs, 0, 'Y'),
  })
}
