/** The networks' figures, exact, against the survey and the published shapes. */
import { describe, expect, test } from 'vitest'
import { isNetworkName, NETWORKS, networkNamed } from '../../models/index.ts'
import { Network } from '../../models/network.ts'
import { SURVEY } from '../../models/survey.ts'
import { ModelFormatError, OptionError, ShapeError } from '../../src/errors.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { inspectGraph } from '../../src/profile/inspect.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

/** Figures of one picture: layers, MACs and weights (without biases) of convolutions and of fully connected layers. */
const FIGURES = {
  lenet5: { conv: [2, 357_600, 2_550], fc: [3, 58_920, 58_920] },
  alexnet: { conv: [5, 665_784_864, 2_332_704], fc: [3, 58_621_952, 58_621_952] },
  overfeat: { conv: [5, 2_671_478_784, 15_984_672], fc: [3, 129_925_120, 129_925_120] },
  vgg16: { conv: [13, 15_346_630_656, 14_710_464], fc: [3, 123_633_664, 123_633_664] },
  googlenet: { conv: [57, 1_581_647_872, 5_966_272], fc: [1, 1_024_000, 1_024_000] },
  resnet50: { conv: [53, 3_855_925_248, 23_454_912], fc: [1, 2_048_000, 2_048_000] },
  'squeezenet1.1': { conv: [26, 349_151_936, 1_231_552], fc: [0, 0, 0] },
  mobilenetv1: { conv: [27, 567_716_352, 3_185_088], fc: [1, 1_024_000, 1_024_000] },
  mobilenetv2: { conv: [52, 299_494_272, 2_189_760], fc: [1, 1_280_000, 1_280_000] },
  efficientnetb0: { conv: [81, 384_534_752, 3_956_192], fc: [1, 1_280_000, 1_280_000] },
  unet: { conv: [23, 150_428_424_448, 31_023_808], fc: [0, 0, 0] },
  unet16: { conv: [23, 952_071_744, 1_939_120], fc: [0, 0, 0] },
} as const

describe.each(Object.entries(FIGURES))('%s', (name, { conv, fc }) => {
  const report = inspectGraph(networkNamed(name).build())

  test('has the layers, MACs and weights of its publication', () => {
    expect([report.conv.layers, report.conv.macs, report.conv.weights]).toEqual(conv)
    expect([report.fc.layers, report.fc.macs, report.fc.weights]).toEqual(fc)
    expect(report.macs).toBe(conv[1] + fc[1])
    expect(report.weights).toBe(conv[2] + fc[2])
    expect(report.unsupported).toEqual([])
  })

  test('counts MACs by batch, weights not', () => {
    const three = inspectGraph(networkNamed(name).build({ batch: 3 }))
    expect(three.macs).toBe(3 * report.macs)
    expect(three.weights).toBe(report.weights)
    expect(three.outputs[0]?.shape?.[0]).toBe(3)
  })
})

test('every network has its figures', () => {
  expect(Object.keys(FIGURES)).toEqual(NETWORKS.map(({ name }) => name))
})

/**
 * All that is trained, biases and batch norms included: as torchvision 0.20 documents its models (`num_params`), Keras MobileNet v1
 * (trainable parameters), and the MACs that the papers print: MobileNet v1 569 and v2 300 million, EfficientNet-B0 0.39 billion,
 * SqueezeNet 1.1 0.72 billion operations of one MAC each twice.
 */
test.each([
  ['resnet50', 25_557_032, 3.86e9, 1e7],
  ['squeezenet1.1', 1_235_496, 0.35e9, 5e6],
  ['mobilenetv1', 4_231_976, 569e6, 5e5],
  ['mobilenetv2', 3_504_872, 300e6, 1e6],
  ['efficientnetb0', 5_288_548, 0.39e9, 5e6],
] as const)('%s has %d trained parameters', (name, trained, macs, within) => {
  const built = networkNamed(name).build()
  const sizes = [...built.constants].map(([weight, { shape }]) => (/\.(weight|bias)$/.test(weight) ? sizeOf(shape) : 0))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(trained)
  expect(Math.abs(inspectGraph(built).macs - macs)).toBeLessThan(within)
})

test('U-Net has the 23 convolutions and the extents of its figure, and 31 million parameters', () => {
  const built = networkNamed('U-Net').build()
  const { layers, outputs } = inspectGraph(built)
  const convolutions = layers.filter(({ op }) => op === 'conv2d' || op === 'convTranspose2d')
  expect(convolutions).toHaveLength(23)
  expect(convolutions.map(({ output }) => output?.at(-1))).toEqual([
    ...[570, 568, 282, 280, 138, 136, 66, 64, 30, 28],
    ...[56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388, 388],
  ])
  expect(layers.filter(({ op }) => op === 'concat').map(({ output }) => output?.[1])).toEqual([1024, 512, 256, 128])
  expect(outputs[0]?.shape).toEqual([1, 2, 388, 388])
  // 31,030,593 where one class is told instead of two.
  const sizes = [...built.constants].map(([name, { shape }]) => (/\.(weight|bias)$/.test(name) ? sizeOf(shape) : 0))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(31_030_593 + 65)
})

test.each([
  ['squeezenet1.1', 'features.3.expand3x3', [1, 64, 55, 55]],
  ['squeezenet1.1', 'features.12', [1, 512, 13, 13]],
  ['mobilenetv1', 'conv6/dw', [1, 256, 28, 28]],
  ['mobilenetv1', 'conv14/pw', [1, 1024, 7, 7]],
  ['mobilenetv2', 'features.2.conv.1.0', [1, 96, 56, 56]],
  ['mobilenetv2', 'features.17.conv.2', [1, 320, 7, 7]],
  ['efficientnetb0', 'features.6.0.block.1.0', [1, 672, 7, 7]],
  ['efficientnetb0', 'features.6.0.block.2.fc1', [1, 28, 1, 1]],
] as const)('%s: %s gives the published shape', (name, layer, shape) => {
  expect(inspectGraph(networkNamed(name).build()).layers.find((each) => each.name === layer)?.output).toEqual(shape)
})

describe('layers of the builder', () => {
  const input = (net: Network) => net.input('x', 6, 17)

  test('a convolution of its own kernel, stride, padding and dilation on either axis', () => {
    const net = new Network('own', {})
    const y = net.conv('conv', input(net), {
      filters: 4,
      kernel: [3, 5],
      stride: [2, 1],
      padding: [1, 4],
      dilation: [1, 2],
      groups: 2,
    })
    // Rows: (17 + 2 − 3) / 2 + 1. Columns: 17 + 8 − 9 + 1.
    expect(y.shape).toEqual([1, 4, 9, 17])
    const made = net.graph(y)
    expect(inspectGraph(made).layers[0]).toMatchObject({
      output: [1, 4, 9, 17],
      problem: { R: 3, S: 5, dilation: [1, 2], groups: 2 },
    })
    expect(made.constants.get('conv.weight')?.shape).toEqual([4, 3, 3, 5])
  })

  test('a crop takes the middle', () => {
    const net = new Network('crop', {})
    const y = net.crop('crop', input(net), 7, 4)
    const x = new HostTensor(
      'f32',
      [1, 6, 17, 17],
      Float32Array.from({ length: 6 * 17 * 17 }, (_, index) => index),
    )
    const made = net.graph(y)
    const node = made.nodes[0]
    const [cropped] = opNamed('slice').reference(
      [x, ...(node?.inputs ?? []).slice(1).map((name) => made.constants.get(name ?? '') ?? null)],
      {},
    )
    expect(cropped?.tensor.shape).toEqual([1, 6, 7, 4])
    expect(cropped?.tensor.values[0]).toBe(5 * 17 + 6)
  })

  test('relu6 holds to 0 and 6', () => {
    const net = new Network('relu6', {})
    const made = net.graph(net.relu6('y', input(net)))
    const bounds = (made.nodes[0]?.inputs ?? []).slice(1).map((name) => made.constants.get(name ?? '')?.values[0])
    expect(bounds).toEqual([0, 6])
  })
})

test('the totals that the issue names', () => {
  const total = (name: string): [number, number] => {
    const { macs, weights } = inspectGraph(networkNamed(name).build())
    return [macs, weights]
  }
  expect(total('alexnet')).toEqual([724_406_816, 60_954_656])
  expect(total('vgg16')).toEqual([15_470_264_320, 138_344_128])
})

describe('beside the survey', () => {
  const number = (text: string): number => Number.parseFloat(text) * { k: 1e3, M: 1e6, G: 1e9 }[text.at(-1) as 'k' | 'M' | 'G']

  /** Half of the last digit printed: 2.67G → 5e6. */
  const halfDigit = (text: string): number => number(`1${text.at(-1)}`) / 2 / 10 ** (text.slice(0, -1).split('.')[1]?.length ?? 0)

  /** Figures that the survey's do not round, which `note` explains. */
  const DIFFERENT: Readonly<Record<string, readonly string[]>> = {
    lenet5: ['convMacs', 'fcLayers', 'fcWeights', 'fcMacs', 'totalWeights', 'totalMacs'],
    googlenet: ['convMacs', 'totalMacs'],
  }

  test.each(Object.keys(SURVEY))('%s', (name) => {
    const survey = SURVEY[name]
    if (survey === undefined) throw new Error(`no survey figures for ${name}`)
    const { conv, fc, macs, weights } = inspectGraph(networkNamed(name).build())
    const ours = {
      convLayers: conv.layers,
      convWeights: conv.weights,
      convMacs: conv.macs,
      fcLayers: fc.layers,
      fcWeights: fc.weights,
      fcMacs: fc.macs,
      totalWeights: weights,
      totalMacs: macs,
    }
    const different = Object.entries(ours).filter(([key, value]) => {
      const printed = survey[key as keyof typeof ours]
      const theirs = typeof printed === 'number' ? printed : number(printed)
      return Math.abs(value - theirs) > (typeof printed === 'number' ? 0 : halfDigit(printed))
    })
    expect(different.map(([key]) => key)).toEqual(DIFFERENT[name] ?? [])
    if (different.length > 0) expect(survey.note.length).toBeGreaterThan(100)
  })

  test("GoogLeNet's 1.43G follow where pooling rounds down", () => {
    const layers = inspectGraph(networkNamed('googlenet').build()).layers
    const roundedDown: Readonly<Record<number, number>> = { 112: 112, 56: 55, 28: 27, 14: 13, 7: 6 }
    const macs = layers.reduce((sum, { kind, macs: own, problem }) => {
      if (kind !== 'conv' || problem === undefined) return sum
      const edge = roundedDown[problem.P] ?? NaN
      return sum + (own / (problem.P * problem.Q)) * edge * edge
    }, 0)
    expect(macs).toBe(1_430_532_352)
    expect(SURVEY['googlenet']?.note).toContain('1,430,532,352')
  })

  test("LeNet-5's 341k are the connections of LeCun et al., biases and subsampling included", () => {
    const c1 = 28 * 28 * 6 * (5 * 5 + 1)
    const s2 = 14 * 14 * 6 * (4 + 1)
    // Their C3 joins 6 maps to 3 inputs, 9 to 4, and 1 to all 6.
    const c3 = 10 * 10 * ((6 * 3 + 9 * 4 + 6) * 25 + 16)
    const s4 = 5 * 5 * 16 * (4 + 1)
    const c5 = 120 * (400 + 1)
    const f6 = 84 * (120 + 1)
    const output = 84 * 10
    expect(c1 + s2 + c3 + s4 + c5 + f6 + output).toBe(340_908)
    expect(SURVEY['lenet5']?.note).toContain('340,908')
  })
})

describe('layers of AlexNet', () => {
  const { layers } = inspectGraph(networkNamed('alexnet').build())
  const shape = (name: string): readonly number[] | null | undefined => layers.find((layer) => layer.name === name)?.output

  test('have the published shapes', () => {
    expect(shape('conv1')).toEqual([1, 96, 55, 55])
    expect(shape('pool1')).toEqual([1, 96, 27, 27])
    expect(shape('conv2')).toEqual([1, 256, 27, 27])
    expect(shape('pool2')).toEqual([1, 256, 13, 13])
    expect(shape('conv5')).toEqual([1, 256, 13, 13])
    expect(shape('pool5')).toEqual([1, 256, 6, 6])
    expect(shape('prob')).toEqual([1, 1000])
  })

  test('run their activation in the kernel of the layer before it', () => {
    const fused = layers.flatMap(({ name, fused_into: into }) => (into === undefined ? [] : [[name, into]]))
    expect(fused).toEqual([...[1, 2, 3, 4, 5].map((layer) => [`relu${layer}`, `conv${layer}`]), ['relu6', 'fc6'], ['relu7', 'fc7']])
  })

  test('are convolutions to the dataflows, the first fully connected one of 6 by 6', () => {
    const problems = layers.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))
    expect(problems).toHaveLength(8)
    expect(problems[1]).toMatchObject({ N: 1, M: 128, C: 48, P: 27, Q: 27, R: 5, S: 5, groups: 2 })
    expect(problems[5]).toMatchObject({ N: 1, M: 4096, C: 256, P: 1, Q: 1, R: 6, S: 6, groups: 1 })
    expect(problems[6]).toMatchObject({ N: 1, M: 4096, C: 4096, P: 1, Q: 1, R: 1, S: 1, groups: 1 })
  })
})

describe('options', () => {
  test('names are taken in any usual spelling', () => {
    expect(networkNamed('VGG-16').name).toBe('vgg16')
    expect(networkNamed('ResNet_50').name).toBe('resnet50')
    expect(isNetworkName('./alexnet')).toBe(false)
    expect(() => networkNamed('alexnet2')).toThrow(OptionError)
    expect(() => networkNamed('alexnet2')).toThrow(/lenet5, alexnet/)
  })

  test('batch and seed are checked', () => {
    expect(() => networkNamed('lenet5').build({ batch: 0 })).toThrow(OptionError)
    expect(() => networkNamed('lenet5').build({ batch: 1.5 })).toThrow(OptionError)
    expect(() => networkNamed('lenet5').build({ seed: Number.NaN })).toThrow(OptionError)
  })

  test('weights differ by seed and are the same for the same seed', () => {
    const weight = (seed: number) => networkNamed('lenet5').build({ seed }).constants.get('conv1.weight')?.values
    expect(weight(1)).toEqual(weight(1))
    expect(weight(1)).not.toEqual(weight(2))
  })

  test('given weights are used, halves widened; a missing or misshapen one is named', () => {
    const seeded = networkNamed('lenet5').build({ seed: 5 }).constants
    const bias = new HostTensor('f32', [6], Float32Array.of(1, 2, 3, 4, 5, 6))
    const given = new Map<string, HostTensor>([...seeded, ['conv1.bias', bias]])
    const { constants } = networkNamed('lenet5').build({ weights: given })
    expect(constants.get('conv1.bias')).toBe(bias)
    expect(constants.get('fc3.weight')).toBe(seeded.get('fc3.weight'))
    given.delete('fc4.bias')
    expect(() => networkNamed('lenet5').build({ weights: given })).toThrow(ModelFormatError)
    expect(() => networkNamed('lenet5').build({ weights: given })).toThrow(/fc4\.bias/)
    const misshapen = new Map<string, HostTensor>([...seeded, ['conv1.bias', new HostTensor('f32', [5], new Float32Array(5))]])
    expect(() => networkNamed('lenet5').build({ weights: misshapen })).toThrow(ShapeError)
  })

  test('no weight is made to look at a network', () => {
    const before = process.memoryUsage().arrayBuffers
    inspectGraph(networkNamed('vgg16').build())
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24)
  })
})
