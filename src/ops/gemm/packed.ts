/**
 * Dense weights of a product as 2:4 (src/sparsity/two-of-four.ts), packed on the device once, at load: what `sparsity: '2:4'` of conv2d,
 * gemm, linear and matmul means. Weights that hold the pattern lose nothing; of others the two of largest magnitude in every group of
 * four stay, the lower first where two are alike.
 */
import packBody from '../../../shaders/sparse/pack.wgsl?raw'
import packSeats from '../../../shaders/sparse/pack_seats.wgsl?raw'
import packValues from '../../../shaders/sparse/pack_values.wgsl?raw'
import { rewired, type DeviceFacts, type DispatchPlan, type OpPlan, type Preparation, type TensorRef } from '../../gpu/program.ts'
import { WORD_VALUES, wordsOf } from '../../sparsity/two-of-four.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { linearDispatch } from '../movement/linear.ts'
import type { PlanContext } from '../op.ts'
import { planProduct } from './choose.ts'
import type { Config } from './family.ts'
import { SCALE, type FusedAttributes } from './fused.ts'
import { PANEL, type Product, type Side } from './product.ts'

/** Where weights lie: element k of line l of slice s at s·slice + l·line + ⌊k / inner⌋·outerStep + (k mod inner)·innerStep. */
export interface DenseWeights {
  /** Which input of the op. */
  readonly input: number
  readonly type: TensorType
  readonly lines: number
  readonly depth: number
  /** Products of the same sizes, as the groups of a convolution. */
  readonly slices: number
  readonly slice: number
  readonly line: number
  /** Of which `held` are there; the others, up to a whole group of four, are 0. */
  readonly inner: number
  readonly held: number
  readonly innerStep: number
  readonly outerStep: number
}

function panelsOf({ lines }: DenseWeights): number {
  return Math.ceil(lines / PANEL)
}

/** From slice to slice of the packed values, in elements. */
export function packedSlice(weights: DenseWeights): number {
  return panelsOf(weights) * wordsOf(weights.depth) * WORD_VALUES * PANEL
}

/** The side of a product that packed weights are. @param inputs where values and seats are bound */
export function packedSide(weights: DenseWeights, inputs: { readonly values: number; readonly seats: number }): Side {
  const [values, seats] = packedTypes(weights)
  return {
    input: inputs.values,
    type: values,
    line: 1,
    depth: PANEL,
    sparse: {
      positions: { input: inputs.seats, type: seats },
      bits: weights.type.dtype === 'f16' ? 16 : 32,
      share: 1,
    },
  }
}

function packedTypes(weights: DenseWeights): readonly [values: TensorType, seats: TensorType] {
  const panels = weights.slices * panelsOf(weights)
  const words = wordsOf(weights.depth)
  return [
    { dtype: weights.type.dtype, shape: [panels, words * WORD_VALUES, PANEL] },
    { dtype: 'u32', shape: [panels, words, PANEL] },
  ]
}

/** Prepares values and seats, as the plan's prepared tensors `first` and `first + 1`. The depth is not 0. */
export function packWeights(op: string, weights: DenseWeights, first: number): Preparation[] {
  return packedTypes(weights).map((type, index) => ({
    type,
    from: weights.input,
    dispatches: [packing(op, weights, type, first + index, index === 0)],
  }))
}

function packing(op: string, weights: DenseWeights, type: TensorType, prepared: number, values: boolean): DispatchPlan {
  const { lines, depth, slices, slice, line, inner, held, innerStep, outerStep } = weights
  const words = wordsOf(depth)
  const names = {
    lines,
    words,
    depth,
    slice,
    line,
    inner,
    held,
    inner_step: innerStep,
    outer_step: outerStep,
    panels: panelsOf(weights),
  }
  return linearDispatch(slices * words * lines, {
    name: `${op}/pack 2:4`,
    body: [`const PANEL = ${PANEL}u;`, values ? packValues : packSeats, packBody],
    operands: [
      { name: 'x', type: weights.type, access: 'read', ref: { kind: 'input', index: weights.input } },
      { name: 'y', type, access: 'write', ref: { kind: 'prepared', index: prepared } },
    ],
    params: Object.fromEntries(Object.keys(names).map((name) => [name, 'u32'] as const)),
    values: names,
    elements: sizeOf(weights.type.shape),
  })
}

/** The plan of gemm, linear and matmul: of the product as it is, or with its B packed. */
export function planFused(
  product: Product,
  { device, attributes }: Pick<PlanContext<FusedAttributes>, 'device' | 'attributes'>,
): OpPlan {
  const { sparsity, kernel } = attributes
  return sparsity === undefined ? planProduct(product, device, kernel) : planPacked(product, device, kernel)
}

/** Values and seats of the packed product, behind the inputs of the op. */
const VALUES = SCALE + 1
const SEATS = SCALE + 2

/** The plan of a dense product whose B is one matrix, packed: the same inputs, B is read at load alone. */
export function planPacked(product: Product, device: DeviceFacts, kernel?: string | Config): OpPlan {
  // Without depth there is nothing to pack, and nothing to multiply.
  if (product.depth === 0) return planProduct(product, device)
  const made = planProduct(packedProduct(product), device, kernel)
  if (made.dispatches.length === 0) return made
  const refs: TensorRef[] = Array.from({ length: VALUES }, (_, index) => ({ kind: 'input', index }))
  const prepared: TensorRef[] = [0, 1].map((index) => ({ kind: 'prepared', index }))
  return {
    reason: `weights in 2:4: ${made.reason}`,
    ...rewired(made, { inputs: [...refs, ...prepared], outputs: [{ kind: 'output', index: 0 }], firstTemp: 0 }),
    prepared: packWeights(product.op, weightsOf(product), 0),
  }
}

/** The product with its B in 2:4. */
export function packedProduct(product: Product): Product {
  return { ...product, b: packedSide(weightsOf(product), { values: VALUES, seats: SEATS }) }
}

function weightsOf({ b, columns, depth }: Product): DenseWeights {
  return {
    input: b.input,
    type: b.type,
    lines: columns,
    depth,
    slices: 1,
    slice: 0,
    line: b.line,
    inner: depth,
    held: depth,
    innerStep: b.depth,
    outerStep: 0,
  }
}
