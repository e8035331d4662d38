/**
 * Maxout: the largest of `pool` consecutive channels, out[n, c, …] = max over k of x[n, c·pool + k, …]
 * (Goodfellow et al., Maxout Networks, 2013). Axis 1 shrinks by `pool`; NaN wherever one of the channels is NaN.
 */
import { z } from 'zod'
import floatBody from '../../../shaders/elementwise/float.wgsl?raw'
import maxoutBody from '../../../shaders/elementwise/maxout.wgsl?raw'
import orderFloat from '../../../shaders/elementwise/order_float.wgsl?raw'
import orderInteger from '../../../shaders/elementwise/order_integer.wgsl?raw'
import { ShapeError } from '../../errors.ts'
import { isFloat } from '../../tensor/dtype.ts'
import { sizeOf, type Shape } from '../../tensor/shape.ts'
import { requireDType, requireInput, requireRank } from '../checks.ts'
import { NUMERIC, refuseOnDevice } from '../elementwise/dtypes.ts'
import { exactly, pick } from '../movement/reference.ts'
import { inputRef, linearDispatch, outputRef, planOf } from '../movement/linear.ts'
import type { OpDefinition } from '../op.ts'

const attributes = z.strictObject({ pool: z.number().int().positive() })

function outputShape([batch = 0, channels = 0, ...rest]: Shape, pool: number): number[] {
  return [batch, channels / pool, ...rest]
}

export const maxout: OpDefinition<z.infer<typeof attributes>> = {
  name: 'maxout',
  attributes,
  hostInputs: [],
  infer({ inputs, attributes: { pool } }) {
    const x = requireInput('maxout', inputs, 0, 'x')
    requireDType('maxout', 'x', x, NUMERIC)
    requireRank('maxout', 'x', x, 2, Infinity)
    if ((x.shape[1] ?? 0) % pool !== 0) {
      throw new ShapeError(`${x.shape[1]} channels do not divide into pools of ${pool}`, { op: 'maxout', shape: x.shape })
    }
    return [{ dtype: x.dtype, shape: outputShape(x.shape, pool) }]
  },
  reference(inputs, { pool }) {
    const x = requireInput('maxout', inputs, 0, 'x')
    const shape = outputShape(x.shape, pool)
    const inner = sizeOf(shape.slice(2))
    const { values } = x
    const table = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
      const start = Math.floor(i / inner) * pool * inner + (i % inner)
      let best = start
      for (let k = 1; k < pool; k++) {
        const [value, record] = [values[start + k * inner] ?? 0, values[best] ?? 0]
        if (value > record || Number.isNaN(value)) best = start + k * inner
        if (Number.isNaN(values[best])) break
      }
      return best
    })
    return [exactly(pick(x, shape, table))]
  },
  plan({ inputs, outputs, attributes: { pool } }) {
    const x = requireInput('maxout', inputs, 0, 'x')
    refuseOnDevice('maxout', x)
    const y = outputs[0] ?? x
    const count = sizeOf(y.shape)
    const dispatch = linearDispatch(count, {
      name: 'elementwise/maxout',
      body: isFloat(x.dtype) ? [floatBody, orderFloat, maxoutBody] : [orderInteger, maxoutBody],
      operands: [
        { name: 'x', type: x, access: 'read', ref: inputRef(0) },
        { name: 'y', type: y, access: 'write', ref: outputRef() },
      ],
      params: { inner: 'u32', pool: 'u32' },
      values: { inner: sizeOf(y.shape.slice(2)), pool },
      flops: count * (pool - 1),
    })
    return planOf('maxout: one invocation for each pool', [dispatch])
  },
  flops: ({ outputs, attributes: { pool } }) => (pool - 1) * sizeOf(outputs[0]?.shape ?? [0]),
}
