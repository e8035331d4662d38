/** Relu: max(x, 0). NaN stays NaN. */
import { z } from 'zod'
import floatApply from '../../../shaders/elementwise/relu.wgsl?raw'
import integerApply from '../../../shaders/elementwise/relu_integer.wgsl?raw'
import { isFloat } from '../../tensor/dtype.ts'
import { SIGNED } from '../elementwise/dtypes.ts'
import { map } from '../elementwise/reference.ts'
import { EXACT } from '../elementwise/tolerance.ts'
import { unaryOp } from '../elementwise/unary.ts'

export const relu = unaryOp<Record<string, never>>({
  name: 'relu',
  attributes: z.strictObject({}),
  dtypes: SIGNED,
  flops: 1,
  apply: (dtype) => (isFloat(dtype) ? floatApply : integerApply),
  reference: (x) =>
    map(
      x,
      (value) => Math.max(value, 0),
      (value) => (value > 0n ? value : 0n),
      EXACT,
    ),
})
