/** Run-length coding as calls: what `ops` has of src/ops/run-length-encode and src/ops/run-length-decode. */
import { DeviceValidationError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { all, one, type CallOptions, type Options } from './call.ts'
import type { RunLengthDecodeAttributes } from './run-length-decode/op.ts'

/**
 * x (f16, or i32 that holds numbers of 16 bits) in the run-length code of the Eyeriss chip: `words`, u32 [⌈n/3⌉, 2], 64 bits each, low half
 * first, of which the first `counts[0]` are used; `counts`, u32 [2], words and pairs of run and value. The caller's to dispose of.
 */
export async function runLengthEncode(
  gpu: Gpu,
  x: Tensor,
  options: CallOptions = {},
): Promise<{ readonly words: DeviceTensor; readonly counts: DeviceTensor }> {
  const [words, counts] = await all(gpu, 'runLengthEncode', [x], options)
  if (words !== undefined && counts !== undefined) return { words, counts }
  throw new DeviceValidationError('The op has not two results', { op: 'runLengthEncode' })
}

/** The values again, as `dtype` (default f16) of `shape`, from what `runLengthEncode` gave. */
export function runLengthDecode(
  gpu: Gpu,
  words: Tensor,
  counts: Tensor,
  options: Options<RunLengthDecodeAttributes, 'shape'>,
): Promise<DeviceTensor> {
  return one(gpu, 'runLengthDecode', [words, counts], options)
}
