/** Import of quantised ops: ONNX's own and those of com.microsoft. */
import { TensorProto_DataType as DataType, type NodeProto } from 'onnx-buf'
import { describe, expect, it } from 'vitest'
import { ModelFormatError } from '../../src/errors.ts'
import { importOnnx, type ImportedModel } from '../../src/formats/onnx.ts'
import { MICROSOFT_TABLE } from '../../src/formats/onnx/quantised.ts'
import { REGISTRY } from '../../src/ops/registry.ts'
import { modelBytes, node, valueInfo, type ModelParts } from './onnx-builder.ts'

const MICROSOFT = 'com.microsoft'
const inputs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => valueInfo(name, [2, 2]))

async function importNode(proto: NodeProto, parts: ModelParts = {}): Promise<ImportedModel> {
  const opsetImport = [
    { domain: '', version: 21n },
    { domain: MICROSOFT, version: 1n },
  ]
  return importOnnx(modelBytes({ nodes: [proto], inputs, model: { opsetImport }, ...parts }))
}

describe('quantised ops', () => {
  it.each<[NodeProto, string, (string | null)[], Record<string, unknown>]>([
    [node('MatMulInteger', ['a', 'b', '', 'd'], ['y']), 'matmulInteger', ['a', 'b', null, 'd'], {}],
    [
      node('QLinearMatMul', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], ['y']),
      'qlinearMatmul',
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
      {},
    ],
    [
      node('QuantizeLinear', ['a', 'b'], ['y'], { axis: 0, block_size: 16, output_dtype: DataType.INT8, saturate: 1 }),
      'quantizeLinear',
      ['a', 'b'],
      { axis: 0, blockSize: 16, dtype: 'i8' },
    ],
    [node('QuantizeLinear', ['a', 'b', 'c'], ['y'], { output_dtype: 0 }), 'quantizeLinear', ['a', 'b', 'c'], {}],
    [node('DequantizeLinear', ['a', 'b', 'c'], ['y'], { axis: -1 }), 'dequantizeLinear', ['a', 'b', 'c'], { axis: -1 }],
    [
      node('MatMulIntegerToFloat', ['a', 'b', 'c', 'd', 'e', '', 'g'], ['y'], {}, { domain: MICROSOFT }),
      'matmulInteger',
      ['a', 'b', 'e', null, 'c', 'd', 'g'],
      {},
    ],
    [
      node(
        'MatMulNBits',
        ['a', 'b', 'c', '', '', 'f'],
        ['y'],
        { K: 64, N: 8, bits: 4, block_size: 32, accuracy_level: 4 },
        { domain: MICROSOFT },
      ),
      'matmulNBits',
      ['a', 'b', 'c', null, 'f'],
      { K: 64, N: 8, bits: 4, blockSize: 32, accuracyLevel: 4 },
    ],
  ])('%# $opType', async (proto, op, names, attributes) => {
    const { graph, unsupported } = await importNode(proto)
    expect(unsupported).toEqual([])
    expect(graph.nodes).toEqual([{ name: expect.any(String) as string, op, inputs: names, outputs: ['y'], attributes }])
  })

  it('DynamicQuantizeLinear has three outputs', async () => {
    const { graph } = await importNode(node('DynamicQuantizeLinear', ['a'], ['y', 's', 'z']))
    expect(graph.nodes[0]).toMatchObject({ op: 'dynamicQuantizeLinear', outputs: ['y', 's', 'z'] })
    await expect(importNode(node('DynamicQuantizeLinear', ['a'], ['y']))).rejects.toThrow(/three outputs/)
  })

  it.each<[NodeProto, RegExp]>([
    [node('QuantizeLinear', ['a', 'b'], ['y'], { output_dtype: DataType.UINT16 }), /output_dtype: .*uint16/i],
    [node('MatMulNBits', ['a', 'b', 'c', '', 'e'], ['y'], { K: 64, N: 8 }, { domain: MICROSOFT }), /g_idx/],
    [node('MatMulNBits', ['a', 'b', 'c'], ['y'], { K: 64, N: 8, weight_prepacked: 1 }, { domain: MICROSOFT }), /own order/],
    [node('QGemm', ['a', 'b'], ['y'], {}, { domain: MICROSOFT }), /does not have this op/],
    [node('MatMulNBits', ['a', 'b', 'c'], ['y'], {}, { domain: 'com.other' }), /domain com.other/],
  ])('%# is refused', async (proto, reason) => {
    const { unsupported } = await importNode(proto)
    expect(unsupported).toHaveLength(1)
    expect(unsupported[0]?.reason).toMatch(reason)
  })

  it('a domain that the model does not import is a fault of the file', async () => {
    const proto = node('MatMulNBits', ['a', 'b', 'c'], ['y'], { K: 64, N: 8 }, { domain: MICROSOFT })
    await expect(importNode(proto, { model: {} })).rejects.toThrow(ModelFormatError)
  })

  it('every rule of com.microsoft names an op of the registry', () => {
    expect(MICROSOFT_TABLE.size).toBeGreaterThan(1)
    expect([...MICROSOFT_TABLE.values()].filter(({ op }) => !REGISTRY.has(op))).toEqual([])
  })
})
