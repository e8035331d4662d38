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
import quadXEach from '../../../../shaders/conv/depthwise/quad_x_each.wgsl?raw'
import quadXWide from '../../../../shaders/conv/depthwise/quad_x_wide.wgsl?raw'
import quadYEach from '../../../../shaders/conv/depthwise/quad_y_each.wgsl?raw'
import quadYWide from '../../../../shaders/conv/depthwise/quad_y_wide.wgsl?raw'
import rowsBody from '../../../../shaders/conv/depthwise/rows.wgsl?raw'
import tileBody from '../../../../shaders/conv/depthwise/tile.wgsl?raw'
import type { DispatchPlan, Preparation } from '../../../gpu/program.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { copyDispatch } from '../../movement/copy.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../convolution.ts'
import { bytesOf, paddedFilters } from '../filters.ts'
import { inWholeQuads, isTrivial, sharing, storesQuads, stripDispatch, stripOf } from '../strips.ts'

const schema = z.strictObject({
  algorithm: z.literal('depthwise'),
  form: z.enum(['tile', 'rows']).default('rows'),
  /** Outputs along x that an invocation owns. */
  strip: z.number().int().min(1).max(16).default(4),
  /** Rows of them; 1 in form `rows`. */
  tall: z.number().int().min(1).max(16).default(1),
})
export type DepthwiseConfig = z.infer<typeof schema>

/** Multiply-adds that a tile unrolls: more take more than half a second to compile on software adapters, and spill. */
const MOST_UNROLLED = 400

export const depthwise: Algorithm<DepthwiseConfig> = {
  name: 'depthwise',
  schema,
  mixes: true,
  places: true,

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
    // In nchw, invocations side by side own strips side by side: GPUs load and store them together where strips are short. Software
    // adapters gain from every value that is used twice, but compile on the processor that runs the kernels: strips of 4 take half as
    // long to compile as strips of 7, and a fifth longer to run.
    const inQuads = conv.outputLayout !== 'nchw'
    const first = device.software ? (inQuads ? 4 : 3) : inQuads ? 0 : 2
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
function widths(conv: Convolution): { x: boolean; y: boolean } {
  const { layout, outputLayout, groups, filters } = conv
  return { x: outputLayout !== 'nchw' && filters === 1 && inWholeQuads(layout, groups), y: storesQuads(conv) }
}

function dispatchOf(conv: Convolution, { form, strip, tall }: DepthwiseConfig): DispatchPlan {
  const inQuads = conv.outputLayout !== 'nchw'
  const wide = widths(conv)
  const [, y, x] = conv.axes
  const all = conv.groups * conv.filters
  return stripDispatch(conv, {
    name: 'depthwise',
    strip,
    tall,
    lines: inQuads ? Math.ceil(all / 4) : all,
    body: [
      ...(inQuads ? [wide.x ? quadXWide : quadXEach, wide.y ? quadYWide : quadYEach, lineQuad] : [lineOne]),
      form === 'tile' ? tileBody : rowsBody,
    ],
    wide: { x: wide.x, w: inQuads, bias: inQuads, y: wide.y },
    filters: inQuads
      ? { type: packedType(conv), ref: { kind: 'prepared', index: 0 } }
      : { type: conv.w, ref: { kind: 'input', index: INPUT.w } },
    values: { filters: all },
    divisors: { multiplier: conv.filters },
    constants: form === 'tile' ? { KERNEL_X: x.kernel, KERNEL_Y: y.kernel, STEP_X: sharing(x).step, STEP_Y: sharing(y).step } : {},
  })
}
