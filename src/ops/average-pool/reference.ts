/** Average pooling on the CPU in f64. Bound: the sum of n values, and a division that WGSL allows 2.5 ULP (5 u). */
import { sizeOf } from '../../tensor/shape.ts'
import { requireInput } from '../checks.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { forEachWindow, poolSizes } from '../pool/window-pool.ts'
import { placedReference } from '../place.ts'
import { gamma } from '../tolerance.ts'
import { floatsOf, rounded } from '../values.ts'
import type { WindowAxis } from '../window.ts'
import type { AveragePoolAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: AveragePoolAttributes): ReferenceOutput[] {
  const { layout, place, ...others } = attributes
  const outputs = referenceIn(layout, inputs, (plain) => inNchw(plain, { ...others, layout: 'nchw' }))
  const { channels } = poolSizes('averagePool', requireInput('averagePool', inputs, 0, 'X'), attributes)
  return outputs.map((output) => placedReference(output, channels, layout, place))
}

function inNchw(inputs: InputValues, attributes: AveragePoolAttributes): ReferenceOutput[] {
  const x = requireInput('averagePool', inputs, 0, 'X')
  const sizes = poolSizes('averagePool', x, attributes)
  const values = floatsOf(x)
  const exact = new Float64Array(sizeOf(sizes.shape))
  const bound = new Float64Array(exact.length)
  forEachWindow(sizes, ({ output, at, positions }) => {
    let sum = 0
    let magnitude = 0
    for (const position of positions) {
      sum += values[position]!
      magnitude += Math.abs(values[position]!)
    }
    const divisor = attributes.countIncludePad
      ? sizes.axes.reduce((product, axis, index) => product * paddedCount(axis, at[index] ?? 0), 1)
      : positions.length
    exact[output] = sum / divisor
    bound[output] = (gamma(positions.length + 5) * magnitude) / divisor
  })
  return [{ tensor: rounded(x.dtype === 'f16' ? 'f16' : 'f32', sizes.shape, exact), exact, tolerance: { kind: 'bound', bound } }]
}

/** Elements of window `at` that lie on the input or its padding. */
function paddedCount({ input, kernel, stride, dilation, before, after }: WindowAxis, at: number): number {
  let count = 0
  for (let k = 0; k < kernel; k++) if (at * stride + k * dilation < before + input + after) count++
  return count
}
