/**
 * Convolution that skips zero activations, after SCNN (Parashar et al., ISCA 2017): activations are compressed as a run begins, each stays
 * where it is and meets the weights of its channel, all products are sums of a tile that somebody owns. Think of a till that only stops
 * for what lies on the belt.
 *
 *     X ─▶ compress: a bit a value, and the values that are not zero ─┐
 *     W ─▶ prepared: filters side by side, which rows of them are zero ┴▶ main: each value · its row of filters ─▶ sums ─▶ Y
 *
 * SCNN's multipliers take any 4 activations by any 4 weights, and a crossbar scatters the products to banks of accumulators. Lanes of a GPU
 * run in step, and there are no float atomics: so a lane owns filters and keeps their sums in registers, and all lanes of a workgroup walk the
 * same list of activations. An activation that is zero costs no lane anything but a look at its bit; a weight is skipped where its row of
 * taps is zero for all the workgroup's filters (pruned channels), not by itself, for the lanes beside it have work. Sums are added in an
 * order that is fixed, so results do not vary from run to run.
 *
 * A product with a zero activation is 0 whatever the weight: where a weight is NaN or infinite, nothing is skipped, and results are the
 * definition's.
 */
import { z } from 'zod'
import outputBody from '../../../../shaders/conv/output.wgsl?raw'
import compressBody from '../../../../shaders/conv/zero_skipping/compress.wgsl?raw'
import finiteBody from '../../../../shaders/conv/zero_skipping/finite.wgsl?raw'
import mainBody from '../../../../shaders/conv/zero_skipping/main.wgsl?raw'
import rowsBody from '../../../../shaders/conv/zero_skipping/rows.wgsl?raw'
import stripBody from '../../../../shaders/conv/zero_skipping/strip.wgsl?raw'
import quotient from '../../../../shaders/runtime/quotient.wgsl?raw'
import type { DispatchPlan, ParamType, Preparation, TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { copyDispatch } from '../../movement/copy.ts'
import type { WindowAxis } from '../../window.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../convolution.ts'
import { epilogueParts } from '../epilogue.ts'
import { bytesOf } from '../filters.ts'
import { sharing, stripOf } from '../strips.ts'
import { sizeParams } from './direct.ts'

const schema = z.strictObject({
  algorithm: z.literal('zero-skipping'),
  /** Outputs of a row that a workgroup owns. */
  strip: z.number().int().min(1).max(16).default(4),
  /** Rows of them. */
  tall: z.number().int().min(1).max(8).default(1),
  /** Filters of a lane. */
  each: z.number().int().min(1).max(8).default(2),
  lanes: z.union([z.literal(8), z.literal(16), z.literal(32), z.literal(64)]).default(32),
})
export type ZeroSkippingConfig = z.infer<typeof schema>

/** Multiply-adds in the text of a row: more take seconds to compile. */
const MOST_UNROLLED = 500
/** Values of a segment: bits of a mask. */
const MOST_SPAN = 32
/** Of the kernels that compress and prepare. */
const LANES = 64

export const zeroSkipping: Algorithm<ZeroSkippingConfig> = {
  name: 'zero-skipping',
  schema,
  mixes: true,
  places: true,

  refusal(conv, config) {
    const { strip, tall, each } = config
    const { span, list } = sizesOf(conv, config)
    if (span > MOST_SPAN) return `${span} values of a row meet a strip of ${strip} outputs, at most ${MOST_SPAN}`
    const unrolled = conv.axes[2].kernel * strip * tall * each
    if (unrolled > MOST_UNROLLED) return `${unrolled} multiply-adds unrolled, at most ${MOST_UNROLLED}`
    const elements = sizeOf(list.shape)
    return elements >= 2 ** 31 ? `lists of ${elements} places, 32-bit indices reach ${2 ** 31}` : undefined
  },

  candidates(conv, device) {
    const lanes = device.software ? 8 : 32
    const tiles = device.software ? [[2, 4] as const, [1, 4] as const] : [[1, 2] as const, [2, 2] as const]
    return [...new Set([stripOf(conv), 4, 1])]
      .flatMap((strip) =>
        tiles.map(([tall, each]) => ({ algorithm: 'zero-skipping', strip, tall, each, lanes }) satisfies ZeroSkippingConfig),
      )
      .filter((config) => zeroSkipping.refusal(conv, config, device) === undefined)
      .slice(0, 4)
  },

  plan(conv, config) {
    const { strip, tall, each, lanes } = config
    const sizes = sizesOf(conv, config)
    const { block, blocks, values, span } = sizes
    const { batch, groups, channels, filters } = conv
    const epilogue = epilogueParts(conv)
    const masks: TensorRef = { kind: 'temp', index: 0 }
    const list: TensorRef = { kind: 'temp', index: 1 }
    const prepared = (index: number): TensorRef => ({ kind: 'prepared', index })
    const segments = sizeOf(sizes.masks.shape)
    const constants = { STRIP: strip, STEP_X: sharing(conv.axes[2]).step, KERNEL_X: conv.axes[2].kernel }
    const params = typed({ ...sizeParams(conv), ...values })
    const compress: DispatchPlan = {
      program: {
        name: `${conv.op}/zero_skipping_compress`,
        body: [quotient, outputBody, stripBody, compressBody].join('\n'),
        operands: [
          { name: 'x', dtype: conv.x.dtype, access: 'read' },
          { name: 'dense', dtype: 'u32', access: 'read' },
          { name: 'masks', dtype: 'u32', access: 'write' },
          { name: 'list', dtype: conv.x.dtype, access: 'write' },
        ],
        params: { ...params.types, segments: 'u32' },
        constants: { ...constants, USED: usedOf(conv.axes[2], strip) },
        workgroupSize: [LANES, 1, 1],
      },
      bind: [{ kind: 'input', index: INPUT.x }, prepared(2), masks, list],
      params: { ...params.values, segments },
      groups: Math.ceil(segments / LANES),
      cost: { flops: segments * span, bytes: bytesOf([conv.x, sizes.masks, sizes.list]) },
    }
    const main: DispatchPlan = {
      program: {
        name: `${conv.op}/zero_skipping`,
        body: [epilogue.body, quotient, outputBody, stripBody, mainBody].join('\n'),
        operands: [
          { name: 'masks', dtype: 'u32', access: 'read' },
          { name: 'list', dtype: conv.x.dtype, access: 'read' },
          { name: 'w', dtype: conv.w.dtype, access: 'read' },
          { name: 'rows', dtype: 'u32', access: 'read' },
          ...epilogue.operands,
          { name: 'y', dtype: conv.output.dtype, access: 'write' },
        ],
        params: { ...params.types, batch: 'u32', blocks: 'u32', padded_filters: 'u32', ...epilogue.types },
        constants: { ...constants, TALL: tall, EACH: each },
        workgroupSize: [lanes, 1, 1],
      },
      bind: [masks, list, prepared(0), prepared(1), ...epilogue.bind, { kind: 'output', index: 0 }],
      params: { ...params.values, batch, blocks, padded_filters: blocks * block, ...epilogue.values },
      groups: values.strips_x * values.strips_y * conv.axes[0].output * batch * blocks * groups,
      cost: {
        flops: 2 * macsOf(conv),
        bytes: bytesOf([sizes.masks, sizes.list, sizes.packed, sizes.rows, conv.bias, conv.residual, conv.output]),
      },
    }
    return {
      reason: `zero activations skipped, tiles of ${tall}×${strip} outputs of ${block} filters, ${channels} × ${filters} of a group`,
      dispatches: [compress, main].filter((dispatch) => dispatch.groups > 0),
      temps: [sizes.masks, sizes.list],
      prepared: preparations(conv, sizes),
    }
  },

  /** As if no activation were zero: how many multiplications are left is the data's. */
  work(conv, config) {
    const macs = macsOf(conv)
    const { masks, list, packed, rows } = sizesOf(conv, config)
    const between = [masks, masks, list, list]
    return {
      multiplications: macs,
      additions: macs,
      bytes: bytesOf([conv.x, ...between, packed, rows, conv.bias, conv.residual, conv.output]),
    }
  },

  error: () => 0,
}

/** What follows from a convolution and a configuration. */
interface Sizes {
  /** Values of a row that meet a strip. */
  readonly span: number
  /** Filters of a workgroup, and how many such blocks a group has. */
  readonly block: number
  readonly blocks: number
  /** [pictures, channels, depths, rows, strips]: depths and rows of the map with its padding, as far as tiles reach. */
  readonly masks: TensorType
  /** A segment's values that are not zero, at the front of `span` places. */
  readonly list: TensorType
  /** [group][channel][tap][filter], in whole blocks. */
  readonly packed: TensorType
  /** [group][block][channel][depth and row of the kernel]: whether a weight is not zero. */
  readonly rows: TensorType
  readonly values: {
    readonly strips_x: number
    readonly strips_y: number
    readonly spacing_x: number
    readonly rows_y: number
    readonly rows_z: number
    readonly all_channels: number
  }
}

function sizesOf(conv: Convolution, { strip, tall, each, lanes }: ZeroSkippingConfig): Sizes {
  const { batch, groups, channels, filters, axes } = conv
  const [z, y, x] = axes
  const { spacing, step } = sharing(x)
  const span = (strip - 1) * step + x.kernel
  const block = each * lanes
  const blocks = Math.ceil(filters / block)
  const values = {
    strips_x: Math.ceil(x.output / (strip * spacing)) * spacing,
    strips_y: Math.ceil(y.output / tall),
    spacing_x: spacing,
    rows_y: reach(y, tall * Math.ceil(y.output / tall)),
    rows_z: reach(z, z.output),
    all_channels: groups * channels,
  }
  const segments = [batch, groups * channels, values.rows_z, values.rows_y, values.strips_x]
  return {
    ...{ span, block, blocks, values },
    masks: { dtype: 'u32', shape: segments },
    list: { dtype: conv.x.dtype, shape: [...segments, span] },
    packed: { dtype: conv.w.dtype, shape: [groups, channels, tapsOf(conv), blocks * block] },
    rows: { dtype: 'u32', shape: [groups, blocks, channels, z.kernel * y.kernel] },
  }
}

/** Values under the windows of so many outputs, from the first that the first covers. */
function reach({ stride, dilation, kernel }: WindowAxis, outputs: number): number {
  return (outputs - 1) * stride + dilation * (kernel - 1) + 1
}

/** A bit for each place of a segment that a window of the strip covers: with strides beyond the kernel, there are others. */
function usedOf(axis: WindowAxis, strip: number): number {
  const { step } = sharing(axis)
  let used = 0
  for (let output = 0; output < strip; output++) for (let tap = 0; tap < axis.kernel; tap++) used |= 1 << (output * step + tap)
  return used >>> 0
}

/** Filters side by side, which of their rows are zero, and whether one is not finite. */
function preparations(conv: Convolution, { block, blocks, packed, rows }: Sizes): Preparation[] {
  const { groups, channels, filters, w, axes } = conv
  const taps = channels * tapsOf(conv)
  const padded = blocks * block
  const input: TensorRef = { kind: 'input', index: INPUT.w }
  const weights = { name: 'w', dtype: w.dtype, access: 'read' } as const
  const nest = {
    extents: [groups, taps, filters],
    strides: [
      [filters * taps, 1, taps],
      [taps * padded, padded, 1],
    ],
  } as const
  const count = sizeOf(rows.shape)
  const dense: TensorType = { dtype: 'u32', shape: [1] }
  const bytes = bytesOf([w])
  const dispatches: DispatchPlan[] = [
    copyDispatch(conv.op, nest, { type: w, ref: input }, { type: packed, ref: { kind: 'prepared', index: 0 } }),
    {
      program: {
        name: `${conv.op}/zero_skipping_rows`,
        body: rowsBody,
        operands: [weights, { name: 'rows', dtype: 'u32', access: 'write' }],
        params: { filters: 'u32', blocks: 'u32', rows: 'u32', block_rows: 'u32' },
        constants: { BLOCK: block, KERNEL_X: axes[2].kernel },
        workgroupSize: [LANES, 1, 1],
      },
      bind: [input, { kind: 'prepared', index: 1 }],
      params: { filters, blocks, rows: count, block_rows: channels * axes[0].kernel * axes[1].kernel },
      groups: Math.ceil(count / LANES),
      cost: { flops: 0, bytes },
    },
    {
      program: {
        name: `${conv.op}/zero_skipping_finite`,
        body: finiteBody,
        operands: [weights, { name: 'dense', dtype: 'u32', access: 'write' }],
        params: { count: 'u32' },
        workgroupSize: [LANES, 1, 1],
      },
      bind: [input, { kind: 'prepared', index: 2 }],
      params: { count: sizeOf(w.shape) },
      groups: 1,
      cost: { flops: 0, bytes },
    },
  ]
  return [packed, rows, dense].map((type, index) => ({
    type,
    from: INPUT.w,
    dispatches: dispatches.slice(index, index + 1).filter(({ groups: workgroups }) => workgroups > 0),
  }))
}

function typed(values: Readonly<Record<string, number>>) {
  return { values, types: Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, 'u32'])) }
}
