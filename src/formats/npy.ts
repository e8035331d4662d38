/**
 * NumPy's .npy files, versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * Read: little and big endian, C and Fortran order. Float64 is refused unless the caller asks for it to be rounded to f32.
 */
import { DtypeError, FileFormatError } from '../errors.ts'
import { allocate, byteSize, type DType } from '../tensor/dtype.ts'
import { sizeOf, stridesOf } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { looksLike } from './sniff.ts'
import { tensorOverBytes } from './tensor-proto.ts'

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const
const FROM_NUMPY: Readonly<Record<string, DType>> = {
  f4: 'f32',
  f2: 'f16',
  i1: 'i8',
  u1: 'u8',
  i4: 'i32',
  u4: 'u32',
  b1: 'bool',
  i8: 'i64',
}
const NAMES: Readonly<Record<string, string>> = {
  f8: 'float64',
  f16: 'float128',
  i2: 'int16',
  u2: 'uint16',
  u8: 'uint64',
  c8: 'complex64',
  c16: 'complex128',
  O: 'object',
}

export interface NpyOptions {
  /** What to do with float64: 'refuse' (default) or round to 'f32'. */
  readonly float64?: 'refuse' | 'f32'
}

/**
 * @throws FileFormatError when the file is no .npy, truncated or longer than its shape says.
 * @throws DtypeError naming the NumPy dtype when Tilewright has none for it (float64, int16, complex, structured, ...).
 */
export function decodeNpy(bytes: Uint8Array, { float64 = 'refuse' }: NpyOptions = {}): HostTensor {
  const { header, offset } = readHeader(bytes)
  const { order, code, fortran, shape } = parseHeader(header)
  const isDouble = code === 'f8'
  const dtype = isDouble && float64 === 'f32' ? 'f32' : FROM_NUMPY[code]
  if (dtype === undefined) {
    throw new DtypeError(`NumPy arrays of dtype ${NAMES[code] ?? code} are not supported`, {
      dtype: NAMES[code] ?? code,
      remedy: isDouble
        ? 'Save the array with .astype(numpy.float32)'
        : 'Supported: float32 float16 int8 uint8 int32 uint32 int64 bool',
    })
  }
  const width = isDouble ? 8 : byteSize(dtype)
  const expected = sizeOf(shape) * width
  const data = bytes.subarray(offset)
  if (data.length !== expected) {
    const what = data.length < expected ? 'truncated' : 'longer than one array'
    throw new FileFormatError(`The .npy file is ${what}: it should hold ${expected} bytes of data, but ${data.length} are there`, {
      shape,
    })
  }
  const little = order === '>' ? swapped(data, width) : data
  const tensor = isDouble ? new HostTensor('f32', shape, fromDoubles(little)) : tensorOverBytes(dtype, shape, little)
  return fortran && shape.length > 1 ? fromFortran(tensor) : tensor
}

function readHeader(bytes: Uint8Array): { header: string; offset: number } {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw new FileFormatError(`This is no .npy file: ${looksLike(bytes)}`, { remedy: 'Expected an array saved with numpy.save' })
  }
  const major = bytes[6] ?? 0
  if (major < 1 || major > 3)
    throw new FileFormatError(`Version ${major} of the .npy format is not supported`, { limit: 'versions 1 to 3' })
  const wide = major > 1
  const start = wide ? 12 : 10
  if (bytes.length < start) throw new FileFormatError('The .npy file is truncated in its header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (start + length > bytes.length) throw new FileFormatError('The .npy file is truncated in its header')
  const header = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start, start + length))
  return { header, offset: start + length }
}

interface Header {
  readonly order: string
  readonly code: string
  readonly fortran: boolean
  readonly shape: number[]
}

/** The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), } */
function parseHeader(header: string): Header {
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(header)
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1]
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1]
  if (descr?.[2] !== undefined)
    throw new DtypeError('NumPy arrays with fields (structured dtypes) are not supported', { dtype: 'structured' })
  const [, order, code] = /^([<>|=]?)(.+)$/.exec(descr?.[1] ?? '') ?? []
  if (code === undefined || order === undefined || fortran === undefined || shape === undefined) {
    throw new FileFormatError(`The header of the .npy file is damaged: ${header.trim().slice(0, 200)}`)
  }
  const extents = shape
    .split(',')
    .map((part) => part.trim().replace(/L$/, ''))
    .filter((part) => part !== '')
    .map(Number)
  if (!extents.every(Number.isSafeInteger) || !Number.isSafeInteger(sizeOf(extents))) {
    throw new FileFormatError('The .npy file declares more elements than can be counted', { shape: extents })
  }
  return { order, code, fortran: fortran === 'True', shape: extents }
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length)
  for (let at = 0; at < bytes.length; at += width) {
    for (let i = 0; i < width; i++) out[at + i] = bytes[at + width - 1 - i] ?? 0
  }
  return out
}

function fromDoubles(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true))
}

/** Values stored with the first axis running fastest, brought into row-major order. */
function fromFortran(tensor: HostTensor): HostTensor {
  const { dtype, shape, values } = tensor
  const out = allocate(dtype, values.length)
  const strides = stridesOf([...shape].reverse()).reverse()
  const index = shape.map(() => 0)
  let source = 0
  for (let target = 0; target < values.length; target++) {
    out[target] = values[source] ?? 0
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis] ?? 1
      const stride = strides[axis] ?? 1
      index[axis] = (index[axis] ?? 0) + 1
      source += stride
      if ((index[axis] ?? 0) < extent) break
      index[axis] = 0
      source -= stride * extent
    }
  }
  return new HostTensor(dtype, shape, out)
}

/** The bytes of a .npy file (version 1, or 2 where the header is long; little endian, C order). */
export function encodeNpy(tensor: HostTensor): Uint8Array {
  const { values, shape, dtype } = tensor
  const code = Object.entries(FROM_NUMPY).find(([, each]) => each === dtype)?.[0] ?? ''
  const descr = `${byteSize(dtype) === 1 ? '|' : '<'}${code}`
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`
  const version = dictionary.length + 1 + 10 + 64 > 0xffff ? 2 : 1
  const prefix = version === 1 ? 10 : 12
  const padded = Math.ceil((prefix + dictionary.length + 1) / 64) * 64
  const header = `${dictionary.padEnd(padded - prefix - 1)}\n`
  const out = new Uint8Array(padded + values.byteLength)
  out.set(MAGIC)
  out[6] = version
  const view = new DataView(out.buffer)
  if (version === 1) view.setUint16(8, header.length, true)
  else view.setUint32(8, header.length, true)
  out.set(new TextEncoder().encode(header), prefix)
  out.set(new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength), padded)
  return out
}
