/**
 * Where a constant operand comes from. A network may hand a weight to its layer through a reshape or a transpose (CNTK's and PyTorch's
 * exports do); who changes the weight must change the tensor in the file. Think of it as following an operand upstream through nodes that
 * only move elements, with the index of every element in hand.
 *
 *     W [16, 4, 4, 10] ─ reshape ─▶ W′ [256, 10] ─▶ matmul        resolve(W′) = { source: W, places: none, the order is the same }
 */
import { REGISTRY } from '../ops/registry.ts'
import { parseAttributes } from '../ops/run.ts'
import { floatsOf } from '../ops/values.ts'
import { isFloat } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import type { Graph, GraphNode } from './graph.ts'
import type { TypedGraph } from './passes.ts'

/** A float constant as an operand sees it. */
export interface Source {
  /** The constant in the graph. */
  readonly constant: string
  /** As the operand sees it. */
  readonly shape: Shape
  /** Element i of the operand is element places[i] of the constant; absent where they lie alike. */
  readonly places?: Int32Array
}

/** Ops that move elements, each to one place. */
const MOVES: ReadonlySet<string> = new Set(['reshape', 'flatten', 'squeeze', 'unsqueeze', 'identity', 'transpose'])
/** Those that keep their order. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'flatten', 'squeeze', 'unsqueeze', 'identity'])
/** Only the type of their input is looked at. */
const TYPE_ONLY: ReadonlySet<string> = new Set(['shape', 'size'])

export class ConstantSources {
  readonly #graph: Graph
  readonly #typed: TypedGraph
  readonly #makers = new Map<string, GraphNode>()
  readonly #resolved = new Map<string, Source | undefined>()
  readonly #frozen = new Map<string, string>()
  readonly #held = new Set<string>()

  constructor(graph: Graph, typed: TypedGraph) {
    this.#graph = graph
    this.#typed = typed
    for (const node of graph.nodes) for (const output of node.outputs) this.#makers.set(output, node)
    const running = new Set(typed.nodes.map(({ node }) => node))
    for (const node of graph.nodes) {
      if (running.has(node) || MOVES.has(node.op) || TYPE_ONLY.has(node.op)) continue
      for (const name of node.inputs)
        if (name !== null) this.freeze(name, `${node.name} (${node.op}) computes another constant from it`)
    }
    for (const name of graph.outputs) this.freeze(name, 'it is an output of the model')
  }

  /** The float constant behind a value; undefined where there is none, or one that was computed. */
  resolve(name: string): Source | undefined {
    if (this.#resolved.has(name)) return this.#resolved.get(name)
    const found = this.#follow(name)
    this.#resolved.set(name, found)
    return found
  }

  /** Whether a value comes out of a dequantisation, computed when the network runs or before. */
  isDequantised(name: string): boolean {
    const maker = this.#makers.get(name)
    if (maker === undefined) return false
    const [first] = maker.inputs
    return (
      maker.op === 'dequantizeLinear' || (MOVES.has(maker.op) && first !== null && first !== undefined && this.isDequantised(first))
    )
  }

  /** The channels of what `name` comes from may not be permuted; its values may change. */
  hold(name: string): void {
    const source = this.resolve(name)
    if (source !== undefined) this.#held.add(source.constant)
  }

  /** Whether channels of a constant of the graph have to stay in place. */
  isHeld(constant: string): boolean {
    return this.#held.has(constant) || this.#frozen.has(constant)
  }

  /** What `name` comes from may not change, because `reason`. */
  freeze(name: string, reason: string): void {
    const source = this.resolve(name)
    if (source !== undefined && !this.#frozen.has(source.constant)) this.#frozen.set(source.constant, reason)
  }

  /** Why a constant of the graph may not change; undefined where it may. */
  frozen(constant: string): string | undefined {
    return this.#frozen.get(constant)
  }

  #follow(name: string): Source | undefined {
    const constant = this.#graph.constants.get(name)
    if (constant !== undefined) return isFloat(constant.dtype) ? { constant: name, shape: constant.shape } : undefined
    const maker = this.#makers.get(name)
    const value = this.#typed.known.get(name)
    if (maker === undefined || value === undefined || !MOVES.has(maker.op)) return undefined
    const [first, ...rest] = maker.inputs
    const before = first === null || first === undefined ? undefined : this.resolve(first)
    if (before === undefined) return undefined
    const seen = { constant: before.constant, shape: value.shape }
    if (VIEWS.has(maker.op)) return before.places === undefined ? seen : { ...seen, places: before.places }
    const places = moved(
      maker,
      before,
      rest.map((input) => (input === null ? null : (this.#typed.known.get(input) ?? null))),
    )
    return places === undefined ? undefined : { ...seen, places }
  }
}

/** The places of a moved constant's elements: the node's own reference, run on their numbers. */
function moved(node: GraphNode, { shape, places }: Source, rest: readonly (HostTensor | null)[]): Int32Array | undefined {
  const definition = REGISTRY.get(node.op)
  if (definition === undefined) return undefined
  const numbers = new HostTensor('i32', shape, places ?? Int32Array.from({ length: sizeOf(shape) }, (_, i) => i))
  const attributes = parseAttributes(definition, node.attributes, node.name)
  const values = definition.reference([numbers, ...rest], attributes)[0]?.tensor.values
  return values instanceof Int32Array ? values : undefined
}

/** The operand's values in the order in which it sees them, f32. */
export function operandValues(constants: ReadonlyMap<string, HostTensor>, { constant, places }: Source): Float32Array {
  const tensor = constants.get(constant)
  if (tensor === undefined) return new Float32Array(0)
  const values = floatsOf(tensor)
  return places === undefined ? values : Float32Array.from(places, (at) => values[at] ?? NaN)
}
