/**
 * A plain design's rules about zeros, for hardware that describes none: what Eyeriss does (`gate`), and the same without losing the time (`skip`);
 * and a design's rules where weights do not hold the pattern that it stores.
 */
import type { Hardware, HardwareSparsity, OperandSparsity, ZeroAction } from '../schedule/hardware.ts'
import type { Operand } from '../schedule/problem.ts'

/**
 * MACs stand still for (or pass over) zeros of either factor; so do reads of weights and updates of outputs at the innermost level that holds
 * them. Inputs are read: someone has to look.
 */
export function zeroRules({ levels }: Hardware, action: ZeroAction): HardwareSparsity {
  const rules: Record<string, Partial<Record<Operand, OperandSparsity>>> = {}
  const add = (operand: Operand, rule: OperandSparsity): void => {
    const level = levels.findLast(({ words, holds }) => words !== 0 && (holds?.includes(operand) ?? true))
    if (level !== undefined) rules[level.name] = { ...rules[level.name], [operand]: rule }
  }
  add('weights', { action, on: ['inputs'] })
  add('outputs', { action, on: ['weights', 'inputs'] })
  return { compute: { action, on: ['weights', 'inputs'] }, levels: rules }
}

/** The rules with weights that would be 2:4 stored as they are. */
export function withPlainWeights({ levels = {}, ...others }: HardwareSparsity): HardwareSparsity {
  const plain = ({ format, ...rule }: OperandSparsity): OperandSparsity =>
    format === '2:4' || format === undefined ? rule : { ...rule, format }
  return {
    ...others,
    levels: Object.fromEntries(
      Object.entries(levels).map(([level, { weights, ...rest }]) => [
        level,
        weights === undefined ? rest : { ...rest, weights: plain(weights) },
      ]),
    ),
  }
}
