/** A case as an ONNX model of one node, made in memory: what ONNX Runtime is given. */
import { create, toBinary } from '@bufbuild/protobuf'
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf'
import { BLOCK, type GemmCase, type GemmDtype } from '../cases/gemm.ts'
import { operandB, packedB } from './operands.ts'

/** Newest versions that ONNX Runtime 1.20 and later take. */
const OPSET = 17n
const IR_VERSION = 8n

const A_TYPE = { f32: DataType.FLOAT, f16: DataType.FLOAT16, int4: DataType.FLOAT, int8: DataType.INT8 } as const
const C_TYPE = { ...A_TYPE, int8: DataType.INT32 } as const

function value(name: string, elemType: DataType, shape: readonly number[]): ValueInfoProto {
  const dim = shape.map((extent) => ({ value: { case: 'dimValue' as const, value: BigInt(extent) } }))
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } } })
}

function initializer(name: string, dataType: DataType, shape: readonly number[], data: ArrayBufferView<ArrayBuffer>): TensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData })
}

const integer = (name: string, i: number): AttributeProto =>
  create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(i) })

/** Shapes of A, B and C as the model has them: two dimensions, or three for a batch. */
export function shapesOf({ batch, m, n, k, transposed }: GemmCase): { a: number[]; b: number[]; c: number[] } {
  const lead = batch === 1 ? [] : [batch]
  return { a: [...lead, m, k], b: [...lead, ...(transposed ? [n, k] : [k, n])], c: [...lead, m, n] }
}

/**
 * The model's file: input `a` (and `b` where it is an activation), output `c`, weights within.
 * 4-bit weights are `com.microsoft.MatMulNBits` with accuracy level 4, as exported language models carry it: the kernels may make
 * integers of the activations.
 */
export function gemmModel(item: GemmCase): Uint8Array {
  const { dtype, n, k, transposed, weights } = item
  const shapes = shapesOf(item)
  const input = [value('a', A_TYPE[dtype], shapes.a)]
  const stored: TensorProto[] = []
  const names = ['a', 'b']
  let node: { opType: string; domain?: string; attribute?: AttributeProto[] } = { opType: 'MatMul' }
  if (dtype === 'int4') {
    const { codes, scales } = packedB(item)
    stored.push(initializer('b', DataType.UINT8, [n, k / BLOCK, BLOCK / 2], codes))
    stored.push(initializer('scales', DataType.FLOAT, [n * (k / BLOCK)], scales))
    names.push('scales')
    const attribute = [
      integer('K', k),
      integer('N', n),
      integer('bits', 4),
      integer('block_size', BLOCK),
      integer('accuracy_level', 4),
    ]
    node = { opType: 'MatMulNBits', domain: 'com.microsoft', attribute }
  } else {
    if (weights) stored.push(initializer('b', A_TYPE[dtype], shapes.b, operandB(item)))
    else input.push(value('b', A_TYPE[dtype], shapes.b))
    if (dtype === 'int8') node = { opType: 'MatMulInteger' }
    else if (transposed) node = { opType: 'Gemm', attribute: [integer('transB', 1)] }
  }
  const graph = create(GraphProtoSchema, {
    name: item.name,
    node: [create(NodeProtoSchema, { name: 'product', input: names, output: ['c'], ...node })],
    input,
    output: [value('c', C_TYPE[dtype], shapes.c)],
    initializer: stored,
  })
  return file(graph)
}

/** A model that only hands its input on: how a tensor is brought to where a session computes. */
export function identityModel(dtype: GemmDtype, shape: readonly number[]): Uint8Array {
  return file(
    create(GraphProtoSchema, {
      name: 'identity',
      node: [create(NodeProtoSchema, { name: 'identity', opType: 'Identity', input: ['a'], output: ['c'] })],
      input: [value('a', A_TYPE[dtype], shape)],
      output: [value('c', A_TYPE[dtype], shape)],
    }),
  )
}

function file(graph: GraphProto): Uint8Array {
  const opset = (domain: string, version: bigint) => create(OperatorSetIdProtoSchema, { domain, version })
  const opsetImport = [opset('', OPSET), opset('com.microsoft', 1n)]
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: IR_VERSION, graph, opsetImport }))
}
