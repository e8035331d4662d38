/**
 * What a network is made of, without running it: layers, shapes, weights, multiply-accumulates, arithmetic intensity, and what in
 * it cannot be run. Weights are the filters and matrices of convolutions and products; biases and other parameters (batch norm) are
 * counted apart, as the literature does. Zero padding counts as MACs, as it does there.
 */
import { z } from 'zod'
import { SURVEY, SURVEY_SOURCE, type SurveyFigures } from '../../models/survey.ts'
import { bindDimensions } from '../graph/dimensions.ts'
import { fuseGraph } from '../graph/fuse.ts'
import type { Graph, GraphInput, GraphNode, UnsupportedNode } from '../graph/graph.ts'
import { fedInputs, resolveInputs, typeGraph, type TypedNode } from '../graph/passes.ts'
import { REGISTRY } from '../ops/registry.ts'
import { perAxis, spread } from '../ops/window.ts'
import { macsOf, type Problem } from '../schedule/problem.ts'
import { byteSize } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'
import { kindOf } from './html/data.ts'
import { inspectLayout, type InspectedLayout, type LayoutRequest } from './inspect-layout.ts'
import type { NonzeroReport } from './nonzero.ts'

export const INSPECT_SCHEMA = 'tilewright.inspect/1'

export interface InspectedFilters {
  readonly number: number
  /** Of one: channels of its group, then its extents. */
  readonly shape: Shape
  /** Per axis; of a transposed convolution those of its output. */
  readonly stride: readonly number[]
  readonly dilation: readonly number[]
  readonly groups: number
}

export interface InspectedLayer {
  readonly name: string
  readonly op: string
  readonly inputs: readonly Shape[]
  /** null where the shape cannot be told, because of a node that cannot be run. */
  readonly output: Shape | null
  /** For convolutions and products. */
  readonly kind?: 'conv' | 'fc' | 'product'
  /** The loop nest, of what a dataflow can run, and of quantised products. */
  readonly problem?: Problem
  /** Of a convolution that its own kernels alone run: its W as it is. */
  readonly filters?: InspectedFilters
  readonly macs: number
  /** Elements of the filters or the matrix. */
  readonly weights: number
  readonly biases: number
  /** Elements of other floating-point constants (batch norm, slopes). */
  readonly parameters: number
  /** Arithmetic operations; a MAC is 2. */
  readonly flops: number
  /** Bytes of inputs, parameters and outputs, each moved once. */
  readonly bytes: number
  /** flops / bytes. */
  readonly intensity: number
  /** The product in whose kernel the node runs, where the device can bind all of its operands at once. */
  readonly fused_into?: string
}

export interface Totals {
  readonly layers: number
  readonly macs: number
  readonly weights: number
}

export interface InspectReport {
  readonly schema: typeof INSPECT_SCHEMA
  readonly model: string
  readonly inputs: readonly GraphInput[]
  /** Sizes used for symbolic dimensions. */
  readonly dimensions: Readonly<Record<string, number>>
  readonly outputs: readonly { readonly name: string; readonly dtype: string | null; readonly shape: Shape | null }[]
  /** Of the whole network. */
  readonly macs: number
  readonly weights: number
  readonly biases: number
  readonly parameters: number
  readonly flops: number
  /** Convolutions, fully connected layers, other products (between activations). */
  readonly conv: Totals
  readonly fc: Totals
  readonly product: Totals
  readonly layers: readonly InspectedLayer[]
  readonly unsupported: readonly UnsupportedNode[]
  /** How feature maps lie, where that was asked for. */
  readonly layout?: InspectedLayout
  /** What of it is not zero when it runs, where that was asked for (nonzero.ts). */
  readonly nonzero?: NonzeroReport
  /** The survey's figures for a network built by name. */
  readonly survey?: SurveyFigures & { readonly source: string }
}

/**
 * @param unsupported what the importer refused
 * @param sizes of symbolic dimensions; 1 where absent
 * @param layout lays the network out as well, as it would run
 * @throws ShapeError, DtypeError where the network's own shapes do not fit; OptionError for an unknown dimension
 */
export function inspectGraph(
  graph: Graph,
  {
    unsupported = [],
    sizes = {},
    layout,
  }: {
    readonly unsupported?: readonly UnsupportedNode[]
    readonly sizes?: Readonly<Record<string, number>>
    readonly layout?: LayoutRequest | undefined
  } = {},
): InspectReport {
  const bound = bindDimensions(graph, sizes)
  const { part, refused } = tellable(bound)
  const shapes = new Map(bound.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
  const typed = typeGraph(part, resolveInputs(bound.inputs, shapes), new Map(), { keep: 'all' })
  const byName = new Map(typed.nodes.map((node) => [node.node.name, node]))
  const counted = new Set<string>()
  const fusedInto = new Map(
    fuseGraph(typed, () => true).nodes.flatMap(({ node, fused = [] }) => fused.map((name): [string, string] => [name, node.name])),
  )
  const layers = bound.nodes.flatMap((node) => {
    const known = byName.get(node.name)
    const into = fusedInto.get(node.name)
    const fused = into === undefined ? {} : { fused_into: into }
    if (known !== undefined) return [{ ...inspectNode(known, bound, typed.known, counted), ...fused }]
    // A node of the tellable part that is not in `typed` was folded into a constant.
    return part.nodes.includes(node) ? [] : [opaque(node, typed.types)]
  })
  const listed = new Set(unsupported.map(({ node }) => node))
  const survey = SURVEY[graph.name]
  const sum = (pick: (layer: InspectedLayer) => number): number => layers.reduce((total, layer) => total + pick(layer), 0)
  const totals = (kind: InspectedLayer['kind']): Totals => {
    const own = layers.filter((layer) => layer.kind === kind)
    return {
      layers: own.length,
      macs: own.reduce((total, { macs }) => total + macs, 0),
      weights: own.reduce((total, { weights }) => total + weights, 0),
    }
  }
  return {
    schema: INSPECT_SCHEMA,
    model: graph.name,
    inputs: graph.inputs,
    dimensions: dimensionsUsed(graph, bound),
    outputs: graph.outputs.map((name) => {
      const type = typed.types.get(name)
      return { name, dtype: type?.dtype ?? null, shape: type?.shape ?? null }
    }),
    macs: sum(({ macs }) => macs),
    weights: sum(({ weights }) => weights),
    biases: sum(({ biases }) => biases),
    parameters: sum(({ parameters }) => parameters),
    flops: sum(({ flops }) => flops),
    conv: totals('conv'),
    fc: totals('fc'),
    product: totals('product'),
    layers,
    unsupported: [...unsupported, ...refused.filter(({ node }) => !listed.has(node))],
    ...(layout === undefined ? {} : { layout: inspectLayout(typeGraph(part, resolveInputs(bound.inputs, shapes)), layout) }),
    ...(survey === undefined ? {} : { survey: { source: SURVEY_SOURCE, ...survey } }),
  }
}

function inspectNode(
  { node, definition, context }: TypedNode,
  graph: Graph,
  known: ReadonlyMap<string, HostTensor>,
  counted: Set<string>,
): InspectedLayer {
  const { ownLoops } = definition
  const nest = definition.problem?.(context)
  const problem = nest ?? ownLoops?.problem(context)
  // The loop nest of as many multiply-adds as such a convolution has is not its own.
  const filters = nest === undefined && CONVOLUTIONS.has(node.op) ? filtersOf(node.op, context, ownLoops?.factors[1]) : undefined
  const factors: readonly number[] = ownLoops?.factors ?? [0, 1]
  const bias = ownLoops === undefined ? 2 : ownLoops.bias
  let weights = 0
  let biases = 0
  let parameters = 0
  let ownWeights = false
  node.inputs.forEach((name, index) => {
    const value = name === null ? undefined : known.get(name)
    if (name === null || value === undefined || definition.hostInputs.includes(index)) return
    // A product's further inputs are its bias, then a residual and a scale.
    const isWeight = problem !== undefined && factors.includes(index)
    ownWeights ||= isWeight
    // Weights that several nodes share are counted where they are used first.
    if (counted.has(name)) return
    counted.add(name)
    const elements = sizeOf(value.shape)
    // Packed weights are not stored an element each: of a matrix there are as many as it has rows times columns.
    if (isWeight) weights += PACKED.has(node.op) && index === 1 ? problem.M * problem.C : elements
    else if ((problem !== undefined && index === bias) || isAddedBias(node, index, graph)) biases += elements
    else parameters += elements
  })
  const tensors = [...context.inputs, ...context.outputs].filter((type): type is TensorType => type !== null)
  const bytes = tensors.reduce((total, { shape, dtype }) => total + sizeOf(shape) * byteSize(dtype), 0)
  const flops = definition.flops(context)
  return {
    name: node.name,
    op: node.op,
    inputs: context.inputs.flatMap((type) => (type === null ? [] : [type.shape])),
    output: context.outputs[0]?.shape ?? null,
    ...(problem === undefined || filters !== undefined ? {} : { problem }),
    ...(filters === undefined ? {} : { filters }),
    ...(problem === undefined ? {} : { kind: ownWeights ? kindOfLayer(node, problem) : ('product' as const) }),
    macs: problem === undefined ? 0 : macsOf(problem),
    weights,
    biases,
    parameters,
    flops,
    bytes,
    intensity: bytes === 0 ? 0 : flops / bytes,
  }
}

/** Ops whose weights are of less than a byte, or without what was pruned. */
const PACKED: ReadonlySet<string> = new Set(['matmulNBits', 'sparseMatmul'])

const CONVOLUTIONS: ReadonlySet<string> = new Set(['conv2d', 'convTranspose2d', 'convInteger', 'qlinearConv'])

/** What says the windows of a convolution. */
const WINDOWS = z.looseObject({ stride: perAxis, dilation: perAxis, groups: z.number() })

/** W is [M, C/groups, …], of a transposed convolution [C, M/groups, …]. */
function filtersOf(op: string, { inputs, attributes }: TypedNode['context'], w = 1): InspectedFilters {
  const [first = 0, second = 0, ...kernel] = inputs[w]?.shape ?? []
  const { stride, dilation, groups } = WINDOWS.parse(attributes)
  const [number, channels] = op === 'convTranspose2d' ? [second * groups, first / groups] : [first, second]
  return {
    ...{ number, shape: [channels, ...kernel], groups },
    stride: spread(op, 'stride', stride, kernel.length),
    dilation: spread(op, 'dilation', dilation, kernel.length),
  }
}

function kindOfLayer(node: GraphNode, problem: Problem): 'conv' | 'fc' {
  return CONVOLUTIONS.has(node.op)
    ? 'conv'
    : node.op === 'linear' || node.op === 'gemm' || node.op === 'matmul'
      ? 'fc'
      : kindOf(problem)
}

/** Whether input `index` of an addition is the bias of a product: `x·W` in one node, `+ b` in the next, as some exporters write. */
function isAddedBias(node: GraphNode, index: number, graph: Graph): boolean {
  if (node.op !== 'add') return false
  const other = node.inputs[1 - index]
  const maker = graph.nodes.find((each) => other !== null && other !== undefined && each.outputs.includes(other))
  const made = maker === undefined ? undefined : REGISTRY.get(maker.op)
  return made?.problem !== undefined || made?.ownLoops !== undefined
}

function opaque(node: GraphNode, types: ReadonlyMap<string, TensorType>): InspectedLayer {
  const inputs = node.inputs.flatMap((name) => (name === null ? [] : [types.get(name)?.shape ?? []]))
  return {
    name: node.name,
    op: node.op,
    inputs,
    output: null,
    macs: 0,
    weights: 0,
    biases: 0,
    parameters: 0,
    flops: 0,
    bytes: 0,
    intensity: 0,
  }
}

/**
 * The part of a graph whose shapes can be told: without nodes of unknown ops, nodes whose shape hangs on the value of an input, and
 * all that depend on either.
 */
function tellable(graph: Graph): { part: Graph; refused: UnsupportedNode[] } {
  const refused: UnsupportedNode[] = []
  const known = graph.nodes.filter(({ op }) => REGISTRY.has(op))
  const fed = fedInputs({ ...graph, nodes: known })
  const lost = new Set<string>()
  const nodes: GraphNode[] = []
  for (const node of graph.nodes) {
    const definition = REGISTRY.get(node.op)
    const byValue = definition?.hostInputs.some((index) => fed.has(node.inputs[index] ?? '')) === true
    if (definition !== undefined && !byValue && !node.inputs.some((name) => name !== null && lost.has(name))) {
      nodes.push(node)
      continue
    }
    if (definition === undefined) refused.push({ node: node.name, op: node.op, reason: 'Tilewright does not have this op' })
    for (const name of node.outputs) lost.add(name)
  }
  return { part: { ...graph, nodes, outputs: graph.outputs.filter((name) => !lost.has(name)) }, refused }
}

function dimensionsUsed(graph: Graph, bound: Graph): Record<string, number> {
  const used: Record<string, number> = {}
  graph.inputs.forEach(({ shape }, input) =>
    shape.forEach((extent, axis) => {
      if (typeof extent === 'string') used[extent] = Number(bound.inputs[input]?.shape[axis] ?? 1)
    }),
  )
  return used
}
