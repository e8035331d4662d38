/** Direct transposed convolution: a few outputs per invocation, in any layout. Always legal, and reads filters as they lie. */
import { z } from 'zod'
import outputBody from '../../../../shaders/conv/output.wgsl?raw'
import transposedBody from '../../../../shaders/conv/transposed.wgsl?raw'
import quotient from '../../../../shaders/runtime/quotient.wgsl?raw'
import type { DispatchPlan, OpPlan, ParamType, ProgramSource } from '../../../gpu/program.ts'
import { INPUT, layoutStrides } from '../../conv2d/convolution.ts'
import { epilogueParts } from '../../conv2d/epilogue.ts'
import { bytesOf } from '../../conv2d/filters.ts'
import { placeOf } from '../../place.ts'
import { runsOf, type Run } from '../phases.ts'
import { macsOf, type Transposed } from '../transposed.ts'

export const directSchema = z.strictObject({ algorithm: z.literal('direct') })

const LANES = 64
/** Outputs of an invocation along x: finding its first takes as long as a few of them. */
const STRIP = 8

/** A dispatch for each run of phases, all of one program. The output is not empty. */
export function planDirect(conv: Transposed): OpPlan {
  const { op, x, w, bias, residual, output } = conv
  const epilogue = epilogueParts(conv)
  const runs = runsOf(conv.axes)
  const bytes = bytesOf([x, w, bias, residual, output])
  const dispatches = runs.map((run): DispatchPlan => {
    const values = runParams(conv, run)
    const names = Object.keys(values)
    const program: ProgramSource = {
      name: `${op}/direct`,
      body: [quotient, outputBody, epilogue.body, transposedBody].join('\n'),
      operands: [
        { name: 'x', dtype: x.dtype, access: 'read' },
        { name: 'w', dtype: w.dtype, access: 'read' },
        ...epilogue.operands,
        { name: 'y', dtype: output.dtype, access: 'write' },
      ],
      params: {
        ...Object.fromEntries(names.map((name): [string, ParamType] => [name, name.startsWith('pad_') ? 'i32' : 'u32'])),
        ...epilogue.types,
      },
      constants: { STRIP },
      workgroupSize: [LANES, 1, 1],
    }
    return {
      program,
      bind: [{ kind: 'input', index: INPUT.x }, { kind: 'input', index: INPUT.w }, ...epilogue.bind, { kind: 'output', index: 0 }],
      params: { ...values, ...epilogue.values },
      groups: Math.ceil((values.strips ?? 0) / LANES),
      cost: { flops: (2 * macsOf(conv)) / runs.length, bytes: bytes / runs.length },
    }
  })
  return { reason: `direct, ${STRIP} outputs an invocation`, dispatches, temps: [] }
}

function runParams(
  { batch, groups, channels, filters, axes, layout, outputLayout, place }: Transposed,
  run: Run,
): Record<string, number> {
  const [deep, high, wide] = axes
  const all = groups * filters
  const from = layoutStrides(layout, groups * channels, [deep.input, high.input, wide.input])
  const { strides: to, offset } = placeOf(outputLayout, all, [deep.output, high.output, wide.output], place)
  const inner = outputLayout === 'nchw' ? 1 : outputLayout === 'nhwc' ? all : 4
  const outer = Math.ceil(all / inner)
  const [z, y, x] = run
  const strips = Math.ceil(x.outputs / STRIP)
  const lines = z.count * z.outputs * y.count * y.outputs * x.count
  const values: Record<string, number> = {
    ...{ strips: batch * outer * inner * lines * strips, strip: STRIP, strips_x: strips, channels, filters, all_filters: all },
    ...{ inner_filters: inner, outer_filters: outer, depth: deep.input, height: high.input, width: wide.input },
    ...{ x_picture: from.picture, x_channel: from.channel, x_quad: from.quad, x_z: from.z, x_y: from.y, x_x: from.x },
    ...{ y_picture: to.picture, y_channel: to.channel, y_quad: to.quad, y_z: to.z, y_y: to.y, y_x: to.x },
    y_offset: offset + z.first * to.z + y.first * to.y + x.first * to.x,
  }
  for (const [index, name] of (['z', 'y', 'x'] as const).entries()) {
    const [axis, phases] = [axes[index], run[index]]
    if (axis === undefined || phases === undefined) continue
    values[`phases_${name}`] = phases.count
    values[`places_${name}`] = phases.outputs
    values[`taps_${name}`] = phases.taps
    values[`tap_${name}`] = phases.tap
    values[`step_${name}`] = phases.step
    values[`hop_${name}`] = phases.dilation
    values[`pad_${name}`] = phases.before
    values[`stride_${name}`] = axis.stride
    values[`kernel_${name}`] = axis.kernel
  }
  return values
}
