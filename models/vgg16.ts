/** VGG-16: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015, configuration D. */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions } from './network.ts'

/** Filters of the 3×3 convolutions of each block; a 2×2 max pooling ends a block. */
const BLOCKS = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
]

export function vgg16(options: NetworkOptions = {}): Graph {
  const net = new Network('vgg16', options)
  let x = net.input('input', 3, 224)
  BLOCKS.forEach((block, b) => {
    block.forEach((filters, i) => {
      const id = `${b + 1}_${i + 1}`
      x = net.relu(`relu${id}`, net.conv(`conv${id}`, x, { filters, kernel: 3, padding: 1 }))
    })
    x = net.maxPool(`pool${b + 1}`, x, { kernel: 2, stride: 2 })
  })
  x = net.relu('relu6', net.linear('fc6', x, 4096))
  x = net.relu('relu7', net.linear('fc7', x, 4096))
  return net.graph(net.softmax('prob', net.linear('fc8', x, 1000)))
}
