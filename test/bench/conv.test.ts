/** The bench of convolutions without a GPU: its cases, their references, what each engine is handed. */
import { describe, expect, test } from 'vitest'
import { CONV, CONV_CASES, convOutput, convShapes, type ConvCase } from '../../bench/cases/conv.ts'
import { caseNamed, casesNamed } from '../../bench/cases/table.ts'
import { convError, convOperands, sampledOutputs } from '../../bench/conv/operands.ts'
import { convWork } from '../../bench/conv/work.ts'
import type { Tf, TfConvolution, TfTensor } from '../../bench/engines/tfjs.ts'
import { numbersOf } from '../../bench/values.ts'
import { OptionError } from '../../src/errors.ts'
import { decodeModel } from '../../src/formats/onnx/decode.ts'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { typeGraph } from '../../src/graph/passes.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { hostTensor } from '../../bench/work.ts'

/** A small case of each form. */
const tiny = (more: Partial<ConvCase>): ConvCase => ({
  name: 'tiny',
  family: '3x3',
  dtype: 'f32',
  transposed: false,
  batch: 2,
  channels: 4,
  filters: 6,
  groups: 1,
  size: [7, 6],
  kernel: [3, 3],
  stride: 1,
  dilation: 1,
  padding: 1,
  outputPadding: 0,
  activation: 'relu',
  ...more,
})

const TINY: readonly (readonly [string, ConvCase])[] = [
  ['plain', tiny({})],
  ['strided and dilated', tiny({ stride: 2, dilation: 2, padding: 2, activation: 'none' })],
  ['grouped', tiny({ groups: 2, kernel: [1, 1], padding: 0 })],
  ['depthwise', tiny({ filters: 4, groups: 4, activation: 'relu6' })],
  ['half floats', tiny({ dtype: 'f16' })],
]
const TRANSPOSED: readonly (readonly [string, ConvCase])[] = [
  ['2×2', tiny({ transposed: true, kernel: [2, 2], stride: 2, padding: 0, activation: 'none' })],
  ['3×3', tiny({ transposed: true, stride: 2, outputPadding: 1, activation: 'none' })],
]

function graphOf(item: ConvCase): Graph {
  const { graph } = convWork(item)
  if (typeof graph === 'string') throw new Error('a convolution is a graph')
  return graph
}

describe('cases', () => {
  test('names are unique and end in the dtype; every family has some', () => {
    expect(new Set(CONV_CASES.map(({ name }) => name)).size).toBe(CONV_CASES.length)
    for (const { name, dtype } of CONV_CASES) expect(name.endsWith(`-${dtype}`)).toBe(true)
    expect(new Set(CONV_CASES.map(({ family }) => family))).toEqual(new Set(CONV.families))
    for (const name of CONV.quick) expect(caseNamed(CONV, name).name).toBe(name)
  })

  test('are chosen by globs and by families', () => {
    expect(casesNamed(CONV, 'transposed').every(({ transposed }) => transposed)).toBe(true)
    expect(casesNamed(CONV, 'resnet50-3x3-*-f32,large')).toHaveLength(4 + 4 + 5)
    expect(() => casesNamed(CONV, 'depthwise,nothing')).toThrow(OptionError)
  })

  test('have the layers that their networks have', () => {
    const shapes = (name: string): readonly (readonly number[])[] => {
      const { x, w, y } = convShapes(caseNamed(CONV, name))
      return [x, w, y]
    }
    expect(shapes('alexnet-conv2-f32')).toEqual([
      [1, 96, 27, 27],
      [256, 48, 5, 5],
      [1, 256, 27, 27],
    ])
    expect(shapes('resnet50-7x7s2-3-64-224-f32')).toEqual([
      [1, 3, 224, 224],
      [64, 3, 7, 7],
      [1, 64, 112, 112],
    ])
    expect(shapes('efficientnet-dw5x5s2-144-56-f32')).toEqual([
      [1, 144, 56, 56],
      [144, 1, 5, 5],
      [1, 144, 28, 28],
    ])
    expect(shapes('unet-up2x2-1024-512-16-f32')).toEqual([
      [1, 1024, 16, 16],
      [1024, 512, 2, 2],
      [1, 512, 32, 32],
    ])
    expect(shapes('unet-up3x3-512-256-32-f32')).toEqual([
      [1, 512, 32, 32],
      [512, 256, 3, 3],
      [1, 256, 64, 64],
    ])
    expect(CONV.macs(caseNamed(CONV, 'resnet50-3x3-64-64-56-f32'))).toBe(56 * 56 * 64 * 64 * 9)
    expect(CONV.macs(caseNamed(CONV, 'mobilenet1-dw3x3-512-14-f32'))).toBe(14 * 14 * 512 * 9)
    expect(CONV.macs(caseNamed(CONV, 'unet-up2x2-1024-512-16-f32'))).toBe(16 * 16 * 1024 * 512 * 4)
    expect(CONV.leastBytes(caseNamed(CONV, 'resnet50-3x3-512-512-7-f32'))).toBe(4 * (2 * 512 * 49 + 512 * 512 * 9 + 512))
  })

  test('a software adapter is spared batches, a GPU nothing', () => {
    const left = CONV_CASES.filter((item) => CONV.leftOut(item, true) !== undefined)
    expect(left.filter(({ batch }) => batch === 1)).toEqual([])
    expect(left).toHaveLength(4)
    expect(CONV_CASES.some((item) => CONV.leftOut(item, false) !== undefined)).toBe(false)
  })
})

describe('references', () => {
  test.each(TINY)('%s: the graph computes what results are held against', (_, item) => {
    const work = convWork(item)
    const net = graphOf(item)
    const feed = work.feeds['x']
    if (feed === undefined) throw new Error('x is fed')
    const x = hostTensor(feed)
    const y = typeGraph(net, new Map([['x', x]]), new Map([['x', x]])).known.get('y')
    if (y === undefined) throw new Error('y is computed')
    expect(y.shape).toEqual(convShapes(item).y)
    const error = work.error(y.values as ArrayLike<number>)
    expect(error).toMatchObject({ rows: y.values.length, of: y.values.length })
    expect(error?.relative).toBeLessThan(item.dtype === 'f16' ? 1e-3 : 1e-6)
    // Not all alike, and not all cut off.
    expect(new Set(y.values as Iterable<number>).size).toBeGreaterThan(y.values.length / 4)
  })

  test.each(TRANSPOSED)('%s transposed: every product lands where its tap puts it', (_, item) => {
    const { channels, filters, batch, size, kernel, stride, padding } = item
    const operands = convOperands(item)
    const [x, w, bias] = [numbersOf(operands.x), numbersOf(operands.w), numbersOf(operands.bias)]
    const [high, wide] = convOutput(item)
    const y = Float64Array.from({ length: batch * filters * high * wide }, (__, index) => {
      return bias[Math.floor(index / (high * wide)) % filters] ?? NaN
    })
    // Scattered: the reference gathers.
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        for (let h = 0; h < size[0]; h++) {
          for (let v = 0; v < size[1]; v++) {
            for (let m = 0; m < filters; m++) {
              for (let r = 0; r < kernel[0]; r++) {
                for (let s = 0; s < kernel[1]; s++) {
                  const [p, q] = [h * stride + r - padding, v * stride + s - padding]
                  if (p < 0 || p >= high || q < 0 || q >= wide) continue
                  const at = ((n * filters + m) * high + p) * wide + q
                  const factor = w[((c * filters + m) * kernel[0] + r) * kernel[1] + s] ?? NaN
                  y[at] = (y[at] ?? NaN) + factor * (x[((n * channels + c) * size[0] + h) * size[1] + v] ?? NaN)
                }
              }
            }
          }
        }
      }
    }
    expect(convError(item, operands, y).relative).toBeLessThan(1e-12)
  })

  test('one wrong value, a NaN and a missing one show', () => {
    const item = tiny({})
    const operands = convOperands(item)
    const net = graphOf(item)
    const x = new HostTensor('f32', convShapes(item).x, Float32Array.from(numbersOf(operands.x)))
    const y = typeGraph(net, new Map([['x', x]]), new Map([['x', x]])).known.get('y')
    const values = Float64Array.from((y?.values ?? []) as ArrayLike<number>)
    const largest = Math.max(...values)
    values[40] = (values[40] ?? 0) + largest / 4
    expect(convError(item, operands, values).relative).toBeCloseTo(0.25, 6)
    values[40] = NaN
    expect(convError(item, operands, values).relative).toBe(Infinity)
    expect(() => convError(item, operands, values.subarray(1))).toThrow('values')
  })

  test('large results are sampled: each channel, row and column, the first and the last', () => {
    const item = caseNamed(CONV, 'vgg16-64-64-224-f32')
    const indices = sampledOutputs(item)
    expect([indices[0], indices.at(-1)]).toEqual([0, 64 * 224 * 224 - 1])
    expect(indices.length).toBeLessThan(200_000)
    expect(new Set(indices.map((index) => index % 224)).size).toBe(224)
    expect(new Set(indices.map((index) => Math.floor(index / 224) % 224)).size).toBe(224)
    expect(new Set(indices.map((index) => Math.floor(index / 224 ** 2))).size).toBe(64)
  })
})

describe('for ONNX Runtime', () => {
  test.each([
    ['alexnet-conv2-f32', ['Conv', 'Relu']],
    ['mobilenet2-dw3x3-144-56-f32', ['Conv', 'Clip']],
    ['efficientnet-dw5x5-240-28-f16', ['Conv']],
  ] as const)('%s: %j, weights within', (name, ops) => {
    const { graph } = decodeModel(exportOnnx(graphOf(caseNamed(CONV, name))))
    expect(graph.node.map(({ opType }) => opType)).toEqual(ops)
    expect([graph.input.map((info) => info.name), graph.output.map((info) => info.name)]).toEqual([['x'], ['y']])
    expect(graph.initializer.slice(0, 2).map((info) => info.name)).toEqual(['w', 'bias'])
  })
})

describe('for TensorFlow.js', () => {
  interface Held extends TfTensor {
    readonly values: Float32Array
  }
  const held = (values: Float32Array, shape: readonly number[]): Held => ({
    values,
    shape,
    data: () => Promise.resolve(values),
    dispose: () => {},
  })
  const valuesOf = (x: TfTensor): Float32Array => {
    if (!('values' in x) || !(x.values instanceof Float32Array)) throw new Error('a tensor of this test')
    return x.values
  }

  /** Its convolutions by their definition: NHWC, filters [R, S, C, M], explicit padding. */
  function convolve({ x, filter, strides, pad, dilations, bias, activation }: TfConvolution, depthwise: boolean): Held {
    const [n = 1, h = 1, v = 1, c = 1] = x.shape
    const [r = 1, s = 1, , last = 1] = filter.shape
    const [top, left] = [pad[1]?.[0] ?? 0, pad[2]?.[0] ?? 0]
    const m = depthwise ? c : last
    const extent = (size: number, ends: readonly number[] | undefined, taps: number): number =>
      Math.floor((size + (ends?.[0] ?? 0) + (ends?.[1] ?? 0) - dilations * (taps - 1) - 1) / strides) + 1
    const [p, q] = [extent(h, pad[1], r), extent(v, pad[2], s)]
    const [a, b, terms] = [valuesOf(x), valuesOf(filter), valuesOf(bias)]
    const y = new Float32Array(n * p * q * m)
    y.forEach((__, index) => {
      const [filterAt, pixel] = [index % m, Math.floor(index / m)]
      const [column, row, batch] = [pixel % q, Math.floor(pixel / q) % p, Math.floor(pixel / q / p)]
      let sum = terms[filterAt] ?? NaN
      for (let i = 0; i < r; i++) {
        for (let j = 0; j < s; j++) {
          const [hh, vv] = [row * strides - top + i * dilations, column * strides - left + j * dilations]
          if (hh < 0 || hh >= h || vv < 0 || vv >= v) continue
          for (let k = depthwise ? filterAt : 0; k < (depthwise ? filterAt + 1 : c); k++) {
            const weight = depthwise ? b[(i * s + j) * c + k] : b[((i * s + j) * c + k) * m + filterAt]
            sum += (weight ?? NaN) * (a[((batch * h + hh) * v + vv) * c + k] ?? NaN)
          }
        }
      }
      y[index] = activation === 'linear' ? sum : Math.min(Math.max(sum, 0), activation === 'relu6' ? 6 : Infinity)
    })
    return held(y, [n, p, q, m])
  }

  const tf: Tf = {
    version_core: '0',
    registerBackend: () => true,
    setBackend: () => Promise.resolve(true),
    tensor: held,
    matMul: () => {
      throw new Error('no product here')
    },
    fused: { conv2d: (given) => convolve(given, false), depthwiseConv2d: (given) => convolve(given, true) },
    conv2dTranspose: () => {
      throw new Error('not here')
    },
    add: (x) => x,
    tidy: (run) => run(),
    slice: (x) => x,
    memory: () => ({}),
  }

  test.each(TINY.filter(([, { dtype, groups, channels }]) => dtype === 'f32' && (groups === 1 || groups === channels)))(
    '%s: operands in its layout, the result in ours',
    (_, item) => {
      const { tfjs, error } = convWork(item)
      if (typeof tfjs === 'string') throw new Error(tfjs)
      const y = tfjs.run(tf, held(tfjs.input.values, tfjs.input.shape), tfjs.weights(tf))
      expect(error(tfjs.result(valuesOf(y)))?.relative).toBeLessThan(1e-6)
    },
  )

  test('what it does not have is told', () => {
    expect(convWork(tiny({ groups: 2 })).tfjs).toMatch(/grouped/)
    expect(convWork(tiny({ dtype: 'f16' })).tfjs).toMatch(/f32 only/)
  })
})
