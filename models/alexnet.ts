/**
 * AlexNet: A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep convolutional neural networks", 2012:
 * 227×227 pictures, layers 2, 4 and 5 in two groups, local response normalisation before overlapping max pooling.
 * Dropout is left out: it does nothing at inference.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions } from './network.ts'

/** The paper's k = 2, n = 5, α = 10⁻⁴, β = 0.75; it multiplies the sum by α, ONNX by alpha / size. */
const LRN = { size: 5, alpha: 5e-4, beta: 0.75, bias: 2 }
const POOL = { kernel: 3, stride: 2 }

export function alexnet(options: NetworkOptions = {}): Graph {
  const net = new Network('alexnet', options)
  let x = net.input('input', 3, 227)
  x = net.relu('relu1', net.conv('conv1', x, { filters: 96, kernel: 11, stride: 4 }))
  x = net.maxPool('pool1', net.lrn('norm1', x, LRN), POOL)
  x = net.relu('relu2', net.conv('conv2', x, { filters: 256, kernel: 5, padding: 2, groups: 2 }))
  x = net.maxPool('pool2', net.lrn('norm2', x, LRN), POOL)
  x = net.relu('relu3', net.conv('conv3', x, { filters: 384, kernel: 3, padding: 1 }))
  x = net.relu('relu4', net.conv('conv4', x, { filters: 384, kernel: 3, padding: 1, groups: 2 }))
  x = net.relu('relu5', net.conv('conv5', x, { filters: 256, kernel: 3, padding: 1, groups: 2 }))
  x = net.maxPool('pool5', x, POOL)
  x = net.relu('relu6', net.linear('fc6', x, 4096))
  x = net.relu('relu7', net.linear('fc7', x, 4096))
  return net.graph(net.softmax('prob', net.linear('fc8', x, 1000)))
}
