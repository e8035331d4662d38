/**
 * The tiled product: operands pass through workgroup memory, sums stay in registers. Legal on any device, for any product, and
 * what GPUs with fast workgroup memory run best. shaders/gemm/tiled.wgsl has the picture.
 *
 * Large tiles load less (a tile of R × C loads (R + C) values for R · C multiply-adds at each k), small ones fill more of the machine.
 */
import { z } from 'zod'
import tileBody from '../../../../shaders/gemm/tiled.wgsl?raw'
import finishBody from '../../../../shaders/gemm/tiled_finish.wgsl?raw'
import splitBody from '../../../../shaders/gemm/tiled_split.wgsl?raw'
import wholeBody from '../../../../shaders/gemm/tiled_whole.wgsl?raw'
import type { DeviceFacts } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { dispatchesOf, readForm, slicesPerDispatch } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'

const edge = z.union([z.literal(16), z.literal(32), z.literal(64), z.literal(128)])
const block = z.union([z.literal(4), z.literal(8)])

const schema = z.strictObject({
  kernel: z.literal('tiled'),
  /** Rows and columns of Y that a workgroup owns. */
  tileRows: edge.default(64),
  tileColumns: edge.default(64),
  /** Steps of depth that lie in workgroup memory at once. */
  tileDepth: z.union([z.literal(8), z.literal(16), z.literal(32)]).default(16),
  /** Rows and columns that an invocation owns. */
  rows: block.default(4),
  columns: block.default(4),
  /** 2: a step is put into workgroup memory while the one before is read. */
  buffers: z.union([z.literal(1), z.literal(2)]).default(1),
  /** Rows of tiles that workgroups run down together before they go to the next column. */
  swizzle: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16)]).default(8),
  /** Parts of the depth that run side by side. */
  splits: z.int().min(1).max(256).default(1),
})

export type TiledConfig = z.infer<typeof schema>

/** What a configuration comes to on a product. */
interface Tiles {
  readonly lanes: number
  readonly rowTiles: number
  readonly columnTiles: number
  /** Steps of the depth, at least 1. */
  readonly steps: number
  readonly workgroupBytes: number
}

function tilesOf({ rows, columns, depth, accumulate }: Product, config: TiledConfig): Tiles {
  const { tileRows, tileColumns, tileDepth, buffers } = config
  return {
    lanes: (tileRows / config.rows) * (tileColumns / config.columns),
    rowTiles: Math.ceil(rows / tileRows),
    columnTiles: Math.ceil(columns / tileColumns),
    steps: Math.max(1, Math.ceil(depth / tileDepth)),
    workgroupBytes: buffers * tileDepth * (tileRows + tileColumns) * (accumulate === 'f16' ? 2 : 4),
  }
}

/** Configurations from the largest tile to the smallest, each the form that suits it on GPUs. */
const LADDER: readonly Partial<TiledConfig>[] = [
  { tileRows: 128, tileColumns: 128, tileDepth: 16, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 128, tileColumns: 128, tileDepth: 16, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 128, tileColumns: 128, tileDepth: 8, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 128, tileColumns: 64, tileDepth: 16, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 64, tileColumns: 128, tileDepth: 16, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 4, columns: 8, buffers: 2 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 32, tileColumns: 64, tileDepth: 16, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 32, tileColumns: 32, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
  { tileRows: 16, tileColumns: 64, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
  { tileRows: 16, tileColumns: 16, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
]

/** Workgroups that a GPU of middle size keeps at work at once: below, tiles are made smaller or the depth is split. */
const FULL_GRID = 128

export const tiled: Family<TiledConfig> = {
  name: 'tiled',
  schema,

  refusal(product, config, device) {
    const { lanes, workgroupBytes, steps } = tilesOf(product, config)
    const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupStorageSize: storage } = device.limits
    if (lanes > most) return `${lanes} invocations, maxComputeInvocationsPerWorkgroup ${most}`
    if (workgroupBytes > storage) return `${workgroupBytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${storage}`
    return splitRefusal(product, config.splits, steps, device)
  },

  candidates(product, device) {
    const fits = (config: TiledConfig): boolean => tiled.refusal(product, config, device) === undefined
    const configs: TiledConfig[] = []
    for (const given of LADDER) {
      const config = schema.parse({ kernel: 'tiled', ...given })
      // A tile that is mostly beyond the edge does what a smaller one does, and more.
      if (config.tileRows >= 2 * Math.max(16, product.rows) || config.tileColumns >= 2 * Math.max(16, product.columns)) continue
      if (fits(config)) configs.push(config)
      const splits = splitsFor(product, config)
      if (splits > 1 && fits({ ...config, splits })) configs.push({ ...config, splits })
    }
    return configs.slice(0, 12)
  },

  plan(product, config) {
    const { lanes, rowTiles, columnTiles, steps, workgroupBytes } = tilesOf(product, config)
    const { tileRows, tileColumns, tileDepth, rows, columns, buffers, swizzle, splits } = config
    const kernel = {
      name: 'tiled',
      constants: {
        TILE_ROWS: tileRows,
        TILE_COLUMNS: tileColumns,
        TILE_DEPTH: tileDepth,
        ROWS: rows,
        COLUMNS: columns,
        BUFFERS: buffers,
        SWIZZLE: swizzle,
        ...placement('LEFT', readForm(product, 'a') === 'along', tileRows),
        ...placement('RIGHT', readForm(product, 'b') === 'along', tileColumns),
      },
      workgroupSize: [lanes, 1, 1] as const,
      workgroupBytes,
      groups: (slices: number) => splits * slices * rowTiles * columnTiles,
      params: { row_tiles: rowTiles, column_tiles: columnTiles, steps },
    }
    const reason = `tiles of ${tileRows} rows by ${tileColumns} columns, ${rows} by ${columns} an invocation`
    if (splits === 1) {
      return { reason, dispatches: dispatchesOf(product, { ...kernel, body: tileBody + finishBody + wholeBody }), temps: [] }
    }
    const { params, ...partial } = splitKernel(product, splits)
    const split = {
      ...kernel,
      ...partial,
      name: 'tiled-split',
      body: tileBody + splitBody,
      constants: { ...kernel.constants, SPLITS: splits },
      params: { ...kernel.params, ...params },
    }
    return splitPlan(product, splits, split, reason)
  },

  mappingOf(product, config): Mapping {
    const { rowTiles, columnTiles, steps } = tilesOf(product, config)
    const { tileRows, tileColumns, tileDepth, rows, columns, splits } = config
    return {
      levels: [
        {
          name: 'DRAM',
          temporal: [['C', Math.ceil(steps / splits)]],
          spatial: {
            x: [
              ['M', columnTiles],
              ['C', splits],
            ],
            y: [
              ['N', slicesOf(product)],
              ['P', rowTiles],
            ],
          },
        },
        {
          name: 'GLB',
          temporal: [['C', tileDepth]],
          spatial: { x: [['M', tileColumns / columns]], y: [['P', tileRows / rows]] },
          keep: ['weights', 'inputs'],
        },
        {
          name: 'RF',
          temporal: [
            ['P', rows],
            ['M', columns],
          ],
          // 8 × 8 sums are all that the model's 64 registers hold.
          keep: rows * columns < 64 ? ['weights', 'inputs', 'outputs'] : ['outputs'],
        },
      ],
    }
  },

  accesses(product, config): Accesses {
    const { rowTiles, columnTiles } = tilesOf(product, config)
    const tiles = slicesOf(product) * rowTiles * columnTiles
    // Lines past the last are loaded as the last; along the depth values come in whole quads.
    const depth = (side: 'a' | 'b'): number =>
      readForm(product, side) === 'along' ? 4 * Math.ceil(product.depth / 4) : product.depth
    return {
      a: { loads: tiles * config.tileRows * depth('a'), stores: 0 },
      b: { loads: tiles * config.tileColumns * depth('b'), stores: 0 },
      ...(config.splits === 1 ? {} : splitAccesses(product, config.splits)),
      y: { loads: 0, stores: slicesOf(product) * product.rows * product.columns },
    }
  },
}

/** How a side's blocks lie in workgroup memory (tiled.wgsl): both only where it is read along the depth. */
function placement(side: 'LEFT' | 'RIGHT', along: boolean, lines: number): Record<string, number> {
  // Quads are exchanged within groups of eight.
  return { [`${side}_SPAN`]: along ? 2 : 1, [`${side}_FLIP`]: along && lines >= 32 ? 4 : 0 }
}

/** Parts of the depth that fill the machine with tiles of this configuration, each of two steps at least. 1 where the grid does. */
function splitsFor(product: Product, config: TiledConfig): number {
  const { rowTiles, columnTiles, steps } = tilesOf(product, config)
  const groups = slicesPerDispatch(product) * rowTiles * columnTiles
  return Math.max(1, Math.min(Math.floor(FULL_GRID / groups), Math.floor(steps / 2), 256))
}

/**
 * The configuration by rule: the largest tile whose grid fills a GPU; where none does, the largest of those whose depth fills it when
 * split, else the one with the most tiles. Never undefined: the smallest tile is legal on any device.
 */
export function tiledByRule(product: Product, device: DeviceFacts): TiledConfig {
  const legal = tiled.candidates(product, device)
  const groups = (config: TiledConfig): number => {
    const { rowTiles, columnTiles } = tilesOf(product, config)
    return config.splits * slicesPerDispatch(product) * rowTiles * columnTiles
  }
  const whole = legal.filter(({ splits }) => splits === 1)
  const filling = whole.find((config) => groups(config) >= FULL_GRID) ?? legal.find((config) => groups(config) >= FULL_GRID / 2)
  if (filling !== undefined) return filling
  const [first = schema.parse({ kernel: 'tiled', tileRows: 16, tileColumns: 16 }), ...others] = whole
  return others.reduce((best, config) => (groups(config) > groups(best) ? config : best), first)
}
