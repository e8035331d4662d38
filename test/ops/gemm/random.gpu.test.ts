/**
 * Random products on whole numbers under every kernel family: odd and aligned sizes, transposed and broadcast operands, batches,
 * epilogues, f32 and f16. Sums are exact, so every result must be the reference's bit for bit. Sizes are uniforms: each property
 * draws many of them and compiles once or twice.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countAccesses } from '../../../src/gpu/counted.ts'
import type { Gpu } from '../../../src/gpu/gpu.ts'
import { openGpu } from '../../../src/gpu/node.ts'
import { FAMILIES, familyNamed } from '../../../src/ops/gemm/families.ts'
import type { Config } from '../../../src/ops/gemm/family.ts'
import { gemm } from '../../../src/ops/gemm/op.ts'
import { matmul } from '../../../src/ops/matmul/op.ts'
import type { InputValues } from '../../../src/ops/op.ts'
import { parseAttributes } from '../../../src/ops/run.ts'
import type { DType } from '../../../src/tensor/dtype.ts'
import { HostTensor } from '../../../src/tensor/tensor.ts'
import { inputsOf } from '../../cases/case.ts'
import { check } from '../run-table.ts'
import { configsFor, productOfCall } from './families.ts'

const SEED = 20170327

/** What is compiled apart: how operands can be read, and what the epilogue is. */
interface Form {
  readonly name: string
  readonly dtype: DType
  /** Every extent is a multiple of it: 4 lets vectors be read and stored. Extents of 1 (odd forms: any) are told apart. */
  readonly grain: 1 | 4
  readonly transA?: boolean
  readonly transB?: boolean
  readonly epilogue?: boolean
}

const FORMS: readonly Form[] = [
  { name: 'odd sizes with an epilogue', dtype: 'f32', grain: 1, epilogue: true },
  { name: 'aligned', dtype: 'f32', grain: 4 },
  { name: 'aligned, both transposed, with an epilogue', dtype: 'f32', grain: 4, transA: true, transB: true, epilogue: true },
  { name: 'odd halves', dtype: 'f16', grain: 1 },
]

/** Extents beside those of tiles, none of which is 1 or, for odd forms, a multiple of 4. */
function extent(grain: 1 | 4, most: number): fc.Arbitrary<number> {
  if (grain === 4) return fc.integer({ min: 2, max: Math.floor(most / 4) }).map((quads) => 4 * quads)
  return fc.integer({ min: 2, max: most }).map((size) => (size % 4 === 0 ? size - 1 : size))
}

function operands({ dtype, transA, transB, epilogue }: Form, [i, j, k]: readonly number[], seed = 1): InputValues {
  const [a, b] = [transA === true ? [k, i] : [i, k], transB === true ? [j, k] : [k, j]] as [number[], number[]]
  const terms = epilogue === true ? [[j ?? 0], [i ?? 0, j ?? 0], [i ?? 0, 1]] : []
  return inputsOf({ name: '', inputs: [a, b, ...terms], data: 'integers' }, dtype, seed)
}

function attributesOf({ transA = false, transB = false, epilogue }: Form, kernel: Config): Record<string, unknown> {
  const own = epilogue === true ? { alpha: 2, beta: -1, activation: 'relu' } : {}
  return { transA, transB, ...own, kernel: { ...kernel } }
}

describe('random products', () => {
  let gpu: Gpu
  /** By family: which forms ran under it. */
  const ran = new Map<string, Set<string>>()
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    expect(gpu.memory.liveBytes).toBe(0)
    gpu.dispose()
  })

  function note(config: Config, form: string): void {
    ran.set(config.kernel, (ran.get(config.kernel) ?? new Set()).add(form))
  }

  it.each(FORMS)('$name', async (form) => {
    const few = form.grain === 4 ? [8, 36, 20] : [7, 37, 19]
    const many = form.grain === 4 ? [68, 36, 20] : [67, 37, 19]
    for (const like of [many, few]) {
      const proposed = configsFor(gpu.facts, gemm, operands(form, like), attributesOf(form, { kernel: '' }))
      // Proposed for large products alone, and legal for small ones.
      const all: Config[] = [...proposed, { kernel: 'strassen' }]
      for (const config of all.filter(({ kernel }) => ran.get(kernel)?.has(form.name) !== true)) {
        const rows = extent(form.grain, like === few ? 8 : 70)
        const sizes = fc.tuple(rows, extent(form.grain, 70), extent(form.grain, 50), fc.integer({ min: 1, max: 99 }))
        const family = familyNamed(config.kernel, 'gemm')
        const property = fc.asyncProperty(sizes, async ([i, j, k, seed]) => {
          const inputs = operands(form, [i, j, k], seed)
          const attributes = attributesOf(form, config)
          fc.pre(family.refusal(productOfCall(gemm, inputs, attributes), config, gpu.facts) === undefined)
          await check(gpu, gemm, inputs, attributes, true)
        })
        await fc.assert(property, { numRuns: 5, seed: SEED })
        note(config, form.name)
      }
    }
  })

  it('batches broadcast over either side', async () => {
    const batches = fc.array(fc.tuple(fc.integer({ min: 2, max: 3 }), fc.constantFrom('a', 'b', 'both')), {
      minLength: 1,
      maxLength: 5,
    })
    const given = (batch: readonly (readonly [number, string])[], i: number, j: number, k: number, seed = 1): InputValues => {
      const own = (side: string): number[] => batch.map(([size, sides]) => (sides === side || sides === 'both' ? size : 1))
      const inputs = [
        [...own('a'), i, k],
        [...own('b'), k, j],
      ]
      return inputsOf({ name: '', inputs, data: 'integers' }, 'f32', seed)
    }
    const like = given([[2, 'both']], 7, 9, 13)
    for (const config of configsFor(gpu.facts, matmul, like, {})) {
      const family = familyNamed(config.kernel, 'matmul')
      const property = fc.asyncProperty(batches, fc.integer({ min: 1, max: 9 }), async (batch, seed) => {
        const inputs = given(batch, 7, 9, 13, seed)
        const attributes = { kernel: { ...config } }
        fc.pre(family.refusal(productOfCall(matmul, inputs, attributes), config, gpu.facts) === undefined)
        await check(gpu, matmul, inputs, attributes, true)
      })
      await fc.assert(property, { numRuns: 6, seed: SEED })
      note(config, 'batches')
    }
  })

  it.each([
    ['K = 1', [9, 23, 1]],
    ['K = 0', [9, 23, 0]],
    ['no rows', [0, 8, 4]],
  ])('%s', async (_, sizes) => {
    const form: Form = { name: '', dtype: 'f32', grain: 1, epilogue: true }
    const inputs = operands(form, sizes)
    for (const config of sizes[0] === 0 ? [] : configsFor(gpu.facts, gemm, inputs, attributesOf(form, { kernel: '' }))) {
      await check(gpu, gemm, inputs, attributesOf(form, config), true)
    }
    // And the kernel that the rule gives it.
    await check(gpu, gemm, inputs, { alpha: 2, beta: -1, activation: 'relu' }, true)
  })

  // Other families are counted where their own kernels are tested.
  it.each<[string, Form, readonly number[]]>([
    ['element by element', { name: '', dtype: 'f32', grain: 1 }, [35, 37, 22]],
    ['whole depths past the end', { name: '', dtype: 'f32', grain: 4 }, [4, 36, 20]],
    ['one value of vectors across, vectors along', { name: '', dtype: 'f32', grain: 4, transA: true, transB: true }, [36, 40, 24]],
  ])('broadcast loads and stores what it says: %s', async (_, form, sizes) => {
    const inputs = operands(form, sizes)
    const config = { kernel: 'broadcast', rows: sizes[0] === 4 ? 4 : 16 }
    const attributes = attributesOf(form, config)
    const product = productOfCall(gemm, inputs, attributes)
    const context = { inputs, values: inputs.map(() => null), attributes: parseAttributes(gemm, attributes) }
    const plan = gemm.plan({ ...context, outputs: [product.output], device: gpu.facts })
    const uploaded = inputs.map((input) => (input instanceof HostTensor ? gpu.upload(input) : null))
    const [counts] = await countAccesses(gpu, plan, uploaded, [product.output])
    for (const tensor of uploaded) tensor?.dispose()
    expect(counts).toEqual(familyNamed('broadcast', 'gemm').accesses(product, config, gpu.facts))
  })

  it('has tried every family that this device can run', () => {
    // Matrix units take halves alone; weights in 2:4 are not what these products have (test/ops/sparse-matmul).
    const dense = [...FAMILIES.keys()].filter((name) => !name.startsWith('two-of-four'))
    expect([...ran.keys()].toSorted()).toEqual(dense.toSorted())
    for (const [name, forms] of ran) expect(forms.size, name).toBeGreaterThan(name === 'matrix' ? 0 : 3)
  })
})
