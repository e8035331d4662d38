/**
 * The tiled product: operands pass through workgroup memory, sums stay in registers. Legal on any device, for any product, and
 * what GPUs with fast workgroup memory run best. shaders/gemm/tiled.wgsl has the picture.
 *
 * Large tiles load less (a tile of R × C loads R + C values for R · C multiply-adds at each k), small ones fill more of the machine.
 */
import { z } from 'zod'
import tiledBody from '../../../../shaders/gemm/tiled.wgsl?raw'
import sideBody from '../../../../shaders/gemm/tiled_side.wgsl?raw'
import type { DeviceFacts } from '../../../gpu/program.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { readForm } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'
import { tileAccesses, tileFields, tilePlan, tileRefusal, tilesOf } from './tile.ts'

const schema = z.strictObject({
  kernel: z.literal('tiled'),
  ...tileFields,
  /** Steps of depth that lie in workgroup memory at once. */
  tileDepth: z.literal([8, 16, 32]).default(16),
  /** 2: a step is put into workgroup memory while the one before is read. */
  buffers: z.literal([1, 2]).default(1),
})

export type TiledConfig = z.infer<typeof schema>

type Form = Partial<Omit<TiledConfig, 'kernel'>>

/** From the largest tile to the smallest, each in the forms that suit it. */
const LADDER: readonly Form[] = [
  { tileRows: 128, tileColumns: 128, tileDepth: 16, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 128, tileColumns: 128, tileDepth: 8, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 128, tileColumns: 128, tileDepth: 8, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 128, tileColumns: 64, tileDepth: 16, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 64, tileColumns: 128, tileDepth: 16, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 8, columns: 8, buffers: 2 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 8, columns: 8, buffers: 1 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 8, columns: 4, buffers: 2 },
  { tileRows: 64, tileColumns: 64, tileDepth: 16, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 64, tileColumns: 32, tileDepth: 16, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 32, tileColumns: 64, tileDepth: 16, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 32, tileColumns: 32, tileDepth: 32, rows: 4, columns: 4, buffers: 2 },
  { tileRows: 16, tileColumns: 64, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
  { tileRows: 64, tileColumns: 16, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
  { tileRows: 16, tileColumns: 16, tileDepth: 32, rows: 4, columns: 4, buffers: 1 },
]

/** Workgroups that a GPU of middle size keeps at work at once: with fewer, tiles are made smaller or the depth is shared out. */
const FULL_GRID = 128
/** Of a processor that plays a GPU. */
const FULL_SOFTWARE_GRID = 4
const MOST_CANDIDATES = 12
/** Compiling takes longer than measuring there. */
const MOST_SOFTWARE_CANDIDATES = 3

function fullGrid({ software }: DeviceFacts): number {
  return software ? FULL_SOFTWARE_GRID : FULL_GRID
}

export const tiled: Family<TiledConfig> = {
  name: 'tiled',
  schema,

  refusal(product, config, device) {
    const bytes = workgroupBytes(product, config)
    const { maxComputeWorkgroupStorageSize: limit } = device.limits
    if (bytes > limit) return `${bytes} bytes of workgroup memory, maxComputeWorkgroupStorageSize ${limit}`
    return tileRefusal(product, config, device)
  },

  candidates(product, device) {
    const configs: TiledConfig[] = []
    for (const form of LADDER) {
      const config = formed(form)
      if (isWasteful(product, config)) continue
      for (const shared of [{}, { splits: splitsFor(product, config, device) }, { persistent: fullGrid(device) }]) {
        const given = { ...config, ...shared }
        if ('splits' in shared && shared.splits === 1) continue
        // Shares pay where the last round of tiles leaves most of the machine idle.
        if ('persistent' in shared && !hasRaggedRounds(product, config, device)) continue
        if (tiled.refusal(product, given, device) === undefined) configs.push(given)
      }
    }
    return configs.slice(0, device.software ? MOST_SOFTWARE_CANDIDATES : MOST_CANDIDATES)
  },

  plan(product, config, device) {
    const [left, right] = [sideOf(product, config, 'a'), sideOf(product, config, 'b')]
    return tilePlan(product, config, device, {
      name: 'tiled',
      body: [sideBody.replaceAll('SIDE', 'left'), sideBody.replaceAll('SIDE', 'right'), tiledBody].join('\n'),
      constants: {
        BUFFERS: config.buffers,
        DEEP: config.tileDepth / 4,
        WHOLE_STEPS: `${product.depth % config.tileDepth === 0}`,
        LEFT_PASSES: left.passes,
        RIGHT_PASSES: right.passes,
        ...constantsOf('left', left),
        ...constantsOf('right', right),
      },
      workgroupBytes: workgroupBytes(product, config),
      halves: product.a.type.dtype === 'f16' && product.b.type.dtype === 'f16',
    })
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
          temporal: [['C', Math.min(tileDepth, Math.max(1, product.depth))]],
          spatial: { x: [['M', tileColumns / columns]], y: [['P', tileRows / rows]] },
          keep: ['weights', 'inputs'],
        },
        {
          name: 'RF',
          temporal: [
            ['P', rows],
            ['M', columns],
          ],
          keep: ['weights', 'inputs', 'outputs'],
        },
      ],
    }
  },

  accesses(product, config): Accesses {
    const { rowTiles, columnTiles, steps, lanes } = tilesOf(product, config)
    const all = product.depth === 0 ? 0 : slicesOf(product) * rowTiles * columnTiles * steps
    // Every lane fetches its quads in every step: what lies past the end is read as the last.
    const fetched = (side: 'a' | 'b'): number => all * sideOf(product, config, side).passes * lanes * 4
    return {
      a: { loads: fetched('a'), stores: 0 },
      ...rightAccesses(product, fetched('b'), fetched('b') / 4),
      ...tileAccesses(product, config),
    }
  },
}

/** How a side passes through workgroup memory (tiled_side.wgsl). */
interface TiledSide {
  /** Lines of the tile. */
  readonly lines: number
  /** Quads are four k of a line, rather than four lines at one k. */
  readonly deep: boolean
  /** The four values of a quad are loaded one by one. */
  readonly single: boolean
  /** Quads that an invocation loads in a step. */
  readonly passes: number
  /** Vectors of four in workgroup memory. */
  readonly size: number
}

function sideOf(product: Product, config: TiledConfig, side: 'a' | 'b'): TiledSide {
  const lines = side === 'a' ? config.tileRows : config.tileColumns
  const form = readForm(product, side)
  const deep = form === 'along' || (form === 'any' && product[side].depth === 1)
  const quads = (lines * config.tileDepth) / 4
  const { lanes } = tilesOf(product, config)
  const passes = Math.ceil(quads / lanes)
  return { lines, deep, single: deep && form === 'any', passes, size: deep ? quads + lines / 4 : quads }
}

function constantsOf(name: 'left' | 'right', { lines, deep, single }: TiledSide): Record<string, number | string> {
  return { [`${name}_count`]: lines, [`${name}_deep`]: `${deep}`, [`${name}_single`]: `${single}` }
}

function workgroupBytes(product: Product, config: TiledConfig): number {
  const quads = sideOf(product, config, 'a').size + sideOf(product, config, 'b').size
  return config.buffers * quads * (product.accumulate === 'f16' ? 8 : 16)
}

function formed(form: Form): TiledConfig {
  return schema.parse({ kernel: 'tiled', ...form })
}

/** A tile at least half of which lies past the edge: a smaller one does the same with less. */
function isWasteful({ rows, columns }: Product, { tileRows, tileColumns }: TiledConfig): boolean {
  return (tileRows > 16 && tileRows >= 2 * rows) || (tileColumns > 16 && tileColumns >= 2 * columns)
}

/** Parts of the depth that fill the machine, each of two steps at least. 1 where the grid fills it. */
function splitsFor(product: Product, config: TiledConfig, device: DeviceFacts): number {
  const { tiles, steps } = tilesOf(product, config)
  return Math.max(1, Math.min(Math.floor(fullGrid(device) / tiles), Math.floor(steps / 2), 256))
}

/** Whether the last of a few rounds of tiles fills less than half of the machine. */
function hasRaggedRounds(product: Product, config: TiledConfig, device: DeviceFacts): boolean {
  const { tiles } = tilesOf(product, config)
  const full = fullGrid(device)
  return tiles > full && tiles < 4 * full && tiles % full > 0 && tiles % full < full / 2
}

/** Steps of a part of the depth, by rule: with fewer, partial sums cost more than the part. */
const PART_STEPS = 4
/** Values of a tile that loads few enough operands, by rule. */
const FAIR_TILE = 64 * 64

/**
 * The configuration by rule: the largest tile whose grid fills a GPU, down to 64 × 64; else tiles of 64 × 64 whose depth fills it in
 * parts; else the largest tile that fills it, or the one with the most tiles. The smallest tile is legal on any device.
 */
export function tiledByRule(product: Product, device: DeviceFacts): TiledConfig {
  const legal = LADDER.map(formed).filter(
    (config) => !isWasteful(product, config) && tiled.refusal(product, config, device) === undefined,
  )
  const area = (config: TiledConfig): number => config.tileRows * config.tileColumns
  const fills = (config: TiledConfig): boolean => tilesOf(product, config).tiles >= fullGrid(device)
  const large = legal.find((config) => area(config) >= FAIR_TILE && fills(config))
  if (large !== undefined) return large
  for (const config of legal.filter((each) => area(each) === FAIR_TILE)) {
    const { tiles, steps } = tilesOf(product, config)
    const splits = Math.min(splitsFor(product, config, device), Math.floor(steps / PART_STEPS))
    const split = { ...config, splits }
    if (2 * splits * tiles >= fullGrid(device) && tiled.refusal(product, split, device) === undefined) return split
  }
  const most = (best: TiledConfig, config: TiledConfig): TiledConfig =>
    tilesOf(product, config).tiles > tilesOf(product, best).tiles ? config : best
  return legal.find(fills) ?? legal.reduce(most, formed({ tileRows: 16, tileColumns: 16, rows: 4, columns: 4 }))
}
