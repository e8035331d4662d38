/**
 * QLinearMatMul of ONNX: [..., I, K] × [..., K, J] of bytes into bytes of another scale,
 *   y = saturate(round half to even(Σ (a − za)(b − zb) · sa · sb / sy) + zy).
 * Scales and zero points are one for all, or by rows for a and y and by columns for b.
 */
import { z } from 'zod'
import type { OpPlan } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireSameDType } from '../checks.ts'
import { planInteger } from '../gemm/kernels/packed-dot.ts'
import type { SideValue } from '../gemm/kernels/packed-sides.ts'
import { integerSums, reader, requantised } from '../matmul-integer/reference-sums.ts'
import { integerLoops, integerProblem } from '../matmul-integer/rule.ts'
import { integerSizes, walkOf, type IntegerSizes } from '../matmul-integer/sizes.ts'
import type { InferContext, InputTypes, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'

const OP = 'qlinearMatmul'
const NAMES = ['a', 'a_scale', 'a_zero_point', 'b', 'b_scale', 'b_zero_point', 'y_scale', 'y_zero_point'] as const

const attributes = z.strictObject({
  /** A kernel by name instead of the plan's choice. */
  kernel: z.string().optional(),
})
type QLinearAttributes = z.infer<typeof attributes>

interface Sides {
  readonly aScale: SideValue
  readonly aZero: SideValue
  readonly bScale: SideValue
  readonly bZero: SideValue
  readonly yScale: SideValue
  readonly yZero: SideValue
}

function sizesOf(inputs: InputTypes): IntegerSizes {
  return integerSizes(OP, requireInput(OP, inputs, 0, 'a'), requireInput(OP, inputs, 3, 'b'))
}

/** How scales and zero points are walked. @throws ShapeError for one that does not fit */
function sidesOf(inputs: InputTypes, sizes: IntegerSizes): Sides {
  const side = (input: number): SideValue => {
    const name = NAMES[input] ?? ''
    const type = requireInput(OP, inputs, input, name)
    return { input, type, ...walkOf(OP, name, type, sizes, name.startsWith('b') ? 'columns' : 'rows') }
  }
  return { aScale: side(1), aZero: side(2), bScale: side(4), bZero: side(5), yScale: side(6), yZero: side(7) }
}

/** Bytes of y's zero point, [batch…, I, J]. @throws ShapeError, DtypeError */
function infer({ inputs }: InferContext<QLinearAttributes>): TensorType[] {
  const [a, b] = [requireInput(OP, inputs, 0, 'a'), requireInput(OP, inputs, 3, 'b')]
  const sizes = sizesOf(inputs)
  const { aZero, bZero, yZero, aScale, bScale, yScale } = sidesOf(inputs, sizes)
  for (const [name, type] of [
    ['a', a],
    ['b', b],
    ['y_zero_point', yZero.type],
  ] as const)
    requireDType(OP, name, type, ['i8', 'u8'])
  requireSameDType(OP, 'a_zero_point', aZero.type, a)
  requireSameDType(OP, 'b_zero_point', bZero.type, b)
  for (const { input, type } of [aScale, bScale, yScale]) requireDType(OP, NAMES[input] ?? '', type, ['f32', 'f16'])
  const output: TensorType = { dtype: yZero.type.dtype, shape: sizes.shape }
  requireIndexable(OP, a, b, output)
  return [output]
}

function reference(inputs: InputValues, given: QLinearAttributes): ReferenceOutput[] {
  const [a, b] = [requireInput(OP, inputs, 0, 'a'), requireInput(OP, inputs, 3, 'b')]
  const sizes = sizesOf(inputs)
  const sides = sidesOf(inputs, sizes)
  const [output] = infer({ inputs, values: [], attributes: given })
  const dtype = output?.dtype === 'i8' ? 'i8' : 'u8'
  const { batch, i, j } = sizes
  const sums = integerSums(OP, { a, b, aZero: inputs[2] ?? null, bZero: inputs[5] ?? null }, sizes)
  const read = (side: SideValue): ReturnType<typeof reader> => reader(inputs[side.input] ?? null, side, batch, NaN)
  const [sa, sb, sy, zy] = [read(sides.aScale), read(sides.bScale), read(sides.yScale), read(sides.yZero)]
  return [
    requantised(sums, { dtype, shape: sizes.shape }, (at) => {
      const [row, entry] = [Math.floor(at / j) % i, Math.floor(at / (i * j))]
      return { scales: [sa(entry, row), sb(entry, at % j), sy(entry, row)], zero: zy(entry, row) }
    }),
  ]
}

function plan({ inputs, outputs, attributes: { kernel }, device }: PlanContext<QLinearAttributes>): OpPlan {
  const sizes = sizesOf(inputs)
  const { aZero, bZero, ...finish } = sidesOf(inputs, sizes)
  return planInteger(
    {
      op: OP,
      sizes,
      transB: false,
      a: { input: 0, type: requireInput(OP, inputs, 0, 'a') },
      b: { input: 3, type: requireInput(OP, inputs, 3, 'b') },
      aZero,
      bZero,
      finish: { kind: 'requantised', ...finish, bias: null },
      output: requireInput(OP, outputs, 0, 'y'),
    },
    device,
    kernel,
  )
}

export const qlinearMatmul: OpDefinition<QLinearAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: ({ inputs }) => {
    const { i, j, k, batch } = integerLoops(sizesOf(inputs))
    return 2 * i * j * k * batch
  },
  ownLoops: {
    what: 'a product of quantised operands',
    problem: ({ inputs }) => integerProblem(sizesOf(inputs)),
    factors: [0, 3],
  },
}
