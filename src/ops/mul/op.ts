/** Mul: A · B with broadcasting; integers wrap around. */
import apply from '../../../shaders/elementwise/mul.wgsl?raw'
import { binaryOp } from '../elementwise/binary.ts'
import { ulps } from '../elementwise/tolerance.ts'

export const mul = binaryOp({
  name: 'mul',
  apply: () => apply,
  arithmetic: {
    float: (a, b) => a * b,
    integer: Math.imul,
    bigint: (a, b) => a * b,
  },
  tolerance: ulps(1),
})
