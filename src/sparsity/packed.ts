/** Whether weights are packed at all: scripts without types hand over a matrix, and what packs it is then the answer. */
import { OptionError } from '../errors.ts'
import { formatShape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'

/**
 * @param op that takes the weights
 * @param parts that weights in its format have besides values, by name
 * @param pack what packs a matrix so
 * @throws OptionError where a part is missing, naming what packs a matrix
 */
export function requirePacked(op: string, weights: object, parts: readonly string[], pack: string): void {
  const missing = parts.find((part) => !(part in weights))
  if (missing === undefined) return
  const given =
    weights instanceof HostTensor ? `a dense ${weights.dtype} ${formatShape(weights.shape)}` : `weights without ${missing}`
  throw new OptionError(`${op} takes weights as ${pack} makes them, not ${given}`, { op, remedy: `Give ${pack}(matrix)` })
}
