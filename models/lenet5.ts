/**
 * LeNet-5: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998, as the
 * survey of Sze et al. (2017) sketches it: 28×28 digits padded to 32×32, sigmoid after each layer, plain 2×2 average pooling,
 * and a second convolution that sees all six maps (the original joins each filter to some of them).
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions } from './network.ts'

export function lenet5(options: NetworkOptions = {}): Graph {
  const net = new Network('lenet5', options)
  let x = net.input('input', 1, 28)
  x = net.sigmoid('sigmoid1', net.conv('conv1', x, { filters: 6, kernel: 5, padding: 2 }))
  x = net.averagePool('pool1', x, { kernel: 2, stride: 2 })
  x = net.sigmoid('sigmoid2', net.conv('conv2', x, { filters: 16, kernel: 5 }))
  x = net.averagePool('pool2', x, { kernel: 2, stride: 2 })
  x = net.sigmoid('sigmoid3', net.linear('fc3', x, 120))
  x = net.sigmoid('sigmoid4', net.linear('fc4', x, 84))
  return net.graph(net.softmax('prob', net.linear('fc5', x, 10)))
}
