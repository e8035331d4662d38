/**
 * Attributes of a node, read by the kinds an op declares. What an op does not declare, and what Tilewright cannot take, is
 * refused with a reason; what contradicts itself is a broken file.
 */
import { AttributeProto_AttributeType as Type, type AttributeProto, type NodeProto } from 'onnx-buf'
import { ModelFormatError } from '../../errors.ts'

/** Thrown while a node is converted: the node goes to the list of unsupported ones with this reason. */
export class Refusal extends Error {}

export type AttributeKind = 'int' | 'bool' | 'float' | 'string' | 'ints' | 'floats' | 'tensor'
export type AttributeValue = number | boolean | string | readonly number[] | readonly bigint[]

/** Attributes of convolutions of all kinds. */
export const CONV_ATTRIBUTES: Readonly<Record<string, AttributeKind>> = {
  auto_pad: 'string',
  dilations: 'ints',
  group: 'int',
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
}

const KINDS: Readonly<Record<AttributeKind, Type>> = {
  int: Type.INT,
  bool: Type.INT,
  float: Type.FLOAT,
  string: Type.STRING,
  ints: Type.INTS,
  floats: Type.FLOATS,
  tensor: Type.TENSOR,
}

/** The attributes of one node, by ONNX name. */
export class Attributes {
  readonly #node: NodeProto
  readonly #name: string
  readonly #byName = new Map<string, AttributeProto>()

  constructor(node: NodeProto, name: string) {
    this.#node = node
    this.#name = name
    for (const attribute of node.attribute) {
      if (this.#byName.has(attribute.name)) throw this.#broken(`Attribute ${attribute.name} is given twice`)
      this.#byName.set(attribute.name, attribute)
    }
  }

  get names(): string[] {
    return [...this.#byName.keys()]
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** The names of attributes that hold a graph: the bodies of If, Loop and Scan. */
  subgraphs(): string[] {
    const isGraph = ({ type, g, graphs }: AttributeProto): boolean =>
      type === Type.GRAPH || type === Type.GRAPHS || g !== undefined || graphs.length > 0
    return this.#node.attribute.filter(isGraph).map((attribute) => attribute.name)
  }

  int(name: string): number | undefined {
    const attribute = this.#get(name, 'int')
    return attribute === undefined ? undefined : this.#number(attribute.i, name)
  }

  float(name: string): number | undefined {
    return this.#get(name, 'float')?.f
  }

  string(name: string): string | undefined {
    const attribute = this.#get(name, 'string')
    return attribute === undefined ? undefined : new TextDecoder().decode(attribute.s)
  }

  ints(name: string): number[] | undefined {
    return this.#get(name, 'ints')?.ints.map((value) => this.#number(value, name))
  }

  /** Integers as they are: the ends of a slice reach 2^63 − 1. */
  bigints(name: string): readonly bigint[] | undefined {
    return this.#get(name, 'ints')?.ints
  }

  floats(name: string): readonly number[] | undefined {
    return this.#get(name, 'floats')?.floats
  }

  /** The attribute itself, for tensors. */
  raw(name: string): AttributeProto | undefined {
    return this.#byName.get(name)
  }

  /** A value by kind, as our ops take it. */
  value(name: string, kind: AttributeKind): AttributeValue | undefined {
    switch (kind) {
      case 'int':
        return this.int(name)
      case 'bool': {
        const value = this.int(name)
        return value === undefined ? undefined : value !== 0
      }
      case 'float':
        return this.float(name)
      case 'string':
        return this.string(name)
      case 'ints':
        return this.ints(name)
      case 'floats':
        return this.floats(name)
      case 'tensor':
        throw new Refusal(`attribute ${name} holds a tensor`)
    }
  }

  #get(name: string, kind: AttributeKind): AttributeProto | undefined {
    const attribute = this.#byName.get(name)
    if (attribute === undefined) return undefined
    if (attribute.refAttrName !== '') throw this.#broken(`Attribute ${name} refers to a function's attribute outside a function`)
    // Models of IR version 1 and 2 may leave the type out.
    if (attribute.type !== Type.UNDEFINED && attribute.type !== KINDS[kind]) {
      throw this.#broken(
        `Attribute ${name} should be of type ${Type[KINDS[kind]]}, but is ${Type[attribute.type] ?? attribute.type}`,
      )
    }
    return attribute
  }

  #number(value: bigint, name: string): number {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw this.#broken(`Attribute ${name} is ${value}, beyond any sensible size`)
    return number
  }

  #broken(message: string): ModelFormatError {
    return new ModelFormatError(message, { node: this.#name, op: this.#node.opType })
  }
}
