/**
 * Which scale belongs to an element, as quantizeLinear and dequantizeLinear have it. With the tensor taken as [outer, axis, inner]:
 *
 *     per tensor   scale [] or [1]                 every element
 *     per axis     scale [axis]                    one for each index of the axis
 *     blocked      scale [outer, blocks, inner]    one for `block` consecutive indices of the axis
 */
import { OptionError, ShapeError } from '../../errors.ts'
import { formatShape, normalizeAxis, sameShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'

/** Element (o, c, i) has scale `o · outer + ⌊c / block⌋ · axis + i · inner`. */
export interface Blocks {
  readonly extent: number
  readonly innerSize: number
  readonly block: number
  readonly outer: number
  readonly axis: number
  readonly inner: number
}

/**
 * @param blockSize 0: per tensor or per axis, as the scale's shape says
 * @throws ShapeError, OptionError when the scale fits neither
 */
export function blocksOf(op: string, x: TensorType, scale: TensorType, axis: number, blockSize: number): Blocks {
  const { shape } = scale
  if (blockSize === 0 && sizeOf(shape) === 1 && shape.length <= 1) {
    return { extent: 1, innerSize: 1, block: 1, outer: 0, axis: 0, inner: 0 }
  }
  const at = normalizeAxis(axis, x.shape.length)
  const extent = x.shape[at] ?? 1
  const innerSize = sizeOf(x.shape.slice(at + 1))
  if (blockSize === 0) {
    if (sameShape(shape, [extent])) return { extent, innerSize, block: 1, outer: 0, axis: 1, inner: 0 }
    throw new ShapeError(`The scale ${formatShape(shape)} is neither one value nor one for each of axis ${axis}, ${extent}`, {
      op,
      shape,
    })
  }
  const blocks = shape[at] ?? 0
  const wanted: Shape = x.shape.map((size, each) => (each === at ? blocks : size))
  if (!sameShape(shape, wanted)) {
    throw new ShapeError(`The scale ${formatShape(shape)} of a blocked ${formatShape(x.shape)} is not ${formatShape(wanted)}`, {
      op,
    })
  }
  if (Math.ceil(extent / blockSize) !== blocks) {
    throw new OptionError(`Blocks of ${blockSize} do not make ${blocks} of an extent of ${extent}`, { op, shape: x.shape })
  }
  return { extent, innerSize, block: blockSize, outer: blocks * innerSize, axis: innerSize, inner: 1 }
}

/** The index of the scale of element `index`. */
export function scaleIndex({ extent, innerSize, block, outer, axis, inner }: Blocks, index: number): number {
  const within = index % innerSize
  const channel = Math.floor(index / innerSize) % extent
  return Math.floor(index / (innerSize * extent)) * outer + Math.floor(channel / block) * axis + within * inner
}

/** The params of shaders/quantize/blocks.wgsl. */
export const BLOCK_PARAMS = {
  extent: 'u32',
  inner_size: 'u32',
  block: 'u32',
  outer_step: 'u32',
  axis_step: 'u32',
  inner_step: 'u32',
} as const

export function blockParams({ extent, innerSize, block, outer, axis, inner }: Blocks): Record<keyof typeof BLOCK_PARAMS, number> {
  return { extent, inner_size: innerSize, block, outer_step: outer, axis_step: axis, inner_step: inner }
}
