/** Direct transposed convolution: one output per invocation, in any layout. Always legal, and reads filters as they lie. */
import { z } from 'zod'
import transposedBody from '../../../../shaders/conv/transposed.wgsl?raw'
import type { OpPlan, ParamType } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import { OUTPUT } from '../../conv2d/algorithms/direct.ts'
import { INPUT, layoutStrides } from '../../conv2d/convolution.ts'
import { epilogueParts } from '../../conv2d/epilogue.ts'
import { bytesOf } from '../../conv2d/filters.ts'
import { divisor, type TransposedAxis } from '../phases.ts'
import { macsOf, type Transposed } from '../transposed.ts'

export const directSchema = z.strictObject({ algorithm: z.literal('direct') })

const LANES = 64

/** The dispatch. The output is not empty. */
export function planDirect(conv: Transposed): OpPlan {
  const outputs = sizeOf(conv.output.shape)
  const epilogue = epilogueParts(conv)
  const values = { outputs, ...sizeParams(conv) }
  return {
    reason: 'direct, one output an invocation',
    dispatches: [
      {
        program: {
          name: `${conv.op}/direct`,
          body: [epilogue.body, transposedBody, OUTPUT[conv.outputLayout]].join('\n'),
          operands: [
            { name: 'x', dtype: conv.x.dtype, access: 'read' },
            { name: 'w', dtype: conv.w.dtype, access: 'read' },
            ...epilogue.operands,
            { name: 'y', dtype: conv.output.dtype, access: 'write' },
          ],
          params: {
            ...Object.fromEntries(Object.keys(values).map((key): [string, ParamType] => [key, 'u32'])),
            ...epilogue.types,
          },
          workgroupSize: [LANES, 1, 1],
        },
        bind: [
          { kind: 'input', index: INPUT.x },
          { kind: 'input', index: INPUT.w },
          ...epilogue.bind,
          { kind: 'output', index: 0 },
        ],
        params: { ...values, ...epilogue.values },
        groups: Math.ceil(outputs / LANES),
        cost: { flops: 2 * macsOf(conv), bytes: bytesOf([conv.x, conv.w, conv.bias, conv.residual, conv.output]) },
      },
    ],
    temps: [],
  }
}

function sizeParams({ groups, channels, filters, axes, layout }: Transposed): Record<string, number> {
  const [deep, high, wide] = axes
  const strides = layoutStrides(layout, groups * channels, [deep.input, high.input, wide.input])
  const values: Record<string, number> = {
    ...{ channels, filters, all_filters: groups * filters, depth: deep.input, height: high.input, width: wide.input },
    ...{ x_picture: strides.picture, x_channel: strides.channel, x_quad: strides.quad },
    ...{ x_z: strides.z, x_y: strides.y, x_x: strides.x },
  }
  for (const [name, axis] of Object.entries({ z: deep, y: high, x: wide })) {
    const own = axisParams(axis)
    for (const [key, value] of Object.entries(own)) values[`${key}_${name}`] = value
  }
  return values
}

function axisParams({ kernel, stride, dilation, before, output }: TransposedAxis): Record<string, number> {
  const shared = divisor(stride, dilation)
  const step = stride / shared
  const hop = dilation / shared
  let turn = 0
  while (turn < step - 1 && (turn * hop) % step !== 1) turn++
  return { out: output, kernel, stride, dilation, pad: before, shared, step, hop, turn }
}
