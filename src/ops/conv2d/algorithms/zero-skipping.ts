/**
 * Convolution that multiplies non-zero activations alone, after SCNN (Parashar et al., ISCA 2017): activations are compressed as a run
 * begins, those of a pixel become a list of values and their channels, and each meets the weights of its channel. Think of a till that
 * only stops for what lies on the belt.
 *
 *     X ─▶ masks: a bit a channel ─▶ list: values and channels of each pixel, closed up ─┐
 *     W ─▶ prepared: filters side by side, channels whose weights are all zero ──────────┴▶ main: value · weights ─▶ sums ─▶ Y
 *
 * As in SCNN inputs are stationary: a workgroup owns the sums of a tile, takes one pixel of its input after the other, and lets that
 * pixel's list meet the weights of every tap at which an output of the tile sees it (a list that two tiles need is read by both: SCNN's input
 * halos). SCNN multiplies 4 activations by 4 weights at once and scatters the products over banks of accumulators through a crossbar. Lanes
 * of a GPU run in step, and there are no float atomics: so a lane owns filters, and all lanes of a workgroup walk the same list. While
 * it meets a tap, the sums of that output are in registers: a product costs one load, of a weight. With each activation's products scattered
 * one by one instead, the sum is loaded and stored too, 1.5 times the time on lavapipe. Nothing is added by two lanes, and the order of
 * terms is fixed: results do not vary from run to run.
 *
 * Of weights, what all lanes can skip is skipped: a channel whose weights are all zero is in no list. A single zero weight is
 * multiplied, for the lanes beside it have work. Where a channel has a weight that is NaN or infinite, its zeros are listed, those of
 * the padding too, for 0 · ∞ is NaN: results are the definition's.
 *
 * What is dispatched follows from shapes; the loops end at counts that the device reads.
 */
import { z } from 'zod'
import outputBody from '../../../../shaders/conv/output.wgsl?raw'
import channelsBody from '../../../../shaders/conv/zero_skipping/channels.wgsl?raw'
import listBody from '../../../../shaders/conv/zero_skipping/list.wgsl?raw'
import mainBody from '../../../../shaders/conv/zero_skipping/main.wgsl?raw'
import masksBody from '../../../../shaders/conv/zero_skipping/masks.wgsl?raw'
import valueBody from '../../../../shaders/conv/zero_skipping/value.wgsl?raw'
import quotient from '../../../../shaders/runtime/quotient.wgsl?raw'
import type { DispatchPlan, ParamType, Preparation, TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { issueOf, summed } from '../../gemm/estimate.ts'
import { powerOfTwo } from '../../gemm/kernels/workgroup.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../convolution.ts'
import { epilogueParts } from '../epilogue.ts'
import { bytesOf, packedType, packFilters, paddedFilters } from '../filters.ts'
import { sizeParams } from './direct.ts'

const schema = z.strictObject({
  algorithm: z.literal('zero-skipping'),
  /** Outputs of a row that a workgroup owns. */
  wide: z.number().int().min(1).max(16).default(4),
  /** Filters of a lane. */
  each: z.number().int().min(1).max(16).default(4),
  /** Of a workgroup. */
  lanes: z.union([z.literal(8), z.literal(16), z.literal(32), z.literal(64)]).default(32),
})
export type ZeroSkippingConfig = z.infer<typeof schema>

/** Of the kernels that compress and prepare. */
const LANES = 64
/** Workgroup memory that any device has. */
const MOST_BYTES = 16384
/** Channels of a word of masks. */
const WORD = 32

const temp = (index: number): TensorRef => ({ kind: 'temp', index })
const prepared = (index: number): TensorRef => ({ kind: 'prepared', index })

export const zeroSkipping: Algorithm<ZeroSkippingConfig> = {
  name: 'zero-skipping',
  schema,
  mixes: true,
  places: true,

  refusal(conv, { wide, each, lanes }) {
    const bytes = 4 * wide * each * lanes
    if (bytes > MOST_BYTES) return `${bytes} bytes of sums in workgroup memory, at most ${MOST_BYTES}`
    const elements = sizeOf(listsOf(conv).list.shape)
    return elements >= 2 ** 31 ? `lists of ${elements} words, 32-bit indices reach ${2 ** 31}` : undefined
  },

  candidates(conv, { software }) {
    const lanes = software ? 8 : 32
    const most = software ? 16 : 8
    const each = Math.min(most, powerOfTwo(conv.filters / lanes))
    return [{ algorithm: 'zero-skipping', wide: 4, each, lanes }]
  },

  plan(conv, { wide, each, lanes }) {
    const { batch, groups, channels, filters } = conv
    const { masks, list, counts } = listsOf(conv)
    const blocks = Math.ceil(filters / (each * lanes))
    const [depths, rows, columns] = conv.axes
    const strips = Math.ceil(columns.output / wide)
    const { values, types } = paramsOf(conv)
    const words = sizeOf(masks.shape)
    const compress = (name: string, body: string, own: Pick<DispatchPlan, 'bind'> & Pick<DispatchPlan['program'], 'operands'>) => ({
      program: {
        name: `${conv.op}/zero_skipping_${name}`,
        body: [quotient, outputBody, valueBody, body].join('\n'),
        operands: [{ name: 'x', dtype: conv.x.dtype, access: 'read' } as const, ...own.operands],
        params: types,
        workgroupSize: [LANES, 1, 1] as const,
      },
      bind: [{ kind: 'input', index: INPUT.x } as const, ...own.bind],
      params: values,
      groups: Math.ceil(words / LANES),
      cost: { flops: 2 * WORD * words, bytes: bytesOf([conv.x, masks, list]) },
    })
    const epilogue = epilogueParts(conv)
    const dispatches: DispatchPlan[] = [
      compress('masks', masksBody, {
        operands: [
          { name: 'kinds', dtype: 'u32', access: 'read' },
          { name: 'masks', dtype: 'u32', access: 'write' },
        ],
        bind: [prepared(1), temp(0)],
      }),
      compress('list', listBody, {
        operands: [
          { name: 'masks', dtype: 'u32', access: 'read' },
          { name: 'list', dtype: 'u32', access: 'write' },
          { name: 'counts', dtype: 'u32', access: 'write' },
        ],
        bind: [temp(0), temp(1), temp(2)],
      }),
      {
        program: {
          name: `${conv.op}/zero_skipping`,
          body: [epilogue.body, quotient, outputBody, mainBody].join('\n'),
          operands: [
            { name: 'list', dtype: 'u32', access: 'read' },
            { name: 'counts', dtype: 'u32', access: 'read' },
            { name: 'w', dtype: conv.w.dtype, access: 'read' },
            ...epilogue.operands,
            { name: 'y', dtype: conv.output.dtype, access: 'write' },
          ],
          params: { ...types, batch: 'u32', blocks: 'u32', strips_x: 'u32', taps: 'u32', padded_filters: 'u32', ...epilogue.types },
          constants: { WIDE: wide, EACH: each },
          workgroupSize: [lanes, 1, 1],
        },
        bind: [temp(1), temp(2), prepared(0), ...epilogue.bind, { kind: 'output', index: 0 }],
        params: {
          ...{ ...values, batch, blocks, strips_x: strips, taps: tapsOf(conv), padded_filters: paddedFilters(conv) },
          ...epilogue.values,
        },
        groups: strips * rows.output * depths.output * batch * blocks * groups,
        cost: {
          flops: 2 * macsOf(conv),
          bytes: bytesOf([list, counts, packedType(conv), conv.bias, conv.residual, conv.output]),
        },
      },
    ]
    return {
      reason: `zero activations skipped, lists of up to ${channels} channels, ${wide} outputs of ${each * lanes} filters`,
      dispatches: dispatches.filter((dispatch) => dispatch.groups > 0),
      temps: [masks, list, counts],
      prepared: [packFilters(conv, 0), channelKinds(conv, 1)],
    }
  },

  /** As if no activation were zero: how many multiplications are left is the data's. */
  work(conv) {
    const macs = macsOf(conv)
    const { masks, list, counts } = listsOf(conv)
    const between = [conv.x, conv.x, masks, masks, list, list, counts, counts]
    return {
      multiplications: macs,
      additions: macs,
      bytes: bytesOf([...between, packedType(conv), conv.bias, conv.residual, conv.output]),
    }
  },

  /** At that density: every product loads its weight. */
  estimate(conv, config, device, rates) {
    const plan = zeroSkipping.plan(conv, config, device)
    const { multiplications, bytes } = zeroSkipping.work(conv, config)
    const issue = issueOf({ w: { loads: multiplications, stores: 0 } }, plan, rates)
    const arithmetic = (2 * multiplications) / rates.flops.f32
    return summed({ arithmetic, memory: bytes / rates.bytes, cache: 0, workgroup: 0, issue }, plan, rates)
  },

  error: () => 0,
}

/** Pixels of all pictures and groups; padding is one more for each group. */
function pixelsIn({ batch, groups, axes }: Convolution): number {
  return batch * groups * axes.reduce((count, { input }) => count * input, 1)
}

/** What lies between dispatches: a bit a channel; value and channel of each that is listed, at the front of its pixel's; how many. */
function listsOf(conv: Convolution): { readonly masks: TensorType; readonly list: TensorType; readonly counts: TensorType } {
  const { groups, channels } = conv
  // Where there are no channels, a word says so.
  const pixels = pixelsIn(conv) + groups
  return {
    masks: { dtype: 'u32', shape: [pixels, wordsOf(channels)] },
    list: { dtype: 'u32', shape: [pixels, channels, 2] },
    counts: { dtype: 'u32', shape: [pixels] },
  }
}

function wordsOf(channels: number): number {
  return Math.max(1, Math.ceil(channels / WORD))
}

function paramsOf(conv: Convolution) {
  const words = wordsOf(conv.channels)
  const pixels = pixelsIn(conv)
  const values = { ...sizeParams(conv), parts: conv.groups, words, pixels, all_words: (pixels + conv.groups) * words }
  return { values, types: Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, 'u32'])) }
}

/** What the weights of each channel are: all zero, finite, or not. */
function channelKinds(conv: Convolution, index: number): Preparation {
  const { groups, channels, filters, w } = conv
  const all = groups * channels
  const type: TensorType = { dtype: 'u32', shape: [all] }
  const dispatch: DispatchPlan = {
    program: {
      name: `${conv.op}/zero_skipping_channels`,
      body: channelsBody,
      operands: [
        { name: 'w', dtype: w.dtype, access: 'read' },
        { name: 'kinds', dtype: 'u32', access: 'write' },
      ],
      params: { all_channels: 'u32', channels: 'u32', filters: 'u32', taps: 'u32' },
      workgroupSize: [LANES, 1, 1],
    },
    bind: [{ kind: 'input', index: INPUT.w }, prepared(index)],
    params: { all_channels: all, channels, filters, taps: tapsOf(conv) },
    groups: Math.ceil(all / LANES),
    cost: { flops: 0, bytes: bytesOf([w]) },
  }
  return { type, from: INPUT.w, dispatches: all === 0 ? [] : [dispatch] }
}
