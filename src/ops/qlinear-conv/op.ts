/**
 * QLinearConv of ONNX over one to three spatial axes: a convolution of bytes into bytes of another scale,
 *   y = saturate(round half to even((Σ (x − zx)(w − zw) + B) · sx · sw / sy) + zy).
 * Scales and zero points are one for x and y, one or M for w; B is i32 [M], in units of sx · sw. Padding is the zero point of X.
 */
import type { OpPlan } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireVector } from '../checks.ts'
import { macsOf, pixelsOf } from '../conv2d/convolution.ts'
import type { ConvSizes } from '../conv2d/rule.ts'
import { planIntegerConvolution } from '../conv-integer/plan.ts'
import { integerConvSums } from '../conv-integer/reference.ts'
import {
  attributes,
  integerConvProblem,
  integerConvSizes,
  sideOfAll,
  sideOfFilters,
  zeroPoint,
  type IntegerConvAttributes,
} from '../conv-integer/sizes.ts'
import type { SideValue } from '../gemm/kernels/packed-sides.ts'
import { requantised } from '../matmul-integer/reference-sums.ts'
import type { InferContext, InputTypes, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { numbersOf } from '../values.ts'

const OP = 'qlinearConv'
const NAMES = ['x', 'x_scale', 'x_zero_point', 'w', 'w_scale', 'w_zero_point', 'y_scale', 'y_zero_point', 'B'] as const
const BIAS = 8

interface Sides {
  readonly xScale: SideValue
  readonly xZero: SideValue | null
  readonly wScale: SideValue
  readonly wZero: SideValue | null
  readonly yScale: SideValue
  readonly yZero: SideValue
  readonly bias: SideValue | null
}

function sizesOf(inputs: InputTypes, given: IntegerConvAttributes): ConvSizes {
  return integerConvSizes(OP, requireInput(OP, inputs, 0, 'x'), requireInput(OP, inputs, 3, 'w'), given)
}

/** How scales, zero points and bias are walked. @throws ShapeError, DtypeError for one that does not fit */
function sidesOf(inputs: InputTypes, sizes: ConvSizes): Sides {
  const input = (index: number): TensorType => requireInput(OP, inputs, index, NAMES[index] ?? '')
  const one = (index: number): SideValue => sideOfAll(OP, NAMES[index] ?? '', index, input(index))
  const each = (index: number): SideValue => sideOfFilters(OP, NAMES[index] ?? '', index, input(index), sizes)
  for (const index of [1, 4, 6]) requireDType(OP, NAMES[index] ?? '', input(index), ['f32', 'f16'])
  requireDType(OP, 'y_zero_point', input(7), ['i8', 'u8'])
  const bias = inputs[BIAS] ?? null
  if (bias !== null) {
    requireDType(OP, 'B', bias, ['i32'])
    requireVector(OP, 'B', bias, sizes.groups * sizes.filters)
  }
  return {
    xScale: one(1),
    xZero: zeroPoint(OP, 'x_zero_point', one(2), input(0)),
    wScale: each(4),
    wZero: zeroPoint(OP, 'w_zero_point', each(5), input(3)),
    yScale: one(6),
    yZero: one(7),
    bias: bias === null ? null : each(BIAS),
  }
}

/** Bytes of y's zero point, [N, M, …]. @throws ShapeError, DtypeError, UnsupportedOpError */
function infer({ inputs, attributes: given }: InferContext<IntegerConvAttributes>): TensorType[] {
  const sizes = sizesOf(inputs, given)
  const { yZero } = sidesOf(inputs, sizes)
  const output: TensorType = { dtype: yZero.type.dtype, shape: sizes.shape }
  requireIndexable(OP, inputs[0], inputs[3], output)
  return [output]
}

function reference(inputs: InputValues, given: IntegerConvAttributes): ReferenceOutput[] {
  const input = (index: number): ReturnType<typeof numbersOf> => numbersOf(requireInput(OP, inputs, index, NAMES[index] ?? ''))
  const sizes = sizesOf(inputs, given)
  const [x, w] = [requireInput(OP, inputs, 0, 'x'), requireInput(OP, inputs, 3, 'w')]
  const sums = integerConvSums(x, w, inputs[2] ?? null, inputs[5] ?? null, sizes)
  const bias = inputs[BIAS] === undefined || inputs[BIAS] === null ? null : numbersOf(inputs[BIAS])
  const [sx, scales, sy, zero] = [input(1)[0] ?? NaN, input(4), input(6)[0] ?? NaN, input(7)[0] ?? NaN]
  const [pixels, all] = [pixelsOf(sizes), sizes.groups * sizes.filters]
  const filterAt = (at: number): number => Math.floor(at / pixels) % all
  if (bias !== null) for (let at = 0; at < sums.length; at++) sums[at] = sums[at]! + bias[filterAt(at)]!
  const dtype = requireInput(OP, inputs, 7, 'y_zero_point').dtype === 'i8' ? 'i8' : 'u8'
  return [
    requantised(sums, { dtype, shape: sizes.shape }, (at) => {
      return { scales: [scales[scales.length === 1 ? 0 : filterAt(at)] ?? NaN, sx, sy], zero }
    }),
  ]
}

function plan({ inputs, outputs, attributes: given, device }: PlanContext<IntegerConvAttributes>): OpPlan {
  const sizes = sizesOf(inputs, given)
  const { wZero, xZero, wScale, xScale, yScale, yZero, bias } = sidesOf(inputs, sizes)
  return planIntegerConvolution(
    {
      op: OP,
      sizes,
      a: { input: 3, type: requireInput(OP, inputs, 3, 'w') },
      b: { input: 0, type: requireInput(OP, inputs, 0, 'x') },
      aZero: wZero,
      bZero: xZero,
      finish: { kind: 'requantised', aScale: wScale, bScale: xScale, yScale, yZero, bias },
      output: requireInput(OP, outputs, 0, 'y'),
    },
    device,
    given.algorithm,
  )
}

export const qlinearConv: OpDefinition<IntegerConvAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs, attributes: given }) => 2 * macsOf(sizesOf(inputs, given)),
  ownLoops: {
    what: 'a convolution of bytes',
    problem: ({ inputs, attributes: given }) => integerConvProblem(sizesOf(inputs, given)),
    factors: [0, 3],
    bias: BIAS,
  },
}
