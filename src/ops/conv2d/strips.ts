/**
 * What kernels share whose invocations own strips of outputs (depthwise, direct-tiled): think of Y as *lines* (a filter, or a quad of
 * them), each a picture, cut into tiles of `tall` rows of `strip` outputs. shaders/conv/strips/place.wgsl finds an invocation's tile;
 * this file has the sizes that it needs, and makes the dispatch.
 */
import place from '../../../shaders/conv/strips/place.wgsl?raw'
import divided from '../../../shaders/gemm/read/divided.wgsl?raw'
import type { DispatchPlan, OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { activationParams, activationWgsl } from '../gemm/activation.ts'
import { layoutStrides } from '../layout.ts'
import type { WindowAxis } from '../window.ts'
import { INPUT, macsOf, outputPlace, tapsOf, type Convolution } from './convolution.ts'
import { bytesOf } from './filters.ts'

const LANES = 64
/** Quotients from which `divided` (divided.wgsl) is no longer exact. */
const LARGE = 2 ** 21

/** Whether a convolution lacks this axis. */
export function isTrivial({ input, kernel, output, before }: WindowAxis): boolean {
  return input === 1 && kernel === 1 && output === 1 && before === 0
}

/** How outputs of an axis share what they read: those `spacing` apart have windows that lie `step` taps apart. */
export function sharing({ stride, dilation }: WindowAxis): { spacing: number; step: number } {
  const divisor = gcd(stride, dilation)
  return { spacing: dilation / divisor, step: stride / divisor }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** The strip that wastes the fewest outputs of a row; 7 where it can be, which fits the 7, 14, 28 … 112 of networks for ImageNet. */
export function stripOf({ axes: [, , x] }: Pick<Convolution, 'axes'>): number {
  const { spacing } = sharing(x)
  const columns = Math.ceil(x.output / spacing)
  const wasted = (strip: number): number => strip * Math.ceil(columns / strip)
  return [7, 8, 6, 4].reduce((best, strip) => (wasted(strip) < wasted(best) ? strip : best))
}

/** Whether the channels of every pixel, or of every plane of quads, are whole quads. */
export function inWholeQuads(layout: Convolution['layout'], channels: number): boolean {
  return layout === 'nchw4' || (layout === 'nhwc' && channels % 4 === 0)
}

/** Whether Y takes quads of filters whole. */
export function storesQuads(conv: Convolution): boolean {
  const { groups, filters, outputLayout } = conv
  const { strides, offset } = outputPlace(conv)
  // A map of channels side by side has quads where all of it is quads; one of planes of quads begins with one.
  return inWholeQuads(outputLayout, groups * filters) && strides.x % 4 === 0 && offset % 4 === 0
}

/** A kernel whose invocations own strips. */
export interface StripKernel {
  /** After the op's name in labels. */
  readonly name: string
  readonly strip: number
  readonly tall: number
  /** Filters, or quads of them. */
  readonly lines: number
  /**
   * Files with `main`; before them come place.wgsl, the activation (`activated(x)`), `bias_of(index)` and `residual_of(index)`, which are
   * 0 where there is none, by the width of their accesses.
   */
  readonly body: readonly string[]
  /** Which operands are accessed four elements at a time; the residual as Y. */
  readonly wide: { readonly x: boolean; readonly w: boolean; readonly bias: boolean; readonly y: boolean }
  /** Bound as `w`. */
  readonly filters: { readonly type: TensorType; readonly ref: TensorRef }
  /** Params of its own; for `divisors`, NAME_inverse as well. */
  readonly values: Readonly<Record<string, number>>
  readonly divisors: Readonly<Record<string, number>>
  readonly constants: Readonly<Record<string, number | string>>
}

/** The one dispatch of such a kernel. */
export function stripDispatch(conv: Convolution, kernel: StripKernel): DispatchPlan {
  const { strip, tall, wide, filters } = kernel
  const operands: OperandSpec[] = []
  const bind: TensorRef[] = []
  const put = (name: string, { dtype }: TensorType, isWide: boolean, ref: TensorRef): void => {
    operands.push({ name, dtype, access: ref.kind === 'output' ? 'write' : 'read', width: isWide ? 4 : 1 })
    bind.push(ref)
  }
  put('x', conv.x, wide.x, { kind: 'input', index: INPUT.x })
  put('w', filters.type, wide.w, filters.ref)
  if (conv.bias !== undefined) put('bias', conv.bias, wide.bias, { kind: 'input', index: INPUT.bias })
  if (conv.residual !== undefined) put('residual', conv.residual, wide.y, { kind: 'input', index: INPUT.residual })
  put('y', conv.output, wide.y, { kind: 'output', index: 0 })
  const { values, inverses, large } = sizesOf(conv, kernel)
  const activation = activationParams(conv.activation)
  const types = (names: object, type: ParamType): Record<string, ParamType> =>
    Object.fromEntries(Object.keys(names).map((name): [string, ParamType] => [name, type]))
  return {
    program: {
      name: `${conv.op}/${kernel.name}`,
      body: [
        divided,
        place,
        termWgsl('bias', wide.bias, conv.bias !== undefined),
        termWgsl('residual', wide.y, conv.residual !== undefined),
        activationWgsl(conv.activation),
        ...kernel.body,
      ].join('\n'),
      operands,
      params: { ...types(values, 'u32'), ...types(inverses, 'f32'), ...activation.types },
      constants: {
        ...{ STRIP: strip, TALL: tall, LARGE: `${large}`, LINES_INNERMOST: `${conv.outputLayout === 'nhwc'}` },
        ...kernel.constants,
      },
      workgroupSize: [LANES, 1, 1],
    },
    bind,
    params: { ...values, ...inverses, ...activation.values },
    groups: Math.ceil(values.invocations / LANES),
    cost: { flops: 2 * macsOf(conv), bytes: bytesOf([conv.x, filters.type, conv.bias, conv.residual, conv.output]) },
  }
}

/** Something that is added to sums, or its absence. */
function termWgsl(name: string, isWide: boolean, isThere: boolean): string {
  const type = isWide ? 'vec4<f32>' : 'f32'
  return `fn ${name}_of(index: u32) -> ${type} { return ${isThere ? `load_${name}(index)` : `${type}()`}; }`
}

function sizesOf(conv: Convolution, { strip, tall, lines, values: own, divisors: ownDivisors }: StripKernel) {
  const { batch, groups, channels, filters, layout, outputLayout, axes } = conv
  const [z, y, x] = axes
  const from = layoutStrides(layout, groups * channels, [z.input, y.input, x.input])
  const { strides: to, offset } = outputPlace(conv)
  const spacing_x = strip === 1 ? 1 : sharing(x).spacing
  const spacing_y = tall === 1 ? 1 : sharing(y).spacing
  const strips = (outputs: number, length: number, spacing: number): number => Math.ceil(outputs / (length * spacing)) * spacing
  const divisors = {
    lines,
    strips_x: strips(x.output, strip, spacing_x),
    strips_y: strips(y.output, tall, spacing_y),
    out_z: z.output,
    spacing_x,
    spacing_y,
    ...ownDivisors,
  }
  const invocations = batch * lines * z.output * divisors.strips_y * divisors.strips_x
  const values = {
    ...{ ...divisors, ...own, invocations, taps: tapsOf(conv), step_x: sharing(x).step },
    ...{ depth: z.input, height: y.input, width: x.input, out_y: y.output, out_x: x.output },
    ...{ x_picture: from.picture, x_channel: from.channel, x_quad: from.quad, x_z: from.z, x_y: from.y, x_x: from.x },
    ...{ y_offset: offset, y_picture: to.picture, y_channel: to.channel, y_quad: to.quad, y_z: to.z, y_y: to.y, y_x: to.x },
    ...{ kernel_z: z.kernel, kernel_y: y.kernel, kernel_x: x.kernel },
    ...{ stride_z: z.stride, stride_y: y.stride, stride_x: x.stride },
    ...{ dilation_z: z.dilation, dilation_y: y.dilation, dilation_x: x.dilation },
    ...{ pad_z: z.before, pad_y: y.before, pad_x: x.before },
  }
  const inverses = Object.fromEntries(Object.entries(divisors).map(([name, value]) => [`${name}_inverse`, 1 / value]))
  // The first quotient of a place is its largest; those of lines are below their number.
  const large = invocations / (outputLayout === 'nhwc' ? lines : divisors.strips_x) >= LARGE || groups * filters >= LARGE
  return { values, inverses, large }
}
