/**
 * sparseMatmul of activations that are bytes: Σ (x − zero) · w of i8 or u8 x and the i8 w that were kept, in i32, exact; with scales a float.
 * Think of it as matmulInteger whose B holds 2:4: shapes, reference and epilogue are that op's, its kernels are asked.
 */
import type { OpPlan } from '../../gpu/program.ts'
import { OptionError, ShapeError } from '../../errors.ts'
import { unpackTwoOfFour, type TwoOfFour } from '../../sparsity/two-of-four.ts'
import { formatShape } from '../../tensor/shape.ts'
import { HostTensor, type TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireInput, requireVector } from '../checks.ts'
import { BIAS, RESIDUAL, SCALE } from '../gemm/fused.ts'
import { planInteger } from '../gemm/kernels/packed-dot.ts'
import { sideValue } from '../matmul-integer/plan.ts'
import { reference } from '../matmul-integer/reference.ts'
import { shapeOf, type MatmulIntegerShape, type Names } from '../matmul-integer/rule.ts'
import type { InputTypes, InputValues, PlanContext, ReferenceOutput } from '../op.ts'
import { OP, POSITIONS, SCALES, sparseSizes, X_SCALE, X_ZERO, type SparseMatmulAttributes } from './rule.ts'

const NAMES: Names = {
  op: OP,
  inputs: ['X', 'values', 'x_zero_point', 'w_zero_point', 'x_scale', 'scales', 'bias', 'residual'],
  scales: 'xScale, or weights with scales',
}

/** The inputs of matmulInteger, of ours: what stands at each of its places. */
function placed<T>(inputs: readonly (T | null)[], weights: T, scales: T | null): (T | null)[] {
  const at = (index: number): T | null => inputs[index] ?? null
  return [at(0), weights, at(X_ZERO), null, at(X_SCALE), scales, at(BIAS), at(RESIDUAL)]
}

/** Shape, type of the result and walks, as of matmulInteger. @throws ShapeError, DtypeError, OptionError */
export function byteShape(inputs: InputTypes, given: SparseMatmulAttributes): MatmulIntegerShape {
  const { columns, depth, blocks } = sparseSizes(inputs, given)
  requireDType(OP, 'values', requireInput(OP, inputs, 1, 'values'), ['i8'])
  if ((inputs[SCALE] ?? null) !== null) {
    throw new OptionError('Y of bytes has no scale of its own', { op: OP, remedy: 'Give xScale' })
  }
  if (given.accumulate !== 'f32') {
    throw new OptionError(`Sums of bytes are kept in i32, not in ${given.accumulate}`, { op: OP, remedy: 'Leave accumulate out' })
  }
  const scales = inputs[SCALES] ?? null
  if (scales !== null && blocks > 1) {
    throw new ShapeError(`Scales ${formatShape(scales.shape)} are several for a line, and sums of bytes have one`, {
      op: OP,
      shape: scales.shape,
      remedy: 'Quantise without a block: a scale for the whole depth',
    })
  }
  const bias = inputs[BIAS] ?? null
  if (bias !== null) requireVector(OP, 'bias', bias, columns)
  const line: TensorType | null = scales === null ? null : { dtype: 'f32', shape: [blocks === 0 ? 1 : columns] }
  const { activation, output } = given
  const attributes = { transB: true, activation, ...(output === undefined ? {} : { dtype: output }) }
  const shape = shapeOf(placed(inputs, { dtype: 'i8', shape: [columns, depth] }, line), attributes, NAMES)
  // Without a depth there are no scales to read; the sums are 0.
  return blocks === 0 ? { ...shape, bScale: null } : shape
}

export function byteReference(inputs: InputValues, packed: TwoOfFour, given: SparseMatmulAttributes): ReferenceOutput[] {
  byteShape(inputs, given)
  const { scales, ...plain } = packed
  const lines = scales === undefined ? null : scales.shape[1] === 0 ? [1] : scales.values
  const scale = lines === null ? null : new HostTensor('f32', [lines.length], Float32Array.from(lines))
  const { activation, output } = given
  const dtype = output === undefined ? {} : { dtype: output }
  return reference(placed<HostTensor>(inputs, unpackTwoOfFour(plain), scale), { transB: true, activation, ...dtype })
}

/** @param types of the weights' tensors, turned: words of values, and positions */
export function planBytes(
  { inputs, attributes, device }: PlanContext<SparseMatmulAttributes>,
  types: ReadonlyMap<number, TensorType>,
): OpPlan {
  const { sizes, output, ...walks } = byteShape(inputs, attributes)
  const typeOf = (index: number): TensorType => types.get(index) ?? requireInput(OP, inputs, index, 'weights')
  const residual = inputs[RESIDUAL] ?? null
  return planInteger(
    {
      op: OP,
      sizes,
      transB: true,
      a: { input: 0, type: requireInput(OP, inputs, 0, 'X') },
      b: {
        input: 1,
        type: typeOf(1),
        sparse: { positions: { input: POSITIONS, type: typeOf(POSITIONS) }, share: attributes.share },
      },
      aZero: sideValue(inputs, X_ZERO, walks.aZero),
      bZero: null,
      finish:
        output.dtype === 'i32'
          ? { kind: 'sum' }
          : {
              kind: 'float',
              aScale: sideValue(inputs, X_SCALE, walks.aScale),
              bScale: sideValue(inputs, SCALES, walks.bScale),
              bias: sideValue(inputs, BIAS, walks.bias),
              residual: residual === null ? null : { input: RESIDUAL, type: residual },
              activation: attributes.activation,
            },
      output,
    },
    device,
    kernelName(attributes),
  )
}

/** A forced kernel: these have a name, and no sizes to give. */
function kernelName({ kernel }: SparseMatmulAttributes): string | undefined {
  if (kernel === undefined || typeof kernel === 'string') return kernel
  const more = Object.keys(kernel).filter((key) => key !== 'kernel')
  if (more.length === 0) return kernel.kernel
  throw new OptionError(`Kernels of bytes have no ${more.join(', ')}`, { op: OP, remedy: `Give kernel: '${kernel.kernel}' alone` })
}
