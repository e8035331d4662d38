/**
 * The channels of a network's values, followed from node to node: what a rule (channel-rules.ts) sees of a graph while it says which
 * channels go with which. Whatever no rule understands stays where it is.
 */
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { ChannelSpaces, type Role, type SeatGroup } from './channel-spaces.ts'
import type { ConstantSources } from './constant-source.ts'
import type { Graph } from './graph.ts'
import type { TypedGraph } from './passes.ts'

/** How the channels of a value lie: `count` of them along `axis`, each `block` neighbouring positions; seats from `first` on. */
export interface Laid {
  readonly first: number
  readonly axis: number
  readonly count: number
  readonly block: number
}

export class ChannelTrace {
  readonly spaces = new ChannelSpaces()
  readonly sources: ConstantSources
  readonly #typed: TypedGraph
  readonly #laid = new Map<string, Laid>()
  readonly #roles = new Map<string, Laid & { readonly operand: string }>()
  /** By constant: the operand through which it is permuted. */
  readonly #views = new Map<string, string>()
  /** Constant operands of the node at hand that are permuted with its channels. */
  readonly #followed = new Set<string>()

  constructor(typed: TypedGraph, sources: ConstantSources) {
    this.#typed = typed
    this.sources = sources
  }

  /**
   * Runs the rule of a node, and keeps in place what it made no use of among the node's constants: they may be permuted for another
   * node's sake only where this one's channels go along.
   */
  visit(inputs: readonly (string | null)[], rule: () => void): void {
    this.#followed.clear()
    rule()
    for (const name of inputs) if (name !== null && !this.#followed.has(name)) this.sources.hold(name)
  }

  shape(name: string): Shape {
    return this.#typed.types.get(name)?.shape ?? []
  }

  isKnown(name: string): boolean {
    return this.#typed.known.has(name)
  }

  /** How the channels of a computed value lie; undefined where they stay in place. */
  laid(name: string | null | undefined): Laid | undefined {
    return name === null || name === undefined ? undefined : this.#laid.get(name)
  }

  /** New channels for a value. */
  lay(name: string, axis: number, count: number, block = 1): Laid {
    const laid = { first: this.spaces.axis(count, name), axis, count, block }
    this.#laid.set(name, laid)
    return laid
  }

  /** Channels of a value that are those of another, in the same order. */
  layAs(name: string, other: Laid, axis = other.axis, block = other.block): Laid {
    const laid = this.lay(name, axis, other.count, block)
    this.spaces.joinAll(other.first, laid.first, other.count)
    return laid
  }

  /** Channels that lie along an axis of a constant operand; undefined where that cannot be permuted. */
  role(role: Role): Laid | undefined {
    const { operand, axis, block, rows } = role
    this.#followed.add(operand)
    const source = this.sources.resolve(operand)
    const extent = source?.shape[axis] ?? 0
    if (source === undefined || extent % block !== 0) return undefined
    const view = this.#views.get(source.constant)
    if (view === undefined) this.#views.set(source.constant, operand)
    else if (view !== operand) this.sources.freeze(operand, `layers read it both as ${view} and as ${operand}`)
    const key = JSON.stringify([operand, axis, rows ?? null])
    const known = this.#roles.get(key)
    if (known !== undefined) {
      if (known.block === block) return known
      this.fix(known)
      return undefined
    }
    const count = extent / block
    const made = { operand, first: this.spaces.axis(count, `${operand} axis ${axis}`, role), axis, count, block }
    this.#roles.set(key, made)
    return made
  }

  /** The two go together; where one is missing or they differ in form, what there is stays in place. */
  join(a: Laid | undefined, b: Laid | undefined): void {
    if (a !== undefined && b !== undefined && a.count === b.count && a.block === b.block) {
      this.spaces.joinAll(a.first, b.first, a.count)
      return
    }
    this.fix(a)
    this.fix(b)
  }

  fix(laid: Laid | undefined): void {
    if (laid !== undefined) this.spaces.fix(laid.first, laid.count)
  }

  /**
   * The result of an elementwise op with broadcasting, whose operands are aligned at their last axes: the channels of all operands that
   * have more than one go together.
   */
  broadcast(output: string, operands: readonly string[]): void {
    const rank = this.shape(output).length
    const leading = operands.find((name) => {
      const laid = this.laid(name)
      return laid !== undefined && laid.count * laid.block > 1
    })
    const found = this.laid(leading)
    if (leading === undefined || found === undefined) {
      for (const name of operands) this.fix(this.laid(name))
      return
    }
    const axis = found.axis + rank - this.shape(leading).length
    const out = this.lay(output, axis, found.count, found.block)
    for (const name of operands) this.align(out, name, axis - rank + this.shape(name).length)
  }

  /**
   * An operand that broadcasts to channels `out`.
   * @param axis of the operand that lies along them; negative where it has none
   */
  align(out: Laid, name: string, axis: number): void {
    const laid = this.laid(name)
    const extent = axis < 0 ? 1 : (this.shape(name)[axis] ?? 1)
    if (laid !== undefined && laid.axis !== axis) this.fix(laid)
    if (extent === 1) return
    if (laid !== undefined) this.join(out, laid.axis === axis ? laid : undefined)
    else this.join(out, this.isKnown(name) ? this.role({ operand: name, axis, block: out.block }) : undefined)
  }

  /** The groups, once all nodes are seen. */
  finish(graph: Graph): SeatGroup[] {
    for (const name of graph.outputs) this.fix(this.laid(name))
    for (const role of this.#roles.values()) {
      const source = this.sources.resolve(role.operand)
      if (source === undefined || this.sources.isHeld(source.constant)) this.fix(role)
    }
    return this.spaces.groups()
  }
}

/** The axis of `to` along which the channels of a value lie after a reshape, and their block there; undefined where they are split. */
export function viewedAxis(laid: Laid, from: Shape, to: Shape): { axis: number; block: number } | undefined {
  const before = sizeOf(from.slice(0, laid.axis))
  let outer = 1
  for (const [axis, extent] of to.entries()) {
    if (outer === before && extent % laid.count === 0 && extent > 0) return { axis, block: extent / laid.count }
    outer *= extent
  }
  return undefined
}
