/**
 * Which algorithm a convolution gets: forced by the caller, measured by the tuner, or by rule. Pure: from a convolution and facts to a
 * configuration and its reason.
 */
import { DeviceLimitError, OptionError } from '../../errors.ts'
import { checkPlan } from '../../gpu/launch.ts'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import type { TunedKernel } from '../../gpu/tuning.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { keptKernel, UNKNOWN_KERNEL } from '../kept.ts'
import { placedType } from '../place.ts'
import type { AlgorithmConfig } from './algorithm.ts'
import { isWorthwhile } from './fft/tiles.ts'
import { ruleFor } from './algorithms/implicit-gemm.ts'
import { ALGORITHMS, algorithmNamed, allCandidates, forced, refusalOf } from './algorithms.ts'
import { macsOf, tapsOf, type Convolution } from './convolution.ts'

export interface Choice {
  readonly config: AlgorithmConfig
  readonly reason: string
}

/**
 * What a choice depends on besides the device: sizes, layouts, dtypes, of the epilogue the residual, which is read as Y is written, and
 * what only some algorithms do: to store in place, to keep within a bound. Keys the tuner's results. A bias and an activation cost next to
 * nothing.
 */
export function convolutionKey(conv: Convolution): string {
  const { batch, groups, channels, filters, axes, layout, outputLayout, x, w, output, accumulate } = conv
  const each = axes.map(({ input, kernel, stride, dilation, before, output: count }) => {
    return `${input}k${kernel}s${stride}d${dilation}p${before}o${count}`
  })
  // Axes that the op lacks are not worth their letters.
  while (each.length > 1 && each[0] === '1k1s1d1p0o1') each.shift()
  const types = [x.dtype, w.dtype, output.dtype, accumulate].join('-')
  const lies = layout === outputLayout ? layout : `${layout}>${outputLayout}`
  const more = [
    conv.residual === undefined ? '' : ' residual',
    conv.place === undefined ? '' : ' placed',
    conv.sparsity === undefined ? '' : ` ${conv.sparsity}`,
    conv.maxError === undefined ? '' : ` within ${conv.maxError}`,
  ].join('')
  return `conv ${batch}*${groups}*${channels}>${filters} ${each.join(' ')} ${lies} ${types}${more}`
}

/** The plan of a convolution; no dispatches where Y is empty. @throws OptionError where a forced algorithm is not legal */
export function planConvolution(conv: Convolution, device: DeviceFacts, algorithm?: string | AlgorithmConfig): OpPlan {
  return planChosen(conv, device, choiceOf(conv, device, algorithm))
}

/** The plan of a choice. @param choice legal for the convolution on this device */
export function planChosen(conv: Convolution, device: DeviceFacts, choice: Choice): OpPlan {
  if (sizeOf(conv.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const plan = algorithmNamed(choice.config.algorithm, conv.op).plan(conv, choice.config, device)
  return { ...plan, reason: `${choice.reason}: ${plan.reason}` }
}

/** What the caller forces, else as `choose`. @throws OptionError where a forced algorithm is not legal */
export function choiceOf(conv: Convolution, device: DeviceFacts, algorithm?: string | AlgorithmConfig): Choice {
  return algorithm === undefined ? choose(conv, device) : { config: forced(conv, algorithm, device), reason: 'forced' }
}

/** By measurement where there is one for this adapter and problem, the user's own or one that ships, else by rule. */
export function choose(conv: Convolution, device: DeviceFacts): Choice {
  const { kept, refused } = keptKernel(convolutionKey(conv), device, (given) => keptConfig(conv, given, device))
  const { config, reason } = kept ?? byRule(conv, device)
  return { config, reason: [...refused, reason].join('; ') }
}

/** A measured algorithm where it can run; else why not. */
function keptConfig(conv: Convolution, given: TunedKernel, device: DeviceFacts): AlgorithmConfig | string {
  const algorithm = 'algorithm' in given ? ALGORITHMS.get(given.algorithm) : undefined
  const parsed = algorithm?.schema.safeParse(given)
  if (parsed?.success !== true) return UNKNOWN_KERNEL
  const refusal = unrunnable(conv, parsed.data, device)
  return refusal === undefined ? parsed.data : `cannot run: ${refusal}`
}

/** Why it is refused, or what its plan asks of the device that this lacks: bindings, invocations, workgroup memory. Undefined: it runs. */
export function unrunnable(conv: Convolution, config: AlgorithmConfig, device: DeviceFacts): string | undefined {
  const refusal = refusalOf(conv, config, device)
  if (refusal !== undefined || sizeOf(conv.output.shape) === 0) return refusal
  const { op, groups, filters, outputLayout, x, w, bias = null, residual = null, output, place } = conv
  try {
    const whole = placedType(op, output, groups * filters, outputLayout, place)
    const plan = algorithmNamed(config.algorithm, op).plan(conv, config, device)
    checkPlan(plan, { inputs: [x, w, bias, residual], outputs: [whole] }, device)
  } catch (error) {
    if (error instanceof DeviceLimitError) return error.message
    throw error
  }
  return undefined
}

/** An algorithm that is taken where nothing was measured, if its first candidate is legal. */
interface Rule {
  readonly algorithm: string
  when(conv: Convolution, device: DeviceFacts): boolean
  /** In the words of the plan. */
  readonly reason: string
}

/** Up to as many channels and filters per group, a group is less than a tile of a matrix product is deep and wide. */
const SMALL_GROUP = 16
/** Up to as many channels, an element of a window is found for too few of them. */
const FEW_CHANNELS = 4
/** Up to as many filters, a tile of a matrix product is mostly empty. */
const FEW_FILTERS = 9

/** Where each filter owns few products: 1.3 to 8 times as fast by direct tiles on lavapipe. */
function isNarrow(conv: Convolution): boolean {
  const { groups, channels, filters, layout } = conv
  // In nchw, single taps of few filters are a product whose columns lie in line.
  if (layout === 'nchw' && tapsOf(conv) === 1) return channels <= FEW_CHANNELS && filters > FEW_FILTERS
  const isSmallGroup = groups > 1 && channels <= SMALL_GROUP && filters <= SMALL_GROUP
  return channels <= FEW_CHANNELS || filters <= FEW_FILTERS || isSmallGroup
}

/**
 * Where Winograd pays. On lavapipe it is 1.3 to 2.8 times as fast as implicit GEMM from 32 channels and filters on, but its pipelines take
 * 0.4 s of the processor that also runs the kernels: a convolution must save as much within a few dozen runs. On GPUs, where products are
 * faster beside memory, from 64 channels on (reasoned, not measured).
 */
const WINOGRAD = { software: { channels: 32, macs: 3e8 }, gpu: { channels: 64, macs: 5e6 } }

/** Below, the pipelines of transforms are not made up for. */
const LEAST_FFT_MACS = 2e7

const RULES: readonly Rule[] = [
  // Measured in software alone: on GPUs it is a candidate of the tuner's.
  {
    algorithm: 'fft',
    when: (conv, { software }) => software && macsOf(conv) >= LEAST_FFT_MACS && isWorthwhile(conv),
    reason: 'by rule for large filters',
  },
  {
    algorithm: 'depthwise',
    when: ({ groups, channels }) => groups > 1 && channels === 1,
    reason: 'by rule for groups of one channel',
  },
  {
    algorithm: 'winograd',
    when: (conv, { software }) => {
      const { channels, macs } = software ? WINOGRAD.software : WINOGRAD.gpu
      return conv.channels >= channels && conv.filters >= channels && macsOf(conv) >= macs
    },
    reason: 'by rule for 3×3 filters',
  },
  { algorithm: 'direct-tiled', when: isNarrow, reason: 'by rule for few channels or filters' },
]

/**
 * The rule where nothing was measured: the first of RULES that holds and may run; else implicit GEMM; where that is refused, whatever may run.
 * @throws OptionError where nothing may: groups that begin within a quad, in mixed layouts
 */
export function byRule(conv: Convolution, device: DeviceFacts): Choice {
  for (const { algorithm, when, reason } of RULES) {
    if (!when(conv, device)) continue
    const config = algorithmNamed(algorithm, conv.op)
      .candidates(conv, device)
      .find((candidate) => unrunnable(conv, candidate, device) === undefined)
    if (config !== undefined) return { config, reason }
  }
  const usual = ruleFor(conv, device)
  const refusal = refusalOf(conv, usual, device)
  if (refusal === undefined) return { config: usual, reason: 'by rule' }
  const other = allCandidates(conv, device).find((candidate) => unrunnable(conv, candidate, device) === undefined)
  if (other !== undefined) return { config: other, reason: `by rule: for implicit GEMM, ${refusal}` }
  throw new OptionError(`No algorithm runs this convolution: ${refusal}`, {
    op: conv.op,
    shape: conv.x.shape,
    remedy: 'Give X and Y one layout, nchw or nhwc',
  })
}
