/** Attributes and shape rule of batchNorm. */
import { z } from 'zod'
import { UnsupportedOpError } from '../../errors.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireRank, requireVector } from '../checks.ts'
import { channelWalk, layoutField } from '../layout.ts'
import type { InferContext, InputTypes } from '../op.ts'
import { flag } from '../window.ts'

/** ONNX's spelling, for `z.preprocess`. */
function onnxSpelling(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || !('training_mode' in given)) return given
  const { training_mode: trainingMode, ...rest } = given
  return { trainingMode, ...rest }
}

export const attributes = z.preprocess(
  onnxSpelling,
  z.strictObject({
    epsilon: z.number().default(1e-5),
    /** Of training only: taken and not used. */
    momentum: z.number().default(0.9),
    /** Only inference is supported. */
    trainingMode: flag,
    /** 1: statistics per channel, the only form since opset 9. */
    spatial: z.union([z.literal(0), z.literal(1)]).default(1),
    /** How X and Y lie. */
    layout: layoutField,
  }),
)
export type BatchNormAttributes = z.infer<typeof attributes>

/** Names of the inputs after X, in order. */
export const STATISTICS = ['scale', 'bias', 'mean', 'variance'] as const

/** Channels of X [N, C, …] in nchw (1 for a vector), and the values of each in one picture. */
export function channelsOf(inputs: InputTypes): { channels: number; inner: number } {
  const x = requireInput('batchNorm', inputs, 0, 'X')
  const [, channels = 1, ...rest] = x.shape
  return { channels, inner: sizeOf(rest) }
}

/** The type of X; the statistics may have another float dtype. @throws ShapeError, DtypeError, UnsupportedOpError for training */
export function infer({ inputs, attributes: given }: InferContext<BatchNormAttributes>): TensorType[] {
  const x = requireInput('batchNorm', inputs, 0, 'X')
  if (given.trainingMode) {
    throw new UnsupportedOpError('Batch normalisation is supported at inference only', {
      op: 'batchNorm',
      trainingMode: 1,
      remedy: 'Export the model for inference',
    })
  }
  if (given.spatial === 0) throw new UnsupportedOpError('Statistics per element are not supported', { op: 'batchNorm', spatial: 0 })
  requireDType('batchNorm', 'X', x, ['f32', 'f16'])
  requireRank('batchNorm', 'X', x, { nchw: 1, nhwc: 2, nchw4: 3 }[given.layout], Infinity)
  const { span, step } = channelWalk(given.layout, x.shape)
  const scale = requireInput('batchNorm', inputs, 1, 'scale')
  // The last quad of nchw4 may have fewer channels than four.
  const channels = step === 4 && Math.ceil(sizeOf(scale.shape) / 4) === span ? sizeOf(scale.shape) : span * step
  STATISTICS.forEach((name, index) => {
    const type = requireInput('batchNorm', inputs, index + 1, name)
    requireDType('batchNorm', name, type, ['f32', 'f16'])
    requireVector('batchNorm', name, type, channels)
  })
  requireIndexable('batchNorm', x)
  return [{ dtype: x.dtype, shape: x.shape }]
}
