/** EXIF orientation: where a camera notes how it was held (Exif 2.32, tag 274). */
import type { Image } from './picture.ts'

const ORIENTATION_TAG = 0x0112

/** The orientation in a TIFF header, 1 to 8; 1 (upright) where there is none or it is damaged. */
export function exifOrientation(tiff: Uint8Array): number {
  if (tiff.length < 8) return 1
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength)
  const little = view.getUint16(0) === 0x4949
  const directory = view.getUint32(4, little)
  if (directory + 2 > tiff.length) return 1
  const entries = view.getUint16(directory, little)
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i
    if (entry + 12 > tiff.length) return 1
    if (view.getUint16(entry, little) !== ORIENTATION_TAG) continue
    const value = view.getUint16(entry + 8, little)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}

/** The picture turned (and mirrored) upright. */
export function orient(image: Image, orientation: number): Image {
  if (orientation === 1) return image
  const { width, height, channels, data } = image
  const swap = orientation >= 5
  const [outWidth, outHeight] = swap ? [height, width] : [width, height]
  const out = new Uint8Array(data.length)
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const [sx, sy] = source(orientation, x, y, width, height)
      for (let c = 0; c < channels; c++) out[(y * outWidth + x) * channels + c] = data[(sy * width + sx) * channels + c] ?? 0
    }
  }
  return { width: outWidth, height: outHeight, channels, data: out }
}

/** The stored pixel that is shown at (x, y). */
function source(orientation: number, x: number, y: number, width: number, height: number): [number, number] {
  switch (orientation) {
    case 2:
      return [width - 1 - x, y]
    case 3:
      return [width - 1 - x, height - 1 - y]
    case 4:
      return [x, height - 1 - y]
    case 5:
      return [y, x]
    case 6:
      return [y, height - 1 - x]
    case 7:
      return [width - 1 - y, height - 1 - x]
    case 8:
      return [width - 1 - y, x]
    default:
      return [x, y]
  }
}
