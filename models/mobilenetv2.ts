/**
 * MobileNet v2: M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2. A block expands its channels
 * by 1×1 filters, convolves each channel alone (3×3), and narrows them again without an activation; where shapes allow it adds its input:
 *
 *     x ─┬─▶ 1×1, relu6 ─▶ 3×3 depthwise, relu6 ─▶ 1×1 ─▶ (+) ─▶
 *        └─────────────────────────────────────────────────┘
 *
 * Layers are named as in torchvision, whose weights fit. Dropout is left out: it does nothing at inference.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type ConvOptions, type NetworkOptions, type Value } from './network.ts'

/** Expansion t, channels c, repeats n, stride s of the first, as the paper's table names them. */
const STAGES: readonly (readonly [t: number, c: number, n: number, s: number])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
]

/** Seeded weights of a narrowing batch norm: what it gives is not rectified, so that its variance would double at every block. */
const LINEAR_GAIN = Math.SQRT1_2
/** And where it is added to what was there before. */
const RESIDUAL_GAIN = 0.25

export function mobilenetv2(options: NetworkOptions = {}): Graph {
  const net = new Network('mobilenetv2', options)
  const relu6Of = (name: string, x: Value, conv: ConvOptions): Value =>
    net.relu6(`${name}.2`, net.batchNorm(`${name}.1`, net.conv(`${name}.0`, x, { bias: false, ...conv })))

  let x = relu6Of('features.0', net.input('input', 3, 224), { filters: 32, kernel: 3, stride: 2, padding: 1 })
  let channels = 32
  let place = 1
  for (const [expansion, filters, repeats, first] of STAGES) {
    for (let block = 0; block < repeats; block++) {
      const name = `features.${place++}`
      const stride = block === 0 ? first : 1
      const wide = expansion * channels
      let y = expansion === 1 ? x : relu6Of(`${name}.conv.0`, x, { filters: wide, kernel: 1 })
      const at = expansion === 1 ? 0 : 1
      y = relu6Of(`${name}.conv.${at}`, y, { filters: wide, kernel: 3, stride, padding: 1, groups: wide })
      const isResidual = stride === 1 && filters === channels
      y = net.conv(`${name}.conv.${at + 1}`, y, { filters, kernel: 1, bias: false })
      y = net.batchNorm(`${name}.conv.${at + 2}`, y, isResidual ? RESIDUAL_GAIN : LINEAR_GAIN)
      x = isResidual ? net.add(name, x, y) : y
      channels = filters
    }
  }
  x = relu6Of(`features.${place}`, x, { filters: 1280, kernel: 1 })
  return net.graph(net.softmax('prob', net.linear('classifier.1', net.globalAveragePool('pool', x), 1000)))
}
