/**
 * How far a result may lie from the reference, and whether it does. The bound for a sum of K products is the usual one,
 * |error| ≤ γ_K · Σ|w||x| with γ_K = K·u / (1 − K·u) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.1),
 * which holds for every order of summation and with fused multiply-adds.
 */
import { ShapeError } from '../errors.ts'
import type { DType, HostArray } from '../tensor/dtype.ts'
import { formatShape, sameShape } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import type { ReferenceOutput } from './op.ts'

/** Unit roundoff of f32 arithmetic rounded to nearest, 2⁻²⁴. */
export const F32_ROUNDOFF = 2 ** -24

/** γ_K for K roundings; infinite once K·u reaches 1, where nothing can be said. */
export function gamma(terms: number, unitRoundoff = F32_ROUNDOFF): number {
  const product = terms * unitRoundoff
  return product < 1 ? product / (1 - product) : Infinity
}

/**
 * The rounding of a stored value, on top of the bound on its computation: relative u, or half the smallest subnormal. A device may
 * also flush subnormal f32 values to zero, so they count as absent.
 */
const STORAGE: Partial<Record<DType, { relative: number; absolute: number; largest: number }>> = {
  f32: { relative: 0, absolute: 2 ** -126, largest: (2 - 2 ** -23) * 2 ** 127 },
  f16: { relative: 2 ** -11, absolute: 2 ** -25, largest: 65504 },
}

export interface Comparison {
  /** Largest |error|; NaN where a NaN meets a number, infinite where an infinity does. */
  readonly maxAbs: number
  /** Largest |error| / |expected| over the elements whose expected value is finite and not 0. */
  readonly maxRelative: number
  /** Largest |error| / allowed error; the result is verified when it is at most 1. */
  readonly maxRatio: number
  readonly ok: boolean
  /** The element with the largest ratio, −1 when nothing differs. */
  readonly worstIndex: number
}

/**
 * Holds a result against the reference. NaN agrees with NaN and an infinity with the same infinity; an f16 result may also be
 * off by the rounding to f16. Where a bound that `spreads` is infinite, nothing is compared.
 * @throws ShapeError when dtype or shape differ: then there is nothing to compare.
 */
export function compare(result: HostTensor, reference: ReferenceOutput): Comparison {
  const { tensor: expected, tolerance } = reference
  if (result.dtype !== expected.dtype || !sameShape(result.shape, expected.shape)) {
    throw new ShapeError(
      `A ${result.dtype} result of shape ${formatShape(result.shape)} is compared with a reference that is not like it`,
      { dtype: expected.dtype, shape: expected.shape },
    )
  }
  const actual = numbers(result.values)
  const rounded = numbers(expected.values)
  if (tolerance.kind === 'exact') return scan(actual, rounded, rounded, () => 0)
  const exact = reference.exact ?? rounded
  const storage = STORAGE[expected.dtype] ?? { relative: 0, absolute: 0, largest: Infinity }
  const { relative, absolute, largest } = storage
  const own: (index: number, magnitude: number) => number =
    tolerance.kind === 'bound'
      ? (index) => tolerance.bound[index] ?? NaN
      : (_, magnitude) => tolerance.absolute + tolerance.relative * magnitude
  const allowed = (index: number): number => {
    const magnitude = Math.abs(exact[index] ?? NaN)
    const computed = own(index, magnitude)
    if (computed === Infinity) return Infinity
    const limit = computed + relative * (magnitude + computed) + absolute
    // Where rounding may carry a value past the largest number, the infinity is right as well.
    return magnitude + limit > largest && actual[index] === Math.sign(exact[index] ?? NaN) * Infinity ? Infinity : limit
  }
  const free = tolerance.kind === 'bound' && tolerance.spreads === true
  return scan(actual, exact, rounded, allowed, (index) => free && tolerance.bound[index] === Infinity)
}

type Numbers = ArrayLike<number>

function scan(
  actual: Numbers,
  exact: Numbers,
  rounded: Numbers,
  allowed: (index: number) => number,
  isFree: (index: number) => boolean = () => false,
): Comparison {
  let maxAbs = 0
  let maxRelative = 0
  let maxRatio = 0
  let worstIndex = -1
  for (let i = 0; i < actual.length; i++) {
    const value = actual[i]!
    const target = exact[i]!
    if (value === target || value === rounded[i] || (Number.isNaN(value) && Number.isNaN(target))) continue
    if (isFree(i)) continue
    const error = Math.abs(value - target)
    if (Number.isNaN(error) || error > maxAbs) maxAbs = error
    // A NaN or an infinity that is not the expected one is never within a limit.
    const finite = Number.isFinite(target)
    if (finite && target !== 0) maxRelative = Math.max(maxRelative, Number.isNaN(error) ? Infinity : error / Math.abs(target))
    const limit = finite ? allowed(i) : 0
    const ratio = limit === Infinity ? 0 : Number.isFinite(error) ? error / limit : Infinity
    if (ratio > maxRatio || Number.isNaN(ratio) || worstIndex < 0) {
      maxRatio = Number.isNaN(ratio) ? Infinity : Math.max(maxRatio, ratio)
      worstIndex = i
    }
  }
  return { maxAbs, maxRelative, maxRatio, ok: maxRatio <= 1, worstIndex }
}

/** The values as numbers; i64 beyond 2⁵³ would lose digits, which no tensor of indices reaches. */
function numbers(values: HostArray): Numbers {
  return values instanceof BigInt64Array ? Float64Array.from(values, Number) : values
}
