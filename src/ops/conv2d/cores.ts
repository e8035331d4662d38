/**
 * The kernels of a convolution as a matrix product: the tiled core and the matrix-vector core of shaders/conv, as a choice from sizes
 * alone. What the matrices are is said by the WGSL that a core is joined with.
 */
import tiled from '../../../shaders/conv/tiled.wgsl?raw'
import vector from '../../../shaders/conv/vector.wgsl?raw'

export interface CoreSizes {
  readonly rows: number
  readonly columns: number
  /** Independent products of these sizes. */
  readonly slices: number
  /** Does the left matrix lie contiguous along k, rather than along its rows? */
  readonly leftAlongDepth: boolean
}

export interface Core {
  readonly name: 'tiled' | 'vector'
  readonly body: string
  readonly workgroupSize: readonly [number, number, number]
  readonly constants: Readonly<Record<string, number>>
  /** Tiles over the rows and over the columns of a slice. */
  readonly tiles: { readonly row_tiles: number; readonly column_tiles: number }
  readonly groups: number
  readonly reason: string
}

/** Rows that an invocation keeps in registers (and columns, in the tiled core). */
const REGISTERS = 4

export function chooseCore({ rows, columns, slices, leftAlongDepth }: CoreSizes): Core {
  if (columns === 1) {
    // Contiguous along k: the whole workgroup walks along k. Contiguous along the rows: it lies across them.
    const [across, along] = leftAlongDepth ? [1, 64] : [16, 16]
    const row_tiles = Math.ceil(rows / (REGISTERS * across))
    return {
      name: 'vector',
      body: vector,
      workgroupSize: [across * along, 1, 1],
      constants: { ACROSS: across, ALONG: along },
      tiles: { row_tiles, column_tiles: 1 },
      groups: slices * row_tiles,
      reason: `matrix times vector, ${along} invocations along k`,
    }
  }
  const x = columns <= 16 ? 4 : 16
  const y = rows <= 16 ? 4 : 16
  const row_tiles = Math.ceil(rows / (REGISTERS * y))
  const column_tiles = Math.ceil(columns / (REGISTERS * x))
  return {
    name: 'tiled',
    body: tiled,
    workgroupSize: [x, y, 1],
    constants: {},
    tiles: { row_tiles, column_tiles },
    groups: slices * row_tiles * column_tiles,
    reason: `tiles of ${REGISTERS * y} rows by ${REGISTERS * x} columns`,
  }
}
