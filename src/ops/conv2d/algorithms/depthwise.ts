/**
 * Depthwise convolution: a group is one channel, which any number of filters (the multiplier) see. There is nothing to sum over but the
 * taps of the window, so what counts is how often a loaded value is used: an invocation owns a strip of outputs of a *line*, and uses a
 * value for all outputs whose windows it lies in.
 *
 *     Y channels innermost or in quads     a line is a quad of filters, filters packed [tap][filter]     shaders/conv/depthwise/line_quad.wgsl
 *     Y nchw                               a line is one filter, filters as the op has them              shaders/conv/depthwise/line_one.wgsl
 *
 * Two forms: `tile` unrolls a small window of two axes over a tile of outputs (tile.wgsl), `rows` streams along the rows of any
 * (rows.wgsl).
 */
import { z } from 'zod'
import lineOne from '../../../../shaders/conv/depthwise/line_one.wgsl?raw'
import lineQuad from '../../../../shaders/conv/depthwise/line_quad.wgsl?raw'
import place from '../../../../shaders/conv/depthwise/place.wgsl?raw'
import quadXEach from '../../../../shaders/conv/depthwise/quad_x_each.wgsl?raw'
import quadXWide from '../../../../shaders/conv/depthwise/quad_x_wide.wgsl?raw'
import quadYEach from '../../../../shaders/conv/depthwise/quad_y_each.wgsl?raw'
import quadYWide from '../../../../shaders/conv/depthwise/quad_y_wide.wgsl?raw'
import rowsBody from '../../../../shaders/conv/depthwise/rows.wgsl?raw'
import tileBody from '../../../../shaders/conv/depthwise/tile.wgsl?raw'
import divided from '../../../../shaders/gemm/read/divided.wgsl?raw'
import type { DispatchPlan, OperandSpec, ParamType, Preparation, TensorRef } from '../../../gpu/program.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { activationParams, activationWgsl } from '../../gemm/activation.ts'
import { layoutStrides } from '../../layout.ts'
import { copyDispatch } from '../../movement/copy.ts'
import type { WindowAxis } from '../../window.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../convolution.ts'
import { bytesOf, paddedFilters } from '../filters.ts'

const schema = z.strictObject({
  algorithm: z.literal('depthwise'),
  form: z.enum(['tile', 'rows']).default('rows'),
  /** Outputs along x that an invocation owns. */
  strip: z.number().int().min(1).max(16).default(4),
  /** Rows of them; 1 in form `rows`. */
  tall: z.number().int().min(1).max(16).default(1),
})
export type DepthwiseConfig = z.infer<typeof schema>

const LANES = 64
/** Multiply-adds that a tile unrolls: more take more than half a second to compile on software adapters, and spill. */
const MOST_UNROLLED = 400
/** Quotients from which `divided` (divided.wgsl) is no longer exact. */
const LARGE = 2 ** 21

export const depthwise: Algorithm<DepthwiseConfig> = {
  name: 'depthwise',
  schema,
  mixes: true,

  refusal(conv, { form, strip, tall }) {
    if (conv.channels !== 1) return `its groups have ${conv.channels} channels, not 1`
    if (form === 'rows') return tall === 1 ? undefined : `form rows owns one row, not ${tall}`
    const [z] = conv.axes
    if (!isTrivial(z)) return 'form tile has two axes'
    const unrolled = tapsOf(conv) * strip * tall
    return unrolled > MOST_UNROLLED ? `${unrolled} multiply-adds unrolled, at most ${MOST_UNROLLED}` : undefined
  },

  candidates(conv, device) {
    const strip = stripOf(conv)
    const sizes: readonly (readonly [strip: number, tall: number])[] = [
      [strip, 1],
      [strip, 2],
      [2, 4],
      [4, 2],
      [4, 1],
      [1, 8],
    ]
    // In nchw, invocations side by side own strips side by side: GPUs load and store them together where strips are short, software
    // adapters gain from every value that is used twice.
    const first = conv.outputLayout !== 'nchw' ? 0 : device.software ? 1 : 2
    const tiles = [...sizes.slice(first, first + 1), ...sizes.toSpliced(first, 1)].map(([along, tall]): DepthwiseConfig => ({
      algorithm: 'depthwise',
      form: 'tile',
      strip: along,
      tall,
    }))
    const rows: DepthwiseConfig = { algorithm: 'depthwise', form: 'rows', strip, tall: 1 }
    return [...tiles, rows].filter((config) => depthwise.refusal(conv, config, device) === undefined)
  },

  plan(conv, config) {
    const { form, strip, tall } = config
    const inQuads = conv.outputLayout !== 'nchw'
    return {
      reason: `depthwise, ${strip} by ${tall} outputs of ${inQuads ? 'a quad of filters' : 'a filter'} an invocation${form === 'rows' ? ', row by row' : ''}`,
      dispatches: [dispatchOf(conv, config)],
      temps: [],
      prepared: inQuads ? [packed(conv)] : [],
    }
  },

  work(conv) {
    const macs = macsOf(conv)
    return { multiplications: macs, additions: macs, bytes: movedBytes(conv) }
  },

  error: () => 0,
}

/** The strip that wastes the fewest outputs of a row; 7 where it can be, which fits the 7, 14, 28 … 112 of networks for ImageNet. */
function stripOf({ axes: [, , x] }: Convolution): number {
  const { spacing } = shared(x)
  const columns = Math.ceil(x.output / spacing)
  const wasted = (strip: number): number => strip * Math.ceil(columns / strip)
  return [7, 8, 6, 4].reduce((best, strip) => (wasted(strip) < wasted(best) ? strip : best))
}

function isTrivial({ input, kernel, output, before }: WindowAxis): boolean {
  return input === 1 && kernel === 1 && output === 1 && before === 0
}

/** How outputs of an axis share what they read: those `spacing` apart have windows that lie `step` taps apart. */
function shared({ stride, dilation }: WindowAxis): { spacing: number; step: number } {
  const divisor = gcd(stride, dilation)
  return { spacing: dilation / divisor, step: stride / divisor }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** Filters of all groups as [tap][filter, in whole quads]. */
function packedType(conv: Convolution): TensorType {
  return { dtype: conv.w.dtype, shape: [tapsOf(conv), paddedFilters({ filters: conv.groups * conv.filters })] }
}

function packed(conv: Convolution): Preparation {
  const type = packedType(conv)
  const taps = tapsOf(conv)
  const [, step = 0] = type.shape
  const nest = {
    extents: [taps, conv.groups * conv.filters],
    strides: [
      [1, taps],
      [step, 1],
    ],
  } as const
  const to = { type, ref: { kind: 'prepared', index: 0 } } as const
  return {
    type,
    from: INPUT.w,
    dispatches: [copyDispatch(conv.op, nest, { type: conv.w, ref: { kind: 'input', index: INPUT.w } }, to)],
  }
}

function movedBytes(conv: Convolution): number {
  const filters = conv.outputLayout === 'nchw' ? conv.w : packedType(conv)
  return bytesOf([conv.x, filters, conv.bias, conv.residual, conv.output])
}

/** Whether what a quad of filters reads, or writes, is a quad of elements. */
function widths({ layout, outputLayout, groups, filters }: Convolution): { x: boolean; y: boolean } {
  const quads = { nchw: () => false, nhwc: (count: number) => count % 4 === 0, nchw4: () => true }
  if (outputLayout === 'nchw') return { x: false, y: false }
  return { x: filters === 1 && quads[layout](groups), y: quads[outputLayout](groups * filters) }
}

function dispatchOf(conv: Convolution, { form, strip, tall }: DepthwiseConfig): DispatchPlan {
  const inQuads = conv.outputLayout !== 'nchw'
  const wide = widths(conv)
  const [, y, x] = conv.axes
  const { values, inverses, large } = sizesOf(conv, strip, tall)
  const activation = activationParams(conv.activation)
  const operands: OperandSpec[] = []
  const bind: TensorRef[] = []
  const put = (name: string, { dtype }: TensorType, isWide: boolean, ref: TensorRef): void => {
    operands.push({ name, dtype, access: ref.kind === 'output' ? 'write' : 'read', width: isWide ? 4 : 1 })
    bind.push(ref)
  }
  put('x', conv.x, wide.x, { kind: 'input', index: INPUT.x })
  put('w', conv.w, inQuads, inQuads ? { kind: 'prepared', index: 0 } : { kind: 'input', index: INPUT.w })
  if (conv.bias !== undefined) put('bias', conv.bias, inQuads, { kind: 'input', index: INPUT.bias })
  if (conv.residual !== undefined) put('residual', conv.residual, wide.y, { kind: 'input', index: INPUT.residual })
  put('y', conv.output, wide.y, { kind: 'output', index: 0 })
  const unrolled = { KERNEL_X: x.kernel, KERNEL_Y: y.kernel, STEP_X: shared(x).step, STEP_Y: shared(y).step }
  return {
    program: {
      name: `${conv.op}/depthwise`,
      body: [
        divided,
        place,
        ...(inQuads ? [wide.x ? quadXWide : quadXEach, wide.y ? quadYWide : quadYEach, lineQuad] : [lineOne]),
        terms(conv, inQuads, wide.y),
        activationWgsl(conv.activation),
        form === 'tile' ? tileBody : rowsBody,
      ].join('\n'),
      operands,
      params: {
        ...Object.fromEntries(Object.keys(values).map((key): [string, ParamType] => [key, 'u32'])),
        ...Object.fromEntries(Object.keys(inverses).map((key): [string, ParamType] => [key, 'f32'])),
        ...activation.types,
      },
      constants: {
        ...{ STRIP: strip, TALL: tall, LARGE: `${large}`, LINES_INNERMOST: `${conv.outputLayout === 'nhwc'}` },
        ...(form === 'tile' ? unrolled : {}),
      },
      workgroupSize: [LANES, 1, 1],
    },
    bind,
    params: { ...values, ...inverses, ...activation.values },
    groups: Math.ceil(values.invocations / LANES),
    cost: { flops: 2 * macsOf(conv), bytes: movedBytes(conv) },
  }
}

/** What is added to sums, or its absence. */
function terms({ bias, residual }: Convolution, inQuads: boolean, wideY: boolean): string {
  const type = (wide: boolean): string => (wide ? 'vec4<f32>' : 'f32')
  const one = (name: string, wide: boolean, there: boolean): string =>
    `fn ${name}_of(index: u32) -> ${type(wide)} { return ${there ? `load_${name}(index)` : `${type(wide)}()`}; }`
  return [one('bias', inQuads, bias !== undefined), one('residual', wideY, residual !== undefined)].join('\n')
}

function sizesOf(conv: Convolution, strip: number, tall: number) {
  const { batch, groups, filters, layout, outputLayout, axes } = conv
  const [z, y, x] = axes
  const all = groups * filters
  const from = layoutStrides(layout, groups, [z.input, y.input, x.input])
  const to = layoutStrides(outputLayout, all, [z.output, y.output, x.output])
  const lines = outputLayout === 'nchw' ? all : Math.ceil(all / 4)
  const spacing_x = strip === 1 ? 1 : shared(x).spacing
  const spacing_y = tall === 1 ? 1 : shared(y).spacing
  const strips = (outputs: number, length: number, spacing: number): number => Math.ceil(outputs / (length * spacing)) * spacing
  const divisors = {
    lines,
    multiplier: filters,
    strips_x: strips(x.output, strip, spacing_x),
    strips_y: strips(y.output, tall, spacing_y),
    out_z: z.output,
    spacing_x,
    spacing_y,
  }
  const invocations = batch * lines * z.output * divisors.strips_y * divisors.strips_x
  const values = {
    ...{ ...divisors, invocations, filters: all, taps: tapsOf(conv), step_x: shared(x).step },
    ...{ depth: z.input, height: y.input, width: x.input, out_y: y.output, out_x: x.output },
    ...{ x_picture: from.picture, x_channel: from.channel, x_quad: from.quad, x_z: from.z, x_y: from.y, x_x: from.x },
    ...{ y_picture: to.picture, y_channel: to.channel, y_quad: to.quad, y_z: to.z, y_y: to.y, y_x: to.x },
    ...{ kernel_z: z.kernel, kernel_y: y.kernel, kernel_x: x.kernel },
    ...{ stride_z: z.stride, stride_y: y.stride, stride_x: x.stride },
    ...{ dilation_z: z.dilation, dilation_y: y.dilation, dilation_x: x.dilation },
    ...{ pad_z: z.before, pad_y: y.before, pad_x: x.before },
  }
  const inverses = Object.fromEntries(Object.entries(divisors).map(([name, value]) => [`${name}_inverse`, 1 / value]))
  // The first quotient is the largest.
  const large = invocations / (outputLayout === 'nhwc' ? lines : divisors.strips_x) >= LARGE || all >= LARGE
  return { values, inverses, large }
}
