/**
 * From a graph to what is run, for given input shapes: types of all values, constants folded through the CPU reference, dead nodes
 * gone. Pure: no GPU.
 *
 * A *host input* of an op (the shape of a reshape) must be known before anything runs: it is a constant, folded from constants and
 * shapes, or fed through a graph input, whose value is then part of what the plan is made for (see `fedInputs`).
 */
import { OptionError, ShapeError, TilewrightError, UnsupportedOpError } from '../errors.ts'
import type { InferContext, InputTypes, InputValues, OpDefinition } from '../ops/op.ts'
import { REGISTRY } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { allocate, byteSize } from '../tensor/dtype.ts'
import { formatShape, sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import type { Graph, GraphInput, GraphNode } from './graph.ts'

/** Ops by name: the registry, or a test's own. */
export type Ops = ReadonlyMap<string, OpDefinition>

/** A node with all that its plan needs. */
export interface TypedNode {
  readonly node: GraphNode
  readonly definition: OpDefinition
  readonly context: InferContext<unknown> & { readonly outputs: readonly TensorType[] }
  /** Nodes that were folded into this one (fuse.ts). */
  readonly fused?: readonly string[]
}

export interface TypedGraph {
  /** Nodes that run on the device, in order. */
  readonly nodes: readonly TypedNode[]
  readonly inputs: readonly (TensorType & { readonly name: string })[]
  readonly outputs: readonly string[]
  /** Of every value that is alive. */
  readonly types: ReadonlyMap<string, TensorType>
  /** Values known on the host: the graph's constants, fed values, and what was folded from them. */
  readonly known: ReadonlyMap<string, HostTensor>
}

export interface TypeOptions {
  /** Default: the registry. */
  readonly ops?: Ops
  /** Which nodes stay: those that outputs need (default), or all. */
  readonly keep?: 'outputs' | 'all'
  /** Remembers what was folded, so that the next pass over the same graph folds nothing twice and finds the same tensors. */
  readonly folds?: Folds
}

/** By node: the inputs that were folded, and what they became. */
export type Folds = Map<GraphNode, { readonly inputs: readonly (HostTensor | null)[]; readonly outputs: readonly HostTensor[] }>

/** Ops whose result follows from their input's type alone. */
const TYPE_ONLY: ReadonlySet<string> = new Set(['shape', 'size'])

/**
 * Checks a graph's form: every op is known, every value is made once and before it is used, every output exists.
 * @throws UnsupportedOpError listing all nodes whose op Tilewright lacks, OptionError for values that do not fit together.
 */
export function checkGraph(graph: Graph, ops: Ops = REGISTRY): void {
  const unknown = graph.nodes.filter((node) => !ops.has(node.op))
  if (unknown.length > 0) {
    const list = unknown.map((node) => `  ${node.name}: ${node.op}`).join('\n')
    const count = `${unknown.length} of ${graph.nodes.length} nodes`
    throw new UnsupportedOpError(`${count} have an op that Tilewright does not have:\n${list}`)
  }
  const made = new Set<string>(graph.constants.keys())
  const make = (name: string, maker: string): void => {
    if (made.has(name)) throw new OptionError(`Value ${name} is made twice`, { node: maker })
    made.add(name)
  }
  for (const input of graph.inputs) make(input.name, 'graph input')
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      if (name !== null && !made.has(name))
        throw new OptionError(`Value ${name} is used before it is made`, { node: node.name, op: node.op })
    }
    for (const name of node.outputs) if (name !== '') make(name, node.name)
  }
  for (const name of graph.outputs) if (!made.has(name)) throw new OptionError(`Output ${name} is made by no node`)
}

/**
 * The ancestors of a value: the graph inputs whose values it depends on (not merely their types), or the node that makes that
 * impossible.
 */
function sourcesOf(name: string, makers: ReadonlyMap<string, GraphNode>, found: Set<string>, seen: Set<string>): void {
  if (seen.has(name)) return
  seen.add(name)
  const maker = makers.get(name)
  if (maker === undefined) {
    found.add(name)
    return
  }
  if (TYPE_ONLY.has(maker.op)) return
  for (const input of maker.inputs) if (input !== null) sourcesOf(input, makers, found, seen)
}

/**
 * Graph inputs whose *values* shape the plan, because a host input is fed by them, directly or through integer arithmetic.
 * @throws UnsupportedOpError for a host input that only the device can compute, naming the node.
 */
export function fedInputs(graph: Graph, ops: Ops = REGISTRY): Set<string> {
  const makers = new Map<string, GraphNode>()
  for (const node of graph.nodes) for (const output of node.outputs) makers.set(output, node)
  const inputs = new Map(graph.inputs.map((input) => [input.name, input]))
  const fed = new Set<string>()
  for (const node of graph.nodes) {
    for (const index of ops.get(node.op)?.hostInputs ?? []) {
      const name = node.inputs[index]
      if (name === undefined || name === null) continue
      const sources = new Set<string>()
      sourcesOf(name, makers, sources, new Set())
      for (const source of sources) {
        const input = inputs.get(source)
        if (input === undefined) continue
        // A float input behind arithmetic would mean to compute a part of the network on the CPU: never silently.
        if (source !== name && input.dtype !== 'i64' && input.dtype !== 'i32') {
          throw new UnsupportedOpError(
            `Input ${index} (${name}) must be known before the run, but is computed from input ${source}`,
            {
              node: node.name,
              op: node.op,
              dtype: input.dtype,
              remedy: 'Make it a constant, or a graph input of its own',
            },
          )
        }
        fed.add(source)
      }
    }
  }
  return fed
}

/**
 * Types of all values and values of those that are known, for inputs of `types` (by name) and fed `values`.
 * @throws ShapeError, DtypeError naming the node and op whose rule is broken
 */
export function typeGraph(
  graph: Graph,
  types: ReadonlyMap<string, TensorType>,
  values: ReadonlyMap<string, HostTensor> = new Map(),
  options: TypeOptions = {},
): TypedGraph {
  const { ops = REGISTRY, keep = 'outputs', folds } = options
  const typeOf = new Map<string, TensorType>()
  const known = new Map<string, HostTensor>([...graph.constants, ...values])
  for (const [name, value] of known) typeOf.set(name, { dtype: value.dtype, shape: value.shape })
  for (const [name, { dtype, shape }] of types) typeOf.set(name, { dtype, shape })

  const typed: TypedNode[] = []
  for (const node of graph.nodes) {
    const definition = ops.get(node.op)
    if (definition === undefined) throw new UnsupportedOpError(`There is no op ${node.op}`, { node: node.name, op: node.op })
    const made = at(node, () => typeNode(node, definition, typeOf, known))
    made.context.outputs.forEach((type, index) => {
      const name = node.outputs[index]
      if (name !== undefined && name !== '') typeOf.set(name, type)
    })
    const folded = at(node, () => fold(made, known, folds))
    if (folded === undefined) typed.push(made)
    else {
      node.outputs.forEach((name, index) => {
        const value = folded[index]
        if (value !== undefined && name !== '') known.set(name, value)
      })
    }
  }
  const nodes = keep === 'all' ? typed : alive(typed, graph.outputs)
  const inputs = graph.inputs.map(({ name }) => ({ name, ...required(typeOf, name) }))
  return { nodes, inputs, outputs: graph.outputs, types: typeOf, known }
}

function required(types: ReadonlyMap<string, TensorType>, name: string): TensorType {
  const type = types.get(name)
  if (type === undefined) throw new OptionError(`Value ${name} has no type`)
  return type
}

/** Runs `work` and names the node in what it throws. */
function at<T>(node: GraphNode, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TilewrightError) || error.details.node !== undefined) throw error
    const Named = error.constructor as typeof TilewrightError
    throw new Named(error.summary, { node: node.name, op: node.op, ...error.details }, { cause: error })
  }
}

function typeNode(
  node: GraphNode,
  definition: OpDefinition,
  types: ReadonlyMap<string, TensorType>,
  known: ReadonlyMap<string, HostTensor>,
): TypedNode {
  const inputs: InputTypes = node.inputs.map((name) => (name === null ? null : required(types, name)))
  const values: InputValues = node.inputs.map((name, index) => {
    if (name === null || !definition.hostInputs.includes(index)) return null
    const value = known.get(name)
    if (value !== undefined) return value
    throw new UnsupportedOpError(`Input ${index} (${name}) must be known before the run, but the device computes it`, {
      node: node.name,
      op: node.op,
      remedy: 'Make it a constant, or a graph input of its own',
    })
  })
  const attributes = parseAttributes(definition, node.attributes, node.name)
  const context = { inputs, values, attributes }
  const outputs = definition.infer(context)
  definition.checkValues?.(
    node.inputs.map((name) => (name === null ? null : (known.get(name) ?? null))),
    attributes,
  )
  if (node.outputs.slice(outputs.length).some((name) => name !== '')) {
    throw new UnsupportedOpError(`The node has ${node.outputs.length} outputs, Tilewright computes ${outputs.length}`, {
      node: node.name,
      op: node.op,
    })
  }
  return { node, definition, context: { ...context, outputs } }
}

/** Larger results are not folded into constants: they are made on the device, which says what it can hold. */
const LARGEST_FOLD = 2 ** 30

/** The node's outputs where they can be known now, else undefined. */
function fold(
  { node, definition, context }: TypedNode,
  known: ReadonlyMap<string, HostTensor>,
  folds?: Folds,
): readonly HostTensor[] | undefined {
  if (TYPE_ONLY.has(node.op)) {
    // Only the type is looked at; the tensor is lazy, so its zeros are never made.
    const inputs = context.inputs.map((type) => {
      return type === null ? null : new HostTensor(type.dtype, type.shape, () => allocate(type.dtype, sizeOf(type.shape)))
    })
    return definition.reference(inputs, context.attributes).map(({ tensor }) => tensor)
  }
  if (context.outputs.some(({ dtype, shape }) => sizeOf(shape) * byteSize(dtype) > LARGEST_FOLD)) return undefined
  const inputs: (HostTensor | null)[] = []
  for (const name of node.inputs) {
    const value = name === null ? null : known.get(name)
    if (value === undefined) return undefined
    inputs.push(value)
  }
  const before = folds?.get(node)
  if (before !== undefined && before.inputs.every((value, index) => value === inputs[index])) return before.outputs
  const outputs = definition.reference(inputs, context.attributes).map(({ tensor }) => tensor)
  folds?.set(node, { inputs, outputs })
  return outputs
}

/** Nodes that an output depends on. */
function alive(nodes: readonly TypedNode[], outputs: readonly string[]): TypedNode[] {
  const needed = new Set(outputs)
  const kept = nodes.toReversed().filter(({ node }) => {
    if (!node.outputs.some((name) => needed.has(name))) return false
    for (const name of node.inputs) if (name !== null) needed.add(name)
    return true
  })
  return kept.toReversed()
}

/**
 * The graph's inputs with their symbolic dimensions replaced by what `shapes` gives.
 * @throws ShapeError naming the input where a shape does not fit, or one symbol stands for two extents
 */
export function resolveInputs(inputs: readonly GraphInput[], shapes: ReadonlyMap<string, Shape>): Map<string, TensorType> {
  const symbols = new Map<string, { extent: number; input: string }>()
  const resolved = new Map<string, TensorType>()
  for (const { name, dtype, shape: wanted } of inputs) {
    const shape = shapes.get(name)
    if (shape === undefined) throw new OptionError(`Input ${name} has no shape`)
    const fits =
      shape.length === wanted.length && wanted.every((extent, axis) => typeof extent === 'string' || extent === shape[axis])
    if (!fits) {
      throw new ShapeError(`Input ${name} is ${formatShape(shape)}, the model takes ${formatShape(wanted)}`, {
        dtype,
        shape: wanted,
      })
    }
    wanted.forEach((symbol, axis) => {
      if (typeof symbol !== 'string') return
      const extent = shape[axis] ?? 0
      const known = symbols.get(symbol)
      if (known !== undefined && known.extent !== extent) {
        throw new ShapeError(`Dimension ${symbol} is ${known.extent} in input ${known.input}, but ${extent} in input ${name}`, {
          shape,
        })
      }
      symbols.set(symbol, { extent, input: name })
    })
    resolved.set(name, { dtype, shape })
  }
  return resolved
}
