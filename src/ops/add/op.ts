/** Add: A + B with broadcasting; integers wrap around. */
import apply from '../../../shaders/elementwise/add.wgsl?raw'
import { binaryOp } from '../elementwise/binary.ts'
import { ulps } from '../elementwise/tolerance.ts'

export const add = binaryOp({
  name: 'add',
  apply: () => apply,
  arithmetic: {
    float: (a, b) => a + b,
    integer: (a, b) => a + b,
    bigint: (a, b) => a + b,
  },
  tolerance: ulps(1),
})
