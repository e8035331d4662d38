/**
 * A grid of convolutions that every algorithm is held against the reference on: odd sizes, strides 1 to 4, dilations 1 to 3, asymmetric
 * padding, groups, batches 1 to 5, one to three spatial axes, every layout, with bias, residual and activation or without.
 */
import { expect } from 'vitest'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import type { AlgorithmConfig } from '../../../src/ops/conv2d/algorithm.ts'
import { refusalOf } from '../../../src/ops/conv2d/algorithms.ts'
import type { Convolution, Layout } from '../../../src/ops/conv2d/convolution.ts'
import { conv2d } from '../../../src/ops/conv2d/op.ts'
import { convolutionOf } from '../../../src/ops/conv2d/rule.ts'
import { layoutShape } from '../../../src/ops/layout.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { inputsOf, randomFrom, type Data } from '../../cases/case.ts'
import type { HostTensor } from '../../../src/tensor/tensor.ts'
import { check } from '../run-table.ts'

export interface GridPoint {
  readonly inputs: readonly (readonly number[] | null)[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/** What may be held fixed, or drawn from fewer values. */
export interface GridOptions {
  readonly axes?: readonly (1 | 2 | 3)[]
  readonly layouts?: readonly Layout[]
  readonly strides?: readonly number[]
  readonly dilations?: readonly number[]
  readonly kernels?: readonly number[]
  readonly channels?: readonly number[]
  readonly filters?: readonly number[]
  readonly groups?: readonly number[]
  /** One channel a group; the groups of nchw4 fill quads. */
  readonly depthwise?: boolean
  /** Every axis has the same kernel. */
  readonly square?: boolean
}

/** `count` points, the same for the same seed. */
export function gridOf(count: number, options: GridOptions = {}, seed = 1): GridPoint[] {
  const random = randomFrom(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const {
    axes = [1, 2, 2, 2, 3],
    layouts = ['nchw', 'nhwc', 'nhwc', 'nchw4'],
    strides = [1, 1, 2, 3, 4],
    dilations = [1, 1, 2, 3],
    kernels = [1, 2, 3, 4, 5],
    channels = [1, 2, 3, 4, 5, 7, 8, 12, 17],
    filters = [1, 2, 3, 4, 5, 8, 13, 16, 33],
    groups = [1, 1, 1, 2, 3],
  } = options
  return Array.from({ length: count }, (): GridPoint => {
    const rank = pick(axes)
    const layout = pick(layouts)
    const apart = options.depthwise === true
    const group = apart && layout === 'nchw4' ? 4 * Math.ceil(pick(groups) / 4) : pick(groups)
    const whole = layout === 'nchw4' && !apart
    const inner = apart ? 1 : whole ? 4 * Math.ceil(pick(channels) / 4) : pick(channels)
    const outer = whole ? 4 * Math.ceil(pick(filters) / 4) : pick(filters)
    const one = pick(kernels)
    const kernel = Array.from({ length: rank }, () => (options.square === true ? one : pick(kernels)))
    const stride = kernel.map(() => pick(strides))
    const dilation = kernel.map(() => pick(dilations))
    const padding = [...kernel, ...kernel].map(() => pick([0, 0, 1, 2, 3]))
    const extents = kernel.map((size, axis) => dilation[axis]! * (size - 1) + 1 + pick([0, 1, 2, 4, 7, 10]))
    const outputs = kernel.map((size, axis) => {
      const span = dilation[axis]! * (size - 1) + 1
      return Math.floor((extents[axis]! + padding[axis]! + padding[axis + rank]! - span) / stride[axis]!) + 1
    })
    const batch = pick([1, 1, 2, 5])
    const all = group * outer
    return {
      inputs: [
        layoutShape(layout, batch, group * inner, extents),
        [all, inner, ...kernel],
        random() < 0.5 ? [all] : null,
        random() < 0.3 ? layoutShape(layout, batch, all, outputs) : null,
      ],
      attributes: { stride, dilation, padding, groups: group, layout, activation: pick(['none', 'relu', 'silu']) },
    }
  })
}

/** The convolution of a point, in f32 or f16. */
export function convolutionAt({ inputs, attributes }: GridPoint, dtype: 'f32' | 'f16' = 'f32'): Convolution {
  const types = inputs.map((shape) => (shape === null ? null : { dtype, shape }))
  const parsed = parseAttributes(conv2d, attributes)
  const [output] = conv2d.infer({ inputs: types, values: [], attributes: parsed })
  if (output === undefined) throw new Error('A convolution has an output')
  return convolutionOf(types, parsed, output)
}

export interface Checked {
  readonly run: number
  readonly refused: number
}

/**
 * Runs the points that an algorithm takes, each forced to it, and holds them against the reference.
 * @param filters what the filters that are drawn become
 * @param bits on whole numbers, bit for bit (for algorithms that only multiply and add what the definition does)
 */
export async function checkGrid(
  gpu: Gpu,
  config: AlgorithmConfig & Readonly<Record<string, unknown>>,
  points: readonly GridPoint[],
  {
    dtype = 'f32',
    bits = false,
    filters = (w) => w,
  }: { readonly dtype?: 'f32' | 'f16'; readonly bits?: boolean; readonly filters?: (w: HostTensor) => HostTensor } = {},
): Promise<Checked> {
  let run = 0
  let refused = 0
  for (const [index, point] of points.entries()) {
    if (refusalOf(convolutionAt(point, dtype), config, gpu.facts) !== undefined) {
      refused++
      continue
    }
    const data: Data = bits ? 'integers' : 'signed'
    const exact = bits && point.attributes.activation !== 'silu' && dtype === 'f32'
    const [x = null, w = null, ...terms] = inputsOf({ name: '', inputs: point.inputs, data }, dtype, index + 1)
    const inputs = [x, w === null ? null : filters(w), ...terms]
    try {
      await check(gpu, conv2d, inputs, { ...point.attributes, algorithm: config }, exact)
    } catch (error) {
      throw new Error(`${JSON.stringify(config)} on ${JSON.stringify(point)}`, { cause: error })
    }
    run++
  }
  expect(gpu.memory.liveBytes).toBe(0)
  return { run, refused }
}
