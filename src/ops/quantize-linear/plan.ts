/** The kernel of quantizeLinear, which dynamicQuantizeLinear ends with: four elements of an invocation make a word of bytes. */
import blocksText from '../../../shaders/quantize/blocks.wgsl?raw'
import quantize from '../../../shaders/quantize/quantize.wgsl?raw'
import { deviceByteSize, type DispatchPlan, type OpPlan, type TensorRef } from '../../gpu/program.ts'
import { BYTE_RANGE } from '../../precision/integers.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { inputRef, outputRef, planOf } from '../movement/linear.ts'
import type { PlanContext } from '../op.ts'
import { BLOCK_PARAMS, blockParams, blocksOf, type Blocks } from './blocks.ts'
import type { QuantizeAttributes } from './rule.ts'

const LANES = 64

export interface Placed {
  readonly type: TensorType
  readonly ref: TensorRef
}

/** y = saturate(round(x / scale) + zero), the zero point 0 where it is absent. */
export function quantizeDispatch(x: Placed, scale: Placed, zero: Placed | null, y: Placed, blocks: Blocks): DispatchPlan {
  const count = sizeOf(x.type.shape)
  const words = Math.ceil(count / 4)
  const [least, most] = BYTE_RANGE[y.type.dtype === 'i8' ? 'i8' : 'u8']
  const zeroText = `fn zero_at(index: u32) -> i32 { return ${zero === null ? '0' : 'i32(load_zeros(index))'}; }`
  return {
    program: {
      name: 'quantize/linear',
      body: [blocksText, zeroText, quantize].join('\n'),
      operands: [
        { name: 'x', dtype: x.type.dtype, access: 'read' },
        { name: 'scales', dtype: scale.type.dtype, access: 'read' },
        ...(zero === null ? [] : [{ name: 'zeros', dtype: zero.type.dtype, access: 'read' } as const]),
        { name: 'y', dtype: y.type.dtype, access: 'write', width: 4 },
      ],
      params: { count: 'u32', ...BLOCK_PARAMS },
      constants: { LEAST: `${least}`, MOST: `${most}` },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [x.ref, scale.ref, ...(zero === null ? [] : [zero.ref]), y.ref],
    params: { count, ...blockParams(blocks) },
    groups: Math.ceil(words / LANES),
    cost: { flops: 2 * count, bytes: count * (deviceByteSize(x.type.dtype) + 1) },
  }
}

export function plan({ inputs, outputs, attributes }: PlanContext<QuantizeAttributes>): OpPlan {
  const x = requireInput('quantizeLinear', inputs, 0, 'x')
  const scale = requireInput('quantizeLinear', inputs, 1, 'y_scale')
  const zero = inputs[2] ?? null
  const y = requireInput('quantizeLinear', outputs, 0, 'y')
  const blocks = blocksOf('quantizeLinear', x, scale, attributes.axis, attributes.blockSize)
  return planOf('four elements to a word of bytes', [
    quantizeDispatch(
      { type: x, ref: inputRef(0) },
      { type: scale, ref: inputRef(1) },
      zero === null ? null : { type: zero, ref: inputRef(2) },
      { type: y, ref: outputRef() },
      blocks,
    ),
  ])
}
