/**
 * Convolution by fast Fourier transforms, for large filters: what slides in space is a product at every frequency.
 *
 *     X ─ rows ─► half spectra ─ columns ─► X̂[f][tile][c] ─┐
 *                                                          ├─ Σ_c ─► Ŷ[f][tile][m] ─ columns ─► half spectra ─ rows, epilogue ─► Y
 *     W ─ once, at load ─────────────────► Ŵ[f][c][m] ─────┘
 *
 * Tiles overlap (fft/tiles.ts), so that pictures of any size are cut into transforms of 16, 32 or 64 points. Values are real: two
 * rows are transformed as one complex line, and of N × N frequencies N × (N/2 + 1) are kept and multiplied, the others are their
 * mirror images. The sum over channels is a batch of real matrix products, one for each frequency, in which a complex number is two
 * columns: a kernel family of src/ops/gemm runs it. Filters that see one channel (depthwise) are multiplied on the way from columns
 * to columns. All between X and Y is f32. A NaN or an infinity spreads over its tile.
 */
import { z } from 'zod'
import { rewired, type DeviceFacts, type OpPlan, type TensorRef } from '../../../gpu/program.ts'
import { UnsupportedOpError } from '../../../errors.ts'
import { choose, planProduct } from '../../gemm/choose.ts'
import { estimate, issueOf, summed } from '../../gemm/estimate.ts'
import { accessesOf, forced, kernelRefusal } from '../../gemm/families.ts'
import type { Config } from '../../gemm/family.ts'
import { normalised, type BatchDimension, type Product } from '../../gemm/product.ts'
import { widest, type Algorithm, type Spread } from '../algorithm.ts'
import type { Convolution } from '../convolution.ts'
import { transformAccesses } from '../fft/accesses.ts'
import { bytesOf } from '../filters.ts'
import {
  backColumns,
  backRows,
  columns,
  filterSpectra,
  prepareSpectra,
  rows,
  rowsType,
  spectraType,
  through,
} from '../fft/dispatches.ts'
import {
  fftBytes,
  fftError,
  fftWork,
  isLarge,
  productMacs,
  sizesFor,
  tilesOf,
  TRANSFORM_SIZES,
  type Tiles,
  type TransformSize,
} from '../fft/tiles.ts'

const schema = z.strictObject({
  algorithm: z.literal('fft'),
  /** Points of a transform along both axes. Absent: what costs least. */
  size: z.literal(TRANSFORM_SIZES).optional(),
  /** The kernel of the product over channels: its name, or its configuration. Absent: its choice. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })]).optional(),
})

export type FftConfig = z.infer<typeof schema>

/** Items of a tile up to which `divided` (shaders/gemm/read) is exact. */
const MOST_ITEMS = 2 ** 21
/** Elements of a tensor that indices of 32 bits reach. */
const MOST_ELEMENTS = 2 ** 32

export const fft: Algorithm<FftConfig> = {
  name: 'fft',
  schema,
  mixes: true,
  places: true,

  refusal(conv, config, device) {
    const own = refusalOf(conv, config.size)
    if (own !== undefined || config.kernel === undefined) return own
    const tiles = legalTiles(conv, config)
    if (tiles.single) return `there is no product over channels for kernel ${nameOf(config.kernel)} to run`
    return kernelRefusal(productOf(conv, tiles), config.kernel, device)
  },

  candidates(conv) {
    if (!isLarge(conv)) return []
    return sizesFor(conv)
      .map((size): FftConfig => ({ algorithm: 'fft', size }))
      .filter(({ size }) => refusalOf(conv, size) === undefined)
  },

  plan(conv, config, device) {
    const tiles = legalTiles(conv, config)
    const { size, valid, across } = tiles
    const reason = `transforms of ${size} by ${size}, ${across[0]} by ${across[1]} tiles of ${valid[0]} by ${valid[1]} results`
    const prepared = [prepareSpectra(conv, tiles, 0)]
    const made = tiles.single ? oneByOne(conv, tiles) : overChannels(conv, tiles, config, device)
    return { ...made, reason: `FFT, ${reason}${made.reason}`, prepared }
  },

  work(conv, config) {
    const tiles = legalTiles(conv, config)
    return {
      ...fftWork(conv, tiles),
      bytes: bytesOf([conv.x, conv.bias, conv.residual, conv.output]) + fftBytes(conv, tiles),
    }
  },

  accesses(conv, config, device) {
    const tiles = legalTiles(conv, config)
    const own = transformAccesses(conv, tiles)
    if (tiles.single) return own
    const { y: made, ...sides } = accessesOf(...productWith(conv, tiles, config, device), device)
    const stores = (own.y?.stores ?? 0) + (made?.stores ?? 0)
    return { ...own, ...sides, y: { loads: made?.loads ?? 0, stores } }
  },

  /** That of its product, and the transforms around it. */
  estimate(conv, config, device, rates) {
    const tiles = legalTiles(conv, config)
    const plan = fft.plan(conv, config, device)
    const { multiplications, additions, bytes } = fft.work(conv, config)
    const product = tiles.single ? undefined : estimate(...productWith(conv, tiles, config, device), device, rates).parts
    const transforms = multiplications + additions - (product === undefined ? 0 : 2 * productMacs(conv, tiles))
    const parts = {
      arithmetic: transforms / rates.flops.f32 + (product?.arithmetic ?? 0),
      memory: bytes / rates.bytes,
      cache: product?.cache ?? 0,
      workgroup: product?.workgroup ?? 0,
      issue: issueOf(transformAccesses(conv, tiles), plan, rates) + (product?.issue ?? 0),
    }
    return summed(parts, plan, rates)
  },

  error: (conv, config) => fftError(conv, legalTiles(conv, config).size),

  spread(conv, config) {
    if (refusalOf(conv, config?.size) !== undefined) return undefined
    if (config !== undefined) return spreadOf(conv, legalTiles(conv, config))
    const all = sizesFor(conv).flatMap((size) => tilesOf(conv, size) ?? [])
    return all.map((tiles) => spreadOf(conv, tiles)).reduce(widest)
  },
}

/** Why a convolution has no such transforms, whatever the device. */
function refusalOf(conv: Convolution, size: TransformSize | undefined): string | undefined {
  const [deep, y, x] = conv.axes
  if (deep.input > 1 || deep.kernel > 1 || deep.output > 1) return 'its transforms are over two axes, not three'
  if (Math.min(y.kernel, x.kernel) < 2) return `a filter of ${y.kernel} by ${x.kernel} has one axis, its transforms two`
  if (y.stride > 1 || x.stride > 1) return `a stride of ${Math.max(y.stride, x.stride)} would throw most of its results away`
  if (conv.channels === 0 || conv.filters === 0) return 'there are no channels'
  const tiles = tilesOf(conv, sizeFor(conv, size) ?? 16)
  if (tiles === undefined) {
    const span = Math.max(y.dilation * (y.kernel - 1), x.dilation * (x.kernel - 1)) + 1
    return `a filter that covers ${span} values does not fit a transform of ${size ?? TRANSFORM_SIZES.at(-1)}`
  }
  const pairs = Math.max(tiles.channelPairs, tiles.filterPairs)
  if (tiles.bins * pairs >= MOST_ITEMS) return `${2 * pairs} channels, more than ${Math.floor((2 * MOST_ITEMS) / tiles.bins)}`
  const elements = Math.max(
    4 * tiles.frequencies * tiles.count * pairs,
    filterSpectra(conv, tiles).shape.reduce((a, b) => a * b, 1),
  )
  return elements > MOST_ELEMENTS ? `spectra of ${elements} elements, more than ${MOST_ELEMENTS}` : undefined
}

function spreadOf(conv: Convolution, { size, valid }: Tiles): Spread {
  return { error: fftError(conv, size), reach: [0, valid[0] - 1, valid[1] - 1] }
}

function nameOf(kernel: string | Config): string {
  return typeof kernel === 'string' ? kernel : kernel.kernel
}

function sizeFor(conv: Convolution, given: TransformSize | undefined): TransformSize | undefined {
  return given ?? sizesFor(conv)[0]
}

/** @throws UnsupportedOpError where the filter does not fit, which a refusal says before */
function legalTiles(conv: Convolution, { size }: FftConfig): Tiles {
  const found = sizeFor(conv, size)
  const tiles = found === undefined ? undefined : tilesOf(conv, found)
  if (tiles !== undefined) return tiles
  throw new UnsupportedOpError('The filter does not fit a transform', { op: conv.op, w: conv.w.shape })
}

const temp = (index: number): TensorRef => ({ kind: 'temp', index })
const FILTERS: TensorRef = { kind: 'prepared', index: 0 }

/** Filters that see one channel: from columns to columns without a stop. */
function oneByOne(conv: Convolution, tiles: Tiles): OpPlan {
  return {
    reason: '',
    dispatches: [rows(conv, tiles, temp(0)), through(conv, tiles, temp(0), FILTERS, temp(1)), backRows(conv, tiles, temp(1))],
    temps: [rowsType(tiles, tiles.size, tiles.channelPairs), rowsType(tiles, tiles.valid[0], tiles.filterPairs)],
  }
}

/** The product over channels, in the form that kernels take, and the kernel that it gets. */
function productWith(
  conv: Convolution,
  tiles: Tiles,
  { kernel }: FftConfig,
  device: DeviceFacts,
): [product: Product, config: Config] {
  const product = normalised(productOf(conv, tiles))
  return [product, kernel === undefined ? choose(product, device).config : forced(product, kernel, device)]
}

/** Half spectra of X, its spectra, those of results, their half spectra. */
function overChannels(conv: Convolution, tiles: Tiles, { kernel }: FftConfig, device: DeviceFacts): OpPlan {
  const product = planProduct(productOf(conv, tiles), device, kernel)
  const between = rewired(product, { inputs: [temp(1), FILTERS], outputs: [temp(2)], firstTemp: 4 })
  return {
    reason: `, ${tiles.frequencies} products (${product.reason})`,
    dispatches: [
      rows(conv, tiles, temp(0)),
      columns(conv, tiles, temp(0), temp(1)),
      ...between.dispatches,
      backColumns(conv, tiles, temp(2), temp(3)),
      backRows(conv, tiles, temp(3)),
    ],
    temps: [
      rowsType(tiles, tiles.size, tiles.channelPairs),
      spectraType(tiles, tiles.channelPairs),
      spectraType(tiles, tiles.filterPairs),
      rowsType(tiles, tiles.valid[0], tiles.filterPairs),
      ...between.temps,
    ],
  }
}

/** Ŷ = X̂ · Ŵ for every frequency and group: rows are tiles, the depth counts parts of channels, columns are parts of filters. */
export function productOf(conv: Convolution, tiles: Tiles): Product {
  const { op, groups, channels, filters } = conv
  const { frequencies, count, channelPairs, groupPairs } = tiles
  const line = 4 * channelPairs
  const step = 4 * groupPairs
  const row = groups * step
  const batch: BatchDimension[] = [{ size: frequencies, a: count * line, b: groups * 2 * channels * step }]
  if (groups > 1) batch.push({ size: groups, a: 2 * channels, b: 2 * channels * step })
  return {
    op: `${op}/fft`,
    rows: count,
    columns: 2 * filters,
    depth: 2 * channels,
    a: { input: 0, type: spectraType(tiles, channelPairs), line, depth: 1 },
    b: { input: 1, type: filterSpectra(conv, tiles), line: 1, depth: step },
    batch,
    epilogue: { alpha: 1, activation: 'none' },
    accumulate: 'f32',
    output: spectraType(tiles, groups * groupPairs),
    stores: { offset: 0, row, column: 1, quad: 4, batch: [count * row, ...(groups > 1 ? [step] : [])], terms: batch.map(() => 0) },
  }
}
