/**
 * Activations that a product applies before it stores: what they compute on the CPU, how much they can enlarge an error, and their
 * WGSL (`fn apply(x: f32) -> f32`, after float.wgsl).
 */
import float from '../../../shaders/elementwise/float.wgsl?raw'
import relu from '../../../shaders/elementwise/relu.wgsl?raw'
import sigmoid from '../../../shaders/elementwise/sigmoid.wgsl?raw'
import tanh from '../../../shaders/elementwise/tanh.wgsl?raw'
import gelu from '../../../shaders/gemm/epilogue/gelu.wgsl?raw'
import silu from '../../../shaders/gemm/epilogue/silu.wgsl?raw'
import activated from '../../../shaders/gemm/epilogue/activated.wgsl?raw'
import linear from '../../../shaders/gemm/epilogue/linear.wgsl?raw'
import { ULP } from '../elementwise/tolerance.ts'

export const ACTIVATIONS = ['none', 'relu', 'sigmoid', 'tanh', 'silu', 'gelu'] as const
export type Activation = (typeof ACTIVATIONS)[number]

interface Definition {
  readonly wgsl: string
  /** In f64. */
  readonly value: (x: number) => number
  /** Largest slope: an error of the sum grows by at most this. */
  readonly slope: number
  /** Error of the function itself in f32, relative to |value| + |x|·tiny, in units in the last place. */
  readonly ulps: (x: number) => number
}

const sigmoidOf = (x: number): number => {
  const e = Math.exp(-Math.abs(x))
  return (x < 0 ? e : 1) / (1 + e)
}

const GELU_SCALE = Math.sqrt(2 / Math.PI)

const DEFINITIONS: Readonly<Record<Exclude<Activation, 'none'>, Definition>> = {
  relu: { wgsl: relu, value: (x) => (x > 0 || Number.isNaN(x) ? x : 0), slope: 1, ulps: () => 0 },
  sigmoid: { wgsl: sigmoid, value: sigmoidOf, slope: 0.25, ulps: (x) => 8 + 2 * Math.abs(x) },
  tanh: { wgsl: tanh, value: Math.tanh, slope: 1, ulps: () => 20 },
  /** x · sigmoid(x). Its steepest slope is 1.0998. */
  silu: {
    wgsl: silu,
    value: (x) => (x === -Infinity ? 0 : x * sigmoidOf(x)),
    slope: 1.1,
    ulps: (x) => 10 + 2 * Math.abs(x),
  },
  /**
   * GELU by tanh, as in GPT-2: x · sigmoid(2u) with u = sqrt(2/π)·(x + 0.044715·x³), which is x·(1 + tanh u)/2. Steepest slope 1.13.
   * The error of 2u (a few ulps of it) is one of the exponent: 8·|2u| ulps.
   */
  gelu: {
    wgsl: gelu,
    value: (x) => (x === -Infinity ? 0 : x * sigmoidOf(2 * GELU_SCALE * (x + 0.044715 * x ** 3))),
    slope: 1.13,
    ulps: (x) => 12 + 10 * Math.abs(2 * GELU_SCALE * (x + 0.044715 * x ** 3)),
  },
}

/** WGSL of `activated(x)`. */
export function activationWgsl(activation: Activation): string {
  return activation === 'none' ? linear : [float, DEFINITIONS[activation].wgsl, activated].join('\n')
}

/** The activation of an exact sum that a kernel knows to within `bound`, and the bound on its result. */
export function activateExact(activation: Activation, x: number, bound: number): { value: number; bound: number } {
  if (activation === 'none') return { value: x, bound }
  const { value, slope, ulps } = DEFINITIONS[activation]
  const y = value(x)
  const own = Number.isFinite(x) ? ulps(Math.abs(x) + bound) * ULP * (Math.abs(y) + slope * bound) : 0
  return { value: y, bound: slope * bound + own }
}
