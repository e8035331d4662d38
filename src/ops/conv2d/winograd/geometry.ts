/** How a convolution falls into Winograd's tiles, and the tensors between its dispatches. */
import type { TensorType } from '../../../tensor/tensor.ts'
import type { Convolution } from '../convolution.ts'

/** Outputs of a tile along an axis. */
export type Tile = 2 | 4

export interface Geometry {
  readonly tile: Tile
  /** Whether the filter is 3 high: patches are square. Else they are one row. */
  readonly isTall: boolean
  readonly tilesY: number
  readonly tilesX: number
  /** Of all pictures and planes; the last along an axis may be ragged. */
  readonly tiles: number
  /** Points of a patch. */
  readonly points: number
  readonly groups: number
  /** Quads of channels and of filters of a group, the last padded with zeros. */
  readonly quads: number
  readonly filterQuads: number
}

export function geometryOf({ batch, axes, groups, channels, filters }: Convolution, tile: Tile): Geometry {
  const [depth, height, width] = axes
  const isTall = height.kernel > 1
  const tilesY = isTall ? Math.ceil(height.output / tile) : height.output
  const tilesX = Math.ceil(width.output / tile)
  const patch = tile + 2
  return {
    tile,
    isTall,
    tilesY,
    tilesX,
    tiles: batch * depth.output * tilesY * tilesX,
    points: isTall ? patch * patch : patch,
    groups,
    quads: Math.ceil(channels / 4),
    filterQuads: Math.ceil(filters / 4),
  }
}

/** V: X at the points. */
export function valuePointsType({ points, groups, tiles, quads }: Geometry, dtype: 'f32' | 'f16'): TensorType {
  return { dtype, shape: [points, groups, tiles, 4 * quads] }
}

/** U: filters at the points. */
export function filterPointsType({ points, groups, quads, filterQuads }: Geometry, dtype: 'f32' | 'f16'): TensorType {
  return { dtype, shape: [points, groups, 4 * quads, 4 * filterQuads] }
}

/** M: the products of both, summed over the channels. Always f32. */
export function productsType({ points, groups, tiles, filterQuads }: Geometry): TensorType {
  return { dtype: 'f32', shape: [points, groups, tiles, 4 * filterQuads] }
}
