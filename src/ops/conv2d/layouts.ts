/** Values of a tensor in another layout, on the host: for references and tests. */
import { layoutStrides, type Layout } from './convolution.ts'

/** Sizes of a tensor whose values are moved: pictures, channels, and depth, height, width. */
export interface LayoutSizes {
  readonly batch: number
  readonly channels: number
  readonly extents: readonly [number, number, number]
}

/** How many values a tensor has in a layout. */
export function layoutSize(layout: Layout, { batch, channels, extents }: LayoutSizes): number {
  return batch * layoutStrides(layout, channels, extents).picture
}

/** Writes `source`, which lies in layout `from`, into `target` in layout `to`. Places of channels past the last keep what they hold. */
export function moveLayout(
  source: ArrayLike<number>,
  from: Layout,
  target: { [index: number]: number },
  to: Layout,
  { batch, channels, extents }: LayoutSizes,
): void {
  const [depth, height, width] = extents
  const a = layoutStrides(from, channels, extents)
  const b = layoutStrides(to, channels, extents)
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const [outer, inner] = [Math.floor(c / 4), c % 4]
      for (let z = 0; z < depth; z++) {
        for (let y = 0; y < height; y++) {
          let p = n * a.picture + outer * a.quad + inner * a.channel + z * a.z + y * a.y
          let q = n * b.picture + outer * b.quad + inner * b.channel + z * b.z + y * b.y
          for (let x = 0; x < width; x++) {
            target[q] = source[p]!
            p += a.x
            q += b.x
          }
        }
      }
    }
  }
}
