/** Kernel choice of gemm: the strided product reads A, B and C where they lie, transposed or broadcast. */
import type { OpPlan } from '../../gpu/program.ts'
import { broadcastStrides, type Shape } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { gemmSizes, type GemmAttributes } from './rule.ts'
import { planProduct } from './strided-product.ts'

export function plan({ inputs, outputs, attributes }: PlanContext<GemmAttributes>): OpPlan {
  const a = requireInput('gemm', inputs, 0, 'A')
  const b = requireInput('gemm', inputs, 1, 'B')
  const c = inputs[2] ?? null
  const output = requireInput('gemm', outputs, 0, 'Y')
  const { i, j, k } = gemmSizes(a, b, attributes)
  const [row = 0, column = 0] = c === null ? [] : broadcastStrides(c.shape, [i, j])
  return planProduct({
    op: 'gemm',
    rows: i,
    columns: j,
    depth: k,
    a: { input: 0, type: a, ...steps(a.shape, attributes.transA) },
    b: { input: 1, type: b, ...steps(b.shape, attributes.transB) },
    ...(c === null ? {} : { c: { input: 2, type: c, row, column } }),
    alpha: attributes.alpha,
    beta: attributes.beta,
    batch: [],
    output,
  })
}

function steps([, columns = 1]: Shape, transposed: boolean): { row: number; column: number } {
  return transposed ? { row: 1, column: columns } : { row: columns, column: 1 }
}
