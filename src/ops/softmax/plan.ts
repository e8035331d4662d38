/** Kernel choice of softmax: short rows are done by an invocation each, long ones by a workgroup each. */
import lanes from '../../../shaders/norm/softmax-lanes.wgsl?raw'
import serial from '../../../shaders/norm/softmax-serial.wgsl?raw'
import type { OpPlan, ParamType } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import { softmaxRows, type SoftmaxAttributes } from './rule.ts'

const LANES = 64
/** Up to here a row leaves half of a workgroup idle. */
const SHORT_ROW = LANES / 2

export function plan({ inputs, outputs, attributes }: PlanContext<SoftmaxAttributes>): OpPlan {
  const x = requireInput('softmax', inputs, 0, 'X')
  const y = requireInput('softmax', outputs, 0, 'Y')
  const { rows, size, inner } = softmaxRows(x, attributes)
  const count = sizeOf(x.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const short = size <= SHORT_ROW
  const params = { size, inner, ...(short ? { rows } : {}) }
  return {
    reason: short ? `default kernel: rows of ${size}, one per invocation` : `default kernel: rows of ${size}, one per workgroup`,
    dispatches: [
      {
        program: {
          name: short ? 'softmax/serial' : 'softmax/lanes',
          body: short ? serial : lanes,
          operands: [
            { name: 'x', dtype: x.dtype, access: 'read' },
            { name: 'y', dtype: y.dtype, access: 'write' },
          ],
          params: Object.fromEntries(Object.keys(params).map((name): [string, ParamType] => [name, 'u32'])),
          workgroupSize: [LANES, 1, 1],
        },
        bind: [
          { kind: 'input', index: 0 },
          { kind: 'output', index: 0 },
        ],
        params,
        groups: short ? Math.ceil(rows / LANES) : rows,
        // Two exponentials weigh more than the operations that `flops` counts.
        cost: { flops: 40 * count, bytes: 4 * count * deviceByteSize(x.dtype) },
      },
    ],
    temps: [],
  }
}
