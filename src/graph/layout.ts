/**
 * Layouts over a whole graph: every feature map gets the layout in which all that touch it together cost least, and a relayout is put
 * where two layouts meet. Think of the graph as a map of countries in three colours: a node is cheap in some of them, and each border
 * between two colours costs the bytes that cross it.
 *
 *     input [nchw] ─▶ conv (nchw → nhwc) ─▶ pool (nhwc) ─▶ … ─▶ conv (nhwc) ─▶ global pool (nhwc) ─▶ flatten     no transpose at all:
 *
 * convolutions read one layout and write another, and where there is one position, or one channel, no element moves.
 *
 * The choice is by coordinate descent from every graph of one colour: a node at a time takes the form that is cheapest beside its neighbours,
 * until none changes; the best of the ends is taken. Pure: no GPU.
 */
import { TilewrightError } from '../errors.ts'
import { LAYOUTS, type Layout } from '../ops/layout.ts'
import { relayout } from '../ops/relayout/op.ts'
import { parseAttributes } from '../ops/run.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'
import type { GraphNode } from './graph.ts'
import { nodeSeconds, relayoutBytes, relayoutSeconds, type LayoutDevice } from './layout-cost.ts'
import { formsOf, isMap, isSensitive, type Form } from './layout-forms.ts'
import type { TypedGraph, TypedNode } from './passes.ts'

/** Chosen over the graph, or one for all that can compute in it. */
export const LAYOUT_CHOICES = ['auto', ...LAYOUTS] as const
export type LayoutChoice = (typeof LAYOUT_CHOICES)[number]

/** What was decided of a node that touches feature maps, and why. */
export interface LayoutDecision {
  readonly node: string
  readonly op: string
  readonly input: Layout
  readonly output: Layout
  readonly reason: string
}

/** A transpose that remains. */
export interface Border {
  /** Of the node that moves the value. */
  readonly node: string
  readonly value: string
  readonly from: Layout
  readonly to: Layout
  /** Read and written; 0 where no element moves. */
  readonly bytes: number
  readonly seconds: number
}

export interface LaidOut {
  readonly graph: TypedGraph
  readonly decisions: readonly LayoutDecision[]
  readonly borders: readonly Border[]
  /** Of values that lie in another layout than nchw. */
  readonly layouts: ReadonlyMap<string, Layout>
}

export interface LayoutOptions {
  readonly layout: LayoutChoice
  readonly device: LayoutDevice
  /** Whether the device can run a node; forms that it cannot are not taken. */
  accepts(node: TypedNode): boolean
}

/** The graph with its feature maps laid out. Names, shapes and layouts of inputs and outputs stay. */
export function layoutGraph(typed: TypedGraph, options: LayoutOptions): LaidOut {
  const none: LaidOut = { graph: typed, decisions: [], borders: [], layouts: new Map() }
  // nchw is how graphs come.
  if (options.layout === 'nchw' || !typed.nodes.some(isSensitive)) return none
  const choice = new Choice(typed, options)
  for (;;) {
    choice.settle()
    const laid = new Rewriting(typed, choice, options).result()
    // A form that the device refuses is struck off, and the choice made again without it.
    if (!('refused' in laid)) return laid
    choice.strike(laid.refused)
  }
}

/** A reader of a value: a node's input, or (node −1) the graph's caller. */
interface Reader {
  readonly node: number
  readonly input: number
}

/** A forced layout that a node could have and has not costs so much: more than any graph takes. */
const FORCED = 1e3

class Choice {
  readonly #typed: TypedGraph
  readonly #options: LayoutOptions
  readonly #forms: Form[][]
  /** Index of the form of each node. */
  #chosen: number[]
  readonly #makers = new Map<string, number>()
  readonly #readers = new Map<string, Reader[]>()
  /** Costs of each form by itself. */
  readonly #costs: number[][]

  constructor(typed: TypedGraph, options: LayoutOptions) {
    this.#typed = typed
    this.#options = options
    this.#forms = typed.nodes.map((item) => {
      const known = (index: number): HostTensor | undefined => typed.known.get(item.node.inputs[index] ?? '')
      return formsOf({ item, known })
    })
    for (const [index, { node }] of typed.nodes.entries()) {
      for (const name of node.outputs) this.#makers.set(name, index)
      for (const [input, name] of node.inputs.entries()) if (name !== null) this.#read(name, { node: index, input })
    }
    for (const name of typed.outputs) this.#read(name, { node: -1, input: 0 })
    this.#costs = typed.nodes.map((item, index) => (this.#forms[index] ?? []).map((form) => this.#own(item, form)))
    this.#chosen = typed.nodes.map(() => 0)
  }

  #read(name: string, reader: Reader): void {
    const readers = this.#readers.get(name)
    if (readers === undefined) this.#readers.set(name, [reader])
    else readers.push(reader)
  }

  /** Of a node by itself, with what a forced layout makes of it. */
  #own(item: TypedNode, form: Form): number {
    const seconds = nodeSeconds(item, form, this.#options.device)
    const wanted = this.#options.layout
    if (wanted === 'auto') return seconds
    const [output = ''] = item.node.outputs
    const isBorder = (name: string | null | undefined): boolean =>
      this.#typed.inputs.some((input) => input.name === name) || this.#typed.outputs.includes(name ?? '')
    const strange = [...form.inputs].filter(([index, layout]) => layout !== wanted && !isBorder(item.node.inputs[index])).length
    const isPlain = form.inputs.size === 0 && isMap(item.context.inputs[0])
    const writes = form.output !== wanted && isMap(item.context.outputs[0]) && !isBorder(output) ? 1 : 0
    return seconds + FORCED * (strange + writes + (isPlain ? 1 : 0))
  }

  formOf(node: number): Form | undefined {
    return this.#forms[node]?.[this.#chosen[node] ?? 0]
  }

  forms(node: number): readonly Form[] {
    return this.#forms[node] ?? []
  }

  secondsOf(node: number, form: Form): number {
    return this.#costs[node]?.[this.#forms[node]?.indexOf(form) ?? -1] ?? 0
  }

  strike(node: number): void {
    const at = this.#chosen[node] ?? 0
    // The form that the node came in is never struck: the graph was planned in it before.
    if (at === 0) throw new TilewrightError('A node was refused in the layout that it came in')
    this.#forms[node]?.splice(at, 1)
    this.#costs[node]?.splice(at, 1)
  }

  /** In which layout a value is made. */
  madeIn(name: string): Layout {
    const maker = this.#makers.get(name)
    return maker === undefined || this.#typed.nodes[maker]?.node.outputs[0] !== name
      ? 'nchw'
      : (this.formOf(maker)?.output ?? 'nchw')
  }

  /** In which layouts a value is read. */
  #wanted(name: string): Set<Layout> {
    const layouts = (this.#readers.get(name) ?? []).map(({ node, input }): Layout => {
      return node < 0 ? 'nchw' : (this.formOf(node)?.inputs.get(input) ?? 'nchw')
    })
    return new Set(layouts)
  }

  /** Of the borders of a value. */
  #borders(name: string): number {
    const type = this.#typed.types.get(name)
    if (!isMap(type) || this.#typed.known.has(name)) return 0
    const from = this.madeIn(name)
    let seconds = 0
    for (const to of this.#wanted(name)) seconds += relayoutSeconds(type, from, to, this.#options.device)
    return seconds
  }

  /** Values around a node. */
  #around({ node }: TypedNode): Set<string> {
    return new Set([...node.inputs.filter((name) => name !== null), ...node.outputs])
  }

  /** Chooses a form for every node. */
  settle(): void {
    let best: { seconds: number; chosen: number[] } | undefined
    for (const start of LAYOUTS) {
      this.#chosen = this.#forms.map((forms) => {
        const own = forms.findIndex((form) => form.output === start && form.inputs.get(0) === start)
        return Math.max(0, own)
      })
      for (let sweep = 0; sweep < 20 && this.#sweep(sweep % 2 === 1); sweep++);
      const seconds = this.#total()
      if (best === undefined || seconds < best.seconds * (1 - 1e-9)) best = { seconds, chosen: this.#chosen }
    }
    this.#chosen = best?.chosen ?? this.#chosen
  }

  /** Gives each node the form that is cheapest beside its neighbours. False: none changed. */
  #sweep(backwards: boolean): boolean {
    let changed = false
    const order = this.#forms.map((_, index) => index)
    for (const index of backwards ? order.toReversed() : order) {
      const forms = this.#forms[index] ?? []
      const item = this.#typed.nodes[index]
      if (forms.length < 2 || item === undefined) continue
      const names = this.#around(item)
      const before = this.#chosen[index] ?? 0
      const costs = forms.map((_, form) => {
        this.#chosen[index] = form
        return [...names].reduce((sum, name) => sum + this.#borders(name), this.#costs[index]?.[form] ?? 0)
      })
      let least = before
      for (const [form, cost] of costs.entries()) if (cost < (costs[least] ?? Infinity) * (1 - 1e-9)) least = form
      this.#chosen[index] = least
      changed ||= least !== before
    }
    return changed
  }

  #total(): number {
    const nodes = this.#forms.reduce((sum, _, index) => sum + (this.#costs[index]?.[this.#chosen[index] ?? 0] ?? 0), 0)
    return [...this.#readers.keys()].reduce((sum, name) => sum + this.#borders(name), nodes)
  }
}

class Rewriting {
  readonly #typed: TypedGraph
  readonly #choice: Choice
  readonly #options: LayoutOptions
  readonly #types: Map<string, TensorType>
  readonly #known: Map<string, HostTensor>
  readonly #nodes: TypedNode[] = []
  readonly #borders: Border[] = []
  readonly #decisions: LayoutDecision[] = []
  readonly #layouts = new Map<string, Layout>()
  /** Names of values in layouts, by `value layout`. */
  readonly #names = new Map<string, string>()

  constructor(typed: TypedGraph, choice: Choice, options: LayoutOptions) {
    this.#typed = typed
    this.#choice = choice
    this.#options = options
    this.#types = new Map(typed.types)
    this.#known = new Map(typed.known)
  }

  /** The graph, or the first node whose form the device refuses. */
  result(): LaidOut | { readonly refused: number } {
    const outputs = new Set(this.#typed.outputs)
    for (const [index, item] of this.#typed.nodes.entries()) {
      const form = this.#choice.formOf(index)
      if (form === undefined) continue
      const made = this.#checked(item, form)
      if (made === undefined || (made !== item && !this.#options.accepts(made))) return { refused: index }
      this.#nodes.push(made)
      this.#decide(index, item, form)
      // Outputs of the graph lie in nchw under their own names.
      const [name = ''] = item.node.outputs
      if (outputs.has(name) && form.output !== 'nchw') this.#valueIn(name, 'nchw')
    }
    const graph = { ...this.#typed, nodes: this.#nodes, types: this.#types, known: this.#known }
    return { graph, decisions: this.#decisions, borders: this.#borders, layouts: this.#layouts }
  }

  /** A name that no value has. */
  #free(wanted: string): string {
    let name = wanted
    while (this.#types.has(name)) name += "'"
    return name
  }

  /** The name of a value in a layout; where it is not there yet, it is made by a relayout in front of the next node. */
  #valueIn(name: string, to: Layout): string {
    const from = this.#choice.madeIn(name)
    const key = `${name} ${to}`
    const known = this.#names.get(key) ?? (from === to && to === 'nchw' ? name : undefined)
    if (known !== undefined) return known
    const type = this.#typed.types.get(name)
    if (type === undefined) throw new TilewrightError(`Value ${name} has no type`)
    const source = this.#names.get(`${name} ${from}`) ?? name
    const own = to === 'nchw' ? name : this.#free(`${name} in ${to}`)
    const node: GraphNode = {
      name: `${name}: ${from} to ${to}`,
      op: relayout.name,
      inputs: [source],
      outputs: [own],
      attributes: { from, to, channels: type.shape[1] ?? 0 },
    }
    const inputs = [this.#types.get(source) ?? type]
    const context = { inputs, values: [null], attributes: parseAttributes(relayout, node.attributes, node.name) }
    const output = relayout.infer(context)
    this.#nodes.push({ node, definition: relayout, context: { ...context, outputs: output } })
    this.#types.set(own, output[0] ?? type)
    if (to !== 'nchw') this.#layouts.set(own, to)
    this.#names.set(key, own)
    this.#borders.push({
      ...{ node: node.name, value: name, from, to },
      bytes: relayoutBytes(type, from, to),
      seconds: relayoutSeconds(type, from, to, this.#options.device),
    })
    return own
  }

  /** A node in its form; undefined where its own rule refuses it. */
  #checked(item: TypedNode, form: Form): TypedNode | undefined {
    try {
      return this.#rewritten(item, form)
    } catch (error) {
      if (error instanceof TilewrightError) return undefined
      throw error
    }
  }

  #rewritten(item: TypedNode, form: Form): TypedNode {
    const { node, definition } = item
    const inputs = node.inputs.map((name, index) => {
      const constant = form.constants.get(index)
      if (constant === null) return null
      if (constant !== undefined && name !== null) return this.#constant(name, constant)
      const wanted = form.inputs.get(index) ?? 'nchw'
      const isValue = name !== null && isMap(this.#typed.types.get(name)) && !this.#typed.known.has(name)
      return isValue ? this.#valueIn(name, wanted) : name
    })
    for (const [index, constant] of form.constants) {
      if (constant === null || (node.inputs[index] ?? null) !== null) continue
      while (inputs.length <= index) inputs.push(null)
      inputs[index] = this.#constant(`${node.name}.${index}`, constant)
    }
    if (form.inputs.size === 0 && inputs.every((name, index) => name === node.inputs[index])) return item
    const types = inputs.map((name) => (name === null ? null : (this.#types.get(name) ?? null)))
    const values = inputs.map((name, index) =>
      name === null || !definition.hostInputs.includes(index) ? null : (this.#known.get(name) ?? null),
    )
    const context = { inputs: types, values, attributes: parseAttributes(definition, form.attributes, node.name) }
    const made = definition.infer(context)
    const [first = ''] = node.outputs
    const own = form.output === 'nchw' || !isMap(item.context.outputs[0]) ? first : this.#free(`${first} in ${form.output}`)
    const [type] = made
    if (own !== first && type !== undefined) {
      this.#types.set(own, type)
      this.#layouts.set(own, form.output)
    }
    this.#names.set(`${first} ${form.output}`, own)
    const laid: GraphNode = { ...node, inputs, outputs: [own, ...node.outputs.slice(1)], attributes: form.attributes }
    return { ...item, node: laid, context: { ...context, outputs: made } }
  }

  /** A constant in another shape, under a name of its own. */
  #constant(name: string, value: HostTensor): string {
    if (this.#known.get(name) === value) return name
    const key = `${name} as [${value.shape.join(', ')}]`
    const known = this.#known.get(key)
    if (known === value) return key
    const own = this.#free(key)
    this.#known.set(own, value)
    this.#types.set(own, { dtype: value.dtype, shape: value.shape })
    return own
  }

  #decide(index: number, item: TypedNode, form: Form): void {
    const { node, context } = item
    if (!isMap(context.inputs[0]) && !isMap(context.outputs[0])) return
    const input = form.inputs.get(0) ?? 'nchw'
    this.#decisions.push({ node: node.name, op: node.op, input, output: form.output, reason: this.#reason(index, item, form) })
  }

  #reason(index: number, item: TypedNode, form: Form): string {
    const { layout } = this.#options
    const forms = this.#choice.forms(index)
    if (forms.length < 2) return `${item.node.op} computes in nchw alone`
    const input = form.inputs.get(0) ?? 'nchw'
    if (layout !== 'auto' && form.output === layout && input === layout) return 'forced'
    if (!isSensitive(item))
      return input === form.output ? 'costs the same in any: as its neighbours' : 'its permutation takes it up'
    const [name = ''] = item.node.inputs
    if (input !== form.output) {
      const isInput = this.#typed.inputs.some((given) => given.name === name)
      return isInput
        ? `takes the graph's input in ${input} and writes ${form.output}`
        : `reads ${input}, writes ${form.output}: no transpose`
    }
    const own = this.#choice.secondsOf(index, form)
    const others = forms.filter(
      (other) => (other.inputs.get(0) ?? 'nchw') !== input && (other.inputs.get(0) ?? 'nchw') === other.output,
    )
    const ranked = others.map((other) => ({ layout: other.output, seconds: this.#choice.secondsOf(index, other) }))
    const [next] = ranked.toSorted((one, other) => one.seconds - other.seconds)
    if (next === undefined) return `${input} alone`
    if (micro(own) === micro(next.seconds)) return `a tie: ${micro(own)} in ${input} as in ${next.layout}`
    const beside = `${micro(own)} in ${input}, ${micro(next.seconds)} in ${next.layout}`
    return own <= next.seconds ? beside : `${beside}: cheaper with its neighbours`
  }
}

function micro(seconds: number): string {
  return `${(seconds * 1e6).toPrecision(3)} µs`
}
