/**
 * ONNX TensorProto ⇄ HostTensor: initializers, constants and the `.pb` files of ONNX's test sets.
 * Values lie in `raw_data` (little endian) or in one of the typed fields; a half float in `int32_data` is its bit pattern.
 * Nothing is allocated before the declared dimensions have been held against the bytes that are there.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { TensorProto_DataLocation, TensorProto_DataType as DataType, TensorProtoSchema, type TensorProto } from 'onnx-buf'
import { DtypeError, FileFormatError, type ErrorDetails } from '../errors.ts'
import { allocate, byteSize, fromBytes, isDType, type DType, type HostArray } from '../tensor/dtype.ts'
import { halfBits, isFloat16Array } from '../tensor/half.ts'
import { sizeOf } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { looksLike } from './sniff.ts'

const TO_DTYPE: ReadonlyMap<number, DType> = new Map<number, DType>([
  [DataType.FLOAT, 'f32'],
  [DataType.FLOAT16, 'f16'],
  [DataType.INT8, 'i8'],
  [DataType.UINT8, 'u8'],
  [DataType.INT32, 'i32'],
  [DataType.UINT32, 'u32'],
  [DataType.BOOL, 'bool'],
  [DataType.INT64, 'i64'],
])
const FROM_DTYPE = new Map<DType, DataType>([...TO_DTYPE].map(([type, dtype]) => [dtype, type]))

/** Our dtype for an ONNX element type; null where we have none. */
export function dtypeOf(type: number): DType | null {
  return TO_DTYPE.get(type) ?? null
}

/** The ONNX element type of a dtype; UNDEFINED for what is no dtype. */
export function onnxTypeOf(dtype: string): DataType {
  return isDType(dtype) ? (FROM_DTYPE.get(dtype) ?? DataType.UNDEFINED) : DataType.UNDEFINED
}

/** "DOUBLE", "BFLOAT16", "element type 99": an ONNX element type by name. */
export function onnxTypeName(type: number): string {
  return DataType[type] ?? `element type ${type}`
}

/** Dimensions as numbers. @throws FileFormatError for negative ones and products beyond 2^53. */
export function protoShape(dims: readonly bigint[], details: ErrorDetails = {}): number[] {
  let product = 1n
  for (const extent of dims) {
    if (extent < 0n) throw new FileFormatError('A tensor has a negative dimension', { ...details, shape: dims.map(String) })
    product *= extent
  }
  if (product > BigInt(Number.MAX_SAFE_INTEGER) || dims.some((extent) => extent > BigInt(Number.MAX_SAFE_INTEGER))) {
    throw new FileFormatError('A tensor declares more elements than can be counted', { ...details, shape: dims.map(String) })
  }
  return dims.map(Number)
}

/**
 * The tensor in `proto`. `external` holds the bytes of tensors whose data lie in another file.
 * Raw bytes are shared where they are aligned, and copied when first read where they are not.
 * @throws DtypeError for element types Tilewright does not have (named), FileFormatError where data and dimensions disagree.
 */
export function tensorFromProto(proto: TensorProto, external?: Uint8Array): HostTensor {
  const details: ErrorDetails = proto.name === '' ? {} : { tensor: proto.name }
  if (proto.segment !== undefined) throw new FileFormatError('Tensors stored in segments are not supported', details)
  if (proto.dataType === DataType.UNDEFINED) throw new FileFormatError('A tensor has no element type', details)
  const dtype = dtypeOf(proto.dataType)
  if (dtype === null) {
    throw new DtypeError(`Tensors of ONNX element type ${onnxTypeName(proto.dataType)} are not supported`, {
      ...details,
      dtype: onnxTypeName(proto.dataType).toLowerCase(),
      remedy: `Supported: ${[...TO_DTYPE.keys()].map(onnxTypeName).join(', ')}`,
    })
  }
  const shape = protoShape(proto.dims, details)
  const isExternal = proto.dataLocation === TensorProto_DataLocation.EXTERNAL
  if (isExternal && external === undefined) throw new FileFormatError('The values of a tensor lie in another file', details)
  const raw = isExternal ? external : proto.rawData.length > 0 ? proto.rawData : undefined
  const described = { ...details, dtype, shape }
  if (raw !== undefined) return fromRaw(dtype, shape, raw, described)
  return new HostTensor(dtype, shape, fromTyped(proto, dtype, sizeOf(shape), described))
}

function fromRaw(dtype: DType, shape: readonly number[], raw: Uint8Array, details: ErrorDetails): HostTensor {
  const expected = sizeOf(shape) * byteSize(dtype)
  if (raw.length !== expected) {
    throw new FileFormatError(`A tensor should hold ${expected} bytes of data, but ${raw.length} are there`, details)
  }
  return tensorOverBytes(dtype, shape, raw)
}

/** A tensor over little-endian bytes of the right length; booleans are made 0 or 1. Misaligned bytes are copied when first read. */
export function tensorOverBytes(dtype: DType, shape: readonly number[], bytes: Uint8Array): HostTensor {
  if (dtype === 'bool' && bytes.some((byte) => byte > 1)) {
    return new HostTensor(
      dtype,
      shape,
      Uint8Array.from(bytes, (byte) => Number(byte !== 0)),
    )
  }
  if (bytes.byteOffset % byteSize(dtype) === 0) return new HostTensor(dtype, shape, fromBytes(dtype, bytes))
  // A copy by the constructor: `slice` of a Node Buffer is no copy.
  return new HostTensor(dtype, shape, () => fromBytes(dtype, new Uint8Array(bytes)))
}

function fromTyped(proto: TensorProto, dtype: DType, length: number, details: ErrorDetails): HostArray {
  const source = typedField(proto, dtype)
  if (source.length !== length) {
    throw new FileFormatError(`A tensor should hold ${length} values, but ${source.length} are there`, details)
  }
  const values = allocate(dtype, length)
  if (values instanceof BigInt64Array) {
    for (let i = 0; i < length; i++) values[i] = BigInt(source[i]!)
    return values
  }
  const target = isFloat16Array(values) ? halfBits(values) : values
  for (let i = 0; i < length; i++) {
    const value = Number(source[i]!)
    target[i] = dtype === 'bool' ? Number(value !== 0) : value
  }
  return values
}

function typedField(proto: TensorProto, dtype: DType): readonly (number | bigint)[] {
  switch (dtype) {
    case 'f32':
      return proto.floatData
    case 'i64':
      return proto.int64Data
    case 'u32':
      return proto.uint64Data
    default:
      return proto.int32Data
  }
}

/**
 * Reads a `.pb` file that holds one TensorProto.
 * @throws FileFormatError when it is none or its data do not fit its dimensions, DtypeError for other element types.
 */
export function decodeTensorProto(bytes: Uint8Array): { name: string; tensor: HostTensor } {
  const fail = (cause?: unknown): FileFormatError =>
    new FileFormatError(
      `This is no ONNX tensor: ${looksLike(bytes)}`,
      { remedy: 'A .pb file holds one ONNX TensorProto' },
      { cause },
    )
  let proto: TensorProto
  try {
    proto = fromBinary(TensorProtoSchema, bytes)
  } catch (cause) {
    throw fail(cause)
  }
  if (proto.dataType === DataType.UNDEFINED) throw fail()
  return { name: proto.name, tensor: tensorFromProto(proto) }
}

/** A HostTensor as TensorProto message, its values in `raw_data` (bytes shared with the tensor). */
export function toTensorProto(tensor: HostTensor, name = ''): TensorProto {
  const { values } = tensor
  return create(TensorProtoSchema, {
    name,
    dataType: onnxTypeOf(tensor.dtype),
    dims: tensor.shape.map(BigInt),
    rawData: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
  })
}

/** The bytes of a `.pb` file for `tensor`. */
export function encodeTensorProto(tensor: HostTensor, name = ''): Uint8Array {
  return toBinary(TensorProtoSchema, toTensorProto(tensor, name))
}
