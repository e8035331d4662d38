/**
 * The layers at a network's two ends, of which whole channels or filters are not to be spared: an input channel of the first is a colour
 * of the picture, a filter of the last is one of the results.
 *
 *     picture ─▶ [ first ] ─▶ relu ─▶ … ─▶ [ last ] ─▶ pool ─▶ softmax ─▶ classes      between an end and its layers is no other product
 */
import type { PrunePattern } from '../sparsity/pattern.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

/** What mixes all channels: its results are channels of its own. */
const MIXES: ReadonlySet<string> = new Set(['conv2d', 'convTranspose2d', 'linear', 'gemm', 'matmul'])

/** The nodes whose weights a pattern of whole channels or filters leaves alone unless they are named, and why. */
export function endLayers(typed: TypedGraph, { kind }: PrunePattern): Map<string, string> {
  switch (kind) {
    case 'channel':
      return firstLayers(typed)
    case 'filter':
      return lastLayers(typed)
    case '2:4':
    case 'unstructured':
    case 'block':
      return new Map()
  }
}

const NAMED = 'named among the layers to prune, it is pruned'

function firstLayers({ nodes, inputs, types }: TypedGraph): Map<string, string> {
  // Values whose channels are the network's own.
  const own = new Set(inputs.map(({ name }) => name))
  const found = new Map<string, string>()
  for (const typed of nodes) {
    const { node } = typed
    if (MIXES.has(node.op)) {
      if (own.has(node.inputs[0] ?? '')) found.set(node.name, `its input channels are the network's own; ${NAMED}`)
    } else if (carriers(typed, types).some((name) => own.has(name))) for (const name of node.outputs) own.add(name)
  }
  return found
}

function lastLayers({ nodes, outputs, types }: TypedGraph): Map<string, string> {
  const results = new Set(outputs)
  const found = new Map<string, string>()
  for (const typed of nodes.toReversed()) {
    const { node } = typed
    if (!node.outputs.some((name) => results.has(name))) continue
    if (MIXES.has(node.op)) found.set(node.name, `its filters make the network's results; ${NAMED}`)
    else for (const name of carriers(typed, types)) results.add(name)
  }
  return found
}

/** The operands whose channels a node's results have: all of a concat, else the largest; what is broadcast only scales them. */
function carriers({ node }: TypedNode, types: TypedGraph['types']): string[] {
  const names = node.inputs.filter((name) => name !== null)
  // Of a table and the rows to take, the table.
  if (node.op === 'gather') return names.slice(0, 1)
  if (node.op === 'concat') return names
  const sizes = names.map((name) => sizeOf(types.get(name)?.shape ?? []))
  const largest = Math.max(...sizes)
  return names.filter((_, index) => sizes[index] === largest)
}
