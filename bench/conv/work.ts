/** A convolution as the engines take it: X comes in and Y goes out as NCHW; filters, bias and the activation are the graph's. */
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { convShapes, type ConvCase } from '../cases/conv.ts'
import { ruleAfter } from '../engines/sample.ts'
import type { TfWork, Work } from '../work.ts'
import { convError, convOperands, type ConvOperands } from './operands.ts'

/** A run that takes longer is sampled three times: a software adapter takes seconds for some. */
const LONG_MS = 300

/** @param operands X, filters and bias, where they are not those of every engine */
export function convWork(item: ConvCase, operands: ConvOperands = convOperands(item)): Work {
  return {
    name: item.name,
    graph: convGraph(item, operands),
    feeds: { x: { dtype: item.dtype, shape: convShapes(item).x, values: operands.x } },
    output: 'y',
    ours: 'model',
    firstFromOpening: true,
    resident: true,
    tfjs: tfWork(item, operands),
    rule: async (_, again) => ruleAfter(await again(), LONG_MS),
    error: (values) => convError(item, operands, values),
  }
}

export function convGraph(item: ConvCase, operands: ConvOperands): Graph {
  const { dtype, groups, kernel, stride, dilation, padding, outputPadding, transposed, activation } = item
  const shapes = convShapes(item)
  const g = graph(item.name)
  const constant = (name: 'w' | 'bias') => g.constant(tensor(operands[name], shapes[name], dtype), name)
  const attributes = {
    name: 'convolution',
    kernelShape: kernel,
    strides: [stride, stride],
    dilations: [dilation, dilation],
    pads: [padding, padding, padding, padding],
    group: groups,
    ...(transposed && outputPadding > 0 ? { outputPadding: [outputPadding, outputPadding] } : {}),
  }
  const inputs = [g.input('x', dtype, shapes.x), constant('w'), constant('bias')]
  const sums = g.node(transposed ? 'convTranspose2d' : 'conv2d', inputs, attributes)
  const bound = (value: number) => tensor([value], [], dtype)
  if (activation === 'none') g.output('y', sums)
  else g.output('y', activation === 'relu' ? g.relu(sums) : g.clip(sums, { min: bound(0), max: bound(6) }))
  return g.finish()
}

/** A [N, C, …] tensor's values as [N, …, C]. */
function channelsLast(values: ArrayLike<number>, [batch = 1, channels = 1, ...rest]: readonly number[]): Float32Array<ArrayBuffer> {
  const pixels = rest.reduce((product, extent) => product * extent, 1)
  return reordered(values, [batch, channels, pixels])
}

/** [A, B, C] → [A, C, B]. */
function reordered(values: ArrayLike<number>, [a, b, c]: readonly [number, number, number]): Float32Array<ArrayBuffer> {
  const result = new Float32Array(a * b * c)
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) result[(i * c + k) * b + j] = values[(i * b + j) * c + k] ?? NaN
  }
  return result
}

/** TensorFlow.js has pictures and results as NHWC, filters as [R, S, C, M], and is given them so. */
function tfWork(item: ConvCase, { x, w, bias }: ConvOperands): TfWork | string {
  const { batch, channels, filters, groups, kernel, stride, dilation, padding, outputPadding, transposed, activation } = item
  if (!(x instanceof Float32Array) || !(w instanceof Float32Array) || !(bias instanceof Float32Array))
    return 'it computes in f32 only'
  const isDepthwise = groups === channels && filters === channels
  if (groups > 1 && !isDepthwise) return 'it has no grouped convolution'
  if (transposed && dilation > 1) return 'it has no dilated transposed convolution'
  const shapes = convShapes(item)
  const [rows, columns] = kernel
  // [M, C, R·S] → [R·S, C, M], of a depthwise one [C, 1, R·S] → [R·S, C, 1]; a transposed one [C, M, R·S] → [R·S, M, C].
  const lines = reordered(w, [1, (filters * channels) / groups, rows * columns])
  const pairs = transposed ? ([channels, filters] as const) : ([filters, channels] as const)
  const filter = isDepthwise ? lines : reordered(lines, [rows * columns, ...pairs])
  const filterShape = transposed
    ? [rows, columns, filters, channels]
    : isDepthwise
      ? [rows, columns, channels, 1]
      : [rows, columns, channels, filters]
  const [, , high = 1, wide = 1] = shapes.y
  const around = [padding, padding - outputPadding] as const
  const pad = [[0, 0], around, around, [0, 0]] as const
  return {
    input: { values: channelsLast(x, shapes.x), shape: [batch, ...item.size, channels] },
    weights: (tf) => [tf.tensor(filter, filterShape), tf.tensor(bias, [filters])],
    run(tf, input, [filterTensor, biasTensor]) {
      if (filterTensor === undefined || biasTensor === undefined) throw new Error('Weights are missing')
      if (transposed) {
        const sums = tf.conv2dTranspose(input, filterTensor, [batch, high, wide, filters], stride, pad)
        return tf.add(sums, biasTensor)
      }
      const given = {
        x: input,
        filter: filterTensor,
        strides: stride,
        pad,
        dilations: dilation,
        bias: biasTensor,
        activation: activation === 'none' ? 'linear' : activation,
      } as const
      return isDepthwise ? tf.fused.depthwiseConv2d(given) : tf.fused.conv2d(given)
    },
    result: (values) => reordered(values, [batch, high * wide, filters]),
  }
}
