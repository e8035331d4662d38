/** Random matrices that hold 2:4, and products with them. */
import { normalised, type Product } from '../../../src/ops/gemm/product.ts'
import type { InputValues } from '../../../src/ops/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import { sparseMatmul } from '../../../src/ops/sparse-matmul/op.ts'
import { productOf } from '../../../src/ops/sparse-matmul/plan.ts'
import { packTwoOfFour, quantiseTwoOfFour, type TwoOfFour } from '../../../src/sparsity/two-of-four.ts'
import { sizeOf } from '../../../src/tensor/shape.ts'
import { HostTensor, tensor } from '../../../src/tensor/tensor.ts'
import { randomFrom } from '../../cases/case.ts'

/**
 * [lines, depth]: of each group of four, up to two places at random hold values.
 * @param share lines that have their places in common
 */
export function prunedMatrix(lines: number, depth: number, value: () => number, share = 1): HostTensor<'f32'> {
  const values = new Float32Array(lines * depth)
  // Not of the values' source: those may be as few as one.
  let state = 12345 + lines * 31 + depth
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
  for (let first = 0; first < lines; first += share) {
    for (let k = 0; k < depth; k += 4) {
      const one = Math.floor(next() * 4)
      const other = Math.floor(next() * 4)
      for (let line = first; line < Math.min(lines, first + share); line++) {
        for (const seat of [one, other]) if (k + seat < depth) values[line * depth + k + seat] = value()
      }
    }
  }
  return new HostTensor('f32', [lines, depth], values)
}

/** A product with weights in 2:4, of whole numbers. */
export interface SparseCase {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly share?: number
  /** Of a value; 16: X too. Default 32. */
  readonly bits?: 16 | 8 | 4
  /** Of depth under a scale, where values are integers. */
  readonly block?: number
  /** With bias, residual and an activation. */
  readonly terms?: boolean
  /** X has infinities, NaN, the largest and the smallest. */
  readonly special?: boolean
}

const SPECIAL = [Infinity, NaN, 0, -0, 3.4e38, 1e-40, 1, -2]

/** The case as a call of sparseMatmul. */
export function sparseCase({ rows, columns, depth, share = 1, bits, block, terms, special }: SparseCase): {
  readonly inputs: InputValues
  readonly attributes: Readonly<Record<string, unknown>>
  readonly packed: TwoOfFour
} {
  const random = randomFrom(rows + 3 * columns + 7 * depth)
  const whole = (): number => Math.floor(random() * 9) - 4
  const dtype = bits === 16 ? 'f16' : 'f32'
  const made = (shape: readonly number[], value: () => number): HostTensor =>
    tensor(Array.from({ length: sizeOf(shape) }, value), shape, dtype)
  let at = 0
  const x = made(
    [rows, depth],
    special === true ? () => (at++ % 5 === 0 ? (SPECIAL[((at / 5) % SPECIAL.length) | 0] ?? 0) : whole()) : whole,
  )
  const matrix = prunedMatrix(columns, depth, whole, share)
  const plain = packTwoOfFour(bits === 16 ? tensor(Array.from(matrix.values), matrix.shape, 'f16') : matrix, { share })
  const packed = bits === 8 || bits === 4 ? quantiseTwoOfFour(plain, { bits, ...(block === undefined ? {} : { block }) }) : plain
  const bias = terms === true ? made([columns], whole) : null
  const residual = terms === true ? made([rows, columns], whole) : null
  return {
    inputs: [x, packed.values, bias, residual, null, packed.positions, packed.scales ?? null],
    attributes: {
      share,
      ...(packed.block === undefined ? {} : { block: packed.block }),
      ...(terms === true ? { activation: 'relu' } : {}),
    },
    packed,
  }
}

/** The product that the call is. */
export function sparseProduct(given: SparseCase): Product {
  const { inputs: values, attributes: raw } = sparseCase(given)
  const attributes = parseAttributes(sparseMatmul, raw)
  const inputs = values.map((value) => (value === null ? null : { dtype: value.dtype, shape: value.shape }))
  const outputs = sparseMatmul.infer({ inputs, values: inputs.map(() => null), attributes })
  return normalised(productOf({ inputs, values: inputs.map(() => null), attributes, outputs }))
}
