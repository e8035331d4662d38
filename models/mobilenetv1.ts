/**
 * MobileNet v1: A. G. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017,
 * table 1: each 3×3 depthwise convolution is followed by a 1×1 convolution, both by batch norm and ReLU.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type ConvOptions, type NetworkOptions, type Value } from './network.ts'

/** Stride of the depthwise convolution, filters of the 1×1 convolution after it. */
const BLOCKS: readonly (readonly [stride: number, filters: number])[] = [
  [1, 64],
  [2, 128],
  [1, 128],
  [2, 256],
  [1, 256],
  [2, 512],
  [1, 512],
  [1, 512],
  [1, 512],
  [1, 512],
  [1, 512],
  [2, 1024],
  [1, 1024],
]

export function mobilenetv1(options: NetworkOptions = {}): Graph {
  const net = new Network('mobilenetv1', options)
  const convBn = (name: string, x: Value, conv: ConvOptions): Value =>
    net.relu(`${name}/relu`, net.batchNorm(`${name}/bn`, net.conv(name, x, { bias: false, ...conv })))

  let x = convBn('conv1', net.input('input', 3, 224), { filters: 32, kernel: 3, stride: 2, padding: 1 })
  let channels = 32
  for (const [index, [stride, filters]] of BLOCKS.entries()) {
    const name = `conv${index + 2}`
    x = convBn(`${name}/dw`, x, { filters: channels, kernel: 3, stride, padding: 1, groups: channels })
    x = convBn(`${name}/pw`, x, { filters, kernel: 1 })
    channels = filters
  }
  return net.graph(net.softmax('prob', net.linear('fc', net.globalAveragePool('pool', x), 1000)))
}
