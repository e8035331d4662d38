/** Global max pooling on the CPU: exact. NaN is greater than anything. */
import { requireInput } from '../checks.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { planesOf, type GlobalPoolAttributes } from '../pool/global-pool.ts'
import { floatsOf, rounded } from '../values.ts'

export function reference(inputs: InputValues, { layout }: GlobalPoolAttributes): ReferenceOutput[] {
  return referenceIn(layout, inputs, inNchw)
}

function inNchw(inputs: InputValues): ReferenceOutput[] {
  const x = requireInput('globalMaxPool', inputs, 0, 'X')
  const { planes, size } = planesOf(x)
  const values = floatsOf(x)
  const exact = new Float64Array(planes)
  for (let plane = 0; plane < planes; plane++) {
    let best = -Infinity
    for (let at = plane * size; at < (plane + 1) * size; at++) best = Math.max(best, values[at]!)
    exact[plane] = best
  }
  const shape = x.shape.map((extent, axis) => (axis < 2 ? extent : 1))
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', shape, exact), exact, tolerance: { kind: 'exact' } }]
}
