/** How well one ranking foretells another. */

/**
 * Spearman's rank correlation, ties at their mean rank: 1 where both rank alike, −1 where opposite, about 0 where one says nothing
 * of the other. Undefined for fewer than two pairs, or where one side is all ties.
 */
export function spearman(a: readonly number[], b: readonly number[]): number | undefined {
  if (a.length !== b.length || a.length < 2) return undefined
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (a.length + 1) / 2
  let products = 0
  let squaresX = 0
  let squaresY = 0
  for (let i = 0; i < a.length; i++) {
    const [dx, dy] = [(x[i] ?? NaN) - mean, (y[i] ?? NaN) - mean]
    products += dx * dy
    squaresX += dx * dx
    squaresY += dy * dy
  }
  return squaresX === 0 || squaresY === 0 ? undefined : products / Math.sqrt(squaresX * squaresY)
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).toSorted((i, j) => (values[i] ?? 0) - (values[j] ?? 0))
  const result = values.map(() => 0)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to++
    for (let at = from; at <= to; at++) result[order[at] ?? 0] = (from + to) / 2 + 1
    from = to + 1
  }
  return result
}
