/**
 * Builds graphs by hand:
 *
 *   const g = graph('net')
 *   const x = g.input('x', 'f32', ['N', 3, 32, 32])
 *   const h = g.relu(g.conv2d(x, w, { bias: b, pads: [1, 1, 1, 1] }))
 *   g.output('y', g.softmax(g.linear(g.flatten(h), w2)))
 *   const model = await compile(gpu, g.finish())
 *
 * Every method takes values and host tensors alike (tensors become constants) in ONNX's operand order, then an object with the op's
 * attributes (see `attributes` of the op in src/ops/<op>/op.ts) and, if wanted, the node's `name`. Shapes and attributes are
 * checked when the graph is compiled.
 */
import type { Csc } from '../sparsity/csc.ts'
import type { Csr } from '../sparsity/csr.ts'
import type { Eie } from '../sparsity/eie.ts'
import { requirePacked } from '../sparsity/packed.ts'
import type { TwoOfFour } from '../sparsity/two-of-four.ts'
import { tensor, type HostTensor } from '../tensor/tensor.ts'
import { NodeBuilder, type Attributes, type Operand, type Value } from './node-builder.ts'

export type { Attributes, Operand, Value } from './node-builder.ts'

/** What a product multiplies its sums by, and what it adds to them besides its bias (see `ops.gemm`). */
export interface EpilogueOperands {
  readonly residual?: Operand
  readonly scale?: Operand
}

/** A new, empty graph. */
export function graph(name = 'graph'): GraphBuilder {
  return new GraphBuilder(name)
}

/** What a product with sparse weights adds before its activation. */
export interface SparseOperands {
  readonly bias?: Operand
  readonly residual?: Operand
}

type IntegerOperand = 'aZeroPoint' | 'bZeroPoint' | 'aScale' | 'bScale' | 'bias' | 'residual'

export class GraphBuilder extends NodeBuilder {
  /** Convolution of x [N, C, H, W] with filters w [M, C/groups, R, S]; a bias [M] and a residual like the result are added if given. */
  conv2d(
    x: Operand,
    w: Operand,
    { bias, residual, ...attributes }: Attributes & { readonly bias?: Operand; readonly residual?: Operand } = {},
  ): Value {
    return this.node('conv2d', [x, w, bias ?? null, residual ?? null], attributes)
  }

  /** Transposed convolution of x [N, C, H, W] with filters w [C, M/groups, R, S]; a bias [M] and a residual like the result if given. */
  convTranspose2d(
    x: Operand,
    w: Operand,
    { bias, residual, ...attributes }: Attributes & { readonly bias?: Operand; readonly residual?: Operand } = {},
  ): Value {
    return this.node('convTranspose2d', [x, w, bias ?? null, residual ?? null], attributes)
  }

  /** activation(alpha · scale · op(a) · op(b) + beta · c + residual), matrices; c and scale broadcast. */
  gemm(a: Operand, b: Operand, { c, ...attributes }: Attributes & EpilogueOperands & { readonly c?: Operand } = {}): Value {
    return this.#product('gemm', [a, b, c ?? null], attributes)
  }

  /** activation(scale · a × b + bias + residual): a [..., i, k] × b [..., k, j], the leading dimensions broadcast. */
  matmul(a: Operand, b: Operand, { bias, ...attributes }: Attributes & EpilogueOperands & { readonly bias?: Operand } = {}): Value {
    return this.#product('matmul', [a, b, bias ?? null], attributes)
  }

  /** Fully connected: x [N, K] with weights w [M, K], and a bias [M] if given; scale, residual and activation as gemm's. */
  linear(x: Operand, w: Operand, { bias, ...attributes }: Attributes & EpilogueOperands & { readonly bias?: Operand } = {}): Value {
    return this.#product('linear', [x, w, bias ?? null], attributes)
  }

  #product(op: string, inputs: readonly (Operand | null)[], { residual, scale, ...rest }: Attributes & EpilogueOperands): Value {
    return this.node(op, [...inputs, residual ?? null, scale ?? null], rest)
  }

  /** a × b of i8 or u8 → i32; with a scale activation(sum · aScale · bScale + bias + residual), a float. */
  matmulInteger(a: Operand, b: Operand, given: Attributes & Partial<Record<IntegerOperand, Operand>> = {}): Value {
    const { aZeroPoint, bZeroPoint, aScale, bScale, bias, residual, ...attributes } = given
    const inputs = [a, b, aZeroPoint, bZeroPoint, aScale, bScale, bias, residual]
    return this.node(
      'matmulInteger',
      inputs.map((input) => input ?? null),
      attributes,
    )
  }

  /** Convolution of x and w of i8 or u8, each less its zero point → i32. */
  convInteger(
    x: Operand,
    w: Operand,
    { xZeroPoint, wZeroPoint, ...attributes }: Attributes & { readonly xZeroPoint?: Operand; readonly wZeroPoint?: Operand } = {},
  ): Value {
    return this.node('convInteger', [x, w, xZeroPoint ?? null, wZeroPoint ?? null], attributes)
  }

  /** x [..., K] with weights [N, K] packed in 4 or 8 bits and a scale for each block along K: [..., N]. */
  matmulNBits(
    x: Operand,
    packed: Operand,
    scales: Operand,
    { zeroPoints, bias, ...attributes }: Attributes & { readonly zeroPoints?: Operand; readonly bias?: Operand } = {},
  ): Value {
    return this.node('matmulNBits', [x, packed, scales, zeroPoints ?? null, bias ?? null], attributes)
  }

  /** activation(scale · x·wᵀ + bias + residual): w [N, K] in 2:4, packed; of x in bytes, less a zero point, sums in i32 or scaled. */
  sparseMatmul(
    x: Operand,
    weights: TwoOfFour,
    {
      bias,
      residual,
      scale,
      xZeroPoint,
      xScale,
      ...attributes
    }: Attributes & EpilogueOperands & { readonly bias?: Operand; readonly xZeroPoint?: Operand; readonly xScale?: Operand } = {},
  ): Value {
    requirePacked('sparseMatmul', weights, ['positions', 'share'], 'packTwoOfFour')
    const { depth, values, positions, scales, share, block } = weights
    const inputs = [x, values, bias, residual, scale, positions, scales, xZeroPoint, xScale].map((input) => input ?? null)
    return this.node('sparseMatmul', inputs, { ...attributes, depth, share, ...(block === undefined ? {} : { block }) })
  }

  /** activation(x·wᵀ + bias + residual): w [N, K] in CSR. */
  csrMatmul(x: Operand, weights: Csr, { bias, residual, ...attributes }: Attributes & SparseOperands = {}): Value {
    requirePacked('csrMatmul', weights, ['columns', 'pointers'], 'packCsr')
    const { depth, values, columns, pointers, indexBits } = weights
    const inputs = [x, values, columns, pointers, bias ?? null, residual ?? null]
    return this.node('csrMatmul', inputs, { ...attributes, depth, indexBits })
  }

  /** As csrMatmul, w [N, K] in CSC: columns whose activations are 0 are skipped. */
  cscMatmul(x: Operand, weights: Csc, { bias, residual, ...attributes }: Attributes & SparseOperands = {}): Value {
    requirePacked('cscMatmul', weights, ['rows', 'pointers'], 'packCsc')
    const { lines, values, rows, pointers, indexBits } = weights
    const inputs = [x, values, rows, pointers, bias ?? null, residual ?? null]
    return this.node('cscMatmul', inputs, { ...attributes, indexBits, lines })
  }

  /** As cscMatmul, w [N, K] in EIE's form. */
  eieMatmul(x: Operand, weights: Eie, { bias, residual, ...attributes }: Attributes & SparseOperands = {}): Value {
    requirePacked('eieMatmul', weights, ['zeros', 'pointers'], 'packEie')
    const { lines, values, zeros, pointers, codebook } = weights
    const inputs = [x, values, zeros, pointers, codebook ?? null, bias ?? null, residual ?? null]
    return this.node('eieMatmul', inputs, { ...attributes, lines })
  }

  /** x / scale, rounded, in i8 or u8. */
  quantizeLinear(
    x: Operand,
    scale: Operand,
    { zeroPoint, ...attributes }: Attributes & { readonly zeroPoint?: Operand } = {},
  ): Value {
    return this.node('quantizeLinear', [x, scale, zeroPoint ?? null], attributes)
  }

  /** (x − zeroPoint) · scale. */
  dequantizeLinear(
    x: Operand,
    scale: Operand,
    { zeroPoint, ...attributes }: Attributes & { readonly zeroPoint?: Operand } = {},
  ): Value {
    return this.node('dequantizeLinear', [x, scale, zeroPoint ?? null], attributes)
  }

  maxPool(x: Operand, attributes: Attributes): Value {
    return this.node('maxPool', [x], attributes)
  }

  averagePool(x: Operand, attributes: Attributes): Value {
    return this.node('averagePool', [x], attributes)
  }

  /** The mean over rows and columns: [N, C, H, W] → [N, C, 1, 1]. */
  globalAveragePool(x: Operand, attributes: Attributes = {}): Value {
    return this.node('globalAveragePool', [x], attributes)
  }

  /** Local response normalisation across channels. */
  lrn(x: Operand, attributes: Attributes): Value {
    return this.node('lrn', [x], attributes)
  }

  /** (x − mean) / √(variance + epsilon) · scale + bias, each [C]. */
  batchNorm(x: Operand, scale: Operand, bias: Operand, mean: Operand, variance: Operand, attributes: Attributes = {}): Value {
    return this.node('batchNorm', [x, scale, bias, mean, variance], attributes)
  }

  relu(x: Operand, attributes: Attributes = {}): Value {
    return this.node('relu', [x], attributes)
  }

  leakyRelu(x: Operand, attributes: Attributes = {}): Value {
    return this.node('leakyRelu', [x], attributes)
  }

  /** x where x ≥ 0, else slope · x; the slope broadcasts to x. */
  prelu(x: Operand, slope: Operand, attributes: Attributes = {}): Value {
    return this.node('prelu', [x, slope], attributes)
  }

  elu(x: Operand, attributes: Attributes = {}): Value {
    return this.node('elu', [x], attributes)
  }

  sigmoid(x: Operand, attributes: Attributes = {}): Value {
    return this.node('sigmoid', [x], attributes)
  }

  /** alpha · x + beta, held to [0, 1]. */
  hardSigmoid(x: Operand, attributes: Attributes = {}): Value {
    return this.node('hardSigmoid', [x], attributes)
  }

  /** x · hardSigmoid(x) of slope 1/6. */
  hardSwish(x: Operand, attributes: Attributes = {}): Value {
    return this.node('hardSwish', [x], attributes)
  }

  tanh(x: Operand, attributes: Attributes = {}): Value {
    return this.node('tanh', [x], attributes)
  }

  /** The maximum over groups of channels. */
  maxout(x: Operand, attributes: Attributes): Value {
    return this.node('maxout', [x], attributes)
  }

  /** x held to [min, max]; the bounds are scalars of x's dtype, numbers stand for f32. */
  clip(
    x: Operand,
    { min, max, ...attributes }: Attributes & { readonly min?: number | Operand; readonly max?: number | Operand } = {},
  ): Value {
    const bound = (value: number | Operand | undefined): Operand | null => {
      if (value === undefined) return null
      return typeof value === 'number' ? tensor([value], [], 'f32') : value
    }
    return this.node('clip', [x, bound(min), bound(max)], attributes)
  }

  add(a: Operand, b: Operand, attributes: Attributes = {}): Value {
    return this.node('add', [a, b], attributes)
  }

  sub(a: Operand, b: Operand, attributes: Attributes = {}): Value {
    return this.node('sub', [a, b], attributes)
  }

  mul(a: Operand, b: Operand, attributes: Attributes = {}): Value {
    return this.node('mul', [a, b], attributes)
  }

  div(a: Operand, b: Operand, attributes: Attributes = {}): Value {
    return this.node('div', [a, b], attributes)
  }

  concat(values: readonly Operand[], attributes: Attributes): Value {
    return this.node('concat', values, attributes)
  }

  /** x[starts:ends:steps] along `axes` (default: the first ones); negative values count from the end. */
  slice(x: Operand, { starts, ends, axes, steps, ...attributes }: Attributes & SliceBounds): Value {
    return this.node(
      'slice',
      [x, indices(starts), indices(ends), axes ? indices(axes) : null, steps ? indices(steps) : null],
      attributes,
    )
  }

  /** x with `pads` elements before each dimension and then after each; negative ones crop. */
  pad(
    x: Operand,
    { pads, value, ...attributes }: Attributes & { readonly pads: readonly number[]; readonly value?: HostTensor },
  ): Value {
    return this.node('pad', [x, indices(pads), value ?? null], attributes)
  }

  /** [a, b, c, d] → [a, b·c·d] for axis 1, the default. */
  flatten(x: Operand, attributes: Attributes = {}): Value {
    return this.node('flatten', [x], attributes)
  }

  /** x under another shape; one extent may be −1, and 0 copies x's. */
  reshape(x: Operand, shape: readonly number[] | Value, attributes: Attributes = {}): Value {
    return this.node('reshape', [x, isValue(shape) ? shape : indices(shape)], attributes)
  }

  /** Dimensions in the order of `perm` (default: reversed). */
  transpose(x: Operand, attributes: Attributes = {}): Value {
    return this.node('transpose', [x], attributes)
  }

  depthToSpace(x: Operand, attributes: Attributes): Value {
    return this.node('depthToSpace', [x], attributes)
  }

  softmax(x: Operand, attributes: Attributes = {}): Value {
    return this.node('softmax', [x], attributes)
  }

  /** Nothing, at inference: here so that networks read as published. */
  dropout(x: Operand, attributes: Attributes = {}): Value {
    return this.node('dropout', [x], attributes)
  }

  identity(x: Operand, attributes: Attributes = {}): Value {
    return this.node('identity', [x], attributes)
  }
}

export interface SliceBounds {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  readonly axes?: readonly number[]
  readonly steps?: readonly number[]
}

function isValue(value: readonly number[] | Value): value is Value {
  return 'name' in value
}

function indices(values: readonly number[]): HostTensor {
  return tensor(values, [values.length], 'i64')
}
