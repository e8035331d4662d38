/** What there is to tune in a model: its matrix products, and the layers that keep their kernels, with why. */
import { DtypeError, OptionError } from '../errors.ts'
import type { Graph } from '../graph/graph.ts'
import { typeGraph, type TypedGraph, type TypedNode } from '../graph/passes.ts'
import { halveGraph } from '../graph/precision.ts'
import { productOfNode } from '../ops/gemm/nodes.ts'
import { plainProduct } from '../ops/gemm/product.ts'
import type { Shape } from '../tensor/shape.ts'
import type { TensorType } from '../tensor/tensor.ts'
import type { TuneTask } from './tournament.ts'

/** A layer with multiply-adds whose kernel stays as it is. */
export interface UntouchedLayer {
  readonly layer: string
  readonly op: string
  readonly reason: string
}

export interface ModelTasks {
  readonly tasks: readonly TuneTask[]
  readonly untouched: readonly UntouchedLayer[]
}

/**
 * The products of a graph whose input shapes are fixed.
 * @param layers names of the layers to tune (default: all)
 * @throws ShapeError, DtypeError, UnsupportedOpError as compiling would; OptionError for a layer that there is not, or an input
 *   whose shape is not fixed
 */
export function modelTasks(graph: Graph, precision: 'f32' | 'f16' = 'f32', layers?: readonly string[]): ModelTasks {
  const typed = typedGraph(graph, precision)
  const known = new Set(typed.nodes.map(({ node }) => node.name))
  const missing = layers?.filter((layer) => !known.has(layer)) ?? []
  if (missing.length > 0) {
    const names = typed.nodes.filter((item) => taskOf(item) !== undefined).map(({ node }) => node.name)
    throw new OptionError(`${graph.name} has no layer ${missing.join(', ')}`, {
      remedy: `Matrix products: ${names.join(', ') || 'none'}`,
    })
  }
  const tasks: TuneTask[] = []
  const untouched: UntouchedLayer[] = []
  for (const item of typed.nodes) {
    const { node, definition } = item
    if (layers !== undefined && !layers.includes(node.name)) continue
    const made = taskOf(item)
    if (made === undefined) {
      if (definition.problem === undefined && definition.quantised === undefined) continue
      const reason = definition.quantised !== undefined ? 'products of integers choose by rule' : 'convolutions are not tuned yet'
      untouched.push({ layer: node.name, op: node.op, reason })
    } else if ('reason' in made) untouched.push({ layer: node.name, op: node.op, reason: made.reason })
    else tasks.push(made)
  }
  return { tasks, untouched }
}

function typedGraph(graph: Graph, precision: 'f32' | 'f16'): TypedGraph {
  const types = new Map(
    graph.inputs.map(({ name, dtype, shape }): [string, TensorType] => {
      const fixed: Shape = shape.map((extent) => {
        if (typeof extent === 'number') return extent
        throw new OptionError(`Input ${name} has the symbolic dimension ${extent}`, { shape, remedy: 'Give it a size' })
      })
      return [name, { dtype, shape: fixed }]
    }),
  )
  const typed = typeGraph(graph, types)
  return precision === 'f16' ? halveGraph(typed, {}) : typed
}

/** Undefined for a node that is no matrix product. */
function taskOf({ node, context }: TypedNode): TuneTask | { readonly reason: string } | undefined {
  const found = productOfNode(node.op, context, context.attributes)
  if (found === undefined) return undefined
  const { product, kernel } = found
  if (kernel !== undefined) return { reason: 'its kernel is given by the model' }
  if (product.depth === 0 || product.output.shape.includes(0)) return { reason: 'it is empty' }
  return { product, layers: [node.name] }
}

/**
 * The product that text names: `gemm:MxKxN`, [M, K] times [K, N], with `:f16` for half floats; undefined for other text.
 * @throws OptionError for `gemm:` and no sizes, DtypeError for another dtype
 */
export function bareProduct(text: string): TuneTask | undefined {
  if (!text.startsWith('gemm:')) return undefined
  const [, m, k, n, suffix] = /^gemm:(\d+)x(\d+)x(\d+)(?::(\w+))?$/.exec(text) ?? []
  const [rows, depth, columns] = [Number(m), Number(k), Number(n)]
  const isSize = (size: number): boolean => Number.isSafeInteger(size) && size > 0 && size < 2 ** 31
  if (![rows, depth, columns].every(isSize)) {
    throw new OptionError(`${text} names no product`, {
      remedy: 'Give gemm:MxKxN, as gemm:128x4096x4096 or gemm:128x4096x4096:f16',
    })
  }
  const dtype = suffix ?? 'f32'
  if (dtype !== 'f32' && dtype !== 'f16') throw new DtypeError(`${text}: products of f32 and f16 are tuned`, { dtype })
  return { product: plainProduct('matmul', rows, columns, depth, dtype), layers: [text] }
}
