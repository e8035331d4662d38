/** Padding on the host: steps from outside back into the axis until it is inside. */
import type { Shape } from '../../tensor/shape.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { byCoordinates } from '../movement/reference.ts'
import type { PadMode } from './rule.ts'

export function padReference(
  x: HostTensor,
  shape: Shape,
  begins: readonly number[],
  mode: PadMode,
  fill: number | bigint,
): HostTensor {
  const source = (coordinate: readonly number[], at: number[]): boolean => {
    for (const [axis, extent] of x.shape.entries()) {
      let i = (coordinate[axis] ?? 0) - (begins[axis] ?? 0)
      while (i < 0 || i >= extent) {
        if (mode === 'constant') return false
        if (mode === 'edge' || extent === 1) i = i < 0 ? 0 : extent - 1
        else if (mode === 'wrap') i += i < 0 ? extent : -extent
        else i = i < 0 ? -i : 2 * (extent - 1) - i
      }
      at[axis] = i
    }
    return true
  }
  return byCoordinates(x, shape, source, fill)
}
