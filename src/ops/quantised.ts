/** Quantising, and products of quantised operands, callable alone (see index.ts). */
import { DeviceValidationError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { all, one, type CallOptions, type Options } from './call.ts'
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
 * a [..., K] (f32 or f16) times weights [N, K] packed in 4 or 8 bits, with `scales` (and `zeroPoints`) for each block along K → [..., N],
 * in a's dtype, summed in f32. `quantizeWeights` makes such weights; `bias` is [N].
 */
export function matmulNBits(
  gpu: Gpu,
  a: Tensor,
  packed: Tensor,
  scales: Tensor,
  options: Options<NBitsAttributes> & { readonly zeroPoints?: Tensor; readonly bias?: Tensor } = {},
): Promise<DeviceTensor> {
  const { zeroPoints, bias, ...rest } = options
  return one(gpu, 'matmulNBits', [a, packed, scales, zeroPoints ?? null, bias ?? null], rest)
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
