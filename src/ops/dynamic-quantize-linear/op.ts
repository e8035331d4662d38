/**
 * DynamicQuantizeLinear of ONNX: x in u8 by a scale and a zero point found from its own range, 0 included.
 *
 *     x ─▶ range: extremes of each share ─▶ settle: y_scale, y_zero_point ─▶ quantize: y
 *
 * A tensor of zeros has scale 1. Outputs: y (u8, x's shape), y_scale (f32, scalar), y_zero_point (u8, scalar).
 */
import { z } from 'zod'
import range from '../../../shaders/quantize/range.wgsl?raw'
import settle from '../../../shaders/quantize/settle.wgsl?raw'
import type { DispatchPlan, OpPlan } from '../../gpu/program.ts'
import { scaleOf } from '../../precision/int8.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import { inputRef, outputRef, planOf } from '../movement/linear.ts'
import type { InferContext, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { quantizedOutput } from '../quantize-linear/reference.ts'
import { quantizeDispatch } from '../quantize-linear/plan.ts'
import { numbersOf, rounded } from '../values.ts'

const OP = 'dynamicQuantizeLinear'
const LANES = 128
/** Workgroups that share the search for the range, at most. */
const SHARES = 64

const attributes = z.strictObject({})
type DynamicAttributes = z.infer<typeof attributes>

/** y, y_scale, y_zero_point. @throws DtypeError unless x is f32 */
function infer({ inputs }: InferContext<DynamicAttributes>): TensorType[] {
  const x = requireInput(OP, inputs, 0, 'x')
  requireDType(OP, 'x', x, ['f32'])
  requireIndexable(OP, x)
  return [
    { dtype: 'u8', shape: x.shape },
    { dtype: 'f32', shape: [] },
    { dtype: 'u8', shape: [] },
  ]
}

function reference(inputs: InputValues): ReferenceOutput[] {
  const x = requireInput(OP, inputs, 0, 'x')
  const values = numbersOf(x)
  let least = 0
  let most = 0
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]!)
    most = Math.max(most, values[i]!)
  }
  const { scale, zeroPoint } = scaleOf(least, most, 'u8', false)
  return [
    quantizedOutput(values, x.shape, 'u8', () => [scale, zeroPoint]),
    { tensor: rounded('f32', [], Float64Array.of(scale)), tolerance: { kind: 'relative', relative: 1e-6, absolute: 0 } },
    { tensor: rounded('u8', [], Float64Array.of(zeroPoint)), tolerance: { kind: 'exact' } },
  ]
}

function plan({ inputs, outputs }: PlanContext<DynamicAttributes>): OpPlan {
  const x = requireInput(OP, inputs, 0, 'x')
  const y = requireInput(OP, outputs, 0, 'y')
  const scale = requireInput(OP, outputs, 1, 'y_scale')
  const zero = requireInput(OP, outputs, 2, 'y_zero_point')
  const count = sizeOf(x.shape)
  const shares = Math.max(1, Math.min(SHARES, Math.ceil(count / (8 * LANES))))
  const extremes: TensorType = { dtype: 'f32', shape: [2 * shares] }
  const search: DispatchPlan = {
    program: {
      name: 'quantize/range',
      body: range,
      operands: [
        { name: 'x', dtype: 'f32', access: 'read' },
        { name: 'extremes', dtype: 'f32', access: 'write' },
      ],
      params: { count: 'u32', shares: 'u32' },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [inputRef(0), { kind: 'temp', index: 0 }],
    params: { count, shares },
    groups: shares,
    cost: { flops: 2 * count, bytes: 4 * count },
  }
  const settled: DispatchPlan = {
    program: {
      name: 'quantize/settle',
      body: settle,
      operands: [
        { name: 'extremes', dtype: 'f32', access: 'read' },
        { name: 'scale', dtype: 'f32', access: 'write' },
        { name: 'zero', dtype: 'u8', access: 'write' },
      ],
      params: { shares: 'u32' },
      workgroupSize: [1, 1, 1],
    },
    bind: [{ kind: 'temp', index: 0 }, outputRef(1), outputRef(2)],
    params: { shares },
    groups: 1,
    cost: { flops: 2 * shares, bytes: 8 * shares },
  }
  const bytes = quantizeDispatch(
    { type: x, ref: inputRef(0) },
    { type: scale, ref: outputRef(1) },
    { type: zero, ref: outputRef(2) },
    { type: y, ref: outputRef(0) },
    { extent: 1, innerSize: 1, block: 1, outer: 0, axis: 0, inner: 0 },
  )
  return planOf(`range in ${shares} shares, then bytes`, [search, settled, bytes], [extremes])
}

export const dynamicQuantizeLinear: OpDefinition<DynamicAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs }) => 4 * sizeOf(requireInput(OP, inputs, 0, 'x').shape),
}
