/**
 * A chain of additions: t = x₀ + x₁, t' = t + x₂, …, y = t + xₙ₋₁. Partial sums lie in scratch tensors of the shape of the result, in f32
 * where the result is f16, so that only the last addition rounds to f16.
 */
import apply from '../../../shaders/elementwise/add.wgsl?raw'
import type { DispatchPlan, OpPlan } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { binaryDispatch } from '../elementwise/binary.ts'
import { refuseOnDevice } from '../elementwise/dtypes.ts'
import { aliasPlan, inputRef, outputRef, planOf } from '../movement/linear.ts'

export function sumPlan(inputs: readonly TensorType[], y: TensorType): OpPlan {
  const [first, ...others] = inputs
  if (first === undefined || others.length === 0) return aliasPlan('one input: alias')
  refuseOnDevice('sum', y)
  const partial: TensorType = { dtype: y.dtype === 'f16' ? 'f32' : y.dtype, shape: y.shape }
  const temps = Array.from({ length: Math.min(others.length - 1, 2) }, () => partial)
  const dispatches: DispatchPlan[] = []
  let left = { type: first, ref: inputRef(0) }
  others.forEach((type, index) => {
    const last = index === others.length - 1
    const target = last ? { type: y, ref: outputRef() } : { type: partial, ref: { kind: 'temp', index: index % 2 } as const }
    dispatches.push(binaryDispatch('sum', apply, left, { type, ref: inputRef(index + 1) }, target))
    left = target
  })
  return planOf(
    others.length === 1 ? 'sum of two: elementwise kernel with broadcasting' : 'sum: a chain of additions',
    dispatches,
    temps,
  )
}
