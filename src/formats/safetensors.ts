/**
 * Safetensors: eight bytes of header length, a JSON header, then the tensors one after another without gaps.
 * https://github.com/huggingface/safetensors#format
 */
import { z } from 'zod'
import { DtypeError, FileFormatError } from '../errors.ts'
import { byteSize, type DType } from '../tensor/dtype.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { looksLike } from './sniff.ts'
import { tensorOverBytes } from './tensor-proto.ts'

const TO_DTYPE: Readonly<Record<string, DType>> = {
  F32: 'f32',
  F16: 'f16',
  I8: 'i8',
  U8: 'u8',
  I32: 'i32',
  U32: 'u32',
  I64: 'i64',
  BOOL: 'bool',
}
/** The format's own limit. */
const LARGEST_HEADER = 100_000_000

const extent = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Entry = z.object({ dtype: z.string(), shape: z.array(extent), data_offsets: z.tuple([extent, extent]) })
const Header = z.record(z.string(), z.unknown())
const Metadata = z.record(z.string(), z.string())

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, HostTensor>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Tensors share the bytes where these are aligned; others are copied when first read.
 * @throws FileFormatError for damaged files: header too long, no JSON, offsets out of bounds, overlapping or with gaps, sizes that do
 *   not fit shape and dtype.
 * @throws DtypeError naming tensor and dtype for BF16, F64 and others that Tilewright does not have.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, data } = readHeader(bytes)
  const { __metadata__: metadata = {}, ...rest } = header
  const parsedMetadata = Metadata.safeParse(metadata)
  if (!parsedMetadata.success) throw new FileFormatError('The __metadata__ of the safetensors file is no map of strings')
  const entries = Object.entries(rest).map(([name, value]) => {
    const entry = Entry.safeParse(value)
    if (entry.success) return { name, dtype: entry.data.dtype, shape: entry.data.shape, offsets: entry.data.data_offsets }
    throw new FileFormatError('The header entry of a tensor is damaged', { tensor: name, problem: z.prettifyError(entry.error) })
  })
  const unknown = entries.filter((entry) => dtypeFor(entry.dtype) === undefined)
  const [first] = unknown
  if (first !== undefined) {
    throw new DtypeError(`Safetensors of dtype ${first.dtype} are not supported`, {
      tensor: first.name,
      dtype: first.dtype,
      tensors: unknown.length,
      remedy: `Convert them to one of ${Object.keys(TO_DTYPE).join(' ')}`,
    })
  }
  entries.sort((a, b) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1])
  let end = 0
  const tensors = new Map<string, HostTensor>()
  for (const { name, dtype: code, shape, offsets } of entries) {
    const dtype = dtypeFor(code)
    if (dtype === undefined) continue
    const [from, to] = offsets
    const details = { tensor: name, dtype: code, shape, offsets }
    if (to > data.length || from > to) {
      throw new FileFormatError(`A tensor lies outside the ${data.length} bytes of data: the file is truncated or damaged`, details)
    }
    if (from !== end) throw new FileFormatError(from < end ? 'Two tensors overlap' : 'There is a gap before a tensor', details)
    const expected = sizeOf(shape) * byteSize(dtype)
    if (to - from !== expected) throw new FileFormatError(`A tensor should take ${expected} bytes, but has ${to - from}`, details)
    tensors.set(name, tensorOverBytes(dtype, shape, data.subarray(from, to)))
    end = to
  }
  if (end !== data.length) throw new FileFormatError(`The safetensors file has ${data.length - end} bytes that belong to no tensor`)
  return { tensors, metadata: parsedMetadata.data }
}

function dtypeFor(code: string): DType | undefined {
  return Object.hasOwn(TO_DTYPE, code) ? TO_DTYPE[code] : undefined
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  const fail = (message: string, cause?: unknown): FileFormatError =>
    new FileFormatError(`This is no safetensors file: ${message} (${looksLike(bytes)})`, { bytes: bytes.length }, { cause })
  if (bytes.length < 8) throw fail('it is shorter than the 8 bytes of a header length')
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true)
  if (length > BigInt(LARGEST_HEADER))
    throw fail(`it declares a header of ${length} bytes, above the format's limit of ${LARGEST_HEADER}`)
  const end = 8 + Number(length)
  if (end > bytes.length) throw fail(`it declares a header of ${length} bytes and is shorter than that`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, end)))
  } catch (cause) {
    throw fail('its header is no JSON', cause)
  }
  const header = Header.safeParse(json)
  if (!header.success) throw fail('its header is no JSON object')
  return { header: header.data, data: bytes.subarray(end) }
}

/**
 * The bytes of a safetensors file, tensors sorted by falling element width (so that all are aligned), then name.
 * @throws FileFormatError for a tensor named `__metadata__`, which the format reserves.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (tensors.has('__metadata__')) throw new FileFormatError("No tensor can be named '__metadata__' in a safetensors file")
  const sorted = [...tensors].sort(([a, x], [b, y]) => byteSize(y.dtype) - byteSize(x.dtype) || (a < b ? -1 : 1))
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  let size = 0
  for (const [name, { dtype, shape }] of sorted) {
    const end = size + sizeOf(shape) * byteSize(dtype)
    const code = Object.entries(TO_DTYPE).find(([, each]) => each === dtype)?.[0]
    header.push([name, { dtype: code, shape, data_offsets: [size, end] }])
    size = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const out = new Uint8Array(8 + padded + size).fill(0x20, 8, 8 + padded)
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true)
  out.set(json, 8)
  let offset = 8 + padded
  for (const [, tensor] of sorted) {
    const { values } = tensor
    out.set(new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength), offset)
    offset += values.byteLength
  }
  return out
}
