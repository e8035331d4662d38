/**
 * OverFeat, the fast model: P. Sermanet et al., "OverFeat: integrated recognition, localization and detection using
 * convolutional networks", 2014, table 1.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions } from './network.ts'

const POOL = { kernel: 2, stride: 2 }

export function overfeat(options: NetworkOptions = {}): Graph {
  const net = new Network('overfeat', options)
  let x = net.input('input', 3, 231)
  x = net.relu('relu1', net.conv('conv1', x, { filters: 96, kernel: 11, stride: 4 }))
  x = net.maxPool('pool1', x, POOL)
  x = net.relu('relu2', net.conv('conv2', x, { filters: 256, kernel: 5 }))
  x = net.maxPool('pool2', x, POOL)
  x = net.relu('relu3', net.conv('conv3', x, { filters: 512, kernel: 3, padding: 1 }))
  x = net.relu('relu4', net.conv('conv4', x, { filters: 1024, kernel: 3, padding: 1 }))
  x = net.relu('relu5', net.conv('conv5', x, { filters: 1024, kernel: 3, padding: 1 }))
  x = net.maxPool('pool5', x, POOL)
  x = net.relu('relu6', net.linear('fc6', x, 3072))
  x = net.relu('relu7', net.linear('fc7', x, 4096))
  return net.graph(net.softmax('prob', net.linear('fc8', x, 1000)))
}
