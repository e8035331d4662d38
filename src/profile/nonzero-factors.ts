/** The factors of each op that multiplies, as `nonzero-counts.ts` counts them: where groups, channels, filters and taps lie. */
import { attributes as convAttributes, convSizes, type ConvSizes } from '../ops/conv2d/rule.ts'
import { layoutStrides } from '../ops/layout.ts'
import { integerConvSizes, attributes as integerConvAttributes } from '../ops/conv-integer/sizes.ts'
import { attributes as transposeAttributes, transposedSizes } from '../ops/conv-transpose2d/rule.ts'
import { attributes as gemmAttributes, gemmSizes } from '../ops/gemm/rule.ts'
import { linearSizes } from '../ops/linear/rule.ts'
import { batchOffsets, reader } from '../ops/matmul-integer/reference-sums.ts'
import { attributes as matmulIntegerAttributes } from '../ops/matmul-integer/rule.ts'
import { integerSizes, walkOf, type IntegerSizes } from '../ops/matmul-integer/sizes.ts'
import { dequantised } from '../ops/matmul-nbits/reference.ts'
import { attributes as nbitsAttributes, nbitsSizes } from '../ops/matmul-nbits/rule.ts'
import { requireInput } from '../ops/checks.ts'
import { packedOf } from '../ops/sparse-matmul/reference.ts'
import { attributes as sparseAttributes, isOfBytes, sparseSizes, X_ZERO } from '../ops/sparse-matmul/rule.ts'
import { numbersOf } from '../ops/values.ts'
import { unpackTwoOfFour } from '../sparsity/two-of-four.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { transposedVisits, windowVisits, type Factors, type VisitedAxis, type Visits } from './nonzero-counts.ts'

type Inputs = readonly (HostTensor | null)[]

/** How an op's two factors are told; `factors` of quantised ops have their zero points taken off. */
const FACTORS: Readonly<Record<string, (inputs: Inputs, attributes: unknown) => Factors>> = {
  conv2d: (inputs, attributes) => {
    const sizes = convSizes(inputs, convAttributes.parse(attributes))
    return windowFactors(sizes, numbersOf(given('conv2d', inputs, 0)), numbersOf(given('conv2d', inputs, 1)))
  },
  convTranspose2d: (inputs, attributes) => {
    const sizes = transposedSizes(inputs, transposeAttributes.parse(attributes))
    const [x, w] = [numbersOf(given('convTranspose2d', inputs, 0)), numbersOf(given('convTranspose2d', inputs, 1))]
    const taps = sizes.axes.reduce((product, { kernel }) => product * kernel, 1)
    return {
      groups: sizes.groups,
      channels: sizes.channels,
      inputs: mapOf(sizes, x, transposedVisits),
      weights: {
        values: w,
        filters: sizes.filters,
        filter: taps,
        channel: sizes.filters * taps,
        at: (group) => group * sizes.channels * sizes.filters * taps,
      },
    }
  },
  convInteger: (inputs, attributes) => byteConvolution('convInteger', inputs, [0, 1, 2, 3], attributes),
  qlinearConv: (inputs, attributes) => byteConvolution('qlinearConv', inputs, [0, 3, 2, 5], attributes),
  linear: (inputs) => {
    const { n, m, k } = linearSizes(inputs)
    return productFactors(
      { groups: 1, i: n, j: m, k },
      { values: numbersOf(given('linear', inputs, 0)), row: k, depth: 1, at: () => 0 },
      { values: numbersOf(given('linear', inputs, 1)), column: k, depth: 1, at: () => 0 },
    )
  },
  gemm: (inputs, attributes) => {
    const [a, b] = [given('gemm', inputs, 0), given('gemm', inputs, 1)]
    const parsed = gemmAttributes.parse(attributes)
    const { transA, transB } = parsed
    const { i, j, k } = gemmSizes(a, b, parsed)
    return productFactors(
      { groups: 1, i, j, k },
      { values: numbersOf(a), ...(transA ? { row: 1, depth: i } : { row: k, depth: 1 }), at: () => 0 },
      { values: numbersOf(b), ...(transB ? { column: k, depth: 1 } : { column: 1, depth: j }), at: () => 0 },
    )
  },
  matmul: (inputs) => {
    const [a, b] = [given('matmul', inputs, 0), given('matmul', inputs, 1)]
    return matrixFactors(integerSizes('matmul', a, b), numbersOf(a), numbersOf(b), sizeOf(b.shape.slice(0, -2)) === 1)
  },
  matmulInteger: (inputs, attributes) =>
    byteProduct('matmulInteger', inputs, [0, 1, 2, 3], matmulIntegerAttributes.parse(attributes).transB),
  qlinearMatmul: (inputs) => byteProduct('qlinearMatmul', inputs, [0, 3, 2, 5], false),
  matmulNBits: (inputs, attributes) => {
    const sizes = nbitsSizes(inputs, nbitsAttributes.parse(attributes))
    const { rows: i, columns: j, depth: k } = sizes
    return productFactors(
      { groups: 1, i, j, k },
      { values: numbersOf(given('matmulNBits', inputs, 0)), row: k, depth: 1, at: () => 0 },
      { values: dequantised(inputs, sizes), column: k, depth: 1, at: () => 0 },
    )
  },
  sparseMatmul: (inputs, attributes) => {
    const given = sparseAttributes.parse(attributes)
    const { rows: i, columns: j, depth: k } = sparseSizes(inputs, given)
    const weights = unpackTwoOfFour(packedOf(inputs, given))
    const x = requireInput('sparseMatmul', inputs, 0, 'X')
    // Bytes less their zero point; scales are of the weights, which have none.
    if (isOfBytes(inputs)) return byteProduct('sparseMatmul', [x, weights, inputs[X_ZERO] ?? null], [0, 1, 2, 3], true)
    return productFactors(
      { groups: 1, i, j, k },
      { values: numbersOf(x), row: k, depth: 1, at: () => 0 },
      { values: numbersOf(weights), column: k, depth: 1, at: () => 0 },
    )
  },
}

/** Names of the ops whose factors are told. */
export const COUNTED: ReadonlySet<string> = new Set(Object.keys(FACTORS))

/**
 * The factors of a node; undefined for an op that is not counted.
 * @param inputs all of them, with their values
 * @throws ShapeError, DtypeError, OptionError where they do not fit
 */
export function factorsOf(op: string, inputs: Inputs, attributes: unknown): Factors | undefined {
  return FACTORS[op]?.(inputs, attributes)
}

function given(op: string, inputs: Inputs, index: number): HostTensor {
  return requireInput(op, inputs, index, `input ${index}`)
}

type Axes = readonly [z: VisitedAxis, y: VisitedAxis, x: VisitedAxis]

/** A feature map in any layout. */
function mapOf(
  { batch, groups, channels, axes, layout }: Pick<ConvSizes, 'batch' | 'groups' | 'channels' | 'layout'> & { readonly axes: Axes },
  values: ArrayLike<number>,
  visitsOf: (axis: VisitedAxis) => Visits[],
): Factors['inputs'] {
  const [z, y, x] = axes
  const extents = [z.input, y.input, x.input] as const
  const strides = layoutStrides(layout, groups * channels, extents)
  return {
    values,
    batch,
    picture: strides.picture,
    extents,
    strides: [strides.z, strides.y, strides.x],
    at: (group, channel) => {
      const c = group * channels + channel
      return Math.floor(c / 4) * strides.quad + (c % 4) * strides.channel
    },
    visits: [visitsOf(z), visitsOf(y), visitsOf(x)],
  }
}

function windowFactors(sizes: ConvSizes, x: ArrayLike<number>, w: ArrayLike<number>): Factors {
  const { groups, channels, filters, axes } = sizes
  const taps = axes.reduce((product, { kernel }) => product * kernel, 1)
  return {
    groups,
    channels,
    inputs: mapOf(sizes, x, windowVisits),
    weights: { values: w, filters, filter: channels * taps, channel: taps, at: (group) => group * filters * channels * taps },
  }
}

/** What is not its zero point is 1: one for X, one or M for W. */
function byteConvolution(op: string, inputs: Inputs, [x, w, xZero, wZero]: Places, attributes: unknown): Factors {
  const [bytes, filters] = [given(op, inputs, x), given(op, inputs, w)]
  const sizes = integerConvSizes(op, bytes, filters, integerConvAttributes.parse(attributes))
  const zero = zerosOf(inputs, xZero)[0] ?? 0
  const zeros = zerosOf(inputs, wZero)
  const own = filters.values.length / Math.max(1, sizes.groups * sizes.filters)
  return windowFactors(
    sizes,
    Uint8Array.from(numbersOf(bytes), (value) => Number(value !== zero)),
    Uint8Array.from(numbersOf(filters), (value, at) =>
      Number(value !== (zeros[zeros.length === 1 ? 0 : Math.floor(at / own)] ?? 0)),
    ),
  )
}

/** Of the two factors and their zero points among the inputs. */
type Places = readonly [a: number, b: number, aZero: number, bZero: number]

function zerosOf(inputs: Inputs, index: number): ArrayLike<number> {
  const zeros = inputs[index] ?? null
  return zeros === null ? [0] : numbersOf(zeros)
}

interface Side {
  readonly values: ArrayLike<number>
  readonly depth: number
  at(group: number): number
}

/** A matrix product: rows are pictures of one element, the depth is channels. */
function productFactors(
  { groups, i, j, k }: { readonly groups: number; readonly i: number; readonly j: number; readonly k: number },
  a: Side & { readonly row: number },
  b: Side & { readonly column: number },
): Factors {
  const once: readonly Visits[] = [{ first: 0, step: 1, count: 1 }]
  return {
    groups,
    channels: k,
    inputs: {
      values: a.values,
      batch: i,
      picture: a.row,
      extents: [1, 1, 1],
      strides: [0, 0, 0],
      at: (group, channel) => a.at(group) + channel * a.depth,
      visits: [once, once, once],
    },
    weights: { values: b.values, filters: j, filter: b.column, channel: b.depth, at: (group) => b.at(group) },
  }
}

/** A [batch…, I, K] × B [batch…, K, J]. @param shared all entries have one B, so that the batch is more rows */
function matrixFactors(sizes: IntegerSizes, a: ArrayLike<number>, b: ArrayLike<number>, shared: boolean): Factors {
  const { i, j, k, batch } = sizes
  const count = sizeOf(batch)
  const [aStarts, bStarts] = [batchOffsets(batch, sizes.aBatch), batchOffsets(batch, sizes.bBatch)]
  return productFactors(
    shared ? { groups: 1, i: i * count, j, k } : { groups: count, i, j, k },
    { values: a, row: k, depth: 1, at: (group) => aStarts[group] ?? 0 },
    { values: b, column: 1, depth: j, at: (group) => bStarts[group] ?? 0 },
  )
}

/** Zero points go by rows of A and columns of B, and may differ over the batch: each entry gets its own ones and zeros. */
function byteProduct(op: string, inputs: Inputs, [a, b, aZero, bZero]: Places, transB: boolean): Factors {
  const [left, right] = [given(op, inputs, a), given(op, inputs, b)]
  const sizes = integerSizes(op, left, right, transB)
  const { i, j, k, batch } = sizes
  const zeroOf = (index: number, side: 'rows' | 'columns') => {
    const tensor = inputs[index] ?? null
    return reader(tensor, tensor && walkOf(op, `zero point of ${side}`, tensor, sizes, side), batch, 0)
  }
  const [zeroOfRow, zeroOfColumn] = [zeroOf(aZero, 'rows'), zeroOf(bZero, 'columns')]
  const [aStarts, bStarts] = [batchOffsets(batch, sizes.aBatch), batchOffsets(batch, sizes.bBatch)]
  const count = sizeOf(batch)
  const [x, w] = [numbersOf(left), numbersOf(right)]
  const own = { a: new Uint8Array(count * i * k), b: new Uint8Array(count * k * j) }
  for (let entry = 0; entry < count; entry++) {
    for (let at = 0; at < i * k; at++) {
      own.a[entry * i * k + at] = Number(x[(aStarts[entry] ?? 0) + at] !== zeroOfRow(entry, Math.floor(at / k)))
    }
    for (let at = 0; at < k * j; at++) {
      const column = transB ? Math.floor(at / k) : at % j
      own.b[entry * k * j + at] = Number(w[(bStarts[entry] ?? 0) + at] !== zeroOfColumn(entry, column))
    }
  }
  return productFactors(
    { groups: count, i, j, k },
    { values: own.a, row: k, depth: 1, at: (group) => group * i * k },
    { values: own.b, ...(transB ? { column: k, depth: 1 } : { column: 1, depth: j }), at: (group) => group * k * j },
  )
}
