/**
 * Pictures to input tensors: resize, centre crop, scale, subtract the mean, divide by the deviation, order the channels.
 * Each step is an option; a preset is a set of defaults:
 *
 * - `imagenet` (torchvision's): short side to 256/224 of the input's, centre crop to the input, /255, mean and std of ImageNet, RGB.
 * - `caffe`: resize to the input's height and width (not keeping the aspect), BGR, minus 104, 117, 123, values 0 … 255.
 * - `none`: resize to the input's height and width, RGB, values 0 … 255.
 *
 * value = (pixel × scale − mean) / std, mean and std in the order of the tensor's channels (with BGR: blue first).
 */
import { DtypeError, OptionError, ShapeError } from '../errors.ts'
import type { GraphInput } from '../graph/graph.ts'
import { allocate } from '../tensor/dtype.ts'
import { formatShape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import type { Image } from './image.ts'
import { resizeImage, SAMPLINGS, type Sampling } from './image/resize.ts'

export { SAMPLINGS, type Sampling } from './image/resize.ts'
export const PRESETS = ['imagenet', 'caffe', 'none'] as const
export type Preset = (typeof PRESETS)[number]

export interface PreprocessOptions {
  /** Default 'none'. */
  readonly preset?: Preset | undefined
  /** One value, or one a channel, in the order of the tensor's channels. */
  readonly mean?: readonly number[] | undefined
  readonly std?: readonly number[] | undefined
  /** Blue first. */
  readonly bgr?: boolean | undefined
  /** A number: the short side in pixels, keeping the aspect. A pair: height and width. */
  readonly resize?: number | readonly [height: number, width: number] | undefined
  /** Centre crop to a square, or to height and width; false: none. */
  readonly crop?: number | readonly [height: number, width: number] | false | undefined
  /** Factor on 0 … 255 before the mean is subtracted. */
  readonly scale?: number | undefined
  /** Default 'antialias'. */
  readonly sampling?: Sampling | undefined
}

interface Defaults {
  readonly scale: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly bgr: boolean
}

const DEFAULTS: Readonly<Record<Preset, Defaults>> = {
  imagenet: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], bgr: false },
  caffe: { scale: 1, mean: [104, 117, 123], std: [1], bgr: true },
  none: { scale: 1, mean: [0], std: [1], bgr: false },
}
/** ImageNet's customary sizes: 224 cropped out of 256. */
const SHORT_SIDE = 256
const CROP = 224

interface Target {
  readonly channels: 1 | 3
  /** null where the model takes any. */
  readonly height: number | null
  readonly width: number | null
  readonly channelsLast: boolean
  readonly batched: boolean
}

/**
 * The tensor for `input` made from `image`: N × C × H × W (or N × H × W × C, or without N, as the input's shape has it) with N = 1.
 * Colour pictures become grey for inputs of one channel (ITU-R 601 luma, as PIL), grey ones are repeated for three.
 * Symbolic heights and widths take the size that the picture has after the options (with `imagenet`: 224).
 * @throws ShapeError when `input` is no picture-shaped input; DtypeError when it is not f32, f16 or u8;
 *   OptionError when options contradict each other or the input's size.
 */
export function preprocess(image: Image, input: Pick<GraphInput, 'shape' | 'dtype'>, options: PreprocessOptions = {}): HostTensor {
  const preset = options.preset ?? 'none'
  checkOptions(options, preset)
  const target = targetOf(input.shape)
  const sized = fitImage(image, target, preset, options)
  const { height, width } = sized
  if ((target.height ?? height) !== height || (target.width ?? width) !== width) {
    throw new OptionError(
      `The options make a picture of ${height} × ${width}, but the input takes ${target.height} × ${target.width}`,
      {
        shape: input.shape,
        remedy: 'Leave resize and crop to the preset, or give the size of the input',
      },
    )
  }
  const defaults = DEFAULTS[preset]
  const { channels } = target
  const mean = perChannel('mean', options.mean ?? defaults.mean, channels)
  const std = perChannel('std', options.std ?? defaults.std, channels)
  const scale = options.scale ?? defaults.scale
  const bgr = options.bgr ?? defaults.bgr
  const values = toChannels(sized, channels, bgr)
  const exact = new Float64Array(values.length)
  const pixels = height * width
  for (let c = 0; c < channels; c++) {
    const [shift, divisor] = [mean[c] ?? 0, std[c] ?? 1]
    for (let i = 0; i < pixels; i++) {
      const at = target.channelsLast ? i * channels + c : c * pixels + i
      exact[at] = ((values[i * channels + c] ?? 0) * scale - shift) / divisor
    }
  }
  const shape = target.channelsLast ? [height, width, channels] : [channels, height, width]
  return store(exact, target.batched ? [1, ...shape] : shape, input.dtype)
}

function checkOptions(options: PreprocessOptions, preset: Preset): void {
  const remedy = `Presets: ${PRESETS.join(', ')}`
  if (!PRESETS.includes(preset)) throw new OptionError(`There is no preprocessing preset '${String(preset)}'`, { remedy })
  if (options.sampling !== undefined && !SAMPLINGS.includes(options.sampling)) {
    throw new OptionError(`There is no sampling '${String(options.sampling)}'`, { remedy: `Samplings: ${SAMPLINGS.join(', ')}` })
  }
  for (const name of ['resize', 'crop'] as const) {
    const size = options[name]
    if (size === undefined || size === false) continue
    for (const extent of typeof size === 'number' ? [size] : size) {
      if (!Number.isInteger(extent) || extent < 1) throw new OptionError(`${name} should be pixels, not ${String(extent)}`)
    }
  }
  for (const value of [...(options.mean ?? []), ...(options.std ?? []), options.scale ?? 1]) {
    if (!Number.isFinite(value)) throw new OptionError(`mean, std and scale should be finite numbers, not ${String(value)}`)
  }
  if (options.std?.includes(0) === true) throw new OptionError('std should not be 0')
}

/** What the input's shape says of the picture. */
function targetOf(shape: readonly (number | string)[]): Target {
  const fail = (): ShapeError =>
    new ShapeError(`An input of shape ${formatShape(shape)} takes no picture`, {
      shape,
      remedy:
        'A picture needs an input like [1, 3, height, width] or [1, 1, height, width]; feed other inputs from .npy or .pb files',
    })
  const batched = shape.length === 4
  if (!batched && shape.length !== 3) throw fail()
  const [batch] = shape
  if (batched && typeof batch === 'number' && batch !== 1) {
    throw new ShapeError(`The input takes a batch of ${batch}, but one picture is one`, {
      shape,
      remedy: 'Feed batches from .npy or .pb files, or make the batch dimension symbolic',
    })
  }
  const own = batched ? shape.slice(1) : shape
  const isChannels = (extent: number | string | undefined): extent is 1 | 3 => extent === 1 || extent === 3
  const size = (extent: number | string | undefined): number | null => (typeof extent === 'number' ? extent : null)
  const [first, second, third] = own
  if (isChannels(first)) return { channels: first, height: size(second), width: size(third), channelsLast: false, batched }
  if (isChannels(third)) return { channels: third, height: size(first), width: size(second), channelsLast: true, batched }
  if (typeof first === 'string') return { channels: 3, height: size(second), width: size(third), channelsLast: false, batched }
  throw fail()
}

function fitImage(image: Image, target: Target, preset: Preset, options: PreprocessOptions): Image {
  const { sampling } = options
  const toShortSide = (short: number): Image => {
    const { width, height } = image
    const least = Math.min(width, height)
    const scaled = (extent: number): number => (extent === least ? short : Math.max(Math.trunc((short * extent) / least), 1))
    return resizeImage(image, scaled(width), scaled(height), sampling)
  }
  const { resize, crop } = options
  if (preset === 'imagenet') {
    const height = target.height ?? target.width ?? CROP
    const width = target.width ?? height
    const cropTo = crop ?? (Array.isArray(resize) ? false : ([height, width] as const))
    const short = resize ?? Math.round((Math.max(height, width) * SHORT_SIDE) / CROP)
    const resized = typeof short === 'number' ? toShortSide(short) : resizeImage(image, short[1], short[0], sampling)
    return cropTo === false ? resized : centreCrop(resized, cropTo)
  }
  let sized = image
  if (typeof resize === 'number') sized = toShortSide(resize)
  else if (resize !== undefined) sized = resizeImage(image, resize[1], resize[0], sampling)
  else if (crop === undefined || crop === false) {
    sized = resizeImage(image, target.width ?? image.width, target.height ?? image.height, sampling)
  }
  return crop === undefined || crop === false ? sized : centreCrop(sized, crop)
}

/** The middle `size` of a picture; where it cannot be centred, half to even as torchvision rounds. */
export function centreCrop(image: Image, size: number | readonly [height: number, width: number]): Image {
  const [height, width] = typeof size === 'number' ? [size, size] : size
  const { channels, data } = image
  if (height > image.height || width > image.width) {
    throw new OptionError(`A picture of ${image.height} × ${image.width} cannot be cropped to ${height} × ${width}`, {
      remedy: 'Resize it to at least the size of the crop',
    })
  }
  const top = halfToEven(image.height - height)
  const left = halfToEven(image.width - width)
  const out = new Uint8Array(height * width * channels)
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * channels
    out.set(data.subarray(start, start + width * channels), y * width * channels)
  }
  return { width, height, channels, data: out }
}

/** n / 2, rounded to the even neighbour where it lies between two. */
function halfToEven(n: number): number {
  const floor = Math.floor(n / 2)
  return n % 2 === 0 || floor % 2 === 0 ? floor : floor + 1
}

function perChannel(name: string, values: readonly number[], channels: number): readonly number[] {
  if (values.length === channels) return values
  const [only] = values
  if (values.length === 1 && only !== undefined) return Array.from({ length: channels }, () => only)
  throw new OptionError(`${name} has ${values.length} values for an input of ${channels} channel${channels === 1 ? '' : 's'}`, {
    remedy: `Give one value, or one a channel, or another preset`,
  })
}

/** Pixels as the input's channels: BGR, luma (Pillow's rounding of ITU-R 601), or grey repeated. */
function toChannels({ data, channels }: Image, wanted: 1 | 3, bgr: boolean): Uint8Array {
  if (channels === 1 && wanted === 1) return data
  const pixels = data.length / channels
  const out = new Uint8Array(pixels * wanted)
  for (let i = 0; i < pixels; i++) {
    const red = data[i * channels] ?? 0
    const green = channels === 1 ? red : (data[i * 3 + 1] ?? 0)
    const blue = channels === 1 ? red : (data[i * 3 + 2] ?? 0)
    if (wanted === 1) out[i] = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16
    else out.set(bgr ? [blue, green, red] : [red, green, blue], 3 * i)
  }
  return out
}

function store(exact: Float64Array, shape: readonly number[], dtype: GraphInput['dtype']): HostTensor {
  if (dtype !== 'f32' && dtype !== 'f16' && dtype !== 'u8') {
    throw new DtypeError(`A picture cannot be fed to an input of dtype ${dtype}`, {
      dtype,
      remedy: 'Feed it from a .npy or .pb file',
    })
  }
  if (dtype === 'u8' && exact.some((value) => !Number.isInteger(value) || value < 0 || value > 255)) {
    throw new OptionError('The input takes bytes, but mean, std or scale make other values', {
      dtype,
      remedy: "Use preset 'none' without mean, std and scale",
    })
  }
  const values = allocate(dtype, exact.length)
  values.set(exact)
  return new HostTensor(dtype, shape, values)
}
