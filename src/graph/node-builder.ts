/**
 * The ground that the graph builder stands on: inputs, constants, outputs and nodes of a graph under construction, their names, and the
 * graph that they make.
 */
import { OptionError } from '../errors.ts'
import type { DType } from '../tensor/dtype.ts'
import { HostTensor } from '../tensor/tensor.ts'
import type { Graph, GraphInput, GraphNode } from './graph.ts'

/** A value of a graph under construction. */
export interface Value {
  readonly name: string
}

/** What may stand where a node takes an operand. */
export type Operand = Value | HostTensor

/** Attributes of the op, besides the node's name (default: the op's, numbered). */
export type Attributes = Readonly<Record<string, unknown>> & { readonly name?: string }

/** Nodes by the names of their ops; builder.ts has a method for each op. */
export class NodeBuilder {
  readonly #name: string
  readonly #inputs: GraphInput[] = []
  readonly #outputs = new Map<string, string>()
  readonly #nodes: GraphNode[] = []
  readonly #constants = new Map<string, HostTensor>()
  readonly #constantNames = new Map<HostTensor, string>()
  readonly #names = new Set<string>()
  readonly #nodeNames = new Set<string>()

  constructor(name: string) {
    this.#name = name
  }

  /** An input that `run` is fed. A string in `shape` is a dimension known when it is fed; equal strings are equal dimensions. */
  input(name: string, dtype: DType, shape: readonly (number | string)[]): Value {
    this.#claim(name)
    this.#inputs.push({ name, dtype, shape })
    return { name }
  }

  /** A constant, such as weights. The same tensor given twice is one constant. */
  constant(values: HostTensor, name?: string): Value {
    const known = this.#constantNames.get(values)
    if (known !== undefined && (name === undefined || name === known)) return { name: known }
    const own = name ?? this.#fresh('constant', this.#names)
    this.#claim(own)
    this.#constants.set(own, values)
    this.#constantNames.set(values, own)
    return { name: own }
  }

  /** Makes `value` an output of the model under `name`. */
  output(name: string, value: Value): void {
    this.#check(value, 'output')
    if (this.#outputs.has(name)) throw new OptionError(`There are two outputs ${name}`)
    this.#outputs.set(name, value.name)
  }

  /** A node of any op; its first output. `inputs` has null where an optional operand is absent. */
  node(op: string, inputs: readonly (Operand | null)[], attributes: Attributes = {}): Value {
    return this.nodes(op, inputs, attributes, 1)[0]!
  }

  /** A node with `count` outputs. */
  nodes(op: string, inputs: readonly (Operand | null)[], { name, ...attributes }: Attributes, count: number): Value[] {
    const own = name ?? this.#fresh(op, this.#nodeNames)
    if (this.#nodeNames.has(own)) throw new OptionError(`There are two nodes ${own}`, { op })
    const names = inputs.map((operand, index) => {
      if (operand === null) return null
      if (operand instanceof HostTensor) return this.#constantNames.get(operand) ?? this.constant(operand, `${own}.${index}`).name
      this.#check(operand, own)
      return operand.name
    })
    while (names.at(-1) === null) names.pop()
    this.#nodeNames.add(own)
    const outputs = Array.from({ length: count }, (_, index) => this.#claim(index === 0 ? own : `${own}:${index}`))
    this.#nodes.push({ name: own, op, inputs: names, outputs, attributes })
    return outputs.map((output) => ({ name: output }))
  }

  /** The graph. The builder can go on; the graph does not change. @throws OptionError when there is no output. */
  finish(): Graph {
    if (this.#outputs.size === 0)
      throw new OptionError('The graph has no output', { remedy: 'Name one with g.output(name, value)' })
    const nodes = [...this.#nodes]
    const renamed = new Map<string, string>()
    for (const [name, value] of this.#outputs) {
      if (name === value) continue
      const producer = nodes.some((node) => node.outputs.includes(value))
      if (this.#names.has(name))
        throw new OptionError(`Output ${name} has the name of another value`, { remedy: 'Give it another name' })
      if (producer && !renamed.has(value) && !this.#outputs.has(value)) renamed.set(value, name)
      else nodes.push({ name: `output ${name}`, op: 'identity', inputs: [value], outputs: [name], attributes: {} })
    }
    const rename = (name: string): string => renamed.get(name) ?? name
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs.keys()],
      nodes: nodes.map((node) => {
        return {
          ...node,
          inputs: node.inputs.map((name) => (name === null ? null : rename(name))),
          outputs: node.outputs.map(rename),
        }
      }),
      constants: new Map(this.#constants),
    }
  }

  #check(value: Value, user: string): void {
    if (!this.#names.has(value.name)) throw new OptionError(`Value ${value.name} is not of this graph`, { node: user })
  }

  #claim(name: string): string {
    if (this.#names.has(name))
      throw new OptionError(`There are two values ${name}`, { remedy: 'Give each input, constant and node its own name' })
    this.#names.add(name)
    return name
  }

  #fresh(stem: string, taken: ReadonlySet<string>): string {
    let number = 1
    while (taken.has(`${stem}_${number}`) || this.#names.has(`${stem}_${number}`)) number++
    return `${stem}_${number}`
  }
}
