/**
 * Which layers of a graph run their weights as 2:4 (`sparsity: '2:4'` of conv2d, gemm, linear, matmul). Two ways to ask for it:
 *
 *     2:4    every layer that can: its weights are pruned by magnitude, which loses nothing where they hold the pattern already
 *     auto   products of few rows whose weights hold it: there reading the weights is what costs, and half of them is read
 */
import { parseAttributes } from '../ops/run.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import type { Graph } from './graph.ts'
import { productOfNode } from '../ops/gemm/nodes.ts'
import { normalised } from '../ops/gemm/product.ts'
import { holdsSparseWeights } from '../ops/gemm/sparse-weights.ts'
import type { TypedGraph, TypedNode } from './passes.ts'
import { pruneGraph, type PruneReport } from './prune.ts'

export const SPARSITY_CHOICES = ['none', 'auto', '2:4'] as const
export type SparsityChoice = (typeof SPARSITY_CHOICES)[number]

export interface SparseGraph {
  readonly graph: Graph
  /** What was cut, and what is left dense, with the reason. */
  readonly report: PruneReport
}

/**
 * A graph whose layers run 2:4, where they can.
 * @param sizes of symbolic dimensions
 * @throws OptionError where no layer can; UnsupportedOpError for quantised networks
 */
export async function sparseGraph(graph: Graph, sizes?: Readonly<Record<string, number>>): Promise<SparseGraph> {
  const pruned = await pruneGraph(graph, { pattern: '2:4', ...(sizes === undefined ? {} : { sizes }) })
  const names = new Set(pruned.report.layers.flatMap(({ nodes }) => nodes))
  const nodes = pruned.graph.nodes.map((node) => {
    return names.has(node.name) ? { ...node, attributes: { ...node.attributes, sparsity: '2:4' } } : node
  })
  return { graph: { ...pruned.graph, nodes }, report: pruned.report }
}

/** Rows up to which reading the weights is what a product costs. */
const FEW_ROWS = 16

/** A typed graph whose products of few rows run 2:4 where their constant weights hold it. */
export function exploitPatterns(typed: TypedGraph): TypedGraph {
  const nodes = typed.nodes.map((each) => (gains(each, typed.known) ? asSparse(each) : each))
  return { ...typed, nodes }
}

function asSparse(each: TypedNode): TypedNode {
  const node = { ...each.node, attributes: { ...each.node.attributes, sparsity: '2:4' } }
  const attributes = parseAttributes(each.definition, node.attributes, node.name)
  return { ...each, node, context: { ...each.context, attributes } }
}

function gains({ node, context }: TypedNode, known: ReadonlyMap<string, HostTensor>): boolean {
  const weights = known.get(node.inputs[1] ?? '')
  if (weights === undefined || weights.shape.length !== 2) return false
  const own = productOfNode(node.op, context, context.attributes)
  if (own === undefined || own.sparsity !== undefined) return false
  const product = normalised(own.product)
  const order = product.b.depth === 1 ? 'lines' : 'across'
  return product.rows <= FEW_ROWS && product.columns > 1 && product.b.input === 1 && holdsSparseWeights(weights, order)
}
