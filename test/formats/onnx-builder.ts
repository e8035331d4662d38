/** Small ONNX files made in the test, by the same message types that readers use. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AttributeProto_AttributeType as Type,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataType as DataType,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf'
import { expect } from 'vitest'
import { toTensorProto } from '../../src/formats/tensor-proto.ts'
import { tensor, type HostTensor, type TensorData } from '../../src/tensor/tensor.ts'
import type { DType } from '../../src/tensor/dtype.ts'

export type Attribute =
  | number
  | string
  | readonly number[]
  | TensorProto
  | GraphProto
  | bigint
  | readonly bigint[]
  | { float: number }

function attributeProto(name: string, value: Attribute): AttributeProto {
  const make = (init: MessageInitShape<typeof AttributeProtoSchema>): AttributeProto =>
    create(AttributeProtoSchema, { name, ...init })
  if (typeof value === 'string') return make({ type: Type.STRING, s: new TextEncoder().encode(value) })
  if (typeof value === 'bigint') return make({ type: Type.INT, i: value })
  if (typeof value === 'number') return make({ type: Type.INT, i: BigInt(value) })
  if (Array.isArray(value)) return make({ type: Type.INTS, ints: value.map(BigInt) })
  if ('float' in value) return make({ type: Type.FLOAT, f: value.float })
  const message = value as TensorProto | GraphProto
  if (message.$typeName === 'onnx.TensorProto') return make({ type: Type.TENSOR, t: message })
  return make({ type: Type.GRAPH, g: message })
}

/** An attribute of several floats: { floats } is not a number list to `node`, whose lists are integers. */
export function floats(name: string, values: readonly number[]): AttributeProto {
  return create(AttributeProtoSchema, { name, type: Type.FLOATS, floats: [...values] })
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  more: { name?: string; domain?: string; raw?: AttributeProto[] } = {},
): NodeProto {
  const { raw = [], ...names } = more
  const attribute = [...Object.entries(attributes).map(([name, value]) => attributeProto(name, value)), ...raw]
  return create(NodeProtoSchema, { opType, input: [...input], output: [...output], attribute, ...names })
}

/** `shape` undefined: none in the file. Strings are symbolic dimensions, null an unknown one. */
export function valueInfo(
  name: string,
  shape?: readonly (number | string | null)[],
  elemType: number = DataType.FLOAT,
): ValueInfoProto {
  const dim = shape?.map((extent) => {
    if (typeof extent === 'number') return { value: { case: 'dimValue' as const, value: BigInt(extent) } }
    return extent === null ? {} : { value: { case: 'dimParam' as const, value: extent } }
  })
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType, ...(dim === undefined ? {} : { shape: { dim } }) } } },
  })
}

export function initializer(name: string, data: TensorData, shape?: readonly number[], dtype?: DType): TensorProto {
  return toTensorProto(tensor(data, shape, dtype), name)
}

export interface ModelParts {
  readonly nodes?: readonly NodeProto[]
  readonly inputs?: readonly ValueInfoProto[]
  readonly outputs?: readonly (string | ValueInfoProto)[]
  readonly initializers?: readonly TensorProto[]
  readonly valueInfo?: readonly ValueInfoProto[]
  readonly opset?: number
  readonly irVersion?: number
  readonly model?: MessageInitShape<typeof ModelProtoSchema>
}

export function modelProto(parts: ModelParts): ModelProto {
  const {
    nodes = [],
    inputs = [valueInfo('x', [1, 3, 8, 8])],
    outputs = ['y'],
    initializers = [],
    opset = 13,
    irVersion = 8,
  } = parts
  const output = outputs.map((each) => (typeof each === 'string' ? create(ValueInfoProtoSchema, { name: each }) : each))
  return create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    producerName: 'test',
    producerVersion: '1.0',
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    graph: create(GraphProtoSchema, {
      name: 'net',
      node: [...nodes],
      input: [...inputs],
      output,
      initializer: [...initializers],
      valueInfo: [...(parts.valueInfo ?? [])],
    }),
    ...parts.model,
  })
}

export function modelBytes(parts: ModelParts): Uint8Array {
  return toBinary(ModelProtoSchema, modelProto(parts))
}

/** The values of a tensor as a list; empty where there is no tensor. */
export function listOf(values: HostTensor | undefined): (number | bigint)[] {
  return Array.from<number | bigint>(values?.values ?? [])
}

/** Any string that matches, inside a larger expectation. */
export function matching(pattern: RegExp): string {
  return expect.stringMatching(pattern) as string
}
