/**
 * From matrices with strides to dispatches: the planning that gemm, matmul and linear share.
 *   Y[batch…][i][j] = alpha · Σ_k A[batch…][i][k] · B[batch…][k][j] + beta · C[i][j]
 */
import bias from '../../../shaders/gemm/bias.wgsl?raw'
import noBias from '../../../shaders/gemm/no-bias.wgsl?raw'
import strided from '../../../shaders/gemm/strided.wgsl?raw'
import type { DispatchPlan, OpPlan, OperandSpec, ParamType, TensorRef } from '../../gpu/program.ts'
import { deviceByteSize } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { chooseCore } from './cores.ts'

/** A matrix inside an input tensor: where element (row, column) of it lies. Along a batch dimension, see BatchDimension. */
export interface Matrix {
  /** Which input of the op. */
  readonly input: number
  readonly type: TensorType
  readonly row: number
  readonly column: number
}

/** A batch dimension with the strides of both matrices along it, 0 where broadcast. Y is contiguous over all of them. */
export interface BatchDimension {
  readonly size: number
  readonly a: number
  readonly b: number
}

export interface StridedProduct {
  readonly op: string
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly a: Matrix
  readonly b: Matrix
  /** Only without batch dimensions. */
  readonly c?: Matrix
  readonly alpha: number
  readonly beta: number
  /** From the outermost in. */
  readonly batch: readonly BatchDimension[]
  readonly output: TensorType
}

/** Batch dimensions that a kernel takes; more are dispatched one by one. */
const KERNEL_BATCH = 4

/** The plan of a product; no dispatches where Y is empty. */
export function planProduct(given: StridedProduct): OpPlan {
  if (sizeOf(given.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const product = oriented(foldedRows({ ...given, batch: collapsed(given.batch) }))
  const outer = product.batch.slice(0, Math.max(0, product.batch.length - KERNEL_BATCH))
  const inner = product.batch.slice(outer.length)
  const slices = inner.reduce((count, { size }) => count * size, 1)
  const core = chooseCore({ ...product, slices, leftAlongDepth: product.a.column === 1 || product.a.row !== 1 })
  const { a, b, c, output } = product
  const program = {
    name: `${product.op}/${core.name}`,
    body: [strided, c === undefined ? noBias : bias, core.body].join('\n'),
    operands: operandsOf(product),
    params: paramTypes(c !== undefined),
    constants: core.constants,
    workgroupSize: core.workgroupSize,
  }
  const bind: TensorRef[] = [a, b, ...(c === undefined ? [] : [c])].map(({ input }) => ({ kind: 'input', index: input }))
  bind.push({ kind: 'output', index: 0 })
  const padded = [...Array.from({ length: KERNEL_BATCH - inner.length }, () => ({ size: 1, a: 0, b: 0 })), ...inner]
  const share = offsetsOf(outer)
  const moved = [a.type, b.type, ...(c === undefined ? [] : [c.type]), output]
  const bytes = moved.reduce((sum, type) => sum + sizeOf(type.shape) * deviceByteSize(type.dtype), 0)
  const dispatches = share.map((offset, index): DispatchPlan => {
    const params: Record<string, number> = {
      rows: product.rows,
      columns: product.columns,
      depth: product.depth,
      ...core.tiles,
      a_offset: offset.a,
      a_row: a.row,
      a_depth: a.column,
      b_offset: offset.b,
      b_depth: b.row,
      b_column: b.column,
      y_offset: index * slices * product.rows * product.columns,
      alpha: product.alpha,
    }
    padded.forEach(({ size, a: stepA, b: stepB }, axis) => {
      if (axis > 0) params[`batch${axis}`] = size
      params[`a_batch${axis}`] = stepA
      params[`b_batch${axis}`] = stepB
    })
    if (c !== undefined) Object.assign(params, { beta: product.beta, c_row: c.row, c_column: c.column })
    const flops = 2 * slices * product.rows * product.columns * product.depth
    return { program, bind, params, groups: core.groups, cost: { flops, bytes: bytes / share.length } }
  })
  return { reason: `default kernel: ${core.reason}`, dispatches, temps: [] }
}

function operandsOf({ a, b, c, output }: StridedProduct): OperandSpec[] {
  return [
    { name: 'a', dtype: a.type.dtype, access: 'read' },
    { name: 'b', dtype: b.type.dtype, access: 'read' },
    ...(c === undefined ? [] : [{ name: 'c', dtype: c.type.dtype, access: 'read' } as const]),
    { name: 'y', dtype: output.dtype, access: 'write' },
  ]
}

function paramTypes(withBias: boolean): Record<string, ParamType> {
  const names = [
    'rows',
    'columns',
    'depth',
    'row_tiles',
    'column_tiles',
    'a_offset',
    'a_row',
    'a_depth',
    'b_offset',
    'b_depth',
    'b_column',
    'y_offset',
  ]
  for (let axis = 0; axis < KERNEL_BATCH; axis++) {
    if (axis > 0) names.push(`batch${axis}`)
    names.push(`a_batch${axis}`, `b_batch${axis}`)
  }
  const types: Record<string, ParamType> = Object.fromEntries(names.map((name) => [name, 'u32']))
  types.alpha = 'f32'
  if (withBias) Object.assign(types, { beta: 'f32', c_row: 'u32', c_column: 'u32' })
  return types
}

/** Drops dimensions of 1 and joins neighbours that both matrices walk as one. */
export function collapsed(batch: readonly BatchDimension[]): BatchDimension[] {
  const result: BatchDimension[] = []
  for (const dimension of batch) {
    if (dimension.size === 1) continue
    const outer = result.at(-1)
    if (outer !== undefined && outer.a === dimension.a * dimension.size && outer.b === dimension.b * dimension.size) {
      result[result.length - 1] = { ...dimension, size: outer.size * dimension.size }
    } else result.push(dimension)
  }
  return result
}

/** One B for a batch of A whose rows follow on: the batch is more rows of one product. */
function foldedRows(product: StridedProduct): StridedProduct {
  const [only, ...others] = product.batch
  if (only === undefined || others.length > 0 || product.c !== undefined) return product
  if (only.b !== 0 || only.a !== product.rows * product.a.row) return product
  return { ...product, rows: product.rows * only.size, batch: [] }
}

/** A single row is computed as a single column, Yᵀ = Bᵀ·Aᵀ: both lie the same in memory, and the vector core takes columns. */
function oriented(product: StridedProduct): StridedProduct {
  if (product.rows !== 1 || product.columns === 1) return product
  const flip = (matrix: Matrix): Matrix => ({ ...matrix, row: matrix.column, column: matrix.row })
  const { a, b, c, batch } = product
  return {
    ...product,
    rows: product.columns,
    columns: 1,
    a: flip(b),
    b: flip(a),
    ...(c === undefined ? {} : { c: flip(c) }),
    batch: batch.map(({ size, a: stepA, b: stepB }) => ({ size, a: stepB, b: stepA })),
  }
}

/** The offsets of every index of `dimensions`, in order. */
function offsetsOf(dimensions: readonly BatchDimension[]): { a: number; b: number }[] {
  let offsets = [{ a: 0, b: 0 }]
  for (const { size, a, b } of dimensions) {
    offsets = offsets.flatMap((outer) =>
      Array.from({ length: size }, (_, index) => ({ a: outer.a + index * a, b: outer.b + index * b })),
    )
  }
  return offsets
}
