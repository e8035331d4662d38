/**
 * A product with weights that hold 2:4, packed (src/sparsity/two-of-four.ts): X [..., K] × Wᵀ, W [N, K] → [..., N], with the epilogue
 * of the dense products. Inputs: 0 X, 1 values, 2 bias, 3 residual, 4 scale (of Y), 5 positions, 6 scales (of the values), 7 zero point of X,
 * 8 scale of X.
 *
 * Of floats X and Y are floats; of bytes, i8 or u8 X and i8 values, Y is the exact sum in i32, and with a scale a float (bytes.ts).
 *
 * What was pruned is not part of the product: where X is infinite or NaN there, Y may or may not be NaN.
 */
import { ShapeError } from '../../errors.ts'
import { unorderedGroup } from '../../sparsity/two-of-four.ts'
import type { OpDefinition } from '../op.ts'
import { checkOnce, isWords, sparseProblem } from '../sparse/rule.ts'
import { plan } from './plan.ts'
import { reference } from './reference.ts'
import { byteShape } from './bytes.ts'
import { attributes, inferFloat, isOfBytes, POSITIONS, sparseSizes, type SparseMatmulAttributes } from './rule.ts'

export const sparseMatmul: OpDefinition<SparseMatmulAttributes> = {
  name: 'sparseMatmul',
  attributes,
  hostInputs: [],
  infer: (context) => (isOfBytes(context.inputs) ? [byteShape(context.inputs, context.attributes).output] : inferFloat(context)),
  checkValues: ({ [POSITIONS]: positions = null }) => {
    checkOnce([positions], () => {
      const fault = isWords(positions) ? unorderedGroup(positions) : undefined
      if (fault === undefined) return
      const { row, group, first, second } = fault
      throw new ShapeError(`Row ${row}, group ${group}: positions ${first} and ${second} are not in rising order`, {
        row,
        group,
        remedy: 'Give what packTwoOfFour made',
      })
    })
  },
  reference,
  plan,
  // Of the dense product: as the peers count it.
  flops: ({ inputs, attributes: given }) => {
    const { rows, columns, depth } = sparseSizes(inputs, given)
    return 2 * rows * columns * depth
  },
  ownLoops: {
    what: 'a product with weights in 2:4',
    problem: ({ inputs, attributes: given }) => sparseProblem(sparseSizes(inputs, given)),
    factors: [0, 1],
    bias: 2,
  },
}
