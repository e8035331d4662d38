/**
 * Safetensors: eight bytes of header length, a JSON header, then the tensors one after another without gaps.
 * https://github.com/huggingface/safetensors#format
 */
import { z } from 'zod'
import { DtypeError, FileFormatError } from '../errors.ts'
import { byteSize, type DType } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
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

/** A tensor as it lies in a file, of any dtype that the format has. */
export interface RawTensor {
  /** The format's name of it: F32, BF16, I16, … */
  readonly dtype: string
  readonly shape: Shape
  readonly bytes: Uint8Array
}

export interface RawSafetensors {
  readonly tensors: ReadonlyMap<string, RawTensor>
  readonly metadata: Readonly<Record<string, string>>
}

/** Bytes of an element, for the dtypes that Tilewright does not have. */
const OTHER_BYTES: Readonly<Record<string, number>> = { I16: 2, U16: 2, BF16: 2, F64: 8, U64: 8, F8_E4M3: 1, F8_E5M2: 1 }

/**
 * Tensors share the bytes where these are aligned; others are copied when first read.
 * @throws FileFormatError for damaged files: header too long, no JSON, offsets out of bounds, overlapping or with gaps, sizes that do
 *   not fit shape and dtype.
 * @throws DtypeError naming tensor and dtype for BF16, F64 and others that Tilewright does not have.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { entries, data, metadata } = readEntries(bytes)
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
  const tensors = new Map<string, HostTensor>()
  for (const [name, raw] of laidOut(entries, data)) {
    const dtype = dtypeFor(raw.dtype)
    if (dtype !== undefined) tensors.set(name, tensorOverBytes(dtype, raw.shape, raw.bytes))
  }
  return { tensors, metadata }
}

/**
 * The same without values: for layouts whose dtypes are no tensor's here. Bytes are the file's own.
 * @throws FileFormatError as `decodeSafetensors`; sizes of dtypes that the format does not name are taken as they are
 */
export function readSafetensors(bytes: Uint8Array): RawSafetensors {
  const { entries, data, metadata } = readEntries(bytes)
  return { tensors: laidOut(entries, data), metadata }
}

interface HeaderEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: Shape
  readonly offsets: readonly [number, number]
}

function readEntries(bytes: Uint8Array): { entries: HeaderEntry[]; data: Uint8Array; metadata: Record<string, string> } {
  const { header, data } = readHeader(bytes)
  const { __metadata__: metadata = {}, ...rest } = header
  const parsedMetadata = Metadata.safeParse(metadata)
  if (!parsedMetadata.success) throw new FileFormatError('The __metadata__ of the safetensors file is no map of strings')
  const entries = Object.entries(rest).map(([name, value]): HeaderEntry => {
    const entry = Entry.safeParse(value)
    if (entry.success) return { name, dtype: entry.data.dtype, shape: entry.data.shape, offsets: entry.data.data_offsets }
    throw new FileFormatError('The header entry of a tensor is damaged', { tensor: name, problem: z.prettifyError(entry.error) })
  })
  return { entries, data, metadata: parsedMetadata.data }
}

/** The tensors in their places. @throws FileFormatError where these overlap, leave gaps, or do not fit shape and dtype */
function laidOut(entries: readonly HeaderEntry[], data: Uint8Array): Map<string, RawTensor> {
  let end = 0
  const tensors = new Map<string, RawTensor>()
  for (const { name, dtype, shape, offsets } of entries.toSorted(
    (a, b) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1],
  )) {
    const [from, to] = offsets
    const details = { tensor: name, dtype, shape, offsets }
    if (to > data.length || from > to) {
      throw new FileFormatError(`A tensor lies outside the ${data.length} bytes of data: the file is truncated or damaged`, details)
    }
    if (from !== end) throw new FileFormatError(from < end ? 'Two tensors overlap' : 'There is a gap before a tensor', details)
    const width = widthOf(dtype)
    const expected = width === undefined ? to - from : sizeOf(shape) * width
    if (to - from !== expected) throw new FileFormatError(`A tensor should take ${expected} bytes, but has ${to - from}`, details)
    tensors.set(name, { dtype, shape, bytes: data.subarray(from, to) })
    end = to
  }
  if (end !== data.length) throw new FileFormatError(`The safetensors file has ${data.length - end} bytes that belong to no tensor`)
  return tensors
}

function widthOf(code: string): number | undefined {
  const dtype = dtypeFor(code)
  if (dtype !== undefined) return byteSize(dtype)
  return Object.hasOwn(OTHER_BYTES, code) ? OTHER_BYTES[code] : undefined
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
  const raw = [...tensors].map(([name, { dtype, shape, values }]): [string, RawTensor] => {
    const code = Object.entries(TO_DTYPE).find(([, each]) => each === dtype)?.[0] ?? dtype
    return [name, { dtype: code, shape, bytes: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength) }]
  })
  return writeSafetensors(new Map(raw), metadata)
}

/**
 * The same of tensors of any dtype that the format names.
 * @throws FileFormatError for a tensor named `__metadata__`; DtypeError for a dtype whose width is not known
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, RawTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  if (tensors.has('__metadata__')) throw new FileFormatError("No tensor can be named '__metadata__' in a safetensors file")
  const width = (name: string, { dtype }: RawTensor): number => {
    const known = widthOf(dtype)
    if (known === undefined) throw new DtypeError(`Safetensors have no dtype ${dtype}`, { tensor: name, dtype })
    return known
  }
  const sorted = [...tensors].sort(([a, x], [b, y]) => width(b, y) - width(a, x) || (a < b ? -1 : 1))
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  let size = 0
  for (const [name, { dtype, shape, bytes }] of sorted) {
    const end = size + bytes.length
    header.push([name, { dtype, shape, data_offsets: [size, end] }])
    size = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const out = new Uint8Array(8 + padded + size).fill(0x20, 8, 8 + padded)
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true)
  out.set(json, 8)
  let offset = 8 + padded
  for (const [, { bytes }] of sorted) {
    out.set(bytes, offset)
    offset += bytes.length
  }
  return out
}
