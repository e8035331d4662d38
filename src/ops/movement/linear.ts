/** One invocation for each element: the dispatch that elementwise and data movement kernels share. */
import { deviceByteSize, type DispatchPlan, type OpPlan, type ParamType, type TensorRef } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'

const LANES = 256

export interface LinearOperand {
  readonly name: string
  readonly type: TensorType
  readonly access: 'read' | 'write'
  readonly ref: TensorRef
  /** Elements of one access (`OperandSpec`). */
  readonly width?: 4
}

export interface LinearKernel {
  readonly name: string
  /** WGSL files, in order; the last one has `main`. */
  readonly body: readonly string[]
  readonly operands: readonly LinearOperand[]
  readonly params?: Readonly<Record<string, ParamType>>
  readonly values?: Readonly<Record<string, number>>
  readonly flops?: number
  /** Elements moved, for the bytes (default: one an invocation). */
  readonly elements?: number
}

/** Invocations 0 … count − 1, one for each element computed; `params.count` tells the kernel where to stop. */
export function linearDispatch(count: number, kernel: LinearKernel): DispatchPlan {
  const { name, body, operands, params = {}, values = {}, flops = 0, elements = count } = kernel
  return {
    program: {
      name,
      body: body.join('\n'),
      operands: operands.map(({ name: operand, type, access, width }) => ({
        ...{ name: operand, dtype: type.dtype, access },
        ...(width === undefined ? {} : { width }),
      })),
      params: { count: 'u32', ...params },
      workgroupSize: [LANES, 1, 1],
    },
    bind: operands.map(({ ref }) => ref),
    params: { count, ...values },
    groups: Math.ceil(count / LANES),
    cost: {
      flops,
      bytes: operands.reduce((sum, { type }) => sum + Math.min(elements, sizeOf(type.shape)) * deviceByteSize(type.dtype), 0),
    },
  }
}

export function inputRef(index: number): TensorRef {
  return { kind: 'input', index }
}

export function outputRef(index = 0): TensorRef {
  return { kind: 'output', index }
}

/** A plan of dispatches; those that compute nothing are left out. */
export function planOf(reason: string, dispatches: readonly DispatchPlan[], temps: OpPlan['temps'] = []): OpPlan {
  const busy = dispatches.filter(({ groups }) => groups > 0)
  return { reason: busy.length === 0 ? 'empty result: nothing to compute' : reason, dispatches: busy, temps }
}

/** Output 0 is input 0 under another shape. */
export function aliasPlan(reason: string): OpPlan {
  return { reason, dispatches: [], temps: [], alias: 0 }
}
