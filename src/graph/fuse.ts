/**
 * Folds what follows a matrix product into it: a scale, a bias, a tensor like the result, an activation. Think of a product's epilogue as
 * a short queue in front of memory: what joins it costs one more operand instead of writing the result and reading it back.
 *
 *     matmul ─▶ mul s ─▶ add b ─▶ add r ─▶ relu        activation(s · (A·B) + b + r)
 *        └────────────────────────────────┘   ──▶      one node, called as the matmul is, at the place of the relu
 *
 * Only where the value between is used once and is no output, where nothing changes shape or dtype, and in the order that the epilogue
 * computes in (src/ops/gemm/product.ts). Pure: no GPU.
 */
import { z } from 'zod'
import { TilewrightError } from '../errors.ts'
import type { Activation } from '../ops/gemm/activation.ts'
import { BIAS, fusedFields, RESIDUAL, SCALE } from '../ops/gemm/fused.ts'
import { gemm } from '../ops/gemm/op.ts'
import { linear } from '../ops/linear/op.ts'
import { matmul } from '../ops/matmul/op.ts'
import type { OpDefinition } from '../ops/op.ts'
import { REGISTRY } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { sameShape } from '../tensor/shape.ts'
import { HostTensor, tensor, type TensorType } from '../tensor/tensor.ts'
import type { GraphNode } from './graph.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

const PRODUCTS: ReadonlySet<OpDefinition> = new Set<OpDefinition>([gemm, linear, matmul])

/** Nodes that are an activation of the epilogue. */
const ACTIVATION_OPS: ReadonlyMap<string, Activation> = new Map([
  ['relu', 'relu'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
])

/** Of a product's attributes, what later steps depend on. */
const epilogue = z.looseObject({ activation: fusedFields.activation })

/** What a node does to the value before it: one way to see it as a step of an epilogue. */
interface Step {
  /** The product's result, if it is one. */
  readonly value: string
  readonly kind: 'mul' | 'add' | Activation
  /** The other operand of `mul` and `add`. */
  readonly other?: string
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
    const use = (name: string): void => void this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1)
    for (const { node } of typed.nodes) for (const name of node.inputs) if (name !== null) use(name)
    for (const name of typed.outputs) use(name)
  }

  result(): TypedGraph {
    for (const [index, item] of this.#typed.nodes.entries()) {
      for (const step of this.#steps(item)) {
        if (this.#join(index, item, step)) break
      }
      for (const name of item.node.outputs) this.#makers.set(name, index)
    }
    const nodes = this.#nodes.filter((item) => item !== undefined)
    return { ...this.#typed, nodes, types: this.#types, known: this.#known }
  }

  /** The steps that a node may be, each seen from another operand. */
  #steps({ node, definition }: TypedNode): Step[] {
    if (REGISTRY.get(node.op) !== definition) return []
    const [first, second] = node.inputs
    if (typeof first !== 'string') return []
    const activation = ACTIVATION_OPS.get(node.op)
    if (activation !== undefined) return [{ value: first, kind: activation, with: [] }]
    if (node.op === 'div' && typeof second === 'string') return this.#divided(first, second)
    const kind = node.op === 'sum' ? 'add' : node.op
    if ((kind !== 'add' && kind !== 'mul') || typeof second !== 'string' || node.inputs.length !== 2) return []
    const orders = [
      [first, second],
      [second, first],
    ] as const
    const gates = kind === 'mul' ? orders.flatMap(([value, gate]) => this.#gated(value, gate)) : []
    return [...gates, ...orders.map(([value, other]): Step => ({ value, kind, other, with: [] }))]
  }

  /** value / other as value · (1 / other), where the other is a constant whose reciprocals are exact: √64 of attention. */
  #divided(value: string, divisor: string): Step[] {
    const constant = this.#known.get(divisor)
    const inverse = constant === undefined ? undefined : reciprocal(constant)
    if (inverse === undefined) return []
    return [{ value, kind: 'mul', other: this.#constant(`1 / ${divisor}`, inverse), with: [] }]
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

  /** value · gate where the gate is sigmoid(value): silu. */
  #gated(value: string, gate: string): Step[] {
    const index = this.#makers.get(gate)
    const item = index === undefined ? undefined : this.#nodes[index]
    if (index === undefined || item?.node.op !== 'sigmoid' || REGISTRY.get('sigmoid') !== item.definition) return []
    return item.node.inputs[0] === value && this.#uses.get(gate) === 1 ? [{ value, kind: 'silu', with: [index] }] : []
  }

  /** Puts the product before `step` in the place of `item`, with the step in its epilogue. False: they stay as they are. */
  #join(index: number, item: TypedNode, step: Step): boolean {
    const at = this.#makers.get(step.value)
    const product = at === undefined ? undefined : this.#nodes[at]
    const [output] = item.context.outputs
    const [made] = product?.context.outputs ?? []
    if (at === undefined || product === undefined || output === undefined || made === undefined) return false
    // A node may read the value twice (x + x), and an output is read by the caller.
    if (!PRODUCTS.has(product.definition) || this.#uses.get(step.value) !== 1 + step.with.length) return false
    if (output.dtype !== made.dtype || !sameShape(output.shape, made.shape)) return false
    for (const change of this.#changes(product, made, step)) {
      const fused = this.#fused(product, item, change, step)
      if (fused === undefined || !this.#accepts(fused)) continue
      this.#nodes[at] = undefined
      for (const other of step.with) this.#nodes[other] = undefined
      this.#nodes[index] = fused
      return true
    }
    return false
  }

  /** Ways to take a step up, in the order in which the epilogue computes: scale, bias and residual, activation. */
  #changes({ node, context }: TypedNode, made: TensorType, { kind, other }: Step): Change[] {
    const { activation } = epilogue.parse(context.attributes)
    if (activation !== 'none') return []
    if (kind !== 'mul' && kind !== 'add') return [{ inputs: node.inputs, attributes: { ...node.attributes, activation: kind } }]
    if (other === undefined) return []
    const free = (slot: number): boolean => (node.inputs[slot] ?? null) === null
    const put = (slot: number, name: string): (string | null)[] => {
      return Array.from({ length: Math.max(node.inputs.length, slot + 1) }, (_, i) =>
        i === slot ? name : (node.inputs[i] ?? null),
      )
    }
    // A vector operand of matmul leaves an axis out of the result, and the terms of the epilogue broadcast to both.
    const matrix = context.inputs.slice(0, 2).every((type) => (type?.shape.length ?? 0) >= 2)
    if (kind === 'mul') {
      if (!matrix || ![BIAS, RESIDUAL, SCALE].every(free)) return []
      return [{ inputs: put(SCALE, this.#term(other)), attributes: node.attributes }]
    }
    const changes: Change[] = []
    const type = this.#types.get(other)
    if (free(RESIDUAL) && type !== undefined && sameShape(type.shape, made.shape)) {
      changes.push({ inputs: put(RESIDUAL, other), attributes: node.attributes })
    }
    if (matrix && free(BIAS)) {
      const factor = 'beta' in node.attributes ? { beta: 1 } : {}
      changes.push({ inputs: put(BIAS, this.#term(other)), attributes: { ...node.attributes, ...factor } })
    }
    return changes
  }

  /** A constant without leading extents of 1, which change nothing in what it broadcasts to; anything else as it is. */
  #term(name: string): string {
    const value = this.#known.get(name)
    const extra = value?.shape.findIndex((extent) => extent !== 1) ?? 0
    if (value === undefined || extra <= 0) return name
    return this.#constant(`${name} [${value.shape.slice(extra).join(', ')}]`, shortened(value, extra))
  }

  /** The node, checked by its own rule; undefined where that refuses it. */
  #fused(product: TypedNode, item: TypedNode, { inputs, attributes: given }: Change, step: Step): TypedNode | undefined {
    const { definition } = product
    const types = inputs.map((name) => (name === null ? null : (this.#types.get(name) ?? null)))
    const node: GraphNode = { ...product.node, inputs, outputs: item.node.outputs, attributes: given }
    const folded = step.with.flatMap((index) => this.#nodes[index]?.node.name ?? [])
    try {
      const attributes = parseAttributes(definition, given, node.name)
      const context = { inputs: types, values: types.map(() => null), attributes }
      const outputs = definition.infer(context)
      return {
        node,
        definition,
        context: { ...context, outputs },
        fused: [...(product.fused ?? []), ...folded, item.node.name],
      }
    } catch (error) {
      if (error instanceof TilewrightError) return undefined
      throw error
    }
  }
}

/** One shorter tensor for each, so that plans of several shapes share their weights. */
const short = new WeakMap<HostTensor, HostTensor>()

function shortened(value: HostTensor, from: number): HostTensor {
  const known = short.get(value)
  if (known !== undefined) return known
  const made = new HostTensor(value.dtype, value.shape.slice(from), () => value.values)
  short.set(value, made)
  return made
}

const inverses = new WeakMap<HostTensor, HostTensor>()

/** 1 / value where that is exact in every element: powers of two whose inverses are normal in the dtype too. */
function reciprocal(value: HostTensor): HostTensor | undefined {
  if (value.dtype !== 'f32' && value.dtype !== 'f16') return undefined
  const known = inverses.get(value)
  if (known !== undefined) return known
  const least = value.dtype === 'f32' ? 126 : 14
  const numbers = Array.from(value.values, Number)
  const exact = numbers.every((number) => {
    const exponent = Math.log2(Math.abs(number))
    return Number.isInteger(exponent) && Math.abs(exponent) <= least
  })
  if (!exact) return undefined
  const made = tensor(
    numbers.map((number) => 1 / number),
    value.shape,
    value.dtype,
  )
  inverses.set(value, made)
  return made
}
