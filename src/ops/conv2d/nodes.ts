/** Which ops are convolutions, and the convolution that a node of one of them is: for what measures, tunes and explains algorithms. */
import { requireInput } from '../checks.ts'
import type { PlanContext } from '../op.ts'
import type { AlgorithmConfig } from './algorithm.ts'
import type { Convolution } from './convolution.ts'
import { attributes as convAttributes, convolutionOf } from './rule.ts'

/** A node, with the algorithm that its attributes force. */
export interface ConvolutionNode {
  readonly convolution: Convolution
  readonly algorithm?: string | AlgorithmConfig
}

/**
 * The convolution that a node is; undefined for ops that are none.
 * @param attributes as the node has them, or parsed
 */
export function convolutionOfNode(
  op: string,
  { inputs, outputs }: Pick<PlanContext<unknown>, 'inputs' | 'outputs'>,
  attributes: unknown,
): ConvolutionNode | undefined {
  if (op !== 'conv2d') return undefined
  const own = convAttributes.parse(attributes)
  const convolution = convolutionOf(inputs, own, requireInput(op, outputs, 0, 'Y'))
  return own.algorithm === undefined ? { convolution } : { convolution, algorithm: own.algorithm }
}
