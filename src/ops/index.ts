/**
 * Every op, callable alone:
 *
 *   const y = await ops.conv2d(gpu, x, w, { stride: 2, padding: 1, bias, activation: 'relu' })
 *   const best = await ops.softmax(gpu, await ops.linear(gpu, y, w2))
 *
 * Operands are host tensors (uploaded for the call) or device tensors (used where they lie), in ONNX's order. The result is a new
 * device tensor, the caller's to `dispose` of (`using` works); it is ready for the next op at once, and `data()` waits for it.
 * Options are the op's attributes, optional operands, and `signal`, which stops a long op between launches.
 *
 * All throw, before anything runs: ShapeError, DtypeError and OptionError for what does not fit, UnsupportedOpError for a form of
 * an op that Tilewright does not have, DeviceLimitError for what the device cannot hold; and the signal's reason.
 */
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import { DeviceValidationError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { DType } from '../tensor/dtype.ts'
import { tensor, type Tensor } from '../tensor/tensor.ts'
import type { AveragePoolAttributes } from './average-pool/rule.ts'
import type { BatchNormAttributes } from './batch-norm/rule.ts'
import { all, one, type CallOptions, type Options } from './call.ts'
import type { ConvTransposeAttributes } from './conv-transpose2d/rule.ts'
import type { ConvAttributes } from './conv2d/rule.ts'
import type { HardSigmoidAttributes } from './hard-sigmoid/op.ts'
import type { LrnAttributes } from './lrn/rule.ts'
import type { MaxPoolAttributes } from './max-pool/rule.ts'
import type { PlaceAttributes } from './place/op.ts'
import type { GlobalPoolAttributes } from './pool/global-pool.ts'
import type { RelayoutAttributes } from './relayout/op.ts'
import type { PadMode } from './pad/rule.ts'
import type { SoftmaxAttributes } from './softmax/rule.ts'

/** A tensor, or a number that stands for a scalar of the other operand's dtype. */
export type Scalar = Tensor | number

function list(values: readonly number[]): Tensor {
  return tensor(values, [values.length], 'i64')
}

function listIf(values: readonly number[] | undefined): Tensor | null {
  return values === undefined ? null : list(values)
}

function scalarOf(value: number, dtype: DType): Tensor {
  return tensor([value], [], dtype)
}

function pair(gpu: Gpu, op: string, a: Scalar, b: Scalar, options?: CallOptions): Promise<DeviceTensor> {
  const dtype = typeof a !== 'number' ? a.dtype : typeof b !== 'number' ? b.dtype : 'f32'
  const operand = (value: Scalar): Tensor => (typeof value === 'number' ? scalarOf(value, dtype) : value)
  return one(gpu, op, [operand(a), operand(b)], options)
}

export type { CallOptions, Options } from './call.ts'
export { gemm, linear, matmul, sparseMatmul, type EpilogueOperands } from './products.ts'
export { cscMatmul, csrMatmul, eieMatmul, type SparseOperands } from './sparse-formats.ts'
export {
  convInteger,
  dequantizeLinear,
  dynamicQuantizeLinear,
  matmulInteger,
  matmulNBits,
  qlinearConv,
  qlinearMatmul,
  quantizeLinear,
  type IntegerOperands,
  type QuantisedTensor,
} from './quantised.ts'
export { runLengthDecode, runLengthEncode } from './run-length.ts'

// Convolutions

/**
 * Convolution of x [N, C, H, W] with filters w [M, C/groups, R, S] → [N, M, P, Q]; 1-D without H, R and P, 3-D with another axis before.
 * `bias` [M] and a `residual` like the result are added, then `activation` applied (see `gemm`). `padding` is one number, or all befores
 * (top, left), then all afters (bottom, right). `algorithm` forces how it is computed.
 */
export function conv2d(
  gpu: Gpu,
  x: Tensor,
  w: Tensor,
  options: Options<ConvAttributes> & { readonly bias?: Tensor; readonly residual?: Tensor } = {},
): Promise<DeviceTensor> {
  const { bias, residual, ...rest } = options
  return one(gpu, 'conv2d', [x, w, bias ?? null, residual ?? null], rest)
}

/**
 * Transposed convolution of x [N, C, H, W] with filters w [C, M/groups, R, S] → [N, M, P, Q], P = stride · (H − 1) + dilation · (R − 1) + 1
 * + outputPadding − padding; 1-D without H, R and P, 3-D with an axis more. `bias` [M] and `residual`, of the result's shape, are added,
 * then `activation` applied.
 */
export function convTranspose2d(
  gpu: Gpu,
  x: Tensor,
  w: Tensor,
  options: Options<ConvTransposeAttributes> & { readonly bias?: Tensor; readonly residual?: Tensor } = {},
): Promise<DeviceTensor> {
  const { bias, residual, ...rest } = options
  return one(gpu, 'convTranspose2d', [x, w, bias ?? null, residual ?? null], rest)
}

// Pooling and normalisation

/** The largest value of each window: x [N, C, ...] → [N, C, ...]. `kernel` is the window's size. */
export function maxPool(
  gpu: Gpu,
  x: Tensor,
  options: Options<Omit<MaxPoolAttributes, 'indices' | 'storageOrder'>, 'kernel'>,
): Promise<DeviceTensor> {
  return one(gpu, 'maxPool', [x], options)
}

/** As `maxPool`, and where each maximum was: i64 positions in the flattened input. */
export async function maxPoolWithIndices(
  gpu: Gpu,
  x: Tensor,
  options: Options<Omit<MaxPoolAttributes, 'indices'>, 'kernel'>,
): Promise<{ readonly values: DeviceTensor; readonly indices: DeviceTensor }> {
  const [values, indices] = await all(gpu, 'maxPool', [x], { ...options, indices: true })
  if (values === undefined || indices === undefined) throw new DeviceValidationError('The op has no indices', { op: 'maxPool' })
  return { values, indices }
}

/** The mean of each window: x [N, C, ...] → [N, C, ...]. Padding counts only with `countIncludePad`. */
export function averagePool(gpu: Gpu, x: Tensor, options: Options<AveragePoolAttributes, 'kernel'>): Promise<DeviceTensor> {
  return one(gpu, 'averagePool', [x], options)
}

/** The largest value of each plane: [N, C, ...] → [N, C, 1, ...]. */
export function globalMaxPool(gpu: Gpu, x: Tensor, options: Options<GlobalPoolAttributes> = {}): Promise<DeviceTensor> {
  return one(gpu, 'globalMaxPool', [x], options)
}

/** The mean of each plane: [N, C, ...] → [N, C, 1, ...]. */
export function globalAveragePool(gpu: Gpu, x: Tensor, options: Options<GlobalPoolAttributes> = {}): Promise<DeviceTensor> {
  return one(gpu, 'globalAveragePool', [x], options)
}

/** Local response normalisation over `size` neighbouring channels: x / (bias + alpha/size · Σx²)^beta. */
export function lrn(gpu: Gpu, x: Tensor, options: Options<LrnAttributes, 'size'>): Promise<DeviceTensor> {
  return one(gpu, 'lrn', [x], options)
}

/** (x − mean) / √(variance + epsilon) · scale + bias, with one of each [C] per channel of x [N, C, ...]. */
export function batchNorm(
  gpu: Gpu,
  x: Tensor,
  statistics: { readonly scale: Tensor; readonly bias: Tensor; readonly mean: Tensor; readonly variance: Tensor },
  options: Options<Pick<BatchNormAttributes, 'epsilon'>> = {},
): Promise<DeviceTensor> {
  const { scale, bias, mean, variance } = statistics
  return one(gpu, 'batchNorm', [x, scale, bias, mean, variance], options)
}

/** eˣ / Σeˣ along `axis` (default: the last). */
export function softmax(gpu: Gpu, x: Tensor, options: Options<Pick<SoftmaxAttributes, 'axis'>> = {}): Promise<DeviceTensor> {
  return one(gpu, 'softmax', [x], options)
}

// Activations

/** max(x, 0); NaN stays NaN. f32, f16, i8, i32. */
export function relu(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'relu', [x], options)
}

/** x where x ≥ 0, else alpha · x (default 0.01). */
export function leakyRelu(gpu: Gpu, x: Tensor, options: Options<{ readonly alpha: number }> = {}): Promise<DeviceTensor> {
  return one(gpu, 'leakyRelu', [x], options)
}

/** x where x ≥ 0, else slope · x; the slope broadcasts to x, as [C, 1, 1] does for one per channel. */
export function prelu(gpu: Gpu, x: Tensor, slope: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'prelu', [x, slope], options)
}

/** x where x ≥ 0, else alpha · (eˣ − 1) (default 1). */
export function elu(gpu: Gpu, x: Tensor, options: Options<{ readonly alpha: number }> = {}): Promise<DeviceTensor> {
  return one(gpu, 'elu', [x], options)
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'sigmoid', [x], options)
}

/** alpha · x + beta (default 0.2, 0.5), held to [0, 1]. */
export function hardSigmoid(gpu: Gpu, x: Tensor, options: Options<HardSigmoidAttributes> = {}): Promise<DeviceTensor> {
  return one(gpu, 'hardSigmoid', [x], options)
}

/** x · min(max(x / 6 + 1/2, 0), 1). */
export function hardSwish(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'hardSwish', [x], options)
}

/** The hyperbolic tangent. */
export function tanh(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'tanh', [x], options)
}

/** The largest of `pool` consecutive channels: [N, C, ...] → [N, C/pool, ...]. */
export function maxout(gpu: Gpu, x: Tensor, options: Options<{ readonly pool: number }, 'pool'>): Promise<DeviceTensor> {
  return one(gpu, 'maxout', [x], options)
}

/** min(max(x, min), max): where min > max, max wins. An absent bound does not bind. */
export function clip(
  gpu: Gpu,
  x: Tensor,
  options: Options<{ readonly min: number; readonly max: number }> = {},
): Promise<DeviceTensor> {
  return one(gpu, 'clip', [x], options)
}

// Arithmetic, with broadcasting

/** a + b. Integers wrap around. */
export function add(gpu: Gpu, a: Scalar, b: Scalar, options?: CallOptions): Promise<DeviceTensor> {
  return pair(gpu, 'add', a, b, options)
}

/** a − b. Integers wrap around. */
export function sub(gpu: Gpu, a: Scalar, b: Scalar, options?: CallOptions): Promise<DeviceTensor> {
  return pair(gpu, 'sub', a, b, options)
}

/** a · b, element by element. Integers wrap around. */
export function mul(gpu: Gpu, a: Scalar, b: Scalar, options?: CallOptions): Promise<DeviceTensor> {
  return pair(gpu, 'mul', a, b, options)
}

/** a / b, element by element. Integers are divided towards zero; by 0 they give 0. */
export function div(gpu: Gpu, a: Scalar, b: Scalar, options?: CallOptions): Promise<DeviceTensor> {
  return pair(gpu, 'div', a, b, options)
}

/** The sum of one or more tensors. */
export function sum(gpu: Gpu, values: readonly Tensor[], options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'sum', values, options)
}

// Data movement, for every dtype

/** The tensors one after another along `axis`. */
export function concat(
  gpu: Gpu,
  values: readonly Tensor[],
  options: Options<{ readonly axis: number }, 'axis'>,
): Promise<DeviceTensor> {
  return one(gpu, 'concat', values, options)
}

export interface SliceOptions extends CallOptions {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** Axes that starts, ends and steps speak of (default: the first ones). */
  readonly axes?: readonly number[]
  /** May be negative (default 1). */
  readonly steps?: readonly number[]
}

/** x[starts:ends:steps] along `axes`; negative starts and ends count from the end, and both are clamped to the axis. */
export function slice(gpu: Gpu, x: Tensor, { starts, ends, axes, steps, ...rest }: SliceOptions): Promise<DeviceTensor> {
  return one(gpu, 'slice', [x, list(starts), list(ends), listIf(axes), listIf(steps)], rest)
}

export interface PadOptions extends CallOptions {
  /** Elements before each axis, then after each; negative ones crop. */
  readonly pads: readonly number[]
  /** `constant` (default), `edge` repeats the border, `reflect` mirrors without it, `wrap` goes on at the other end. */
  readonly mode?: PadMode
  /** What mode `constant` writes (default 0). */
  readonly value?: number
  /** Axes that `pads` speaks of (default: all). */
  readonly axes?: readonly number[]
}

/** x with elements added or removed at the ends of its axes. */
export function pad(gpu: Gpu, x: Tensor, { pads, value, axes, ...rest }: PadOptions): Promise<DeviceTensor> {
  return one(gpu, 'pad', [x, list(pads), value === undefined ? null : scalarOf(value, x.dtype), listIf(axes)], rest)
}

/** A matrix whose rows are all axes before `axis` (default 1). Shares memory with x. */
export function flatten(gpu: Gpu, x: Tensor, options: Options<{ readonly axis: number }> = {}): Promise<DeviceTensor> {
  return one(gpu, 'flatten', [x], options)
}

/** x under another shape: one extent may be −1 (what is left), and 0 keeps x's (unless `allowzero`). Shares memory with x. */
export function reshape(
  gpu: Gpu,
  x: Tensor,
  shape: readonly number[],
  options: Options<{ readonly allowzero: boolean }> = {},
): Promise<DeviceTensor> {
  return one(gpu, 'reshape', [x, list(shape)], options)
}

/** x without the given axes of extent 1 (default: all of them). Shares memory with x. */
export function squeeze(gpu: Gpu, x: Tensor, options: Options<{ readonly axes: readonly number[] }> = {}): Promise<DeviceTensor> {
  return one(gpu, 'squeeze', [x], options)
}

/** x with axes of extent 1 at the places `axes` of the result. Shares memory with x. */
export function unsqueeze(
  gpu: Gpu,
  x: Tensor,
  options: Options<{ readonly axes: readonly number[] }, 'axes'>,
): Promise<DeviceTensor> {
  return one(gpu, 'unsqueeze', [x], options)
}

/** The axes in the order of `perm` (default: reversed). */
export function transpose(gpu: Gpu, x: Tensor, options: Options<{ readonly perm: readonly number[] }> = {}): Promise<DeviceTensor> {
  return one(gpu, 'transpose', [x], options)
}

/** A feature map in another layout: from `nchw` [N, C, ...], `nhwc` [N, ..., C] or `nchw4` [N, ⌈C/4⌉, ..., 4] to another of them. */
export function relayout(gpu: Gpu, x: Tensor, options: Options<RelayoutAttributes, 'from' | 'to'>): Promise<DeviceTensor> {
  return one(gpu, 'relayout', [x], options)
}

/** x as the channels from `first` on of a map of `channels`; what the others hold is undefined. */
export function place(gpu: Gpu, x: Tensor, options: Options<PlaceAttributes, 'channels' | 'first'>): Promise<DeviceTensor> {
  return one(gpu, 'place', [x], options)
}

/** Blocks of channels become blocks of pixels: [N, C, H, W] → [N, C/b², H·b, W·b]. `mode` says how channels are ordered. */
export function depthToSpace(
  gpu: Gpu,
  x: Tensor,
  options: Options<{ readonly blocksize: number; readonly mode: 'DCR' | 'CRD' }, 'blocksize'>,
): Promise<DeviceTensor> {
  return one(gpu, 'depthToSpace', [x], options)
}

/** Blocks of pixels become channels: [N, C, H, W] → [N, C·b², H/b, W/b]. */
export function spaceToDepth(
  gpu: Gpu,
  x: Tensor,
  options: Options<{ readonly blocksize: number }, 'blocksize'>,
): Promise<DeviceTensor> {
  return one(gpu, 'spaceToDepth', [x], options)
}

/** Slices of x along `axis` (default 0), one for each of `indices` (i32 or i64; negative ones count from the end). */
export function gather(
  gpu: Gpu,
  x: Tensor,
  indices: Tensor,
  options: Options<{ readonly axis: number }> = {},
): Promise<DeviceTensor> {
  return one(gpu, 'gather', [x, indices], options)
}

/** x in another dtype: floats are truncated and saturate, integers drop high bits, everything but ±0 is true. */
export function cast(gpu: Gpu, x: Tensor, to: DType, options: CallOptions = {}): Promise<DeviceTensor> {
  return one(gpu, 'cast', [x], { ...options, to })
}

/** x itself: dropout does nothing at inference. Shares memory with x. */
export function dropout(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'dropout', [x], options)
}

/** x itself. Shares memory with x. */
export function identity(gpu: Gpu, x: Tensor, options?: CallOptions): Promise<DeviceTensor> {
  return one(gpu, 'identity', [x], options)
}

/** The extents of axes `start` … `end` − 1 of x, as an i64 vector. */
export function shape(
  gpu: Gpu,
  x: Tensor,
  options: Options<{ readonly start: number; readonly end: number }> = {},
): Promise<DeviceTensor> {
  return one(gpu, 'shape', [x], options)
}

/** A tensor of `extents` with `value` (default 0) of `dtype` (default f32) everywhere. */
export function constantOfShape(
  gpu: Gpu,
  extents: readonly number[],
  options: Options<{ readonly value: number | bigint; readonly dtype: DType }> = {},
): Promise<DeviceTensor> {
  return one(gpu, 'constantOfShape', [list(extents)], options)
}
