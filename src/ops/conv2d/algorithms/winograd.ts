/**
 * Winograd convolution, F(2×2, 3×3) and F(4×4, 3×3) (Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). Think of
 * a product of polynomials that is computed by their values at a few points: X and W are taken to the points of a patch, there the
 * convolution is one matrix product for each point, and the way back gives a tile of outputs.
 *
 *     X ──▶ V [point][group][tile][channel]  ┐
 *                                            ├─▶ M = V·U [point][group][tile][filter] ──▶ Y, through the epilogue
 *     W ──▶ U [point][group][channel][filter]┘
 *           once
 *
 * A patch of (tile+2)² points gives tile² outputs of 9 taps each: 2.25 and 4 times fewer multiplications. Along an axis whose kernel is 1
 * (one spatial axis, filters of 1×3) patches are one row. The input's padding, the bias, the residual and the activation are in the
 * transforms; these take 10 to 25 % of the time (lavapipe, 64 channels and more), so that one dispatch for all, which would transform a
 * patch again for every block of filters, has little to win. A NaN or an infinity spreads to the outputs of its tiles, and finite values
 * whose transform is beyond the largest number (from 1e37 on in f32) become such: who has them forces another algorithm.
 */
import { z } from 'zod'
import { rewired, segmentBytes, segmentCount, type TensorRef } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { planProduct } from '../../gemm/choose.ts'
import { estimate, issueOf, summed } from '../../gemm/estimate.ts'
import { accessesOf, kernelRefusal } from '../../gemm/families.ts'
import type { Product } from '../../gemm/product.ts'
import { DEFAULT_MAX_ERROR, widest, type Algorithm, type Spread } from '../algorithm.ts'
import { INPUT, type Convolution } from '../convolution.ts'
import { bytesOf } from '../filters.ts'
import { additionsOf, errorOf } from '../winograd/points.ts'
import { filterTransform, inputTransform, outputTransform, transformAccesses } from '../winograd/transforms.ts'
import { kernelOf } from './implicit-gemm.ts'
import { filterPointsType, geometryOf, productsType, valuePointsType, type Geometry, type Tile } from '../winograd/geometry.ts'

const schema = z.strictObject({
  algorithm: z.literal('winograd'),
  /** Outputs of a tile along an axis. Absent: what costs least within the caller's bound. */
  tile: z.literal([2, 4], { error: 'give 2 or 4' }).optional(),
  /**
   * U and V are stored in f16: half the memory, and matrix units take them; the error is that of f16. Only where it is forced: weights
   * overflow from about 1000 on (tile 2: 7000), and no plan sees its data.
   */
  half: z.boolean().default(false),
  /** The kernel of the product: its name, or its configuration. Absent: its choice. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })]).optional(),
})

export type WinogradConfig = z.infer<typeof schema>

const TILES: readonly Tile[] = [4, 2]
/** Elements that 32-bit indices reach. */
const INDEXABLE = 2 ** 31

export const winograd: Algorithm<WinogradConfig> = {
  name: 'winograd',
  schema,
  mixes: true,
  places: true,

  refusal(conv, config, device) {
    const unfit = unfitness(conv)
    if (unfit !== undefined) return unfit
    if (config.half && !device.features.has('shader-f16')) return 'half asks for shader-f16, which the device lacks'
    const { x, bias, residual, output } = conv
    const [v, u, m] = temporaries(conv, config)
    const large = [v, u, m].find(({ shape }) => sizeOf(shape) >= INDEXABLE)
    if (large !== undefined) return `${sizeOf(large.shape)} values at the points, 32-bit indices reach ${INDEXABLE}`
    const most = device.limits.maxStorageBuffersPerShaderStage
    const bytes = segmentBytes(device.limits)
    for (const types of [
      [x, v],
      [v, u, m],
      [m, bias, residual, output],
    ]) {
      const segments = types.reduce((sum, type) => sum + (type === undefined ? 0 : segmentCount(type, bytes)), 0)
      if (segments > most) return `${segments} segments of tensors in one dispatch, maxStorageBuffersPerShaderStage ${most}`
    }
    return config.kernel === undefined ? undefined : kernelRefusal(productOf(conv, config), config.kernel, device)
  },

  candidates(conv, device) {
    if (unfitness(conv) !== undefined || !isWorthwhile(conv)) return []
    return cheapestFirst(conv)
      .map((tile): WinogradConfig => ({ algorithm: 'winograd', tile, half: false }))
      .filter((config) => winograd.refusal(conv, config, device) === undefined)
  },

  plan(conv, config, device) {
    const geometry = tilesOf(conv, config)
    const [v, u, m] = temporaries(conv, config)
    const values = temp(0)
    const products = temp(1)
    const points: TensorRef = { kind: 'prepared', index: 0 }
    const product = planProduct(productOf(conv, config), device, config.kernel)
    const embedded = rewired(product, { inputs: [values, points], outputs: [products], firstTemp: 2 })
    const { tile, isTall } = geometry
    const size = isTall ? `${tile}×${tile}, 3×3` : `${tile}, 3`
    return {
      reason: `Winograd F(${size})${config.half ? ' in halves' : ''}, ${product.reason}`,
      dispatches: [
        inputTransform(conv, geometry, { type: v, ref: values }),
        ...embedded.dispatches,
        outputTransform(conv, geometry, { type: m, ref: products }),
      ],
      temps: [v, m, ...embedded.temps],
      prepared: [{ type: u, from: INPUT.w, dispatches: [filterTransform(conv, geometry, { type: u, ref: points })] }],
    }
  },

  work(conv, config) {
    const { groups, channels, filters, bias, residual, x, output } = conv
    const { tile, tiles, points, isTall } = tilesOf(conv, config)
    const [v, u, m] = temporaries(conv, config)
    const products = points * tiles * groups * channels * filters
    const transforms = additionsOf(tile, isTall)
    return {
      multiplications: products,
      additions: products + tiles * groups * (channels * transforms.input + filters * transforms.output),
      bytes: bytesOf([x, v, v, u, m, m, bias, residual, output]),
    }
  },

  accesses(conv, config, device) {
    const product = productOf(conv, config)
    const { y: stored = { loads: 0, stores: 0 }, ...sides } = accessesOf(product, kernelOf(product, config, device).config, device)
    const { y, ...around } = transformAccesses(conv, tilesOf(conv, config))
    return { ...sides, ...around, y: { loads: stored.loads, stores: stored.stores + y.stores } }
  },

  /** That of its product, and the transforms around it. */
  estimate(conv, config, device, rates) {
    const product = productOf(conv, config)
    const { parts } = estimate(product, kernelOf(product, config, device).config, device, rates)
    const plan = winograd.plan(conv, config, device)
    const { multiplications, additions, bytes } = winograd.work(conv, config)
    const around = { ...plan, dispatches: [plan.dispatches.at(0), plan.dispatches.at(-1)].filter((each) => each !== undefined) }
    const counts = transformAccesses(conv, tilesOf(conv, config))
    const whole = {
      arithmetic: parts.arithmetic + (additions - multiplications) / rates.flops.f32,
      memory: bytes / rates.bytes,
      cache: parts.cache,
      workgroup: parts.workgroup,
      issue: parts.issue + issueOf(counts, around, rates),
    }
    return summed(whole, plan, rates)
  },

  error: (conv, config) => spreadBy(conv, config).error,

  spread(conv, config) {
    if (unfitness(conv) !== undefined) return undefined
    if (config !== undefined) return spreadBy(conv, config)
    const most = conv.maxError ?? DEFAULT_MAX_ERROR
    const spreads = TILES.map((tile) => spreadBy(conv, { tile, half: false })).filter(({ error }) => error <= most)
    return spreads.length === 0 ? undefined : spreads.reduce(widest)
  },
}

/** Below so many channels or filters of a group the transforms cost more than the products save. */
const LEAST_SIDE = 16

/** Whether it is worth measuring. */
function isWorthwhile(conv: Convolution): boolean {
  return conv.channels >= LEAST_SIDE && conv.filters >= LEAST_SIDE
}

/** Reading a filter at a point takes as long as about so many products with it (measured on lavapipe). */
const FILTER_COST = 8

/** What a tile costs, up to a factor that all tiles share: with few of them, filters at many points are what takes long. */
function costOf(conv: Convolution, tile: Tile): number {
  const { points, tiles } = geometryOf(conv, tile)
  return points * (tiles + FILTER_COST)
}

function cheapestFirst(conv: Convolution): readonly Tile[] {
  return TILES.toSorted((a, b) => costOf(conv, a) - costOf(conv, b))
}

/** The tile that a configuration names; else the cheapest within the caller's bound on the error, or where none is, the cheapest. */
function tileOf(conv: Convolution, { tile, half }: Pick<WinogradConfig, 'tile' | 'half'>): Tile {
  if (tile !== undefined) return tile
  const tiles = cheapestFirst(conv)
  const most = conv.maxError ?? DEFAULT_MAX_ERROR
  return tiles.find((one) => spreadBy(conv, { tile: one, half }).error <= most) ?? tiles[0] ?? 2
}

function tilesOf(conv: Convolution, config: Pick<WinogradConfig, 'tile' | 'half'>): Geometry {
  return geometryOf(conv, tileOf(conv, config))
}

/** Why it cannot compute this convolution on any device. */
function unfitness({ axes, groups, channels, filters, outputLayout }: Convolution): string | undefined {
  const [depth, height, width] = axes
  const kernel = axes.map((axis) => axis.kernel).join('×')
  if (width.kernel !== 3 || (height.kernel !== 3 && height.kernel !== 1) || depth.kernel !== 1) {
    return `the kernel is ${kernel}, not 3×3 or 3 in a row`
  }
  if (height.stride !== 1 || width.stride !== 1) return `strides are ${height.stride} and ${width.stride}, not 1`
  if ((height.kernel > 1 && height.dilation !== 1) || width.dilation !== 1) {
    return `dilations are ${height.dilation} and ${width.dilation}, not 1`
  }
  if (channels === 0) return 'there are no channels'
  if (outputLayout === 'nchw4' && groups > 1 && filters % 4 !== 0) return `${filters} filters of a group begin within a quad`
  return undefined
}

function spreadBy(conv: Convolution, config: Pick<WinogradConfig, 'tile' | 'half'>): Spread {
  const tile = tileOf(conv, config)
  const { half } = config
  const isTall = conv.axes[1].kernel > 1
  const stored = half ? 'f16' : 'f32'
  const error = errorOf(tile, { isTall, channels: conv.channels, stored, accumulate: half ? conv.accumulate : 'f32' })
  return { error, reach: [0, isTall ? tile - 1 : 0, tile - 1], ...(half ? { least: 2 ** -11 } : {}) }
}

function temp(index: number): TensorRef {
  return { kind: 'temp', index }
}

/** V, U and M. */
function temporaries(conv: Convolution, config: WinogradConfig): readonly [v: TensorType, u: TensorType, m: TensorType] {
  const geometry = tilesOf(conv, config)
  const dtype = config.half ? 'f16' : 'f32'
  return [valuePointsType(geometry, dtype), filterPointsType(geometry, dtype), productsType(geometry)]
}

/** The products at all points: inputs 0 V and 1 U, a slice for each point and group. */
function productOf(conv: Convolution, config: WinogradConfig): Product {
  const { tiles, points, groups, quads, filterQuads } = tilesOf(conv, config)
  const [v, u, m] = temporaries(conv, config)
  const depth = 4 * quads
  const columns = 4 * filterQuads
  return {
    op: conv.op,
    rows: tiles,
    columns,
    depth,
    a: { input: 0, type: v, line: depth, depth: 1 },
    b: { input: 1, type: u, line: 1, depth: columns },
    batch: [{ size: points * groups, a: tiles * depth, b: depth * columns }],
    epilogue: { alpha: 1, activation: 'none' },
    accumulate: config.half ? conv.accumulate : 'f32',
    output: m,
  }
}
