/**
 * What a rule of the export sees while it turns one node of ours into ONNX nodes: `Conversion` (convert.ts) the other way round.
 * Values that ONNX needs and the graph lacks are named after the node.
 */
import { create } from '@bufbuild/protobuf'
import {
  AttributeProto_AttributeType as Type,
  AttributeProtoSchema,
  NodeProtoSchema,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf'
import type { GraphNode } from '../../graph/graph.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { Refusal } from './attributes.ts'
import { unique } from './convert.ts'

/** ONNX node attributes by ONNX name. Numbers are floats where marked so, else integers. */
export type OnnxAttribute =
  | { readonly int: number | bigint }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly floats: readonly number[] }
  | { readonly tensor: TensorProto }
export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>

/** The ONNX model under construction. */
export class OnnxSketch {
  readonly nodes: NodeProto[] = []
  /** Constants that the graph does not have. */
  readonly constants = new Map<string, HostTensor>()
  readonly domains = new Set<string>()
  readonly #values: Set<string>
  readonly #nodeNames: Set<string>
  /** Version of ONNX's own operator set that the ops so far need. */
  opset: number

  /** @param opset the least version */
  constructor(values: Iterable<string>, nodeNames: Iterable<string>, opset: number) {
    this.#values = new Set(values)
    this.#nodeNames = new Set(nodeNames)
    this.opset = opset
  }

  freshValue(base: string): string {
    return unique(base, this.#values)
  }

  freshNode(base: string): string {
    return unique(base, this.#nodeNames)
  }
}

export class Emission {
  readonly node: GraphNode
  /** Those that the node gives, parsed by its op and under the op's own names; what is left out has ONNX's default too. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly #sketch: OnnxSketch
  readonly #types: ReadonlyMap<string, TensorType>
  #emitted = 0

  /** @param types of values, as far as they are known; with symbolic dimensions their ranks and dtypes alone count */
  constructor(
    node: GraphNode,
    attributes: Readonly<Record<string, unknown>>,
    sketch: OnnxSketch,
    types: ReadonlyMap<string, TensorType>,
  ) {
    this.node = node
    this.attributes = attributes
    this.#sketch = sketch
    this.#types = types
  }

  /** The same node under other attributes. */
  with(attributes: Readonly<Record<string, unknown>>): Emission {
    return new Emission(this.node, attributes, this.#sketch, this.#types)
  }

  /** The name of an input, '' where it is absent. */
  input(index: number): string {
    return this.node.inputs[index] ?? ''
  }

  /** All inputs, '' where one is absent. */
  get inputs(): string[] {
    return this.node.inputs.map((name) => name ?? '')
  }

  get output(): string {
    return this.node.outputs[0] ?? this.refuse('it has no output')
  }

  /** dtype and shape of a value. @throws Refusal where symbolic dimensions hide them */
  type(name: string): TensorType {
    return this.#types.get(name) ?? this.refuse(`the type of ${name} is not known before its symbolic dimensions are`)
  }

  /** An attribute that is a number, or absent. */
  number(name: string): number | undefined {
    const value = this.attributes[name]
    return typeof value === 'number' ? value : undefined
  }

  /** A new value of this node's. */
  value(suffix: string): string {
    return this.#sketch.freshValue(`${this.node.name}.${suffix}`)
  }

  constant(suffix: string, tensor: HostTensor): string {
    const name = this.value(suffix)
    this.#sketch.constants.set(name, tensor)
    return name
  }

  /** The model needs at least this version of ONNX's own ops. */
  needs(opset: number): void {
    this.#sketch.opset = Math.max(this.#sketch.opset, opset)
  }

  emit(opType: string, inputs: readonly string[], outputs: readonly string[], attributes: OnnxAttributes = {}, domain = ''): void {
    const { name } = this.node
    const last = inputs.findLastIndex((input) => input !== '')
    if (domain !== '') this.#sketch.domains.add(domain)
    this.#sketch.nodes.push(
      create(NodeProtoSchema, {
        name: this.#emitted++ === 0 ? name : this.#sketch.freshNode(`${name}.${opType}`),
        opType,
        domain,
        input: inputs.slice(0, last + 1),
        output: [...outputs],
        attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      }),
    )
  }

  /** As `emit`, of one output that it names and returns. */
  step(opType: string, inputs: readonly string[], attributes: OnnxAttributes = {}, domain = ''): string {
    const output = this.value(opType)
    this.emit(opType, inputs, [output], attributes, domain)
    return output
  }

  /** Ends the export of this node: it is listed with `reason`. */
  refuse(reason: string): never {
    throw new Refusal(reason)
  }
}

function attributeProto(name: string, value: OnnxAttribute): AttributeProto {
  if ('int' in value) return create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(value.int) })
  if ('float' in value) return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: value.float })
  if ('string' in value) return create(AttributeProtoSchema, { name, type: Type.STRING, s: new TextEncoder().encode(value.string) })
  if ('ints' in value) return create(AttributeProtoSchema, { name, type: Type.INTS, ints: value.ints.map((item) => BigInt(item)) })
  if ('floats' in value) return create(AttributeProtoSchema, { name, type: Type.FLOATS, floats: [...value.floats] })
  return create(AttributeProtoSchema, { name, type: Type.TENSOR, t: value.tensor })
}
