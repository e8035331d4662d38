/**
 * An ONNX file with other weights: everything stays as it is in the file (names, operator sets, metadata, inputs, outputs, fields that
 * Tilewright does not know), only the tensors that changed get new values, initializers and values of Constant nodes alike. Weights that
 * lay in files beside the model are laid into it, so that the result stands alone wherever it is written.
 */
import { clearField, create, toBinary } from '@bufbuild/protobuf'
import {
  AttributeProto_AttributeType as Type,
  AttributeProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation as Location,
  TensorProtoSchema,
  type GraphProto,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf'
import { DtypeError, ModelFormatError, ShapeError } from '../../errors.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { onnxTypeName, onnxTypeOf, protoShape, toTensorProto } from '../tensor-proto.ts'
import { canonicalDomain, decodeModel } from './decode.ts'
import { TensorReader, tensorsOf, type ExternalData } from './tensors.ts'

/** Of a protobuf message, whose lengths are signed 32-bit integers in most readers. */
const MOST_BYTES = 2 ** 31 - 1

/**
 * The model in `bytes` with new values for some of its constants.
 * @param changed by the constant's name: of the shape and dtype that it has in the file
 * @param externalData gives the bytes of files that the model keeps weights in
 * @throws ModelFormatError when the bytes are no model, a constant is not in it, or the result is beyond 2 GiB; ShapeError, DtypeError
 * where a constant is another in the file
 */
export async function rewriteOnnx(
  bytes: Uint8Array,
  changed: ReadonlyMap<string, HostTensor>,
  externalData?: ExternalData,
): Promise<Uint8Array<ArrayBuffer>> {
  const { model, graph } = decodeModel(bytes)
  const reader = await TensorReader.open(graph, externalData)
  const places = constantsOf(graph)
  for (const [name, tensor] of changed) {
    const proto = places.get(name)?.()
    if (proto === undefined) throw new ModelFormatError(`The file has no constant ${name}`)
    checkSame(name, proto, tensor)
    fill(proto, toTensorProto(tensor).rawData)
  }
  const tensors = [...tensorsOf(graph)]
  for (const proto of tensors)
    if (proto.dataLocation === Location.EXTERNAL) fill(proto, new Uint8Array(reader.externalBytes(proto)))
  checkSize(tensors.reduce((sum, { rawData }) => sum + rawData.length, 0))
  const written = toBinary(ModelProtoSchema, model)
  checkSize(written.length)
  return written
}

function checkSize(bytes: number): void {
  if (bytes <= MOST_BYTES) return
  throw new ModelFormatError('The weights are too large for one ONNX file', {
    bytes,
    limit: `${MOST_BYTES} bytes, a protobuf message`,
    remedy: 'Weights in files of their own are not written yet',
  })
}

/** How to get at the tensor of each constant, by the name of the value: initializers, and what Constant nodes hold. */
function constantsOf(graph: GraphProto): Map<string, () => TensorProto | undefined> {
  const found = new Map<string, () => TensorProto | undefined>()
  for (const proto of graph.initializer) found.set(proto.name, () => proto)
  for (const node of graph.node) {
    const [name] = node.output
    if (node.opType === 'Constant' && canonicalDomain(node.domain) === '' && name !== undefined)
      found.set(name, () => valueOf(node))
  }
  return found
}

/** The tensor that a Constant node holds; `value_float` and `value_floats` become one. */
function valueOf(node: NodeProto): TensorProto | undefined {
  const [given] = node.attribute
  if (given?.t !== undefined) return given.t
  if (given === undefined || (given.type !== Type.FLOAT && given.type !== Type.FLOATS)) return undefined
  const floats = Float32Array.from(given.type === Type.FLOAT ? [given.f] : given.floats)
  const t = toTensorProto(new HostTensor('f32', given.type === Type.FLOAT ? [] : [floats.length], floats))
  node.attribute[0] = create(AttributeProtoSchema, { name: 'value', type: Type.TENSOR, t })
  return node.attribute[0].t
}

function checkSame(name: string, proto: TensorProto, { dtype, shape }: HostTensor): void {
  const own = protoShape(proto.dims, { tensor: name })
  if (!sameShape(own, shape)) {
    throw new ShapeError(`Constant ${name} has shape ${formatShape(own)} in the file, not ${formatShape(shape)}`)
  }
  if (proto.dataType !== onnxTypeOf(dtype)) {
    throw new DtypeError(`Constant ${name} is ${onnxTypeName(proto.dataType)} in the file, not ${dtype}`, { dtype })
  }
}

/** Little-endian bytes in place of what the tensor held, wherever that was. */
function fill(proto: TensorProto, rawData: Uint8Array<ArrayBuffer>): void {
  const { field } = TensorProtoSchema
  for (const other of [field.floatData, field.int32Data, field.int64Data, field.uint64Data, field.doubleData])
    clearField(proto, other)
  clearField(proto, field.externalData)
  clearField(proto, field.dataLocation)
  proto.rawData = rawData
}
