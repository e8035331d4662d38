/**
 * Convolution as a matrix product whose patch matrix is never stored: a kernel family of src/ops/gemm reads X through a window
 * (shaders/gemm/read/window.wgsl) and stores Y where its layout has it. Think of the window as a lens in front of a plain product:
 *
 *     filters side by side    rows: positions n, p, q      columns: filters of the group      depth: taps, channels
 *     filters below           rows: filters of the group   columns: positions p, q            depth: taps, channels
 *
 * A slice is a group (and a picture where positions of pictures do not follow one another in Y). Where the window is a single tap that
 * steps over every value, there is no window: the product reads X as it lies.
 */
import { z } from 'zod'
import type { DeviceFacts, OpPlan, TensorRef } from '../../../gpu/program.ts'
import { rewired } from '../../../gpu/program.ts'
import { choose, type Choice } from '../../gemm/choose.ts'
import { estimate } from '../../gemm/estimate.ts'
import { accessesOf, allCandidates, familyNamed, forced, kernelRefusal } from '../../gemm/families.ts'
import { flopsOf, type BatchDimension, type Product, type Side, type Stores, type Window } from '../../gemm/product.ts'
import { packedSide, packedSlice, packWeights, type DenseWeights } from '../../gemm/packed.ts'
import { GROUP } from '../../../sparsity/two-of-four.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import type { LayoutStrides } from '../../layout.ts'
import type { Algorithm } from '../algorithm.ts'
import { INPUT, layoutStrides, macsOf, outputPlace, pixelsOf, tapsOf, type Convolution } from '../convolution.ts'
import { bytesOf, packFilters, packedType, paddedFilters } from '../filters.ts'
import { strassenSpread } from '../strassen.ts'

const schema = z.strictObject({
  algorithm: z.literal('implicit-gemm'),
  /** Whether positions are the rows of the product and filters its columns, or the other way round. */
  rows: z.enum(['positions', 'filters']).default('positions'),
  /** The kernel of the product: its name, or its configuration. Absent: its choice. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })]).optional(),
})

export type ImplicitGemmConfig = z.infer<typeof schema>

export const implicitGemm: Algorithm<ImplicitGemmConfig> = {
  name: 'implicit-gemm',
  schema,
  mixes: true,
  places: true,
  sparse: true,

  refusal(conv, config, device) {
    if (conv.sparsity !== undefined) {
      if (config.rows === 'filters') return 'filters in 2:4 are columns of the product, not rows'
      if (conv.channels % 4 !== 0 && conv.layout === 'nchw4') return `${conv.channels} channels end within a group of four of 2:4`
    }
    if (conv.layout === 'nchw4' || conv.outputLayout === 'nchw4') {
      if (conv.outputLayout === 'nchw4' && config.rows === 'filters')
        return 'channels in quads are columns of the product, not rows'
      const { groups, channels, filters } = conv
      if (groups > 1 && (channels % 4 !== 0 || filters % 4 !== 0)) {
        return `${channels} channels and ${filters} filters of a group begin within a quad`
      }
    }
    return config.kernel === undefined ? undefined : kernelRefusal(productOf(conv, config), config.kernel, device)
  },

  candidates(conv, device) {
    const byRule = ruleFor(conv, device)
    const others = (['positions', 'filters'] as const).flatMap((rows) => {
      const config: ImplicitGemmConfig = { algorithm: 'implicit-gemm', rows }
      if (implicitGemm.refusal(conv, config, device) !== undefined) return []
      return allCandidates(productOf(conv, config), device).map((kernel): ImplicitGemmConfig => ({
        ...config,
        kernel: { ...kernel },
      }))
    })
    return [byRule, ...others].filter((config) => implicitGemm.refusal(conv, config, device) === undefined)
  },

  plan(conv, config, device) {
    const product = productOf(conv, config)
    const choice = kernelOf(product, config, device)
    const plan = familyNamed(choice.config.kernel, conv.op).plan(product, choice.config, device)
    const inputs: TensorRef[] = [
      { kind: 'input', index: INPUT.x },
      { kind: 'prepared', index: 0 },
      { kind: 'input', index: INPUT.bias },
      { kind: 'input', index: INPUT.residual },
      ...(conv.sparsity === undefined ? [] : [{ kind: 'prepared', index: 1 } as const]),
    ]
    const outputs: TensorRef[] = [{ kind: 'output', index: 0 }]
    const made: OpPlan = {
      reason: `implicit GEMM${conv.sparsity === undefined ? '' : ' of filters in 2:4'}, ${plan.reason} (${choice.reason})`,
      ...rewired(plan, { inputs, outputs, firstTemp: 0 }),
      prepared: conv.sparsity === undefined ? [packFilters(conv, 0)] : packWeights(conv.op, weightsOf(conv), 0),
    }
    return made
  },

  work(conv, config, device) {
    const macs = conv.sparsity === undefined || device === undefined ? macsOf(conv) : macsDone(conv, config, device)
    return {
      multiplications: macs,
      additions: macs,
      bytes: bytesOf([conv.x, ...filterTypes(conv), conv.bias, conv.residual, conv.output]),
    }
  },

  accesses(conv, config, device) {
    const product = productOf(conv, config)
    return accessesOf(product, kernelOf(product, config, device).config, device)
  },

  /** That of its product. */
  estimate(conv, config, device, rates) {
    const product = productOf(conv, config)
    return estimate(product, kernelOf(product, config, device).config, device, rates)
  },

  error: (conv, { kernel }) => strassenSpread(conv, kernel)?.error ?? 0,

  spread: (conv, config) => strassenSpread(conv, config?.kernel),
}

/** Multiply-accumulates of filters in 2:4: those of the loop nest that the kernel runs, padding of the depth among them. */
function macsDone(conv: Convolution, config: ImplicitGemmConfig, device: DeviceFacts): number {
  const product = productOf(conv, config)
  const kernel = kernelOf(product, config, device).config
  const nest = familyNamed(kernel.kernel, conv.op).nest?.(product, kernel) ?? product
  return flopsOf(nest) / 2
}

/** The kernel that the product gets. @throws OptionError where the configuration names one that is not legal */
export function kernelOf(product: Product, { kernel }: Pick<ImplicitGemmConfig, 'kernel'>, device: DeviceFacts): Choice {
  return kernel === undefined ? choose(product, device) : { config: forced(product, kernel, device), reason: 'kernel forced' }
}

/** Up to as many filters, single taps in software have positions as columns in nchw: 2 to 3 times as fast on lavapipe. */
const FEW_FILTERS = 9

/** Positions as rows, where a subgroup or workgroup shares what it finds of a window; on GPUs in nchw as columns, so that Y is stored in line. */
export function ruleFor(conv: Convolution, device: DeviceFacts): ImplicitGemmConfig {
  const { layout, outputLayout, filters } = conv
  if (conv.sparsity !== undefined) return { algorithm: 'implicit-gemm', rows: 'positions' }
  const inLine = layout === 'nchw' && outputLayout === 'nchw' && tapsOf(conv) === 1 && filters <= FEW_FILTERS
  const rows = inLine || (outputLayout === 'nchw' && !device.software) ? 'filters' : 'positions'
  return { algorithm: 'implicit-gemm', rows }
}

/** Inputs of the product: X, packed filters, bias, residual. */
const VIRTUAL = { x: 0, w: 1, bias: 2, residual: 3, seats: 4 } as const

/** The product that a convolution is: which inputs it has, see `VIRTUAL`. */
export function productOf(conv: Convolution, { rows }: Pick<ImplicitGemmConfig, 'rows'>): Product {
  const { op, batch, groups, channels, filters, axes, layout, outputLayout, bias, residual, activation, accumulate, output } = conv
  const [depthAxis, heightAxis, widthAxis] = axes
  const from = layoutStrides(layout, groups * channels, [depthAxis.input, heightAxis.input, widthAxis.input])
  const { strides: to, offset } = outputPlace(conv)
  const pixels = pixelsOf(conv)
  const taps = tapsOf(conv)
  const step = paddedFilters(conv)
  const patches: Side = sideOf(conv, windowOf(conv, from), VIRTUAL.x)
  const depth = taps * (patches.window?.channels ?? channels)
  // Positions of all pictures follow one another where channels lie innermost; a window finds pictures by itself.
  const joined = outputLayout === 'nhwc' && (layout === 'nhwc' || patches.window !== undefined)
  const pictures = joined ? 1 : batch
  const positions = joined ? batch * pixels : pixels
  const packed = conv.sparsity === undefined ? undefined : weightsOf(conv)
  const weights: Side =
    packed === undefined
      ? { input: VIRTUAL.w, type: packedType(conv), line: 1, depth: step }
      : packedSide(packed, { values: VIRTUAL.w, seats: VIRTUAL.seats })
  const batches: { dimension: BatchDimension; y: number; terms: number }[] = []
  const [a, b] = rows === 'positions' ? [patches, weights] : [weights, patches]
  const dimension = (size: number, ofX: number, ofW: number): BatchDimension =>
    rows === 'positions' ? { size, a: ofX, b: ofW } : { size, a: ofW, b: ofX }
  if (pictures > 1) batches.push({ dimension: dimension(pictures, from.picture, 0), y: to.picture, terms: 0 })
  if (groups > 1) {
    batches.push({
      dimension: dimension(groups, groupStride(from, channels), packed === undefined ? depth * step : packedSlice(packed)),
      y: groupStride(to, filters),
      terms: filters,
    })
  }
  const stores: Stores = {
    offset,
    ...(rows === 'positions'
      ? { row: to.x, column: to.channel, quad: to.quad }
      : { row: to.channel, column: to.x, quad: 4 * to.x }),
    batch: batches.map(({ y }) => y),
    terms: batches.map(({ terms }) => terms),
  }
  return {
    op,
    rows: rows === 'positions' ? positions : filters,
    columns: rows === 'positions' ? filters : positions,
    depth,
    a,
    b,
    batch: batches.map((each) => each.dimension),
    epilogue: {
      alpha: 1,
      activation,
      ...(bias === undefined
        ? {}
        : {
            bias: {
              input: VIRTUAL.bias,
              type: bias,
              row: rows === 'positions' ? 0 : 1,
              column: rows === 'positions' ? 1 : 0,
              factor: 1,
            },
          }),
      ...(residual === undefined ? {} : { residual: { input: VIRTUAL.residual, type: residual } }),
    },
    accumulate,
    output,
    stores,
  }
}

/** Of filters in 2:4, groups of four do not go from tap to tap: channels that end within one are filled up. */
function windowOf({ axes, channels, sparsity }: Convolution, strides: LayoutStrides): Window {
  const window: Window = { axes, channels, strides, order: 'taps' }
  if (sparsity === undefined || channels % GROUP === 0) return window
  return { ...window, channels: GROUP * Math.ceil(channels / GROUP), held: channels }
}

/** Types of the filters as the product reads them. */
function filterTypes(conv: Convolution): TensorType[] {
  if (conv.sparsity === undefined) return [packedType(conv)]
  return packWeights(conv.op, weightsOf(conv), 0).map(({ type }) => type)
}

/** W as weights to be packed in 2:4: k counts the channels of a tap first. */
function weightsOf(conv: Convolution): DenseWeights {
  const { groups, channels, filters, w } = conv
  const taps = tapsOf(conv)
  const inner = isPlain(conv) ? channels : GROUP * Math.ceil(channels / GROUP)
  return {
    input: INPUT.w,
    type: w,
    lines: filters,
    depth: taps * inner,
    slices: groups,
    slice: filters * channels * taps,
    line: channels * taps,
    inner,
    held: channels,
    innerStep: taps,
    outerStep: 1,
  }
}

/** One tap at every position: lines and depth of the patches are strides of X. */
function isPlain({ axes, layout, channels }: Convolution): boolean {
  const isSingle = axes.every(
    ({ kernel, stride, before, input: extent, output }) => kernel === 1 && stride === 1 && before === 0 && output === extent,
  )
  return isSingle && (layout !== 'nchw4' || channels <= 4)
}

function sideOf(conv: Convolution, window: Window, input: number): Side {
  const { strides } = window
  if (isPlain(conv)) return { input, type: conv.x, line: strides.x, depth: strides.channel }
  return { input, type: conv.x, line: 0, depth: 0, window }
}

/** Between the first channels of two groups of `channels` each. */
export function groupStride({ channel, quad }: { channel: number; quad: number }, channels: number): number {
  return channel === 1 && quad !== 4 ? (channels / 4) * quad : channels * channel
}
