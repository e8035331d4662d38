/**
 * Import of real models and of ONNX's own node cases, and what damage to a real model ends in. The data lie beside the project, in
 * shared/conformance beside it (see test/conformance/data.ts); without them there is nothing to import and the tests are skipped.
 */
import fc from 'fast-check'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { DtypeError, ModelFormatError } from '../../src/errors.ts'
import { decodeImage, importOnnx, parseLabels, preprocess, type ImportedModel } from '../../src/formats/index.ts'
import { decodeTensorProto, encodeTensorProto } from '../../src/formats/tensor-proto.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { compare } from '../../src/ops/tolerance.ts'
import { byteSize, type HostArray } from '../../src/tensor/dtype.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import type { HostTensor } from '../../src/tensor/tensor.ts'
import { conformance, hasConformance } from '../conformance/data.ts'
import { listOf } from './onnx-builder.ts'
import { processorTime } from '../processor.ts'

const ROOT = conformance('')
const there = hasConformance
const read = (...path: string[]): Uint8Array => readFileSync(join(ROOT, ...path))
const importModel = (set: string, name: string): Promise<ImportedModel> => importOnnx(read(set, name, 'model.onnx'))

const bytesOf = (values: HostArray): Buffer => Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength)

/** How many nodes of each op are unsupported. */
function tally({ unsupported }: ImportedModel): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { op } of unsupported) counts[op] = (counts[op] ?? 0) + 1
  return counts
}

/** The outputs of a graph, node by node through the references. */
function evaluateOnCpu(graph: Graph, inputs: readonly HostTensor[]): (HostTensor | undefined)[] {
  const known = new Map(graph.constants)
  graph.inputs.forEach(({ name }, index) => {
    const value = inputs[index]
    if (value !== undefined) known.set(name, value)
  })
  for (const node of graph.nodes) {
    const definition = opNamed(node.op)
    const attributes = parseAttributes(definition, node.attributes, node.name)
    const operands = node.inputs.map((name) => (name === null ? null : (known.get(name) ?? null)))
    definition.infer({ inputs: operands, values: operands, attributes })
    definition.reference(operands, attributes).forEach(({ tensor }, index) => known.set(node.outputs[index] ?? '', tensor))
  }
  return graph.outputs.map((name) => known.get(name))
}

describe.skipIf(!there)('real models (skipped without ../shared/conformance)', () => {
  it.each(['squeezenet1.1', 'squeezenet1.1-fp16', 'mnist-cntk', 'cifar-resnet20', 'superres-espcn'])(
    '%s is supported in full',
    async (name) => {
      expect((await importModel('models', name)).unsupported).toEqual([])
    },
  )

  it.each([
    ['light_bvlc_alexnet', 40],
    ['light_inception_v1', 237],
    ['light_resnet50', 415],
    ['light_shufflenet', 446],
    ['light_squeezenet', 105],
    ['light_zfnet512', 38],
  ] as const)('%s is supported in full, with %d nodes', async (name, nodes) => {
    const { graph, unsupported, opset, irVersion } = await importModel('light', name)
    expect([unsupported, opset, irVersion, graph.nodes.length]).toEqual([[], 9, 3, nodes])
    expect(graph.inputs).toHaveLength(1)
  })

  it('the inputs of mnist-cntk (IR version 3) are those that are no weights', async () => {
    const { graph } = await importModel('models', 'mnist-cntk')
    expect(graph.inputs).toEqual([{ name: 'Input3', dtype: 'f32', shape: [1, 1, 28, 28] }])
    expect(graph.constants.get('Parameter5')).toMatchObject({ dtype: 'f32', shape: [8, 1, 5, 5] })
  })

  it('squeezenet1.1 has its published weights', async () => {
    const { graph } = await importModel('models', 'squeezenet1.1')
    const weights = [...graph.constants.values()].filter(({ dtype }) => dtype === 'f32')
    expect(weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(1_235_496)
  })

  it.each<[string, Record<string, number>]>([
    ['cifar-resnet20-int8-qdq', {}],
    [
      'cifar-resnet20-int8-qop',
      {
        'com.microsoft::QLinearAdd': 9,
        'com.microsoft::QGemm': 1,
        'com.microsoft::QLinearGlobalAveragePool': 1,
      },
    ],
    ['dtln-1', { LSTM: 2 }],
    ['silero-vad-op18-ifless', { If: 1, Equal: 1 }],
    ['ultraface-rfb320', { Exp: 1 }],
    ['yunet-n-320', { Resize: 2 }],
    ['autoencoder1d', {}],
    ['stories260K-prefill', { Pow: 11, ReduceMean: 11, Sqrt: 11, Split: 10, Expand: 10 }],
  ])('%s lists what is not supported, all of it', async (name, ops) => {
    expect(tally(await importModel('models', name))).toEqual(ops)
  })
})

describe.skipIf(!there)("ONNX's node cases (skipped without ../shared/conformance)", () => {
  const folder = join(ROOT, 'onnx-node')
  const cases = there ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'model.onnx'))) : []

  it('all 1087 import; what is not supported is listed', async () => {
    const outcome = { supported: 0, unsupported: 0, refused: 0 }
    for (const name of cases) {
      try {
        const { unsupported } = await importModel('onnx-node', name)
        if (unsupported.length === 0) outcome.supported++
        else outcome.unsupported++
      } catch (error) {
        expect(error, name).toBeInstanceOf(ModelFormatError)
        outcome.refused++
      }
    }
    expect(outcome).toEqual({ supported: 191, unsupported: 896, refused: 0 })
  })

  it('those supported give their outputs through the CPU references', async () => {
    let count = 0
    for (const name of cases) {
      const { graph, unsupported } = await importModel('onnx-node', name)
      if (unsupported.length > 0) continue
      const tensors = (kind: string): HostTensor[] => {
        const files = readdirSync(join(folder, name, 'test_data_set_0')).filter((file) => file.startsWith(kind))
        return files.map((_, index) => decodeTensorProto(read('onnx-node', name, 'test_data_set_0', `${kind}_${index}.pb`)).tensor)
      }
      const results = evaluateOnCpu(graph, tensors('input'))
      for (const [index, expected] of tensors('output').entries()) {
        const actual = results[index]
        expect([actual?.dtype, actual?.shape], name).toEqual([expected.dtype, expected.shape])
        const [relative, absolute] = expected.dtype === 'f16' ? [2e-3, 1e-3] : [1e-3, 1e-5]
        const kind =
          expected.dtype === 'f32' || expected.dtype === 'f16'
            ? ({ kind: 'relative', relative, absolute } as const)
            : ({ kind: 'exact' } as const)
        expect(actual !== undefined && compare(actual, { tensor: expected, tolerance: kind }).ok, name).toBe(true)
      }
      count++
    }
    expect(count).toBe(191)
  })

  it('all their tensors are read and written back, or their dtype is refused by name', () => {
    const foreign = new Map<string, number>()
    let count = 0
    for (const name of cases) {
      for (const file of readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' }).filter((each) =>
        each.endsWith('.pb'),
      )) {
        try {
          const { tensor, name: own } = decodeTensorProto(read('onnx-node', name, file))
          const again = decodeTensorProto(encodeTensorProto(tensor, own))
          expect(again.name).toBe(own)
          expect([again.tensor.dtype, again.tensor.shape, tensor.values.byteLength]).toEqual([
            tensor.dtype,
            tensor.shape,
            sizeOf(tensor.shape) * byteSize(tensor.dtype),
          ])
          expect(bytesOf(again.tensor.values).equals(bytesOf(tensor.values)), `${name}/${file}`).toBe(true)
          count++
        } catch (error) {
          if (!(error instanceof DtypeError)) throw error
          const dtype = error.details.dtype ?? ''
          foreign.set(dtype, (foreign.get(dtype) ?? 0) + 1)
        }
      }
    }
    expect(count).toBe(3467)
    expect(
      [...foreign.keys()].filter((dtype) =>
        ['float', 'float16', 'int8', 'uint8', 'int32', 'uint32', 'bool', 'int64'].includes(dtype),
      ),
    ).toEqual([])
  })
})

describe.skipIf(!there)('a damaged model (skipped without ../shared/conformance)', () => {
  let valid = new Uint8Array(0)
  beforeAll(() => {
    valid = Uint8Array.from(read('models', 'mnist-cntk', 'model.onnx'))
  })

  async function onlyNamedErrors(bytes: Uint8Array): Promise<boolean> {
    const seconds = processorTime()
    try {
      await importOnnx(bytes)
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(ModelFormatError)
      return true
    } finally {
      expect(seconds()).toBeLessThan(1)
    }
  }

  it('cut anywhere ends in ModelFormatError', async () => {
    // Cutting off whole trailing fields leaves a message that still parses; the model then lacks something.
    let refused = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), async (length) => {
        if (await onlyNamedErrors(valid.subarray(0, length))) refused++
        else throw new Error(`cut at ${length} of ${valid.length} bytes, the model was imported`)
      }),
      { numRuns: 300 },
    )
    expect(refused).toBeGreaterThanOrEqual(300)
  })

  it('with bytes changed anywhere imports or ends in ModelFormatError', async () => {
    let refused = 0
    // Half of the changes in the structure around the weights, which is where they hurt.
    const place = fc.oneof(fc.nat(valid.length - 1), fc.nat(1500), fc.integer({ min: valid.length - 1500, max: valid.length - 1 }))
    const changes = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const bytes = valid.slice()
        for (const [at, value] of list) bytes[at] = value
        if (await onlyNamedErrors(bytes)) refused++
      }),
      { numRuns: 400 },
    )
    expect(refused).toBeGreaterThan(100)
  })

  it('random bytes end in ModelFormatError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        expect(await onlyNamedErrors(bytes)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe.skipIf(!there)('pictures (skipped without ../shared/conformance)', () => {
  const folder = join(ROOT, 'images')
  const pictures = there
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(png|jpe?g)$/.test(name))
    : []

  it('all of them decode', () => {
    expect(pictures.length).toBeGreaterThan(110)
    for (const name of pictures) {
      const { width, height, channels, data } = decodeImage(read('images', name))
      expect(data.length, name).toBe(width * height * channels)
      expect(new Set(data).size, name).toBeGreaterThan(10)
    }
  })

  it('preset caffe makes the input that squeezenet1.1 was given, but for the resampling', () => {
    const input = { dtype: 'f32', shape: [1, 3, 227, 227] } as const
    const expected = decodeTensorProto(read('models', 'squeezenet1.1', 'test_data_set_1', 'input_0.pb')).tensor
    const actual = preprocess(decodeImage(read('images', 'misc', 'bald_eagle.jpeg')), input, { preset: 'caffe' })
    expect(actual.shape).toEqual(expected.shape)
    const reference = listOf(expected).map(Number)
    const mean =
      listOf(actual).reduce<number>((sum, value, i) => sum + Math.abs(Number(value) - (reference[i] ?? 0)), 0) / reference.length
    // 0.61 with antialias, 0.88 bilinear, 0.98 nearest: what is left is how the decoders upsample colour.
    expect(mean).toBeLessThan(0.7)
  })

  it('the ImageNet labels have a synset and a name each', () => {
    const labels = parseLabels(read('images', 'imagenet-labels-synset.txt'))
    expect(labels).toHaveLength(1000)
    expect(labels[22]).toEqual({ synset: 'n01614925', name: expect.stringContaining('bald eagle') as string })
    expect(labels.every(({ synset, name }) => synset !== null && name !== '' && !name.startsWith('n0'))).toBe(true)
  })
})
