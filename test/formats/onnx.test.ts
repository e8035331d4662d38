/** Graph structure, inputs, initializers, and what is refused: files that are no model, and models that cannot be run. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { encode as encodeJpeg } from 'jpeg-js'
import {
  GraphProtoSchema,
  ModelProtoSchema,
  SparseTensorProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type TensorProto,
} from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { ModelFormatError } from '../../src/errors.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { initializer, listOf, matching, modelBytes, modelProto, node, valueInfo, type ModelParts } from './onnx-builder.ts'
import { processorTime } from '../processor.ts'

const relu = node('Relu', ['x'], ['y'])
const importParts = (parts: ModelParts) => importOnnx(modelBytes(parts))

describe('a small model', () => {
  const bytes = modelBytes({
    nodes: [
      node(
        'Conv',
        ['x', 'w', 'b'],
        ['c'],
        { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 1], group: 1, auto_pad: 'NOTSET' },
        { name: 'conv' },
      ),
      node('Relu', ['c'], ['y']),
    ],
    initializers: [
      initializer('w', new Float32Array(2 * 3 * 9).fill(0.5), [2, 3, 3, 3]),
      initializer('b', [1, 2]),
      initializer('unused', [3]),
    ],
    inputs: [valueInfo('x', ['N', 3, null, -1])],
  })

  it('becomes a graph in our terms', async () => {
    const { graph, unsupported, opset, irVersion, producer } = await importOnnx(bytes)
    expect({ unsupported, opset, irVersion, producer }).toEqual({ unsupported: [], opset: 13, irVersion: 8, producer: 'test 1.0' })
    expect(graph.name).toBe('net')
    expect(graph.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: ['N', 3, 'x_dim2', 'x_dim3'] }])
    expect(graph.outputs).toEqual(['y'])
    expect(graph.nodes).toEqual([
      {
        name: 'conv',
        op: 'conv2d',
        inputs: ['x', 'w', 'b'],
        outputs: ['c'],
        attributes: { kernel: [3, 3], padding: [1, 1, 1, 1], stride: [2, 1], groups: 1, autoPad: 'NOTSET' },
      },
      { name: 'Relu_1', op: 'relu', inputs: ['c'], outputs: ['y'], attributes: {} },
    ])
    expect([...graph.constants.keys()]).toEqual(['w', 'b'])
    expect(graph.constants.get('w')).toMatchObject({ dtype: 'f32', shape: [2, 3, 3, 3] })
    expect(listOf(graph.constants.get('b'))).toEqual([1, 2])
  })

  it('takes a name from the caller', async () => {
    expect((await importOnnx(bytes, { name: 'mine' })).graph.name).toBe('mine')
  })

  it('is read the same from the middle of a larger buffer', async () => {
    const shifted = new Uint8Array(bytes.length + 3)
    shifted.set(bytes, 3)
    const { graph } = await importOnnx(shifted.subarray(3))
    expect(listOf(graph.constants.get('w'))).toEqual(Array.from({ length: 54 }, () => 0.5))
  })
})

describe('structure', () => {
  it('takes initializers that are also inputs (IR version 3) as constants', async () => {
    const { graph } = await importParts({
      irVersion: 3,
      opset: 8,
      nodes: [node('Add', ['x', 'b'], ['y'])],
      inputs: [valueInfo('x', [2]), valueInfo('b', [2])],
      initializers: [initializer('b', [1, 2])],
    })
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect([...graph.constants.keys()]).toEqual(['b'])
  })

  it('makes node names unique and gives names to nameless nodes', async () => {
    const twice = { name: 'same' }
    const { graph } = await importParts({
      nodes: [
        node('Relu', ['x'], ['a'], {}, twice),
        node('Relu', ['a'], ['b'], {}, twice),
        node('Relu', ['b'], ['c']),
        node('Relu', ['c'], ['y']),
      ],
    })
    expect(graph.nodes.map(({ name }) => name)).toEqual(['same', 'same_2', 'Relu_2', 'Relu_3'])
  })

  it('sorts nodes that are out of order', async () => {
    const { graph } = await importParts({ nodes: [node('Relu', ['a'], ['y']), node('Tanh', ['x'], ['a'])] })
    expect(graph.nodes.map(({ op }) => op)).toEqual(['tanh', 'relu'])
  })

  it('keeps absent optional inputs as null and drops trailing ones', async () => {
    const { graph } = await importParts({
      opset: 13,
      nodes: [node('Clip', ['x', '', 'm'], ['a']), node('Clip', ['a', '', ''], ['y'])],
      initializers: [initializer('m', [6], [])],
    })
    expect(graph.nodes.map(({ inputs }) => inputs)).toEqual([['x', null, 'm'], ['a']])
  })

  it('lets an input or a constant be an output', async () => {
    const { graph } = await importParts({ outputs: ['x', 'k'], initializers: [initializer('k', [1])] })
    expect(graph.outputs).toEqual(['x', 'k'])
    expect(graph.constants.has('k')).toBe(true)
  })

  it.each<[string, ModelParts, RegExp]>([
    [
      'a cycle',
      { nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['y'])] },
      /cycle: nodes Add_0, Relu_1/,
    ],
    ['a node that feeds itself', { nodes: [node('Add', ['x', 'y'], ['y'])] }, /cycle/],
    ['an undefined value', { nodes: [node('Add', ['x', 'ghost'], ['y'])] }, /'ghost' is made by no node/],
    ['a value made twice', { nodes: [relu, node('Tanh', ['x'], ['y'])] }, /'y' is made twice.*Tanh_1/],
    ['a value made by one node twice', { nodes: [node('Dropout', ['x'], ['y', 'y'])] }, /'y' is made twice/],
    ['an input that a node makes', { nodes: [node('Relu', ['x'], ['x'])], outputs: ['x'] }, /'x' is made twice/],
    ['an undefined output', { nodes: [relu], outputs: ['z'] }, /Output 'z'/],
    ['no outputs', { nodes: [relu], outputs: [] }, /no outputs/],
    ['one output twice', { nodes: [relu], outputs: ['y', 'y'] }, /two outputs named 'y'/],
    ['two inputs of one name', { nodes: [relu], inputs: [valueInfo('x', [1]), valueInfo('x', [1])] }, /two inputs named 'x'/],
    [
      'two initializers of one name',
      { nodes: [relu], initializers: [initializer('a', [1]), initializer('a', [2])] },
      /two initializers/,
    ],
    ['too few inputs', { nodes: [node('Add', ['x'], ['y'])] }, /1 inputs; the op takes 2/],
    ['a missing required input', { nodes: [node('Add', ['', 'x'], ['y'])] }, /Input 0 is missing/],
    ['a missing output name', { nodes: [node('Relu', ['x'], ['']), node('Relu', ['x'], ['y'])] }, /first output has no name/],
    [
      'an attribute of another type',
      { nodes: [node('Elu', ['x'], ['y'], { alpha: 1 })] },
      /alpha should be of type FLOAT, but is INT/,
    ],
    ['an absurd attribute', { nodes: [node('Flatten', ['x'], ['y'], { axis: 2n ** 62n })] }, /beyond any sensible size/],
    ['an absurd input dimension', { nodes: [relu], inputs: [valueInfo('x', [2 ** 60])] }, /dimension of 1152921504606846976/],
    ['an opset that is too old', { opset: 6, nodes: [node('Add', ['x', 'x'], ['y'])] }, /Operator set 6.*Add.*opset 8 to/],
    ['no operator set', { nodes: [relu], model: { opsetImport: [] } }, /operator set/],
    [
      'two versions of one domain',
      { nodes: [relu], model: { opsetImport: [{ version: 9n }, { domain: 'ai.onnx', version: 11n }] } },
      /two versions/,
    ],
    ['a newer IR version', { nodes: [relu], irVersion: 99 }, /IR version 99 is newer/],
    [
      'another domain only',
      { nodes: [relu], model: { opsetImport: [{ domain: 'com.x', version: 1n }] } },
      /does not import domain ai.onnx/,
    ],
  ])('refuses %s', async (_, parts, message) => {
    const failure = importParts(parts)
    await expect(failure).rejects.toThrow(ModelFormatError)
    await expect(failure).rejects.toThrow(message)
  })
})

describe('what is no model', () => {
  const valid = modelBytes({ nodes: [relu], initializers: [initializer('w', new Float32Array(100))] })
  const text = new TextEncoder()
  const jpeg = encodeJpeg({ width: 8, height: 8, data: new Uint8Array(256) }).data
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /an empty file.*Expected an ONNX model/],
    ['a text file', text.encode('The quick brown fox jumps over the lazy dog.\n'.repeat(9)), /text/],
    ['a web page', text.encode('<!DOCTYPE html><html><body>404</body></html>'), /a web page/],
    ['a Git LFS pointer', text.encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /Git LFS pointer/],
    ['a JPEG', new Uint8Array(jpeg), /a JPEG picture/],
    ['zeros', new Uint8Array(1000), /no (readable )?ONNX model/],
    ['a truncated model', valid.subarray(0, valid.length - 20), /truncated/],
    ['a model without a graph', toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n })), /lacks a graph/],
    ['a bare graph', toBinary(GraphProtoSchema, create(GraphProtoSchema, { name: 'x' })), /no (readable )?ONNX model/],
  ])('%s is refused by name', async (_, bytes, message) => {
    await expect(importOnnx(bytes)).rejects.toThrow(ModelFormatError)
    await expect(importOnnx(bytes)).rejects.toThrow(message)
  })
})

it('a file nested a hundred thousand deep is refused, not a stack overflow', async () => {
  // Field 7 (graph) > 1 (node) > 5 (attribute) > 6 (graph) > 1 > 5 > 6 ..., lengths from the inside out.
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
  const reversed: number[] = []
  for (let depth = 0; depth < 100_000; depth++) {
    const tag = ([0x32, 0x2a, 0x0a] as const)[depth % 3] ?? 0
    reversed.push(...varint(reversed.length).reverse(), tag)
  }
  const graph = reversed.toReversed()
  const bytes = Uint8Array.from([0x08, 8, 0x3a, ...varint(graph.length), ...graph])
  const seconds = processorTime()
  await expect(importOnnx(bytes)).rejects.toThrow(ModelFormatError)
  expect(seconds()).toBeLessThan(1)
})

describe('what cannot be run is listed, all of it', () => {
  const unsupportedOf = async (parts: ModelParts) => (await importParts(parts)).unsupported

  it('lists every node with its op and the reason, and keeps them in the graph', async () => {
    const body = create(GraphProtoSchema, { name: 'body' })
    const { graph, unsupported } = await importParts({
      nodes: [
        node('LSTM', ['x'], ['a', '', 'a2'], {}, { name: 'lstm' }),
        node('QGemm', ['a'], ['b'], {}, { domain: 'com.microsoft' }),
        node('If', ['b'], ['c'], { then_branch: body, else_branch: body }),
        node('Relu', ['c'], ['d']),
        node('Elu', ['d'], ['e'], { gamma: 3 }),
        node('BatchNormalization', ['e', 's', 's', 's', 's'], ['f', 'mean']),
        node('Add', ['f', 'mean'], ['y']),
      ],
      initializers: [initializer('s', [1, 1, 1])],
    })
    expect(unsupported).toEqual([
      { node: 'lstm', op: 'LSTM', reason: 'Tilewright does not have this op' },
      { node: 'QGemm_1', op: 'com.microsoft::QGemm', reason: 'Tilewright does not have this op' },
      { node: 'If_2', op: 'If', reason: 'ops with a subgraph (attribute then_branch) are not supported' },
      { node: 'Elu_4', op: 'Elu', reason: 'attribute gamma is not supported' },
      { node: 'BatchNormalization_5', op: 'BatchNormalization', reason: "its output 1 ('mean') is used, but cannot be computed" },
    ])
    expect(graph.nodes.map(({ op }) => op)).toEqual([
      'LSTM',
      'com.microsoft::QGemm',
      'If',
      'relu',
      'Elu',
      'BatchNormalization',
      'add',
    ])
    expect(graph.nodes[0]).toMatchObject({ inputs: ['x'], outputs: ['a', 'a2'] })
  })

  it('takes further outputs that nothing reads', async () => {
    const { graph, unsupported } = await importParts({
      nodes: [node('MaxPool', ['x'], ['a', 'indices'], { kernel_shape: [2, 2] }), node('Dropout', ['a'], ['y', 'mask'])],
    })
    expect(unsupported).toEqual([])
    expect(graph.nodes.map(({ outputs }) => outputs)).toEqual([['a'], ['y']])
  })

  it('refuses initializers of foreign dtypes by name', async () => {
    const foreign = (dataType: number, name: string): TensorProto =>
      create(TensorProtoSchema, { name, dataType, dims: [1n], rawData: new Uint8Array(8) })
    const reasons = await unsupportedOf({
      nodes: [node('Sum', ['x', 'd', 'b', 's'], ['y'])],
      initializers: [foreign(DataType.DOUBLE, 'd'), foreign(DataType.BFLOAT16, 'b'), foreign(DataType.STRING, 's')],
    })
    expect(reasons).toEqual([
      { node: 'd', op: 'Initializer', reason: 'element type DOUBLE is not supported' },
      { node: 'b', op: 'Initializer', reason: 'element type BFLOAT16 is not supported' },
      { node: 's', op: 'Initializer', reason: 'element type STRING is not supported' },
    ])
  })

  it('refuses sparse initializers, and inputs that are no tensors of ours', async () => {
    const model = modelProto({
      nodes: [node('Sum', ['x', 's', 'q', 'r', 't'], ['y'])],
      inputs: [valueInfo('x', [1]), valueInfo('r'), valueInfo('t', [1], DataType.DOUBLE)],
    })
    const { graph } = model
    if (graph === undefined) throw new Error('no graph')
    graph.sparseInitializer.push(create(SparseTensorProtoSchema, { values: { name: 's', dataType: DataType.FLOAT } }))
    graph.input.push({ ...valueInfo('q', [1]), type: { $typeName: 'onnx.TypeProto', denotation: '', value: { case: undefined } } })
    const { unsupported } = await importOnnx(toBinary(ModelProtoSchema, model))
    expect(unsupported).toEqual([
      { node: 'r', op: 'Input', reason: 'the input has no shape' },
      { node: 't', op: 'Input', reason: 'element type DOUBLE is not supported' },
      { node: 'q', op: 'Input', reason: 'the input has no type' },
      { node: 's', op: 'Initializer', reason: 'sparse tensors are not supported' },
    ])
  })

  it('refuses opsets from the future, ops before their time, and model functions', async () => {
    expect(await unsupportedOf({ opset: 40, nodes: [relu] })).toMatchObject([{ op: 'Relu', reason: matching(/opset 40 is newer/) }])
    expect(await unsupportedOf({ opset: 8, nodes: [node('ConstantOfShape', ['x'], ['y'])] })).toMatchObject([
      { reason: matching(/came with opset 9/) },
    ])
    const functions = [{ name: 'Relu', domain: '' }]
    expect(await unsupportedOf({ nodes: [relu], model: { functions } })).toMatchObject([
      { reason: matching(/functions defined in the model/) },
    ])
  })

  it('takes old opsets where the op has not changed since', async () => {
    const { graph, unsupported } = await importParts({ opset: 6, irVersion: 3, nodes: [relu] })
    expect(unsupported).toEqual([])
    expect(graph.nodes).toMatchObject([{ op: 'relu' }])
  })
})

describe('initializers', () => {
  it.each<[string, MessageInitShape<typeof TensorProtoSchema>, RegExp]>([
    ['too little data', { dims: [3n], rawData: new Uint8Array(8) }, /12 bytes of data, but 8/],
    ['too few values', { dims: [3n], floatData: [1, 2] }, /3 values, but 2/],
    ['huge dimensions', { dims: [2n ** 40n, 2n ** 40n] }, /more elements than can be counted/],
    ['large dimensions without data', { dims: [1_000_000n, 1_000_000n] }, /1000000000000 values, but 0/],
    ['a negative dimension', { dims: [-1n] }, /negative dimension/],
  ])('with %s are refused at once', async (_, init, message) => {
    const proto = create(TensorProtoSchema, { name: 'w', dataType: DataType.FLOAT, ...(init as object) })
    const seconds = processorTime()
    const failure = importParts({ nodes: [node('Add', ['x', 'w'], ['y'])], initializers: [proto] })
    await expect(failure).rejects.toThrow(ModelFormatError)
    await expect(failure).rejects.toThrow(message)
    expect(seconds()).toBeLessThan(1)
  })
})

describe('external data', () => {
  const external = (entries: Record<string, string>, name = 'w'): TensorProto =>
    create(TensorProtoSchema, {
      name,
      dataType: DataType.FLOAT,
      dims: [2n],
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    })
  const bytesOf = (...protos: TensorProto[]) =>
    modelBytes({ nodes: [node('Sum', ['x', ...protos.map(({ name }) => name)], ['y'])], initializers: protos })
  const file = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer)

  it('is read through the callback, each file once', async () => {
    const asked: string[] = []
    const bytes = bytesOf(
      external({ location: 'w.data', offset: '4', length: '8' }),
      external({ location: 'w.data', offset: '12' }, 'v'),
    )
    const { graph } = await importOnnx(bytes, {
      externalData: async (location) => {
        asked.push(location)
        return Promise.resolve(file)
      },
    })
    expect(asked).toEqual(['w.data'])
    expect(listOf(graph.constants.get('w'))).toEqual([1, 2])
    expect(listOf(graph.constants.get('v'))).toEqual([3, 4])
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['a file that is not there', { location: 'gone.data' }, /'gone.data', which cannot be read: no such file/],
    ['a file that is too short', { location: 'w.data', offset: '16' }, /'w.data' has 20 bytes, too few/],
    ['the wrong length', { location: 'w.data', length: '4' }, /8 bytes of data, but 4/],
    ['no location', {}, /name no file/],
    ['a path out of the folder', { location: '../secret' }, /outside the folder/],
    ['an absolute path', { location: '/etc/passwd' }, /outside the folder/],
    ['a path with a drive', { location: 'C:\\x' }, /outside the folder/],
    ['a URL', { location: 'http://host/x' }, /outside the folder/],
    ['an offset that is no number', { location: 'w.data', offset: '-3' }, /offset '-3'/],
  ])('with %s is refused by name', async (_, entries, message) => {
    const failure = importOnnx(bytesOf(external(entries)), {
      externalData: (location) => {
        if (location === 'w.data') return file
        throw new Error('no such file')
      },
    })
    await expect(failure).rejects.toThrow(ModelFormatError)
    await expect(failure).rejects.toThrow(message)
  })

  it('without a callback names the file', async () => {
    await expect(importOnnx(bytesOf(external({ location: 'w.data' })))).rejects.toThrow(/'w.data', which was not given/)
  })
})
