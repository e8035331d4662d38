/**
 * GoogLeNet (Inception v1): C. Szegedy et al., "Going deeper with convolutions", 2015, table 1. Pooling rounds up, as in the
 * published model (112, 56, 28, 14, 7 pixels). The two auxiliary classifiers serve training only and are left out.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions, type Value } from './network.ts'

const LRN = { size: 5, alpha: 1e-4, beta: 0.75, bias: 1 }
const POOL = { kernel: 3, stride: 2, ceil: true }

/** Filters: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection. A pooling stands after 3b, 4e. */
const INCEPTIONS: readonly (readonly [string, number, number, number, number, number, number])[] = [
  ['3a', 64, 96, 128, 16, 32, 32],
  ['3b', 128, 128, 192, 32, 96, 64],
  ['4a', 192, 96, 208, 16, 48, 64],
  ['4b', 160, 112, 224, 24, 64, 64],
  ['4c', 128, 128, 256, 24, 64, 64],
  ['4d', 112, 144, 288, 32, 64, 64],
  ['4e', 256, 160, 320, 32, 128, 128],
  ['5a', 256, 160, 320, 32, 128, 128],
  ['5b', 384, 192, 384, 48, 128, 128],
]

export function googlenet(options: NetworkOptions = {}): Graph {
  const net = new Network('googlenet', options)
  const conv = (name: string, x: Value, filters: number, kernel = 1, stride = 1): Value =>
    net.relu(`${name}/relu`, net.conv(name, x, { filters, kernel, stride, padding: (kernel - 1) / 2 }))

  let x = conv('conv1', net.input('input', 3, 224), 64, 7, 2)
  x = net.lrn('norm1', net.maxPool('pool1', x, POOL), LRN)
  x = conv('conv2', conv('conv2_reduce', x, 64), 192, 3)
  x = net.maxPool('pool2', net.lrn('norm2', x, LRN), POOL)
  for (const [id, one, reduce3, three, reduce5, five, projection] of INCEPTIONS) {
    const name = `inception_${id}`
    x = net.concat(`${name}/output`, [
      conv(`${name}/1x1`, x, one),
      conv(`${name}/3x3`, conv(`${name}/3x3_reduce`, x, reduce3), three, 3),
      conv(`${name}/5x5`, conv(`${name}/5x5_reduce`, x, reduce5), five, 5),
      conv(`${name}/pool_proj`, net.maxPool(`${name}/pool`, x, { kernel: 3, stride: 1, padding: 1 }), projection),
    ])
    if (id === '3b' || id === '4e') x = net.maxPool(`pool${id[0]}`, x, POOL)
  }
  return net.graph(net.softmax('prob', net.linear('fc', net.globalAveragePool('pool5', x), 1000)))
}
