/** Ops of one tensor, element by element: one kernel, and for each op one WGSL function `apply`. */
import floatBody from '../../../shaders/elementwise/float.wgsl?raw'
import unaryBody from '../../../shaders/elementwise/unary.wgsl?raw'
import type { z } from 'zod'
import type { ParamType } from '../../gpu/program.ts'
import { isFloat, type DType } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireInput } from '../checks.ts'
import { inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import type { OpDefinition, ReferenceOutput } from '../op.ts'
import type { OpPlan } from '../../gpu/program.ts'
import { refuseOnDevice } from './dtypes.ts'

export interface UnaryKernel {
  readonly name: string
  /** WGSL that defines `fn apply(x: x_t) -> y_t`; helpers of float.wgsl are there for floats. */
  readonly apply: string
  readonly params?: Readonly<Record<string, ParamType>>
  readonly values?: Readonly<Record<string, number>>
  readonly flops: number
}

/** y = apply(x). @throws DtypeError for dtypes that kernels do not compute with. */
export function unaryPlan(kernel: UnaryKernel, x: TensorType, y: TensorType): OpPlan {
  refuseOnDevice(kernel.name, x)
  const count = sizeOf(y.shape)
  const helpers = isFloat(x.dtype) ? [floatBody] : []
  const dispatch = linearDispatch(count, {
    name: `elementwise/${kernel.name}`,
    body: [...helpers, kernel.apply, unaryBody],
    operands: [
      { name: 'x', type: x, access: 'read', ref: inputRef(0) },
      { name: 'y', type: y, access: 'write', ref: outputRef() },
    ],
    ...(kernel.params === undefined ? {} : { params: kernel.params }),
    ...(kernel.values === undefined ? {} : { values: kernel.values }),
    flops: kernel.flops * count,
  })
  return planOf(`${kernel.name}: elementwise kernel`, [dispatch])
}

export interface UnaryOp<A> {
  readonly name: string
  readonly attributes: z.ZodType<A>
  readonly dtypes: readonly DType[]
  /** Arithmetic operations for each element, a transcendental function counted as one. */
  readonly flops: number
  apply(dtype: DType): string
  /** Float params of the kernel, from the attributes. */
  params?(attributes: A): Readonly<Record<string, number>>
  reference(x: HostTensor, attributes: A): ReferenceOutput
}

/** The definition of an op whose output has the dtype and shape of its only input. */
export function unaryOp<A>(op: UnaryOp<A>): OpDefinition<A> {
  const { name, attributes, dtypes, flops } = op
  return {
    name,
    attributes,
    hostInputs: [],
    infer({ inputs }) {
      const x = requireInput(name, inputs, 0, 'x')
      requireDType(name, 'x', x, dtypes)
      return [{ dtype: x.dtype, shape: x.shape }]
    },
    reference(inputs, given) {
      return [op.reference(requireInput(name, inputs, 0, 'x'), given)]
    },
    plan({ inputs, outputs, attributes: given }) {
      const x = requireInput(name, inputs, 0, 'x')
      const values = op.params?.(given) ?? {}
      const params = Object.fromEntries(Object.keys(values).map((key) => [key, 'f32'] as const))
      return unaryPlan({ name, apply: op.apply(x.dtype), params, values, flops }, x, outputs[0] ?? x)
    },
    flops: ({ outputs }) => flops * sizeOf(outputs[0]?.shape ?? [0]),
  }
}
