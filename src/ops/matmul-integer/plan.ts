/** Kernel choice of matmulInteger: the product of bytes, with its sums stored or scaled. */
import type { OpPlan } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { planInteger } from '../gemm/kernels/packed-dot.ts'
import type { SideValue } from '../gemm/kernels/packed-sides.ts'
import type { PlanContext } from '../op.ts'
import { shapeOf, type MatmulIntegerAttributes } from './rule.ts'
import type { Walk } from './sizes.ts'

/** A side value of an input that may be absent. */
export function sideValue(inputs: readonly (TensorType | null)[], input: number, walk: Walk | null): SideValue | null {
  const type = inputs[input] ?? null
  return type === null || walk === null ? null : { input, type, ...walk }
}

export function plan({ inputs, attributes, device }: PlanContext<MatmulIntegerAttributes>): OpPlan {
  const { sizes, output, ...walks } = shapeOf(inputs, attributes)
  const residual = inputs[7] ?? null
  return planInteger(
    {
      op: 'matmulInteger',
      sizes,
      transB: attributes.transB,
      a: { input: 0, type: requireInput('matmulInteger', inputs, 0, 'A') },
      b: { input: 1, type: requireInput('matmulInteger', inputs, 1, 'B') },
      aZero: sideValue(inputs, 2, walks.aZero),
      bZero: sideValue(inputs, 3, walks.bZero),
      finish:
        output.dtype === 'i32'
          ? { kind: 'sum' }
          : {
              kind: 'float',
              aScale: sideValue(inputs, 4, walks.aScale),
              bScale: sideValue(inputs, 5, walks.bScale),
              bias: sideValue(inputs, 6, walks.bias),
              residual: residual === null ? null : { input: 7, type: residual },
              activation: attributes.activation,
            },
      output,
    },
    device,
    attributes.kernel,
  )
}
