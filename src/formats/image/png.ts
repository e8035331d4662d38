/** PNG (https://www.w3.org/TR/png/): chunks are checked here and pixels are inflated and unfiltered by fast-png. */
import { convertIndexedToRgb, decode, type DecodedPng } from 'fast-png'
import { FileFormatError } from '../../errors.ts'
import type { Image } from './picture.ts'

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const
/** Channels by colour type, and the bit depths it allows. */
const COLOUR_TYPES: Readonly<Record<number, { readonly channels: number; readonly depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
}
/** Deflate cannot compress further than this. */
const LARGEST_RATIO = 1032

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, at) => bytes[at] === byte)
}

export function decodePng(bytes: Uint8Array, maxPixels: number): Image {
  const essential = essentialChunks(bytes, maxPixels)
  let png: DecodedPng
  let colours: { values: Uint8Array; channels: number } | undefined
  try {
    png = decode(essential, { checkCrc: true })
    if (png.palette !== undefined && png.depth !== 16) {
      colours = { values: convertIndexedToRgb({ ...png, palette: png.palette }), channels: png.palette[0]?.length ?? 3 }
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new FileFormatError(`The PNG picture is damaged: ${why}`, { remedy: 'Download or export it again' }, { cause })
  }
  const { width, height } = png
  const { values, channels } = colours ?? { values: eightBit(png), channels: png.channels }
  const kept = channels >= 3 ? 3 : 1
  const data = new Uint8Array(width * height * kept)
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < kept; channel++) data[pixel * kept + channel] = values[pixel * channels + channel] ?? 0
  }
  return { width, height, channels: kept, data }
}

/** Samples as bytes: the upper byte of 16-bit ones, packed ones (greys of 1, 2 or 4 bits) unpacked and stretched to 0 … 255. */
function eightBit({ data, depth, width, height, channels }: DecodedPng): Uint8Array {
  if (depth === 16) return Uint8Array.from(data, (value) => value >> 8)
  if (depth === 8) return Uint8Array.from(data)
  const rowBytes = Math.ceil((width * channels * depth) / 8)
  const largest = (1 << depth) - 1
  const out = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth
      const byte = data[y * rowBytes + (bit >> 3)] ?? 0
      out[y * width + x] = (((byte >> (8 - depth - (bit & 7))) & largest) * 255) / largest
    }
  }
  return out
}

/** The file with nothing but its header, palette and pixels: no text, profiles, animation or transparency. */
function essentialChunks(bytes: Uint8Array, maxPixels: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const truncated = (): FileFormatError =>
    new FileFormatError('The PNG picture is truncated', { bytes: bytes.length, remedy: 'Download or export it again' })
  const parts: Uint8Array[] = [bytes.subarray(0, 8)]
  let rawBytes = 0
  let dataBytes = 0
  let indexed = false
  let palette = false
  for (let at = 8; ;) {
    if (at + 12 > bytes.length) throw truncated()
    const length = view.getUint32(at)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    const end = at + 12 + length
    if (end > bytes.length) throw truncated()
    if (at === 8 && (type !== 'IHDR' || length !== 13)) throw new FileFormatError('The PNG picture does not begin with a header')
    if (type === 'IHDR') {
      if (at !== 8) throw new FileFormatError('The PNG picture has two headers')
      ;({ rawBytes, indexed } = checkHeader(view, maxPixels))
    }
    if (type === 'IDAT') dataBytes += length
    if (type === 'PLTE') palette = true
    // A palette in a true-colour picture is only a suggestion.
    if (type === 'IHDR' || type === 'IDAT' || type === 'IEND' || (type === 'PLTE' && indexed)) parts.push(bytes.subarray(at, end))
    if (type === 'IEND') break
    at = end
  }
  if (indexed && !palette) throw new FileFormatError('The PNG picture has no palette')
  // Pixels cannot unpack to more than deflate's ratio, and a picture that packs to far more than its pixels is a forgery.
  if (rawBytes > dataBytes * LARGEST_RATIO || dataBytes === 0) throw truncated()
  if (dataBytes > 2 * rawBytes + 65_536) throw new FileFormatError('The PNG picture holds far more data than pixels')
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

function checkHeader(view: DataView, maxPixels: number): { rawBytes: number; indexed: boolean } {
  const [width, height, depth, colourType] = [view.getUint32(16), view.getUint32(20), view.getUint8(24), view.getUint8(25)]
  const kind = COLOUR_TYPES[colourType]
  if (width === 0 || height === 0) throw new FileFormatError('The PNG picture is empty', { width, height })
  if (width * height > maxPixels) {
    throw new FileFormatError(`The PNG picture has ${width} × ${height} pixels`, {
      limit: `${maxPixels} pixels`,
      remedy: 'Scale it down',
    })
  }
  if (kind === undefined || !kind.depths.includes(depth)) {
    throw new FileFormatError(`The PNG picture has colour type ${colourType} with ${depth} bits, which the format does not allow`)
  }
  return { rawBytes: Math.ceil((width * depth * kind.channels) / 8) * height, indexed: colourType === 3 }
}
