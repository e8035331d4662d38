/** Gathering on the host. */
import { ShapeError } from '../../errors.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { byCoordinates } from '../movement/reference.ts'

/** @throws ShapeError when an index is out of range. */
export function gatherReference(x: HostTensor, indices: HostTensor, axis: number): HostTensor {
  const extent = x.shape[axis] ?? 0
  const picks = Array.from<number | bigint, number>(indices.values, (value) => {
    const index = Number(value)
    if (index >= -extent && index < extent) return index < 0 ? index + extent : index
    throw new ShapeError(`Index ${index} is outside an axis of ${extent}`, { op: 'gather', shape: x.shape, axis })
  })
  const rank = indices.shape.length
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  return byCoordinates(x, shape, (coordinate, at) => {
    const place = indices.shape.reduce((index, own, i) => index * own + (coordinate[axis + i] ?? 0), 0)
    for (let i = 0; i < at.length; i++) at[i] = coordinate[i < axis ? i : i + rank - 1] ?? 0
    at[axis] = picks[place] ?? 0
  })
}
