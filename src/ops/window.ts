/**
 * Sliding windows, as convolutions and pools share them: spatial attributes under both spellings, and how many windows fit.
 *
 * Per axis, with extent L, window size k, dilation d, stride s and padding b before, e after, a window spans w = d·(k−1) + 1:
 *
 *     |<- b ->|<------- L ------->|<- e ->|
 *     [  w  ]                               windows start at 0, s, 2s, … of the padded axis
 *          [  w  ]
 *
 * count = ⌊(L + b + e − w) / s⌋ + 1; with ceil mode ⌈…⌉ + 1, less a last window that would start in the padding after the
 * values (ONNX AveragePool and MaxPool, opset 22: "sliding windows that would start in the right padded region are ignored").
 */
import { z } from 'zod'
import { OptionError, ShapeError } from '../errors.ts'

const AUTO_PADS = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] as const
export type AutoPad = (typeof AUTO_PADS)[number]

const positive = z.number().int().min(1)
const natural = z.number().int().min(0)

/** One number for all axes, or one per axis. */
export const perAxis = z.union([positive, z.array(positive)])

/** The attributes of a window, after `onnxNames`. */
export const windowFields = {
  /** Steps of the window, per axis. Default 1. */
  stride: perAxis.default(1),
  /** Spacing of the window's elements, per axis. Default 1. */
  dilation: perAxis.default(1),
  /** Zeros around the input: one number, or all befores, then all afters (2-D: top, left, bottom, right). Default 0. */
  padding: z.union([natural, z.array(natural)]).default(0),
  /** Padding by rule: SAME gives ⌈L / stride⌉ windows, an odd zero at the end (UPPER) or beginning (LOWER); VALID pads nothing. */
  autoPad: z.enum(AUTO_PADS).default('NOTSET'),
}

/** The names that ONNX gives to attributes, and those in camelCase; all spellings are taken. */
const ONNX_NAMES: Readonly<Record<string, string>> = {
  strides: 'stride',
  dilations: 'dilation',
  pads: 'padding',
  auto_pad: 'autoPad',
  kernel_shape: 'kernel',
  kernelShape: 'kernel',
  group: 'groups',
  ceil_mode: 'ceilMode',
  count_include_pad: 'countIncludePad',
  storage_order: 'storageOrder',
  output_padding: 'outputPadding',
  output_shape: 'outputShape',
}

/** Renames ONNX's attributes to Tilewright's, for `z.preprocess`. What is given under both names keeps both, and is refused. */
export function onnxNames(attributes: unknown): unknown {
  if (typeof attributes !== 'object' || attributes === null) return attributes
  const entries = Object.entries(attributes).map(([name, value]): [string, unknown] => {
    const own = ONNX_NAMES[name]
    return [own === undefined || own in attributes ? name : own, value]
  })
  return Object.fromEntries(entries)
}

/** A flag: a boolean, or ONNX's 0 and 1. */
export const flag = z
  .union([z.boolean(), z.literal(0), z.literal(1)])
  .transform(Boolean)
  .default(false)

export interface WindowAttributes {
  readonly stride: number | readonly number[]
  readonly dilation: number | readonly number[]
  readonly padding: number | readonly number[]
  readonly autoPad: AutoPad
}

/** One axis of a window, resolved. */
export interface WindowAxis {
  /** Extent of the input. */
  readonly input: number
  /** Window size, in elements. */
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly after: number
  /** Number of windows: the extent of the output. */
  readonly output: number
}

/**
 * Resolves the window over spatial extents `extents`, with `kernel` sizes of the same rank.
 * @throws ShapeError when an attribute has the wrong length or the window is larger than the padded input
 * @throws OptionError when padding is given both by number and by rule
 */
export function windowAxes(
  op: string,
  extents: readonly number[],
  kernel: readonly number[],
  attributes: WindowAttributes,
  ceilMode = false,
): WindowAxis[] {
  const rank = extents.length
  const { autoPad } = attributes
  const strides = spread(op, 'stride', attributes.stride, rank)
  const dilations = spread(op, 'dilation', attributes.dilation, rank)
  const paddings = spread(op, 'padding', attributes.padding, 2 * rank)
  if (kernel.length !== rank)
    throw new ShapeError(`The kernel has ${kernel.length} axes for ${rank} spatial axes`, { op, shape: kernel })
  if (autoPad !== 'NOTSET' && paddings.some((padding) => padding !== 0)) {
    throw new OptionError(`Padding is given by number and by ${autoPad}`, { op, padding: paddings, remedy: 'Give one of them' })
  }
  return extents.map((input, axis): WindowAxis => {
    const size = kernel[axis] ?? 1
    const stride = strides[axis] ?? 1
    const dilation = dilations[axis] ?? 1
    const span = dilation * (size - 1) + 1
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const output = Math.ceil(input / stride)
      const total = Math.max(0, (output - 1) * stride + span - input)
      const small = Math.floor(total / 2)
      const before = autoPad === 'SAME_UPPER' ? small : total - small
      return { input, kernel: size, stride, dilation, before, after: total - before, output }
    }
    const before = paddings[axis] ?? 0
    const after = paddings[rank + axis] ?? 0
    const room = input + before + after - span
    if (room < 0) {
      throw new ShapeError(`A window of ${span} does not fit an axis of ${input} padded by ${before} and ${after}`, {
        op,
        axis: axis + 2,
        shape: extents,
      })
    }
    let output = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1
    if (ceilMode && (output - 1) * stride >= input + before) output -= 1
    return { input, kernel: size, stride, dilation, before, after, output }
  })
}

/** A value for each of `length` axes. @throws ShapeError for a list of another length */
export function spread(op: string, name: string, value: number | readonly number[], length: number): readonly number[] {
  if (typeof value === 'number') return Array.from({ length }, () => value)
  if (value.length === length) return value
  throw new ShapeError(`Attribute ${name} has ${value.length} values, not ${length}`, { op, [name]: value })
}
