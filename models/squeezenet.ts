/**
 * SqueezeNet 1.1: F. N. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016, in
 * the authors' second version (first layer 3×3 with 64 filters, pooling earlier), which needs 2.4 times fewer operations. Pooling rounds
 * up. Layers are named as in torchvision, whose weights fit. Dropout is left out: it does nothing at inference.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions, type Value } from './network.ts'

const POOL = { kernel: 3, stride: 2, ceil: true }

/** Place among the layers, 1×1 filters that squeeze, 1×1 and (as many) 3×3 filters that expand; places left out are poolings. */
const FIRES: readonly (readonly [place: number, squeeze: number, expand: number])[] = [
  [3, 16, 64],
  [4, 16, 64],
  [6, 32, 128],
  [7, 32, 128],
  [9, 48, 192],
  [10, 48, 192],
  [11, 64, 256],
  [12, 64, 256],
]

export function squeezenet(options: NetworkOptions = {}): Graph {
  const net = new Network('squeezenet1.1', options)
  const conv = (name: string, x: Value, filters: number, kernel: number): Value =>
    net.relu(`${name}_activation`, net.conv(name, x, { filters, kernel, padding: (kernel - 1) / 2 }))

  let x = net.relu('features.1', net.conv('features.0', net.input('input', 3, 224), { filters: 64, kernel: 3, stride: 2 }))
  let next = 2
  for (const [place, squeeze, expand] of FIRES) {
    for (; next < place; next++) x = net.maxPool(`features.${next}`, x, POOL)
    const name = `features.${place}`
    const narrow = conv(`${name}.squeeze`, x, squeeze, 1)
    x = net.concat(name, [conv(`${name}.expand1x1`, narrow, expand, 1), conv(`${name}.expand3x3`, narrow, expand, 3)])
    next = place + 1
  }
  x = net.relu('classifier.2', net.conv('classifier.1', x, { filters: 1000, kernel: 1 }))
  return net.graph(net.softmax('prob', net.flatten('flatten', net.globalAveragePool('classifier.3', x))))
}
