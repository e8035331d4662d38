/** Zeros among a layer's input activations, measured, and what run-length compression makes of them on the way to DRAM. */
import { seededInput } from '../../models/seeded.ts'
import { runLengthBits, VALUE_BITS } from '../cost/compression.ts'
import { OptionError } from '../errors.ts'
import type { Graph } from '../graph/graph.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { layersOf } from './layers.ts'
import type { MeasuredZeros } from './report.ts'

/** Of values in the order in which they lie in memory. An empty tensor has none to compress. */
export function measuredZeros(values: ArrayLike<number>): MeasuredZeros {
  if (values.length === 0) return { part: 0, ratio: 1 }
  return { part: zerosIn(values) / values.length, ratio: runLengthBits(values) / (VALUE_BITS * values.length) }
}

/** How many of the values are zero, -0 too and NaN not. */
export function zerosIn(values: ArrayLike<number>): number {
  let zeros = 0
  for (let at = 0; at < values.length; at++) if (values[at] === 0) zeros++
  return zeros
}

/** Of the values of a float tensor. */
export function zerosOf({ values }: HostTensor): MeasuredZeros {
  if (values instanceof BigInt64Array) throw new OptionError('Zeros are measured of activations, and these are i64')
  return measuredZeros(values)
}

/**
 * Of the input activations that reach a layer when the network runs on the CPU reference.
 * @param input tensors by name; seeded ones where absent
 * @throws OptionError where the network has no such layer
 */
export async function zerosOfLayer(
  graph: Graph,
  layer: string,
  input: Readonly<Record<string, HostTensor>> = {},
): Promise<MeasuredZeros> {
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [name, input[name] ?? seededInput(0, name, shape.map(Number))]),
  )
  for await (const { name, x } of layersOf(graph, inputs, 'f32')) if (name === layer) return zerosOf(x)
  throw new OptionError(`${graph.name} has no layer ${layer} with a loop nest`)
}
