/**
 * The convolutions that `tilewright bench conv` times, by stable names: the distinct layers of networks, at the sizes they have there,
 * and filters larger than networks have. A case is one ONNX node with constant weights and a bias, and what follows it in its network
 * (`activation`); X [N, C, H, W] and Y lie as NCHW.
 *
 *     conv        W [M, C/g, R, S]     Y [N, M, P, Q]     P = ⌊(H + top + bottom − d·(R − 1) − 1) / s⌋ + 1
 *     transposed  W [C, M/g, R, S]     Y [N, M, P, Q]     P = (H − 1)·s − top − bottom + d·(R − 1) + 1 + (output padding)
 *
 * A family is a kind of layer, since kinds are what algorithms are made for.
 */
import type { Bench, BenchCase } from './table.ts'

const FAMILIES = ['first', '3x3', '1x1', 'depthwise', 'large', 'grouped', 'dilated', 'transposed', 'f16', 'batch'] as const
type Family = (typeof FAMILIES)[number]

export interface ConvCase extends BenchCase {
  readonly family: Family
  readonly dtype: 'f32' | 'f16'
  readonly transposed: boolean
  readonly batch: number
  readonly channels: number
  readonly filters: number
  readonly groups: number
  /** Height and width of X. */
  readonly size: readonly [number, number]
  readonly kernel: readonly [number, number]
  readonly stride: number
  readonly dilation: number
  /** On every side. */
  readonly padding: number
  /** Rows and columns that a transposed convolution adds at the end. */
  readonly outputPadding: number
  readonly activation: 'none' | 'relu' | 'relu6'
}

type More = Partial<Omit<ConvCase, 'name' | 'family' | 'channels' | 'filters' | 'size' | 'kernel'>>

/** A layer of `side`² pixels and `kernel`² filters, padded so that a stride of 1 keeps the size. */
function conv(
  name: string,
  family: Family,
  [channels, filters, side]: readonly [number, number, number],
  kernel: number,
  more: More = {},
): ConvCase {
  const { dtype = 'f32', dilation = 1 } = more
  return {
    name: `${name}-${dtype}`,
    family,
    dtype,
    transposed: false,
    batch: 1,
    channels,
    filters,
    groups: 1,
    size: [side, side],
    kernel: [kernel, kernel],
    stride: 1,
    dilation,
    padding: (dilation * (kernel - 1)) / 2,
    outputPadding: 0,
    activation: 'relu',
    ...more,
  }
}

/** AlexNet (Krizhevsky et al. 2012), its two halves as groups. */
const ALEXNET: readonly ConvCase[] = [
  conv('alexnet-conv1', 'first', [3, 96, 227], 11, { stride: 4, padding: 0 }),
  conv('alexnet-conv2', 'grouped', [96, 256, 27], 5, { groups: 2 }),
  conv('alexnet-conv3', '3x3', [256, 384, 13], 3),
  conv('alexnet-conv4', 'grouped', [384, 384, 13], 3, { groups: 2 }),
  conv('alexnet-conv5', 'grouped', [384, 256, 13], 3, { groups: 2 }),
]

/** VGG-16: channels, filters, side of the picture. */
const VGG16 = [
  [64, 64, 224],
  [64, 128, 112],
  [128, 128, 112],
  [128, 256, 56],
  [256, 256, 56],
  [256, 512, 28],
  [512, 512, 28],
  [512, 512, 14],
] as const

const RESNET_3X3 = [
  [64, 64, 56],
  [128, 128, 28],
  [256, 256, 14],
  [512, 512, 7],
] as const

/** ResNet-50 v1: 1×1 layers, and those that halve the picture. */
const RESNET_1X1 = [
  [64, 64, 56],
  [64, 256, 56],
  [256, 64, 56],
  [128, 512, 28],
  [512, 128, 28],
  [256, 1024, 14],
  [1024, 256, 14],
  [512, 2048, 7],
  [2048, 512, 7],
] as const
const RESNET_HALVING = [
  [256, 128, 56],
  [256, 512, 56],
  [512, 256, 28],
  [512, 1024, 28],
  [1024, 512, 14],
  [1024, 2048, 14],
] as const

/** Depthwise layers: channels, side of the picture, stride. */
const MOBILENET1_DEPTHWISE = [
  [32, 112, 1],
  [64, 112, 2],
  [128, 56, 1],
  [128, 56, 2],
  [256, 28, 1],
  [256, 28, 2],
  [512, 14, 1],
  [512, 14, 2],
  [1024, 7, 1],
] as const
const MOBILENET2_DEPTHWISE = [
  [96, 112, 2],
  [144, 56, 1],
  [576, 14, 1],
  [960, 7, 1],
] as const
/** Channels, filters, side. */
const MOBILENET1_POINTWISE = [
  [32, 64, 112],
  [128, 128, 56],
  [512, 512, 14],
  [1024, 1024, 7],
] as const
/** Channels, filters, side; expanding ones end in ReLU6, projections in nothing. */
const MOBILENET2_POINTWISE = [
  [16, 96, 112, 'relu6'],
  [96, 24, 56, 'none'],
  [320, 1280, 7, 'relu6'],
] as const
/** Channels, side, kernel, stride; their activation, x · sigmoid(x), is no layer's own in ONNX. */
const EFFICIENTNET_DEPTHWISE = [
  [144, 56, 5, 2],
  [240, 28, 5, 1],
  [240, 28, 3, 2],
  [672, 14, 5, 1],
  [672, 14, 5, 2],
  [1152, 7, 5, 1],
] as const

function depthwise(net: string, channels: number, side: number, kernel: number, more: More): ConvCase {
  const { stride = 1 } = more
  const name = `${net}-dw${kernel}x${kernel}${stride === 1 ? '' : `s${stride}`}-${channels}-${side}`
  return conv(name, 'depthwise', [channels, channels, side], kernel, { groups: channels, ...more })
}

/** U-Net's way up: a stride of 2 doubles the picture. */
function up(kernel: 2 | 3, channels: number, filters: number, side: number): ConvCase {
  const padding = kernel === 2 ? 0 : 1
  const more = { transposed: true, stride: 2, padding, outputPadding: padding, activation: 'none' } as const
  return conv(`unet-up${kernel}x${kernel}-${channels}-${filters}-${side}`, 'transposed', [channels, filters, side], kernel, more)
}

/** Few channels and large filters: kernel, channels, side. */
const LARGE = [
  [5, 32, 56],
  [7, 16, 56],
  [11, 8, 64],
  [15, 8, 64],
  [31, 4, 64],
] as const
/** ConvNeXt's 7×7, RepLKNet's 31×31 and between: kernel, channels, side. */
const LARGE_DEPTHWISE = [
  [7, 96, 56],
  [11, 128, 28],
  [15, 128, 28],
  [31, 256, 14],
] as const

export const CONV_CASES: readonly ConvCase[] = [
  ...ALEXNET,
  conv('vgg16-3-64-224', 'first', [3, 64, 224], 3),
  ...VGG16.map((layer) => conv(`vgg16-${layer.join('-')}`, '3x3', layer, 3)),
  conv('resnet50-7x7s2-3-64-224', 'first', [3, 64, 224], 7, { stride: 2 }),
  ...RESNET_3X3.map((layer) => conv(`resnet50-3x3-${layer.join('-')}`, '3x3', layer, 3)),
  ...RESNET_1X1.map((layer) => conv(`resnet50-1x1-${layer.join('-')}`, '1x1', layer, 1)),
  ...RESNET_HALVING.map((layer) => conv(`resnet50-1x1s2-${layer.join('-')}`, '1x1', layer, 1, { stride: 2 })),
  conv('mobilenet1-3x3s2-3-32-224', 'first', [3, 32, 224], 3, { stride: 2 }),
  ...MOBILENET1_DEPTHWISE.map(([channels, side, stride]) => depthwise('mobilenet1', channels, side, 3, { stride })),
  ...MOBILENET1_POINTWISE.map((layer) => conv(`mobilenet1-pw-${layer.join('-')}`, '1x1', layer, 1)),
  ...MOBILENET2_DEPTHWISE.map(([channels, side, stride]) =>
    depthwise('mobilenet2', channels, side, 3, { stride, activation: 'relu6' }),
  ),
  ...MOBILENET2_POINTWISE.map(([channels, filters, side, activation]) =>
    conv(`mobilenet2-pw-${channels}-${filters}-${side}`, '1x1', [channels, filters, side], 1, { activation }),
  ),
  ...EFFICIENTNET_DEPTHWISE.map(([channels, side, kernel, stride]) =>
    depthwise('efficientnet', channels, side, kernel, { stride, activation: 'none' }),
  ),
  up(2, 1024, 512, 16),
  up(2, 256, 128, 64),
  up(2, 128, 64, 128),
  up(3, 512, 256, 32),
  up(3, 128, 64, 64),
  ...LARGE.map(([kernel, channels, side]) =>
    conv(`large-${kernel}x${kernel}-${channels}-${side}`, 'large', [channels, channels, side], kernel),
  ),
  ...LARGE_DEPTHWISE.map(([kernel, channels, side]) => depthwise('large', channels, side, kernel, { activation: 'none' })),
  conv('resnext50-3x3g32-128-56', 'grouped', [128, 128, 56], 3, { groups: 32 }),
  conv('shufflenet-1x1g3-240-28', 'grouped', [240, 240, 28], 1, { groups: 3 }),
  conv('deeplab-3x3d2-256-256-28', 'dilated', [256, 256, 28], 3, { dilation: 2 }),
  conv('deeplab-3x3d4-512-512-28', 'dilated', [512, 512, 28], 3, { dilation: 4 }),
  conv('resnet50-3x3-64-64-56', 'f16', [64, 64, 56], 3, { dtype: 'f16' }),
  conv('resnet50-3x3-256-256-14', 'f16', [256, 256, 14], 3, { dtype: 'f16' }),
  conv('resnet50-1x1-256-64-56', 'f16', [256, 64, 56], 1, { dtype: 'f16' }),
  { ...depthwise('mobilenet1', 128, 56, 3, { dtype: 'f16' }), family: 'f16' },
  { ...depthwise('efficientnet', 240, 28, 5, { dtype: 'f16', activation: 'none' }), family: 'f16' },
  ...RESNET_3X3.map((layer) => conv(`resnet50-3x3-${layer.join('-')}-batch32`, 'batch', layer, 3, { batch: 32 })),
]

/** Height and width of Y. */
export function convOutput({ size, kernel, stride, dilation, padding, outputPadding, transposed }: ConvCase): [number, number] {
  const extent = (axis: 0 | 1): number => {
    const span = dilation * (kernel[axis] - 1) + 1
    if (transposed) return (size[axis] - 1) * stride - 2 * padding + span + outputPadding
    return Math.floor((size[axis] + 2 * padding - span) / stride) + 1
  }
  return [extent(0), extent(1)]
}

/** Shapes of X, W, the bias and Y. */
export function convShapes(item: ConvCase): Readonly<Record<'x' | 'w' | 'bias' | 'y', readonly number[]>> {
  const { batch, channels, filters, groups, size, kernel, transposed } = item
  const w = transposed ? [channels, filters / groups, ...kernel] : [filters, channels / groups, ...kernel]
  return { x: [batch, channels, ...size], w, bias: [filters], y: [batch, filters, ...convOutput(item)] }
}

const volume = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

/** Multiplications, with those of padding counted as the literature does. */
function macs(item: ConvCase): number {
  const { channels, filters, groups, size, kernel, transposed, batch } = item
  const pixels = transposed ? size : convOutput(item)
  return (batch * volume(pixels) * volume(kernel) * channels * filters) / groups
}

function leastBytes(item: ConvCase): number {
  const each = item.dtype === 'f16' ? 2 : 4
  return Object.values(convShapes(item)).reduce((sum, shape) => sum + each * volume(shape), 0)
}

/** Multiplications a second of the slowest peer on a software adapter: few channels a group are ten times slower. */
const SOFTWARE_RATE = { dense: 1.5e9, narrow: 1e8 } as const
const SOFTWARE_SECONDS = 2

function leftOut(item: ConvCase, software: boolean): string | undefined {
  if (!software) return undefined
  if (item.batch > 1) return 'batches are for GPUs: a software adapter takes minutes'
  const narrow = item.groups > 1 && item.channels / item.groups < 8
  const seconds = macs(item) / SOFTWARE_RATE[narrow ? 'narrow' : 'dense']
  if (seconds > SOFTWARE_SECONDS) return `a software adapter takes about ${seconds.toFixed(0)} s a run in the slowest engine`
  return undefined
}

export const CONV: Bench<ConvCase> = {
  name: 'conv',
  cases: CONV_CASES,
  families: FAMILIES,
  quick: [
    'resnet50-3x3-64-64-56-f32',
    'resnet50-1x1-1024-256-14-f32',
    'mobilenet1-dw3x3-512-14-f32',
    'efficientnet-dw5x5-240-28-f32',
    'unet-up2x2-256-128-64-f32',
    'large-11x11-8-64-f32',
  ],
  others: ['ort-webgpu', 'ort-cpu', 'tfjs-webgpu'],
  example: 'resnet50-3x3-*',
  macs,
  leastBytes,
  leftOut,
  // Winograd's transforms and half floats cost digits; what is beyond this is wrong.
  mostError: ({ dtype }) => (dtype === 'f16' ? 2e-3 : 1e-4),
  firstFromOpening: true,
  byFamily: true,
  heldAgainstCpu: false,
}
