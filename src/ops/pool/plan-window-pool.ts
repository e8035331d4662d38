/** From a pooling kernel's text to its plan: one output per invocation. */
import type { OpPlan, OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { axisParams, windowVolume, type PoolSizes } from './window-pool.ts'

const LANES = 64

export interface PoolKernel {
  readonly name: string
  readonly body: string
  /** Operands of the outputs. */
  readonly outputNames: readonly string[]
  /** Params besides the axes' and `outputs`; u32 unless `types` says otherwise. */
  readonly params: Readonly<Record<string, number>>
  readonly types?: Readonly<Record<string, ParamType>>
  /** Does the kernel use the padding after the values? */
  readonly withAfter: boolean
}

export function planWindowPool(kernel: PoolKernel, x: TensorType, outputs: readonly TensorType[], sizes: PoolSizes): OpPlan {
  const count = sizeOf(sizes.shape)
  if (count === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const values: Record<string, number> = { outputs: count, ...axisParams(sizes.axes, kernel.withAfter), ...kernel.params }
  const operands: OperandSpec[] = [
    { name: 'x', dtype: x.dtype, access: 'read' },
    ...outputs.map(({ dtype }, index): OperandSpec => ({
      name: kernel.outputNames[index] ?? `output${index}`,
      dtype,
      access: 'write',
    })),
  ]
  const bind: TensorRef[] = [{ kind: 'input', index: 0 }, ...outputs.map((_, index): TensorRef => ({ kind: 'output', index }))]
  const bytes = [x, ...outputs].reduce((sum, type) => sum + sizeOf(type.shape) * deviceByteSize(type.dtype), 0)
  const program = {
    name: kernel.name,
    body: kernel.body,
    operands,
    params: Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, kernel.types?.[name] ?? 'u32'])),
    workgroupSize: [LANES, 1, 1] as const,
  }
  const dispatch = { program, bind, params: values, groups: Math.ceil(count / LANES), cost: { flops: windowVolume(sizes), bytes } }
  return { reason: 'default kernel: one output per invocation', dispatches: [dispatch], temps: [] }
}
