/** Seeded inputs for a network, whatever their dtype, so that it can be run and checked without data. */
import { OptionError } from '../src/errors.ts'
import type { Graph, GraphInput } from '../src/graph/graph.ts'
import { allocate } from '../src/tensor/dtype.ts'
import { sizeOf } from '../src/tensor/shape.ts'
import { HostTensor } from '../src/tensor/tensor.ts'
import { seededInput } from './seeded.ts'

/** Integers are below this: small enough to be an index into most tables. */
const SMALL = 10

/**
 * A tensor for every input of a graph without symbolic dimensions: floats uniform in [−1, 1), integers 0 … 9, bytes 0 … 255, bools by
 * coin, all under the rule of seeded.ts.
 */
export function seededInputs(graph: Graph, seed = 0): Record<string, HostTensor> {
  return Object.fromEntries(graph.inputs.map((input) => [input.name, seededFor(input, seed)]))
}

function seededFor({ name, dtype, shape }: GraphInput, seed: number): HostTensor {
  const fixed = shape.map((extent) => {
    if (typeof extent === 'number') return extent
    throw new OptionError(`Input ${name} has the symbolic dimension ${extent}`, { shape, remedy: 'Give it a size' })
  })
  const uniform = seededInput(seed, name, fixed)
  if (dtype === 'f32') return uniform
  const unit = uniform.values
  const values = allocate(dtype, sizeOf(fixed))
  const below = (most: number, i: number): number => Math.min(most - 1, Math.floor((((unit[i] ?? 0) + 1) / 2) * most))
  if (values instanceof BigInt64Array) {
    for (let i = 0; i < values.length; i++) values[i] = BigInt(below(SMALL, i))
  } else {
    const most = dtype === 'bool' ? 2 : dtype === 'u8' ? 256 : SMALL
    for (let i = 0; i < values.length; i++) values[i] = dtype === 'f16' ? (unit[i] ?? 0) : below(most, i)
  }
  return new HostTensor(dtype, fixed, values)
}
