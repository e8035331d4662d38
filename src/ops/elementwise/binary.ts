/** Ops of two tensors, element by element, with broadcasting: one kernel, and for each op one WGSL function `apply`. */
import { z } from 'zod'
import binaryBody from '../../../shaders/elementwise/binary.wgsl?raw'
import type { DispatchPlan, TensorRef } from '../../gpu/program.ts'
import { isFloat, type DType } from '../../tensor/dtype.ts'
import { broadcastShapes, broadcastStrides, sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireInput, requireSameDType } from '../checks.ts'
import { inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import { STRIDE_PARAMS, strideParams, stridesBody } from '../movement/strides.ts'
import type { OpDefinition, Tolerance } from '../op.ts'
import { NUMERIC, refuseOnDevice } from './dtypes.ts'
import { combine, type Arithmetic } from './reference.ts'
import { EXACT } from './tolerance.ts'

interface Operand {
  readonly type: TensorType
  readonly ref: TensorRef
}

/** y = apply(a, b), both broadcast to y. */
export function binaryDispatch(name: string, apply: string, a: Operand, b: Operand, y: Operand): DispatchPlan {
  const { shape } = y.type
  const count = sizeOf(shape)
  const strides = [broadcastStrides(a.type.shape, shape), broadcastStrides(b.type.shape, shape)] as const
  return linearDispatch(count, {
    name: `elementwise/${name}`,
    body: [apply, stridesBody, binaryBody],
    operands: [
      { name: 'a', access: 'read', ...a },
      { name: 'b', access: 'read', ...b },
      { name: 'y', access: 'write', ...y },
    ],
    params: STRIDE_PARAMS,
    values: count === 0 ? {} : strideParams(name, { extents: shape, strides }),
    flops: count,
  })
}

export interface BinaryOp {
  readonly name: string
  readonly dtypes?: readonly DType[]
  apply(dtype: DType): string
  readonly arithmetic: Arithmetic
  /** For floats. */
  readonly tolerance: Tolerance
  /** Checks beyond those of every binary op, given the operands and the broadcast shape. */
  check?(a: TensorType, b: TensorType, shape: readonly number[]): void
}

/** The definition of an op on two tensors of one dtype that broadcast to each other. */
export function binaryOp(op: BinaryOp): OpDefinition<Record<string, never>> {
  const { name, dtypes = NUMERIC, arithmetic, tolerance } = op
  return {
    name,
    attributes: z.strictObject({}),
    hostInputs: [],
    infer({ inputs }) {
      const a = requireInput(name, inputs, 0, 'A')
      const b = requireInput(name, inputs, 1, 'B')
      requireDType(name, 'A', a, dtypes)
      requireSameDType(name, 'B', b, a)
      const shape = broadcastShapes(a.shape, b.shape)
      op.check?.(a, b, shape)
      return [{ dtype: a.dtype, shape }]
    },
    reference(inputs) {
      const a = requireInput(name, inputs, 0, 'A')
      const b = requireInput(name, inputs, 1, 'B')
      return [combine(a, b, broadcastShapes(a.shape, b.shape), arithmetic, isFloat(a.dtype) ? tolerance : EXACT)]
    },
    plan({ inputs, outputs }) {
      const [a, b] = [requireInput(name, inputs, 0, 'A'), requireInput(name, inputs, 1, 'B')]
      refuseOnDevice(name, a)
      const y: Operand = { type: outputs[0] ?? a, ref: outputRef() }
      const dispatch = binaryDispatch(name, op.apply(a.dtype), { type: a, ref: inputRef(0) }, { type: b, ref: inputRef(1) }, y)
      return planOf(`${name}: elementwise kernel with broadcasting`, [dispatch])
    },
    flops: ({ outputs }) => sizeOf(outputs[0]?.shape ?? [0]),
  }
}
