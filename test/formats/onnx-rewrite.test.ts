/** ONNX files with other weights: what changed is changed, all else is as it was. */
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation as Location,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
} from 'onnx-buf'
import { describe, expect, test } from 'vitest'
import { DtypeError, ModelFormatError, ShapeError } from '../../src/errors.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { rewriteOnnx } from '../../src/formats/onnx/rewrite.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { floats, initializer, listOf, modelBytes, modelProto, node, valueInfo } from './onnx-builder.ts'

const typed = create(TensorProtoSchema, { name: 'b', dataType: DataType.FLOAT, dims: [2n], floatData: [5, 6] })

const parts = {
  nodes: [
    node('Constant', [], ['c'], { value: initializer('', [7, 8], [2]) }, { name: 'in a node' }),
    node('Constant', [], ['d'], {}, { raw: [floats('value_floats', [9, 10])] }),
    node('MatMul', ['x', 'w'], ['h']),
    node('Add', ['h', 'b'], ['i']),
    node('Mul', ['i', 'c'], ['j']),
    node('Add', ['j', 'd'], ['y']),
  ],
  inputs: [valueInfo('x', ['N', 2])],
  initializers: [initializer('w', [1, 2, 3, 4], [2, 2]), typed],
  model: {
    producerName: 'someone',
    docString: 'notes',
    metadataProps: [create(StringStringEntryProtoSchema, { key: 'k', value: 'v' })],
  },
}

describe('rewriteOnnx', () => {
  test('replaces initializers and values of Constant nodes, whatever field they lay in', async () => {
    const changed = new Map([
      ['w', tensor([0, 20, 0, 40], [2, 2])],
      ['b', tensor([50, 60])],
      ['c', tensor([70, 80])],
      ['d', tensor([90, 100])],
    ])
    const { graph } = await importOnnx(await rewriteOnnx(modelBytes(parts), changed))
    for (const [name, { values }] of changed) expect(listOf(graph.constants.get(name)), name).toEqual([...values])
    expect(graph.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: ['N', 2] }])
  })

  test('leaves everything else as it was', async () => {
    const before = modelProto(parts)
    const after = fromBinary(ModelProtoSchema, await rewriteOnnx(modelBytes(parts), new Map([['w', tensor([0, 2, 0, 4], [2, 2])]])))
    const expected = clone(ModelProtoSchema, before)
    const w = expected.graph?.initializer[0]
    if (w === undefined) throw new Error('There is no initializer')
    w.rawData = new Uint8Array(Float32Array.of(0, 2, 0, 4).buffer)
    expect(after).toEqual(expected)
    expect(await rewriteOnnx(modelBytes(parts), new Map())).toEqual(toBinary(ModelProtoSchema, before))
  })

  test('lays external data into the file, those that changed and those that did not', async () => {
    const external = (name: string, offset: number): ReturnType<typeof create<typeof TensorProtoSchema>> =>
      create(TensorProtoSchema, {
        ...{ name, dataType: DataType.FLOAT, dims: [2n, 2n], dataLocation: Location.EXTERNAL },
        externalData: Object.entries({ location: 'w.bin', offset: String(offset), length: '16' }).map(([key, value]) =>
          create(StringStringEntryProtoSchema, { key, value }),
        ),
      })
    const bytes = modelBytes({
      nodes: [node('MatMul', ['x', 'w'], ['h']), node('MatMul', ['h', 'v'], ['y'])],
      inputs: [valueInfo('x', [1, 2])],
      initializers: [external('w', 0), external('v', 16)],
    })
    const data = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer)
    const written = await rewriteOnnx(bytes, new Map([['w', tensor([0, 2, 0, 4], [2, 2])]]), () => data)
    const { graph } = await importOnnx(written)
    expect(listOf(graph.constants.get('w'))).toEqual([0, 2, 0, 4])
    expect(listOf(graph.constants.get('v'))).toEqual([5, 6, 7, 8])
    await expect(rewriteOnnx(bytes, new Map())).rejects.toThrow("the file 'w.bin', which was not given")
  })

  test('refuses what is another constant in the file', async () => {
    const attempt = (name: string, values: Parameters<typeof tensor>): Promise<Uint8Array> =>
      rewriteOnnx(modelBytes(parts), new Map([[name, tensor(...values)]]))
    await expect(attempt('nothing', [[1], [1]])).rejects.toThrow(ModelFormatError)
    await expect(attempt('w', [[1, 2], [2]])).rejects.toThrow(ShapeError)
    await expect(attempt('w', [[1, 2, 3, 4], [2, 2], 'f16'])).rejects.toThrow(DtypeError)
  })
})
