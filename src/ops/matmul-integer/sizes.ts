/**
 * The shape rule that products of bytes share (matmulInteger, qlinearMatmul): NumPy's matmul, and where a scale or a zero point of
 * A goes by rows, one of B by columns.
 *
 *     A [batch…, I, K]    of A: a scalar, [1], [I], or a shape that broadcasts to [batch…, I, 1]
 *     B [batch…, K, J]    of B: a scalar, [1], [J], or a shape that broadcasts to [batch…, 1, J]
 */
import { ShapeError } from '../../errors.ts'
import { broadcastShapes, broadcastStrides, formatShape, sameShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'

export interface IntegerSizes {
  readonly i: number
  readonly j: number
  readonly k: number
  readonly batch: readonly number[]
  /** Elements from one entry of each batch dimension to the next, 0 where broadcast. */
  readonly aBatch: readonly number[]
  readonly bBatch: readonly number[]
  /** Shape of the result: without i where A is a vector, without j where B is. */
  readonly shape: readonly number[]
}

/** @throws ShapeError when A and B do not fit. `transB`: B is given as [batch…, J, K]. */
export function integerSizes(op: string, a: TensorType, b: TensorType, transB = false): IntegerSizes {
  const vectorA = a.shape.length === 1
  const vectorB = b.shape.length === 1
  if (a.shape.length === 0 || b.shape.length === 0) {
    throw new ShapeError('A scalar is no operand of a matrix product', { op, shape: a.shape.length === 0 ? a.shape : b.shape })
  }
  const i = vectorA ? 1 : (a.shape.at(-2) ?? 1)
  const k = a.shape.at(-1) ?? 1
  const [depth = 1, j = 1] = vectorB ? [b.shape[0], 1] : transB ? [b.shape.at(-1), b.shape.at(-2)] : b.shape.slice(-2)
  if (k !== depth) {
    const shapes = `A ${formatShape(a.shape)} and B ${formatShape(b.shape)}`
    throw new ShapeError(`${shapes} do not share their inner extent: ${k} and ${depth}`, { op, ...(transB ? { transB } : {}) })
  }
  const own = [a.shape.slice(0, -2), b.shape.slice(0, -2)] as const
  const batch = broadcastShapes(...own)
  return {
    i,
    j,
    k,
    batch,
    aBatch: broadcastStrides(own[0], batch).map((step) => step * i * k),
    bBatch: broadcastStrides(own[1], batch).map((step) => step * k * j),
    shape: [...batch, ...(vectorA ? [] : [i]), ...(vectorB ? [] : [j])],
  }
}

/** How a scale or zero point is walked: elements per row (of A) or column (of B), and per entry of each batch dimension. */
export interface Walk {
  readonly line: number
  readonly batch: readonly number[]
}

/**
 * The walk of a scale or zero point of one side. @throws ShapeError naming the operand where it does not broadcast.
 * @param side `rows` for what belongs to A, `columns` for B
 */
export function walkOf(op: string, name: string, type: TensorType, sizes: IntegerSizes, side: 'rows' | 'columns'): Walk {
  const { batch, i, j } = sizes
  const extent = side === 'rows' ? i : j
  const { shape } = type
  if (sizeOf(shape) === 1) return { line: 0, batch: batch.map(() => 0) }
  const own: Shape = shape.length === 1 ? (side === 'rows' ? [...shape, 1] : shape) : shape
  const target = [...batch, ...(side === 'rows' ? [i, 1] : [1, j])]
  if (own.length > target.length || !broadcasts(own, target)) {
    const kind = side === 'rows' ? 'row of A' : 'column of B'
    throw new ShapeError(`${name} ${formatShape(shape)} is neither one value nor one per ${kind}, of which there are ${extent}`, {
      op,
      shape,
    })
  }
  const strides = broadcastStrides(own, target)
  return { line: strides.at(side === 'rows' ? -2 : -1) ?? 0, batch: strides.slice(0, -2) }
}

function broadcasts(shape: Shape, target: Shape): boolean {
  try {
    return sameShape(broadcastShapes(shape, target), target)
  } catch (error) {
    if (error instanceof ShapeError) return false
    throw error
  }
}
