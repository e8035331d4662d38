/**
 * JPEG (ITU-T T.81). The marker segments are walked here: that finds truncated files, names the kinds that are not supported, and gives
 * the colour model and the EXIF orientation; jpeg-js decodes the rest.
 */
import { decode } from 'jpeg-js'
import { FileFormatError } from '../../errors.ts'
import type { Image } from './picture.ts'
import { exifOrientation, orient } from './orientation.ts'

/** Start-of-frame markers that are refused, by name. */
const REFUSED: Readonly<Record<number, string>> = {
  0xc3: 'lossless',
  0xc5: 'hierarchical',
  0xc6: 'hierarchical progressive',
  0xc7: 'hierarchical lossless',
  0xc9: 'arithmetic-coded',
  0xca: 'arithmetic-coded progressive',
  0xcb: 'arithmetic-coded lossless',
  0xcd: 'arithmetic-coded hierarchical',
  0xce: 'arithmetic-coded hierarchical progressive',
  0xcf: 'arithmetic-coded hierarchical lossless',
}

interface JpegInfo {
  readonly width: number
  readonly height: number
  readonly components: number
  /** True when three components are red, green and blue rather than YCbCr. */
  readonly isRgb: boolean
  /** 1 (upright) to 8. */
  readonly orientation: number
  /** The file up to its end marker. */
  readonly bytes: Uint8Array
}

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff
}

export function decodeJpeg(bytes: Uint8Array, maxPixels: number): Image {
  const info = inspect(bytes, maxPixels)
  let pixels: Uint8Array
  try {
    pixels = decode(info.bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: maxPixels / 1e6,
      ...(info.isRgb ? { colorTransform: false } : {}),
    }).data
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileFormatError(
      `The JPEG picture cannot be decoded: ${why}`,
      { remedy: 'Save it again as a plain JPEG or a PNG' },
      { cause },
    )
  }
  const { width, height } = info
  if (info.components !== 1) return orient({ width, height, channels: 3, data: pixels }, info.orientation)
  const grey = new Uint8Array(width * height)
  for (let i = 0; i < grey.length; i++) grey[i] = pixels[3 * i] ?? 0
  return orient({ width, height, channels: 1, data: grey }, info.orientation)
}

function inspect(bytes: Uint8Array, maxPixels: number): JpegInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const truncated = (): FileFormatError =>
    new FileFormatError('The JPEG picture is truncated', { bytes: bytes.length, remedy: 'Download or export it again' })
  let frame: { width: number; height: number; ids: number[] } | undefined
  let adobe: number | undefined
  let jfif = false
  let orientation = 1
  let scanned = false
  let at = 2
  for (;;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++
    if (at + 2 > bytes.length) throw truncated()
    if (bytes[at] !== 0xff) throw new FileFormatError(`The JPEG picture is damaged: no marker at byte ${at}`)
    const marker = bytes[at + 1] ?? 0
    at += 2
    if (marker === 0xd9) break
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue
    if (at + 2 > bytes.length) throw truncated()
    const length = view.getUint16(at)
    if (at + length > bytes.length) throw truncated()
    if (length < 2) throw new FileFormatError(`The JPEG picture is damaged: a segment of ${length} bytes at byte ${at}`)
    const segment = bytes.subarray(at + 2, at + length)
    at += length
    if (isFrame(marker)) {
      if (frame !== undefined) throw new FileFormatError('JPEG pictures of more than one frame are not supported')
      frame = readFrame(marker, segment, maxPixels)
    }
    if (marker === 0xe0 && startsWith(segment, 'JFIF\0')) jfif = true
    if (marker === 0xe1 && startsWith(segment, 'Exif\0')) orientation = exifOrientation(segment.subarray(6))
    if (marker === 0xee && startsWith(segment, 'Adobe')) adobe = segment[11]
    if (marker === 0xda) {
      scanned = true
      at = skipScan(bytes, at)
    }
  }
  if (frame === undefined || !scanned) throw new FileFormatError('The JPEG picture has no image data')
  const { width, height, ids } = frame
  // Every 8 × 8 block takes a bit at least, so a short file cannot hold a large picture.
  if (Math.ceil(width / 8) * Math.ceil(height / 8) > 8 * bytes.length) throw truncated()
  const components = ids.length
  if (components === 4 && adobe === undefined) {
    throw new FileFormatError('CMYK JPEG pictures without an Adobe marker are not supported', {
      remedy: 'Convert the picture to RGB',
    })
  }
  // Three components are RGB where Adobe says so, or where nothing is said and they are called R, G and B (as libjpeg reads them).
  const isRgb = components === 3 && (adobe === 0 || (adobe === undefined && !jfif && String.fromCharCode(...ids) === 'RGB'))
  return { width, height, components, isRgb, orientation, bytes: bytes.subarray(0, at) }
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

function readFrame(marker: number, segment: Uint8Array, maxPixels: number): { width: number; height: number; ids: number[] } {
  const kind = REFUSED[marker]
  const remedy = 'Save it again as a plain JPEG or a PNG'
  if (kind !== undefined)
    throw new FileFormatError(`${kind[0]?.toUpperCase()}${kind.slice(1)} JPEG pictures are not supported`, { remedy })
  const components = segment[5] ?? 0
  if (segment.length < 6 + 3 * components) throw new FileFormatError('The JPEG picture is damaged: its frame header is too short')
  const precision = segment[0] ?? 0
  if (precision !== 8) throw new FileFormatError(`JPEG pictures of ${precision} bits are not supported`, { remedy })
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength)
  const [height, width] = [view.getUint16(1), view.getUint16(3)]
  if (height === 0) throw new FileFormatError('JPEG pictures that give their height at the end (DNL) are not supported', { remedy })
  if (width === 0) throw new FileFormatError('The JPEG picture is empty', { width, height })
  if (width * height > maxPixels) {
    throw new FileFormatError(`The JPEG picture has ${width} × ${height} pixels`, {
      limit: `${maxPixels} pixels`,
      remedy: 'Scale it down',
    })
  }
  if (components !== 1 && components !== 3 && components !== 4) {
    throw new FileFormatError(`JPEG pictures of ${components} components are not supported`, { remedy })
  }
  for (let component = 0; component < components; component++) {
    const sampling = segment[7 + 3 * component] ?? 0
    const [h, v] = [sampling >> 4, sampling & 15]
    if (h < 1 || h > 4 || v < 1 || v > 4)
      throw new FileFormatError('The JPEG picture is damaged: sampling factors are 1 to 4', { h, v })
  }
  return { width, height, ids: Array.from({ length: components }, (_, component) => segment[6 + 3 * component] ?? 0) }
}

/** The next marker after entropy-coded data that begin at `at`: stuffed zeros and restart markers belong to the data. */
function skipScan(bytes: Uint8Array, at: number): number {
  for (let i = at; i + 1 < bytes.length; i++) {
    if (bytes[i] !== 0xff) continue
    const next = bytes[i + 1] ?? 0
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return i
  }
  return bytes.length
}

function startsWith(segment: Uint8Array, text: string): boolean {
  return [...text].every((letter, at) => segment[at] === letter.charCodeAt(0))
}
