/** What global average and max pooling share: every plane of X [N, C, …] becomes one value, [N, C, 1, …]. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import rows from '../../../shaders/pool/rows.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank } from '../checks.ts'
import type { InputTypes } from '../op.ts'

export const attributes = z.strictObject({})
export type GlobalPoolAttributes = z.infer<typeof attributes>

const LANES = 64

/** Number of planes, and values in each. */
export function planesOf(x: TensorType): { planes: number; size: number } {
  return { planes: sizeOf(x.shape.slice(0, 2)), size: sizeOf(x.shape.slice(2)) }
}

/** @throws ShapeError for planes without values, DtypeError */
export function inferGlobalPool(op: string, inputs: InputTypes): TensorType[] {
  const x = requireInput(op, inputs, 0, 'X')
  requireDType(op, 'X', x, ['f32', 'f16'])
  requireRank(op, 'X', x, 2, Infinity)
  const { planes, size } = planesOf(x)
  if (size === 0 && planes > 0) throw new ShapeError('The planes have no values', { op, shape: x.shape })
  requireIndexable(op, x)
  return [{ dtype: x.dtype, shape: x.shape.map((extent, axis) => (axis < 2 ? extent : 1)) }]
}

/** @param fold the WGSL that says how two values combine; @param start what folding begins with */
export function planGlobalPool(
  op: string,
  name: string,
  fold: string,
  start: number,
  inputs: InputTypes,
  outputs: readonly TensorType[],
): OpPlan {
  const x = requireInput(op, inputs, 0, 'X')
  const y = requireInput(op, outputs, 0, 'Y')
  const { planes, size } = planesOf(x)
  if (planes === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const bytes = (sizeOf(x.shape) + planes) * deviceByteSize(x.dtype)
  return {
    reason: `default kernel: a workgroup of ${LANES} per plane`,
    dispatches: [
      {
        program: {
          name,
          body: [fold, rows].join('\n'),
          operands: [
            { name: 'x', dtype: x.dtype, access: 'read' },
            { name: 'y', dtype: y.dtype, access: 'write' },
          ],
          params: { row_size: 'u32', start: 'f32' },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [
          { kind: 'input', index: 0 },
          { kind: 'output', index: 0 },
        ],
        params: { row_size: size, start },
        groups: planes,
        cost: { flops: sizeOf(x.shape), bytes },
      },
    ],
    temps: [],
  }
}
