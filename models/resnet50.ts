/**
 * ResNet-50 (v1): K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", 2016, table 1; the stride of
 * a stage is on its first 1×1 convolution (later versions put it on the 3×3). Batch norm keeps nodes of its own.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions, type Value } from './network.ts'

const STAGES = [
  { id: 'conv2', blocks: 3, width: 64, stride: 1 },
  { id: 'conv3', blocks: 4, width: 128, stride: 2 },
  { id: 'conv4', blocks: 6, width: 256, stride: 2 },
  { id: 'conv5', blocks: 3, width: 512, stride: 2 },
]

/** Seeded weights of a block's last batch norm are small, so that sixteen residual additions do not let activations grow. */
const RESIDUAL_GAIN = 0.25

export function resnet50(options: NetworkOptions = {}): Graph {
  const net = new Network('resnet50', options)
  const convBn = (name: string, x: Value, filters: number, kernel: number, stride = 1, gain = 1): Value => {
    const y = net.conv(name, x, { filters, kernel, stride, padding: (kernel - 1) / 2, bias: false })
    return net.batchNorm(`${name}/bn`, y, gain)
  }

  let x = net.relu('conv1/relu', convBn('conv1', net.input('input', 3, 224), 64, 7, 2))
  x = net.maxPool('pool1', x, { kernel: 3, stride: 2, padding: 1 })
  for (const { id, blocks, width, stride } of STAGES) {
    for (let block = 1; block <= blocks; block++) {
      const name = `${id}_${block}`
      const step = block === 1 ? stride : 1
      let y = net.relu(`${name}/1x1a/relu`, convBn(`${name}/1x1a`, x, width, 1, step))
      y = net.relu(`${name}/3x3/relu`, convBn(`${name}/3x3`, y, width, 3))
      y = convBn(`${name}/1x1b`, y, 4 * width, 1, 1, RESIDUAL_GAIN)
      const shortcut = block === 1 ? convBn(`${name}/proj`, x, 4 * width, 1, step) : x
      x = net.relu(`${name}/relu`, net.add(`${name}/add`, y, shortcut))
    }
  }
  return net.graph(net.softmax('prob', net.linear('fc', net.globalAveragePool('pool5', x), 1000)))
}
