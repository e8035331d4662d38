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

/** Small tiles, which compile soon on a software adapter. */
const SMALL: readonly Config[] = [
  { kernel: 'matrix', rows: 1, columns: 1, subgroupRows: 1, subgroupColumns: 1, steps: 1, buffers: 1 },
  { kernel: 'registers', tileRows: 16, tileColumns: 16, rows: 4, columns: 4, tileDepth: 8 },
  { kernel: 'tiled', tileRows: 16, tileColumns: 16, rows: 4, columns: 4, tileDepth: 8 },
].map((config): Config => config)

/** A configuration of each family that can run a call: a small one where it is legal, else the first that the family proposes. */
export function configsFor(device: DeviceFacts, definition: OpDefinition, inputs: InputTypes, attributes: unknown): Config[] {
  const product = productOfCall(definition, inputs, attributes)
  const all = allCandidates(product, device)
  return [...FAMILIES].flatMap(([name, family]) => {
    const proposed = all.find(({ kernel }) => kernel === name)
    if (proposed === undefined) return []
    const small = family.schema.safeParse(SMALL.find(({ kernel }) => kernel === name))
    return [small.success && family.refusal(product, small.data, device) === undefined ? small.data : proposed]
  })
}
