/** Each op's rule: attributes under our names, and older forms brought to the newest. */
import { create } from '@bufbuild/protobuf'
import { TensorProto_DataType as DataType, TensorProtoSchema, type NodeProto } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { ModelFormatError } from '../../src/errors.ts'
import { importOnnx, type ImportedModel } from '../../src/formats/onnx.ts'
import { OP_TABLE } from '../../src/formats/onnx/table.ts'
import { REGISTRY } from '../../src/ops/registry.ts'
import { toTensorProto } from '../../src/formats/tensor-proto.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { floats, initializer, listOf, matching, modelBytes, node, valueInfo, type ModelParts } from './onnx-builder.ts'

async function importNode(proto: NodeProto, parts: ModelParts = {}): Promise<ImportedModel> {
  return importOnnx(modelBytes({ nodes: [proto], ...parts }))
}

/** [values, dtype] of a constant input of the last node. */
function constantOf(
  { graph }: ImportedModel,
  index: number,
): { dtype: string; shape: readonly number[]; values: (number | bigint)[] } {
  const constant = graph.constants.get(graph.nodes.at(-1)?.inputs[index] ?? '')
  if (constant === undefined) throw new Error(`input ${index} is no constant`)
  return { dtype: constant.dtype, shape: constant.shape, values: listOf(constant) }
}

describe('plain ops', () => {
  it.each<[NodeProto, string, Record<string, unknown>]>([
    [node('Gemm', ['x', 'x'], ['y'], { alpha: { float: 0.5 }, transB: 1 }), 'gemm', { alpha: 0.5, transB: true }],
    [node('MatMul', ['x', 'x'], ['y']), 'matmul', {}],
    [
      node('MaxPool', ['x'], ['y'], { kernel_shape: [3, 3], ceil_mode: 1, strides: [2, 2], dilations: [1, 1] }),
      'maxPool',
      { kernel: [3, 3], ceilMode: true, stride: [2, 2], dilation: [1, 1] },
    ],
    [
      node('AveragePool', ['x'], ['y'], { kernel_shape: [2, 2], auto_pad: 'SAME_UPPER', count_include_pad: 1, pads: [0, 0, 0, 0] }),
      'averagePool',
      { kernel: [2, 2], autoPad: 'SAME_UPPER', countIncludePad: true, padding: [0, 0, 0, 0] },
    ],
    [node('GlobalAveragePool', ['x'], ['y']), 'globalAveragePool', {}],
    [node('GlobalMaxPool', ['x'], ['y']), 'globalMaxPool', {}],
    [
      node('LRN', ['x'], ['y'], { size: 5, alpha: { float: 0.25 }, beta: { float: 0.75 }, bias: { float: 2 } }),
      'lrn',
      { size: 5, alpha: 0.25, beta: 0.75, bias: 2 },
    ],
    [node('LeakyRelu', ['x'], ['y'], { alpha: { float: 0.125 } }), 'leakyRelu', { alpha: 0.125 }],
    [node('HardSigmoid', ['x'], ['y'], { alpha: { float: 0.125 } }), 'hardSigmoid', { alpha: 0.125 }],
    [node('HardSwish', ['x'], ['y']), 'hardSwish', {}],
    [node('PRelu', ['x', 'x'], ['y']), 'prelu', {}],
    [node('Elu', ['x'], ['y'], { alpha: { float: 2 } }), 'elu', { alpha: 2 }],
    [node('Sigmoid', ['x'], ['y']), 'sigmoid', {}],
    [node('Tanh', ['x'], ['y']), 'tanh', {}],
    [node('Sub', ['x', 'x'], ['y']), 'sub', {}],
    [node('Mul', ['x', 'x'], ['y']), 'mul', {}],
    [node('Div', ['x', 'x'], ['y']), 'div', {}],
    [node('Sum', ['x', 'x', 'x'], ['y']), 'sum', {}],
    [node('Concat', ['x', 'x'], ['y'], { axis: -1 }), 'concat', { axis: -1 }],
    [node('Flatten', ['x'], ['y'], { axis: 2 }), 'flatten', { axis: 2 }],
    [node('Transpose', ['x'], ['y'], { perm: [3, 2, 1, 0] }), 'transpose', { perm: [3, 2, 1, 0] }],
    [node('DepthToSpace', ['x'], ['y'], { blocksize: 2, mode: 'CRD' }), 'depthToSpace', { blocksize: 2, mode: 'CRD' }],
    [node('SpaceToDepth', ['x'], ['y'], { blocksize: 2 }), 'spaceToDepth', { blocksize: 2 }],
    [node('Identity', ['x'], ['y']), 'identity', {}],
    [node('Shape', ['x'], ['y'], { start: 1, end: -1 }), 'shape', { start: 1, end: -1 }],
    [node('Gather', ['x', 'x'], ['y'], { axis: 1 }), 'gather', { axis: 1 }],
    [node('Softmax', ['x'], ['y'], { axis: 1 }), 'softmax', { axis: 1 }],
    [node('Cast', ['x'], ['y'], { to: DataType.FLOAT16 }), 'cast', { to: 'f16' }],
  ])('%# $opType', async (proto, op, attributes) => {
    const { graph, unsupported } = await importNode(proto, { opset: 15 })
    expect(unsupported).toEqual([])
    expect(graph.nodes).toEqual([{ name: expect.any(String) as string, op, inputs: proto.input, outputs: ['y'], attributes }])
  })

  it('every rule names an op of the registry, each once', () => {
    const ops = [...OP_TABLE.values()].map(({ op }) => op).filter((op) => op !== 'constant')
    expect(new Set(ops).size).toBe(ops.length)
    expect(ops.filter((op) => !REGISTRY.has(op))).toEqual([])
  })
})

describe('attributes that became inputs', () => {
  it('Slice: starts, ends and axes before opset 10', async () => {
    const max = 2n ** 63n - 1n
    const imported = await importNode(node('Slice', ['x'], ['y'], { starts: [1, -2], ends: [3n, max], axes: [2, 3] }), { opset: 9 })
    expect(imported.graph.nodes).toMatchObject([{ op: 'slice', attributes: {} }])
    expect(constantOf(imported, 1)).toEqual({ dtype: 'i64', shape: [2], values: [1n, -2n] })
    expect(constantOf(imported, 2).values).toEqual([3n, max])
    expect(constantOf(imported, 3).values).toEqual([2n, 3n])
    const plain = await importNode(node('Slice', ['x'], ['y'], { starts: [1], ends: [3] }), { opset: 8 })
    expect(plain.graph.nodes[0]?.inputs).toHaveLength(3)
  })

  it('Slice: inputs from opset 10', async () => {
    const parts = { initializers: [initializer('s', [1n]), initializer('e', [2n])] }
    const { graph } = await importNode(node('Slice', ['x', 's', 'e'], ['y']), { ...parts, opset: 10 })
    expect(graph.nodes[0]?.inputs).toEqual(['x', 's', 'e'])
    await expect(importNode(node('Slice', ['x'], ['y']), { opset: 10 })).rejects.toThrow(/starts and ends are missing/)
    await expect(importNode(node('Slice', ['x'], ['y']), { opset: 9 })).rejects.toThrow(ModelFormatError)
  })

  it('Pad: pads and value before opset 11', async () => {
    const proto = node('Pad', ['x'], ['y'], { pads: [0, 0, 1, 1, 0, 0, 2, 2], value: { float: 1.5 }, mode: 'constant' })
    const imported = await importNode(proto, { opset: 10 })
    expect(imported.graph.nodes).toMatchObject([{ op: 'pad', attributes: { mode: 'constant' } }])
    expect(constantOf(imported, 1)).toEqual({ dtype: 'i64', shape: [8], values: [0n, 0n, 1n, 1n, 0n, 0n, 2n, 2n] })
    expect(constantOf(imported, 2)).toEqual({ dtype: 'f32', shape: [], values: [1.5] })
    const reflect = await importNode(node('Pad', ['x'], ['y'], { pads: [0, 1], mode: 'reflect' }), { opset: 8 })
    expect(reflect.graph.nodes).toMatchObject([{ attributes: { mode: 'reflect' } }])
    expect(reflect.graph.nodes[0]?.inputs).toHaveLength(2)
    await expect(importNode(node('Pad', ['x'], ['y'], {}), { opset: 10 })).rejects.toThrow(/pads is missing/)
    await expect(importNode(node('Pad', ['x'], ['y'], {}), { opset: 13 })).rejects.toThrow(/Input 1 is missing/)
  })

  it('Pad: the value has the dtype of the input, through a cast too, and is refused where that is not known', async () => {
    const pad = node('Pad', ['a'], ['y'], { pads: [0, 1], value: { float: 1.5 } })
    const cast = await importOnnx(modelBytes({ opset: 9, nodes: [node('Cast', ['x'], ['a'], { to: DataType.FLOAT16 }), pad] }))
    expect(constantOf(cast, 2)).toEqual({ dtype: 'f16', shape: [], values: [1.5] })
    const { unsupported } = await importOnnx(modelBytes({ opset: 9, nodes: [node('Mystery', ['x'], ['a']), pad] }))
    expect(unsupported).toMatchObject([{ op: 'Mystery' }, { op: 'Pad', reason: matching(/not known at import/) }])
  })

  it('Clip: min and max are attributes before opset 11, inputs from then on', async () => {
    const old = await importNode(node('Clip', ['x'], ['y'], { min: { float: 0 }, max: { float: 6 } }), { opset: 10 })
    expect(old.graph.nodes).toMatchObject([{ op: 'clip', inputs: ['x'], attributes: { min: 0, max: 6 } }])
    expect((await importNode(node('Clip', ['x'], ['y']), { opset: 6 })).graph.nodes).toMatchObject([
      { inputs: ['x'], attributes: {} },
    ])
    const newer = await importNode(node('Clip', ['x', '', 'm'], ['y']), { opset: 11, initializers: [initializer('m', [6], [])] })
    expect(newer.graph.nodes).toMatchObject([{ inputs: ['x', null, 'm'], attributes: {} }])
  })

  it.each(['Squeeze', 'Unsqueeze'])('%s: axes before opset 13', async (opType) => {
    const imported = await importNode(node(opType, ['x'], ['y'], { axes: [0, -1] }), { opset: 11 })
    expect(imported.graph.nodes).toMatchObject([{ op: opType.toLowerCase(), attributes: {} }])
    expect(constantOf(imported, 1).values).toEqual([0n, -1n])
    const newer = await importNode(node(opType, ['x', 'a'], ['y']), { opset: 13, initializers: [initializer('a', [0n])] })
    expect(newer.graph.nodes[0]?.inputs).toEqual(['x', 'a'])
    const bare = importNode(node(opType, ['x'], ['y']), { opset: 12 })
    if (opType === 'Squeeze') expect((await bare).graph.nodes[0]?.inputs).toEqual(['x'])
    else await expect(bare).rejects.toThrow(/axes is missing/)
  })

  it('Dropout becomes the identity, whatever its ratio', async () => {
    const old = await importNode(node('Dropout', ['x'], ['y'], { ratio: { float: 0.5 } }), { opset: 9 })
    expect(old.graph.nodes).toMatchObject([{ op: 'dropout', inputs: ['x'], attributes: {} }])
    const no = initializer('t', [false], [])
    const newer = await importNode(node('Dropout', ['x', 'r', 't'], ['y']), { initializers: [initializer('r', [0.3], []), no] })
    expect(newer.graph.nodes).toMatchObject([{ op: 'dropout', inputs: ['x'] }])
    expect(newer.graph.constants.size).toBe(0)
  })

  it('Dropout in training is refused, unless it drops nothing', async () => {
    const training = (ratio: number, t: string): Promise<ImportedModel> =>
      importNode(node('Dropout', ['x', 'r', t], ['y']), {
        initializers: [initializer('r', [ratio], []), initializer('yes', [true], [])],
        inputs: [valueInfo('x', [1]), valueInfo('t', [], DataType.BOOL)],
      })
    expect((await training(0.5, 'yes')).unsupported).toMatchObject([{ reason: matching(/training_mode is true/) }])
    expect((await training(0, 'yes')).unsupported).toEqual([])
    const fed = await training(0.5, 't')
    expect([fed.unsupported, fed.graph.nodes[0]?.inputs]).toEqual([[], ['x', 'r', 't']])
  })

  it('the mask of Dropout and the indices of MaxPool are further outputs', async () => {
    const nodes = [
      node('Dropout', ['x'], ['a', 'mask']),
      node('MaxPool', ['a'], ['b', 'i'], { kernel_shape: [2, 2], storage_order: 1 }),
    ]
    const { graph, unsupported } = await importOnnx(modelBytes({ opset: 12, nodes, outputs: ['b', 'mask', 'i'] }))
    expect(unsupported).toEqual([])
    expect(graph.nodes).toMatchObject([
      { op: 'dropout', outputs: ['a', 'mask'], attributes: { mask: true } },
      { op: 'maxPool', outputs: ['b', 'i'], attributes: { indices: true, storageOrder: 1, kernel: [2, 2] } },
    ])
    const old = await importOnnx(modelBytes({ opset: 9, nodes, outputs: ['b', 'mask'] }))
    expect(old.unsupported).toMatchObject([{ op: 'Dropout', reason: matching(/mask of floats/) }])
  })
})

describe('softmax before opset 13', () => {
  const legacy = (attributes: Record<string, number>, parts: ModelParts = {}): Promise<ImportedModel> =>
    importNode(node('Softmax', ['x'], ['y'], attributes), { opset: 11, ...parts })

  it('is the new one where the axis is the last', async () => {
    for (const [axis, shape] of [
      [3, [1, 2, 3, 4]],
      [-1, [1, 2, 3, 4]],
      [1, [5, 'N']],
    ] as const) {
      const { graph } = await legacy({ axis }, { inputs: [valueInfo('x', shape)] })
      expect(graph.nodes).toMatchObject([{ op: 'softmax', inputs: ['x'], outputs: ['y'], attributes: { axis: -1 } }])
    }
  })

  it('else is the old one', async () => {
    expect((await legacy({})).graph.nodes).toMatchObject([{ op: 'softmax', attributes: { axis: 1, legacy: true } }])
    expect((await legacy({ axis: -2 })).graph.nodes).toMatchObject([{ attributes: { axis: -2, legacy: true } }])
  })

  it('sees ranks through other nodes', async () => {
    const nodes = [node('Flatten', ['x'], ['a']), node('Relu', ['a'], ['b']), node('Softmax', ['b'], ['y'])]
    const { graph } = await importOnnx(modelBytes({ opset: 9, nodes }))
    expect(graph.nodes.at(-1)).toMatchObject({ op: 'softmax', attributes: { axis: -1 } })
  })
})

describe('constants', () => {
  it.each<[string, NodeProto, { dtype: string; shape: number[]; values: (number | bigint)[] }]>([
    [
      'a tensor',
      node('Constant', [], ['y'], { value: toTensorProto(tensor([1, 2, 3, 4], [2, 2])) }),
      { dtype: 'f32', shape: [2, 2], values: [1, 2, 3, 4] },
    ],
    ['a float', node('Constant', [], ['y'], { value_float: { float: 0.5 } }), { dtype: 'f32', shape: [], values: [0.5] }],
    [
      'floats',
      node('Constant', [], ['y'], {}, { raw: [floats('value_floats', [1, 2])] }),
      { dtype: 'f32', shape: [2], values: [1, 2] },
    ],
    ['an integer', node('Constant', [], ['y'], { value_int: -7 }), { dtype: 'i64', shape: [], values: [-7n] }],
    ['integers', node('Constant', [], ['y'], { value_ints: [1, 2] }), { dtype: 'i64', shape: [2], values: [1n, 2n] }],
  ])('hold %s', async (_, proto, expected) => {
    const { graph, unsupported } = await importNode(proto)
    const constant = graph.constants.get('y')
    expect(unsupported).toEqual([])
    expect(graph.nodes).toEqual([])
    expect({ dtype: constant?.dtype, shape: constant?.shape, values: listOf(constant) }).toEqual(expected)
  })

  it('of strings and foreign dtypes are refused, those without a value broken', async () => {
    expect((await importNode(node('Constant', [], ['y'], { value_string: 'a' }))).unsupported).toMatchObject([
      { reason: matching(/string tensors/) },
    ])
    const double = create(TensorProtoSchema, { dataType: DataType.DOUBLE, dims: [1n], doubleData: [1] })
    expect((await importNode(node('Constant', [], ['y'], { value: double }))).unsupported).toMatchObject([
      { reason: matching(/DOUBLE/) },
    ])
    await expect(importNode(node('Constant', [], ['y']))).rejects.toThrow(/no value/)
  })

  it('ConstantOfShape has a value and a dtype', async () => {
    const value = toTensorProto(tensor([7], [1], 'i64'))
    const filled = await importNode(node('ConstantOfShape', ['x'], ['y'], { value }))
    expect(filled.graph.nodes).toMatchObject([{ op: 'constantOfShape', attributes: { value: 7n, dtype: 'i64' } }])
    const large = toTensorProto(tensor([2n ** 62n + 1n]))
    const exact = await importNode(node('ConstantOfShape', ['x'], ['y'], { value: large }))
    expect(exact.graph.nodes).toMatchObject([{ attributes: { value: 2n ** 62n + 1n } }])
    const zeros = await importNode(node('ConstantOfShape', ['x'], ['y']))
    expect(zeros.graph.nodes).toMatchObject([{ attributes: { value: 0, dtype: 'f32' } }])
  })
})

describe('forms that are not supported', () => {
  const bn = ['x', 's', 'b', 'm', 'v']
  const stats = bn.slice(1).map((name) => initializer(name, [1, 1, 1]))
  it.each<[string, NodeProto, ModelParts, RegExp]>([
    [
      'batch norm in training',
      node('BatchNormalization', bn, ['y'], { training_mode: 1 }),
      { opset: 14, initializers: stats },
      /training_mode = 1/,
    ],
    [
      'batch norm per element',
      node('BatchNormalization', bn, ['y'], { spatial: 0 }),
      { opset: 8, initializers: stats },
      /spatial = 0/,
    ],
    ['a cast to double', node('Cast', ['x'], ['y'], { to: DataType.DOUBLE }), {}, /cast to DOUBLE/],
    ['4-D convolution by its kernel', node('Conv', ['x', 'x'], ['y'], { kernel_shape: [3, 3, 3, 3] }), {}, /over 4 axes/],
    [
      '4-D transposed convolution by its weights',
      node('ConvTranspose', ['x', 'w'], ['y']),
      { initializers: [initializer('w', [1], [1, 1, 1, 1, 1, 1])] },
      /over 4 axes/,
    ],
    ['an unknown mode', node('DepthToSpace', ['x'], ['y'], { blocksize: 2, mode: 'XYZ' }), {}, /attribute mode: .*DCR/],
    ['an unknown padding', node('Conv', ['x', 'x'], ['y'], { auto_pad: 'SOME' }), {}, /attribute autoPad/],
    ['a missing block size', node('SpaceToDepth', ['x'], ['y']), {}, /attribute blocksize/],
  ])('%s', async (_, proto, parts, reason) => {
    expect((await importNode(proto, parts)).unsupported).toMatchObject([{ op: proto.opType, reason: matching(reason) }])
  })

  it('batch norm for inference is taken', async () => {
    const proto = node('BatchNormalization', bn, ['y'], { epsilon: { float: 0.5 }, momentum: { float: 0.9 }, spatial: 1 })
    const { graph, unsupported } = await importNode(proto, { opset: 8, initializers: stats })
    expect(unsupported).toEqual([])
    expect(graph.nodes).toMatchObject([{ op: 'batchNorm', attributes: { epsilon: 0.5 } }])
  })
})
