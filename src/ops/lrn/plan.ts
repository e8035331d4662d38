/** Kernel choice of lrn. */
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import body from '../../../shaders/norm/lrn.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { channelWalk } from '../layout.ts'
import type { PlanContext } from '../op.ts'
import { windowOf, type LrnAttributes } from './rule.ts'

const LANES = 64

export function plan({ inputs, outputs, attributes }: PlanContext<LrnAttributes>): OpPlan {
  const x = requireInput('lrn', inputs, 0, 'X')
  const y = requireInput('lrn', outputs, 0, 'Y')
  const count = sizeOf(x.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const { before, after } = windowOf(attributes)
  const walk = channelWalk(attributes.layout, x.shape)
  const channels = walk.span * walk.step
  const { size, alpha, beta, bias } = attributes
  return {
    reason: 'default kernel: one value per invocation',
    dispatches: [
      {
        program: {
          name: 'lrn/window',
          body: [quotient, body].join('\n'),
          operands: [
            { name: 'x', dtype: x.dtype, access: 'read' },
            { name: 'y', dtype: y.dtype, access: 'write' },
          ],
          params: {
            count: 'u32',
            span: 'u32',
            step: 'u32',
            inner: 'u32',
            inner_inverse: 'f32',
            span_inverse: 'f32',
            before: 'u32',
            after: 'u32',
            scale: 'f32',
            beta: 'f32',
            bias: 'f32',
          },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [
          { kind: 'input', index: 0 },
          { kind: 'output', index: 0 },
        ],
        params: {
          count,
          ...walk,
          inner_inverse: 1 / walk.inner,
          span_inverse: 1 / walk.span,
          before: Math.min(before, channels),
          after: Math.min(after, channels),
          scale: Math.fround(alpha) / size,
          beta,
          bias,
        },
        groups: Math.ceil(count / LANES),
        // A power and a division weigh more than the additions that `flops` counts.
        cost: { flops: count * (2 * size + 40), bytes: 2 * count * deviceByteSize(x.dtype) },
      },
    ],
    temps: [],
  }
}
