/**
 * PNG and JPEG pictures to 8-bit RGB or grey, the same way in Node and in the browser. The headers are checked here before a decoder
 * sees the file, so that a truncated or absurd one ends in a FileFormatError and not in gigabytes.
 *
 * - PNG: all colour types and depths, interlaced or not. Alpha is dropped, as PIL's convert('RGB') does; 16 bits keep the upper 8.
 * - JPEG: baseline, extended and progressive, 8 bits; grey, YCbCr, RGB, and CMYK or YCCK with an Adobe marker (converted without a
 *   colour profile). Chroma is upsampled by repetition (libjpeg interpolates: pixels at colour edges may differ by some levels).
 *   The picture is turned upright as its EXIF orientation says.
 */
import { FileFormatError } from '../errors.ts'
import { decodeJpeg, isJpeg } from './image/jpeg.ts'
import { MAX_PIXELS, type Image } from './image/picture.ts'
import { decodePng, isPng } from './image/png.ts'
import { looksLike } from './sniff.ts'

export { MAX_PIXELS, type Image } from './image/picture.ts'

/** @throws FileFormatError when `bytes` are no complete PNG or JPEG, or one of a kind that is not supported (named). */
export function decodeImage(bytes: Uint8Array): Image {
  if (isPng(bytes)) return decodePng(bytes, MAX_PIXELS)
  if (isJpeg(bytes)) return decodeJpeg(bytes, MAX_PIXELS)
  throw new FileFormatError(`This is no PNG or JPEG picture: ${looksLike(bytes)}`, { remedy: 'Convert it to PNG or JPEG' })
}
