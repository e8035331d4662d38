/** For tests that go through every kernel family: the product of a call, and a configuration of each family that fits it. */
import type { DeviceFacts } from '../../../src/gpu/program.ts'
import { allCandidates, FAMILIES } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { productOfNode } from '../../../src/ops/gemm/nodes.ts'
import { normalised, type Product } from '../../../src/ops/gemm/product.ts'
import type { InputTypes, OpDefinition } from '../../../src/ops/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'

/** The product of a call of gemm, matmul or linear, normalised. */
export function productOfCall(definition: OpDefinition, inputs: InputTypes, attributes: unknown): Product {
  const parsed = parseAttributes(definition, attributes)
  const values = inputs.map(() => null)
  const outputs = definition.infer({ inputs, values, attributes: parsed })
  const node = productOfNode(definition.name, { inputs, values, outputs }, attributes)
  if (node === undefined) throw new Error(`${definition.name} is no product`)
  return normalised(node.product)
}

/** One configuration of each family that can run a call: the first that it proposes itself. */
export function configsFor(device: DeviceFacts, definition: OpDefinition, inputs: InputTypes, attributes: unknown): Config[] {
  const all = allCandidates(productOfCall(definition, inputs, attributes), device)
  return [...FAMILIES.keys()].flatMap((name) => all.find(({ kernel }) => kernel === name) ?? [])
}
