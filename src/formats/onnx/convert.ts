/**
 * What a rule of the op table sees while it turns one ONNX node into nodes of ours: the node, what is known of its values
 * (constants, dtypes, ranks), and the graph under construction.
 */
import { ModelFormatError } from '../../errors.ts'
import type { GraphNode } from '../../graph/graph.ts'
import type { DType } from '../../tensor/dtype.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { Attributes, Refusal, type AttributeKind, type AttributeValue } from './attributes.ts'
import type { TensorReader } from './tensors.ts'
import type { NodeProto } from 'onnx-buf'

/** An ONNX node with a unique name, before it is converted. */
export interface OnnxNode {
  readonly name: string
  readonly opType: string
  /** '' = ONNX's own ops. */
  readonly domain: string
  /** '' = absent. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly proto: NodeProto
}

/** What is known of a value before anything is run. */
export interface ValueFacts {
  readonly dtype?: DType | undefined
  readonly rank?: number | undefined
}

/** The graph under construction. */
export class GraphSketch {
  readonly nodes: GraphNode[] = []
  readonly constants = new Map<string, HostTensor>()
  readonly facts = new Map<string, ValueFacts>()
  readonly #values: Set<string>

  /** @param values names that are taken. */
  constructor(values: Iterable<string>) {
    this.#values = new Set(values)
  }

  setConstant(name: string, tensor: HostTensor): void {
    this.constants.set(name, tensor)
    this.facts.set(name, { dtype: tensor.dtype, rank: tensor.shape.length })
  }

  freshValue(base: string): string {
    return unique(base, this.#values)
  }
}

/** `base`, or `base_2`, `base_3`, ... where it is taken; the result is taken from then on. */
export function unique(base: string, taken: Set<string>): string {
  let name = base
  for (let count = 2; taken.has(name); count++) name = `${base}_${count}`
  taken.add(name)
  return name
}

/** One node in conversion. */
export class Conversion {
  readonly node: OnnxNode
  readonly opset: number
  readonly attributes: Attributes
  readonly #sketch: GraphSketch
  readonly #reader: TensorReader
  readonly #used: ReadonlySet<string>
  readonly #emitted: GraphNode[] = []

  /** @param used values that some node or the model's outputs read. */
  constructor(node: OnnxNode, opset: number, sketch: GraphSketch, reader: TensorReader, used: ReadonlySet<string>) {
    this.node = node
    this.opset = opset
    this.attributes = new Attributes(node.proto, node.name)
    this.#sketch = sketch
    this.#reader = reader
    this.#used = used
  }

  /** Input names, null where absent, without trailing nulls. */
  get inputs(): (string | null)[] {
    const inputs = this.node.inputs.map((name) => (name === '' ? null : name))
    while (inputs.length > 0 && inputs.at(-1) === null) inputs.pop()
    return inputs
  }

  /** The name of a required input. @throws ModelFormatError when it is absent. */
  input(index: number): string {
    const name = this.node.inputs[index]
    if (name === undefined || name === '') throw this.broken(`Input ${index} is missing`)
    return name
  }

  /** The name of the first output. */
  get output(): string {
    const name = this.node.outputs[0]
    if (name === undefined || name === '') throw this.broken('The first output has no name')
    return name
  }

  /** The value of an input where it is known, undefined where it is absent or computed. */
  constant(index: number): HostTensor | undefined {
    return this.#sketch.constants.get(this.node.inputs[index] ?? '')
  }

  facts(index: number): ValueFacts {
    return this.#sketch.facts.get(this.node.inputs[index] ?? '') ?? {}
  }

  /** The tensor that an attribute holds. */
  tensor(attribute: string): HostTensor | undefined {
    const proto = this.attributes.raw(attribute)?.t
    return proto === undefined ? undefined : this.#reader.read(proto, this.node.name)
  }

  /** Attributes of the kinds given, under our names; absent ones are left to the op's defaults. */
  read(kinds: Readonly<Record<string, AttributeKind>>): Record<string, AttributeValue> {
    const read: Record<string, AttributeValue> = {}
    for (const [name, kind] of Object.entries(kinds)) {
      const value = this.attributes.value(name, kind)
      if (value !== undefined) read[ownName(name)] = value
    }
    return read
  }

  /** Makes a constant that the file does not have and gives its name. */
  addConstant(suffix: string, tensor: HostTensor): string {
    const name = this.#sketch.freshValue(`${this.node.name}.${suffix}`)
    this.#sketch.setConstant(name, tensor)
    return name
  }

  /** Makes this node's output itself a constant. */
  becomeConstant(tensor: HostTensor): void {
    this.#sketch.setConstant(this.output, tensor)
  }

  /** Adds the node of ours that this one becomes. */
  emit(
    op: string,
    inputs: readonly (string | null)[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, unknown>>,
  ): void {
    this.#emitted.push({ name: this.node.name, op, inputs, outputs, attributes })
  }

  /** The nodes emitted so far. */
  get emitted(): readonly GraphNode[] {
    return this.#emitted
  }

  /** True when anything reads output `index`. */
  isUsed(index: number): boolean {
    const name = this.node.outputs[index]
    return name !== undefined && name !== '' && this.#used.has(name)
  }

  /** Ends the conversion: the node is listed as unsupported for `reason`. */
  refuse(reason: string): never {
    throw new Refusal(reason)
  }

  broken(message: string): ModelFormatError {
    return new ModelFormatError(message, { node: this.node.name, op: this.node.opType })
  }
}

/** Attributes whose name here is not simply ONNX's in camelCase. */
const OWN_NAMES: ReadonlyMap<string, string> = new Map([
  ['kernel_shape', 'kernel'],
  ['strides', 'stride'],
  ['dilations', 'dilation'],
  ['pads', 'padding'],
  ['group', 'groups'],
])

/** Our name for an ONNX attribute: kernel_shape → kernel, count_include_pad → countIncludePad. */
export function ownName(name: string): string {
  return OWN_NAMES.get(name) ?? name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
