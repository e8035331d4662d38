/**
 * The product of many rows with weights in 2:4, of which only kept values are multiplied: think of the tiled kernel turned by a quarter.
 * Its lanes lie over rows, so that all of a subgroup meet the same weight at once, and the seats of a column choose one of six branches that
 * all of them take (shaders/gemm/sparse/tiles.wgsl). Half the multiply-adds, against a branch for every column and group.
 *
 *     rows / lane   multiply-adds of a column and group, dense and kept      a branch of about ten instructions makes it
 *     4             16    8                                                  16 / 18
 *     8             32   16                                                  32 / 26
 *     8, 4 share   128   64                                                 128 / 74
 *
 * For GPUs; on a CPU a branch that lanes do not share is all its cases.
 */
import body from '../../../../shaders/gemm/sparse/tiles.wgsl?raw'
import { z } from 'zod'
import type { Mapping } from '../../../schedule/mapping.ts'
import { GROUP, KEPT, WORD_GROUPS, wordsOf } from '../../../sparsity/two-of-four.ts'
import { dispatchesOf, readForm } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'

const schema = z.strictObject({
  kernel: z.literal('two-of-four-tiles'),
  /** Rows and columns that a lane owns. */
  rows: z.literal([4, 8]).default(8),
  columns: z.literal([4, 8]).default(8),
  /** Lanes over the rows and over the columns of a workgroup. */
  rowLanes: z.literal([8, 16, 32, 64]).default(32),
  columnLanes: z.literal([1, 2, 4, 8]).default(4),
  /** Groups of depth of a step. */
  groups: z.literal([1, 2, 4]).default(2),
})

export type TwoOfFourTilesConfig = z.infer<typeof schema>

interface Tiles {
  readonly rows: number
  readonly columns: number
  readonly rowTiles: number
  readonly columnTiles: number
  /** Groups of the whole depth that are staged, those past its end too. */
  readonly groups: number
}

function tilesOf(product: Product, config: TwoOfFourTilesConfig): Tiles {
  const rows = config.rowLanes * config.rows
  const columns = config.columnLanes * config.columns
  return {
    rows,
    columns,
    rowTiles: Math.ceil(product.rows / rows),
    columnTiles: Math.ceil(product.columns / columns),
    groups: config.groups * Math.ceil(product.depth / (GROUP * config.groups)),
  }
}

/** Of A four values of a quad of rows, of B two of a quad of columns and its seats. */
function workgroupBytes({ rowLanes, columnLanes, rows, columns, groups }: TwoOfFourTilesConfig): number {
  return groups * (4 * GROUP * rowLanes * rows + (columnLanes * columns * (2 * 16 + 4)) / 4)
}

export const twoOfFourTiles: Family<TwoOfFourTilesConfig> = {
  name: 'two-of-four-tiles',
  schema,

  refusal(product, config, device) {
    if (product.b.sparse === undefined) return 'the weights are not packed in 2:4'
    const { maxComputeInvocationsPerWorkgroup: limit, maxComputeWorkgroupStorageSize: memory } = device.limits
    const lanes = config.rowLanes * config.columnLanes
    if (lanes > limit) return `${lanes} invocations, maxComputeInvocationsPerWorkgroup ${limit}`
    const bytes = workgroupBytes(config)
    return bytes > memory ? `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${memory}` : undefined
  },

  candidates(product, device) {
    if (product.b.sparse === undefined || device.software || product.rows < LEAST_ROWS) return []
    return [
      schema.parse({ kernel: 'two-of-four-tiles' }),
      schema.parse({ kernel: 'two-of-four-tiles', columnLanes: 8 }),
      schema.parse({ kernel: 'two-of-four-tiles', rowLanes: 16, columnLanes: 8 }),
      schema.parse({ kernel: 'two-of-four-tiles', columns: 4, columnLanes: 8, groups: 4 }),
    ].filter((config) => twoOfFourTiles.refusal(product, config, device) === undefined)
  },

  plan(product, config) {
    const { rows, columns, rowTiles, columnTiles } = tilesOf(product, config)
    const { rowLanes, columnLanes, groups } = config
    return {
      reason: `2:4, a branch by seat: tiles of ${rows} rows by ${columns} columns, ${config.rows} by ${config.columns} a lane`,
      dispatches: dispatchesOf(product, {
        name: 'two-of-four-tiles',
        body,
        constants: {
          DOWN: config.rows / 4,
          COLUMNS: config.columns,
          ROW_LANES: rowLanes,
          COLUMN_LANES: columnLanes,
          GROUPS: groups,
        },
        workgroupSize: [rowLanes * columnLanes, 1, 1],
        workgroupBytes: workgroupBytes(config),
        groups: (slices) => slices * rowTiles * columnTiles,
        params: { row_tiles: rowTiles, column_tiles: columnTiles, quad: 4 },
      }),
      temps: [],
    }
  },

  /** Of the values that are multiplied: half the depth. */
  nest: (product) => ({ ...product, depth: KEPT * WORD_GROUPS * wordsOf(product.depth) }),

  mappingOf(product, config): Mapping {
    const { rowTiles, columnTiles } = tilesOf(product, config)
    const kept = KEPT * WORD_GROUPS * wordsOf(product.depth)
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [['C', Math.max(1, kept / (KEPT * config.groups))]],
          spatial: {
            x: [['M', columnTiles]],
            y: [
              ['N', slicesOf(product)],
              ['P', rowTiles],
            ],
          },
        },
        {
          name: 'GLB',
          temporal: [['C', KEPT * config.groups]],
          spatial: { x: [['M', config.columnLanes]], y: [['P', config.rowLanes]] },
          keep: ['inputs', 'weights'],
        },
        {
          name: 'RF',
          temporal: [
            ['P', config.rows],
            ['M', config.columns],
          ],
          keep: ['outputs', 'weights', 'inputs'],
        },
      ],
    }
  },

  accesses(product, config): Accesses {
    const { rows, columns, rowTiles, columnTiles, groups } = tilesOf(product, config)
    const all = slicesOf(product) * rowTiles * columnTiles * groups
    const form = readForm(product, 'a')
    // A block past the end is read as the last, of which there is what is left of the depth.
    const whole = form === 'along' ? GROUP * groups : product.depth + (groups - Math.ceil(product.depth / GROUP)) * lastOf(product)
    const quads = (all * columns) / 4
    return {
      a: { loads: slicesOf(product) * rowTiles * columnTiles * rows * whole, stores: 0 },
      ...rightAccesses(product, quads * GROUP * GROUP, quads),
      y: { loads: 0, stores: slicesOf(product) * product.rows * product.columns },
    }
  },
}

/** Values of the last group of the depth. */
function lastOf({ depth }: Product): number {
  return depth === 0 ? 0 : ((depth - 1) % GROUP) + 1
}

/** Fewer rows leave lanes without any. */
const LEAST_ROWS = 64
