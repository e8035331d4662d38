/**
 * The sums that matrix products and convolutions are checked by: S[i][j] = Σ_k L[i][k] · R[j][k] in f64, and beside each the
 * sum of magnitudes Σ|L||R| that its error bound needs. Both matrices lie with k innermost, so that a pair is two straight
 * walks; four columns at a time share the loads of a row.
 */
export interface Sums {
  readonly sum: Float64Array
  /** Σ|L||R|, element by element of `sum`. */
  readonly magnitude: Float64Array
}

/** A matrix of `rows` vectors of `depth` contiguous values, starting at `offset`. */
export interface Rows {
  readonly values: Float32Array
  readonly offset: number
  readonly rows: number
}

/** Where S[i][j] is written: `offset + i·row + j·column`. */
export interface Place {
  readonly offset: number
  readonly row: number
  readonly column: number
}

/** Writes S and its magnitudes into `out` at `place`. `depth` 0 writes zeros. */
export function product(left: Rows, right: Rows, depth: number, out: Sums, place: Place): void {
  // The longer side is walked four at a time: a product with one column is as fast as one with one row.
  if (right.rows < 4 && left.rows > right.rows) {
    product(right, left, depth, out, { offset: place.offset, row: place.column, column: place.row })
    return
  }
  for (let i = 0; i < left.rows; i++) {
    const start = left.offset + i * depth
    const at = place.offset + i * place.row
    let j = 0
    for (; j + 4 <= right.rows; j += 4)
      fourDots(left.values, start, right.values, right.offset + j * depth, depth, out, at + j * place.column, place.column)
    for (; j < right.rows; j++)
      oneDot(left.values, start, right.values, right.offset + j * depth, depth, out, at + j * place.column)
  }
}

function oneDot(l: Float32Array, li: number, r: Float32Array, ri: number, depth: number, out: Sums, at: number): void {
  let sum = 0
  let magnitude = 0
  for (let k = 0; k < depth; k++) {
    const term = l[li + k]! * r[ri + k]!
    sum += term
    magnitude += Math.abs(term)
  }
  out.sum[at] = sum
  out.magnitude[at] = magnitude
}

function fourDots(
  l: Float32Array,
  li: number,
  r: Float32Array,
  ri: number,
  depth: number,
  out: Sums,
  at: number,
  step: number,
): void {
  const r1 = ri + depth
  const r2 = r1 + depth
  const r3 = r2 + depth
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let m0 = 0
  let m1 = 0
  let m2 = 0
  let m3 = 0
  for (let k = 0; k < depth; k++) {
    const x = l[li + k]!
    const t0 = x * r[ri + k]!
    const t1 = x * r[r1 + k]!
    const t2 = x * r[r2 + k]!
    const t3 = x * r[r3 + k]!
    s0 += t0
    s1 += t1
    s2 += t2
    s3 += t3
    m0 += Math.abs(t0)
    m1 += Math.abs(t1)
    m2 += Math.abs(t2)
    m3 += Math.abs(t3)
  }
  out.sum[at] = s0
  out.sum[at + step] = s1
  out.sum[at + 2 * step] = s2
  out.sum[at + 3 * step] = s3
  out.magnitude[at] = m0
  out.magnitude[at + step] = m1
  out.magnitude[at + 2 * step] = m2
  out.magnitude[at + 3 * step] = m3
}

/** The transpose of a [rows, columns] matrix. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!
  return result
}
