/** A matrix product as the autotuner takes it: its kernels, and the exact result that they are held against. */
import { OptionError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { TunedKernel } from '../gpu/tuning.ts'
import { choose, productKey } from '../ops/gemm/choose.ts'
import { estimate } from '../ops/gemm/estimate.ts'
import { allCandidates, FAMILIES, familyNamed } from '../ops/gemm/families.ts'
import type { Config } from '../ops/gemm/family.ts'
import { packedProduct, planPacked } from '../ops/gemm/packed.ts'
import { flopsOf, normalised, slicesOf, type Product } from '../ops/gemm/product.ts'
import { GROUP } from '../sparsity/two-of-four.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { constantsText } from './constants.ts'
import { ExactResult, stored, wholeNumbers, type Sums } from './exam.ts'
import type { Chosen, Tunable } from './tunable.ts'

/**
 * A product in the form that kernels take, without what comes after the sum.
 * @param sparsity B is packed: kernels see it so, operands are dense matrices that hold the pattern
 */
export function tunableProduct(given: Product, sparsity?: '2:4'): Tunable {
  const bare: Product = { ...given, epilogue: { alpha: 1, activation: 'none' } }
  const product = normalised(sparsity === undefined ? bare : packedProduct(bare))
  const dense: Product = sparsity === undefined ? product : { ...product, b: given.b }
  const { op, rows, columns, depth, a, output } = product
  const slices = slicesOf(product)
  const chosen = (device: DeviceFacts): Chosen & { readonly config: Config } => {
    const { config, reason } = choose(product, device)
    return { config: familyNamed(config.kernel, op).schema.parse(config), reason }
  }
  return {
    op,
    key: productKey(product),
    sizes: {
      text: `${slices === 1 ? '' : `${slices} of `}${rows}×${depth}×${columns} ${a.type.dtype}${sparsity === undefined ? '' : ` ${sparsity}`}`,
      dtype: a.type.dtype,
      flops: flopsOf(product),
    },
    inputs: byInput(dense, dense.a.type, dense.b.type),
    output,
    examValues: 2 * slices * rows + columns,

    chosen,

    contenders(device) {
      const same = JSON.stringify(chosen(device).config)
      return { others: allCandidates(product, device).filter((other) => JSON.stringify(other) !== same), refused: [] }
    },

    plan: (config, device) =>
      sparsity === undefined
        ? familyNamed(kernelOf(config).kernel, op).plan(product, kernelOf(config), device)
        : planPacked(bare, device, kernelOf(config)),
    estimate: (config, device, rates) => estimate(product, kernelOf(config), device, rates),

    configText(config) {
      const { kernel, ...constants } = kernelOf(config)
      const usual = FAMILIES.get(kernel)?.schema.safeParse({ kernel })
      return constantsText(kernel, constants, usual?.success === true ? usual.data : {})
    },

    exam() {
      const operands = exactOperands(dense, sparsity)
      const expected = new ExactResult(productSums(dense, operands))
      return { operands: byInput(dense, operands.a, operands.b), check: (result) => expected.check(result) }
    },
  }
}

function kernelOf(config: TunedKernel): Config {
  if ('algorithm' in config) throw new OptionError(`${config.algorithm} is an algorithm of convolutions, not a kernel`)
  return config
}

/** A and B as inputs 0 and 1 of the op; a product turned to a row has them swapped. */
function byInput<T>({ op, a, b }: Product, onA: T, onB: T): readonly T[] {
  if (a.input === 0 && b.input === 1) return [onA, onB]
  if (a.input === 1 && b.input === 0) return [onB, onA]
  throw new OptionError(`A product of inputs ${a.input} and ${b.input}`, { op, remedy: 'Its operands are inputs 0 and 1' })
}

export interface ExactOperands {
  readonly a: HostTensor
  readonly b: HostTensor
  /** Their values as f32: those of the tensor itself where it is f32. */
  readonly left: Float32Array
  readonly right: Float32Array
}

/** Operands of a product: whole numbers, seeded; B holds `sparsity`. @throws DtypeError where they are no floats */
export function exactOperands(product: Product, sparsity?: '2:4'): ExactOperands {
  const left = wholeNumbers(sizeOf(product.a.type.shape), product.depth, 1)
  const right = wholeNumbers(sizeOf(product.b.type.shape), product.depth, 2)
  if (sparsity !== undefined) cut(right, product)
  return { a: stored(left, product.a.type), b: stored(right, product.b.type), left, right }
}

/** Leaves two places of every four along the depth, other ones from group to group and column to column. */
function cut(values: Float32Array, { b, columns, depth }: Product): void {
  for (let j = 0; j < columns; j++) {
    for (let k = 0; k < depth; k++) {
      const group = Math.floor(k / GROUP)
      const first = (j + group) % GROUP
      const second = (first + 1 + (j % (GROUP - 1))) % GROUP
      if (k % GROUP !== first && k % GROUP !== second) values[j * b.line + k * b.depth] = 0
    }
  }
}

/** @param product normalised, not empty */
export function productSums(product: Product, { left, right }: Pick<ExactOperands, 'left' | 'right'>): Sums {
  const { rows, columns, depth, a, b } = product
  const slices = slicesOf(product)
  const starts = startsOf(product)
  const startOf = (slice: number): { a: number; b: number } => starts[slice] ?? { a: NaN, b: NaN }
  return {
    slices,
    rows,
    columns,
    depth,
    length: slices * rows * columns,
    left(slice, row, into) {
      const from = startOf(slice).a + row * a.line
      for (let k = 0; k < depth; k++) into[k] = left[from + k * a.depth] ?? NaN
    },
    right(slice, column, into) {
      const from = startOf(slice).b + column * b.line
      for (let k = 0; k < depth; k++) into[k] = right[from + k * b.depth] ?? NaN
    },
    projected(slice, signs) {
      const from = startOf(slice).b
      const sums = new Float64Array(depth)
      const add = (j: number, k: number): void => {
        sums[k] = (sums[k] ?? NaN) + (signs[j] ?? NaN) * (right[from + j * b.line + k * b.depth] ?? NaN)
      }
      // Along memory, whichever way B lies.
      if (b.line < b.depth) for (let k = 0; k < depth; k++) for (let j = 0; j < columns; j++) add(j, k)
      else for (let j = 0; j < columns; j++) for (let k = 0; k < depth; k++) add(j, k)
      return sums
    },
    place: (slice, row, column) => (slice * rows + row) * columns + column,
  }
}

/** Where each slice of A and B begins, in order. */
function startsOf({ batch }: Product): { readonly a: number; readonly b: number }[] {
  let starts = [{ a: 0, b: 0 }]
  for (const { size, a, b } of batch) {
    starts = starts.flatMap((outer) => Array.from({ length: size }, (_, at) => ({ a: outer.a + at * a, b: outer.b + at * b })))
  }
  return starts
}
