/** DequantizeLinear of ONNX: y = (x − zero point) · scale, per tensor, per axis or in blocks. */
import { z } from 'zod'
import blocksText from '../../../shaders/quantize/blocks.wgsl?raw'
import dequantize from '../../../shaders/quantize/dequantize.wgsl?raw'
import type { OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType } from '../checks.ts'
import { inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import type { InferContext, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { BLOCK_PARAMS, blockParams, blocksOf, scaleIndex } from '../quantize-linear/blocks.ts'
import { requireZeroPoint } from '../quantize-linear/rule.ts'
import { gamma } from '../tolerance.ts'
import { numbersOf, rounded } from '../values.ts'

const OP = 'dequantizeLinear'

const attributes = z.strictObject({
  /** The axis that scales go along, where there are several. */
  axis: z.number().int().default(1),
  /** Elements along the axis that share a scale; 0: a scale for each index of the axis, or one for all. */
  blockSize: z.number().int().min(0).default(0),
  /** Dtype of the result; default: the scale's. */
  dtype: z.enum(['f32', 'f16']).optional(),
})
type DequantizeAttributes = z.infer<typeof attributes>

/** The shape of x in floats. @throws ShapeError, DtypeError, OptionError */
function infer({ inputs, attributes: { axis, blockSize, dtype } }: InferContext<DequantizeAttributes>): TensorType[] {
  const x = requireInput(OP, inputs, 0, 'x')
  const scale = requireInput(OP, inputs, 1, 'x_scale')
  const zero = inputs[2] ?? null
  requireDType(OP, 'x', x, ['i8', 'u8', 'i32'])
  requireDType(OP, 'x_scale', scale, ['f32', 'f16'])
  blocksOf(OP, x, scale, axis, blockSize)
  if (zero !== null) {
    requireSameDType(OP, 'x_zero_point', zero, x)
    requireZeroPoint(OP, zero, scale)
  }
  requireIndexable(OP, x)
  return [{ dtype: dtype ?? scale.dtype, shape: x.shape }]
}

function reference(inputs: InputValues, given: DequantizeAttributes): ReferenceOutput[] {
  const x = requireInput(OP, inputs, 0, 'x')
  const scale = requireInput(OP, inputs, 1, 'x_scale')
  const [type] = infer({ inputs, values: [], attributes: given })
  const blocks = blocksOf(OP, x, scale, given.axis, given.blockSize)
  const zeros = inputs[2] === undefined || inputs[2] === null ? null : numbersOf(inputs[2])
  const scales = numbersOf(scale)
  // The difference wraps as i32 does; then it is rounded to f32 and multiplied.
  const exact = Float64Array.from(numbersOf(x), (value, index) => {
    const at = scaleIndex(blocks, index)
    return ((value - (zeros?.[at] ?? 0)) | 0) * (scales[at] ?? NaN)
  })
  const bound = exact.map((value) => gamma(2) * Math.abs(value))
  return [{ tensor: rounded(type?.dtype === 'f16' ? 'f16' : 'f32', x.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}

function plan({ inputs, outputs, attributes: given }: PlanContext<DequantizeAttributes>): OpPlan {
  const x = requireInput(OP, inputs, 0, 'x')
  const scale = requireInput(OP, inputs, 1, 'x_scale')
  const zero = inputs[2] ?? null
  const count = sizeOf(x.shape)
  const blocks = blocksOf(OP, x, scale, given.axis, given.blockSize)
  const dispatch = linearDispatch(count, {
    name: 'quantize/dequantize',
    body: [blocksText, `fn zero_at(index: u32) -> i32 { return ${zero === null ? '0' : 'i32(load_zeros(index))'}; }`, dequantize],
    operands: [
      { name: 'x', type: x, access: 'read', ref: inputRef(0) },
      { name: 'scales', type: scale, access: 'read', ref: inputRef(1) },
      ...(zero === null ? [] : [{ name: 'zeros', type: zero, access: 'read', ref: inputRef(2) } as const]),
      { name: 'y', type: requireInput(OP, outputs, 0, 'y'), access: 'write', ref: outputRef() },
    ],
    params: BLOCK_PARAMS,
    values: blockParams(blocks),
    flops: 2 * count,
  })
  return planOf('one invocation for each element', [dispatch])
}

export const dequantizeLinear: OpDefinition<DequantizeAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs }) => 2 * sizeOf(requireInput(OP, inputs, 0, 'x').shape),
}
