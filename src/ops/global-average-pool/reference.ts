/** Global average pooling on the CPU in f64. Bound: the sum of n values, and a division that WGSL allows 2.5 ULP (5 u). */
import { requireInput } from '../checks.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { planesOf, type GlobalPoolAttributes } from '../pool/global-pool.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'

export function reference(inputs: InputValues, { layout }: GlobalPoolAttributes): ReferenceOutput[] {
  return referenceIn(layout, inputs, inNchw)
}

function inNchw(inputs: InputValues): ReferenceOutput[] {
  const x = requireInput('globalAveragePool', inputs, 0, 'X')
  const { planes, size } = planesOf(x)
  const values = floatsOf(x)
  const exact = new Float64Array(planes)
  const bound = new Float64Array(planes)
  for (let plane = 0; plane < planes; plane++) {
    let sum = 0
    let magnitude = 0
    for (let at = plane * size; at < (plane + 1) * size; at++) {
      sum += values[at]!
      magnitude += Math.abs(values[at]!)
    }
    exact[plane] = sum / size
    bound[plane] = (gamma(size + 5) * magnitude) / size
  }
  const shape = x.shape.map((extent, axis) => (axis < 2 ? extent : 1))
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}
