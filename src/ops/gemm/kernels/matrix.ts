/**
 * Products of halves by matrix units, of whatever size the device lists: f16 operands, sums in f32 (in f16 where the caller asks for
 * it). Both sides are staged in workgroup memory, so that edges, strides, batches and segments work; where sizes are whole tiles, a
 * configuration may load fragments straight from memory (`direct`).
 */
import { z } from 'zod'
import across from '../../../../shaders/gemm/matrix/across.wgsl?raw'
import along from '../../../../shaders/gemm/matrix/along.wgsl?raw'
import deliver from '../../../../shaders/gemm/matrix/deliver-floats.wgsl?raw'
import deliverParts from '../../../../shaders/gemm/matrix/deliver-parts.wgsl?raw'
import direct from '../../../../shaders/gemm/matrix/direct.wgsl?raw'
import mainDirect from '../../../../shaders/gemm/matrix/main-direct.wgsl?raw'
import mainStaged from '../../../../shaders/gemm/matrix/main-staged.wgsl?raw'
import partSplit from '../../../../shaders/gemm/matrix/part-split.wgsl?raw'
import partWhole from '../../../../shaders/gemm/matrix/part-whole.wgsl?raw'
import tilesText from '../../../../shaders/gemm/matrix/tiles.wgsl?raw'
import { segmentBytes, segmentCount, type DeviceFacts } from '../../../gpu/program.ts'
import { dispatchesOf, readForm, type Kernel } from '../dispatch.ts'
import type { Accesses, Family } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'
import { rightAccesses } from '../sparse-side.ts'
import { unrolled } from '../unroll.ts'
import {
  laneCount,
  linesBytes,
  MATRIX_FEATURES,
  memoryRefusal,
  sumsBytes,
  tileCandidates,
  tileConstants,
  tileFields,
  tileMapping,
  tilesFor,
  tilesRefusal,
  unitFor,
  unitName,
  type Arithmetic,
  type Tiles,
} from './matrix-tiles.ts'
import { splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'

const MOST_SPLITS = 64

const schema = z.strictObject({
  kernel: z.literal('matrix'),
  ...tileFields,
  /** Fragments are loaded straight from memory. */
  direct: z.boolean().default(false),
  /** Parts of the depth that run side by side, for grids that do not fill the machine (split.ts); staged only. */
  splits: z.number().int().min(1).max(MOST_SPLITS).default(1),
})

export type MatrixConfig = z.infer<typeof schema>

function arithmeticOf({ accumulate }: Pick<Product, 'accumulate'>): Arithmetic {
  return { component: 'f16', result: accumulate, quadBytes: 8, sumBytes: accumulate === 'f16' ? 2 : 4 }
}

/** Elements that lines and slices must begin at multiples of, to be loaded by matrix units: 16 bytes of halves. */
const ALIGNED = 8

export const matrix: Family<MatrixConfig> = {
  name: 'matrix',
  schema,

  refusal(product, config, device) {
    if (product.a.type.dtype !== 'f16' || product.b.type.dtype !== 'f16') {
      return `operands are ${product.a.type.dtype} and ${product.b.type.dtype}, and these matrix units multiply f16`
    }
    if (!device.features.has('shader-f16')) return 'feature shader-f16 is missing'
    const refused = tilesRefusal(config, device, arithmeticOf(product))
    if (refused !== undefined) return refused
    const tiles = tilesOf(product, config, device)
    const tooLarge = memoryRefusal(workgroupBytes(product, config, tiles), device)
    if (tooLarge !== undefined) return tooLarge
    if (config.direct) return config.splits > 1 ? 'direct loads take the whole depth' : directRefusal(product, tiles, device)
    return splitRefusal(product, config.splits, Math.ceil(product.depth / tiles.depth), device)
  },

  candidates(product, device) {
    const { rows, columns, depth } = product
    const sizes = { rows, columns, depth, slices: slicesOf(product) }
    const staged = tileCandidates(sizes, device, arithmeticOf(product), MOST_SPLITS).map((config): MatrixConfig => {
      const both = { kernel: 'matrix' as const, ...config, direct: false }
      return matrix.refusal(product, both, device) === undefined ? both : { ...both, buffers: 1 }
    })
    const [best] = staged
    // One stage twice as deep takes the memory of two.
    const deep =
      best === undefined || best.steps > 4
        ? []
        : [{ ...best, steps: best.steps === 1 ? 2 : best.steps === 2 ? 4 : 8, buffers: 1 } as const]
    const loads = staged
      .filter(({ splits }) => splits === 1)
      .slice(0, 2)
      .map((config): MatrixConfig => ({ ...config, steps: 1, buffers: 1, direct: true }))
    return [...staged, ...deep, ...loads].filter((config) => matrix.refusal(product, config, device) === undefined)
  },

  plan(product, config, device) {
    const tiles = tilesOf(product, config, device)
    const { rowTiles, columnTiles } = gridOf(product, tiles)
    const [left, right] = [stagingOf(product, 'a'), stagingOf(product, 'b')]
    const constants = {
      ...tileConstants(config, tiles),
      ...(config.direct
        ? { FRAGMENT_LEFT: (tiles.unit.M * tiles.unit.K) / tiles.size, FRAGMENT_RIGHT: (tiles.unit.N * tiles.unit.K) / tiles.size }
        : {
            SPLITS: config.splits,
            STAGES: config.buffers,
            STEPS: config.steps,
            TILE_DEPTH: tiles.depth,
            PAD: tiles.pad,
            LEFT_SHARE: shareOf(tiles, tiles.rows),
            RIGHT_SHARE: shareOf(tiles, tiles.columns),
          }),
    }
    const body = [
      'alias left_matrix = subgroup_matrix_left<value_t, UNIT_K, UNIT_M>;',
      'alias right_matrix = subgroup_matrix_right<value_t, UNIT_N, UNIT_K>;',
      'alias result_matrix = subgroup_matrix_result<acc_t, UNIT_N, UNIT_M>;',
      config.splits === 1 ? deliver : deliverParts,
      ...(config.direct ? [] : [config.splits === 1 ? partWhole : partSplit]),
      tilesText,
      config.direct ? directText('left', 'a', left) : stagedText('left', left),
      config.direct ? directText('right', 'b', right) : stagedText('right', right),
      unrolled(config.direct ? mainDirect : mainStaged, constants),
    ].join('\n')
    const { accumulate } = product
    const reason =
      `matrix units ${unitName(tiles.unit)}, f16 into ${accumulate}, ${tiles.rows}×${tiles.columns} a workgroup, ` +
      `${tiles.ownRows}×${tiles.ownColumns} a subgroup of ${tiles.size}, ` +
      (config.direct ? 'loaded directly' : `${tiles.depth} of depth in each of ${config.buffers} stages`)
    const split = config.splits === 1 ? undefined : splitKernel(product, config.splits)
    const kernel: Kernel = {
      ...split,
      name: config.direct ? 'matrix-direct' : split === undefined ? 'matrix' : 'matrix-split',
      body,
      constants,
      workgroupSize: [tiles.lanes, 1, 1],
      workgroupBytes: workgroupBytes(product, config, tiles),
      requires: [...MATRIX_FEATURES, 'shader-f16'],
      groups: (slices) => slices * rowTiles * columnTiles * config.splits,
      params: {
        ...split?.params,
        row_tiles: rowTiles,
        column_tiles: columnTiles,
        ...(config.direct ? {} : { rounds: Math.ceil(product.depth / tiles.depth) }),
      },
      halves: true,
      direct: config.direct,
    }
    if (split !== undefined) return splitPlan(product, config.splits, kernel, reason)
    return { reason, dispatches: dispatchesOf(product, kernel), temps: [] }
  },

  mappingOf(product, config, device) {
    const tiles = tilesOf(product, config, device)
    const counts = { ...gridOf(product, tiles), slices: slicesOf(product), depth: product.depth, splits: config.splits }
    return tileMapping(tiles, config, counts, config.direct)
  },

  accesses(product, config, device): Accesses {
    const tiles = tilesOf(product, config, device)
    const { rowTiles, columnTiles } = gridOf(product, tiles)
    const groups = slicesOf(product) * rowTiles * columnTiles
    // Lines past the last are loaded as the last, depth past the end is not.
    const [lefts, rights] = config.direct ? [config.subgroupColumns, config.subgroupRows] : [1, 1]
    const rightLoads = groups * tiles.columns * rights * depthLoaded(product, 'b')
    return {
      a: { loads: groups * tiles.rows * lefts * depthLoaded(product, 'a'), stores: 0 },
      ...rightAccesses(product, rightLoads, rightLoads / 4),
      y: { loads: 0, stores: slicesOf(product) * product.rows * product.columns },
      ...(config.splits === 1 ? {} : splitAccesses(product, config.splits)),
    }
  },
}

/** Tiles of a configuration that a device has (`tilesRefusal`). */
function tilesOf(product: Product, config: MatrixConfig, device: DeviceFacts): Tiles {
  const arithmetic = arithmeticOf(product)
  const unit = unitFor(config, device, arithmetic)
  const size = laneCount(device)
  if (unit === undefined || size === undefined) throw new RangeError(`No tiles: ${tilesRefusal(config, device, arithmetic)}`)
  return tilesFor(config, unit, size, arithmetic)
}

function gridOf({ rows, columns }: Product, tiles: Tiles): { rowTiles: number; columnTiles: number } {
  return { rowTiles: Math.ceil(rows / tiles.rows), columnTiles: Math.ceil(columns / tiles.columns) }
}

/** Quads of a stage that a lane brings, for `lines` lines. */
function shareOf({ depth, lanes }: Tiles, lines: number): number {
  return Math.ceil((lines * depth) / 4 / lanes)
}

/** Whether a side is staged along its depth or across its lines: as it lies in memory. */
type Staging = 'along' | 'across'

function stagingOf(product: Product, which: 'a' | 'b'): Staging {
  const form = readForm(product, which)
  if (form !== 'any') return form
  const lines = which === 'a' ? product.rows : product.columns
  return product[which].line === 1 && lines > 1 ? 'across' : 'along'
}

/** Depth that is loaded of a line: whole quads where it lies in quads along the depth. */
function depthLoaded(product: Product, which: 'a' | 'b'): number {
  return readForm(product, which) === 'along' ? 4 * Math.ceil(product.depth / 4) : product.depth
}

function workgroupBytes(product: Product, config: MatrixConfig, tiles: Tiles): number {
  const arithmetic = arithmeticOf(product)
  const sums = sumsBytes(tiles, arithmetic)
  if (config.direct) return sums
  const side = (which: 'a' | 'b', lines: number): number =>
    stagingOf(product, which) === 'along'
      ? linesBytes(tiles, arithmetic, lines, tiles.depth)
      : linesBytes(tiles, arithmetic, tiles.depth, lines)
  return sums + config.buffers * (side('a', tiles.rows) + side('b', tiles.columns))
}

/** Why fragments cannot be loaded straight from memory. */
function directRefusal(product: Product, tiles: Tiles, { limits }: DeviceFacts): string | undefined {
  const { rows, columns, depth, batch } = product
  if (rows % tiles.rows !== 0) return `${rows} rows are no multiple of the tile's ${tiles.rows}, as direct loads need`
  if (columns % tiles.columns !== 0)
    return `${columns} columns are no multiple of the tile's ${tiles.columns}, as direct loads need`
  if (depth === 0 || depth % tiles.unit.K !== 0) return `a depth of ${depth} is no multiple of the unit's K, ${tiles.unit.K}`
  if ((tiles.unit.M * tiles.unit.K) % tiles.size !== 0 || (tiles.unit.N * tiles.unit.K) % tiles.size !== 0) {
    return `fragments of ${unitName(tiles.unit)} do not fall evenly on ${tiles.size} lanes`
  }
  for (const which of ['a', 'b'] as const) {
    const { line, depth: step, type, window, sparse } = product[which]
    const name = which.toUpperCase()
    if (window !== undefined) return `${name} is read through a window, and direct loads read what lies in memory`
    if (sparse !== undefined) return `${name} is packed in 2:4, and direct loads expand nothing`
    if (readForm(product, which) === 'any') return `${name} is contiguous along neither dimension, as direct loads need`
    const stride = stagingOf(product, which) === 'along' ? line : step
    if (stride % ALIGNED !== 0) return `${name} has a stride of ${stride}, no multiple of ${ALIGNED}, as direct loads need`
    const odd = batch.find((dimension) => dimension[which] % ALIGNED !== 0)
    if (odd !== undefined) return `slices of ${name} begin at multiples of ${odd[which]}, not of ${ALIGNED}, as direct loads need`
    const segments = segmentCount(type, segmentBytes(limits))
    if (segments > 1) return `${name} lies in ${segments} bindings, and direct loads need one`
  }
  return undefined
}

function stagedText(side: 'left' | 'right', staging: Staging): string {
  const isLeft = side === 'left'
  return (staging === 'along' ? along : across)
    .replaceAll('TILE_LINES', isLeft ? 'TILE_ROWS' : 'TILE_COLUMNS')
    .replaceAll('MAJOR', majorOf(side, staging))
    .replaceAll('SIDE', side)
}

function directText(side: 'left' | 'right', operand: string, staging: Staging): string {
  return direct
    .replaceAll('FRAGMENT_SIDE', side === 'left' ? 'FRAGMENT_LEFT' : 'FRAGMENT_RIGHT')
    .replaceAll('MAJOR', majorOf(side, staging))
    .replaceAll('STEP', staging === 'along' ? 'line' : 'depth')
    .replaceAll('SIDE', side)
    .replaceAll('OPERAND', operand)
}

/** How matrix units see a side that lies along its depth, or across: the left one is M×K, the right one K×N. */
function majorOf(side: 'left' | 'right', staging: Staging): 'row_major' | 'col_major' {
  return (side === 'left') === (staging === 'along') ? 'row_major' : 'col_major'
}
