/**
 * The phases of a transposed convolution. Along an axis, output o takes x[i] · w[k] wherever i·stride + k·dilation = o + before. With
 * stride s only every s-th tap can meet a given output, and outputs that are s apart meet the same taps: they are a *phase*, an ordinary
 * convolution of stride 1 whose filter is those taps, turned round. Stride 2, kernel 3, no padding:
 *
 *     taps      w0 w1 w2
 *     outputs   0  1  2  3  4  5  6        phase 0 (0 2 4 6):  x[p]·w0 + x[p−1]·w2       a window of 2
 *               +--+--+                    phase 1 (1 3 5):    x[p]·w1                   a window of 1
 *               x0    +--+--+
 *                     x1    +--+--+        No zero is put between the values of x, and none multiplied
 *                           x2             (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, has the
 *                                          zeros; Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016, the phases).
 *
 * Pure.
 */

/** One axis of a transposed convolution. */
export interface TransposedAxis {
  /** Extent of the input. */
  readonly input: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  /** Outputs that are cut off at the beginning. */
  readonly before: number
  /** Extent of the output. */
  readonly output: number
}

/** Neighbouring phases of an axis that do alike: `count` of them from output `first` on. */
export interface Phases {
  readonly first: number
  readonly count: number
  /** Outputs of each. */
  readonly outputs: number
  /** Taps of each; 0: nothing reaches these outputs. */
  readonly taps: number
  /** The tap that the window's first element is, in the first of the phases; one more in the next. The following elements step down by `step`. */
  readonly tap: number
  readonly step: number
  /** Distance of the window's elements in the input. */
  readonly dilation: number
  /** Zeros before the input; negative: so many values are not reached. */
  readonly before: number
}

/** All phases of an axis, in order; those without outputs are left out. */
export function phasesOf(axis: TransposedAxis): Phases[] {
  const phases: Phases[] = []
  for (let first = 0; first < Math.min(axis.stride, axis.output); first++) {
    const phase = phaseAt(axis, first)
    const last = phases.at(-1)
    if (last !== undefined && isNext(last, phase)) phases[phases.length - 1] = { ...last, count: last.count + 1 }
    else phases.push(phase)
  }
  return phases
}

/** Phases along depth, height and width that are dispatched together. */
export type Run = readonly [z: Phases, y: Phases, x: Phases]

/** All phases of three axes: every output is of one run. */
export function runsOf(axes: readonly [TransposedAxis, TransposedAxis, TransposedAxis]): Run[] {
  const [z, y, x] = axes
  return phasesOf(z).flatMap((deep) => phasesOf(y).flatMap((high) => phasesOf(x).map((wide): Run => [deep, high, wide])))
}

function phaseAt({ kernel, stride, dilation, before, output }: TransposedAxis, first: number): Phases {
  const shared = divisor(stride, dilation)
  const step = stride / shared
  const outputs = Math.ceil((output - first) / stride)
  let lowest = 0
  while (lowest < step && (first + before - lowest * dilation) % stride !== 0) lowest++
  const taps = lowest < Math.min(step, kernel) ? Math.ceil((kernel - lowest) / step) : 0
  const spacing = dilation / shared
  if (taps === 0) return { first, count: 1, outputs, taps, tap: 0, step, dilation: spacing, before: 0 }
  const reached = (first + before - lowest * dilation) / stride - (taps - 1) * spacing
  const tap = lowest + (taps - 1) * step
  // −0 is none.
  return { first, count: 1, outputs, taps, tap, step, dilation: spacing, before: 0 - reached }
}

function isNext(last: Phases, next: Phases): boolean {
  if (last.outputs !== next.outputs || last.taps !== next.taps) return false
  return next.taps === 0 || (last.before === next.before && last.tap + last.count === next.tap)
}

/** Greatest common divisor. */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
