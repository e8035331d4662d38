/** Kernel choice of batchNorm. */
import body from '../../../shaders/norm/batch-norm.wgsl?raw'
import type { OpPlan, OperandSpec } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { channelsOf, STATISTICS, type BatchNormAttributes } from './rule.ts'

const LANES = 64

export function plan({ inputs, outputs, attributes }: PlanContext<BatchNormAttributes>): OpPlan {
  const x = requireInput('batchNorm', inputs, 0, 'X')
  const y = requireInput('batchNorm', outputs, 0, 'Y')
  const count = sizeOf(x.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const reads = ['x', ...STATISTICS].map((name, index): OperandSpec => {
    return { name, dtype: requireInput('batchNorm', inputs, index, name).dtype, access: 'read' }
  })
  return {
    reason: 'default kernel: one value per invocation',
    dispatches: [
      {
        program: {
          name: 'batch_norm/inference',
          body,
          operands: [...reads, { name: 'y', dtype: y.dtype, access: 'write' }],
          params: { count: 'u32', channels: 'u32', inner: 'u32', epsilon: 'f32' },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [...reads.map((_, index) => ({ kind: 'input', index }) as const), { kind: 'output', index: 0 }],
        params: { count, ...channelsOf(inputs), epsilon: attributes.epsilon },
        groups: Math.ceil(count / LANES),
        // A root and a division weigh more than the operations that `flops` counts.
        cost: { flops: 20 * count, bytes: 2 * count * deviceByteSize(x.dtype) },
      },
    ],
    temps: [],
  }
}
