/** The reference of an op as it runs on a device, for whoever knows which. */
import type { DeviceFacts } from '../gpu/program.ts'
import type { InputValues, OpDefinition, ReferenceOutput } from './op.ts'

/**
 * As `definition.reference`, which without a device allows for what an op's rule may choose on any: this one allows for what the plan on
 * the device chooses, and no more.
 * @param attributes parsed
 * @throws as planning would
 */
export function referenceOn(
  definition: OpDefinition,
  inputs: InputValues,
  attributes: unknown,
  device: DeviceFacts,
): ReferenceOutput[] {
  if (definition.settled === undefined) return definition.reference(inputs, attributes)
  const context = { inputs, values: inputs, attributes }
  return definition.reference(inputs, definition.settled({ ...context, outputs: definition.infer(context), device }))
}
