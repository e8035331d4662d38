/** What global average and max pooling share: every channel of X [N, C, …] (or another layout) becomes one value, [N, C, 1, …]. */
import { z } from 'zod'
import { ShapeError } from '../../errors.ts'
import globalBody from '../../../shaders/pool/global.wgsl?raw'
import type { OpPlan, OperandSpec } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { formatShape, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank } from '../checks.ts'
import { dimensionsOf, layoutField, layoutShape } from '../layout.ts'
import type { InputTypes } from '../op.ts'
import { innerOf, inQuads, laneTypes } from './plan-window-pool.ts'

export const attributes = z.strictObject({ layout: layoutField })
export type GlobalPoolAttributes = z.infer<typeof attributes>

const LANES = 64
/** Neighbouring channels (or quads of them) that a workgroup takes where they lie side by side. */
const ACROSS = 8

/** Planes of X in nchw, and values in each. */
export function planesOf(x: TensorType): { planes: number; size: number } {
  return { planes: sizeOf(x.shape.slice(0, 2)), size: sizeOf(x.shape.slice(2)) }
}

/** @throws ShapeError for planes without values, DtypeError */
export function inferGlobalPool(op: string, inputs: InputTypes, { layout }: GlobalPoolAttributes): TensorType[] {
  const x = requireInput(op, inputs, 0, 'X')
  requireDType(op, 'X', x, ['f32', 'f16'])
  requireRank(op, 'X', x, { nchw: 2, nhwc: 2, nchw4: 3 }[layout], Infinity)
  if (layout === 'nchw4' && x.shape.at(-1) !== 4) {
    throw new ShapeError(`X ${formatShape(x.shape)} is no feature map in ${layout}`, { op, shape: x.shape })
  }
  const { batch, channels, extents } = dimensionsOf(x.shape, layout)
  if (extents.includes(0) && batch * channels > 0) throw new ShapeError('The planes have no values', { op, shape: x.shape })
  requireIndexable(op, x)
  return [
    {
      dtype: x.dtype,
      shape: layoutShape(
        layout,
        batch,
        channels,
        extents.map(() => 1),
      ),
    },
  ]
}

export interface GlobalPool {
  readonly op: string
  /** Of the program. */
  readonly name: string
  /** The WGSL that says how two values combine. */
  readonly fold: string
  /** What folding begins with. */
  readonly start: number
}

export function planGlobalPool(
  { op, name, fold, start }: GlobalPool,
  inputs: InputTypes,
  outputs: readonly TensorType[],
  { layout }: GlobalPoolAttributes,
): OpPlan {
  const x = requireInput(op, inputs, 0, 'X')
  const y = requireInput(op, outputs, 0, 'Y')
  const { batch, channels, extents } = dimensionsOf(x.shape, layout)
  if (sizeOf(y.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const quads = inQuads({ layout, channels }, x)
  const width = quads ? 4 : 1
  const inner = innerOf({ layout, channels }, width)
  const across = inner === 1 ? 1 : ACROSS
  const blocks = Math.ceil(inner / across)
  const operand = (operandName: string, access: 'read' | 'write'): OperandSpec => {
    return { name: operandName, dtype: x.dtype, access, ...(quads ? { width } : {}) }
  }
  const bytes = (sizeOf(x.shape) + sizeOf(y.shape)) * deviceByteSize(x.dtype)
  const outer = (batch * channels) / (inner * width)
  return {
    reason: `global pool in ${layout}: a workgroup of ${LANES} for ${across * width === 1 ? 'a plane' : `${across * width} channels`}`,
    dispatches: [
      {
        program: {
          name,
          body: [laneTypes(quads), fold, globalBody].join('\n'),
          operands: [operand('x', 'read'), operand('y', 'write')],
          params: { size: 'u32', inner: 'u32', blocks: 'u32', start: 'f32' },
          constants: { ACROSS: across },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [
          { kind: 'input', index: 0 },
          { kind: 'output', index: 0 },
        ],
        params: { size: sizeOf(extents), inner, blocks, start },
        groups: outer * blocks,
        cost: { flops: sizeOf(x.shape), bytes },
      },
    ],
    temps: [],
  }
}
