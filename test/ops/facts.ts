/** Device facts for tests of plans: WebGPU's default limits. */
import type { DeviceFacts, OpPlan } from '../../src/gpu/program.ts'
import type { OpDefinition } from '../../src/ops/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import type { DType } from '../../src/tensor/dtype.ts'
import type { TensorType } from '../../src/tensor/tensor.ts'

export const FACTS: DeviceFacts = {
  adapter: 'test',
  features: new Set(['shader-f16']),
  language: new Set(),
  limits: {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  },
  software: false,
}

function typesOf(shapes: readonly (readonly number[] | null)[], dtype: DType): (TensorType | null)[] {
  return shapes.map((shape) => (shape === null ? null : { dtype, shape }))
}

/** The output types of an op for inputs of these shapes. */
export function inferred(
  definition: OpDefinition,
  shapes: readonly (readonly number[] | null)[],
  attributes: unknown = {},
  dtype: DType = 'f32',
): TensorType[] {
  return definition.infer({ inputs: typesOf(shapes, dtype), values: [], attributes: parseAttributes(definition, attributes) })
}

/** The plan of an op for inputs of these shapes. */
export function planned(definition: OpDefinition, shapes: readonly (readonly number[] | null)[], attributes: unknown = {}): OpPlan {
  const inputs = typesOf(shapes, 'f32')
  const context = { inputs, values: [], attributes: parseAttributes(definition, attributes) }
  return definition.plan({ ...context, outputs: definition.infer(context), device: FACTS })
}
