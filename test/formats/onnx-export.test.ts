/** Graphs written as ONNX: read back they are the same network, and ONNX Runtime, where it is installed, computes the same. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { missingPeers, peersFolder } from '../../bench/engines/peers.ts'
import { networkNamed } from '../../models/index.ts'
import { seededInputs } from '../../models/inputs.ts'
import { seededTensor } from '../../models/seeded.ts'
import { ModelFormatError, UnsupportedOpError } from '../../src/errors.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { decodeModel } from '../../src/formats/onnx/decode.ts'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import { formOf } from '../../src/formats/onnx/forms.ts'
import { OP_TABLE } from '../../src/formats/onnx/table.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { resolveInputs, typeGraph } from '../../src/graph/passes.ts'
import { planNodes } from '../../src/graph/planning.ts'
import { allocate } from '../../src/tensor/dtype.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'
import { FACTS } from '../ops/facts.ts'

const weights = (name: string, shape: readonly number[]): HostTensor<'f32'> =>
  seededTensor(7, name, shape, { centre: 0, spread: 0.5 })
const positive = (name: string, shape: readonly number[]): HostTensor<'f32'> =>
  seededTensor(7, name, shape, { centre: 1, spread: 0.5 })

function typed(net: Graph, values: ReadonlyMap<string, HostTensor> = new Map()) {
  const shapes = new Map(net.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
  return typeGraph(net, resolveInputs(net.inputs, shapes), values)
}

/** Every output by the CPU references, for seeded inputs: with their values known, all folds. */
function computed(net: Graph): Map<string, HostTensor> {
  const { known } = typed(net, new Map(Object.entries(seededInputs(net, 3))))
  return new Map(
    net.outputs.map((name) => {
      const value = known.get(name)
      if (value === undefined) throw new Error(`Output ${name} was not computed`)
      return [name, value]
    }),
  )
}

const numbers = ({ values }: Pick<HostTensor, 'values'>): number[] => Array.from(values as ArrayLike<number | bigint>, Number)

/** Attributes are f32 in the file, and a step may be rounded where it was not: beyond this it is another network. */
const CLOSE = 1e-5

function expectClose(actual: readonly number[], wanted: readonly number[], most = CLOSE): void {
  expect(actual).toHaveLength(wanted.length)
  const largest = Math.max(...wanted.map(Math.abs))
  expect(largest).toBeGreaterThan(0)
  actual.forEach((value, index) => expect(Math.abs(value - (wanted[index] ?? NaN)) / largest).toBeLessThanOrEqual(most))
}

const opsOf = (bytes: Uint8Array): string[] => decodeModel(bytes).graph.node.map(({ opType }) => opType)

type Build = (g: GraphBuilder, x: Value) => Value

interface Small {
  readonly name: string
  readonly shape?: readonly number[]
  readonly build: Build
  /** Ops of the file, in order. */
  readonly ops: readonly string[]
}

const w = weights('w', [4, 3, 3, 3])
const bias = weights('bias', [4])
const matrix = weights('matrix', [5, 12])
const residual = weights('residual', [2, 5])
const scale = positive('scale', [5])

const SMALL: readonly Small[] = [
  { name: 'conv', build: (g, x) => g.conv2d(x, w, { bias, stride: 2, padding: 1, dilation: [1, 2] }), ops: ['Conv'] },
  { name: 'conv padded by rule', build: (g, x) => g.conv2d(x, w, { autoPad: 'SAME_LOWER', stride: [2, 1] }), ops: ['Conv'] },
  { name: 'fused conv', build: (g, x) => g.conv2d(x, w, { bias, activation: 'relu' }), ops: ['Conv', 'Relu'] },
  {
    name: 'conv with a residual',
    build: (g, x) => {
      const activation = { name: 'clip', min: 0, max: 6 }
      return g.node('conv2d', [x, w, null, weights('r', [2, 4, 7, 6])], { padding: 1, activation })
    },
    ops: ['Conv', 'Add', 'Clip'],
  },
  {
    name: 'conv over one axis',
    shape: [2, 3, 9],
    build: (g, x) => g.conv2d(x, weights('w1', [4, 3, 3]), { stride: 2 }),
    ops: ['Conv'],
  },
  {
    name: 'conv over three axes',
    shape: [1, 2, 4, 5, 3],
    build: (g, x) => g.conv2d(x, weights('w3', [3, 2, 2, 3, 1]), { padding: [1, 0, 0, 0, 1, 0], bias: weights('b3', [3]) }),
    ops: ['Conv'],
  },
  {
    name: 'transposed conv',
    build: (g, x) => {
      const more = { bias: weights('b2', [2]), activation: { name: 'hardSigmoid', alpha: 0.3 } }
      return g.convTranspose2d(x, weights('wt', [3, 2, 3, 3]), { stride: 2, padding: 1, outputPadding: [1, 0], ...more })
    },
    ops: ['ConvTranspose', 'HardSigmoid'],
  },
  {
    name: 'conv of bytes',
    build: (g, x) => {
      const codes = g.quantizeLinear(x, tensor([0.01], [], 'f32'), { zeroPoint: tensor([100], [], 'u8') })
      const bytes = tensor(
        Int8Array.from({ length: 108 }, (_, index) => ((index * 37) % 251) - 125),
        [4, 3, 3, 3],
      )
      return g.node('cast', [g.convInteger(codes, bytes, { xZeroPoint: tensor([100], [], 'u8'), padding: 1 })], { to: 'f32' })
    },
    ops: ['QuantizeLinear', 'ConvInteger', 'Cast'],
  },
  { name: 'max pool', build: (g, x) => g.maxPool(x, { kernel: 3, stride: 2, padding: 1, ceilMode: true }), ops: ['MaxPool'] },
  {
    name: 'average pool',
    build: (g, x) => g.averagePool(x, { kernel: [3, 2], padding: 1, dilation: 1, countIncludePad: true }),
    ops: ['AveragePool'],
  },
  { name: 'dilated average pool', build: (g, x) => g.averagePool(x, { kernel: 2, dilation: 2 }), ops: ['AveragePool'] },
  { name: 'lrn', build: (g, x) => g.lrn(x, { size: 3, alpha: 0.02, beta: 0.5, bias: 2 }), ops: ['LRN'] },
  {
    name: 'batch norm',
    build: (g, x) =>
      g.batchNorm(x, positive('s', [3]), weights('b', [3]), weights('m', [3]), positive('v', [3]), { epsilon: 1e-3 }),
    ops: ['BatchNormalization'],
  },
  { name: 'linear', shape: [2, 12], build: (g, x) => g.linear(x, matrix, { bias: scale }), ops: ['Gemm'] },
  {
    name: 'linear of pictures',
    shape: [2, 3, 2, 2],
    build: (g, x) => g.linear(x, matrix, { bias: scale }),
    ops: ['Flatten', 'Gemm'],
  },
  {
    name: 'linear with all that follows',
    shape: [2, 12],
    build: (g, x) => g.linear(x, matrix, { bias: scale, scale, residual, activation: 'gelu' }),
    ops: ['Gemm', 'Mul', 'Add', 'Add', 'Mul', 'Mul', 'Mul', 'Add', 'Mul', 'Tanh', 'Add', 'Mul', 'Mul'],
  },
  {
    name: 'gemm',
    shape: [12, 2],
    build: (g, x) => g.gemm(x, matrix, { transA: true, transB: true, alpha: 0.5, beta: 2, c: scale }),
    ops: ['Gemm'],
  },
  {
    name: 'scaled gemm',
    shape: [2, 12],
    build: (g, x) => g.gemm(x, matrix, { transB: true, alpha: 0.5, beta: 2, c: scale, scale, activation: 'silu' }),
    ops: ['Mul', 'Gemm', 'Mul', 'Add', 'Sigmoid', 'Mul'],
  },
  {
    name: 'matmul',
    shape: [2, 5],
    build: (g, x) => g.matmul(x, matrix, { bias: weights('b12', [12]), activation: 'tanh' }),
    ops: ['MatMul', 'Add', 'Tanh'],
  },
  { name: 'clip', build: (g, x) => g.clip(x, { min: -0.25, max: 0.5 }), ops: ['Clip'] },
  { name: 'clip by attributes', build: (g, x) => g.node('clip', [x], { max: 0.5 }), ops: ['Clip'] },
  { name: 'softmax', build: (g, x) => g.softmax(x, { axis: 1 }), ops: ['Softmax'] },
  {
    name: 'softmax of old',
    build: (g, x) => g.softmax(x, { axis: 2, legacy: true }),
    ops: ['Shape', 'Flatten', 'Softmax', 'Reshape'],
  },
  { name: 'slice', build: (g, x) => g.slice(x, { starts: [1, -2], ends: [3, 2 ** 31], axes: [1, 2] }), ops: ['Slice'] },
  { name: 'pad', build: (g, x) => g.pad(x, { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: 'reflect' }), ops: ['Pad'] },
  { name: 'reshape', build: (g, x) => g.reshape(x, [0, -1]), ops: ['Reshape'] },
  { name: 'transpose', build: (g, x) => g.transpose(x, { perm: [0, 2, 3, 1] }), ops: ['Transpose'] },
  { name: 'concat', build: (g, x) => g.concat([x, weights('more', [2, 2, 7, 6])], { axis: 1 }), ops: ['Concat'] },
  {
    name: 'elementwise',
    build: (g, x) => g.add(g.mul(g.sigmoid(x), g.leakyRelu(x, { alpha: 0.2 })), g.div(g.elu(x), positive('d', [6]))),
    ops: ['Sigmoid', 'LeakyRelu', 'Mul', 'Elu', 'Div', 'Add'],
  },
  {
    name: 'hints',
    build: (g, x) => g.dropout(g.identity(g.globalAveragePool(x))),
    ops: ['GlobalAveragePool', 'Identity', 'Dropout'],
  },
  { name: 'cast', build: (g, x) => g.node('cast', [g.node('cast', [x], { to: 'f16' })], { to: 'f32' }), ops: ['Cast', 'Cast'] },
  {
    name: 'quantised',
    build: (g, x) => {
      const factor = tensor([0.01], [], 'f32')
      return g.dequantizeLinear(g.quantizeLinear(x, factor, { dtype: 'i8' }), factor)
    },
    ops: ['QuantizeLinear', 'DequantizeLinear'],
  },
  {
    name: 'integers',
    shape: [2, 12],
    build: (g, x) => {
      const codes = g.quantizeLinear(x, tensor([0.01], [], 'f32'), { zeroPoint: tensor([100], [], 'u8') })
      const bytes = tensor(
        Int8Array.from({ length: 36 }, (_, index) => ((index * 37) % 251) - 125),
        [12, 3],
      )
      const more = { aZeroPoint: tensor([100], [], 'u8'), aScale: tensor([0.01], [], 'f32'), bScale: tensor([0.02], [], 'f32') }
      return g.matmulInteger(codes, bytes, { ...more, bias: weights('b3', [3]), activation: 'relu' })
    },
    ops: ['QuantizeLinear', 'MatMulIntegerToFloat', 'Relu'],
  },
  {
    name: 'integers alone',
    shape: [2, 12],
    build: (g, x) => {
      const codes = g.quantizeLinear(x, tensor([0.01], [], 'f32'), { zeroPoint: tensor([3], [], 'i8') })
      const bytes = tensor(
        Int8Array.from({ length: 36 }, (_, index) => ((index * 37) % 251) - 125),
        [12, 3],
      )
      return g.node('cast', [g.matmulInteger(codes, bytes)], { to: 'f32' })
    },
    ops: ['QuantizeLinear', 'MatMulInteger', 'Cast'],
  },
  {
    name: 'weights of 4 bits',
    shape: [2, 64],
    build: (g, x) => {
      const packed = tensor(
        Uint8Array.from({ length: 3 * 2 * 16 }, (_, index) => (index * 89) & 255),
        [3, 2, 16],
      )
      return g.matmulNBits(x, packed, positive('scales', [3, 2]), { bits: 4, blockSize: 32, bias: weights('b3', [3]) })
    },
    ops: ['MatMulNBits'],
  },
]

function built({ name, shape = [2, 3, 7, 6], build }: Small): Graph {
  const g = graph(name)
  g.output('y', build(g, g.input('x', 'f32', shape)))
  return g.finish()
}

describe('small graphs', () => {
  test.each(SMALL)('$name: $ops', async (small) => {
    const net = built(small)
    const bytes = exportOnnx(net)
    expect(opsOf(bytes)).toEqual(small.ops)
    const { graph: back, unsupported } = await importOnnx(bytes)
    expect(unsupported).toEqual([])
    expect([back.inputs, back.outputs, back.name]).toEqual([net.inputs, net.outputs, net.name])
    const [wanted, actual] = [computed(net).get('y'), computed(back).get('y')]
    if (wanted === undefined || actual === undefined) throw new Error('y is computed')
    expect([actual.dtype, actual.shape]).toEqual([wanted.dtype, wanted.shape])
    expectClose(numbers(actual), numbers(wanted))
  })

  test('one op of each stays one of ours: the same plan, by the same reason', async () => {
    for (const small of SMALL.filter(({ ops, name }) => ops.length === 1 && name !== 'linear')) {
      const net = built(small)
      const { graph: back } = await importOnnx(exportOnnx(net))
      const reasons = (of: Graph): string[] => planNodes(typed(of), FACTS).map(({ plan }) => plan.reason)
      expect(reasons(back), small.name).toEqual(reasons(net))
    }
  })
})

describe('the file', () => {
  test('is of opset 17, or of what an op of it needs', () => {
    const versions = (name: string): unknown[] => {
      const small = SMALL.find((item) => item.name === name)
      if (small === undefined) throw new Error(`no graph ${name}`)
      return [...decodeModel(exportOnnx(built(small))).opsets]
    }
    expect(versions('conv')).toEqual([['', 17]])
    expect(versions('dilated average pool')).toEqual([['', 19]])
    expect(versions('quantised')).toEqual([['', 21]])
    expect(versions('weights of 4 bits')).toEqual([
      ['', 17],
      ['com.microsoft', 1],
    ])
  })

  test('keeps symbolic dimensions, also of what follows from them', async () => {
    const g = graph('symbolic')
    const x = g.input('x', 'f32', ['N', 3, 'H', 8])
    g.output('y', g.linear(g.globalAveragePool(g.conv2d(x, w, { padding: 1 })), weights('fc', [5, 4])))
    g.output('z', g.relu(x))
    const net = g.finish()
    const bytes = exportOnnx(net)
    const outputs = decodeModel(bytes).graph.output.map(({ name, type }) => {
      const value = type?.value
      return [name, value?.case === 'tensorType' ? value.value.shape?.dim.map((dim) => dim.value.value) : undefined]
    })
    expect(outputs).toEqual([
      ['y', [undefined, 5n]],
      ['z', [undefined, 3n, undefined, 8n]],
    ])
    expect((await importOnnx(bytes)).graph.inputs).toEqual(net.inputs)
  })

  test('keeps every dtype of weights, and constants that are lazy', async () => {
    const g = graph('dtypes')
    const x = g.input('x', 'f32', [2])
    for (const dtype of ['f32', 'f16', 'i8', 'u8', 'i32', 'u32', 'bool', 'i64'] as const) {
      const value = new HostTensor(dtype, [3], () => allocate(dtype, 3))
      g.output(dtype, g.identity(g.constant(value, `c-${dtype}`)))
    }
    g.output('y', g.relu(x))
    const { graph: back } = await importOnnx(exportOnnx(g.finish()))
    expect([...back.constants].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual(
      ['f32', 'f16', 'i8', 'u8', 'i32', 'u32', 'bool', 'i64'].map((dtype) => [`c-${dtype}`, dtype, [3]]),
    )
  })

  test('names every node that has no ONNX form, and why', () => {
    const g = graph('mixed')
    const x = g.input('x', 'f32', [2, 4, 3, 3])
    const h = g.maxout(x, { pool: 2, name: 'most' })
    const packed = g.conv2d(h, weights('c', [2, 2, 1, 1]), { outputLayout: 'nhwc', name: 'last' })
    g.output('y', g.matmul(g.flatten(packed), weights('m', [18, 2]), { output: 'f16', name: 'half' }))
    const run = (): unknown => exportOnnx(g.finish())
    expect(run).toThrow(UnsupportedOpError)
    expect(run).toThrow(
      /3 nodes of mixed cannot .*:\n {2}most \(maxout\): ONNX has no such op\n {2}last \(conv2d\): .*nhwc.*\n {2}half \(matmul\): .*f16/,
    )
  })

  test('beyond what a protobuf message holds there is none', () => {
    const g = graph('huge')
    const huge = new HostTensor('f32', [2 ** 15, 2 ** 14], () => {
      throw new Error('values are not read')
    })
    g.output('y', g.linear(g.input('x', 'f32', [1, 2 ** 14]), huge))
    expect(() => exportOnnx(g.finish())).toThrow(ModelFormatError)
  })

  test('every op that is read can be written', () => {
    const ops = [...OP_TABLE.values()].map(({ op }) => op).filter((op) => op !== 'constant')
    expect(ops.filter((op) => formOf(op) === undefined)).toEqual([])
    expect(ops.length).toBeGreaterThan(40)
  })
})

/** What of onnxruntime-node is used here. */
interface Ort {
  readonly Tensor: new (type: string, data: unknown, shape: readonly number[]) => unknown
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: object): Promise<Record<string, { readonly data: ArrayLike<number>; readonly dims: number[] }>> }>
  }
}

const missing = missingPeers(peersFolder())
if (missing.length > 0) console.log(`ONNX Runtime is not asked: ${missing.join(', ')} not installed in bench/peers`)

describe.each(missing.length === 0 ? ['ONNX Runtime'] : [])('%s', () => {
  const load = (): Ort => createRequire(join(peersFolder(), 'package.json'))('onnxruntime-node') as Ort

  async function run(net: Graph): Promise<ReadonlyMap<string, readonly number[]>> {
    const ort = load()
    const session = await ort.InferenceSession.create(exportOnnx(net), { executionProviders: ['cpu'], logSeverityLevel: 4 })
    const feeds = Object.entries(seededInputs(net, 3)).map(([name, { values, shape }]): [string, unknown] => [
      name,
      new ort.Tensor('float32', values, shape),
    ])
    const results = await session.run(Object.fromEntries(feeds))
    return new Map(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]))
  }

  test.each(SMALL)('computes the same: $name', async (small) => {
    const net = built(small)
    const wanted = computed(net).get('y')
    if (wanted === undefined) throw new Error('y is computed')
    expectClose((await run(net)).get('y') ?? [], numbers(wanted), small.name === 'quantised' ? 0.02 : 1e-4)
  })

  test('runs a network: LeNet-5', async () => {
    const net = networkNamed('lenet5').build({ seed: 5 })
    const [output = ''] = net.outputs
    const wanted = computed(net).get(output)
    if (wanted === undefined) throw new Error('the output is computed')
    expectClose((await run(net)).get(output) ?? [], numbers(wanted), 1e-4)
  })
})
