/**
 * Constants folded into the filters of a convolution. What a batch norm, a product or a sum with a constant does to a channel is a line,
 * and a line after a sum of products is another sum of products:
 *
 *     s · (Σ w·x + b) + t  =  Σ (s·w)·x + (s·b + t)          for each filter, s and t in f64, the new w and b rounded once
 *
 * The new filters are lazy: made once, when they are uploaded, and remembered by what they were made of, so that plans of several shapes
 * and nodes that share filters share the result. Pure: no GPU.
 */
import { z } from 'zod'
import { floatsOf, rounded } from '../ops/values.ts'
import type { HostArrays } from '../tensor/dtype.ts'
import type { Shape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'

/** scale · x + shift, of each channel. */
export interface Lines {
  readonly scale: Float64Array
  readonly shift: Float64Array
  /** What the lines follow from, besides `key`: equal constants and keys give equal lines. */
  readonly constants: readonly HostTensor[]
  readonly key: string
}

/** A node that may be a line. */
export interface LineNode {
  readonly op: 'batchNorm' | 'mul' | 'div' | 'add' | 'sub'
  /** Inputs after the value that the line is of; undefined where one is no constant. */
  readonly constants: readonly (HostTensor | undefined)[]
  /** Parsed. */
  readonly attributes: unknown
}

const normAttributes = z.looseObject({ epsilon: z.number() })

/** What a node does to each channel of a value [N, C, …] of `shape`; undefined where that is no line with constant coefficients. */
export function linesOf({ op, constants: given, attributes }: LineNode, shape: Shape): Lines | undefined {
  const channels = shape[1] ?? 0
  const constants = given.filter((value) => value !== undefined)
  if (constants.length !== given.length || channels === 0) return undefined
  const scale = new Float64Array(channels).fill(1)
  const shift = new Float64Array(channels)
  const line = { scale, shift, constants }
  if (op === 'batchNorm') {
    const { epsilon } = normAttributes.parse(attributes)
    const [weight, bias, mean, variance] = constants.map(floatsOf)
    if (weight === undefined || bias === undefined || mean === undefined || variance === undefined) return undefined
    for (let c = 0; c < channels; c++) {
      scale[c] = (weight[c] ?? NaN) / Math.sqrt((variance[c] ?? NaN) + Math.fround(epsilon))
      shift[c] = (bias[c] ?? NaN) - (mean[c] ?? NaN) * (scale[c] ?? NaN)
    }
    return { ...line, key: `batchNorm ${epsilon}` }
  }
  const [other] = constants
  const values = other === undefined ? undefined : byChannel(other, shape)
  if (values === undefined) return undefined
  for (let c = 0; c < channels; c++) {
    const value = values[values.length === 1 ? 0 : c] ?? NaN
    if (op === 'mul') scale[c] = value
    else if (op === 'div') scale[c] = 1 / value
    else shift[c] = op === 'add' ? value : -value
  }
  return { ...line, key: op }
}

/** One value, or one for each channel, of a tensor that broadcasts to [N, C, …] and differs along C alone. */
function byChannel(value: HostTensor, shape: Shape): Float32Array | undefined {
  if (value.dtype !== 'f32' && value.dtype !== 'f16') return undefined
  const outer = shape.length - value.shape.length
  const fits = value.shape.every((extent, axis) => extent === 1 || (axis + outer === 1 && extent === shape[1]))
  return outer >= 0 && fits ? floatsOf(value) : undefined
}

/** Filters and bias of a convolution. */
export interface Filters {
  readonly weights: HostTensor
  /** [M] */
  readonly bias: HostTensor
}

/** How the filters of an op lie: [M, C/g, …], or [C, M/g, …] with M/g filters for the C/g channels of each group. */
export type FilterOrder = { readonly outermost: 'filters' } | { readonly outermost: 'channels'; readonly groups: number }

interface Entry {
  readonly constants: readonly (HostTensor | null)[]
  readonly key: string
  readonly filters: Filters | undefined
}

/** By the filters before. */
const folded = new WeakMap<HostTensor, Entry[]>()

/**
 * `weights` and `bias` with the lines applied after them; undefined where the result would lose digits that its dtype has for the
 * filters as they are (see `isFair`).
 */
export function foldLines(weights: HostTensor, bias: HostTensor | null, lines: Lines, order: FilterOrder): Filters | undefined {
  const constants = [bias, ...lines.constants]
  const key = `${lines.key} ${JSON.stringify(order)}`
  const entries = folded.get(weights) ?? []
  const known = entries.find(
    (entry) =>
      entry.key === key && entry.constants.length === constants.length && entry.constants.every((c, i) => c === constants[i]),
  )
  if (known !== undefined) return known.filters
  const filters = applied(weights, bias, lines, order)
  folded.set(weights, [...entries, { constants, key, filters }])
  return filters
}

function applied(weights: HostTensor, bias: HostTensor | null, { scale, shift }: Lines, order: FilterOrder): Filters | undefined {
  const { dtype, shape } = weights
  if (dtype !== 'f32' && dtype !== 'f16') return undefined
  const before = bias === null ? undefined : floatsOf(bias)
  const addends = shift.map((value, m) => (scale[m] ?? NaN) * (before?.[m] ?? 0) + value)
  if (!addends.every((value) => Math.abs(value) <= MOST[dtype])) return undefined
  if (!isFair(weights, scale, order)) return undefined
  const isSame = scale.every((value) => value === 1)
  return {
    weights: isSame ? weights : new HostTensor(dtype, shape, () => scaled(weights, dtype, scale, order)),
    bias: rounded(dtype, [scale.length], addends),
  }
}

/** Largest finite values. */
const MOST = { f32: 3.4028234663852886e38, f16: 65504 } as const

/** Scales of f32 filters beyond 2^±60 (and NaN) stay apart; no trained network has any. */
const FAR = 2 ** 60

/** Filters in halves stay at least so large in their largest element that a rounding below the normal range (2⁻²⁵) is 2⁻¹⁵ of it. */
const SMALL = 2 ** -10

/**
 * Whether scaled filters are as exact as those before: f32 by the scales alone, so that no weight is looked at; f16 by the largest
 * element of each filter, since halves end at 65504 and thin out below 2⁻¹⁴.
 */
function isFair(weights: HostTensor, scale: Float64Array, order: FilterOrder): boolean {
  const sizes = scale.map(Math.abs)
  if (weights.dtype === 'f32') return sizes.every((size) => size === 0 || (size <= FAR && size >= 1 / FAR))
  const largest = largestOf(weights, scale.length, order)
  return sizes.every((size, m) => {
    const [before, after] = [largest[m] ?? NaN, size * (largest[m] ?? NaN)]
    return after === 0 || (after <= MOST.f16 && after >= Math.min(SMALL, before))
  })
}

/** Of each filter. */
function largestOf(weights: HostTensor, filters: number, order: FilterOrder): Float64Array {
  const values = floatsOf(weights)
  const largest = new Float64Array(filters)
  eachRun(weights, filters, order, (m, from, to) => {
    for (let at = from; at < to; at++) largest[m] = Math.max(largest[m]!, Math.abs(values[at]!))
  })
  return largest
}

/** Each value times the factor of its filter, rounded once: a Float32Array rounds what is stored in it. */
function scaled(weights: HostTensor, dtype: 'f32' | 'f16', scale: Float64Array, order: FilterOrder): HostArrays['f32' | 'f16'] {
  const values = floatsOf(weights)
  const products = dtype === 'f32' ? new Float32Array(values.length) : new Float64Array(values.length)
  eachRun(weights, scale.length, order, (m, from, to) => {
    const factor = scale[m]!
    for (let at = from; at < to; at++) products[at] = values[at]! * factor
  })
  return products instanceof Float32Array ? products : rounded(dtype, weights.shape, products).values
}

/** Calls `visit` with the filter, the start and the end of every run of neighbouring values that belong to one filter. */
function eachRun(
  { shape }: HostTensor,
  filters: number,
  order: FilterOrder,
  visit: (filter: number, from: number, to: number) => void,
): void {
  const [outer = 0, inner = 0, ...kernel] = shape
  const taps = kernel.reduce((count, extent) => count * extent, 1)
  if (order.outermost === 'filters') {
    for (let m = 0; m < filters; m++) visit(m, m * inner * taps, (m + 1) * inner * taps)
    return
  }
  const channels = outer / order.groups
  for (let c = 0; c < outer; c++) {
    for (let j = 0; j < inner; j++) {
      const at = (c * inner + j) * taps
      visit(Math.floor(c / channels) * inner + j, at, at + taps)
    }
  }
}
