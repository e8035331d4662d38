/**
 * Direct convolution with sums in registers, for what leaves a tile of a matrix product mostly empty: few channels (first layers), few
 * filters (last layers), small groups. An invocation owns one or two quads of a group's filters over a strip of outputs of a row
 * (shaders/conv/tiled/tile.wgsl has the picture); a value that it loads meets those filters at every output whose window it lies in.
 */
import { z } from 'zod'
import tile from '../../../../shaders/conv/tiled/tile.wgsl?raw'
import xOne from '../../../../shaders/conv/tiled/x_one.wgsl?raw'
import xQuad from '../../../../shaders/conv/tiled/x_quad.wgsl?raw'
import yEach from '../../../../shaders/conv/tiled/y_each.wgsl?raw'
import yWide from '../../../../shaders/conv/tiled/y_wide.wgsl?raw'
import type { Algorithm } from '../algorithm.ts'
import { macsOf, type Convolution } from '../convolution.ts'
import { bytesOf, packedType, packFilters, paddedFilters } from '../filters.ts'
import { inWholeQuads, sharing, storesQuads, stripDispatch, stripOf } from '../strips.ts'

const schema = z.strictObject({
  algorithm: z.literal('direct-tiled'),
  /** Outputs along x that an invocation owns. */
  strip: z.number().int().min(1).max(16).default(4),
  /** Quads of filters that it owns: a divisor of those of a group. */
  quads: z.number().int().min(1).max(2).default(1),
  /** Channels that a step of the loop unrolls: a divisor of the channels of a group, in quads where channels are read so. */
  chunk: z.number().int().min(1).max(64).default(1),
  /** Whether all rows of the window are unrolled, or looped over. */
  rows: z.enum(['unrolled', 'looped']).default('looped'),
})
export type DirectTiledConfig = z.infer<typeof schema>

/** Multiply-adds of a value with four filters that are unrolled: more take seconds to compile. */
const MOST_UNROLLED = 500

export const directTiled: Algorithm<DirectTiledConfig> = {
  name: 'direct-tiled',
  schema,
  mixes: true,
  places: true,

  refusal(conv, config) {
    const { quads, chunk } = config
    const groupQuads = paddedFilters(conv) / 4
    if (groupQuads % quads !== 0) return `${quads} quads do not divide the ${groupQuads} quads of filters of a group`
    if (chunk > 1 && conv.channels % chunk !== 0) return `a chunk of ${chunk} does not divide ${conv.channels} channels`
    if (chunk > 1 && !readsQuads(conv, chunk) && conv.layout === 'nchw4')
      return `a chunk of ${chunk} channels crosses quads of nchw4`
    const unrolled = unrolledBy(conv, config)
    return unrolled > MOST_UNROLLED ? `${unrolled} multiply-adds unrolled, at most ${MOST_UNROLLED}` : undefined
  },

  candidates(conv, device) {
    const longest = [stripOf(conv), 4, 2, 1].filter((strip) => strip === 1 || spanOf(conv, strip) <= MOST_VALUES)
    const configs = [...new Set(longest)].flatMap((strip) =>
      [1, 2]
        .flatMap((quads) =>
          chunksOf(conv).flatMap(
            (chunk) =>
              [
                { algorithm: 'direct-tiled', strip, quads, chunk, rows: 'unrolled' },
                { algorithm: 'direct-tiled', strip, quads, chunk, rows: 'looped' },
              ] satisfies DirectTiledConfig[],
          ),
        )
        .filter((config) => directTiled.refusal(conv, config, device) === undefined)
        .toSorted((a, b) => worthOf(conv, b) - worthOf(conv, a))
        .slice(0, 4),
    )
    return configs.slice(0, 8)
  },

  plan(conv, config) {
    const { strip, quads, chunk, rows } = config
    const { groups, filters, channels } = conv
    const [, y, x] = conv.axes
    const quadsX = readsQuads(conv, chunk)
    const wideY = storesQuads(conv) && (groups === 1 || filters % 4 === 0)
    const groupQuads = paddedFilters(conv) / 4
    const windowRows = `fn rows_of_window() -> u32 { return ${rows === 'unrolled' ? `${y.kernel}u` : 'params.kernel_y'}; }`
    const dispatch = stripDispatch(conv, {
      name: 'direct_tiled',
      strip,
      tall: 1,
      lines: (groups * groupQuads) / quads,
      body: [quadsX ? xQuad : xOne, wideY ? yWide : yEach, windowRows, tile],
      wide: { x: quadsX, w: true, bias: wideY, y: wideY },
      filters: { type: packedType(conv), ref: { kind: 'prepared', index: 0 } },
      values: { filters, all_filters: groups * filters, channels, group_quads: groupQuads },
      divisors: { group_lines: groupQuads / quads },
      constants: { KERNEL_X: x.kernel, STEP_X: sharing(x).step, QUADS: quads, CHUNK: chunk, EACH: quadsX ? Math.min(4, chunk) : 1 },
    })
    return {
      reason: `direct, tiles of ${strip} outputs of ${4 * quads} filters, ${chunk} channels at once`,
      dispatches: [dispatch],
      temps: [],
      prepared: [packFilters(conv, 0)],
    }
  },

  work(conv) {
    const macs = macsOf(conv)
    return {
      multiplications: macs,
      additions: macs,
      bytes: bytesOf([conv.x, packedType(conv), conv.bias, conv.residual, conv.output]),
    }
  },

  error: () => 0,
}

/** Whether a chunk of channels is loaded in quads: each begins with a quad, and is whole ones or all there is. */
function readsQuads({ layout, groups, channels }: Convolution, chunk: number): boolean {
  if (!inWholeQuads(layout, groups * channels)) return false
  return (chunk % 4 === 0 && channels % 4 === 0) || (groups === 1 && chunk === channels && chunk < 4)
}

function unrolledBy({ axes: [, y, x] }: Convolution, { strip, quads, chunk, rows }: DirectTiledConfig): number {
  return x.kernel * (rows === 'unrolled' ? y.kernel : 1) * strip * quads * chunk
}

/** Values of a row that an invocation holds. */
function spanOf({ axes: [, , x] }: Convolution, strip: number): number {
  return (strip - 1) * sharing(x).step + x.kernel
}

/** More than these do not stay in registers. */
const MOST_VALUES = 24
/** A loop with so much inside hides what it costs to go round; more only takes longer to compile. */
const ENOUGH_UNROLLED = 300

/** Which of two configurations of a strip to try first: loads in quads, then loads that meet eight filters, then long loops. */
function worthOf(conv: Convolution, config: DirectTiledConfig): number {
  const unrolled = unrolledBy(conv, config)
  return (
    (readsQuads(conv, config.chunk) ? 2000 : 0) +
    1000 * config.quads +
    (unrolled <= ENOUGH_UNROLLED ? unrolled : ENOUGH_UNROLLED - unrolled)
  )
}

/** Chunks that divide the channels, the largest first. */
function chunksOf({ channels }: Convolution): number[] {
  return [32, 16, 8, 4, 3, 2, 1].filter((chunk) => channels % chunk === 0)
}
