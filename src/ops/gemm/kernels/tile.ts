/**
 * What the families have in common whose workgroups own tiles of Y and whose invocations own blocks of a tile: sizes, grids, and the
 * three ways in which workgroups share the work (shaders/gemm/tile.wgsl has the picture of a tile):
 *
 *     whole    a workgroup for each tile                               tiled_whole.wgsl
 *     split    a workgroup for each tile and part of the depth         tiled_split.wgsl, reduce.wgsl
 *     stream   a fixed number of workgroups, equal shares of all steps tiled_stream.wgsl, tiled_fix.wgsl
 *
 * Stream-K is that of Osama, Merrill, Cecka, Garland, Owens (PPoPP 2023), but for its fix-up: workgroups of WebGPU cannot wait for one
 * another, so partial tiles are added up by a second dispatch.
 */
import { z } from 'zod'
import finishBody from '../../../../shaders/gemm/tiled_finish.wgsl?raw'
import finishLoopBody from '../../../../shaders/gemm/tiled_finish_loop.wgsl?raw'
import fixBody from '../../../../shaders/gemm/tiled_fix.wgsl?raw'
import shareBody from '../../../../shaders/gemm/share.wgsl?raw'
import splitBody from '../../../../shaders/gemm/tiled_split.wgsl?raw'
import streamBody from '../../../../shaders/gemm/tiled_stream.wgsl?raw'
import tileBody from '../../../../shaders/gemm/tile.wgsl?raw'
import wholeBody from '../../../../shaders/gemm/tiled_whole.wgsl?raw'
import { estimateSeconds, LONGEST_LAUNCH_SECONDS } from '../../../gpu/launch.ts'
import { deviceByteSize, type DeviceFacts, type OpPlan } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { dispatchesOf, slicesPerDispatch, type Kernel } from '../dispatch.ts'
import type { Accesses } from '../family.ts'
import { flopsOf, slicesOf, type Product } from '../product.ts'
import { unrolled } from '../unroll.ts'
import { partialsRefusal, splitAccesses, splitKernel, splitPlan, splitRefusal } from './split.ts'

const edge = z.literal([16, 32, 64, 128])
const block = z.literal([4, 8])

/** Fields of a configuration. */
export const tileFields = {
  /** Rows and columns of Y that a workgroup owns. */
  tileRows: edge.default(64),
  tileColumns: edge.default(64),
  /** Rows and columns that an invocation owns. */
  rows: block.default(8),
  columns: block.default(8),
  /** Rows of tiles that workgroups run down together before they go to the next column. */
  swizzle: z.literal([1, 2, 4, 8, 16]).default(8),
  /** Parts of the depth that run side by side. */
  splits: z.int().min(1).max(256).default(1),
  /** Workgroups that share all tiles evenly, however many tiles there are. Absent: one for each tile (and part). */
  persistent: z.int().min(1).max(65535).optional(),
}

export interface TileConfig {
  readonly tileRows: number
  readonly tileColumns: number
  /** Depth of a step, the least that a part or share of the work can be. */
  readonly tileDepth: number
  readonly rows: number
  readonly columns: number
  readonly swizzle: number
  readonly splits: number
  readonly persistent?: number | undefined
}

/** What a configuration comes to on a product. */
export interface Tiles {
  readonly lanes: number
  readonly rowTiles: number
  readonly columnTiles: number
  /** Tiles of one dispatch. */
  readonly tiles: number
  /** Steps of the depth of a tile, at least 1. */
  readonly steps: number
  /** Workgroups of a persistent configuration, no more than there are steps; 0 without. */
  readonly shares: number
}

export function tilesOf(product: Product, config: TileConfig): Tiles {
  const { tileRows, tileColumns, tileDepth, persistent = 0 } = config
  const rowTiles = Math.ceil(product.rows / tileRows)
  const columnTiles = Math.ceil(product.columns / tileColumns)
  const tiles = slicesPerDispatch(product) * rowTiles * columnTiles
  const steps = Math.max(1, Math.ceil(product.depth / tileDepth))
  const lanes = (tileRows / config.rows) * (tileColumns / config.columns)
  return { lanes, rowTiles, columnTiles, tiles, steps, shares: Math.min(persistent, tiles * steps) }
}

/** Why workgroups cannot share the work as the configuration says. Undefined where they can. */
export function tileRefusal(product: Product, config: TileConfig, device: DeviceFacts): string | undefined {
  const { lanes, tiles, steps, shares } = tilesOf(product, config)
  const { maxComputeInvocationsPerWorkgroup: most } = device.limits
  if (lanes > most) return `${lanes} invocations, maxComputeInvocationsPerWorkgroup ${most}`
  if (config.persistent === undefined) return splitRefusal(product, config.splits, steps, device)
  if (config.splits > 1) return `${config.splits} splits and persistent workgroups: either shares the depth out`
  if (tiles * steps >= 2 ** 31) return `${tiles * steps} steps to share out, fewer than 2^31 can be counted`
  // One workgroup is the least that a launch can be.
  const flops = flopsOf(product) / Math.max(1, shares)
  const seconds = estimateSeconds({ flops, bytes: 0 }, device)
  if (seconds > LONGEST_LAUNCH_SECONDS) {
    return `each of ${shares} workgroups is estimated to run ${seconds.toPrecision(2)} s, at most ${LONGEST_LAUNCH_SECONDS} s`
  }
  return partialsRefusal(product, sharedTiles(product, config), device, true)
}

/** The temp of a stream-K product: two tiles for each share. */
function sharedTiles(product: Product, config: TileConfig): TensorType {
  return { dtype: 'f32', shape: [tilesOf(product, config).shares, 2, config.tileRows, config.tileColumns] }
}

/** What makes a family of tiles: the WGSL of `sums_of`, and what that needs. */
export interface TileKernel extends Pick<Kernel, 'name' | 'constants' | 'workgroupBytes' | 'halves'> {
  readonly body: string
}

/** The plan of a configuration that was not refused. */
export function tilePlan(product: Product, config: TileConfig, device: DeviceFacts, family: TileKernel): OpPlan {
  const { lanes, rowTiles, columnTiles, tiles, steps, shares } = tilesOf(product, config)
  const { tileRows, tileColumns, tileDepth, rows, columns, swizzle, splits } = config
  const [down, across] = [rows / 4, columns / 4]
  const shape = {
    TILE_ROWS: tileRows,
    TILE_COLUMNS: tileColumns,
    COLUMNS: columns,
    ROWS: rows,
    SWIZZLE: swizzle,
    ...{ QUAD: 4, DOWN: down, ACROSS: across, SUMS: rows * across },
  }
  const grid = { row_tiles: rowTiles, column_tiles: columnTiles, steps, stored: rows * across }
  const constants = { ...shape, TILE_DEPTH: tileDepth, ...family.constants }
  const joined = (...bodies: string[]): string => unrolled([tileBody, ...bodies].join('\n'), constants)
  // A software adapter compiles on the processor that runs the kernel.
  const finish = device.software ? finishLoopBody : finishBody
  const kernel = {
    ...family,
    constants,
    workgroupSize: [lanes, 1, 1] as const,
    params: grid,
  }
  const reason = `tiles of ${tileRows} rows by ${tileColumns} columns, ${rows} by ${columns} an invocation`
  if (shares > 0) {
    const partials = sharedTiles(product, config)
    const extra = { name: 'partials', dtype: partials.dtype, width: 4, ref: { kind: 'temp', index: 0 } } as const
    const params = { ...grid, tiles, shares }
    const stream = dispatchesOf(product, {
      ...kernel,
      name: `${family.name}-stream`,
      body: joined(shareBody, family.body, finish, streamBody),
      params,
      extra: [{ ...extra, access: 'write' }],
      groups: () => shares,
    })
    const bytes = 2 * sizeOf(partials.shape) * deviceByteSize(partials.dtype)
    const fix = dispatchesOf(product, {
      name: 'tiled-fix',
      body: joined(shareBody, fixBody),
      constants: shape,
      workgroupSize: [lanes, 1, 1],
      params,
      reads: false,
      extra: [{ ...extra, access: 'read' }],
      groups: () => shares - 1,
    }).map((dispatch) => ({ ...dispatch, cost: { flops: sizeOf(partials.shape), bytes } }))
    return {
      reason: `${reason}, ${shares} workgroups share all tiles`,
      dispatches: stream.flatMap((dispatch, index) => [dispatch, ...fix.slice(index, index + 1)]),
      temps: [partials],
    }
  }
  const groups = (slices: number): number => splits * slices * rowTiles * columnTiles
  if (splits === 1) {
    const body = joined(family.body, finish, wholeBody)
    return { reason, dispatches: dispatchesOf(product, { ...kernel, body, groups }), temps: [] }
  }
  const { params, ...partial } = splitKernel(product, splits)
  const split = {
    ...kernel,
    ...partial,
    name: `${family.name}-split`,
    body: joined(family.body, splitBody),
    constants: { ...kernel.constants, SPLITS: splits },
    params: { ...grid, ...params },
    groups,
  }
  return splitPlan(product, splits, split, reason)
}

/** Accesses to the result and to partial sums. */
export function tileAccesses(product: Product, config: TileConfig): Accesses {
  const y = { loads: 0, stores: slicesOf(product) * product.rows * product.columns }
  if (config.persistent !== undefined) return { y, partials: sharedAccesses(product, config) }
  return config.splits === 1 ? { y } : { y, ...splitAccesses(product, config.splits) }
}

/** What shares leave of tiles that they do not have to themselves, edges and all; the fix-up loads what lies inside Y. */
function sharedAccesses(product: Product, config: TileConfig): { loads: number; stores: number } {
  const { tiles, steps, shares, rowTiles, columnTiles } = tilesOf(product, config)
  const { tileRows, tileColumns } = config
  const all = tiles * steps
  const startOf = (share: number): number => share * Math.floor(all / shares) + Math.min(share, all % shares)
  let stores = 0
  let loads = 0
  for (let share = 0; share < shares; share++) {
    const end = startOf(share + 1)
    for (let at = startOf(share); at < end;) {
      const tile = Math.floor(at / steps)
      const last = Math.min((tile + 1) * steps, end)
      if (last - at < steps) {
        stores += tileRows * tileColumns
        loads += insideOf(product, config, tile % (rowTiles * columnTiles))
      }
      // Whole tiles are skipped at once.
      at = last === (tile + 1) * steps && end - last >= steps ? last + Math.floor((end - last) / steps) * steps : last
    }
  }
  const dispatches = slicesOf(product) / slicesPerDispatch(product)
  return { loads: dispatches * loads, stores: dispatches * stores }
}

/** Values of a tile that lie inside Y, in whole quads of columns. `tile_of` of tile.wgsl says which tile is where. */
function insideOf({ rows, columns }: Product, { tileRows, tileColumns, swizzle }: TileConfig, tile: number): number {
  const rowTiles = Math.ceil(rows / tileRows)
  const columnTiles = Math.ceil(columns / tileColumns)
  const band = Math.floor(tile / (swizzle * columnTiles))
  const inside = tile % (swizzle * columnTiles)
  const height = Math.min(swizzle, rowTiles - band * swizzle)
  const row = (band * swizzle + (inside % height)) * tileRows
  const column = Math.floor(inside / height) * tileColumns
  return Math.min(tileRows, rows - row) * 4 * Math.ceil(Math.min(tileColumns, columns - column) / 4)
}
