/**
 * An order of input channels in which pruning 2:4 keeps more magnitude (Pool and Yu, "Channel Permutations for N:M Sparsity",
 * NeurIPS 2021). Think of seating guests at tables of four of which two may stay: whoever sits with equals in every line leaves
 * much behind, so large and small are mixed. A network computes the same if what makes the channels is reordered likewise.
 *
 * How much an order gains is said as efficacy: 0 is what the order as it stands keeps, 100 what half of the weights chosen freely would.
 */
import { OptionError, ShapeError } from '../errors.ts'
import { Random } from '../schedule/search/random.ts'
import { magnitudesOf, sumOfLargest } from './magnitude.ts'
import { StripeSearch } from './stripe-search.ts'
import { STRIPE, Stripes } from './stripes.ts'

export interface ChannelMatrix {
  /** Line-major, [lines, channels]; matrices that must share an order are stacked. */
  readonly values: ArrayLike<number>
  readonly lines: number
  readonly channels: number
}

export interface PermutationOptions {
  /** Chooses the random steps: an integer, default 1. */
  readonly seed?: number
  /** Evaluations at most: of a channel in a stripe, over all lines. Default: what takes some seconds, see `defaultBudget`. */
  readonly budget?: number
  /** Stops the search: the best so far is the result. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: PermutationProgress) => void
}

export interface PermutationProgress {
  readonly spent: number
  readonly budget: number
  /** Of the best order so far. */
  readonly efficacy: number
}

export interface Permutation {
  /** By new place, the old channel. The identity where nothing better was found. */
  readonly order: Uint32Array
  /** Σ|w| that 2:4 keeps in this order. */
  readonly kept: number
  /** Σ|w| that it keeps in the order given. */
  readonly unpermuted: number
  /** Σ|w| of as many of the largest weights as 2:4 keeps: half of them where the channels are a multiple of 4. */
  readonly unstructured: number
  /** (kept − unpermuted) / (unstructured − unpermuted) · 100; 0 where there is nothing to gain. */
  readonly efficacy: number
}

/**
 * The best order found: never worse than the one given, and the same for the same seed and budget.
 * @throws ShapeError where the values are not lines × channels; OptionError for NaN or infinite weights, a seed that is no integer,
 * or a budget below 1
 */
export function searchPermutation(matrix: ChannelMatrix, options: PermutationOptions = {}): Permutation {
  const search = permutationSteps(matrix, options)
  for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value
}

/**
 * The same in small steps, for callers that look after something else between them.
 * @throws as `searchPermutation`
 */
export function* permutationSteps(
  { values, lines, channels }: ChannelMatrix,
  options: PermutationOptions = {},
): Generator<PermutationProgress, Permutation> {
  if (
    !Number.isSafeInteger(lines) ||
    !Number.isSafeInteger(channels) ||
    lines < 0 ||
    channels < 0 ||
    lines * channels !== values.length
  ) {
    throw new ShapeError(`${values.length} weights are no matrix of ${lines} lines and ${channels} channels`)
  }
  const { seed = 1, budget = defaultBudget(lines, channels), signal, onProgress } = options
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  if (!Number.isSafeInteger(budget) || budget < 1) {
    throw new OptionError(`A budget of ${budget} evaluations`, { remedy: 'Evaluate one channel at least' })
  }
  const magnitudes = magnitudesOf(values)
  const identity = Uint32Array.from({ length: channels }, (_, place) => place)
  const unpermuted = keptInOrder(magnitudes, lines, identity)
  const chosen = 2 * Math.floor(channels / STRIPE) + Math.min(2, channels % STRIPE)
  const unstructured = sumOfLargest(magnitudes, lines * chosen)
  const efficacyOf = (kept: number): number =>
    unstructured > unpermuted ? ((kept - unpermuted) / (unstructured - unpermuted)) * 100 : 0
  const given: Permutation = { order: identity, kept: unpermuted, unpermuted, unstructured, efficacy: 0 }
  if (channels <= STRIPE || !(unstructured > unpermuted)) return given

  const stripes = new Stripes(magnitudes, lines, channels)
  const search = new StripeSearch(stripes, new Random(seed), budget)
  const steps = search.run()
  while (signal?.aborted !== true && steps.next().done !== true) {
    const progress = { spent: search.spent, budget, efficacy: efficacyOf(search.best.kept) }
    onProgress?.(progress)
    yield progress
  }
  const order = canonical(search.best.order, channels)
  const kept = keptInOrder(magnitudes, lines, order)
  return kept > unpermuted ? { order, kept, unpermuted, unstructured, efficacy: efficacyOf(kept) } : given
}

/**
 * Evaluations that are tried where no budget is given: 20 for every two channels, but no more than some seconds' work (2^33
 * differences of two weights, at 0.7 ns). Swaps have converged by then where channels are not many; what a larger budget brings
 * is escapes: on a uniform random 64×128 matrix the efficacy goes from 47 to 51 with twenty times as much.
 */
export function defaultBudget(lines: number, channels: number): number {
  return Math.max(1, Math.min(20 * channels * channels, Math.ceil(2 ** 33 / Math.max(1, lines))))
}

/** Σ of the two largest of every four places, straightforwardly. `order` says which channel is at a place. */
function keptInOrder(magnitudes: Float32Array, lines: number, order: Uint32Array): number {
  const channels = order.length
  let kept = 0
  for (let line = 0; line < lines; line++) {
    const row = line * channels
    for (let place = 0; place < channels; place += STRIPE) {
      let first = 0
      let second = 0
      for (let at = place, end = Math.min(place + STRIPE, channels); at < end; at++) {
        const magnitude = magnitudes[row + (order[at] ?? 0)] ?? 0
        if (magnitude > first) {
          second = first
          first = magnitude
        } else if (magnitude > second) second = magnitude
      }
      kept += first + second
    }
  }
  return kept
}

/** The same stripes, each sorted, and those that are full in the order of their first channel: near to the order given. */
function canonical(order: Uint32Array, channels: number): Uint32Array {
  const stripes: Uint32Array[] = []
  for (let place = 0; place < channels; place += STRIPE) stripes.push(order.slice(place, Math.min(place + STRIPE, channels)).sort())
  const short = channels % STRIPE === 0 ? [] : stripes.splice(-1)
  stripes.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))
  const sorted = new Uint32Array(channels)
  let at = 0
  for (const stripe of [...stripes, ...short]) {
    sorted.set(stripe, at)
    at += stripe.length
  }
  return sorted
}
