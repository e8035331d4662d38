/** Quantising, and products of quantised operands, callable alone (see index.ts). */
import { DeviceValidationError, OptionError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { PackedWeights } from '../precision/weights.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { all, one, type CallOptions, type Options } from './call.ts'
import type { IntegerConvAttributes } from './conv-integer/sizes.ts'
import type { MatmulIntegerAttributes } from './matmul-integer/rule.ts'
import type { NBitsAttributes } from './matmul-nbits/rule.ts'
import type { QuantizeAttributes } from './quantize-linear/rule.ts'

/** A scale or zero point: one value, or one for each row of A (column of B). */
export interface IntegerOperands {
  /** Of A's dtype; default 0. */
  readonly aZeroPoint?: Tensor
  /** Of B's dtype; default 0. */
  readonly bZeroPoint?: Tensor
  /** f32 or f16. With a scale the result is a float. */
  readonly aScale?: Tensor
  readonly bScale?: Tensor
  /** [J], added to the scaled product. */
  readonly bias?: Tensor
  /** Of the result's shape: added after the bias. */
  readonly residual?: Tensor
}

/**
 * a [..., I, K] × b [..., K, J] of i8 or u8, each less its zero point → i32 [..., I, J], exact, wrapping as i32 does. With a scale:
 * activation(sum · aScale · bScale + bias + residual), f32 or f16. Leading axes broadcast; `transB` says that b is [..., J, K].
 * @throws OptionError for bias, residual or activation without a scale, and for a `kernel` that the device cannot run
 */
export function matmulInteger(
  gpu: Gpu,
  a: Tensor,
  b: Tensor,
  options: Options<MatmulIntegerAttributes> & IntegerOperands = {},
): Promise<DeviceTensor> {
  const { aZeroPoint, bZeroPoint, aScale, bScale, bias, residual, ...rest } = options
  const inputs = [a, b, aZeroPoint, bZeroPoint, aScale, bScale, bias, residual]
  return one(
    gpu,
    'matmulInteger',
    inputs.map((input) => input ?? null),
    rest,
  )
}

/** A quantised tensor: scale · (values − zeroPoint). */
export interface QuantisedTensor {
  /** i8 or u8. */
  readonly values: Tensor
  readonly scale: Tensor
  readonly zeroPoint: Tensor
}

/**
 * a × b of quantised operands in the scale of the result: saturate(round half to even(sum · sa · sb / sy) + zy), in the dtype of its
 * zero point. Scales and zero points are one for all, or one for each row of a and y and each column of b.
 */
export function qlinearMatmul(
  gpu: Gpu,
  a: QuantisedTensor,
  b: QuantisedTensor,
  y: Omit<QuantisedTensor, 'values'>,
  options: CallOptions & { readonly kernel?: string } = {},
): Promise<DeviceTensor> {
  const sides = [a, b].flatMap(({ values, scale, zeroPoint }) => [values, scale, zeroPoint])
  return one(gpu, 'qlinearMatmul', [...sides, y.scale, y.zeroPoint], options)
}

/**
 * Convolution of x [N, C, H, W] with filters w [M, C/groups, R, S], i8 or u8, each less its zero point (one for x, one or M for w) → i32
 * [N, M, P, Q], exact; 1-D without H, R and P, 3-D with an axis more. Padding is x's zero point: it adds nothing.
 */
export function convInteger(
  gpu: Gpu,
  x: Tensor,
  w: Tensor,
  options: Options<IntegerConvAttributes> & { readonly xZeroPoint?: Tensor; readonly wZeroPoint?: Tensor } = {},
): Promise<DeviceTensor> {
  const { xZeroPoint, wZeroPoint, ...rest } = options
  return one(gpu, 'convInteger', [x, w, xZeroPoint ?? null, wZeroPoint ?? null], rest)
}

/**
 * As `convInteger`, in the scale of the result: saturate(round half to even((sum + bias) · sx · sw / sy) + zy), in the dtype of its zero
 * point. Scale and zero point of w are one for all or one for each filter; `bias` is i32 [M], in units of sx · sw.
 */
export function qlinearConv(
  gpu: Gpu,
  x: QuantisedTensor,
  w: QuantisedTensor,
  y: Omit<QuantisedTensor, 'values'>,
  options: Options<IntegerConvAttributes> & { readonly bias?: Tensor } = {},
): Promise<DeviceTensor> {
  const { bias, ...rest } = options
  const sides = [x, w].flatMap(({ values, scale, zeroPoint }) => [values, scale, zeroPoint])
  return one(gpu, 'qlinearConv', [...sides, y.scale, y.zeroPoint, bias ?? null], rest)
}

/** What `matmulNBits` takes besides its weights. */
export type NBitsOptions = Omit<Options<NBitsAttributes>, 'bits' | 'blockSize'> & { readonly bias?: Tensor }

/** Options of `matmulNBits` where its weights are given tensor by tensor. */
export type NBitsPartsOptions = Options<NBitsAttributes> & { readonly zeroPoints?: Tensor; readonly bias?: Tensor }

/**
 * a [..., K] (f32 or f16) times weights [N, K] packed in 4 or 8 bits → [..., N], in a's dtype, summed in f32. `bias` is [N].
 * `weights` is what `quantizeWeights` made, zero points and all. The same weights tensor by tensor, as on the device: `packed` bytes,
 * then `scales` (and `zeroPoints`) for each block along K, with `bits` and `blockSize`.
 * @throws OptionError for bits, blockSize or zeroPoints beside `weights`, which say them
 */
export function matmulNBits(gpu: Gpu, a: Tensor, weights: PackedWeights, options?: NBitsOptions): Promise<DeviceTensor>
export function matmulNBits(gpu: Gpu, a: Tensor, packed: Tensor, scales: Tensor, options?: NBitsPartsOptions): Promise<DeviceTensor>
export async function matmulNBits(
  gpu: Gpu,
  a: Tensor,
  weights: PackedWeights | Tensor,
  second: Tensor | NBitsOptions = {},
  third: NBitsPartsOptions = {},
): Promise<DeviceTensor> {
  const parts = 'packed' in weights ? packedParts(weights, second) : { packed: weights, scales: second, options: third }
  const { zeroPoints, bias, ...rest } = parts.options
  if (!('dtype' in parts.scales)) throw new OptionError('The scales are missing', { op: 'matmulNBits' })
  return one(gpu, 'matmulNBits', [a, parts.packed, parts.scales, zeroPoints ?? null, bias ?? null], rest)
}

/** Weights as tensors and options. @throws OptionError for options that say again, or otherwise, what the weights say */
function packedParts(
  { packed, scales, zeroPoints, bits, blockSize }: PackedWeights,
  given: Tensor | NBitsOptions,
): { readonly packed: Tensor; readonly scales: Tensor; readonly options: NBitsPartsOptions } {
  if ('dtype' in given || ['bits', 'blockSize', 'zeroPoints'].some((name) => name in given)) {
    throw new OptionError('Packed weights bring their own scales, zero points, bits and blockSize', {
      op: 'matmulNBits',
      remedy: 'Leave them out, or give the weights tensor by tensor',
    })
  }
  return { packed, scales, options: { ...given, bits, blockSize, ...(zeroPoints === undefined ? {} : { zeroPoints }) } }
}

/**
 * saturate(round half to even(x / scale) + zeroPoint) in i8 or u8: a scale for all, for each index of `axis`, or for each
 * `blockSize` elements along it. NaN becomes the zero point.
 */
export function quantizeLinear(
  gpu: Gpu,
  x: Tensor,
  scale: Tensor,
  options: Options<QuantizeAttributes> & { readonly zeroPoint?: Tensor } = {},
): Promise<DeviceTensor> {
  const { zeroPoint, ...rest } = options
  return one(gpu, 'quantizeLinear', [x, scale, zeroPoint ?? null], rest)
}

/** (x − zeroPoint) · scale of i8, u8 or i32; scales as `quantizeLinear` has them. */
export function dequantizeLinear(
  gpu: Gpu,
  x: Tensor,
  scale: Tensor,
  options: Options<{ readonly axis: number; readonly blockSize: number; readonly dtype: 'f32' | 'f16' }> & {
    readonly zeroPoint?: Tensor
  } = {},
): Promise<DeviceTensor> {
  const { zeroPoint, ...rest } = options
  return one(gpu, 'dequantizeLinear', [x, scale, zeroPoint ?? null], rest)
}

/** x (f32) in u8 by a scale and a zero point that its own range, 0 included, asks for; three tensors, the caller's to dispose of. */
export async function dynamicQuantizeLinear(
  gpu: Gpu,
  x: Tensor,
  options: CallOptions = {},
): Promise<{ readonly values: DeviceTensor; readonly scale: DeviceTensor; readonly zeroPoint: DeviceTensor }> {
  const [values, scale, zeroPoint] = await all(gpu, 'dynamicQuantizeLinear', [x], options)
  if (values !== undefined && scale !== undefined && zeroPoint !== undefined) return { values, scale, zeroPoint }
  throw new DeviceValidationError('The op has not three results', { op: 'dynamicQuantizeLinear' })
}
