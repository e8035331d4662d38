/** References of ops in any layout: values go to nchw, the op's reference computes there, and what it says goes back. */
import { sizeOf } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { moveLayout } from './conv2d/layouts.ts'
import { dimensionsOf, layoutShape, type Layout } from './layout.ts'
import type { InputValues, ReferenceOutput } from './op.ts'
import { numbersOf } from './values.ts'
import { allocate } from '../tensor/dtype.ts'

/**
 * What `inNchw` says of inputs whose first lies in `layout`, in that layout. In nchw4 all quads are whole: what lies at channels past the
 * last of a feature map is computed as well, and nobody's.
 */
export function referenceIn(
  layout: Layout,
  inputs: InputValues,
  inNchw: (inputs: InputValues) => ReferenceOutput[],
): ReferenceOutput[] {
  const [x, ...others] = inputs
  if (layout === 'nchw' || x === null || x === undefined) return inNchw(inputs)
  const plain = new HostTensor(x.dtype, plainShape(x.shape, layout), movedFrom(x, layout))
  return inNchw([plain, ...others]).map(({ tensor, exact, tolerance }): ReferenceOutput => {
    const { batch, channels, extents } = dimensionsOf(tensor.shape, 'nchw')
    const sizes = { batch, channels, extents: threeOf(extents) }
    const values = allocate(tensor.dtype, sizeOf(tensor.shape))
    if (values instanceof BigInt64Array) throw new TypeError('An op with i64 results has no layouts')
    moveLayout(numbersOf(tensor), 'nchw', values, layout, sizes)
    const moved = (from: Float64Array): Float64Array => {
      const to = new Float64Array(from.length)
      moveLayout(from, 'nchw', to, layout, sizes)
      return to
    }
    return {
      tensor: new HostTensor(tensor.dtype, layoutShape(layout, batch, channels, extents), values),
      ...(exact === undefined ? {} : { exact: moved(exact) }),
      tolerance: tolerance.kind === 'bound' ? { ...tolerance, bound: moved(tolerance.bound) } : tolerance,
    }
  })
}

function plainShape(shape: readonly number[], layout: Layout): number[] {
  const { batch, channels, extents } = dimensionsOf(shape, layout)
  return layoutShape('nchw', batch, channels, extents)
}

function movedFrom(x: HostTensor, layout: Layout): ReturnType<typeof allocate> {
  const { batch, channels, extents } = dimensionsOf(x.shape, layout)
  const values = allocate(x.dtype, sizeOf(x.shape))
  if (values instanceof BigInt64Array) throw new TypeError('Feature maps of i64 have no layouts')
  moveLayout(numbersOf(x), layout, values, 'nchw', { batch, channels, extents: threeOf(extents) })
  return values
}

/** Depth, height and width; those that are not there are 1, all others are joined into the depth. */
function threeOf(extents: readonly number[]): [number, number, number] {
  const [y = 1, x = 1] = extents.length > 1 ? extents.slice(-2) : [1, ...extents]
  return [sizeOf(extents.slice(0, -2)), y, x]
}
