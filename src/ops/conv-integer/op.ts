/**
 * ConvInteger of ONNX over one to three spatial axes: X [N, C, H, W] and W [M, C/groups, R, S] of bytes, each less its zero point (one for
 * X, one or M for W) → i32 [N, M, P, Q], exact, wrapping as i32 does. Padding is the zero point of X: it adds nothing.
 */
import type { OpPlan } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireIndexable, requireInput } from '../checks.ts'
import { macsOf } from '../conv2d/convolution.ts'
import type { ConvSizes } from '../conv2d/rule.ts'
import type { SideValue } from '../gemm/kernels/packed-sides.ts'
import type { InferContext, InputTypes, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { rounded } from '../values.ts'
import { planIntegerConvolution } from './plan.ts'
import { integerConvSums } from './reference.ts'
import {
  attributes,
  integerConvProblem,
  integerConvSizes,
  sideOfAll,
  sideOfFilters,
  zeroPoint,
  type IntegerConvAttributes,
} from './sizes.ts'

const OP = 'convInteger'

function sizesOf(inputs: InputTypes, given: IntegerConvAttributes): ConvSizes {
  return integerConvSizes(OP, requireInput(OP, inputs, 0, 'x'), requireInput(OP, inputs, 1, 'w'), given)
}

function zerosOf(inputs: InputTypes, sizes: ConvSizes): { readonly x: SideValue | null; readonly w: SideValue | null } {
  const [x = null, w = null] = [inputs[2], inputs[3]]
  return {
    x: zeroPoint(OP, 'x_zero_point', x && sideOfAll(OP, 'x_zero_point', 2, x), requireInput(OP, inputs, 0, 'x')),
    w: zeroPoint(OP, 'w_zero_point', w && sideOfFilters(OP, 'w_zero_point', 3, w, sizes), requireInput(OP, inputs, 1, 'w')),
  }
}

/** i32 [N, M, …]. @throws ShapeError, DtypeError, UnsupportedOpError */
function infer({ inputs, attributes: given }: InferContext<IntegerConvAttributes>): TensorType[] {
  const sizes = sizesOf(inputs, given)
  zerosOf(inputs, sizes)
  const output: TensorType = { dtype: 'i32', shape: sizes.shape }
  requireIndexable(OP, inputs[0], inputs[1], output)
  return [output]
}

function reference(inputs: InputValues, given: IntegerConvAttributes): ReferenceOutput[] {
  const [x, w] = [requireInput(OP, inputs, 0, 'x'), requireInput(OP, inputs, 1, 'w')]
  const sizes = sizesOf(inputs, given)
  const sums = integerConvSums(x, w, inputs[2] ?? null, inputs[3] ?? null, sizes)
  // Remainders of 2^32 are exact in f64, and the conversion to i32 takes them as they are.
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at]! % 2 ** 32) | 0
  return [{ tensor: rounded('i32', sizes.shape, sums), tolerance: { kind: 'exact' } }]
}

function plan({ inputs, outputs, attributes: given, device }: PlanContext<IntegerConvAttributes>): OpPlan {
  const sizes = sizesOf(inputs, given)
  const zeros = zerosOf(inputs, sizes)
  return planIntegerConvolution(
    {
      op: OP,
      sizes,
      a: { input: 1, type: requireInput(OP, inputs, 1, 'w') },
      b: { input: 0, type: requireInput(OP, inputs, 0, 'x') },
      aZero: zeros.w,
      bZero: zeros.x,
      finish: { kind: 'sum' },
      output: requireInput(OP, outputs, 0, 'y'),
    },
    device,
    given.algorithm,
  )
}

export const convInteger: OpDefinition<IntegerConvAttributes> = {
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
    factors: [0, 1],
  },
}
