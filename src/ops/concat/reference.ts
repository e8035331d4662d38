/** Rows of each input in turn: a row is what lies in memory from the joined axis on. */
import { allocate, type HostArray } from '../../tensor/dtype.ts'
import { normalizeAxis, sizeOf } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { exactly } from '../movement/reference.ts'
import type { ReferenceOutput } from '../op.ts'

export function concatReference(inputs: readonly HostTensor[], axis: number): ReferenceOutput {
  const [first] = inputs
  const model = first ?? new HostTensor('f32', [0], new Float32Array(0))
  const along = normalizeAxis(axis, model.shape.length)
  const shape = model.shape.map((extent, i) =>
    i === along ? inputs.reduce((sum, input) => sum + (input.shape[i] ?? 0), 0) : extent,
  )
  const rows = sizeOf(shape.slice(0, along))
  const values: HostArray = allocate(model.dtype, sizeOf(shape))
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (const { shape: own, values: source } of inputs) {
      const length = sizeOf(own.slice(along))
      copyRow(source, row * length, values, at, length)
      at += length
    }
  }
  return exactly(new HostTensor(model.dtype, shape, values))
}

function copyRow(source: HostArray, from: number, target: HostArray, to: number, length: number): void {
  if (source instanceof BigInt64Array && target instanceof BigInt64Array) target.set(source.subarray(from, from + length), to)
  else if (!(source instanceof BigInt64Array) && !(target instanceof BigInt64Array)) {
    for (let i = 0; i < length; i++) target[to + i] = source[from + i] ?? 0
  }
}
