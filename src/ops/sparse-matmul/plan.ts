/**
 * Kernel choice of sparseMatmul: a product whose B is 2:4. Packed weights come line by line, as files have them; kernels want columns
 * side by side, in panels (src/ops/gemm/product.ts), so they are turned once, at load.
 */
import { rewired, type OpPlan, type Preparation, type TensorRef } from '../../gpu/program.ts'
import { WORD_GROUPS, WORD_VALUES } from '../../sparsity/two-of-four.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { planProduct } from '../gemm/choose.ts'
import { BIAS, epilogueOf, RESIDUAL, SCALE } from '../gemm/fused.ts'
import { PANEL, type Product } from '../gemm/product.ts'
import { copyDispatch, copyWords } from '../movement/copy.ts'
import type { Nest } from '../movement/strides.ts'
import type { PlanContext } from '../op.ts'
import { planBytes } from './bytes.ts'
import { isOfBytes, OP, POSITIONS, SCALES, sparseSizes, type SparseMatmulAttributes } from './rule.ts'

export function plan(context: PlanContext<SparseMatmulAttributes>): OpPlan {
  const { inputs, device, attributes } = context
  const types = turnedTypes(context)
  const ofBytes = isOfBytes(inputs)
  const made = ofBytes ? planBytes(context, types) : planProduct(productOf(context), device, attributes.kernel)
  const prepared = [...types].map(([from, type], index) => {
    const given = requireInput(OP, inputs, from, 'weights')
    return turned(given, type, { from, index, width: ofBytes && from === 1 ? 4 : 1 })
  })
  if (made.dispatches.length === 0) return made
  const refs = inputs.map((_, index): TensorRef => {
    const at = prepared.findIndex(({ from }) => from === index)
    return at < 0 ? { kind: 'input', index } : { kind: 'prepared', index: at }
  })
  return {
    reason: made.reason,
    ...rewired(made, { inputs: refs, outputs: [{ kind: 'output', index: 0 }], firstTemp: 0 }),
    prepared,
  }
}

/** The product that it is: inputs are those of the op, the weights' turned. */
export function productOf(context: Omit<PlanContext<SparseMatmulAttributes>, 'device'>): Product {
  const { inputs, outputs, attributes } = context
  const { rows, columns, depth, bits, share, block } = sparseSizes(inputs, attributes)
  const types = turnedTypes(context)
  const typeOf = (index: number): TensorType => types.get(index) ?? requireInput(OP, inputs, index, 'weights')
  const values = typeOf(1)
  const scales = types.get(SCALES)
  const terms = inputs.map((input, index) => ([BIAS, RESIDUAL, SCALE].includes(index) ? input : null))
  return {
    op: OP,
    rows,
    columns,
    depth,
    a: { input: 0, type: requireInput(OP, inputs, 0, 'X'), line: depth, depth: 1 },
    b: {
      input: 1,
      type: values,
      line: 1,
      depth: PANEL,
      sparse: {
        positions: { input: POSITIONS, type: typeOf(POSITIONS) },
        bits,
        share,
        ...(scales === undefined ? {} : { scales: { input: SCALES, type: scales, block } }),
      },
    },
    batch: [],
    epilogue: epilogueOf(terms, [rows, columns], attributes),
    accumulate: attributes.accumulate,
    output: requireInput(OP, outputs, 0, 'Y'),
  }
}

/** What is prepared, in this order: types of the weights' tensors, turned, as a Sparse side has them. */
function turnedTypes({
  inputs,
  attributes,
}: Pick<PlanContext<SparseMatmulAttributes>, 'inputs' | 'attributes'>): Map<number, TensorType> {
  const { columns, words, bits, share, blocks } = sparseSizes(inputs, attributes)
  const panels = Math.ceil(columns / PANEL)
  const values = requireInput(OP, inputs, 1, 'values')
  const ofBytes = isOfBytes(inputs)
  const deep = words * (bits === 4 ? WORD_GROUPS : WORD_VALUES)
  const types = new Map<number, TensorType>([
    // Products of bytes have four of depth side by side: a word.
    [1, { dtype: values.dtype, shape: ofBytes ? [panels, deep / 4, PANEL, 4] : [panels, deep, PANEL] }],
    [POSITIONS, { dtype: 'u32', shape: share === 1 ? [panels, words, PANEL] : [words, Math.ceil(columns / share)] }],
  ])
  // Sums of bytes are scaled once, by what is given.
  if (!ofBytes && (inputs[SCALES] ?? null) !== null)
    types.set(SCALES, { dtype: 'f32', shape: [blocks, 4 * Math.ceil(columns / 4)] })
  return types
}

/**
 * [lines, n] to [n, lines], or to [panels, n, lines of a panel]; lines past the last are undefined.
 * @param from which input; index: which prepared tensor; width: elements that stay side by side, 1 or the 4 bytes of a word,
 *   [panels, n / 4, lines of a panel, 4]
 */
function turned(
  given: TensorType,
  type: TensorType,
  { from, index, width }: { readonly from: number; readonly index: number; readonly width: 1 | 4 },
): Preparation {
  const [lines = 0, elements = 0] = given.shape
  const count = elements / width
  const wide = type.shape.at(width === 1 ? -1 : -2) ?? 0
  const panels = type.shape.length === 2 ? 0 : Math.floor(lines / wide)
  const last = panels * wide * count
  const whole: Nest = {
    extents: [panels, count, wide],
    strides: [
      [wide * count, 1, count],
      [wide * count, wide, 1],
    ],
  }
  const rest: Nest = {
    extents: [count, lines - panels * wide],
    strides: [
      [1, count],
      [wide, 1],
    ],
    offsets: [last, last],
  }
  const operands = [
    { type: given, ref: { kind: 'input', index: from } },
    { type, ref: { kind: 'prepared', index } },
  ] as const
  const nests = [whole, rest].filter(({ extents }) => !extents.includes(0))
  return {
    type,
    from,
    dispatches: nests.map((nest) => (width === 1 ? copyDispatch : copyWords)(OP, nest, ...operands)),
  }
}
