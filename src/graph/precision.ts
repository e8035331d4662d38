/**
 * Precision of a model. In f16, every float value between the model's inputs and outputs is stored as a half float and summed in
 * f32; inputs are rounded on their way in, outputs come back in the dtype the model declares.
 */
import { floatsOf } from '../ops/values.ts'
import { isFloat, type DType, type HostArrays } from '../tensor/dtype.ts'
import { float16Array } from '../tensor/half.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import type { Graph, GraphNode } from './graph.ts'
import { typeGraph, type TypedGraph, type TypeOptions } from './passes.ts'

/** Half-float copies of tensors: one for each tensor, so that plans of several shapes share their weights. */
const halves = new WeakMap<HostTensor, HostTensor>()

/** `tensor` in another float dtype, made when its values are read. Other dtypes pass through. */
export function toFloat(tensor: HostTensor, dtype: DType): HostTensor {
  if (tensor.dtype === dtype || !isFloat(tensor.dtype) || !isFloat(dtype)) return tensor
  return new HostTensor(dtype, tensor.shape, () => convert(tensor, dtype))
}

/** All at once: one by one, half floats of a library are twenty times slower. */
function convert(tensor: HostTensor, dtype: 'f32' | 'f16'): HostArrays['f32' | 'f16'] {
  if (dtype === 'f32') return floatsOf(tensor)
  const target = float16Array(tensor.values.length)
  target.set(floatsOf(tensor))
  return target
}

function half(tensor: HostTensor): HostTensor {
  const known = halves.get(tensor)
  if (known !== undefined) return known
  const made = toFloat(tensor, 'f16')
  halves.set(tensor, made)
  return made
}

/** A cast to f32 is one to what stands for f32. */
function halfCast(node: GraphNode): GraphNode {
  return node.op === 'cast' && node.attributes.to === 'f32' ? { ...node, attributes: { ...node.attributes, to: 'f16' } } : node
}

/** A typed graph with all its f32 values stored as f16. Constants were folded in f32 first. */
export function halveGraph(typed: TypedGraph, options: Pick<TypeOptions, 'ops' | 'keep'>): TypedGraph {
  const used = new Set(typed.outputs)
  for (const { node } of typed.nodes) for (const name of node.inputs) if (name !== null) used.add(name)
  const known = new Map([...typed.known].filter(([name]) => used.has(name)).map(([name, value]) => [name, half(value)]))
  const halved = ({ dtype, shape }: TensorType): TensorType => ({ dtype: dtype === 'f32' ? 'f16' : dtype, shape })
  const types = new Map(typed.inputs.map(({ name, ...type }) => [name, halved(type)]))
  const graph: Graph = {
    name: 'f16',
    inputs: typed.inputs.map(({ name, ...type }) => ({ name, ...halved(type) })),
    outputs: typed.outputs,
    nodes: typed.nodes.map(({ node }) => halfCast(node)),
    constants: known,
  }
  return typeGraph(graph, types, new Map(), { ...options, folds: new Map() })
}
