/** What the plans of products with sparse weights share: a forced kernel, what a dispatch costs. */
import { OptionError } from '../../errors.ts'
import { deviceByteSize, type DispatchPlan, type OperandSpec, type TensorRef } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import type { InputTypes } from '../op.ts'

/** The kernel that a call names; undefined where it names none. @throws OptionError where there is none of that name */
export function chosenKernel<K extends string>(op: string, kernels: readonly K[], name: string | undefined): K | undefined {
  const found = kernels.find((kernel) => kernel === name)
  if (name === undefined || found !== undefined) return found
  throw new OptionError(`There is no kernel ${name}`, { op, remedy: `Kernels: ${kernels.join(', ')}` })
}

/** An input that a kernel reads as `name`, or what stands in its stead. */
export function readOperand(
  op: string,
  inputs: InputTypes,
  index: number,
  name: string,
  ref: TensorRef = { kind: 'input', index },
): OperandSpec & { readonly ref: TensorRef } {
  return { name, dtype: requireInput(op, inputs, index, name).dtype, access: 'read', ref }
}

/** Of `macs` multiply-accumulates and every operand moved once. */
export function sparseCost({
  macs,
  inputs,
  output,
}: {
  readonly macs: number
  readonly inputs: InputTypes
  readonly output: TensorType
}): DispatchPlan['cost'] {
  const bytes = [...inputs, output].reduce((sum, type) => {
    return sum + (type === null ? 0 : sizeOf(type.shape) * deviceByteSize(type.dtype))
  }, 0)
  return { flops: 2 * macs, bytes }
}
