/** PRelu: x where x ≥ 0, else slope · x; the slope broadcasts to x, not x to the slope. */
import apply from '../../../shaders/elementwise/prelu.wgsl?raw'
import { ShapeError } from '../../errors.ts'
import { formatShape, sameShape } from '../../tensor/shape.ts'
import type { DType } from '../../tensor/dtype.ts'
import { binaryOp } from '../elementwise/binary.ts'
import { ulps } from '../elementwise/tolerance.ts'

const DTYPES: readonly DType[] = ['f32', 'f16', 'i32', 'u32', 'i64']

export const prelu = binaryOp({
  name: 'prelu',
  dtypes: DTYPES,
  apply: () => apply,
  arithmetic: {
    float: (x, slope) => (x < 0 ? x * slope : x),
    integer: (x, slope) => (x < 0 ? Math.imul(x, slope) : x),
    bigint: (x, slope) => (x < 0n ? x * slope : x),
  },
  tolerance: ulps(1),
  check(x, slope, shape) {
    if (sameShape(shape, x.shape)) return
    throw new ShapeError(`A slope of shape ${formatShape(slope.shape)} does not broadcast to the input`, {
      op: 'prelu',
      shape: x.shape,
      remedy: 'A slope per channel has shape [C, 1, 1]',
    })
  },
})
