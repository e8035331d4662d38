/** Kernel choice of batchNorm. */
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import body from '../../../shaders/norm/batch-norm.wgsl?raw'
import type { OpPlan, OperandSpec } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { channelWalk } from '../layout.ts'
import type { PlanContext } from '../op.ts'
import { STATISTICS, type BatchNormAttributes } from './rule.ts'

const LANES = 64

export function plan({ inputs, outputs, attributes }: PlanContext<BatchNormAttributes>): OpPlan {
  const x = requireInput('batchNorm', inputs, 0, 'X')
  const y = requireInput('batchNorm', outputs, 0, 'Y')
  const count = sizeOf(x.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const walk = channelWalk(attributes.layout, x.shape)
  const scale = requireInput('batchNorm', inputs, 1, 'scale')
  const reads = ['x', ...STATISTICS].map((name, index): OperandSpec => {
    return { name, dtype: requireInput('batchNorm', inputs, index, name).dtype, access: 'read' }
  })
  return {
    reason: 'default kernel: one value per invocation',
    dispatches: [
      {
        program: {
          name: 'batch_norm/inference',
          body: [quotient, body].join('\n'),
          operands: [...reads, { name: 'y', dtype: y.dtype, access: 'write' }],
          params: {
            ...{ count: 'u32', inner: 'u32', span: 'u32', step: 'u32', last_channel: 'u32' },
            ...{ inner_inverse: 'f32', span_inverse: 'f32', epsilon: 'f32' },
          },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [...reads.map((_, index) => ({ kind: 'input', index }) as const), { kind: 'output', index: 0 }],
        params: {
          ...{ count, ...walk, last_channel: sizeOf(scale.shape) - 1 },
          ...{ inner_inverse: 1 / walk.inner, span_inverse: 1 / walk.span, epsilon: attributes.epsilon },
        },
        groups: Math.ceil(count / LANES),
        // A root and a division weigh more than the operations that `flops` counts.
        cost: { flops: 20 * count, bytes: 2 * count * deviceByteSize(x.dtype) },
      },
    ],
    temps: [],
  }
}
