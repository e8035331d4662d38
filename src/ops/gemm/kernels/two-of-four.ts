/**
 * The product with weights in 2:4, which multiplies only what was kept. Think of the vector kernel (vector.ts), whose lanes walk down
 * columns, with half the steps: for each kept value a lane takes the value of A under its seat. Seats are loaded once for four columns and
 * eight groups; values lie in panels, so that a walk is one run of memory.
 *
 *     gather 'shuffle'   lanes of a subgroup hold A side by side and exchange it by seat (shaders/gemm/sparse/walk_shuffle.wgsl)
 *            'select'    every lane has the four values of A of a group and selects by seat (walk_select.wgsl): on any device
 *            'expand'    kept values are put where they sit, once for all rows (walk_expand.wgsl): saves bytes, not multiplications
 *
 * An exchange takes the place of the multiplication that it saves, unless the columns of a quad share their seats: then one serves all
 * four, and arithmetic is halved too. A selection takes that of two, so it pays while bytes are the bound.
 */
import deliverPart from '../../../../shaders/gemm/vector_deliver_part.wgsl?raw'
import deliverWhole from '../../../../shaders/gemm/vector_deliver_whole.wgsl?raw'
import main from '../../../../shaders/gemm/vector_main.wgsl?raw'
import meetAlone from '../../../../shaders/gemm/vector_meet_alone.wgsl?raw'
import meetMemory from '../../../../shaders/gemm/vector_meet_memory.wgsl?raw'
import meetPlain from '../../../../shaders/gemm/vector_meet_plain.wgsl?raw'
import body from '../../../../shaders/gemm/vector_product.wgsl?raw'
import walkExpand from '../../../../shaders/gemm/sparse/walk_expand.wgsl?raw'
import walkSelect from '../../../../shaders/gemm/sparse/walk_select.wgsl?raw'
import walkShuffle from '../../../../shaders/gemm/sparse/walk_shuffle.wgsl?raw'
import walkWords from '../../../../shaders/gemm/sparse/walk_words.wgsl?raw'
import { z } from 'zod'
import type { DeviceFacts } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { GROUP, KEPT, WORD_DEPTH, WORD_VALUES, wordsOf } from '../../../sparsity/two-of-four.ts'
import { dispatchesOf, readForm, type Kernel } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { subgroupSize } from './broadcast.ts'
import { splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'
import { loadsOf } from './vector.ts'
import { powerOfTwo } from './workgroup.ts'

const schema = z.strictObject({
  kernel: z.literal('two-of-four'),
  /** How a value of A comes to the lanes that have a seat for it. */
  gather: z.enum(['shuffle', 'select', 'expand']).default('shuffle'),
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

const WALKS = {
  shuffle: { text: walkShuffle, how: 'values of A exchanged by seat' },
  select: { text: walkSelect, how: 'values of A selected by seat' },
  expand: { text: walkExpand, how: 'expanded in registers' },
} as const

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
    const configs = device.software ? softwareConfigs(product) : gpuConfigs(product, device)
    return configs.filter((config) => twoOfFour.refusal(product, config, device) === undefined).slice(0, MOST_CANDIDATES)
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
        WALKS[gather].text,
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
    const reason = `2:4, ${WALKS[gather].how}: ${rows} rows by ${GROUP * across * strips} columns`
    return parts > 1 ? splitPlan(product, parts, kernel, reason) : { reason, dispatches: dispatchesOf(product, kernel), temps: [] }
  },

  /** Of the values that are multiplied: half the depth, but where all are. */
  nest: (product, { gather }) => (gather === 'expand' ? product : { ...product, depth: WORD_VALUES * wordsOf(product.depth) }),

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
            ['C', config.gather === 'expand' ? WORD_DEPTH : WORD_VALUES],
            ['P', rows],
            ['M', GROUP * strips],
          ],
          keep: ['outputs', 'weights', 'inputs'],
        },
      ],
    }
  },

  accesses(product, config, device): Accesses {
    const { sparse } = product.b
    const { rowTiles, columnTiles } = layoutOf(product, config)
    const { gather, rows, across, strips, parts } = config
    const slices = slicesOf(product)
    const lanes = slices * rowTiles * columnTiles * across
    const { words, steps } = walked(product, config, device)
    const held = gather === 'shuffle' ? heldOf(device) : GROUP
    const left = gather === 'shuffle' ? steps : loadsOf(readForm(product, 'a'), product.depth, 1)
    const counted = {
      a: { loads: lanes * rows * left, stores: 0 },
      b: { loads: lanes * strips * steps * (held / GROUP) * (sparse?.bits === 4 ? 1 : KEPT) * 4, stores: 0 },
      seats: { loads: lanes * strips * words * (sparse?.share === 1 ? 4 : 1), stores: 0 },
      ...(sparse?.scales === undefined ? {} : { scales: { loads: 4 * lanes * strips * words, stores: 0 } }),
      y: { loads: 0, stores: slices * product.rows * product.columns },
    }
    return parts === 1 ? counted : { ...counted, ...splitAccesses(product, parts) }
  },
}

/**
 * Words that the lanes of a quad load together, and steps of depth, each of `heldOf` or of a group. In subgroups that exchange values all
 * lanes take as many steps as the first of those that share a depth.
 */
function walked(
  product: Product,
  { gather, along, parts }: TwoOfFourConfig,
  device: DeviceFacts,
): { readonly words: number; readonly steps: number } {
  const all = wordsOf(product.depth)
  if (gather !== 'shuffle') return { words: all, steps: Math.ceil(product.depth / GROUP) }
  const held = heldOf(device)
  const part = Math.ceil(all / parts)
  let words = 0
  let steps = 0
  for (let first = 0; first < all; first += part) {
    for (let word = first; word < Math.min(first + part, all); word += along) {
      words += along
      steps += along * Math.ceil(Math.min(WORD_DEPTH, product.depth - WORD_DEPTH * word) / held)
    }
  }
  return { words, steps }
}

const MOST_CANDIDATES = 12

/** Rows of a tile: all, up to 16. */
function rowsOf({ rows }: Product): TwoOfFourConfig['rows'] {
  return ([1, 2, 4, 8, 16] as const).find((count) => count >= rows) ?? 16
}

/** Columns from which four strips, and from which two, leave workgroups enough to share out among processors. */
const FOUR_STRIPS = 1024
const TWO_STRIPS = 256

/**
 * Where a CPU plays the GPU: an exchange between eight lanes is one instruction, and a load of A serves all strips of a lane: of 4096 × 4096
 * f32 weights four strips are 1.05 to 1.3 times as fast as two (lavapipe, 1 to 64 rows).
 */
function softwareConfigs(product: Product): TwoOfFourConfig[] {
  const rows = rowsOf(product)
  const { columns } = product
  const best = columns >= FOUR_STRIPS ? 4 : columns >= TWO_STRIPS ? 2 : 1
  const counts = [best, ...([1, 2, 4] as const).filter((count) => count !== best)]
  const strips = counts.map((count) => schema.parse({ kernel: 'two-of-four', rows, strips: count }))
  const others = (['expand', 'select'] as const).map((gather) => schema.parse({ kernel: 'two-of-four', rows, strips: 2, gather }))
  return [...strips, ...others]
}

/** Rows up to which bytes of the weights are the bound, or near it, on any device. */
const FEW_ROWS = 16

/**
 * The configuration by rule, and why; undefined where a kernel of the dense product is the better one, which expands weights as it loads
 * them: of many rows arithmetic is the bound. In software an exchange costs what a multiplication does and saves loads of values that were
 * not kept, 1.3 times of 64 rows; but through a window A is dear to load value by value.
 */
export function twoOfFourByRule(product: Product, device: DeviceFacts): { config: TwoOfFourConfig; reason: string } | undefined {
  const [config] = twoOfFour.candidates(product, device)
  if (config === undefined) return undefined
  const { rows } = product
  if (rows <= FEW_ROWS) return { config, reason: `by rule for ${rows === 1 ? 'one row' : `${rows} rows`} of 2:4` }
  if (!device.software || config.gather !== 'shuffle' || product.a.window !== undefined) return undefined
  return { config, reason: 'by rule for 2:4 on a software adapter' }
}

/** Invocations of a workgroup, and workgroups that keep enough loads under way on a large GPU (vector.ts). */
const GPU_LANES = 256
const ENOUGH_GROUPS = 256
/** Rows up to which selecting by seat, row by row, is less than expanding once. */
const SELECTED_ROWS = 2

/**
 * Where memory is what costs: a workgroup takes whole panels, its lanes share the depth, and only what gives too few workgroups even so is
 * split in parts, whose second dispatch takes as long as reading some 10 MB.
 */
function gpuConfigs(product: Product, device: DeviceFacts): TwoOfFourConfig[] {
  const rows = rowsOf(product)
  const words = wordsOf(product.depth)
  const most = Math.min(GPU_LANES, 2 ** Math.floor(Math.log2(device.limits.maxComputeInvocationsPerWorkgroup)))
  const gathers =
    product.rows <= SELECTED_ROWS ? (['select', 'shuffle', 'expand'] as const) : (['expand', 'shuffle', 'select'] as const)
  const configs = gathers.flatMap((gather) =>
    [8, 16, 32].flatMap((across) => {
      const along = Math.min(64, most / across, powerOfTwo(words))
      const whole = { kernel: 'two-of-four', gather, rows, across, along }
      const { columnTiles, rowTiles } = layoutOf(product, schema.parse(whole))
      const groups = slicesOf(product) * columnTiles * rowTiles
      const wanted = powerOfTwo(ENOUGH_GROUPS / groups)
      const parts = Math.max(1, Math.min(wanted, Math.floor(words / (2 * along))))
      return parts === 1 ? [schema.parse(whole)] : [schema.parse(whole), schema.parse({ ...whole, parts })]
    }),
  )
  return configs
}
