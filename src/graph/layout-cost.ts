/**
 * What a node costs in a form, in seconds, as far as layouts make a difference. Think of it as a postage table: rough, but the same for
 * all, so that the cheapest way through a graph is found by adding up. The rates are of this project's kernels on lavapipe, and for GPUs
 * those of a middling one; only their ratios decide.
 *
 *     convolution     max(flops / rate · share, bytes / bandwidth)    share: what is lost where channels cannot be read four at a time
 *     window pools    values loaded / loads a second                  a quad of channels is one load
 *     all others      bytes / bandwidth
 *     relayout        bytes / bandwidth of a transpose                0 where no element moves
 */
import { INPUT } from '../ops/conv2d/convolution.ts'
import { deviceByteSize } from '../gpu/program.ts'
import { layoutShape, type Layout } from '../ops/layout.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { TensorType } from '../tensor/tensor.ts'
import type { Form } from './layout-forms.ts'
import type { TypedNode } from './passes.ts'

/** What the pass asks of a device. */
export interface LayoutDevice {
  readonly software: boolean
}

interface Rates {
  /** Floating-point operations of a dense and of a depthwise convolution. */
  readonly dense: number
  readonly depthwise: number
  /** Bytes of a pass over memory, and of a transpose. */
  readonly bytes: number
  readonly transposed: number
  /** Loads of a value, or of a quad of them. */
  readonly loads: number
}

const SOFTWARE: Rates = { dense: 60e9, depthwise: 12e9, bytes: 4e9, transposed: 2e9, loads: 0.4e9 }
const HARDWARE: Rates = { dense: 4e12, depthwise: 1e12, bytes: 200e9, transposed: 100e9, loads: 100e9 }

function ratesOf({ software }: LayoutDevice): Rates {
  return software ? SOFTWARE : HARDWARE
}

function bytesOf({ dtype, shape }: TensorType): number {
  return sizeOf(shape) * deviceByteSize(dtype)
}

/** A feature map given in nchw, as it lies in a layout. */
export function typeIn({ dtype, shape }: TensorType, layout: Layout): TensorType {
  const [batch = 0, channels = 0, ...extents] = shape
  return { dtype, shape: layoutShape(layout, batch, channels, extents) }
}

/** Whether no element moves: places are the same where there is one channel or one position. */
export function isAlias({ shape }: TensorType, from: Layout, to: Layout): boolean {
  const [, channels = 0, ...extents] = shape
  if (from === to || sizeOf(shape) === 0) return true
  if (from === 'nchw4' || to === 'nchw4') return sizeOf(extents) === 1 && channels % 4 === 0
  return channels === 1 || sizeOf(extents) === 1
}

/** Bytes that a relayout of a map (given in nchw) reads and writes. */
export function relayoutBytes(type: TensorType, from: Layout, to: Layout): number {
  return isAlias(type, from, to) ? 0 : bytesOf(typeIn(type, from)) + bytesOf(typeIn(type, to))
}

/** A dispatch costs as much as so many seconds, so that small maps are not moved for nothing. */
const DISPATCH = 10e-6

export function relayoutSeconds(type: TensorType, from: Layout, to: Layout, device: LayoutDevice): number {
  const bytes = relayoutBytes(type, from, to)
  return bytes === 0 ? 0 : DISPATCH + bytes / ratesOf(device).transposed
}

/** Seconds of a node in a form. */
export function nodeSeconds(item: TypedNode, form: Form, device: LayoutDevice): number {
  const rates = ratesOf(device)
  const { node, definition, context } = item
  const [x] = context.inputs
  const [y] = context.outputs
  if (x === null || x === undefined || y === undefined) return 0
  const from = form.inputs.get(0) ?? 'nchw'
  const flops = definition.flops(context)
  switch (node.op) {
    case 'conv2d':
    case 'convTranspose2d': {
      const moved = bytesOf(typeIn(x, from)) + bytesOf(typeIn(y, form.output))
      return Math.max(flops / convRate(item, form, from, rates), moved / rates.bytes)
    }
    case 'maxPool':
    case 'averagePool':
      return flops / (rates.loads * lanes(from, x)) + bytesOf(typeIn(y, form.output)) / rates.bytes
    case 'globalMaxPool':
    case 'globalAveragePool':
      return sizeOf(typeIn(x, from).shape) / (rates.loads * lanes(from, x))
    default: {
      const maps = context.inputs.reduce((sum, type) => sum + (type === null ? 0 : bytesOf(type)), 0)
      return (maps + bytesOf(typeIn(y, form.output))) / rates.bytes
    }
  }
}

/** Values of one load of a map. */
function lanes(layout: Layout, { shape }: TensorType): number {
  const [, channels = 0] = shape
  return layout === 'nchw4' || (layout === 'nhwc' && channels % 4 === 0) ? 4 : 1
}

/** Shares of a convolution's rate: reading single values, and the few channels of a first layer in quads that are mostly empty. */
const SINGLE = { dense: 0.8, depthwise: 0.3 }

function convRate({ context }: TypedNode, form: Form, from: Layout, rates: Rates): number {
  const [, channels = 0] = context.inputs[0]?.shape ?? []
  const [, second = 1] = context.inputs[INPUT.w]?.shape ?? []
  const depthwise = second === 1 && channels > 1
  if (depthwise) {
    const whole = from !== 'nchw' && form.output !== 'nchw' && (channels % 4 === 0 || from === 'nchw4')
    return rates.depthwise * (whole ? 1 : SINGLE.depthwise)
  }
  const quads = from === 'nchw4' ? channels / (4 * Math.ceil(channels / 4)) : from === 'nhwc' && second % 4 === 0 ? 1 : SINGLE.dense
  return rates.dense * quads * (form.output === 'nhwc' ? 1 : SINGLE.dense)
}
