/** A convolution as the autotuner takes it: its algorithms, and the result that they are held against. */
import { DtypeError, OptionError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { TunedKernel } from '../gpu/tuning.ts'
import type { AlgorithmConfig } from '../ops/conv2d/algorithm.ts'
import { ALGORITHMS, algorithmNamed, refusalOf } from '../ops/conv2d/algorithms.ts'
import { choose, convolutionKey } from '../ops/conv2d/choose.ts'
import { layoutStrides, macsOf, pixelsOf, tapsOf, type Convolution } from '../ops/conv2d/convolution.ts'
import { estimateConvolution } from '../ops/conv2d/estimate.ts'
import { keptWeights } from '../ops/gemm/kept-reference.ts'
import { sizeOf } from '../tensor/shape.ts'
import { constantsText } from './constants.ts'
import { ExactResult, MOST, stored, wholeNumbers, type Sums } from './exam.ts'
import type { Chosen, Contenders, Tunable } from './tunable.ts'

/**
 * A convolution without bias and activation, which cost next to nothing. One whose result has its place in a larger map runs without the
 * map, by algorithms that can store there.
 */
export function tunableConvolution({ bias, ...given }: Convolution): Tunable {
  void bias
  const whole: Convolution = { ...given, activation: 'none' }
  const conv = withoutPlace(whole)
  const { op, x, w, residual, output } = conv
  return {
    op,
    key: convolutionKey(whole),
    sizes: { text: convolutionText(whole), dtype: x.dtype, flops: 2 * macsOf(conv) },
    inputs: [x, w, null, residual ?? null],
    output,
    examValues: 2 * conv.batch * conv.groups * pixelsOf(conv) + conv.filters,
    chosen: (device) => chosenFor(whole, device),
    contenders: (device) => contendersOf(whole, device),
    plan: (config, device) => algorithmNamed(algorithmOf(config).algorithm, op).plan(conv, algorithmOf(config), device),
    estimate: (config, device, rates) => estimateConvolution(conv, algorithmOf(config), device, rates),

    configText(config) {
      const { algorithm, ...constants } = algorithmOf(config)
      const usual = ALGORITHMS.get(algorithm)?.schema.safeParse({ algorithm })
      return constantsText(algorithm, constants, usual?.success === true ? usual.data : {})
    },

    exam() {
      const depth = conv.channels * tapsOf(conv)
      const filters = wholeNumbers(sizeOf(w.shape), depth, 2)
      const values = {
        x: wholeNumbers(sizeOf(x.shape), depth, 1),
        w: conv.sparsity === undefined ? filters : keptWeights(filters, w.shape),
        residual: residual === undefined ? undefined : wholeNumbers(sizeOf(residual.shape), depth, 3),
      }
      const expected = new ExactResult(convolutionSums(conv, values))
      const others = residual === undefined || values.residual === undefined ? null : stored(values.residual, residual)
      return {
        operands: [stored(values.x, x), stored(values.w, w), null, others],
        check: (result, config) => expected.check(result, toleranceOf(conv, algorithmOf(config))),
      }
    },
  }
}

function withoutPlace({ place, ...conv }: Convolution): Convolution {
  void place
  return conv
}

/** As people write it: `64×56×56, 128×3×3, stride 2, padding 1, nchw f32`. */
function convolutionText(conv: Convolution): string {
  const { batch, groups, channels, filters, axes, layout, outputLayout, x, residual, place, sparsity } = conv
  const trivial = axes.findIndex(({ input, kernel }) => input > 1 || kernel > 1)
  const own = axes.slice(trivial < 0 ? 1 : trivial)
  const side = (values: readonly (number | string)[]): string => (new Set(values).size === 1 ? String(values[0]) : values.join('×'))
  const strides = side(own.map(({ stride }) => stride))
  const dilations = side(own.map(({ dilation }) => dilation))
  const paddings = side(own.map(({ before, after }) => (before === after ? before : `${before}+${after}`)))
  const parts = [
    `${batch === 1 ? '' : `${batch} of `}${[groups * channels, ...own.map(({ input }) => input)].join('×')}`,
    [groups * filters, ...own.map(({ kernel }) => kernel)].join('×'),
    ...(strides === '1' ? [] : [`stride ${strides}`]),
    ...(paddings === '0' ? [] : [`padding ${paddings}`]),
    ...(dilations === '1' ? [] : [`dilation ${dilations}`]),
    ...(groups === 1 ? [] : [`${groups} groups`]),
    ...(residual === undefined ? [] : ['residual']),
    ...(place === undefined ? [] : ['in place']),
    ...(sparsity === undefined ? [] : [sparsity]),
  ]
  return `${parts.join(', ')}, ${layout}${layout === outputLayout ? '' : `>${outputLayout}`} ${x.dtype}`
}

function algorithmOf(config: TunedKernel): AlgorithmConfig {
  if ('algorithm' in config) return config
  throw new OptionError(`${config.kernel} is a kernel of products, not an algorithm of convolutions`)
}

function chosenFor(conv: Convolution, device: DeviceFacts): Chosen & { readonly config: AlgorithmConfig } {
  const { config, reason } = choose(conv, device)
  return { config: algorithmNamed(config.algorithm, conv.op).schema.parse(config), reason }
}

function contendersOf(conv: Convolution, device: DeviceFacts): Contenders {
  const seen = new Set([dispatchesText(conv, chosenFor(conv, device).config, device)])
  const others: AlgorithmConfig[] = []
  const refused: { config: AlgorithmConfig; reason: string }[] = []
  // Of filters in 2:4 the others say nothing: they have no form for any.
  const fitting = [...ALGORITHMS.values()].filter(({ sparse }) => conv.sparsity === undefined || sparse === true)
  for (const one of fitting.flatMap((algorithm) => algorithm.candidates(conv, device))) {
    const why = refusalOf(conv, one, device)
    if (why !== undefined) {
      refused.push({ config: one, reason: why })
      continue
    }
    // A kernel by choice and the same one by name are one.
    const text = dispatchesText(conv, one, device)
    if (text !== undefined && seen.has(text)) continue
    seen.add(text)
    others.push(one)
  }
  return { others, refused }
}

/** What runs; undefined where planning fails, which its turn in the tournament will tell. */
function dispatchesText(conv: Convolution, config: AlgorithmConfig, device: DeviceFacts): string | undefined {
  try {
    const { dispatches, prepared } = algorithmNamed(config.algorithm, conv.op).plan(withoutPlace(conv), config, device)
    return JSON.stringify([dispatches, prepared])
  } catch {
    return undefined
  }
}

/**
 * How far an element may be from the sum: not at all where an algorithm only multiplies and adds; else its error times the magnitude of
 * src/ops/conv2d/tolerance.ts on these operands, taken at its most, and what storing a half loses.
 */
function toleranceOf(conv: Convolution, config: AlgorithmConfig): number {
  const algorithm = algorithmNamed(config.algorithm, conv.op)
  if (algorithm.error(conv, config) === 0) return 0
  const spread = algorithm.spread?.(conv, config)
  if (spread === undefined) throw new OptionError(`Algorithm ${config.algorithm} errs, and does not say how far`, { op: conv.op })
  const own = spread.error * tapsOf(conv) * conv.channels * MOST ** 2
  return conv.output.dtype === 'f16' ? own + 2 ** -11 * (2048 + own) : own
}

/** Values of a convolution's operands, as they lie. */
export interface ConvolutionValues {
  readonly x: Float32Array
  readonly w: Float32Array
  readonly residual?: Float32Array | undefined
}

/** A slice is a group, a row a position of a picture, a column a filter, the depth channels and then taps. */
export function convolutionSums(conv: Convolution, { x, w, residual }: ConvolutionValues): Sums {
  const { batch, groups, channels, filters, axes, layout, outputLayout, x: type } = conv
  if (type.dtype !== 'f32' && type.dtype !== 'f16') throw new DtypeError('Convolutions of floats are tuned', { dtype: type.dtype })
  const [az, ay, ax] = axes
  const from = layoutStrides(layout, groups * channels, [az.input, ay.input, ax.input])
  const to = layoutStrides(outputLayout, groups * filters, [az.output, ay.output, ax.output])
  const taps = tapsOf(conv)
  const depth = channels * taps
  const pixels = pixelsOf(conv)
  const lies = (c: number, { quad, channel }: typeof from): number => Math.floor(c / 4) * quad + (c % 4) * channel
  return {
    slices: groups,
    rows: batch * pixels,
    columns: filters,
    depth,
    length: sizeOf(conv.output.shape),
    left(group, row, into) {
      const position = row % pixels
      const start = Math.floor(row / pixels) * from.picture
      const front = Math.floor(position / (ay.output * ax.output)) * az.stride - az.before
      const top = (Math.floor(position / ax.output) % ay.output) * ay.stride - ay.before
      const side = (position % ax.output) * ax.stride - ax.before
      let k = 0
      for (let c = 0; c < channels; c++) {
        const plane = start + lies(group * channels + c, from)
        for (let t = 0; t < az.kernel; t++) {
          const z = front + t * az.dilation
          for (let r = 0; r < ay.kernel; r++) {
            const y = top + r * ay.dilation
            const isOut = z < 0 || z >= az.input || y < 0 || y >= ay.input
            const line = plane + z * from.z + y * from.y
            for (let s = 0; s < ax.kernel; s++) {
              const at = side + s * ax.dilation
              into[k++] = isOut || at < 0 || at >= ax.input ? 0 : (x[line + at * from.x] ?? NaN)
            }
          }
        }
      }
    },
    right(group, filter, into) {
      const start = (group * filters + filter) * depth
      for (let k = 0; k < depth; k++) into[k] = w[start + k] ?? NaN
    },
    projected(group, signs) {
      const sums = new Float64Array(depth)
      for (let m = 0; m < filters; m++) {
        const start = (group * filters + m) * depth
        for (let k = 0; k < depth; k++) sums[k] = (sums[k] ?? NaN) + (signs[m] ?? NaN) * (w[start + k] ?? NaN)
      }
      return sums
    },
    place(group, row, filter) {
      const position = row % pixels
      const z = Math.floor(position / (ay.output * ax.output))
      const y = Math.floor(position / ax.output) % ay.output
      const start = Math.floor(row / pixels) * to.picture + lies(group * filters + filter, to)
      return start + z * to.z + y * to.y + (position % ax.output) * to.x
    },
    ...(residual === undefined ? {} : { added: (place: number) => residual[place] ?? NaN }),
  }
}
