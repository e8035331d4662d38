/** Attributes and shape rule of convTranspose2d, and the transposed convolution that its plan and its reference share. */
import { z } from 'zod'
import { OptionError, ShapeError, UnsupportedOpError } from '../../errors.ts'
import { convProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import { INPUT } from '../conv2d/convolution.ts'
import { activationField } from '../gemm/activation.ts'
import { dimensionsOf, layoutField, LAYOUTS, layoutShape, type Layout } from '../layout.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { placedType, placeField } from '../place.ts'
import { onnxNames, spread, windowFields } from '../window.ts'
import type { TransposedAxis } from './phases.ts'
import type { Transposed } from './transposed.ts'

const OP = 'convTranspose2d'
const natural = z.number().int().min(0)

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    // Padding is what is left out of the outputs; by SAME there are L · stride, an odd one left out at the end (UPPER) or beginning.
    ...windowFields,
    /** Outputs more at the end, per axis. Default 0. */
    outputPadding: z.union([natural, z.array(natural)]).default(0),
    /** Extents of Y, from which the padding follows; an odd one at the beginning, but for autoPad SAME_UPPER. */
    outputShape: z.array(natural).optional(),
    /** Filter size, checked against w where it is given. */
    kernel: z.array(z.number().int().min(1)).optional(),
    /** Groups of channels that are convolved apart. */
    groups: z.number().int().min(1).default(1),
    /** Applied last, before the result is stored. */
    activation: activationField,
    /** How X lies (its shape is that of the layout); W is [C, M/groups, …] in any. */
    layout: layoutField,
    /** How Y and the residual lie; absent, as X. */
    outputLayout: z.enum(LAYOUTS).optional(),
    /** Where Y is some channels of a larger map, which is then what the op returns. */
    place: placeField,
    /** Forces an algorithm: its name, or its configuration. One that cannot run the convolution is an error. */
    algorithm: z
      .union([z.string(), z.looseObject({ algorithm: z.string() })], { error: 'give a name, or {algorithm: name, …}' })
      .optional(),
    /** What sums are kept in. f16, for f16 operands, is faster on some GPUs and loses digits: only on request. */
    accumulate: z.enum(['f32', 'f16']).default('f32'),
  }),
)
export type ConvTransposeAttributes = z.infer<typeof attributes>

/** Everything about the loops: channels and filters are of one group. */
export interface TransposedSizes extends Pick<
  Transposed,
  'batch' | 'groups' | 'channels' | 'filters' | 'axes' | 'layout' | 'outputLayout'
> {
  /** Of Y, in its layout. */
  readonly shape: readonly number[]
}

/** An axis that the op lacks. */
const ONE: TransposedAxis = { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, output: 1 }

/** @throws ShapeError when x, w and the attributes do not fit; UnsupportedOpError for more than three spatial axes */
export function transposedSizes(inputs: InputTypes, given: ConvTransposeAttributes): TransposedSizes {
  const x = requireInput(OP, inputs, INPUT.x, 'X')
  const w = requireInput(OP, inputs, INPUT.w, 'W')
  const { groups, layout, outputLayout = layout } = given
  const { batch, channels: lying, extents } = dimensionsOf(x.shape, layout)
  const [allChannels = 0, filters = 0, ...kernel] = w.shape
  if (extents.length > 3) {
    throw new UnsupportedOpError(`Transposed convolutions over ${extents.length} spatial axes are not supported`, {
      op: OP,
      shape: x.shape,
      remedy: 'Convolve over one, two or three axes',
    })
  }
  if (extents.length < 1 || kernel.length !== extents.length) {
    const forms: Readonly<Record<Layout, string>> = {
      nchw: '[N, C, H, W] or [N, C, L]',
      nhwc: '[N, H, W, C]',
      nchw4: '[N, C/4, H, W, 4]',
    }
    const wanted = `${forms[layout]} and [C, M/groups, R, S]`
    throw new ShapeError(`X ${formatShape(x.shape)} and W ${formatShape(w.shape)} are not ${wanted}`, { op: OP })
  }
  if (given.kernel !== undefined && !sameShape(given.kernel, kernel)) {
    throw new ShapeError(`Attribute kernel ${formatShape(given.kernel)} contradicts W ${formatShape(w.shape)}`, { op: OP })
  }
  if (kernel.includes(0)) throw new ShapeError('The filters are empty', { op: OP, shape: w.shape })
  const fits = layout === 'nchw4' ? 4 * Math.ceil(allChannels / 4) === lying && x.shape.at(-1) === 4 : allChannels === lying
  if (!fits) throw new ShapeError(`X has ${lying} channels, but W takes ${allChannels}`, { op: OP, x: x.shape, w: w.shape })
  if (allChannels % groups !== 0)
    throw new ShapeError(`${allChannels} channels do not split into ${groups} groups`, { op: OP, w: w.shape })
  const own = axesOf(extents, kernel, given)
  const [z0 = ONE, y0 = ONE, x0 = ONE] = [...Array.from({ length: 3 - own.length }, () => ONE), ...own]
  const outputs = own.map(({ output }) => output)
  const shape = layoutShape(outputLayout, batch, filters * groups, outputs)
  return { batch, groups, channels: allChannels / groups, filters, axes: [z0, y0, x0], layout, outputLayout, shape }
}

/**
 * Extents of Y and what is cut off, as ONNX has it: stride · (L − 1) + outputPadding + dilation · (K − 1) + 1 outputs less the padding,
 * or the extents wanted with the padding that leads there (none where even all outputs are fewer: what nothing reaches is 0).
 */
function axesOf(extents: readonly number[], kernel: readonly number[], given: ConvTransposeAttributes): TransposedAxis[] {
  const rank = extents.length
  const { autoPad, outputShape } = given
  const strides = spread(OP, 'stride', given.stride, rank)
  const dilations = spread(OP, 'dilation', given.dilation, rank)
  const paddings = spread(OP, 'padding', given.padding, 2 * rank)
  const more = spread(OP, 'outputPadding', given.outputPadding, rank)
  if (autoPad !== 'NOTSET' && paddings.some((padding) => padding !== 0)) {
    throw new OptionError(`Padding is given by number and by ${autoPad}`, { op: OP, padding: paddings, remedy: 'Give one of them' })
  }
  // Exporters of older ONNX give outputShape with batch and channels in front.
  const wanted = outputShape === undefined || outputShape.length === rank ? outputShape : outputShape.slice(2)
  if (wanted !== undefined) spread(OP, 'outputShape', wanted, rank)
  return extents.map((input, axis): TransposedAxis => {
    const [size = 1, stride = 1, dilation = 1] = [kernel[axis], strides[axis], dilations[axis]]
    const all = stride * (input - 1) + (more[axis] ?? 0) + dilation * (size - 1) + 1
    const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER'
    const fixed = wanted?.[axis] ?? (same ? input * stride : undefined)
    if (fixed !== undefined) {
      const total = Math.max(0, all - fixed)
      const before = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)
      return { input, kernel: size, stride, dilation, before, output: fixed }
    }
    const before = paddings[axis] ?? 0
    const output = all - before - (paddings[rank + axis] ?? 0)
    if (output < 1) {
      throw new ShapeError(`Padding of ${before} and ${paddings[rank + axis] ?? 0} leaves none of ${all} outputs`, {
        op: OP,
        axis: axis + 2,
        shape: extents,
      })
    }
    return { input, kernel: size, stride, dilation, before, output }
  })
}

/** Of the output's shape in its layout, in the dtype of X. @throws ShapeError, DtypeError, UnsupportedOpError */
export function infer({ inputs, attributes: given }: InferContext<ConvTransposeAttributes>): TensorType[] {
  const x = requireInput(OP, inputs, INPUT.x, 'X')
  const w = requireInput(OP, inputs, INPUT.w, 'W')
  requireDType(OP, 'X', x, ['f32', 'f16'])
  requireSameDType(OP, 'W', w, x)
  const { filters, groups, shape } = transposedSizes(inputs, given)
  const bias = inputs[INPUT.bias] ?? null
  if (bias !== null) {
    requireSameDType(OP, 'B', bias, x)
    requireVector(OP, 'B', bias, filters * groups)
  }
  const residual = inputs[INPUT.residual] ?? null
  if (residual !== null) {
    requireSameDType(OP, 'residual', residual, x)
    if (!sameShape(residual.shape, shape)) {
      throw new ShapeError(`The residual ${formatShape(residual.shape)} is not like the result ${formatShape(shape)}`, { op: OP })
    }
  }
  if (residual !== null && given.place !== undefined) throw new OptionError('A placed result takes no residual', { op: OP })
  const { outputLayout = given.layout } = given
  const output = placedType(OP, { dtype: x.dtype, shape }, groups * filters, outputLayout, given.place)
  requireIndexable(OP, x, w, output)
  return [output]
}

/** The transposed convolution that a node is. @throws as `infer` */
export function transposedOf(inputs: InputTypes, given: ConvTransposeAttributes, output: TensorType): Transposed {
  const { shape, ...sizes } = transposedSizes(inputs, given)
  const bias = inputs[INPUT.bias] ?? null
  const residual = inputs[INPUT.residual] ?? null
  return {
    op: OP,
    ...sizes,
    x: requireInput(OP, inputs, INPUT.x, 'X'),
    w: requireInput(OP, inputs, INPUT.w, 'W'),
    ...(bias === null ? {} : { bias }),
    ...(residual === null ? {} : { residual }),
    activation: given.activation,
    accumulate: given.accumulate,
    output: { dtype: output.dtype, shape },
    ...(given.place === undefined ? {} : { place: given.place }),
  }
}

/**
 * A loop nest of as many multiply-accumulates: the products of every value with every tap of every filter, a 1×1 convolution whose outputs
 * are then added where they meet. Undefined where an extent is 0.
 */
export function transposedProblem({ batch, groups, channels, filters, axes }: TransposedSizes): Problem | undefined {
  const [z, y, x] = axes
  if (batch * channels * filters * z.input * y.input * x.input === 0) return undefined
  return convProblem({
    N: batch * z.input,
    M: filters * z.kernel * y.kernel * x.kernel,
    C: channels,
    ...{ P: y.input, Q: x.input, R: 1, S: 1, groups },
  })
}
