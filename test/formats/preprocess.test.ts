/** Resampling, cropping and normalising pictures; label files; tensors by file extension. */
import fc from 'fast-check'
import { encode as encodePng } from 'fast-png'
import { encode as encodeJpeg } from 'jpeg-js'
import { describe, expect, it } from 'vitest'
import { DtypeError, FileFormatError, OptionError, ShapeError } from '../../src/errors.ts'
import {
  centreCrop,
  encodeNpy,
  encodeTensorProto,
  parseLabels,
  preprocess,
  readTensor,
  resizeImage,
  type Image,
} from '../../src/formats/index.ts'
import { SAMPLINGS } from '../../src/formats/preprocess.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { listOf } from './onnx-builder.ts'

function grey(width: number, height: number, data: ArrayLike<number>): Image {
  return { width, height, channels: 1, data: Uint8Array.from(data) }
}

function constant(width: number, height: number, colour: readonly number[]): Image {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3] ?? 0)
  return { width, height, channels: 3, data }
}

const input = (...shape: (number | string)[]) => ({ dtype: 'f32' as const, shape })
const pixels = (image: Image): number[] => Array.from(image.data)

describe('resizing', () => {
  it('antialias weighs every source pixel by the triangle, as PIL', () => {
    // 4 → 2: scale 2, centres 1 and 3, weights 1 − |i + ½ − centre| / 2 = ¾ ¾ ¼ | ¼ ¾ ¾, renormalised at the edge.
    const [a, b, c, d] = [10, 20, 40, 200]
    const expected = [(0.75 * a + 0.75 * b + 0.25 * c) / 1.75, (0.25 * b + 0.75 * c + 0.75 * d) / 1.75].map(Math.round)
    expect(pixels(resizeImage(grey(4, 1, [a, b, c, d]), 2, 1))).toEqual(expected)
    expect(pixels(resizeImage(grey(1, 4, [a, b, c, d]), 1, 2))).toEqual(expected)
    // 2 → 4, centres ¼ ¾ 1¼ 1¾.
    expect(pixels(resizeImage(grey(2, 1, [0, 100]), 4, 1))).toEqual([0, 25, 75, 100])
  })

  it('bilinear reads the two neighbours only, nearest one pixel', () => {
    const row = grey(6, 1, [0, 100, 0, 100, 0, 60])
    // 6 → 2: centres 1.5 and 4.5, which are the centres of pixels 1 and 4.
    expect(pixels(resizeImage(row, 2, 1, 'bilinear'))).toEqual([100, 0])
    expect(pixels(resizeImage(row, 2, 1, 'nearest'))).toEqual([100, 0])
    expect(pixels(resizeImage(grey(2, 1, [0, 100]), 4, 1, 'bilinear'))).toEqual([0, 25, 75, 100])
    expect(pixels(resizeImage(grey(2, 1, [0, 100]), 4, 1, 'nearest'))).toEqual([0, 0, 100, 100])
  })

  it('keeps flat pictures flat, channels apart and values within those of the source', () => {
    const size = fc.integer({ min: 1, max: 12 })
    fc.assert(
      fc.property(
        size,
        size,
        size,
        size,
        fc.constantFrom(...SAMPLINGS),
        fc.uint8Array({ minLength: 144, maxLength: 144 }),
        (w, h, tw, th, sampling, noise) => {
          const flat = resizeImage(constant(w, h, [1, 128, 255]), tw, th, sampling)
          expect(flat).toEqual(constant(tw, th, [1, 128, 255]))
          const source = noise.subarray(0, w * h)
          const sized = resizeImage(grey(w, h, source), tw, th, sampling)
          expect([sized.width, sized.height, sized.data.length]).toEqual([tw, th, tw * th])
          expect(Math.min(...sized.data)).toBeGreaterThanOrEqual(Math.min(...source))
          expect(Math.max(...sized.data)).toBeLessThanOrEqual(Math.max(...source))
          if (w === tw && h === th) expect(pixels(sized)).toEqual(Array.from(source))
        },
      ),
    )
  })
})

describe('cropping', () => {
  it('takes the middle, half to even where there is none', () => {
    const row = (width: number): Image =>
      grey(
        width,
        1,
        Array.from({ length: width }, (_, i) => i),
      )
    expect(pixels(centreCrop(row(6), [1, 2]))).toEqual([2, 3])
    expect(pixels(centreCrop(row(5), [1, 4]))).toEqual([0, 1, 2, 3])
    expect(pixels(centreCrop(row(7), [1, 4]))).toEqual([2, 3, 4, 5])
    expect(() => centreCrop(row(3), [1, 4])).toThrow(OptionError)
  })
})

describe('preprocessing', () => {
  const red = constant(10, 20, [200, 100, 50])

  it('caffe: BGR, minus the mean, not scaled', () => {
    const value = preprocess(red, input(1, 3, 2, 3), { preset: 'caffe' })
    expect(value).toMatchObject({ dtype: 'f32', shape: [1, 3, 2, 3] })
    expect(listOf(value)).toEqual([50 - 104, 100 - 117, 200 - 123].flatMap((each) => Array.from({ length: 6 }, () => each)))
  })

  it('imagenet: short side to 256/224 of the input, centre crop, mean and std', () => {
    const value = preprocess(red, input('N', 3, 224, 224), { preset: 'imagenet' })
    expect(value.shape).toEqual([1, 3, 224, 224])
    const [r, g, b] = [(200 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (50 / 255 - 0.406) / 0.225].map(Math.fround)
    const values = listOf(value)
    expect([values[0], values[224 * 224], values[2 * 224 * 224]]).toEqual([r, g, b])
    // A picture 8 wide and 16 high, each row its number × 10: its short side stays round(7 · 256 / 224) = 8, then the middle 7 × 7.
    const rows = grey(
      8,
      16,
      Array.from({ length: 128 }, (_, i) => 10 * Math.floor(i / 8)),
    )
    const options = { preset: 'imagenet', mean: [0], std: [1], scale: 1 } as const
    const cropped = listOf(preprocess(rows, input(1, 1, 7, 7), options))
    expect(cropped).toEqual([4, 5, 6, 7, 8, 9, 10].flatMap((row) => Array.from({ length: 7 }, () => 10 * row)))
  })

  it('none: the pixels, resized', () => {
    expect(listOf(preprocess(red, input(1, 3, 1, 1)))).toEqual([200, 100, 50])
    expect(preprocess(red, input(1, 3, 'H', 'W')).shape).toEqual([1, 3, 20, 10])
    expect(preprocess(red, input('N', 3, 'H', 'W'), { preset: 'imagenet' }).shape).toEqual([1, 3, 224, 224])
  })

  it('options stand above the preset', () => {
    const value = preprocess(red, input(1, 3, 1, 1), { preset: 'caffe', bgr: false, mean: [100], std: [1, 2, 4], scale: 2 })
    expect(listOf(value)).toEqual([300, 50, 0])
    expect(preprocess(red, input(1, 3, 'H', 'W'), { resize: 5 }).shape).toEqual([1, 3, 10, 5])
    expect(preprocess(red, input(1, 3, 'H', 'W'), { resize: [7, 9] }).shape).toEqual([1, 3, 7, 9])
    expect(preprocess(red, input(1, 3, 'H', 'W'), { resize: 8, crop: 6 }).shape).toEqual([1, 3, 6, 6])
    expect(preprocess(red, input(1, 3, 'H', 'W'), { crop: [4, 3] }).shape).toEqual([1, 3, 4, 3])
    expect(preprocess(red, input(1, 3, 'H', 'W'), { preset: 'imagenet', resize: 32, crop: false }).shape).toEqual([1, 3, 64, 32])
    expect(preprocess(red, input(1, 3, 9, 9), { preset: 'imagenet', resize: [9, 9] }).shape).toEqual([1, 3, 9, 9])
  })

  it('grey and colour become what the input takes', () => {
    const luma = (200 * 19_595 + 100 * 38_470 + 50 * 7_471 + 0x8000) >> 16
    expect(listOf(preprocess(red, input(1, 1, 1, 2)))).toEqual([luma, luma])
    expect(listOf(preprocess(grey(1, 1, [9]), input(1, 3, 1, 1)))).toEqual([9, 9, 9])
  })

  it('takes inputs without a batch, with channels last, and of other dtypes', () => {
    expect(preprocess(red, input(3, 4, 5)).shape).toEqual([3, 4, 5])
    const last = preprocess(constant(2, 2, [1, 2, 3]), input(1, 2, 2, 3), { bgr: true })
    expect([last.shape, listOf(last)]).toEqual([
      [1, 2, 2, 3],
      [3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1],
    ])
    expect(listOf(preprocess(red, { dtype: 'u8', shape: [1, 3, 1, 1] }))).toEqual([200, 100, 50])
    const half = preprocess(red, { dtype: 'f16', shape: [1, 3, 1, 1] }, { preset: 'imagenet', resize: [1, 1] })
    expect([
      half.dtype,
      listOf(half)
        .map(Number)
        .every((value) => Math.abs(value) < 3),
    ]).toEqual(['f16', true])
  })

  it.each<[string, () => unknown, new (...args: never[]) => Error, RegExp]>([
    ['inputs that are no pictures', () => preprocess(red, input(1, 10)), ShapeError, /shape \[1, 10\] takes no picture/],
    ['seven channels', () => preprocess(red, input(1, 7, 4, 4)), ShapeError, /takes no picture/],
    ['a batch', () => preprocess(red, input(4, 3, 8, 8)), ShapeError, /batch of 4/],
    ['integers', () => preprocess(red, { dtype: 'i64', shape: [1, 3, 1, 1] }), DtypeError, /dtype i64/],
    ['bytes below 0', () => preprocess(red, { dtype: 'u8', shape: [1, 3, 1, 1] }, { preset: 'caffe' }), OptionError, /takes bytes/],
    [
      "a size that is not the input's",
      () => preprocess(red, input(1, 3, 8, 8), { resize: [8, 9] }),
      OptionError,
      /8 × 9, but the input takes 8 × 8/,
    ],
    [
      'a crop beyond the picture',
      () => preprocess(red, input(1, 3, 'H', 'W'), { crop: 11 }),
      OptionError,
      /20 × 10 cannot be cropped to 11 × 11/,
    ],
    [
      'three means for one channel',
      () => preprocess(red, input(1, 1, 8, 8), { preset: 'imagenet' }),
      OptionError,
      /mean has 3 values for an input of 1 channel/,
    ],
    [
      'an unknown preset',
      () => preprocess(red, input(1, 3, 8, 8), { preset: 'keras' as 'none' }),
      OptionError,
      /no preprocessing preset 'keras'/,
    ],
    [
      'an unknown sampling',
      () => preprocess(red, input(1, 3, 8, 8), { sampling: 'x' as 'nearest' }),
      OptionError,
      /no sampling 'x'/,
    ],
    ['a deviation of 0', () => preprocess(red, input(1, 3, 8, 8), { std: [1, 0, 1] }), OptionError, /std should not be 0/],
    ['a mean that is no number', () => preprocess(red, input(1, 3, 8, 8), { mean: [NaN] }), OptionError, /finite/],
    ['a size that is none', () => preprocess(red, input(1, 3, 8, 8), { resize: 0 }), OptionError, /resize should be pixels/],
  ])('refuses %s', (_, run, kind, message) => {
    expect(run).toThrow(kind)
    expect(run).toThrow(message)
  })
})

describe('labels', () => {
  const parse = (text: string) => parseLabels(new TextEncoder().encode(text))

  it('one a line, with or without a synset', () => {
    expect(parse('n01440764 tench, Tinca tinca\nn01443537 goldfish\n')).toEqual([
      { synset: 'n01440764', name: 'tench, Tinca tinca' },
      { synset: 'n01443537', name: 'goldfish' },
    ])
    expect(parse('airplane\r\nauto mobile\r\n\r\n')).toEqual([
      { synset: null, name: 'airplane' },
      { synset: null, name: 'auto mobile' },
    ])
    expect(parse('\ufeffn01440764')).toEqual([{ synset: 'n01440764', name: 'n01440764' }])
    expect(parse('nail\n\nn123 x')).toEqual(['nail', '', 'n123 x'].map((name) => ({ synset: null, name })))
  })

  it('refuses what is no text', () => {
    expect(() => parse('')).toThrow(FileFormatError)
    expect(() => parse('\n \n')).toThrow(/empty/)
    expect(() => parseLabels(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0))).toThrow(/no label file: it looks like a JPEG/)
    expect(() => parse('a\0b')).toThrow(FileFormatError)
  })
})

describe('readTensor', () => {
  const value = tensor([1, 2, 3, 4], [2, 2])
  const png = encodePng({ width: 2, height: 1, channels: 3, depth: 8, data: Uint8Array.of(1, 2, 3, 4, 5, 6) })
  const jpeg = new Uint8Array(encodeJpeg({ width: 8, height: 8, data: new Uint8Array(256).fill(200) }, 100).data)

  it('reads by extension, in any case', () => {
    expect(readTensor(encodeNpy(value), 'a/b.npy')).toEqual(value)
    expect(listOf(readTensor(encodeTensorProto(value), 'input_0.PB'))).toEqual([1, 2, 3, 4])
    expect(readTensor(png, 'x.png')).toMatchObject({ dtype: 'u8', shape: [1, 3, 1, 2] })
    expect(readTensor(jpeg, 'x.JPEG', { input: input(1, 3, 4, 4), preprocess: { preset: 'caffe' } })).toMatchObject({
      dtype: 'f32',
      shape: [1, 3, 4, 4],
    })
    expect(readTensor(png, 'really-a-png.jpg')).toMatchObject({ shape: [1, 3, 1, 2] })
  })

  it('names the file and what it is instead', () => {
    expect(() => readTensor(jpeg, 'x.npy')).toThrow(/^x\.npy: This is no \.npy file: it looks like a JPEG/)
    expect(() => readTensor(encodeNpy(value), 'x.png')).toThrow(FileFormatError)
    expect(() => readTensor(jpeg, 'x.tiff')).toThrow(/'x\.tiff' is of no kind.*a JPEG picture.*\.npy or \.pb/)
    expect(() => readTensor(new Uint8Array(0), 'noextension')).toThrow(FileFormatError)
    expect(() => readTensor(jpeg.subarray(0, 200), 'cut.jpg')).toThrow(/^cut\.jpg: The JPEG picture is truncated/)
  })
})
