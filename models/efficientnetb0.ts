/**
 * EfficientNet-B0: M. Tan, Q. V. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019, table 1. The
 * blocks of MobileNet v2 with silu, 5×5 filters in some stages, and squeeze-and-excitation (J. Hu et al., 2018), which weighs every
 * channel by what the whole picture says of it:
 *
 *     x ─┬─▶ 1×1, silu ─▶ k×k depthwise, silu ─┬─▶ mean ─▶ 1×1, silu ─▶ 1×1, sigmoid ─▶ (·) ─▶ 1×1 ─▶ (+) ─▶
 *        │                                     └────────────────────────────────────────┘              │
 *        └─────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Layers are named as in torchvision, whose weights fit. Dropout and stochastic depth are left out: they do nothing at inference.
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type ConvOptions, type NetworkOptions, type Value } from './network.ts'

/** Expansion, kernel, stride of the first block, channels, blocks. */
const STAGES: readonly (readonly [expansion: number, kernel: number, stride: number, channels: number, blocks: number])[] = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
]

/** Seeded weights of a narrowing batch norm: gates of about a half are made up for, less the √2 that it gains by not being rectified. */
const GATED_GAIN = 2 * Math.SQRT1_2
/** And where it is added to what was there before. */
const RESIDUAL_GAIN = 0.25

export function efficientnetb0(options: NetworkOptions = {}): Graph {
  const net = new Network('efficientnetb0', options)
  const siluOf = (name: string, x: Value, conv: ConvOptions): Value =>
    net.silu(`${name}.2`, net.batchNorm(`${name}.1`, net.conv(`${name}.0`, x, { bias: false, ...conv })))
  /** Gate of each channel; a quarter of the block's own channels stand between. */
  const excited = (name: string, x: Value, filters: number, squeezed: number): Value => {
    const narrow = net.conv(`${name}.fc1`, net.globalAveragePool(`${name}.avgpool`, x), { filters: squeezed, kernel: 1 })
    const wide = net.conv(`${name}.fc2`, net.silu(`${name}.activation`, narrow), { filters, kernel: 1 })
    return net.mul(name, x, net.sigmoid(`${name}.scale_activation`, wide))
  }

  let x = siluOf('features.0', net.input('input', 3, 224), { filters: 32, kernel: 3, stride: 2, padding: 1 })
  let channels = 32
  for (const [stage, [expansion, kernel, first, filters, blocks]] of STAGES.entries()) {
    for (let index = 0; index < blocks; index++) {
      const name = `features.${stage + 1}.${index}`
      const stride = index === 0 ? first : 1
      const wide = expansion * channels
      let y = expansion === 1 ? x : siluOf(`${name}.block.0`, x, { filters: wide, kernel: 1 })
      const at = expansion === 1 ? 0 : 1
      y = siluOf(`${name}.block.${at}`, y, { filters: wide, kernel, stride, padding: (kernel - 1) / 2, groups: wide })
      y = excited(`${name}.block.${at + 1}`, y, wide, channels / 4)
      const isResidual = stride === 1 && filters === channels
      y = net.conv(`${name}.block.${at + 2}.0`, y, { filters, kernel: 1, bias: false })
      y = net.batchNorm(`${name}.block.${at + 2}.1`, y, isResidual ? RESIDUAL_GAIN : GATED_GAIN)
      x = isResidual ? net.add(name, y, x) : y
      channels = filters
    }
  }
  x = siluOf('features.8', x, { filters: 1280, kernel: 1 })
  return net.graph(net.softmax('prob', net.linear('classifier.1', net.globalAveragePool('avgpool', x), 1000)))
}
