/**
 * The product with weights in 2:4 that multiplies only what was kept. Think of the vector kernel (vector.ts), whose lanes walk down
 * columns, with half the steps: for each kept value a lane takes the value of A under its seat. Seats are loaded once for four columns and
 * eight groups; values lie in panels, so that a walk is one run of memory.
 *
 *     gather 'shuffle'   lanes of a subgroup hold A side by side and exchange it by seat (shaders/gemm/sparse/walk_shuffle.wgsl)
 *            'select'    every lane has the four values of A of a group and selects (walk_select.wgsl): on any device
 *
 * Where the columns of a quad share their seats, one exchange serves all four, and arithmetic is halved too.
 */
import deliverPart from '../../../../shaders/gemm/vector_deliver_part.wgsl?raw'
import deliverWhole from '../../../../shaders/gemm/vector_deliver_whole.wgsl?raw'
import main from '../../../../shaders/gemm/vector_main.wgsl?raw'
import meetAlone from '../../../../shaders/gemm/vector_meet_alone.wgsl?raw'
import meetMemory from '../../../../shaders/gemm/vector_meet_memory.wgsl?raw'
import meetPlain from '../../../../shaders/gemm/vector_meet_plain.wgsl?raw'
import body from '../../../../shaders/gemm/vector_product.wgsl?raw'
import walkSelect from '../../../../shaders/gemm/sparse/walk_select.wgsl?raw'
import walkShuffle from '../../../../shaders/gemm/sparse/walk_shuffle.wgsl?raw'
import walkWords from '../../../../shaders/gemm/sparse/walk_words.wgsl?raw'
import { z } from 'zod'
import type { DeviceFacts } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { GROUP, WORD_DEPTH, wordsOf } from '../../../sparsity/two-of-four.ts'
import { dispatchesOf, readForm, type Kernel } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { subgroupSize } from './broadcast.ts'
import { splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'

const schema = z.strictObject({
  kernel: z.literal('two-of-four'),
  /** How a value of A comes to the lanes that have a seat for it. */
  gather: z.enum(['shuffle', 'select']).default('shuffle'),
  /** Rows that a lane keeps sums of. */
  rows: z.literal([1, 2, 4, 8, 16]).default(8),
  /** Lanes over the columns of a workgroup, a quad each. */
  across: z.literal([4, 8, 16, 32, 64, 128]).default(8),
  /** Lanes that share the depth of a quad, a word of it each at a time. */
  along: z.literal([1, 2, 4, 8, 16, 32, 64]).default(1),
  /** Quads of columns that a lane owns. */
  strips: z.literal([1, 2, 4]).default(1),
  /** Workgroups that share the depth; their sums meet in a second dispatch (split.ts). */
  parts: z.int().min(1).max(1024).default(1),
})

export type TwoOfFourConfig = z.infer<typeof schema>

/** Workgroup memory that any device has. */
const LEAST_WORKGROUP_BYTES = 16384
const QUAD_BYTES = 16

interface Layout {
  readonly lanes: number
  readonly rowTiles: number
  readonly columnTiles: number
  /** Words of depth of one part. */
  readonly partWords: number
  /** Rows whose sums meet at a time. */
  readonly meetRows: number
}

function layoutOf({ rows, columns, depth }: Product, config: TwoOfFourConfig): Layout {
  const { across, along, strips, parts } = config
  const lanes = across * along
  const inMemory = Math.floor(LEAST_WORKGROUP_BYTES / (QUAD_BYTES * lanes * strips))
  return {
    lanes,
    rowTiles: Math.ceil(rows / config.rows),
    columnTiles: Math.ceil(columns / (GROUP * across * strips)),
    partWords: Math.ceil(wordsOf(depth) / parts),
    meetRows: along === 1 ? 1 : Math.max(1, Math.min(4, config.rows, 2 ** Math.floor(Math.log2(Math.max(1, inMemory))))),
  }
}

/** Values of a row of A that a subgroup holds at a time: a word's at most. */
function heldOf(device: DeviceFacts): number {
  return Math.min(WORD_DEPTH, subgroupSize(device) ?? GROUP)
}

function workgroupBytes(product: Product, config: TwoOfFourConfig): number {
  const { lanes, meetRows } = layoutOf(product, config)
  return config.along === 1 ? 0 : lanes * meetRows * config.strips * QUAD_BYTES
}

export const twoOfFour: Family<TwoOfFourConfig> = {
  name: 'two-of-four',
  schema,

  refusal(product, config, device) {
    const { gather, across, along, parts } = config
    if (product.b.sparse === undefined) return 'the weights are not packed in 2:4'
    const size = subgroupSize(device)
    if (gather === 'shuffle') {
      if (device.subgroups === undefined) return 'the device has no subgroups'
      if (size === undefined) return 'the subgroups of the device have no one size, or their lanes are not in order'
      if (across % size !== 0) return `${across} lanes over the columns are no whole subgroups of ${size}`
    }
    const { maxComputeInvocationsPerWorkgroup: limit, maxComputeWorkgroupStorageSize: memory } = device.limits
    if (across * along > limit) return `${across * along} invocations, maxComputeInvocationsPerWorkgroup ${limit}`
    const bytes = workgroupBytes(product, config)
    if (bytes > memory) return `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${memory}`
    return splitRefusal(product, parts, wordsOf(product.depth), device)
  },

  candidates(product, device) {
    if (product.b.sparse === undefined) return []
    const rows = ([1, 2, 4, 8, 16] as const).find((count) => count >= product.rows) ?? 16
    const configs = (['shuffle', 'select'] as const).flatMap((gather) =>
      ([2, 1] as const).map((strips) => schema.parse({ kernel: 'two-of-four', gather, rows, strips })),
    )
    return configs.filter((config) => twoOfFour.refusal(product, config, device) === undefined)
  },

  plan(product, config, device) {
    const { lanes, rowTiles, columnTiles, partWords, meetRows } = layoutOf(product, config)
    const { gather, rows, across, along, strips, parts } = config
    const { params, ...partial } = parts > 1 ? splitKernel(product, parts) : { params: {} }
    const shuffles = gather === 'shuffle'
    const kernel: Kernel = {
      name: 'two-of-four',
      body: [
        ...(along === 1 ? [meetAlone] : [meetMemory, meetPlain]),
        parts > 1 ? deliverPart : deliverWhole,
        body,
        walkWords,
        shuffles ? walkShuffle : walkSelect,
        main,
      ].join('\n'),
      constants: {
        ROWS: rows,
        STRIPS: strips,
        ACROSS: across,
        ALONG: along,
        ACROSS_STEP: 1,
        ALONG_STEP: across,
        MEET_ROWS: meetRows,
        ...(shuffles ? { HELD: heldOf(device) } : {}),
      },
      workgroupSize: [lanes, 1, 1],
      workgroupBytes: workgroupBytes(product, config),
      ...(shuffles ? { requires: ['subgroups'] as const, single: true } : {}),
      groups: (slices) => slices * parts * columnTiles * rowTiles,
      params: {
        ...params,
        row_tiles: rowTiles,
        column_tiles: columnTiles,
        parts,
        part_words: partWords,
        meet: meetRows * strips,
      },
      ...partial,
    }
    const how = shuffles ? 'exchanged by seat' : 'selected by seat'
    const reason = `2:4, values of A ${how}: ${rows} rows by ${GROUP * across * strips} columns`
    return parts > 1 ? splitPlan(product, parts, kernel, reason) : { reason, dispatches: dispatchesOf(product, kernel), temps: [] }
  },

  mappingOf(product, config): Mapping {
    const { rowTiles, columnTiles, partWords } = layoutOf(product, config)
    const { rows, across, along, strips, parts } = config
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [],
          // Lanes load for themselves, so those over the columns lie where nothing is shared.
          spatial: {
            x: [
              ['M', columnTiles * across],
              ['C', parts],
            ],
            y: [
              ['N', slicesOf(product)],
              ['P', rowTiles],
            ],
          },
        },
        {
          name: 'GLB',
          temporal: [['C', Math.max(1, Math.ceil(partWords / along))]],
          spatial: { y: [['C', along]] },
          keep: [],
        },
        {
          name: 'RF',
          temporal: [
            ['C', WORD_DEPTH],
            ['P', rows],
            ['M', GROUP * strips],
          ],
          keep: ['outputs', 'weights', 'inputs'],
        },
      ],
    }
  },

  accesses(product, config, device): Accesses {
    const { depth, b } = product
    const { sparse } = b
    const { rowTiles, columnTiles } = layoutOf(product, config)
    const { gather, rows, across, strips, parts } = config
    const slices = slicesOf(product)
    const lanes = slices * rowTiles * columnTiles * across
    const held = gather === 'shuffle' ? heldOf(device) : GROUP
    const steps = Math.ceil(depth / held)
    const left = gather === 'shuffle' ? 1 : readForm(product, 'a') === 'any' ? depth / steps : GROUP
    const words = lanes * strips * wordsOf(depth)
    const counted = {
      a: { loads: lanes * rows * steps * left, stores: 0 },
      b: { loads: lanes * strips * steps * (held / GROUP) * (sparse?.bits === 4 ? 1 : 2) * 4, stores: 0 },
      seats: { loads: words * (sparse?.share === 1 ? 4 : 1), stores: 0 },
      ...(sparse?.scales === undefined ? {} : { scales: { loads: 4 * words, stores: 0 } }),
      y: { loads: 0, stores: slices * product.rows * product.columns },
    }
    return parts === 1 ? counted : { ...counted, ...splitAccesses(product, parts) }
  },
}
