/**
 * Products of bytes by matrix units, i8 × i8 into i32: the core of packed-dot.ts that multiplies whole fragments. Both sides are staged
 * along the depth, as the units want bytes; u8 operands were moved by 128 on the way in, like anywhere, and zero points are taken off
 * by sums of rows and columns when results leave.
 */
import along from '../../../../shaders/gemm/matrix/bytes-along.wgsl?raw'
import blocks from '../../../../shaders/gemm/matrix/bytes-blocks.wgsl?raw'
import columnWords from '../../../../shaders/gemm/matrix/bytes-columns.wgsl?raw'
import deliver from '../../../../shaders/gemm/matrix/deliver-bytes.wgsl?raw'
import main from '../../../../shaders/gemm/matrix/main-staged.wgsl?raw'
import part from '../../../../shaders/gemm/matrix/part-whole.wgsl?raw'
import tilesText from '../../../../shaders/gemm/matrix/tiles.wgsl?raw'
import type { DeviceFacts, ProgramSource } from '../../../gpu/program.ts'
import { unrolled } from '../unroll.ts'
import {
  laneCount,
  linesBytes,
  MATRIX_FEATURES,
  memoryRefusal,
  sumsBytes,
  tileCandidates,
  tileConstants,
  tilesFor,
  tilesRefusal,
  unitFor,
  unitName,
  type Arithmetic,
  type TileConfig,
  type Tiles,
} from './matrix-tiles.ts'

const BYTES: Arithmetic = { component: 'i8', result: 'i32', quadBytes: 4, sumBytes: 4 }

/** Sums in which matrix units pay: below, tiles are mostly empty. */
const LEAST_LINES = 32
const LEAST_DEPTH = 32

/** What a product of bytes by matrix units runs: the same fields as the other cores of packed-dot.ts. */
export interface MatrixCore {
  readonly body: string
  readonly constants: Readonly<Record<string, number | string>>
  readonly workgroupSize: readonly [number, number, number]
  readonly workgroupBytes: number
  readonly requires: NonNullable<ProgramSource['requires']>
  readonly tiles: { readonly row_tiles: number; readonly column_tiles: number; readonly rounds: number }
  /** The tiles in words, for a plan's reason. */
  readonly words: string
}

export interface ByteSizes {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly slices: number
}

/** Whether matrix units are the kernel by rule: a GPU that lists i8 into i32, and sizes that fill fragments. */
export function prefersMatrixBytes(sizes: ByteSizes, device: DeviceFacts): boolean {
  if (device.software) return false
  if (sizes.rows < LEAST_LINES || sizes.columns < LEAST_LINES || sizes.depth < LEAST_DEPTH) return false
  return matrixBytesRefusal(sizes, device) === undefined
}

/** Why a device cannot multiply bytes by matrix units; undefined: it can. */
export function matrixBytesRefusal(sizes: ByteSizes, device: DeviceFacts): string | undefined {
  const config = configOf(sizes, device)
  const refused = tilesRefusal(config, device, BYTES)
  return refused ?? memoryRefusal(bytesOf(tilesOf(config, device), config), device)
}

/** The core for these sizes; `transB`: B lies along its depth. The device can run it (`matrixBytesRefusal`). */
export function matrixBytesCore(sizes: ByteSizes, transB: boolean, device: DeviceFacts): MatrixCore {
  const config = configOf(sizes, device)
  const tiles = tilesOf(config, device)
  const words = tiles.depth / 4
  const constants = {
    ...tileConstants(config, tiles),
    STAGES: config.buffers,
    STEPS: config.steps,
    TILE_DEPTH: tiles.depth,
    PAD: tiles.pad,
    LEFT_SHARE: Math.ceil((tiles.rows * words) / tiles.lanes),
    RIGHT_SHARE: Math.ceil(((transB ? tiles.columns : tiles.columns / 4) * words) / tiles.lanes),
  }
  return {
    body: [
      'alias acc_t = i32;',
      'alias left_matrix = subgroup_matrix_left<i8, UNIT_K, UNIT_M>;',
      'alias right_matrix = subgroup_matrix_right<i8, UNIT_N, UNIT_K>;',
      'alias result_matrix = subgroup_matrix_result<i32, UNIT_N, UNIT_M>;',
      deliver,
      part,
      tilesText,
      alongText('left'),
      ...(transB ? [columnWords, alongText('right')] : [blocks.replaceAll('RIGHT_SUMMED', 'HAS_A_ZERO')]),
      unrolled(main, constants),
    ].join('\n'),
    constants,
    workgroupSize: [tiles.lanes, 1, 1],
    workgroupBytes: bytesOf(tiles, config),
    requires: MATRIX_FEATURES,
    tiles: {
      row_tiles: Math.ceil(sizes.rows / tiles.rows),
      column_tiles: Math.ceil(sizes.columns / tiles.columns),
      rounds: Math.ceil(sizes.depth / tiles.depth),
    },
    words: `matrix units ${unitName(tiles.unit)}, i8 into i32, ${tiles.rows}×${tiles.columns} a workgroup of ${tiles.subgroups} subgroups`,
  }
}

function alongText(side: 'left' | 'right'): string {
  const isLeft = side === 'left'
  return along
    .replaceAll('TILE_LINES', isLeft ? 'TILE_ROWS' : 'TILE_COLUMNS')
    .replaceAll('LINE_COUNT', isLeft ? 'rows' : 'columns')
    .replaceAll('SIDE_SHARE', isLeft ? 'LEFT_SHARE' : 'RIGHT_SHARE')
    .replaceAll('SIDE_SUMMED', isLeft ? 'HAS_B_ZERO' : 'HAS_A_ZERO')
    .replaceAll('SIDE_SUMS', isLeft ? 'row_sums' : 'column_sums')
    .replaceAll('MAJOR', isLeft ? 'row_major' : 'col_major')
    .replaceAll('SIDE_word', isLeft ? 'load_left' : 'load_right_word')
    .replaceAll('SIDE', side)
}

/** The default tiles: on a software adapter small ones, which compile soon; else the best by rule that workgroup memory holds. */
function configOf({ rows, columns, depth, slices }: ByteSizes, device: DeviceFacts): TileConfig {
  const small: TileConfig = { rows: 2, columns: 1, subgroupRows: 1, subgroupColumns: 2, steps: 1, buffers: 2 }
  if (device.software) return small
  const fitting = tileCandidates({ rows, columns, depth, slices }, device, BYTES).flatMap((config) => [
    config,
    { ...config, buffers: 1 },
  ])
  const holds = (config: TileConfig): boolean =>
    tilesRefusal(config, device, BYTES) === undefined &&
    memoryRefusal(bytesOf(tilesOf(config, device), config), device) === undefined
  return fitting.find(holds) ?? small
}

function tilesOf(config: TileConfig, device: DeviceFacts): Tiles {
  const unit = unitFor(config, device, BYTES)
  const size = laneCount(device)
  if (unit === undefined || size === undefined) throw new RangeError(`No tiles: ${tilesRefusal(config, device, BYTES)}`)
  return tilesFor(config, unit, size, BYTES)
}

/** Stages of both sides, sums on their way out, and a sum of each row and column. */
function bytesOf(tiles: Tiles, { buffers }: TileConfig): number {
  const lines = tiles.rows + tiles.columns
  return buffers * linesBytes(tiles, BYTES, lines, tiles.depth) + sumsBytes(tiles, BYTES) + 4 * lines
}
