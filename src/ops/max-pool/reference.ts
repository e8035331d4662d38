/** Max pooling on the CPU: exact. NaN is greater than anything; among equals the first. */
import { allocate } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { referenceIn } from '../layout-reference.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { forEachWindow, poolSizes, type PoolAxes } from '../pool/window-pool.ts'
import { placedReference } from '../place.ts'
import { numbersOf } from '../values.ts'
import type { MaxPoolAttributes } from './rule.ts'

export function reference(inputs: InputValues, attributes: MaxPoolAttributes): ReferenceOutput[] {
  const { layout, place, ...others } = attributes
  const outputs = referenceIn(layout, inputs, (plain) => inNchw(plain, { ...others, layout: 'nchw' }))
  const { channels } = poolSizes('maxPool', requireInput('maxPool', inputs, 0, 'X'), attributes)
  return outputs.map((output) => placedReference(output, channels, layout, place))
}

function inNchw(inputs: InputValues, attributes: MaxPoolAttributes): ReferenceOutput[] {
  const x = requireInput('maxPool', inputs, 0, 'X')
  const sizes = poolSizes('maxPool', x, attributes)
  const values = numbersOf(x)
  const nothing = x.dtype === 'i8' ? -128 : x.dtype === 'u8' ? 0 : -Infinity
  const maxima = new Float64Array(sizeOf(sizes.shape))
  const places = new BigInt64Array(attributes.indices ? maxima.length : 0)
  const planeSize = sizes.axes.reduce((product, { input }) => product * input, 1)
  const planeOutputs = sizes.axes.reduce((product, { output }) => product * output, 1)
  forEachWindow(sizes, ({ output, positions }) => {
    let best = nothing
    let place = -1
    for (const position of positions) {
      const value = values[position]!
      if (place >= 0 && !(value > best) && !(Number.isNaN(value) && !Number.isNaN(best))) continue
      best = value
      place = position
    }
    maxima[output] = best
    if (!attributes.indices) return
    const plane = Math.floor(output / planeOutputs)
    const local = place < 0 ? 0 : place - plane * planeSize
    places[output] = BigInt(plane * planeSize + (attributes.storageOrder === 1 ? columnMajor(local, sizes.axes) : local))
  })
  const host = allocate(x.dtype === 'i64' ? 'f32' : x.dtype, maxima.length)
  host.set(maxima)
  const result: ReferenceOutput = { tensor: new HostTensor(x.dtype, sizes.shape, host), tolerance: { kind: 'exact' } }
  if (!attributes.indices) return [result]
  return [result, { tensor: new HostTensor('i64', sizes.shape, places), tolerance: { kind: 'exact' } }]
}

/** A row-major position within a plane, counted with the first axis innermost. */
function columnMajor(position: number, [a, b, c]: PoolAxes): number {
  const z = position % c.input
  const y = Math.floor(position / c.input) % b.input
  const x = Math.floor(position / (c.input * b.input))
  return x + a.input * (y + b.input * z)
}
