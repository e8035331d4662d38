/** Which ops are matrix products, and the product that a node of one of them is: for what measures, tunes and explains kernels. */
import type { Config } from './family.ts'
import type { PlanContext } from '../op.ts'
import * as linear from '../linear/plan.ts'
import { attributes as linearAttributes } from '../linear/rule.ts'
import * as matmul from '../matmul/plan.ts'
import { attributes as matmulAttributes } from '../matmul/rule.ts'
import type { FusedAttributes } from './fused.ts'
import * as gemm from './plan.ts'
import type { Product } from './product.ts'
import { attributes as gemmAttributes } from './rule.ts'

/** A node, with the kernel that its attributes force. */
export interface ProductNode {
  /** Of dense operands. */
  readonly product: Product
  readonly kernel?: string | Config
  /** Its B is packed (packed.ts). */
  readonly sparsity?: '2:4'
}

/**
 * The product that a node is, as given (see `normalised`); undefined for ops that are none.
 * @param attributes as the node has them, or parsed
 */
export function productOfNode(
  op: string,
  { inputs, outputs, values }: Omit<PlanContext<unknown>, 'device' | 'attributes'>,
  attributes: unknown,
): ProductNode | undefined {
  const types = { inputs, outputs, values }
  const made = (product: Product, { kernel, sparsity }: FusedAttributes): ProductNode => ({
    product,
    ...(kernel === undefined ? {} : { kernel }),
    ...(sparsity === undefined ? {} : { sparsity }),
  })
  if (op === 'gemm') {
    const own = gemmAttributes.parse(attributes)
    return made(gemm.productOf({ ...types, attributes: own }), own)
  }
  if (op === 'matmul') {
    const own = matmulAttributes.parse(attributes)
    return made(matmul.productOf({ ...types, attributes: own }), own)
  }
  if (op === 'linear') {
    const own = linearAttributes.parse(attributes)
    return made(linear.productOf({ ...types, attributes: own }), own)
  }
  return undefined
}
