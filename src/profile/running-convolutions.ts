/** The convolutions of a model as they run, so that a profile gives each layer the algorithm and layouts that the model does. Pure: no GPU. */
import type { DeviceFacts } from '../gpu/program.ts'
import type { Graph } from '../graph/graph.ts'
import { fedInputs } from '../graph/passes.ts'
import { runningGraph } from '../graph/running.ts'
import { convolutionOfNode, type ConvolutionNode } from '../ops/conv2d/nodes.ts'
import type { HostTensor } from '../tensor/tensor.ts'

/**
 * By node, for a graph that is fed `inputs`.
 * @throws as compiling would
 */
export function runningConvolutions(
  graph: Graph,
  inputs: Readonly<Record<string, HostTensor>>,
  precision: 'f32' | 'f16',
  device: DeviceFacts,
): Map<string, ConvolutionNode> {
  const fed = fedInputs(graph)
  const types = new Map(Object.entries(inputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }]))
  const values = new Map(Object.entries(inputs).filter(([name]) => fed.has(name)))
  const { running } = runningGraph(graph, { types, values }, { precision, device })
  return new Map(
    running.nodes.flatMap(({ node, context }): [string, ConvolutionNode][] => {
      const found = convolutionOfNode(node.op, context, context.attributes)
      return found === undefined ? [] : [[node.name, found]]
    }),
  )
}
