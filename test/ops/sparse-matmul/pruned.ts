/** Random matrices that hold 2:4. */
import { HostTensor } from '../../../src/tensor/tensor.ts'

/**
 * [lines, depth]: of each group of four, up to two places at random hold values.
 * @param share lines that have their places in common
 */
export function prunedMatrix(lines: number, depth: number, value: () => number, share = 1): HostTensor<'f32'> {
  const values = new Float32Array(lines * depth)
  // Not of the values' source: those may be as few as one.
  let state = 12345 + lines * 31 + depth
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
  for (let first = 0; first < lines; first += share) {
    for (let k = 0; k < depth; k += 4) {
      const one = Math.floor(next() * 4)
      const other = Math.floor(next() * 4)
      for (let line = first; line < Math.min(lines, first + share); line++) {
        for (const seat of [one, other]) if (k + seat < depth) values[line * depth + k + seat] = value()
      }
    }
  }
  return new HostTensor('f32', [lines, depth], values)
}
