/** Attributes and shape rule of conv2d, and the convolution that its plan, reference and problem share. */
import { z } from 'zod'
import { OptionError, ShapeError, UnsupportedOpError } from '../../errors.ts'
import { convProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import { activationField } from '../gemm/activation.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { dimensionsOf, layoutShape } from '../layout.ts'
import { placedType, placeField } from '../place.ts'
import { onnxNames, windowAxes, windowFields, type WindowAxis } from '../window.ts'
import { INPUT, LAYOUTS, macsOf, type Convolution, type Layout } from './convolution.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    ...windowFields,
    /** Filter size, checked against w where it is given. */
    kernel: z.array(z.number().int().min(1)).optional(),
    /** Groups of channels that are convolved apart; as many as channels is a depthwise convolution. */
    groups: z.number().int().min(1).default(1),
    /** Applied last, before the result is stored. */
    activation: activationField,
    /** How X lies (its shape is that of the layout), and Y and the residual unless `outputLayout` says otherwise; W is [M, C/groups, …] in any. */
    layout: z.enum(LAYOUTS).default('nchw'),
    /** How Y and the residual lie: so that a network's borders need no transposes. */
    outputLayout: z.enum(LAYOUTS).optional(),
    /** Y is some channels of a larger map, which others write as well: what concat would copy is there already. */
    place: placeField,
    /** Forces an algorithm: its name, or its configuration. One that cannot run the convolution is an error. */
    algorithm: z
      .union([z.string(), z.looseObject({ algorithm: z.string() })], { error: 'give a name, or {algorithm: name, …}' })
      .optional(),
    /** The most that an algorithm's own rounding may add, relative to Σ|w||x| over the patch that it works on at once. */
    maxError: z.number().min(0).optional(),
    /** W holds 2:4 along its channels, and is read so: checked where W is known before the run; else two of every four stay (packed.ts). */
    sparsity: z.literal('2:4').optional(),
    /** What sums are kept in. f16, for f16 operands, is faster on some GPUs and loses digits: only on request. */
    accumulate: z.enum(['f32', 'f16']).default('f32'),
  }),
)
export type ConvAttributes = z.infer<typeof attributes>

/** Everything about the loops: channels and filters are of one group. */
export interface ConvSizes extends Pick<
  Convolution,
  'batch' | 'groups' | 'channels' | 'filters' | 'axes' | 'layout' | 'outputLayout'
> {
  /** Of Y, in its layout. */
  readonly shape: readonly number[]
}

/** An axis that the op lacks. */
const ONE: WindowAxis = { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 1 }

/** What X and W are, over one, two or three axes. */
const FORMS: Readonly<Record<Layout, string>> = {
  nchw: 'both [N, C, L], both [N, C, H, W] or both [N, C, D, H, W]',
  nhwc: '[N, L, C] and [M, C, S], [N, H, W, C] and [M, C, R, S], or [N, D, H, W, C] and [M, C, T, R, S]',
  nchw4: '[N, C/4, L, 4] and [M, C, S], [N, C/4, H, W, 4] and [M, C, R, S], or [N, C/4, D, H, W, 4] and [M, C, T, R, S]',
}

/** Attributes that say sizes. */
type ConvSizeAttributes = Pick<ConvAttributes, 'stride' | 'dilation' | 'padding' | 'autoPad' | 'kernel' | 'groups'> &
  Partial<Pick<ConvAttributes, 'layout' | 'outputLayout'>>

/** Inputs X and W. @throws ShapeError when x, w and the attributes do not fit; UnsupportedOpError for more than three spatial axes */
export function convSizes(inputs: InputTypes, given: ConvSizeAttributes, op = 'conv2d'): ConvSizes {
  const x = requireInput(op, inputs, INPUT.x, 'X')
  const w = requireInput(op, inputs, INPUT.w, 'W')
  const { groups, layout = 'nchw', outputLayout = layout } = given
  const { batch, channels: allChannels, extents } = dimensionsOf(x.shape, layout)
  const [allFilters = 0, channels = 0, ...kernel] = w.shape
  if (extents.length > 3) {
    throw new UnsupportedOpError(`Convolutions over ${extents.length} spatial axes are not supported`, {
      op,
      shape: x.shape,
      remedy: 'Convolve over one, two or three axes',
    })
  }
  if (extents.length < 1 || w.shape.length !== extents.length + 2) {
    throw new ShapeError(`X ${formatShape(x.shape)} and W ${formatShape(w.shape)} are not ${FORMS[layout]}`, { op })
  }
  if (given.kernel !== undefined && !sameShape(given.kernel, kernel)) {
    throw new ShapeError(`Attribute kernel ${formatShape(given.kernel)} contradicts W ${formatShape(w.shape)}`, { op })
  }
  if (kernel.includes(0)) throw new ShapeError('The filters are empty', { op, shape: w.shape })
  const fits = layout === 'nchw4' ? 4 * Math.ceil((channels * groups) / 4) === allChannels : channels * groups === allChannels
  if (!fits || (layout === 'nchw4' && x.shape.at(-1) !== 4)) {
    throw new ShapeError(`X has ${allChannels} channels, but W takes ${channels} in each of ${groups} groups`, {
      op,
      x: x.shape,
      w: w.shape,
    })
  }
  if (allFilters % groups !== 0)
    throw new ShapeError(`${allFilters} filters do not split into ${groups} groups`, { op, w: w.shape })
  const own = windowAxes(op, extents, kernel, given)
  const [z = ONE, y = ONE, horizontal = ONE] = [...Array.from({ length: 3 - own.length }, () => ONE), ...own]
  const outputs = own.map(({ output }) => output)
  const shape = layoutShape(outputLayout, batch, allFilters, outputs)
  return { batch, groups, channels, filters: allFilters / groups, axes: [z, y, horizontal], layout, outputLayout, shape }
}

/** Of the output's shape in its layout, in the dtype of X. @throws ShapeError, DtypeError, UnsupportedOpError */
export function infer({ inputs, attributes: given }: InferContext<ConvAttributes>): TensorType[] {
  const x = requireInput('conv2d', inputs, INPUT.x, 'X')
  const w = requireInput('conv2d', inputs, INPUT.w, 'W')
  requireDType('conv2d', 'X', x, ['f32', 'f16'])
  requireSameDType('conv2d', 'W', w, x)
  const { filters, groups, outputLayout, shape } = convSizes(inputs, given)
  const bias = inputs[INPUT.bias] ?? null
  if (bias !== null) {
    requireSameDType('conv2d', 'B', bias, x)
    requireVector('conv2d', 'B', bias, filters * groups)
  }
  const residual = inputs[INPUT.residual] ?? null
  if (residual !== null) {
    requireSameDType('conv2d', 'residual', residual, x)
    if (!sameShape(residual.shape, shape)) {
      throw new ShapeError(`The residual ${formatShape(residual.shape)} is not like the result ${formatShape(shape)}`, {
        op: 'conv2d',
      })
    }
  }
  if (residual !== null && given.place !== undefined) throw new OptionError('A placed result takes no residual', { op: 'conv2d' })
  const output = placedType('conv2d', { dtype: x.dtype, shape }, groups * filters, outputLayout, given.place)
  requireIndexable('conv2d', x, w, output)
  return [output]
}

/** The convolution that a node is. @throws as `infer` */
export function convolutionOf(inputs: InputTypes, given: ConvAttributes, output: TensorType): Convolution {
  const { shape, ...sizes } = convSizes(inputs, given)
  const bias = inputs[INPUT.bias] ?? null
  const residual = inputs[INPUT.residual] ?? null
  return {
    op: 'conv2d',
    ...sizes,
    x: requireInput('conv2d', inputs, INPUT.x, 'X'),
    w: requireInput('conv2d', inputs, INPUT.w, 'W'),
    ...(bias === null ? {} : { bias }),
    ...(residual === null ? {} : { residual }),
    activation: given.activation,
    accumulate: given.accumulate,
    output: { dtype: output.dtype, shape },
    ...(given.place === undefined ? {} : { place: given.place }),
    ...(given.sparsity === undefined ? {} : { sparsity: given.sparsity }),
    ...(given.maxError === undefined ? {} : { maxError: given.maxError }),
  }
}

/** Multiply-accumulates, zero padding included. */
export function convMacs(inputs: InputTypes, given: ConvAttributes): number {
  return macsOf(convSizes(inputs, given))
}

/** The loop nest; undefined for three spatial axes, as dataflows have two. @throws ShapeError where a loop is empty */
export function problem({ inputs, attributes: given }: InferContext<ConvAttributes>): Problem | undefined {
  const sizes = convSizes(inputs, given)
  return isDeep(sizes) ? undefined : convProblemOf(sizes)
}

/** Whether a convolution has an axis more than two. */
export function isDeep({ axes: [{ input, kernel, output }] }: Pick<ConvSizes, 'axes'>): boolean {
  return input > 1 || kernel > 1 || output > 1
}

/**
 * The loop nest of sizes. The depth of three axes is unrolled: each of its outputs is a picture of its own, whose channels are those of all
 * its taps, as if the planes under them were copied side by side. @throws ShapeError where a loop is empty
 */
export function convProblemOf({ batch, groups, channels, filters, axes }: ConvSizes): Problem {
  const [z, y, x] = axes
  return convProblem({
    N: batch * z.output,
    M: filters,
    C: channels * z.kernel,
    P: y.output,
    Q: x.output,
    R: y.kernel,
    S: x.kernel,
    stride: [y.stride, x.stride],
    dilation: [y.dilation, x.dilation],
    padding: [y.before, x.before, y.after, x.after],
    groups,
  })
}
