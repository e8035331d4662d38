/** What the eager ops share: options of a call, and an op run by name (see index.ts). */
import { DeviceValidationError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { opNamed } from './registry.ts'
import { runOp } from './run.ts'

/** What every call takes besides its attributes. */
export type CallOptions = { readonly signal?: AbortSignal }

/** Attributes by name, as the op parses them. */
export type Given = CallOptions & { readonly [attribute: string]: unknown }

/** Attributes `A`, all optional but those named in `Required`. */
export type Options<A, Required extends keyof A = never> = Partial<Omit<A, Required>> & Pick<A, Required> & CallOptions

/** All results of an op. */
export async function all(
  gpu: Gpu,
  op: string,
  inputs: readonly (Tensor | null)[],
  { signal, ...attributes }: Given,
): Promise<DeviceTensor[]> {
  return runOp(gpu, opNamed(op), inputs, attributes, signal === undefined ? {} : { signal })
}

/** The first result of an op. */
export async function one(gpu: Gpu, op: string, inputs: readonly (Tensor | null)[], options: Given = {}): Promise<DeviceTensor> {
  const [result] = await all(gpu, op, inputs, options)
  if (result === undefined) throw new DeviceValidationError('The op has no result', { op })
  return result
}
