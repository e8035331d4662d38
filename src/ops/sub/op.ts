/** Sub: A − B with broadcasting; integers wrap around. */
import apply from '../../../shaders/elementwise/sub.wgsl?raw'
import { binaryOp } from '../elementwise/binary.ts'
import { ulps } from '../elementwise/tolerance.ts'

export const sub = binaryOp({
  name: 'sub',
  apply: () => apply,
  arithmetic: {
    float: (a, b) => a - b,
    integer: (a, b) => a - b,
    bigint: (a, b) => a - b,
  },
  tolerance: ulps(1),
})
