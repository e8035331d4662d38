/** Networks for the tests of pruning, and a run of a graph through the CPU references alone. */
import type { Graph } from '../../src/graph/graph.ts'
import { typeGraph } from '../../src/graph/passes.ts'
import type { HostTensor } from '../../src/tensor/tensor.ts'
import { seededTensor } from '../../models/seeded.ts'

/** The outputs for `inputs`, by folding the whole graph as a constant. */
export function runOnHost(given: Graph, inputs: Readonly<Record<string, HostTensor>>): HostTensor[] {
  const constants = new Map([...given.constants, ...Object.entries(inputs)])
  const { known } = typeGraph({ ...given, inputs: [], constants }, new Map())
  return given.outputs.map((name) => {
    const value = known.get(name)
    if (value === undefined) throw new Error(`${name} was not computed`)
    return value
  })
}

export function weights(name: string, shape: readonly number[], spread = 1, centre = 0): HostTensor {
  return seededTensor(7, name, shape, { centre, spread })
}
