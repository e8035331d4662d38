/** Attributes and shape rule of conv2d, and the sizes that its plan, reference and problem share. */
import { z } from 'zod'
import { ShapeError, UnsupportedOpError } from '../../errors.ts'
import { convProblem, type Problem } from '../../schedule/problem.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType, requireVector } from '../checks.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { onnxNames, windowAxes, windowFields, type WindowAxis } from '../window.ts'

export const attributes = z.preprocess(
  onnxNames,
  z.strictObject({
    ...windowFields,
    /** Filter size, checked against w where it is given. */
    kernel: z.array(z.number().int().min(1)).optional(),
    /** Groups of channels that are convolved apart; as many as channels is a depthwise convolution. */
    groups: z.number().int().min(1).default(1),
    /** Applied to the result before it is stored. */
    activation: z.enum(['none', 'relu']).default('none'),
  }),
)
export type ConvAttributes = z.infer<typeof attributes>

/** Everything about the loops: channels and filters are of one group. */
export interface ConvSizes {
  readonly batch: number
  readonly groups: number
  readonly channels: number
  readonly filters: number
  readonly y: WindowAxis
  readonly x: WindowAxis
  /** [N, M, P, Q], or [N, M, Q] after a 1-D input. */
  readonly shape: readonly number[]
}

/** The vertical axis of a 1-D convolution. */
const ONE: WindowAxis = { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 1 }

/** @throws ShapeError when x, w and the attributes do not fit; UnsupportedOpError for 3-D convolutions */
export function convSizes(inputs: InputTypes, given: ConvAttributes): ConvSizes {
  const x = requireInput('conv2d', inputs, 0, 'X')
  const w = requireInput('conv2d', inputs, 1, 'W')
  const [batch = 0, allChannels = 0, ...extents] = x.shape
  const [allFilters = 0, channels = 0, ...kernel] = w.shape
  const { groups } = given
  if (x.shape.length > 4) {
    throw new UnsupportedOpError(`Convolutions over ${extents.length} spatial axes are not supported`, {
      op: 'conv2d',
      shape: x.shape,
      remedy: 'Convolve over one or two axes',
    })
  }
  if (extents.length < 1 || w.shape.length !== x.shape.length) {
    throw new ShapeError(`X ${formatShape(x.shape)} and W ${formatShape(w.shape)} are not both [N, C, H, W] or [N, C, L]`, {
      op: 'conv2d',
    })
  }
  if (given.kernel !== undefined && !sameShape(given.kernel, kernel)) {
    throw new ShapeError(`Attribute kernel ${formatShape(given.kernel)} contradicts W ${formatShape(w.shape)}`, { op: 'conv2d' })
  }
  if (kernel.includes(0)) throw new ShapeError('The filters are empty', { op: 'conv2d', shape: w.shape })
  if (channels * groups !== allChannels) {
    throw new ShapeError(`X has ${allChannels} channels, but W takes ${channels} in each of ${groups} groups`, {
      op: 'conv2d',
      x: x.shape,
      w: w.shape,
    })
  }
  if (allFilters % groups !== 0)
    throw new ShapeError(`${allFilters} filters do not split into ${groups} groups`, { op: 'conv2d', w: w.shape })
  const axes = windowAxes('conv2d', extents, kernel, given)
  const [vertical = ONE, horizontal = ONE] = axes.length === 1 ? [ONE, axes[0]] : axes
  const shape = [batch, allFilters, ...axes.map(({ output }) => output)]
  return { batch, groups, channels, filters: allFilters / groups, y: vertical, x: horizontal, shape }
}

/** [N, M, P, Q], in the dtype of X. @throws ShapeError, DtypeError, UnsupportedOpError */
export function infer({ inputs, attributes: given }: InferContext<ConvAttributes>): TensorType[] {
  const x = requireInput('conv2d', inputs, 0, 'X')
  const w = requireInput('conv2d', inputs, 1, 'W')
  const bias = inputs[2] ?? null
  requireDType('conv2d', 'X', x, ['f32', 'f16'])
  requireSameDType('conv2d', 'W', w, x)
  const { filters, groups, shape } = convSizes(inputs, given)
  if (bias !== null) {
    requireSameDType('conv2d', 'B', bias, x)
    requireVector('conv2d', 'B', bias, filters * groups)
  }
  const output: TensorType = { dtype: x.dtype, shape }
  requireIndexable('conv2d', x, w, output)
  return [output]
}

/** Multiply-accumulates, zero padding included. */
export function convMacs({ batch, groups, channels, filters, y, x }: ConvSizes): number {
  return batch * groups * filters * y.output * x.output * channels * y.kernel * x.kernel
}

/** The loop nest. @throws ShapeError where a loop is empty */
export function problem({ inputs, attributes: given }: InferContext<ConvAttributes>): Problem {
  const { batch, groups, channels, filters, y, x } = convSizes(inputs, given)
  return convProblem({
    N: batch,
    M: filters,
    C: channels,
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
