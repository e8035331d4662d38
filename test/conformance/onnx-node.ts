/**
 * ONNX's own node cases: each is a model of one node (or of the nodes that define it, in the `_expanded` ones) with inputs and expected
 * outputs. A case is imported, compiled, run on the GPU and compared within the tolerance that the collection states:
 * rtol 1e-3 and atol 1e-5 for f32, 2e-3 and 1e-3 for f16, exact for integers.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importOnnx } from '../../src/formats/onnx.ts'
import { decodeTensorProto } from '../../src/formats/tensor-proto.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { compile } from '../../src/graph/model.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { conformance, hasConformance } from './data.ts'

export interface NodeCase {
  readonly name: string
  readonly op: string
  /** All ops of the model. */
  readonly ops: readonly string[]
  /** Only dtypes that Tilewright has. */
  readonly core: boolean
}

/** The cases of the collection, none where it is not there. */
export function nodeCases(): readonly NodeCase[] {
  if (!hasConformance) return []
  return JSON.parse(readFileSync(conformance('onnx-node/manifest.json'), 'utf8')) as NodeCase[]
}

const TOLERANCE: Partial<Record<string, { rtol: number; atol: number }>> = {
  f32: { rtol: 1e-3, atol: 1e-5 },
  f16: { rtol: 2e-3, atol: 1e-3 },
}

function tensorsOf(folder: string, kind: 'input' | 'output'): HostTensor[] {
  const count = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`) && file.endsWith('.pb')).length
  return Array.from({ length: count }, (_, index) => decodeTensorProto(readFileSync(`${folder}/${kind}_${index}.pb`)).tensor)
}

/** The first difference between a result and what is expected, in words; undefined where they agree. */
export function difference(actual: HostTensor, expected: HostTensor): string | undefined {
  if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype}, expected ${expected.dtype}`
  if (actual.shape.join() !== expected.shape.join()) return `shape [${actual.shape.join()}], expected [${expected.shape.join()}]`
  const { rtol, atol } = TOLERANCE[expected.dtype] ?? { rtol: 0, atol: 0 }
  for (let i = 0; i < expected.values.length; i++) {
    const [value, target] = [actual.values[i], expected.values[i]]
    if (value === target || (Number.isNaN(value) && Number.isNaN(target))) continue
    const error = Math.abs(Number(value) - Number(target))
    if (typeof value !== 'bigint' && error <= atol + rtol * Math.abs(Number(target))) continue
    return `element ${i} is ${value}, expected ${target}`
  }
  return undefined
}

/** How a case ends where all is well. */
const AGREES = 'agrees'

/**
 * Runs a case: `agrees`, or which nodes the import refuses and why, or which output differs.
 * @throws what import, compilation or the run throw.
 */
export async function runNodeCase(gpu: Gpu, name: string): Promise<string> {
  const folder = conformance(`onnx-node/${name}`)
  const { graph, unsupported } = await importOnnx(readFileSync(`${folder}/model.onnx`))
  if (unsupported.length > 0) return unsupported.map(({ op, reason }) => `refused: ${op}: ${reason}`).join('; ')
  using model = await compile(gpu, graph)
  const inputs = tensorsOf(`${folder}/test_data_set_0`, 'input')
  const named = graph.inputs.map((input, index) => [input.name, inputs[index]] as const)
  const fed = Object.fromEntries(named.flatMap(([input, value]) => (value === undefined ? [] : [[input, value] as const])))
  const results = await model.run(fed)
  const expected = tensorsOf(`${folder}/test_data_set_0`, 'output')
  if (expected.length === 0) return 'the case expects nothing'
  for (const [index, target] of expected.entries()) {
    const result = results[graph.outputs[index] ?? '']
    if (result === undefined) return `output ${index} is missing`
    const fault = difference(new HostTensor(result.dtype, result.shape, await result.data()), target)
    if (fault !== undefined) return `output ${index}: ${fault}`
  }
  return AGREES
}

/**
 * Registers a test for each core case of `ops`.
 * @param refused cases that are expected to be refused, each with words of the reason
 * @param count how many cases the collection has for these ops, refused ones included
 */
export function nodeCaseTests(ops: readonly string[], count: number, refused: Readonly<Record<string, string>> = {}): void {
  const cases = nodeCases().filter(({ op, core }) => core && ops.includes(op))
  describe.skipIf(!hasConformance)(
    `ONNX node cases${hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'}`,
    () => {
      let gpu: Gpu
      beforeAll(async () => {
        gpu = await openGpu()
      })
      afterAll(() => gpu?.dispose())

      it(`are ${count}`, () => {
        expect(cases.length).toBe(count)
        expect(Object.keys(refused).filter((name) => !cases.some((each) => each.name === name))).toEqual([])
      })

      it.each(cases.map(({ name }) => [name, refused[name] ?? AGREES] as const))('%s: %s', async (name, outcome) => {
        expect(await runNodeCase(gpu, name)).toContain(outcome)
      })
    },
  )
}
