/** The cores of a product of bytes by dot products (packed-dot.ts): workgroups that fit the device. */
import tiled from '../../../../shaders/gemm/integer/tiled.wgsl?raw'
import vector from '../../../../shaders/gemm/integer/vector.wgsl?raw'
import vectorWalk from '../../../../shaders/gemm/integer/vector-walk.wgsl?raw'
import type { DeviceFacts, Requirement } from '../../../gpu/program.ts'
import { fittingWorkgroup } from './workgroup.ts'

/** Rows up to which B is read for one pass of the vector core. */
export const VECTOR_ROWS = 16
/** Words of depth that the tiled core keeps of each row and column. */
const TILE_WORDS = 8

/** What multiplies: WGSL with `main`, its workgroup, and what it needs. */
export interface IntegerCore {
  readonly body: string
  readonly constants: Readonly<Record<string, number | string>>
  readonly workgroupSize: readonly [number, number, number]
  readonly workgroupBytes?: number
  readonly requires?: readonly Requirement[]
  /** Params of the core. */
  readonly tiles: { readonly row_tiles: number; readonly column_tiles: number; readonly block_rows?: number }
  /** What the reason says of them. */
  readonly words?: string
}

/** @param kernel `vector-…` or `tiled-…` */
export function coreOf(kernel: string, rows: number, columns: number, transB: boolean, { limits }: DeviceFacts): IntegerCore {
  // B along its columns: lanes lie across them. B along the depth: lanes share it.
  if (kernel.startsWith('vector')) return vectorCore(vectorWalk, rows, columns, transB ? [4, 32] : [32, 4], { limits })
  const bytes = (x: number, y: number): number => 16 * TILE_WORDS * (x + y)
  const [x, y] = fittingWorkgroup([columns <= 16 ? 4 : 16, rows <= 16 ? 4 : 16], bytes, limits)
  return {
    body: tiled,
    constants: { TILE_WORDS },
    workgroupSize: [x, y, 1],
    workgroupBytes: bytes(x, y),
    tiles: { row_tiles: Math.ceil(rows / (4 * y)), column_tiles: Math.ceil(columns / (4 * x)), block_rows: 4 },
  }
}

/**
 * The vector core for a few rows.
 * @param walk WGSL of a lane's walk down the depth
 * @param wanted lanes across quads of columns, and along the depth
 */
export function vectorCore(
  walk: string,
  rows: number,
  columns: number,
  wanted: readonly [across: number, along: number],
  { limits }: Pick<DeviceFacts, 'limits'>,
): IntegerCore {
  const bytes = (x: number, y: number): number => 16 * x * y
  const [across, along] = fittingWorkgroup(wanted, bytes, limits)
  const own = rows === 1 ? 1 : rows <= 4 ? 4 : 8
  return {
    body: `${walk}\n${vector}`,
    constants: { ACROSS: across, ALONG: along, ROWS: own },
    workgroupSize: [across * along, 1, 1],
    workgroupBytes: bytes(across, along),
    tiles: { row_tiles: Math.ceil(rows / own), column_tiles: Math.ceil(columns / (4 * across)), block_rows: own },
  }
}
