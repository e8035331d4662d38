/** Runs an op's case table on the GPU and holds every output against the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { parseAttributes, runOp } from '../../src/ops/run.ts'
import { referenceOn } from '../../src/ops/settled.ts'
import { compare } from '../../src/ops/tolerance.ts'
import type { DType } from '../../src/tensor/dtype.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'
import { inputsOf, type CaseTable } from '../cases/case.ts'

/** Runs one op on the GPU and compares all outputs with the reference. `bits`: the result must be the reference's, bit for bit. */
export async function check(
  gpu: Gpu,
  definition: OpDefinition,
  inputs: InputValues,
  attributes: unknown,
  bits = false,
): Promise<void> {
  const expected = referenceOn(definition, inputs, parseAttributes(definition, attributes), gpu.facts)
  const results = await runOp(gpu, definition, inputs, attributes)
  expect(results.length).toBe(expected.length)
  for (const [index, reference] of expected.entries()) {
    const result = results[index]!
    const host = new HostTensor(result.dtype, result.shape, await result.data())
    result.dispose()
    const comparison = compare(host, reference)
    const at = comparison.worstIndex
    const message = `output ${index}[${at}] is ${host.values[at]}, expected ${reference.exact?.[at] ?? reference.tensor.values[at]}`
    expect(comparison, message).toMatchObject({ ok: true })
    // Either zero is 0.
    const settled = (values: HostTensor['values']): number[] => Array.from(values as Float32Array, (value) => value + 0)
    if (bits) expect(settled(host.values), message).toEqual(settled(reference.tensor.values))
  }
}

export function runTables(...tables: readonly CaseTable[]): void {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu.dispose())

  for (const { definition, cases } of tables) {
    describe(definition.name, () => {
      for (const entry of cases) {
        for (const dtype of entry.dtypes ?? (['f32', 'f16'] as const satisfies DType[])) {
          it(`${entry.name}, ${dtype}`, async () => {
            await check(
              gpu,
              definition,
              inputsOf(entry, dtype),
              entry.attributes ?? {},
              entry.data === 'integers' && dtype === 'f32',
            )
            expect(gpu.memory.liveBytes).toBe(0)
          })
        }
      }
    })
  }
}
