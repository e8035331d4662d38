/** sparseMatmul on the CPU: the dense product, in f64, of the weights with zeros where nothing was kept; of bytes in integers. */
import { eachKept, type TwoOfFour } from '../../sparsity/two-of-four.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { requireInput } from '../checks.ts'
import { fusedReference } from '../gemm/fused.ts'
import { product } from '../gemm/reference-product.ts'
import type { InputValues, ReferenceOutput } from '../op.ts'
import { floatsOf } from '../values.ts'
import { byteReference } from './bytes.ts'
import { isOfBytes, OP, POSITIONS, SCALES, sparseSizes, type SparseMatmulAttributes } from './rule.ts'

/** The weights as they were packed. @throws ShapeError, DtypeError, OptionError for what does not fit */
export function packedOf(inputs: InputValues, given: SparseMatmulAttributes): TwoOfFour {
  const { columns, depth, bits, share, block } = sparseSizes(inputs, given)
  const scales = inputs[SCALES] ?? null
  return {
    lines: columns,
    depth,
    bits,
    values: requireInput(OP, inputs, 1, 'values') as HostTensor<'f32'>,
    positions: requireInput(OP, inputs, POSITIONS, 'positions') as HostTensor<'u32'>,
    share,
    ...(scales === null ? {} : { scales: scales as HostTensor<'f32'>, block }),
  }
}

export function reference(inputs: InputValues, given: SparseMatmulAttributes): ReferenceOutput[] {
  const { rows, columns, depth, shape } = sparseSizes(inputs, given)
  const x = requireInput(OP, inputs, 0, 'X')
  const packed = packedOf(inputs, given)
  if (isOfBytes(inputs)) return byteReference(inputs, packed, given)
  const weights = new Float32Array(columns * depth)
  eachKept(packed, (line, k, value) => {
    weights[line * depth + k] = value
  })
  const sum = new Float64Array(rows * columns)
  const magnitude = new Float64Array(rows * columns)
  const sides = [
    { values: floatsOf(x), offset: 0, rows },
    { values: weights, offset: 0, rows: columns },
  ] as const
  product(sides[0], sides[1], depth, { sum, magnitude }, { offset: 0, row: columns, column: 1 })
  const dtype = given.output ?? (x.dtype === 'f16' ? 'f16' : 'f32')
  return fusedReference(
    inputs,
    { dtype, shape },
    [rows, columns],
    { sum, magnitude, depth: depth + 1 },
    { ...given, sparsity: '2:4' },
  )
}
