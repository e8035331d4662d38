/** Div: A / B with broadcasting. Integers are divided towards zero and wrap around; a division by the integer 0 gives 0, as in NumPy. */
import floatApply from '../../../shaders/elementwise/div.wgsl?raw'
import integerApply from '../../../shaders/elementwise/div_integer.wgsl?raw'
import { isFloat } from '../../tensor/dtype.ts'
import { binaryOp } from '../elementwise/binary.ts'
import { ulps } from '../elementwise/tolerance.ts'

export const div = binaryOp({
  name: 'div',
  apply: (dtype) => (isFloat(dtype) ? floatApply : integerApply),
  arithmetic: {
    float: (a, b) => a / b,
    integer: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
    bigint: (a, b) => (b === 0n ? 0n : a / b),
  },
  tolerance: ulps(2.5),
})
