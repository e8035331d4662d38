/** TensorProto, npy and safetensors: round trips, foreign byte orders and layouts, and everything that is refused. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { TensorProto_DataType as DataType, TensorProtoSchema } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { DtypeError, FileFormatError, TilewrightError } from '../../src/errors.ts'
import { decodeNpy, encodeNpy } from '../../src/formats/npy.ts'
import { decodeSafetensors, encodeSafetensors } from '../../src/formats/safetensors.ts'
import { decodeTensorProto, encodeTensorProto } from '../../src/formats/tensor-proto.ts'
import { allocate, DTYPES, type DType } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'
import { listOf } from './onnx-builder.ts'

/** A tensor of any dtype and shape (empty and scalar ones too) over arbitrary bytes. */
const anyTensor = fc
  .record({ dtype: fc.constantFrom<DType>(...DTYPES), shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }) })
  .chain(({ dtype, shape }) => {
    const { byteLength } = allocate(dtype, sizeOf(shape))
    return fc.uint8Array({ minLength: byteLength, maxLength: byteLength }).map((bytes) => {
      const values = allocate(dtype, sizeOf(shape))
      new Uint8Array(values.buffer as ArrayBuffer).set(dtype === 'bool' ? bytes.map((byte) => byte & 1) : bytes)
      return new HostTensor(dtype, shape, values)
    })
  })

function bitsOf({ values }: HostTensor): number[] {
  return Array.from(new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength))
}

function expectEqual(actual: HostTensor | undefined, expected: HostTensor): void {
  expect(actual?.dtype).toBe(expected.dtype)
  expect(actual?.shape).toEqual(expected.shape)
  expect(actual === undefined ? [] : bitsOf(actual)).toEqual(bitsOf(expected))
}

/** The bytes at an odd offset of a larger buffer. */
function misaligned(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length + 8)
  larger.set(bytes, 1)
  return larger.subarray(1, 1 + bytes.length)
}

describe('round trips', () => {
  it('.pb', () => {
    fc.assert(
      fc.property(anyTensor, fc.string(), (value, name) => {
        const decoded = decodeTensorProto(misaligned(encodeTensorProto(value, name)))
        expect(decoded.name).toBe(name)
        expectEqual(decoded.tensor, value)
      }),
    )
  })

  it('.npy', () => {
    fc.assert(
      fc.property(anyTensor, (value) => {
        const bytes = encodeNpy(value)
        expect((bytes.length - value.values.byteLength) % 64).toBe(0)
        expectEqual(decodeNpy(bytes), value)
        expectEqual(decodeNpy(misaligned(bytes)), value)
      }),
    )
  })

  it('.safetensors', () => {
    const anyFile = fc.dictionary(fc.stringMatching(/^[a-z.0-9é"\\ ]{1,12}$/), anyTensor, { maxKeys: 5 })
    fc.assert(
      fc.property(anyFile, fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }), (file, metadata) => {
        delete metadata.__proto__
        const bytes = encodeSafetensors(new Map(Object.entries(file)), metadata)
        const decoded = decodeSafetensors(misaligned(bytes))
        expect([...decoded.tensors.keys()].sort()).toEqual(Object.keys(file).sort())
        for (const [name, value] of Object.entries(file)) expectEqual(decoded.tensors.get(name), value)
        expect(decoded.metadata).toEqual(metadata)
      }),
    )
  })
})

describe('.pb', () => {
  const proto = (init: MessageInitShape<typeof TensorProtoSchema>): Uint8Array =>
    toBinary(TensorProtoSchema, create(TensorProtoSchema, init))

  it.each<[string, MessageInitShape<typeof TensorProtoSchema>, (number | bigint)[]]>([
    ['float_data', { dataType: DataType.FLOAT, dims: [3n], floatData: [1.5, NaN, -Infinity] }, [1.5, NaN, -Infinity]],
    [
      'half floats in int32_data',
      { dataType: DataType.FLOAT16, dims: [4n], int32Data: [0x3c00, 0xc000, 0x7c00, 0x8000] },
      [1, -2, Infinity, -0],
    ],
    ['int8 in int32_data', { dataType: DataType.INT8, dims: [2n], int32Data: [-128, 127] }, [-128, 127]],
    ['uint8 in int32_data', { dataType: DataType.UINT8, dims: [2n], int32Data: [0, 255] }, [0, 255]],
    ['int32_data', { dataType: DataType.INT32, dims: [2n], int32Data: [-(2 ** 31), 7] }, [-(2 ** 31), 7]],
    ['booleans in int32_data', { dataType: DataType.BOOL, dims: [3n], int32Data: [0, 1, 5] }, [0, 1, 1]],
    ['uint32 in uint64_data', { dataType: DataType.UINT32, dims: [1n], uint64Data: [2n ** 32n - 1n] }, [2 ** 32 - 1]],
    ['int64_data', { dataType: DataType.INT64, dims: [2n], int64Data: [-(2n ** 63n), 5n] }, [-(2n ** 63n), 5n]],
    ['a scalar', { dataType: DataType.FLOAT, dims: [], floatData: [4] }, [4]],
    ['nothing', { dataType: DataType.FLOAT, dims: [0n, 3n] }, []],
    ['booleans beyond 1 in raw_data', { dataType: DataType.BOOL, dims: [2n], rawData: Uint8Array.of(0, 9) }, [0, 1]],
  ])('reads %s', (_, init, values) => {
    expect(listOf(decodeTensorProto(proto(init)).tensor)).toEqual(values)
  })

  it('reads Node buffers wherever they lie', () => {
    const bytes = encodeTensorProto(tensor([1, 2, 3]), 'a')
    for (const shift of [0, 1, 2, 3]) {
      const buffer = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift)
      expect(listOf(decodeTensorProto(buffer).tensor)).toEqual([1, 2, 3])
    }
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file/],
    ['text', new TextEncoder().encode('hello, this is no tensor at all\n'), /text/],
    [
      'raw data that is too short',
      proto({ dataType: DataType.FLOAT, dims: [3n], rawData: new Uint8Array(8) }),
      /12 bytes of data, but 8/,
    ],
    ['huge dimensions', proto({ dataType: DataType.FLOAT, dims: [2n ** 62n] }), /more elements than can be counted/],
    ['large dimensions', proto({ dataType: DataType.FLOAT, dims: [2n ** 40n] }), /should hold 1099511627776 values, but 0/],
    ['negative dimensions', proto({ dataType: DataType.FLOAT, dims: [-2n] }), /negative dimension/],
    ['segments', proto({ dataType: DataType.FLOAT, segment: { begin: 0n, end: 1n } }), /segments/],
    ['external data', proto({ dataType: DataType.FLOAT, dims: [1n], dataLocation: 1 }), /in another file/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeTensorProto(bytes)).toThrow(FileFormatError)
    expect(() => decodeTensorProto(bytes)).toThrow(message)
  })

  it.each(['DOUBLE', 'BFLOAT16', 'STRING', 'INT16', 'UINT64', 'COMPLEX64', 'INT4', 'FLOAT8E4M3FN'] as const)(
    'refuses %s by name',
    (name) => {
      const bytes = proto({ name: 'w', dataType: DataType[name], dims: [1n], rawData: new Uint8Array(8) })
      expect(() => decodeTensorProto(bytes)).toThrow(DtypeError)
      expect(() => decodeTensorProto(bytes)).toThrow(new RegExp(`${name} are not supported.*tensor w`))
    },
  )
})

/** A hand-made .npy file. */
function npy(dictionary: string, data: ArrayBuffer | Uint8Array, version = 1): Uint8Array {
  const header = new TextEncoder().encode(`${dictionary}\n`)
  const prefix = version === 1 ? 10 : 12
  const bytes = new Uint8Array(prefix + header.length + data.byteLength)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0])
  const view = new DataView(bytes.buffer)
  if (version === 1) view.setUint16(8, header.length, true)
  else view.setUint32(8, header.length, true)
  bytes.set(header, prefix)
  bytes.set(new Uint8Array(data), prefix + header.length)
  return bytes
}

const dict = (descr: string, shape: string, fortran = false): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }`

describe('.npy', () => {
  it.each([1, 2, 3])('reads version %d', (version) => {
    expect(listOf(decodeNpy(npy(dict('<f4', '(2,)'), Float32Array.of(1, 2).buffer, version)))).toEqual([1, 2])
  })

  it('reads big endian', () => {
    expect(listOf(decodeNpy(npy(dict('>f4', '(1,)'), Uint8Array.of(0x3f, 0x80, 0, 0))))).toEqual([1])
    expect(listOf(decodeNpy(npy(dict('>f2', '(2,)'), Uint8Array.of(0x3c, 0, 0xc0, 0))))).toEqual([1, -2])
    expect(listOf(decodeNpy(npy(dict('>i8', '()'), Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2))))).toEqual([258n])
    expect(listOf(decodeNpy(npy(dict('>u4', '(1,)'), Uint8Array.of(0xff, 0, 0, 1))))).toEqual([0xff000001])
  })

  it('reads Fortran order', () => {
    const matrix = decodeNpy(npy(dict('|u1', '(2, 3)', true), Uint8Array.of(1, 4, 2, 5, 3, 6)))
    expect([matrix.shape, listOf(matrix)]).toEqual([
      [2, 3],
      [1, 2, 3, 4, 5, 6],
    ])
    // Element (i, j, k) of 2 × 3 × 4 lies at i + 2j + 6k; its row-major place is 12i + 4j + k.
    const stored = Int32Array.from({ length: 24 }, (_, at) => 12 * (at % 2) + 4 * (Math.floor(at / 2) % 3) + Math.floor(at / 6))
    expect(listOf(decodeNpy(npy(dict('<i4', '(2, 3, 4)', true), stored.buffer)))).toEqual(Array.from({ length: 24 }, (_, i) => i))
    expect(decodeNpy(npy(dict('<i4', '(2, 0)', true), new Uint8Array(0))).shape).toEqual([2, 0])
  })

  it('refuses float64, or rounds it to f32 where asked', () => {
    const bytes = npy(dict('<f8', '(2,)'), Float64Array.of(0.1, -2).buffer)
    expect(() => decodeNpy(bytes)).toThrow(DtypeError)
    expect(() => decodeNpy(bytes)).toThrow(/float64 are not supported.*astype/)
    expect(listOf(decodeNpy(bytes, { float64: 'f32' }))).toEqual([Math.fround(0.1), -2])
  })

  it.each([
    ['<i2', 'int16'],
    ['<u2', 'uint16'],
    ['<u8', 'uint64'],
    ['<c8', 'complex64'],
    ['|O', 'object'],
    ['<U5', 'U5'],
    ['<M8[ns]', 'M8'],
  ])('refuses %s by name', (descr, name) => {
    expect(() => decodeNpy(npy(dict(descr, '(1,)'), new Uint8Array(8)))).toThrow(DtypeError)
    expect(() => decodeNpy(npy(dict(descr, '(1,)'), new Uint8Array(8)))).toThrow(name)
  })

  it('refuses structured dtypes', () => {
    const bytes = npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4))
    expect(() => decodeNpy(bytes)).toThrow(/structured/)
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file/],
    ['text', new TextEncoder().encode('1,2,3\n4,5,6\n'), /text/],
    ['its first bytes alone', Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0), /truncated in its header/],
    ['version 9', npy(dict('<f4', '(1,)'), new Uint8Array(4), 9), /Version 9/],
    ['a header that is cut', npy(dict('<f4', '(1,)'), new Uint8Array(0)).subarray(0, 40), /truncated in its header/],
    ['a damaged header', npy("{'descr': '<f4'}", new Uint8Array(4)), /header.*damaged/],
    ['data that are cut', npy(dict('<f4', '(3,)'), new Uint8Array(8)), /truncated: it should hold 12 bytes of data, but 8/],
    ['two arrays', npy(dict('<f4', '(1,)'), new Uint8Array(8)), /longer than one array/],
    ['a huge shape', npy(dict('<f4', '(99999999999, 99999999999)'), new Uint8Array(4)), /more elements than can be counted/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeNpy(bytes)).toThrow(FileFormatError)
    expect(() => decodeNpy(bytes)).toThrow(message)
  })

  it('writes what NumPy writes', () => {
    const bytes = encodeNpy(tensor([1, 2, 3, 4, 5, 6], [2, 3]))
    expect(new TextDecoder().decode(bytes.subarray(10, 128))).toBe(
      `${"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padEnd(117)}\n`,
    )
    expect(new TextDecoder().decode(encodeNpy(tensor([true, false])).subarray(10, 70))).toContain(
      "'descr': '|b1', 'fortran_order': False, 'shape': (2,)",
    )
  })
})

/** A hand-made safetensors file. */
function safetensors(header: unknown, data: number | Uint8Array = 0, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const values = typeof data === 'number' ? new Uint8Array(data) : data
  const bytes = new Uint8Array(8 + json.length + values.length)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(values, 8 + json.length)
  return bytes
}

describe('.safetensors', () => {
  const entry = (dtype: string, shape: number[], from: number, to: number): unknown => ({ dtype, shape, data_offsets: [from, to] })

  it('reads a hand-made file in any order of entries', () => {
    const { tensors, metadata } = decodeSafetensors(
      safetensors(
        { b: entry('U8', [2], 4, 6), __metadata__: { format: 'pt' }, a: entry('F32', [1], 0, 4) },
        Uint8Array.of(0, 0, 0x80, 0x3f, 7, 8),
      ),
    )
    expect([listOf(tensors.get('a')), listOf(tensors.get('b')), metadata]).toEqual([[1], [7, 8], { format: 'pt' }])
  })

  it.each(['BF16', 'F64', 'I16', 'F8_E4M3', 'constructor'])('refuses %s by name', (dtype) => {
    const bytes = safetensors({ 'layer.weight': entry(dtype, [1], 0, 8) }, 8)
    expect(() => decodeSafetensors(bytes)).toThrow(DtypeError)
    expect(() => decodeSafetensors(bytes)).toThrow(new RegExp(`dtype ${dtype} are not supported.*layer.weight`))
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file/],
    ['a header beyond the format', safetensors({}, 0, 10n ** 12n), /limit of 100000000/],
    ['a header beyond the file', safetensors({}, 0, 500n), /shorter than that/],
    ['a header that is no JSON', safetensors('{"a": '), /no JSON/],
    ['a header that is a list', safetensors([1]), /no JSON object/],
    ['an entry without offsets', safetensors({ a: { dtype: 'F32', shape: [1] } }, 4), /entry of a tensor is damaged.*tensor a/],
    ['a negative extent', safetensors({ a: entry('F32', [-1], 0, 4) }, 4), /damaged/],
    ['a tensor out of bounds', safetensors({ a: entry('F32', [2], 0, 8) }, 4), /outside the 4 bytes/],
    ['offsets in reverse', safetensors({ a: entry('F32', [1], 4, 0) }, 4), /outside/],
    ['overlapping tensors', safetensors({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 2, 6) }, 6), /overlap/],
    ['a gap', safetensors({ a: entry('U8', [1], 0, 1), b: entry('U8', [1], 2, 3) }, 3), /gap/],
    ['a size that does not fit', safetensors({ a: entry('F32', [2], 0, 4) }, 4), /should take 8 bytes, but has 4/],
    ['a huge shape', safetensors({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), /should take/],
    ['bytes of no tensor', safetensors({ a: entry('U8', [1], 0, 1) }, 3), /2 bytes that belong to no tensor/],
    ['metadata that are no strings', safetensors({ __metadata__: { a: 1 } }), /no map of strings/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(FileFormatError)
    expect(() => decodeSafetensors(bytes)).toThrow(message)
  })

  it('does not write a tensor under the reserved name', () => {
    expect(() => encodeSafetensors(new Map([['__metadata__', tensor([1])]]))).toThrow(FileFormatError)
  })
})

describe('damaged tensor files end in named errors', () => {
  const files: [string, (bytes: Uint8Array) => unknown, Uint8Array][] = [
    ['.pb', decodeTensorProto, encodeTensorProto(tensor([1, 2, 3, 4], [2, 2]), 'name')],
    ['.npy', decodeNpy, encodeNpy(tensor([1, 2, 3, 4], [2, 2]))],
    [
      '.safetensors',
      decodeSafetensors,
      encodeSafetensors(
        new Map([
          ['a', tensor([1, 2, 3])],
          ['b', tensor([1n])],
        ]),
        { k: 'v' },
      ),
    ],
  ]
  it.each(files)('%s', (_, decode, valid) => {
    const mutation = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    let refused = 0
    fc.assert(
      fc.property(mutation, fc.nat(valid.length), (changes, length) => {
        const bytes = valid.slice(0, length)
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(TilewrightError)
          refused++
        }
      }),
      { numRuns: 500 },
    )
    expect(refused).toBeGreaterThan(100)
  })
})
