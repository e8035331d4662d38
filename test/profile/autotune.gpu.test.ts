/** A short tune of a small network: verified, kept, and used by what runs after it; kernels that fail are out and end nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filePlace } from '../../src/formats/node-tuning.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { nameOfKernel } from '../../src/gpu/tuning.ts'
import { graph } from '../../src/graph/builder.ts'
import { compile, type PlannedNode } from '../../src/graph/model.ts'
import { planNodes } from '../../src/graph/planning.ts'
import { typeGraph } from '../../src/graph/passes.ts'
import type { Config, Family } from '../../src/ops/gemm/family.ts'
import { FAMILIES, familyNamed } from '../../src/ops/gemm/families.ts'
import { autotune } from '../../src/profile/autotune.ts'
import { bareProduct, bareTask, modelTasks } from '../../src/profile/autotune-model.ts'
import { TuningStore } from '../../src/profile/tuning.ts'
import { seededInput, seededTensor } from '../../models/seeded.ts'

const ADAPTER = process.env['TILEWRIGHT_ADAPTER'] ?? 'software'

function mlp() {
  const weights = (name: string, shape: readonly number[]) => seededTensor(1, name, shape, { centre: 0, spread: 0.1 })
  const g = graph('mlp')
  const x = g.input('x', 'f32', [24, 64])
  const hidden = g.linear(x, weights('w1', [96, 64]), { name: 'fc1' })
  g.output('y', g.linear(g.relu(hidden), weights('w2', [64, 96]), { name: 'fc2' }))
  return g.finish()
}

function reasonsOn(gpu: Gpu): string[] {
  const net = mlp()
  const typed = typeGraph(net, new Map([['x', { dtype: 'f32', shape: [24, 64] }]]))
  return planNodes(typed, gpu.facts)
    .filter(({ node }: PlannedNode) => node.op === 'linear')
    .map(({ plan }) => plan.reason)
}

describe('autotune', () => {
  let gpu: Gpu
  let folder: string
  beforeAll(async () => {
    gpu = await openGpu({ adapter: ADAPTER })
    folder = mkdtempSync(join(tmpdir(), 'tilewright-autotune-'))
  })
  afterAll(() => {
    gpu.dispose()
    rmSync(folder, { recursive: true })
  })

  it('finds verified kernels, keeps them, and models opened later use them', async () => {
    const { tasks } = modelTasks(mlp(), gpu.facts)
    const store = new TuningStore(filePlace(join(folder, 'tuning.json')))
    const heard: string[] = []
    const before = reasonsOn(gpu)
    expect(before.every((reason) => !reason.startsWith('tuned'))).toBe(true)
    const result = await autotune(gpu, tasks, {
      budgetMs: 9000,
      samples: 2,
      onProgress: ({ phase, index, total }) => heard.push(`${phase} ${index}/${total}`),
      onTuned: (entry) => store.add([entry]),
    })
    expect(result.untuned).toEqual([])
    expect(result.complete).toBe(true)
    expect(result.tuned.flatMap(({ layers }) => layers).toSorted()).toEqual(['fc1', 'fc2'])
    for (const { tried, after, before: default_, candidates } of result.tuned) {
      expect(candidates).toBeGreaterThan(1)
      const ran = tried.filter(({ time_ms }) => time_ms !== undefined)
      expect(ran[0]?.config).toEqual(default_.config)
      expect(after.time_ms).toBeLessThanOrEqual(default_.time_ms)
      for (const { checked, fault, time_ms } of ran) {
        expect(fault).toBeUndefined()
        expect(time_ms).toBeGreaterThan(0)
        expect(checked?.elements).toBeGreaterThanOrEqual(24 * 64)
      }
    }
    expect(result.tuned.some(({ tried }) => tried.filter(({ time_ms }) => time_ms !== undefined).length > 1)).toBe(true)
    expect(heard).toContain('measure 1/2')
    expect(gpu.memory.liveBytes).toBe(0)
    expect(reasonsOn(gpu).every((reason) => reason.startsWith('tuned: '))).toBe(true)

    const again = await openGpu({ adapter: ADAPTER, tuning: store })
    try {
      expect(reasonsOn(again).every((reason) => reason.startsWith('tuned: '))).toBe(true)
      expect(Object.fromEntries(again.tuned)).toEqual(Object.fromEntries(gpu.tuned))
      using model = await compile(again, mlp())
      const { y } = await model.run({ x: seededInput(1, 'x', [24, 64]) })
      expect((await y?.data())?.length).toBe(24 * 64)
    } finally {
      again.dispose()
    }
  })

  it('a kernel that is wrong, throws or is refused is out, with why, and the others go on', async () => {
    const task = bareTask('gemm:24x64x96')
    if (task === undefined) throw new Error('no product')
    const honest = familyNamed('broadcast', 'test')
    const real: Config = honest.candidates(bareProduct('gemm:24x64x96'), gpu.facts)[0] ?? { kernel: 'broadcast' }
    const fake = (name: string, plan: Family['plan']): Family => ({
      ...honest,
      name,
      schema: honest.schema,
      candidates: () => [{ ...real, kernel: name }],
      plan,
    })
    const planned: Family['plan'] = (product, _, facts) => honest.plan(product, real, facts)
    const families = FAMILIES as Map<string, Family>
    const others = [...families].filter(([name]) => name !== 'broadcast')
    const hidden = (family: Family): Family => ({ ...family, candidates: () => [] })
    const fakes = [
      fake('liar', (product, config, facts) => {
        const plan = planned(product, config, facts)
        return { ...plan, dispatches: plan.dispatches.map((one) => ({ ...one, params: { ...one.params, alpha: 1.5 } })) }
      }),
      fake('thrower', () => {
        throw new TypeError('no plan today')
      }),
      fake('refused', (product, config, facts) => {
        const plan = planned(product, config, facts)
        const broken = (body: string): string => `${body}\nfn broken() -> f32 { return 1u; }`
        return {
          ...plan,
          dispatches: plan.dispatches.map((one) => ({ ...one, program: { ...one.program, body: broken(one.program.body) } })),
        }
      }),
    ]
    // What a fake's config becomes elsewhere is what broadcast makes of it.
    const asReal = (family: Family): Family => ({
      ...family,
      mappingOf: (product, _, facts) => honest.mappingOf(product, real, facts),
      accesses: (product, _, facts) => honest.accesses(product, real, facts),
    })
    const estimated = (family: Family): Family => {
      let calls = 0
      // The estimate plans too: only what the tuner itself plans is to fail.
      return { ...family, plan: (...given) => (calls++ === 0 ? planned(...given) : family.plan(...given)) }
    }
    try {
      families.set('broadcast', { ...honest, candidates: () => [real] })
      for (const [name, family] of others) families.set(name, hidden(family))
      for (const family of fakes) families.set(family.name, estimated(asReal(family)))
      const result = await autotune(gpu, [task], { budgetMs: 30_000, samples: 1 })
      const faults = Object.fromEntries(result.tuned[0]?.tried.map(({ config, fault }) => [nameOfKernel(config), fault]) ?? [])
      expect(faults['liar']).toMatch(/^wrong: row 0, column \d+ is .*, not/)
      expect(faults['thrower']).toBe('TypeError: no plan today')
      expect(faults['refused']).toMatch(/^DeviceValidationError/)
      expect(JSON.stringify(result.tuned[0]?.after.config)).not.toMatch(/liar|thrower|refused/)
      expect(result.untuned).toEqual([])
    } finally {
      for (const { name } of fakes) families.delete(name)
      for (const [name, family] of others) families.set(name, family)
      families.set('broadcast', honest)
    }
  })

  it('a stop before anything was measured is the stop; without time the default is measured all the same', async () => {
    const task = bareTask('gemm:24x64x96')
    if (task === undefined) throw new Error('no product')
    await expect(autotune(gpu, [task], { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
    const { tuned, entries } = await autotune(gpu, [task], { budgetMs: 0 })
    expect(entries).toEqual([])
    expect(tuned[0]?.after).toEqual({ config: tuned[0]?.before.config, time_ms: tuned[0]?.before.time_ms })
    await expect(autotune(gpu, [task], { budgetMs: NaN })).rejects.toThrow(/budget/)
  })

  it('a product that does not fit is named before anything is measured', async () => {
    const task = bareTask('gemm:99999999x99999999x9')
    if (task === undefined) throw new Error('no product')
    const heard: string[] = []
    const result = await autotune(gpu, [task], { onProgress: ({ phase }) => heard.push(phase) })
    expect(result.untuned.map(({ layers }) => layers)).toEqual([['gemm:99999999x99999999x9']])
    expect(result.untuned[0]?.reason).toMatch(/^DeviceLimitError: .*\[99999999, 99999999\].*limit 2\^32 elements/)
    expect([result.tuned, result.entries, result.complete, heard]).toEqual([[], [], false, []])
  })

  it('damaged results are told, and the GPU opens without them', async () => {
    const path = join(folder, 'damaged.json')
    writeFileSync(path, '{')
    const warnings: string[] = []
    const opened = await openGpu({
      adapter: ADAPTER,
      tuning: new TuningStore(filePlace(path)),
      onWarning: (text) => warnings.push(text),
    })
    opened.dispose()
    expect(warnings).toEqual([expect.stringMatching(/^Tuned kernels are not used: FileFormatError: .*damaged\.json.*--reset/)])
    expect(readFileSync(path, 'utf8')).toBe('{')
  })
})
