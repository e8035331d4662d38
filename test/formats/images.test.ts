/** PNG and JPEG to RGB: every colour type, orientation and colour model, and everything that is refused. */
import fc from 'fast-check'
import { encode as encodePng, type BitDepth, type PngDataArray } from 'fast-png'
import { encode as encodeJpeg } from 'jpeg-js'
import { deflateSync, crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { FileFormatError } from '../../src/errors.ts'
import { decodeImage, type Image } from '../../src/formats/image.ts'
import { orient } from '../../src/formats/image/orientation.ts'
import { processorTime } from '../processor.ts'

const list = ({ data }: Image): number[] => Array.from(data)

function png(width: number, height: number, channels: number, data: PngDataArray, depth: BitDepth = 8): Uint8Array {
  return encodePng({ width, height, channels, depth, data })
}

/** A PNG from its parts, for what the encoder does not write: palettes, packed greys, interlacing. */
function rawPng(
  header: readonly number[],
  rows: readonly number[],
  more: readonly [string, Uint8Array][] = [],
  interlace = 0,
): Uint8Array {
  const [width = 1, height = 1, depth = 8, colourType = 0] = header
  const ihdr = new Uint8Array(13)
  const view = new DataView(ihdr.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  ihdr.set([depth, colourType, 0, 0, interlace], 8)
  const parts = [
    chunk('IHDR', ihdr),
    ...more.map(([type, data]) => chunk(type, data)),
    chunk('IDAT', deflateSync(Uint8Array.from(rows))),
    chunk('IEND', new Uint8Array(0)),
  ]
  return Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...parts.flat()])
}

function chunk(type: string, data: Uint8Array): number[] {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc(body))
  return [...length, ...body, ...check]
}

function crc(bytes: Uint8Array): number {
  if (typeof crc32 === 'function') return crc32(bytes)
  let value = 0xffffffff
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  }
  return (value ^ 0xffffffff) >>> 0
}

describe('PNG', () => {
  it('RGB and grey come as they are', () => {
    const rgb = [10, 20, 30, 40, 50, 60]
    expect(decodeImage(png(2, 1, 3, Uint8Array.from(rgb)))).toEqual({
      width: 2,
      height: 1,
      channels: 3,
      data: Uint8Array.from(rgb),
    })
    expect(decodeImage(png(1, 2, 1, Uint8Array.of(7, 9)))).toEqual({ width: 1, height: 2, channels: 1, data: Uint8Array.of(7, 9) })
  })

  it('alpha is dropped, 16 bits keep the upper 8', () => {
    expect(list(decodeImage(png(1, 2, 4, Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 255))))).toEqual([1, 2, 3, 4, 5, 6])
    expect(decodeImage(png(2, 1, 2, Uint8Array.of(9, 0, 8, 128)))).toMatchObject({ channels: 1, data: Uint8Array.of(9, 8) })
    expect(list(decodeImage(png(1, 1, 3, Uint16Array.of(0x1234, 0xffff, 0x00ff), 16)))).toEqual([0x12, 0xff, 0])
    expect(list(decodeImage(png(2, 1, 1, Uint16Array.of(0x8000, 0x7fff), 16)))).toEqual([0x80, 0x7f])
  })

  it('greys of 1, 2 and 4 bits are unpacked, rows padded to bytes', () => {
    expect(list(decodeImage(rawPng([3, 2, 1, 0], [0, 0b10100000, 0, 0b01000000])))).toEqual([255, 0, 255, 0, 255, 0])
    expect(list(decodeImage(rawPng([5, 1, 2, 0], [0, 0b00011011, 0b01000000])))).toEqual([0, 85, 170, 255, 85])
    expect(list(decodeImage(rawPng([3, 1, 4, 0], [0, 0xf0, 0x80])))).toEqual([255, 0, 136])
  })

  it('palettes of 2 and 8 bits, with and without transparency', () => {
    const palette = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255)
    expect(list(decodeImage(rawPng([3, 1, 8, 3], [0, 2, 0, 1], [['PLTE', palette]])))).toEqual([0, 0, 255, 255, 0, 0, 0, 255, 0])
    const packed = rawPng(
      [3, 1, 2, 3],
      [0, 0b10000100],
      [
        ['PLTE', palette],
        ['tRNS', Uint8Array.of(0)],
      ],
    )
    expect(decodeImage(packed)).toMatchObject({ channels: 3, data: Uint8Array.of(0, 0, 255, 255, 0, 0, 0, 255, 0) })
  })

  it('interlaced pictures', () => {
    const data = Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => (i * 37) % 256)
    const interlaced = encodePng({ width: 5, height: 7, channels: 3, depth: 8, data }, { interlace: 'Adam7' })
    expect(list(decodeImage(interlaced))).toEqual(Array.from(data))
  })

  it('ancillary chunks do not matter, however broken; nor does where the file lies in its buffer', () => {
    const broken: [string, Uint8Array][] = [
      ['iCCP', Uint8Array.of(65, 0, 0, 1, 2, 3)],
      ['tEXt', Uint8Array.of(1)],
      ['acTL', new Uint8Array(3)],
    ]
    const bytes = rawPng([1, 1, 8, 0], [0, 77], broken)
    expect(list(decodeImage(bytes))).toEqual([77])
    const larger = new Uint8Array(bytes.length + 9)
    larger.set(bytes, 5)
    expect(list(decodeImage(larger.subarray(5, 5 + bytes.length)))).toEqual([77])
  })

  const valid = png(
    4,
    4,
    3,
    Uint8Array.from({ length: 48 }, (_, i) => 5 * i),
  )
  const corrupt = valid.slice()
  corrupt[45] = (corrupt[45] ?? 0) ^ 0xff
  it.each<[string, Uint8Array, RegExp]>([
    ['a picture that is cut', valid.subarray(0, valid.length - 30), /truncated/],
    ['a picture without its end', valid.subarray(0, valid.length - 12), /truncated/],
    ['a signature alone', valid.subarray(0, 8), /truncated/],
    ['a wrong checksum', corrupt, /damaged/],
    ['millions of pixels in 80 bytes', rawPng([9000, 9000, 8, 2], [0, 1, 2, 3]), /truncated/],
    ['billions of pixels', rawPng([2 ** 31 - 1, 2 ** 31 - 1, 8, 2], [0]), /2147483647 × 2147483647 pixels/],
    ['no pixels', rawPng([0, 5, 8, 2], [0]), /empty/],
    ['a depth the colour type has not', rawPng([1, 1, 4, 2], [0, 0]), /colour type 2 with 4 bits/],
    ['a missing palette', rawPng([1, 1, 8, 3], [0, 0]), /no palette/],
    ['an index beyond the palette', rawPng([1, 1, 8, 3], [0, 9], [['PLTE', new Uint8Array(3)]]), /damaged/],
    ['far more data than pixels', rawPng([1, 1, 8, 0], noise(200_000)), /far more data/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeImage(bytes)).toThrow(FileFormatError)
    expect(() => decodeImage(bytes)).toThrow(message)
  })
})

/** Bytes that do not compress (xorshift32). */
function noise(length: number): number[] {
  let state = 1
  return Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 255
  })
}

interface TinyJpeg {
  readonly frame?: number
  readonly precision?: number
  readonly height?: number
  readonly width?: number
  readonly ids?: readonly number[]
  /** Segments before the frame. */
  readonly segments?: readonly number[]
  readonly end?: readonly number[]
}

/** A JPEG of 8 × 8 pixels whose samples are all 128: one-bit codes for "difference 0" and "end of block". */
function tinyJpeg({
  frame = 0xc0,
  precision = 8,
  height = 8,
  width = 8,
  ids = [1],
  segments = [],
  end = [0xff, 0xd9],
}: TinyJpeg = {}): Uint8Array {
  const count = ids.length
  const progressive = frame === 0xc2
  const bits = progressive ? count : 2 * count
  const scan = Math.ceil(bits / 8) === 1 ? [0xff >> bits] : [0, 0xff >> (bits - 8)]
  const huffman = (kind: number): number[] => [0xff, 0xc4, 0, 20, kind << 4, 1, ...Array.from({ length: 15 }, () => 0), 0]
  return Uint8Array.from([
    ...[0xff, 0xd8, ...segments],
    ...[0xff, 0xdb, 0, 67, 0, ...Array.from({ length: 64 }, () => 1)],
    ...[0xff, frame, 0, 8 + 3 * count, precision, height >> 8, height & 255, width >> 8, width & 255, count],
    ...ids.flatMap((id) => [id, 0x11, 0]),
    ...huffman(0),
    ...huffman(1),
    ...[0xff, 0xda, 0, 6 + 2 * count, count, ...ids.flatMap((id) => [id, 0]), 0, progressive ? 0 : 63, 0],
    ...scan,
    ...end,
  ])
}

const adobe = (transform: number): number[] => [0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, transform]

function exif(orientation: number, little: boolean): number[] {
  const word = (value: number): number[] => (little ? [value & 255, value >> 8] : [value >> 8, value & 255])
  const long = (value: number): number[] => (little ? [value, 0, 0, 0] : [0, 0, 0, value])
  const tiff = [...(little ? [0x49, 0x49] : [0x4d, 0x4d]), ...word(42), ...long(8), ...word(1)]
  const entry = [...word(0x0112), ...word(3), ...long(1), ...word(orientation), 0, 0]
  const body = [...Buffer.from('Exif\0\0', 'latin1'), ...tiff, ...entry, 0, 0, 0, 0]
  return [0xff, 0xe1, 0, body.length + 2, ...body]
}

/** A JPEG with segments put in after its first marker. */
function withSegments(jpeg: Uint8Array, segments: readonly number[]): Uint8Array {
  return Uint8Array.from([...jpeg.subarray(0, 2), ...segments, ...jpeg.subarray(2)])
}

describe('JPEG', () => {
  const size = 16
  const rgba = new Uint8Array(size * size * 4)
  for (let i = 0; i < size * size; i++) rgba.set([8 * (i % size), 8 * Math.floor(i / size), 100, 255], 4 * i)
  const colour = new Uint8Array(encodeJpeg({ width: size, height: size, data: rgba }, 95).data)

  it('colour comes back within what compression loses', () => {
    const image = decodeImage(colour)
    expect(image).toMatchObject({ width: size, height: size, channels: 3 })
    const errors = list(image).map((value, i) => Math.abs(value - (rgba[4 * Math.floor(i / 3) + (i % 3)] ?? 0)))
    expect(Math.max(...errors)).toBeLessThan(12)
  })

  it('baseline and progressive, grey and colour', () => {
    expect(decodeImage(tinyJpeg())).toEqual({ width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(128) })
    expect(decodeImage(tinyJpeg({ frame: 0xc1 }))).toMatchObject({ channels: 1 })
    expect(list(decodeImage(tinyJpeg({ frame: 0xc2, ids: [1, 2, 3] })))).toEqual(Array.from({ length: 192 }, () => 128))
  })

  it('knows RGB from YCbCr as libjpeg does', () => {
    const rgbIds = [0x52, 0x47, 0x42]
    const red = new Uint8Array(size * size * 4)
    for (let i = 0; i < size * size; i++) red.set([200, 30, 60, 255], 4 * i)
    const encoded = new Uint8Array(encodeJpeg({ width: size, height: size, data: red }, 100).data)
    const ycc = [
      0.299 * 200 + 0.587 * 30 + 0.114 * 60,
      128 + 0.5 * 60 - 0.3313 * 30 - 0.1687 * 200,
      128 + 0.5 * 200 - 0.4187 * 30 - 0.0813 * 60,
    ]
    const asRgb = list(decodeImage(withSegments(encoded, adobe(0)))).slice(0, 3)
    expect(asRgb.map((value, i) => Math.abs(value - (ycc[i] ?? 0)) < 4)).toEqual([true, true, true])
    const asYcc = list(decodeImage(withSegments(encoded, adobe(1)))).slice(0, 3)
    expect(asYcc.map((value, i) => Math.abs(value - ([200, 30, 60][i] ?? 0)) < 4)).toEqual([true, true, true])
    expect(list(decodeImage(tinyJpeg({ ids: rgbIds }))).slice(0, 3)).toEqual([128, 128, 128])
  })

  it('converts CMYK and YCCK with an Adobe marker, refuses it without', () => {
    // Adobe stores ink inverted: 128 is an ink of 127, and black adds to each.
    const ids = [1, 2, 3, 4]
    const ink = 127
    const expected = Math.trunc(255 - (ink * (1 - ink / 255) + ink))
    expect(list(decodeImage(tinyJpeg({ ids, segments: adobe(0) }))).slice(0, 3)).toEqual([expected, expected, expected])
    expect(decodeImage(tinyJpeg({ ids, segments: adobe(2) }))).toMatchObject({ width: 8, channels: 3 })
    expect(() => decodeImage(tinyJpeg({ ids }))).toThrow(/CMYK JPEG pictures without an Adobe marker/)
  })

  it('turns pictures upright as EXIF says, in either byte order', () => {
    const upright = decodeImage(colour)
    for (const little of [true, false]) {
      for (let orientation = 1; orientation <= 8; orientation++) {
        expect(decodeImage(withSegments(colour, exif(orientation, little)))).toEqual(orient(upright, orientation))
      }
      expect(decodeImage(withSegments(colour, exif(9, little)))).toEqual(upright)
    }
  })

  it.each<[number, number, string[]]>([
    [1, 3, ['abc', 'def']],
    [2, 3, ['cba', 'fed']],
    [3, 3, ['fed', 'cba']],
    [4, 3, ['def', 'abc']],
    [5, 2, ['ad', 'be', 'cf']],
    [6, 2, ['da', 'eb', 'fc']],
    [7, 2, ['fc', 'eb', 'da']],
    [8, 2, ['cf', 'be', 'ad']],
  ])('orientation %d', (orientation, width, rows) => {
    const stored: Image = { width: 3, height: 2, channels: 1, data: Uint8Array.from(Buffer.from('abcdef')) }
    const turned = orient(stored, orientation)
    expect(turned.width).toBe(width)
    expect(Buffer.from(turned.data).toString()).toBe(rows.join(''))
  })

  it('takes fill bytes between segments and bytes after the end', () => {
    expect(decodeImage(tinyJpeg({ end: [0xff, 0xff, 0xff, 0xd9, 1, 2, 3] }))).toMatchObject({ width: 8 })
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['a picture that is cut in its pixels', colour.subarray(0, colour.length - 20), /truncated/],
    ['a picture without its end', colour.subarray(0, colour.length - 2), /truncated/],
    ['a picture that is cut in its tables', colour.subarray(0, 100), /truncated/],
    ['three bytes', colour.subarray(0, 3), /truncated/],
    ['a picture without pixels', Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), /no image data/],
    ['arithmetic coding', tinyJpeg({ frame: 0xc9 }), /Arithmetic-coded JPEG/],
    ['lossless', tinyJpeg({ frame: 0xc3 }), /Lossless JPEG/],
    ['12 bits', tinyJpeg({ precision: 12 }), /12 bits/],
    ['height at the end', tinyJpeg({ height: 0 }), /DNL/],
    ['no width', tinyJpeg({ width: 0 }), /empty/],
    ['two components', tinyJpeg({ ids: [1, 2] }), /2 components/],
    ['too many pixels', tinyJpeg({ height: 65_535, width: 65_535 }), /65535 × 65535 pixels/],
    ['more pixels than bits', tinyJpeg({ height: 9000, width: 9000 }), /truncated/],
    ['two frames', tinyJpeg({ segments: [0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0] }), /more than one frame/],
    ['noise between segments', tinyJpeg({ segments: [0xff, 0xe0, 0, 2, 1, 2, 3] }), /no marker at byte 6/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeImage(bytes)).toThrow(FileFormatError)
    expect(() => decodeImage(bytes)).toThrow(message)
  })

  it('any damage ends in a named error, fast', () => {
    let refused = 0
    const mutation = fc.array(fc.tuple(fc.nat(colour.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(mutation, (changes) => {
        const bytes = colour.slice()
        for (const [at, value] of changes) bytes[at] = value
        const seconds = processorTime()
        try {
          decodeImage(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(FileFormatError)
          refused++
        }
        expect(seconds()).toBeLessThan(1)
      }),
      { numRuns: 300 },
    )
    expect(refused).toBeGreaterThan(30)
  })
})

describe('what is no picture', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file/],
    ['text', Buffer.from('no picture, just text, plain and simple'), /looks like text/],
    ['a GIF', Buffer.from('GIF89a\x01\x00\x01\x00'), /a GIF picture/],
    ['a WebP', Buffer.from('RIFF\x10\0\0\0WEBPVP8 '), /a WebP picture/],
  ])('%s is refused by name', (_, bytes, message) => {
    expect(() => decodeImage(bytes)).toThrow(FileFormatError)
    expect(() => decodeImage(bytes)).toThrow(message)
  })
})
