/**
 * Activations that a product or a convolution applies before it stores: what they compute on the CPU, how much they can enlarge an
 * error, and their WGSL. Think of one as the elementwise op of its name, moved into another kernel: NaN and
 * infinities fare as there (most bodies are the same files), and what the op takes as attributes are params here too, so that a kernel
 * serves all bounds and slopes. None, relu and clip are one kernel (shaders/gemm/epilogue/bounded.wgsl).
 */
import { z } from 'zod'
import float from '../../../shaders/elementwise/float.wgsl?raw'
import hardSigmoid from '../../../shaders/elementwise/hard_sigmoid.wgsl?raw'
import hardSwish from '../../../shaders/elementwise/hard_swish.wgsl?raw'
import leakyRelu from '../../../shaders/elementwise/leaky_relu.wgsl?raw'
import sigmoid from '../../../shaders/elementwise/sigmoid.wgsl?raw'
import tanh from '../../../shaders/elementwise/tanh.wgsl?raw'
import gelu from '../../../shaders/gemm/epilogue/gelu.wgsl?raw'
import silu from '../../../shaders/gemm/epilogue/silu.wgsl?raw'
import activated from '../../../shaders/gemm/epilogue/activated.wgsl?raw'
import bounded from '../../../shaders/gemm/epilogue/bounded.wgsl?raw'
import type { ParamType } from '../../gpu/program.ts'
import { ULP } from '../elementwise/tolerance.ts'
import { hardSigmoidError, hardSigmoidOf } from '../hard-sigmoid/op.ts'
import { HARD_SWISH_ERROR, hardSwishOf } from '../hard-swish/op.ts'

/** Activations without parameters. */
export const ACTIVATIONS = ['none', 'relu', 'sigmoid', 'tanh', 'silu', 'gelu', 'hardSwish'] as const

/** Those with: as the ops of these names, min(max(x, min), max) — relu6 is 0 to 6 —, x or alpha · x, and alpha · x + beta in [0, 1]. */
const parametric = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('clip'), min: z.number().optional(), max: z.number().optional() }),
  z.strictObject({ name: z.literal('leakyRelu'), alpha: z.number().default(0.01) }),
  z.strictObject({ name: z.literal('hardSigmoid'), alpha: z.number().default(0.2), beta: z.number().default(0.5) }),
])

const CHOICES = [
  `one of ${ACTIVATIONS.join(', ')}`,
  "{ name: 'clip', min, max } (relu6 has 0 and 6)",
  "{ name: 'leakyRelu', alpha }",
  "{ name: 'hardSigmoid', alpha, beta }",
]

/** The attribute `activation` of an op. */
export const activationField = z
  .union([z.enum(ACTIVATIONS), parametric], { error: `give ${CHOICES.join(', or ')}` })
  .default('none')
export type Activation = z.infer<typeof activationField>

/** relu6, as MobileNet has it. */
export const RELU6: Activation = { name: 'clip', min: 0, max: 6 }

interface Definition {
  /** `fn apply(x: f32) -> f32`, after float.wgsl. */
  readonly wgsl: string
  readonly types?: Readonly<Record<string, ParamType>>
  readonly values?: Readonly<Record<string, number>>
  /** In f64. */
  readonly value: (x: number) => number
  /** Largest slope: an error of the sum grows by at most this. */
  readonly slope: number
  /** Largest error of the function itself in f32, for arguments up to |x| and results up to |y|. */
  readonly error: (x: number, y: number) => number
}

const sigmoidOf = (x: number): number => {
  const e = Math.exp(-Math.abs(x))
  return (x < 0 ? e : 1) / (1 + e)
}

const GELU_SCALE = Math.sqrt(2 / Math.PI)

const noError = (): number => 0

/** min(max(x, low), high), one kernel for all bounds. */
function boundedBy(low: number, high: number, value: (x: number) => number): Definition {
  return { wgsl: bounded, types: { low: 'f32', high: 'f32' }, values: { low, high }, value, slope: 1, error: noError }
}

const PLAIN: Readonly<Record<(typeof ACTIVATIONS)[number], Definition>> = {
  none: boundedBy(-Infinity, Infinity, (x) => x),
  relu: boundedBy(0, Infinity, (x) => (x > 0 || Number.isNaN(x) ? x : 0)),
  sigmoid: { wgsl: sigmoid, value: sigmoidOf, slope: 0.25, error: (x, y) => (8 + 2 * x) * ULP * y },
  tanh: { wgsl: tanh, value: Math.tanh, slope: 1, error: (_, y) => 20 * ULP * y },
  /** x · sigmoid(x). Its steepest slope is 1.0998. */
  silu: {
    wgsl: silu,
    value: (x) => (x === -Infinity ? 0 : x * sigmoidOf(x)),
    slope: 1.1,
    error: (x, y) => (10 + 2 * x) * ULP * y,
  },
  /**
   * GELU by tanh, as in GPT-2: x · sigmoid(2u) with u = sqrt(2/π)·(x + 0.044715·x³), which is x·(1 + tanh u)/2. Steepest slope 1.13.
   * The error of 2u (a few ulps of it) is one of the exponent: 8·|2u| ulps.
   */
  gelu: {
    wgsl: gelu,
    value: (x) => (x === -Infinity ? 0 : x * sigmoidOf(2 * GELU_SCALE * (x + 0.044715 * x ** 3))),
    slope: 1.13,
    error: (x, y) => (12 + 10 * 2 * GELU_SCALE * (x + 0.044715 * x ** 3)) * ULP * y,
  },
  /** Steepest at 3, from the left: (2·3 + 3)/6. */
  hardSwish: { wgsl: hardSwish, value: hardSwishOf, slope: 1.5, error: () => HARD_SWISH_ERROR },
}

type Parametric = z.infer<typeof parametric>

/** A reference asks for every element. */
const definitions = new WeakMap<Parametric, Definition>()

function definitionOf(activation: Activation): Definition {
  if (typeof activation === 'string') return PLAIN[activation]
  const known = definitions.get(activation)
  if (known !== undefined) return known
  const made = parametricDefinition(activation)
  definitions.set(activation, made)
  return made
}

function parametricDefinition(activation: Parametric): Definition {
  switch (activation.name) {
    case 'clip': {
      const [low, high] = [Math.fround(activation.min ?? -Infinity), Math.fround(activation.max ?? Infinity)]
      return boundedBy(low, high, (x) => Math.min(Math.max(x, low), high))
    }
    case 'leakyRelu': {
      const alpha = Math.fround(activation.alpha)
      return {
        wgsl: leakyRelu,
        types: { alpha: 'f32' },
        values: { alpha },
        value: (x) => (x < 0 ? alpha * x : x),
        slope: Math.max(1, Math.abs(alpha)),
        error: (_, y) => ULP * y,
      }
    }
    case 'hardSigmoid': {
      const { alpha, beta } = activation
      return {
        wgsl: hardSigmoid,
        types: { alpha: 'f32', beta: 'f32' },
        values: { alpha, beta },
        value: (x) => hardSigmoidOf(x, activation),
        slope: Math.abs(alpha),
        error: () => hardSigmoidError(activation),
      }
    }
  }
}

/** What an activation's params are called among those of another kernel. */
const PREFIX = 'activation_'

/** WGSL of `activated(x)`; it reads the params of `activationParams`. */
export function activationWgsl(activation: Activation): string {
  return [float, definitionOf(activation).wgsl.replaceAll('params.', `params.${PREFIX}`), activated].join('\n')
}

/** Params that an activation adds to those of its kernel: their types and values. */
export function activationParams(activation: Activation): {
  readonly types: Readonly<Record<string, ParamType>>
  readonly values: Readonly<Record<string, number>>
} {
  const { types = {}, values = {} } = definitionOf(activation)
  const prefixed = <T>(entries: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [`${PREFIX}${name}`, value]))
  return { types: prefixed(types), values: prefixed(values) }
}

/** The activation as a function in f64. */
export function activationValue(activation: Activation): (x: number) => number {
  return definitionOf(activation).value
}

/** Of exact sums that a kernel knows to within `bound`, the activation and the bound on its result. */
export function activateExact(activation: Activation, x: number, bound: number): { value: number; bound: number } {
  if (activation === 'none') return { value: x, bound }
  const { value, slope, error } = definitionOf(activation)
  const y = value(x)
  const own = Number.isFinite(x) ? error(Math.abs(x) + bound, Math.abs(y) + slope * bound) : 0
  return { value: y, bound: slope * bound + own }
}
