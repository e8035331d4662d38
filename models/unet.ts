/**
 * U-Net: O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015, figure 1: four
 * times down and up again, two 3×3 convolutions without padding at every level, the way down copied (its middle, as large as what comes
 * up) beside the way up, and two classes for every pixel.
 *
 *     572² ─▶ 64 ─────────────────────────────── crop ─▶ (+) ─▶ 64 ─▶ 388² of 2 classes
 *              ↓ pool                                     ↑ 2×2, stride 2, transposed
 *             128 ───────────────────── crop ─▶ (+) ─▶ 128
 *              ↓                                 ↑
 *              … 256 … 512 … ─▶ 1024 ─▶ …  (+): joined along the channels
 */
import type { Graph } from '../src/graph/graph.ts'
import { Network, type NetworkOptions, type Value } from './network.ts'

const LEVELS = 4

/** As published: 64 filters at the first level, 1024 at the last, a grey picture of 572 × 572. */
export function unet(options: NetworkOptions = {}): Graph {
  return build('unet', 64, 572, options)
}

/** A quarter of the filters, a picture of 252 × 252: 1/158 of the work. */
export function unet16(options: NetworkOptions = {}): Graph {
  return build('unet16', 16, 252, options)
}

function build(name: string, width: number, size: number, options: NetworkOptions): Graph {
  const net = new Network(name, options)
  const twice = (stage: string, x: Value, filters: number): Value => {
    const first = net.relu(`${stage}/relu1`, net.conv(`${stage}/conv1`, x, { filters, kernel: 3 }))
    return net.relu(`${stage}/relu2`, net.conv(`${stage}/conv2`, first, { filters, kernel: 3 }))
  }

  let x = net.input('input', 1, size)
  const skips: Value[] = []
  for (let level = 0; level < LEVELS; level++) {
    const y = twice(`down${level + 1}`, x, width * 2 ** level)
    skips.push(y)
    x = net.maxPool(`pool${level + 1}`, y, { kernel: 2, stride: 2 })
  }
  x = twice('bottom', x, width * 2 ** LEVELS)
  for (let level = LEVELS; level >= 1; level--) {
    const filters = width * 2 ** (level - 1)
    const up = net.convTranspose(`up${level}/conv`, x, { filters, kernel: 2, stride: 2 })
    const skip = skips[level - 1] ?? x
    const [, , height = 0, columns = 0] = up.shape
    x = twice(`up${level}`, net.concat(`up${level}/join`, [net.crop(`up${level}/crop`, skip, height, columns), up]), filters)
  }
  return net.graph(net.softmax('prob', net.conv('classes', x, { filters: 2, kernel: 1 }), 1))
}
