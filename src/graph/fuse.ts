/**
 * Folds what follows a matrix product or a convolution into it: a scale, a bias, a tensor like the result, an activation. Think of a
 * product's epilogue as a short queue in front of memory: what joins it costs one more operand instead of writing the result and reading
 * it back.
 *
 *     matmul ─▶ mul s ─▶ add b ─▶ add r ─▶ relu        activation(s · (A·B) + b + r)
 *        └────────────────────────────────┘   ──▶      one node, called as the matmul is, at the place of the relu
 *
 *     pad ─▶ conv2d ─▶ batchNorm ─▶ add r ─▶ relu      activation((s·W) * X + t + r), s and t made on the host (fold.ts), the
 *      └───────────────────────────────────────┘       padding one of the convolution's own
 *
 * Only where the value between is used once and is no output, where nothing changes shape or dtype, and in the order that the epilogue
 * computes in (src/ops/gemm/product.ts). Pure: no GPU.
 */
import { z } from 'zod'
import { TilewrightError } from '../errors.ts'
import { INPUT, LAYOUTS } from '../ops/conv2d/convolution.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { activationField, type Activation } from '../ops/gemm/activation.ts'
import { BIAS, RESIDUAL, SCALE } from '../ops/gemm/fused.ts'
import { gemm } from '../ops/gemm/op.ts'
import { linear } from '../ops/linear/op.ts'
import { matmul } from '../ops/matmul/op.ts'
import type { OpDefinition } from '../ops/op.ts'
import { REGISTRY } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { sameShape, sizeOf } from '../tensor/shape.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'
import { activationOf, gatedBy } from './activations.ts'
import { reciprocal, shortened } from './constants.ts'
import { foldLines, linesOf, type FilterOrder, type LineNode } from './fold.ts'
import type { GraphNode } from './graph.ts'
import { foldedPadding } from './padding.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

const PRODUCTS: ReadonlySet<OpDefinition> = new Set<OpDefinition>([gemm, linear, matmul])

/** Of a convolution's attributes, where its channels lie: those of lines are dimension 1. */
const placed = z.looseObject({ layout: z.enum(LAYOUTS).default('nchw'), groups: z.number().default(1) })

/** Convolutions by name, and how their filters lie. */
const CONVOLUTIONS: ReadonlyMap<string, (groups: number) => FilterOrder> = new Map<string, (groups: number) => FilterOrder>([
  ['conv2d', () => ({ outermost: 'filters' })],
  ['convTranspose2d', (groups) => ({ outermost: 'channels', groups })],
])

function orderOf({ node, definition, context }: TypedNode): FilterOrder | undefined {
  const order = REGISTRY.get(node.op) === definition ? CONVOLUTIONS.get(node.op) : undefined
  return order?.(placed.parse(context.attributes).groups)
}

/** Of a matrix product's attributes, how its weights lie. */
const matrix = z.looseObject({ transB: z.boolean().default(false), beta: z.number().default(1) })

/** Of a product's attributes, what later steps depend on. */
const epilogue = z.looseObject({ activation: activationField })

/** Nodes that are a line of each channel or element. */
const LINES: ReadonlySet<string> = new Set(['batchNorm', 'mul', 'div', 'add', 'sub'])

/** What a node does to the value before it: one way to see it as a step of an epilogue. */
interface Step {
  /** The product's result, if it is one. */
  readonly value: string
  readonly does: LineNode['op'] | 'activate'
  /** The other operand of `mul`, `div`, `add` and `sub`, or the four of `batchNorm`. */
  readonly others: readonly string[]
  readonly activation?: Activation
  /** Nodes that are folded with it: the sigmoid of x · sigmoid(x). */
  readonly with: readonly number[]
}

/** A product with more in its epilogue, before anything was checked. */
interface Change {
  readonly inputs: readonly (string | null)[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * The graph with its epilogues folded. A fused node keeps the product's name, and lists in `fused` the nodes that it stands for besides.
 * @param accepts whether the device can run a node; where it cannot (operands in too many segments), the nodes stay apart
 */
export function fuseGraph(typed: TypedGraph, accepts: (node: TypedNode) => boolean): TypedGraph {
  return new Fusion(typed, accepts).result()
}

class Fusion {
  readonly #typed: TypedGraph
  readonly #accepts: (node: TypedNode) => boolean
  /** In order; undefined where a node was folded into a later place. */
  readonly #nodes: (TypedNode | undefined)[]
  readonly #makers = new Map<string, number>()
  /** How often a value is read; being an output is one more reading. */
  readonly #uses = new Map<string, number>()
  readonly #types: Map<string, TensorType>
  readonly #known: Map<string, HostTensor>
  /** Names of constants that the pass made, by what it would have called them. */
  readonly #made = new Map<string, string>()

  constructor(typed: TypedGraph, accepts: (node: TypedNode) => boolean) {
    this.#typed = typed
    this.#accepts = accepts
    this.#nodes = [...typed.nodes]
    this.#types = new Map(typed.types)
    this.#known = new Map(typed.known)
    for (const { node } of typed.nodes) for (const name of node.inputs) if (name !== null) this.#use(name, 1)
    for (const name of typed.outputs) this.#use(name, 1)
  }

  #use(name: string, times: number): void {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + times)
  }

  result(): TypedGraph {
    for (const [index, item] of this.#typed.nodes.entries()) {
      this.#foldPadding(index)
      this.#steps(item).some((step) => this.#join(index, item, step) || this.#joinBeforePool(index, item, step))
      if (this.#nodes[index] === undefined) continue
      for (const name of item.node.outputs) this.#makers.set(name, index)
    }
    const nodes = this.#nodes.filter((item) => item !== undefined)
    return { ...this.#typed, nodes, types: this.#types, known: this.#known }
  }

  /** Takes the pads in front of a convolution into its padding, each while the device runs what comes of it. */
  #foldPadding(index: number): void {
    for (;;) {
      const conv = this.#nodes[index]
      const [name] = conv?.node.inputs ?? []
      const at = this.#makers.get(name ?? '')
      const pad = at === undefined ? undefined : this.#nodes[at]
      const [source] = pad?.node.inputs ?? []
      if (conv?.definition !== conv2d || at === undefined || pad === undefined || typeof name !== 'string') return
      const attributes = foldedPadding(conv, pad)
      if (attributes === undefined || typeof source !== 'string') return
      const inputs = [source, ...conv.node.inputs.slice(1)]
      const fused = this.#rebuilt(conv, { inputs, attributes }, conv.node.outputs, [pad.node.name])
      if (fused === undefined || !this.#accepts(fused)) return
      this.#nodes[index] = fused
      this.#use(source, 1)
      this.#use(name, -1)
      if ((this.#uses.get(name) ?? 0) > 0) continue
      this.#nodes[at] = undefined
      this.#use(source, -1)
    }
  }

  /** The steps that a node may be, each seen from another operand. */
  #steps(item: TypedNode): Step[] {
    const { node, definition } = item
    if (REGISTRY.get(node.op) !== definition) return []
    const [first] = node.inputs
    if (typeof first !== 'string') return []
    const activation = activationOf(item)
    if (activation !== undefined) return [{ value: first, does: 'activate', activation, others: [], with: [] }]
    const others = node.inputs.slice(1).filter((name) => name !== null)
    const does = node.op === 'sum' ? 'add' : node.op
    if (!isLine(does)) return []
    const [second] = others
    if (does === 'batchNorm' || second === undefined) return does === 'batchNorm' ? [{ value: first, does, others, with: [] }] : []
    if (others.length > 1) return []
    if (does === 'div' || does === 'sub') return [{ value: first, does, others, with: [] }]
    const orders = [
      [first, second],
      [second, first],
    ] as const
    const gates = does === 'mul' ? orders.flatMap(([value, gate]) => this.#gated(value, gate)) : []
    return [...gates, ...orders.map(([value, other]): Step => ({ value, does, others: [other], with: [] }))]
  }

  /** A constant of the pass's own: `wanted`, under a name that no value of the graph has. */
  #constant(wanted: string, value: HostTensor): string {
    const known = this.#made.get(wanted)
    if (known !== undefined) return known
    let name = wanted
    while (this.#types.has(name)) name += "'"
    this.#made.set(wanted, name)
    this.#known.set(name, value)
    this.#types.set(name, { dtype: value.dtype, shape: value.shape })
    return name
  }

  /** value · gate where the gate is an activation of the value: silu. */
  #gated(value: string, gate: string): Step[] {
    const index = this.#makers.get(gate)
    const item = index === undefined ? undefined : this.#nodes[index]
    if (index === undefined || item?.node.inputs[0] !== value || this.#uses.get(gate) !== 1) return []
    const own = activationOf(item)
    const activation = own === undefined ? undefined : gatedBy(own)
    return activation === undefined ? [] : [{ value, does: 'activate', activation, others: [], with: [index] }]
  }

  /** Puts the product before `step` in the place of `item`, with the step in its epilogue. False: they stay as they are. */
  #join(index: number, item: TypedNode, step: Step): boolean {
    const at = this.#makers.get(step.value)
    const product = at === undefined ? undefined : this.#nodes[at]
    const [output] = item.context.outputs
    const [made] = product?.context.outputs ?? []
    if (at === undefined || product === undefined || output === undefined || made === undefined) return false
    // A node may read the value twice (x + x), and an output is read by the caller.
    if (!this.#isProduct(product) || this.#uses.get(step.value) !== 1 + step.with.length) return false
    if (output.dtype !== made.dtype || !sameShape(output.shape, made.shape)) return false
    const folded = [...step.with.flatMap((other) => this.#nodes[other]?.node.name ?? []), item.node.name]
    for (const change of this.#changes(product, item, made, step)) {
      const fused = this.#rebuilt(product, change, item.node.outputs, folded)
      if (fused === undefined || !this.#accepts(fused)) continue
      this.#nodes[at] = undefined
      for (const other of step.with) this.#nodes[other] = undefined
      this.#nodes[index] = fused
      return true
    }
    return false
  }

  /** An activation that keeps the order of values, after a max pooling, as the activation of the product before the pooling. */
  #joinBeforePool(index: number, item: TypedNode, { value, does, activation }: Step): boolean {
    const keepsOrder = activation === 'relu' || (typeof activation === 'object' && activation.name === 'clip')
    const poolAt = this.#makers.get(value)
    const pool = poolAt === undefined ? undefined : this.#nodes[poolAt]
    const source = pool?.node.inputs[0] ?? ''
    const at = this.#makers.get(source)
    const product = at === undefined ? undefined : this.#nodes[at]
    if (does !== 'activate' || !keepsOrder || poolAt === undefined || at === undefined || product === undefined) return false
    if (pool?.node.op !== 'maxPool' || REGISTRY.get('maxPool') !== pool.definition || pool.node.outputs.length > 1) return false
    if (!this.#isProduct(product) || this.#uses.get(value) !== 1 || this.#uses.get(source) !== 1) return false
    if (epilogue.parse(product.context.attributes).activation !== 'none') return false
    const change = { inputs: product.node.inputs, attributes: { ...product.node.attributes, activation } }
    const fused = this.#rebuilt(product, change, product.node.outputs, [item.node.name])
    if (fused === undefined || !this.#accepts(fused)) return false
    this.#nodes[at] = fused
    this.#nodes[poolAt] = { ...pool, node: { ...pool.node, outputs: item.node.outputs } }
    this.#nodes[index] = undefined
    for (const name of item.node.outputs) this.#makers.set(name, poolAt)
    return true
  }

  #isProduct(item: TypedNode): boolean {
    return PRODUCTS.has(item.definition) || orderOf(item) !== undefined
  }

  /** Ways to take a step up, in the order in which the epilogue computes: scale, bias and residual, activation. */
  #changes(product: TypedNode, item: TypedNode, made: TensorType, step: Step): Change[] {
    const { node, context } = product
    if (epilogue.parse(context.attributes).activation !== 'none') return []
    if (step.does === 'activate') return [{ inputs: node.inputs, attributes: { ...node.attributes, activation: step.activation } }]
    const order = orderOf(product)
    if (order !== undefined) return this.#convolutionChanges(product, order, item, made, step)
    if (step.does === 'batchNorm') return this.#normalised(product, item, made, step)
    const [other] = step.others
    if (other === undefined) return []
    // A vector operand of matmul leaves an axis out of the result, and the terms of the epilogue broadcast to both.
    const isMatrix = context.inputs.slice(0, 2).every((type) => (type?.shape.length ?? 0) >= 2)
    if (step.does === 'mul' || step.does === 'div') {
      const factor = step.does === 'mul' ? other : this.#inverse(other)
      if (!isMatrix || factor === undefined || ![BIAS, RESIDUAL, SCALE].every((slot) => isFree(node, slot))) return []
      return [{ inputs: put(node, [[SCALE, this.#term(factor)]]), attributes: node.attributes }]
    }
    if (step.does !== 'add') return []
    const changes: Change[] = this.#residual(product, made, other, RESIDUAL)
    if (isMatrix && isFree(node, BIAS)) {
      const factor = 'beta' in node.attributes ? { beta: 1 } : {}
      changes.push({ inputs: put(node, [[BIAS, this.#term(other)]]), attributes: { ...node.attributes, ...factor } })
    }
    return changes
  }

  /** A batch norm of a matrix [N, M] goes into the weights, as into filters of one element. */
  #normalised(product: TypedNode, item: TypedNode, made: TensorType, step: Step): Change[] {
    const { node, context, definition } = product
    const { transB, beta } = matrix.parse(context.attributes)
    const isPlain = made.shape.length === 2 && context.inputs[1]?.shape.length === 2
    if (!isPlain || !isFree(node, SCALE) || !isFree(node, RESIDUAL) || (beta !== 1 && !isFree(node, BIAS))) return []
    const inRows = definition === linear || transB
    const order: FilterOrder = inRows ? { outermost: 'filters' } : { outermost: 'channels', groups: 1 }
    const changes = this.#lineChanges(product, order, item, made, step)
    return changes.map(({ inputs, attributes }) => ({
      inputs,
      attributes: 'beta' in attributes ? { ...attributes, beta: 1 } : attributes,
    }))
  }

  /** Lines of each channel go into filters and bias; what is like the result is added to it. */
  #convolutionChanges(product: TypedNode, order: FilterOrder, item: TypedNode, made: TensorType, step: Step): Change[] {
    const { node, context } = product
    const [other] = step.others
    const residual = step.does === 'add' && other !== undefined ? this.#residual(product, made, other, INPUT.residual) : []
    // What is added before a scale would have to be scaled too.
    const isLate = !isFree(node, INPUT.residual) && step.does !== 'add' && step.does !== 'sub'
    if (isLate || placed.parse(context.attributes).layout !== 'nchw') return residual
    return [...this.#lineChanges(product, order, item, made, step), ...residual]
  }

  /** Weights (input 1) and bias (input 2) with the lines of a node in them, where all are constants. */
  #lineChanges({ node }: TypedNode, order: FilterOrder, item: TypedNode, made: TensorType, { does, others }: Step): Change[] {
    const [, w, b] = node.inputs
    const weights = this.#known.get(w ?? '')
    const bias = this.#known.get(b ?? '')
    if (does === 'activate' || weights === undefined || (bias === undefined && !isFree(node, INPUT.bias))) return []
    if (bias !== undefined && (sizeOf(bias.shape) !== made.shape[1] || bias.shape.at(-1) !== made.shape[1])) return []
    const constants = others.map((name) => this.#known.get(name))
    const lines = linesOf({ op: does, constants, attributes: item.context.attributes }, made.shape)
    const folded = lines === undefined ? undefined : foldLines(weights, bias ?? null, lines, order)
    if (folded === undefined) return []
    const names = [
      [INPUT.w, this.#folded(w ?? '', item, weights, folded.weights)],
      [INPUT.bias, this.#folded(b ?? `${node.name}.bias`, item, bias, folded.bias)],
    ] as const
    return [{ inputs: put(node, names), attributes: node.attributes }]
  }

  /** The name of what a constant became: its own where it is as it was. */
  #folded(name: string, item: TypedNode, before: HostTensor | undefined, after: HostTensor): string {
    return before === after ? name : this.#constant(`${name} with ${item.node.name}`, after)
  }

  #residual({ node }: TypedNode, made: TensorType, other: string, slot: number): Change[] {
    const type = this.#types.get(other)
    if (!isFree(node, slot) || type === undefined || !sameShape(type.shape, made.shape)) return []
    return [{ inputs: put(node, [[slot, other]]), attributes: node.attributes }]
  }

  /** 1 / a constant whose reciprocals are exact: √64 of attention. */
  #inverse(name: string): string | undefined {
    const constant = this.#known.get(name)
    const inverse = constant === undefined ? undefined : reciprocal(constant)
    return inverse === undefined ? undefined : this.#constant(`1 / ${name}`, inverse)
  }

  /** A constant without leading extents of 1, which change nothing in what it broadcasts to; anything else as it is. */
  #term(name: string): string {
    const value = this.#known.get(name)
    const extra = value?.shape.findIndex((extent) => extent !== 1) ?? 0
    if (value === undefined || extra <= 0) return name
    return this.#constant(`${name} [${value.shape.slice(extra).join(', ')}]`, shortened(value, extra))
  }

  /** A node with other inputs, outputs and attributes, checked by its own rule; undefined where that refuses it. */
  #rebuilt(
    item: TypedNode,
    { inputs, attributes: given }: Change,
    outputs: readonly string[],
    folded: readonly string[],
  ): TypedNode | undefined {
    const { definition } = item
    const types = inputs.map((name) => (name === null ? null : (this.#types.get(name) ?? null)))
    const node: GraphNode = { ...item.node, inputs, outputs, attributes: given }
    try {
      const attributes = parseAttributes(definition, given, node.name)
      const context = { inputs: types, values: types.map(() => null), attributes }
      const made = definition.infer(context)
      return { node, definition, context: { ...context, outputs: made }, fused: [...(item.fused ?? []), ...folded] }
    } catch (error) {
      if (error instanceof TilewrightError) return undefined
      throw error
    }
  }
}

function isLine(op: string): op is LineNode['op'] {
  return LINES.has(op)
}

function isFree({ inputs }: GraphNode, slot: number): boolean {
  return (inputs[slot] ?? null) === null
}

/** A node's inputs with others in some slots. */
function put({ inputs }: GraphNode, slots: readonly (readonly [slot: number, name: string])[]): (string | null)[] {
  const names = new Map(slots)
  const length = Math.max(inputs.length, ...slots.map(([slot]) => slot + 1))
  return Array.from({ length }, (_, index) => names.get(index) ?? inputs[index] ?? null)
}
