/** Symbolic dimensions given sizes before anything is fed, to look at a network or to feed it seeded values. */
import { OptionError } from '../errors.ts'
import type { Graph } from './graph.ts'

/** Names of the symbolic dimensions of a graph's inputs, in order. */
export function symbolicDimensions(graph: Graph): string[] {
  return [...new Set(graph.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string')))]
}

/**
 * The graph with its symbolic dimensions replaced: by `sizes` where they name them, else by `otherwise`.
 * @throws OptionError when `sizes` names a dimension that the graph does not have, or gives it no positive integer
 */
export function bindDimensions(graph: Graph, sizes: Readonly<Record<string, number>> = {}, otherwise = 1): Graph {
  const known = symbolicDimensions(graph)
  for (const [name, size] of Object.entries(sizes)) {
    if (!known.includes(name)) {
      const remedy = known.length === 0 ? 'All its dimensions are fixed' : `Its symbolic dimensions are ${known.join(', ')}`
      throw new OptionError(`${graph.name} has no symbolic dimension ${name}`, { remedy })
    }
    if (!Number.isSafeInteger(size) || size < 1) throw new OptionError(`Dimension ${name} cannot be ${size}`)
  }
  if (known.length === 0) return graph
  const inputs = graph.inputs.map((input) => ({
    ...input,
    shape: input.shape.map((extent) => (typeof extent === 'string' ? (sizes[extent] ?? otherwise) : extent)),
  }))
  return { ...graph, inputs }
}
