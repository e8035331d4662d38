/** Direct convolution: one output per invocation, in any layout. The algorithm that is always legal and reads filters as they lie. */
import { z } from 'zod'
import directBody from '../../../../shaders/conv/direct.wgsl?raw'
import outputBody from '../../../../shaders/conv/output.wgsl?raw'
import outputNchw from '../../../../shaders/conv/output_nchw.wgsl?raw'
import outputNchw4 from '../../../../shaders/conv/output_nchw4.wgsl?raw'
import outputNhwc from '../../../../shaders/conv/output_nhwc.wgsl?raw'
import quotient from '../../../../shaders/runtime/quotient.wgsl?raw'
import type { ParamType } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, layoutStrides, macsOf, outputPlace, pixelsOf, tapsOf, type Convolution, type Layout } from '../convolution.ts'
import { epilogueParts } from '../epilogue.ts'
import { bytesOf } from '../filters.ts'

const schema = z.strictObject({ algorithm: z.literal('direct') })
export type DirectConfig = z.infer<typeof schema>

const LANES = 64
/** WGSL that says which output lies at an index. */
export const OUTPUT: Readonly<Record<Layout, string>> = {
  nchw: [quotient, outputBody, outputNchw].join('\n'),
  nhwc: [quotient, outputBody, outputNhwc].join('\n'),
  nchw4: [quotient, outputBody, outputNchw4].join('\n'),
}

export const direct: Algorithm<DirectConfig> = {
  name: 'direct',
  schema,
  mixes: true,
  places: true,
  refusal: () => undefined,
  candidates: () => [{ algorithm: 'direct' }],

  plan(conv) {
    const outputs = sizeOf(conv.output.shape)
    const epilogue = epilogueParts(conv)
    const values = { outputs, ...sizeParams(conv) }
    return {
      reason: 'direct, one output an invocation',
      dispatches: [
        {
          program: {
            name: `${conv.op}/direct`,
            body: [epilogue.body, directBody, OUTPUT[conv.outputLayout]].join('\n'),
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
  },

  work(conv) {
    const macs = macsOf(conv)
    return { multiplications: macs, additions: macs, bytes: bytesOf([conv.x, conv.w, conv.bias, conv.residual, conv.output]) }
  },

  /** Every tap of every output, padding too: what it reads there is not taken. */
  accesses({ batch, groups, filters, channels, bias, residual, ...conv }) {
    const outputs = batch * groups * filters * pixelsOf(conv)
    const terms = { loads: outputs * channels * tapsOf(conv), stores: 0 }
    return {
      x: terms,
      w: terms,
      y: { loads: 0, stores: outputs },
      ...(bias === undefined ? {} : { bias: { loads: outputs, stores: 0 } }),
      ...(residual === undefined ? {} : { residual: { loads: outputs, stores: 0 } }),
    }
  },

  error: () => 0,
}

/** Sizes, strides and windows, as kernels that take an output apart name them. */
export function sizeParams(conv: Convolution): Record<string, number> {
  const { groups, channels, filters, axes, layout } = conv
  const [z, y, x] = axes
  const { strides: to, offset } = outputPlace(conv)
  const strides = layoutStrides(layout, groups * channels, [z.input, y.input, x.input])
  const values: Record<string, number> = {
    ...{ channels, filters, all_filters: groups * filters, depth: z.input, height: y.input, width: x.input },
    ...{ x_picture: strides.picture, x_channel: strides.channel, x_quad: strides.quad },
    ...{ x_z: strides.z, x_y: strides.y, x_x: strides.x },
    ...{ y_offset: offset, y_picture: to.picture, y_channel: to.channel, y_quad: to.quad, y_z: to.z, y_y: to.y, y_x: to.x },
  }
  for (const [name, axis] of Object.entries({ z, y, x })) {
    values[`out_${name}`] = axis.output
    values[`kernel_${name}`] = axis.kernel
    values[`stride_${name}`] = axis.stride
    values[`dilation_${name}`] = axis.dilation
    values[`pad_${name}`] = axis.before
  }
  return values
}
