/**
 * The layers of a network that a dataflow can run, with the activations that reach them. The network runs once on the CPU
 * reference, node by node, so that every dataflow is fed the same values; a layer is handed over as a convolution, whatever
 * op it was, because that is what a loop nest is.
 */
import { z } from 'zod'
import { ShapeError, UnsupportedOpError } from '../errors.ts'
import type { Graph, GraphNode } from '../graph/graph.ts'
import { fedInputs, typeGraph } from '../graph/passes.ts'
import { toFloat } from '../graph/precision.ts'
import { INPUT } from '../ops/conv2d/convolution.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { activationField, activationValue } from '../ops/gemm/activation.ts'
import type { InputValues, OpDefinition, ReferenceOutput } from '../ops/op.ts'
import { opNamed } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { extentOf, inputSpan, type Problem } from '../schedule/problem.ts'
import { allocate, isFloat, type DType } from '../tensor/dtype.ts'
import { broadcastShapes, broadcastStrides, sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'

/** A layer as a convolution x [N, G·C, H, W] * w [G·M, C, R, S] → y [N, G·M, P, Q], without bias or activation. */
export interface Layer {
  readonly name: string
  readonly problem: Problem
  readonly x: HostTensor
  readonly w: HostTensor
  /** Computes the reference when it is first asked for. */
  readonly reference: ReferenceOutput
  /** Of a matrix product: the node itself, for its op's default kernel. */
  readonly own?: OwnNode
  /** What it is, where only its op's default kernel runs it (`OwnLoops`): x and w are then its factors as they are stored. */
  readonly ownOnly?: string
}

/** A node as its op runs it, epilogue and all. */
export interface OwnNode {
  readonly definition: OpDefinition
  /** Parsed. */
  readonly attributes: unknown
  readonly inputs: readonly (HostTensor | null)[]
  /** Computed when it is first asked for. */
  readonly reference: ReferenceOutput
}

/** A layer before its activations are known. */
export interface LayerPlan {
  readonly name: string
  readonly problem: Problem
}

export interface LayerOptions {
  /** Also what no dataflow runs (`OwnLoops`). Default false. */
  readonly ownOnly?: boolean
}

/**
 * Layers of a graph with a loop nest, in order.
 * @throws ShapeError where an input has symbolic dimensions and is not given, or the network's own shapes do not fit
 */
export function layerPlans(
  graph: Graph,
  given: Readonly<Record<string, HostTensor>> = {},
  { ownOnly = false }: LayerOptions = {},
): LayerPlan[] {
  const types = inputTypes(graph, given)
  // Shapes may be computed from other shapes, or from an input's values.
  const fed = [...fedInputs(graph)].map((name): [string, HostTensor] => [name, given[name] ?? zeros(types.get(name))])
  const { types: typeOf, known } = typeGraph(graph, types, new Map(fed), { keep: 'all' })
  return graph.nodes.flatMap((node) => {
    const { definition, attributes } = parsed(node)
    const inputs = node.inputs.map((name) => (name === null ? null : (typeOf.get(name) ?? null)))
    const values = node.inputs.map((name, index) =>
      name !== null && definition.hostInputs.includes(index) ? (known.get(name) ?? null) : null,
    )
    const context = { inputs, values, attributes }
    const problem = definition.problem?.(context) ?? (ownOnly ? definition.ownLoops?.problem(context) : undefined)
    return problem === undefined ? [] : [{ name: node.name, problem }]
  })
}

function zeros(type: TensorType | undefined): HostTensor {
  const { dtype, shape } = type ?? { dtype: 'i64', shape: [] }
  return new HostTensor(dtype, shape, allocate(dtype, sizeOf(shape)))
}

/**
 * Runs the network on the CPU and yields each layer as it is reached. `input` feeds every graph input by name.
 * Values are dropped after their last use.
 */
export async function* layersOf(
  graph: Graph,
  input: Readonly<Record<string, HostTensor>>,
  dtype: 'f32' | 'f16',
  { ownOnly = false }: LayerOptions = {},
): AsyncGenerator<Layer, void, undefined> {
  const values = new Map<string, HostTensor>(Object.entries(input))
  const lastUse = new Map<string, number>()
  graph.nodes.forEach((node, index) => node.inputs.forEach((name) => name !== null && lastUse.set(name, index)))
  const valueOf = (name: string | null): HostTensor | null => {
    if (name === null) return null
    const value = values.get(name) ?? graph.constants.get(name)
    if (value === undefined) throw new ShapeError(`Value ${name} is not there`, { remedy: 'Give every input of the network' })
    return value
  }
  for (const [index, node] of graph.nodes.entries()) {
    const { definition, attributes } = parsed(node)
    const inputs = node.inputs.map(valueOf)
    const context = { inputs, values: inputs, attributes }
    const problem = definition.problem?.(context)
    const product = ownOnly ? ownLayer(node, definition, context, dtype) : undefined
    if (product !== undefined) yield product
    if (problem === undefined) {
      const same = product?.own?.inputs.every((input, at) => input === inputs[at]) === true
      const outputs = product !== undefined && same ? [product.reference] : definition.reference(inputs, attributes)
      outputs.forEach((output, k) => {
        const name = node.outputs[k]
        if (name !== undefined) values.set(name, output.tensor)
      })
    } else {
      const form = convolutionForm(node, problem, inputs, attributes)
      const own = ownNode(definition, attributes, inputs)
      const stored = inputs.map((input) => (input === null ? null : converted(input, dtype)))
      const asStored = stored.every((input, at) => input === inputs[at]) ? own : ownNode(definition, attributes, stored)
      const [x, w] = [converted(form.x, dtype), converted(form.w, dtype)]
      const layer = lazyLayer(node.name, problem, x, w, form.direct ? undefined : asStored)
      yield layer
      const output = node.outputs[0]
      if (output !== undefined && (lastUse.has(output) || graph.outputs.includes(output))) {
        values.set(output, form.direct ? finished(layer, inputs, definition, attributes) : own.reference.tensor)
      }
    }
    for (const name of node.inputs) if (name !== null && lastUse.get(name) === index) values.delete(name)
  }
}

function parsed(node: GraphNode): { definition: OpDefinition; attributes: unknown } {
  const definition = opNamed(node.op)
  return { definition, attributes: parseAttributes(definition, node.attributes, node.name) }
}

function inputTypes(graph: Graph, given: Readonly<Record<string, HostTensor>>): Map<string, TensorType> {
  return new Map(
    graph.inputs.map(({ name, dtype, shape }) => {
      const known = given[name]
      if (known !== undefined) return [name, { dtype: known.dtype, shape: known.shape }]
      const fixed = shape.map((extent) => {
        if (typeof extent === 'number') return extent
        throw new ShapeError(`Input ${name} has the symbolic dimension ${extent}`, {
          shape,
          remedy: 'Give a batch or an input tensor',
        })
      })
      return [name, { dtype, shape: fixed }]
    }),
  )
}

interface ConvolutionForm {
  readonly x: HostTensor
  readonly w: HostTensor
  /** It is a convolution: its result is the op's own, but for bias and activation. */
  readonly direct: boolean
}

/** The operands of a node, laid out as those of a convolution. */
function convolutionForm(
  node: GraphNode,
  problem: Problem,
  inputs: readonly (HostTensor | null)[],
  attributes: unknown,
): ConvolutionForm {
  const [first, second] = inputs
  if (first === null || first === undefined || second === null || second === undefined) {
    throw new UnsupportedOpError('A layer lacks an operand', { node: node.name, op: node.op })
  }
  const { N, M, C, P, Q, R, S, groups } = problem
  if (node.op === 'conv2d') return { x: four(first), w: four(second), direct: true }
  if (node.op === 'linear') {
    return { x: shaped(first, [N, C, R, S]), w: shaped(second, [M, C, R, S]), direct: false }
  }
  const { transA = false, transB = false } = attributes as { transA?: boolean | number; transB?: boolean | number }
  // Products: inputs are [C][P], weights [M][C], one group a batch entry.
  const batch = groups === 1 ? [] : broadcastShapes(first.shape.slice(0, -2), second.shape.slice(0, -2))
  const x = transA ? first : swapped(first, batch, P, C)
  const w = transB ? second : swapped(second, batch, C, M)
  return { x: shaped(x, [N, groups * C, P, Q]), w: shaped(w, [groups * M, C, R, S]), direct: false }
}

function shaped(tensor: HostTensor, shape: Shape): HostTensor {
  return new HostTensor(tensor.dtype, shape, tensor.values)
}

/** A 1-D convolution's operand as a 2-D one of height 1. */
function four(tensor: HostTensor): HostTensor {
  const [a = 1, b = 1, ...rest] = tensor.shape
  return rest.length === 2 ? tensor : shaped(tensor, [a, b, 1, ...rest])
}

/** Each matrix [rows, columns] transposed, for every entry of the shape `batch` that the tensor's own batch broadcasts to. */
function swapped(tensor: HostTensor, batch: Shape, rows: number, columns: number): HostTensor {
  const from = tensor.values as Float32Array
  const size = rows * columns
  const count = sizeOf(batch)
  const to = allocate(tensor.dtype, count * size) as Float32Array
  const strides = broadcastStrides(batch.length === 0 ? [] : tensor.shape.slice(0, -2), batch)
  for (let entry = 0; entry < count; entry++) {
    let rest = entry
    let source = 0
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      const extent = batch[axis] ?? 1
      source += (rest % extent) * (strides[axis] ?? 0)
      rest = Math.floor(rest / extent)
    }
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        to[entry * size + column * rows + row] = from[source * size + row * columns + column] ?? NaN
      }
    }
  }
  return new HostTensor(tensor.dtype, [count, columns, rows], to)
}

function converted(tensor: HostTensor, dtype: DType): HostTensor {
  if (tensor.dtype === dtype) return tensor
  if (!isFloat(tensor.dtype)) {
    throw new UnsupportedOpError(`A dataflow runs on floats, not ${tensor.dtype}`, { dtype: tensor.dtype, shape: tensor.shape })
  }
  const values = allocate(dtype, sizeOf(tensor.shape)) as Float32Array
  values.set(tensor.values as Float32Array)
  return new HostTensor(dtype, tensor.shape, values)
}

function ownNode(definition: OpDefinition, attributes: unknown, inputs: readonly (HostTensor | null)[]): OwnNode {
  let known: ReferenceOutput | undefined
  return {
    definition,
    attributes,
    inputs,
    get reference(): ReferenceOutput {
      known ??= definition.reference(inputs, attributes)[0]
      if (known === undefined) throw new ShapeError('The reference gave no result', { op: definition.name })
      return known
    },
  }
}

/** What only its op's own kernels run, its floats stored in `dtype`; undefined for other nodes. */
function ownLayer(
  node: GraphNode,
  definition: OpDefinition,
  { inputs, values, attributes }: { inputs: InputValues; values: InputValues; attributes: unknown },
  dtype: 'f32' | 'f16',
): Layer | undefined {
  const problem = definition.ownLoops?.problem({ inputs, values, attributes })
  const [first, second] = definition.ownLoops?.factors ?? []
  if (problem === undefined || first === undefined || second === undefined) return undefined
  const stored = inputs.map((input) => (input === null ? null : toFloat(input, dtype)))
  const [x, w] = [stored[first] ?? null, stored[second] ?? null]
  if (x === null || w === null) throw new UnsupportedOpError('A layer lacks an operand', { node: node.name, op: node.op })
  const own = ownNode(definition, attributes, stored)
  return {
    name: node.name,
    problem,
    x,
    w,
    own,
    ownOnly: definition.ownLoops?.what ?? definition.name,
    get reference(): ReferenceOutput {
      return own.reference
    },
  }
}

function lazyLayer(name: string, problem: Problem, x: HostTensor, w: HostTensor, own?: OwnNode): Layer {
  let known: ReferenceOutput | undefined
  return {
    name,
    problem,
    x,
    w,
    ...(own === undefined ? {} : { own }),
    get reference(): ReferenceOutput {
      known ??= convolve(problem, x, w)
      return known
    },
  }
}

/** By the definition, as dataflows compute it: with the tolerance of its sums and nothing more. */
export function convolve(problem: Problem, x: HostTensor, w: HostTensor): ReferenceOutput {
  const attributes = conv2d.attributes.parse({ ...convolutionAttributes(problem, x), algorithm: 'direct' })
  const [output] = conv2d.reference([x, w, null], attributes)
  if (output === undefined) throw new ShapeError('The reference gave no result')
  return output
}

/** Attributes of the convolution that a problem is, over an input plane that may have rows to spare. */
export function convolutionAttributes(problem: Problem, x: TensorType): Record<string, unknown> {
  const { stride, dilation, groups, padding } = problem
  const span = inputSpan(problem)
  const [, , rows = 1, columns = 1] = x.shape
  // Padding at the end is what the last window still needs beyond the plane.
  const bottom = Math.max(0, span.rows - padding[0] - rows)
  const right = Math.max(0, span.columns - padding[1] - columns)
  return {
    stride: [...stride],
    dilation: [...dilation],
    padding: [padding[0], padding[1], bottom, right],
    groups,
  }
}

/** What a convolution's node applies to its sums besides the bias. */
const finish = z.looseObject({ activation: activationField })

/** Bias, residual and activation added to a layer's exact result: what the next node is fed. */
function finished(layer: Layer, inputs: readonly (HostTensor | null)[], definition: OpDefinition, attributes: unknown): HostTensor {
  const { tensor, exact } = layer.reference
  const bias = definition.biasInput === undefined ? null : (inputs[definition.biasInput] ?? null)
  const residual = inputs[INPUT.residual] ?? null
  const activated = activationValue(finish.parse(attributes).activation)
  const sums = exact ?? (tensor.values as Float32Array)
  const values = allocate(tensor.dtype, sizeOf(tensor.shape)) as Float32Array
  const channels = extentOf(layer.problem, 'G') * layer.problem.M
  const plane = layer.problem.P * layer.problem.Q
  const added = bias === null ? undefined : (bias.values as Float32Array)
  const other = residual === null ? undefined : (residual.values as Float32Array)
  for (let index = 0; index < values.length; index++) {
    const sum = (sums[index] ?? NaN) + (added?.[Math.floor(index / plane) % channels] ?? 0) + (other?.[index] ?? 0)
    values[index] = activated(sum)
  }
  return new HostTensor(tensor.dtype, tensor.shape, values)
}
