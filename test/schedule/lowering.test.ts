/** The nest, the emitter and the prediction, without a GPU. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MappingError } from '../../src/errors.ts'
import type { DeviceFacts } from '../../src/gpu/program.ts'
import { DATAFLOW_NAMES, DATAFLOWS, dataflowNamed } from '../../src/schedule/dataflow.ts'
import { mapForGpu } from '../../src/schedule/gpu-mapping.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import { predictIssued } from '../../src/schedule/lowering/issued.ts'
import { lower } from '../../src/schedule/lowering/lower.ts'
import { nestOf } from '../../src/schedule/lowering/nest.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem, macsOf } from '../../src/schedule/problem.ts'
import { readCounters } from '../../src/schedule/lowering/counters.ts'

const FACTS: DeviceFacts = {
  adapter: 'test',
  features: new Set(['subgroups']),
  language: new Set(),
  limits: {
    maxBufferSize: 2 ** 32 - 4,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 32768,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  },
  subgroups: { min: 8, max: 8, linear: true },
  software: true,
}
const HARDWARE: Hardware = {
  name: 'a workgroup',
  array: { x: 16, y: 16 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', words: 8192, energy: 6 },
    { name: 'RF', words: 64, energy: 1 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}
const F32 = { x: { dtype: 'f32', shape: [] }, w: { dtype: 'f32', shape: [] } } as const
const PROBLEM = convProblem({ M: 16, C: 8, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1] })
const INPUT = { rows: 13, columns: 13 }

describe('emitted kernels', () => {
  for (const name of DATAFLOW_NAMES) {
    for (const build of ['fast', 'counted'] as const) {
      test(`${name}, ${build}`, () => {
        const { mapping } = mapForGpu(PROBLEM, DATAFLOWS[name], HARDWARE, FACTS, INPUT)
        const { plan } = lower(PROBLEM, mapping, FACTS, build, F32, INPUT)
        const body = plan.dispatches.at(-1)?.program.body ?? ''
        expect(body.slice(body.indexOf('@compute'))).toMatchSnapshot()
      })
    }
  }

  test('touch operands through accessors alone', () => {
    const folder = new URL('../../shaders/dataflow/', import.meta.url)
    const bodies = readdirSync(folder).filter((file) => !file.startsWith('access_'))
    expect(bodies.length).toBeGreaterThan(3)
    const texts = bodies.map((file) => readFileSync(new URL(file, folder), 'utf8'))
    for (const name of DATAFLOW_NAMES) {
      const { mapping } = mapForGpu(PROBLEM, DATAFLOWS[name], HARDWARE, FACTS, INPUT)
      const body = lower(PROBLEM, mapping, FACTS, 'counted', F32, INPUT).plan.dispatches.at(-1)?.program.body ?? ''
      texts.push(body.slice(body.indexOf('@compute')))
    }
    for (const text of texts) {
      // The accessors' own memory: storage operands w, x, y, counts, and the buffer `glb`.
      expect(text).not.toMatch(/\b(w|x|y|counts)_\d+\[/)
      expect(text).not.toMatch(/\b(load|store)_[wxy]\(/)
      expect(text).not.toMatch(/\bglb\[/)
    }
  })

  test('layers with the same form of nest share a program', () => {
    const other = convProblem({ M: 24, C: 16, P: 26, Q: 26, R: 3, S: 3, padding: [1, 1, 1, 1] })
    const mapping = (trips: number, tiles: number): Mapping => ({
      levels: [
        {
          name: 'DRAM',
          temporal: [['C', trips]],
          spatial: {
            x: [
              ['M', tiles],
              ['P', 13 * (tiles / 4)],
              ['Q', 13 * (tiles / 4)],
            ],
          },
        },
        {
          name: 'GLB',
          temporal: [
            ['R', 3],
            ['S', 3],
          ],
          spatial: { x: [['M', 8]], y: [['C', 4]] },
          keep: ['inputs', 'outputs'],
        },
        { name: 'RF', temporal: [], keep: ['weights'] },
      ],
    })
    const a = lower(PROBLEM, mapping(2, 4), FACTS, 'fast', F32, INPUT).plan.dispatches[0]?.program
    const b = lower(other, mapping(4, 8), FACTS, 'fast', F32, { rows: 26, columns: 26 }).plan.dispatches[0]?.program
    expect(b).toEqual(a)
  })
})

describe('the nest refuses', () => {
  const whole: Mapping['levels'][0]['temporal'] = [
    ['M', 16],
    ['C', 8],
    ['P', 13],
    ['Q', 13],
    ['R', 3],
    ['S', 3],
  ]
  const level = (name: string, rest: Partial<Mapping['levels'][0]> = {}): Mapping['levels'][0] => ({ name, temporal: [], ...rest })

  test.each<[string, Mapping, RegExp]>([
    ['two levels', { levels: [level('DRAM', { temporal: whole }), level('RF')] }, /3 levels/],
    [
      'bounds that leave points out',
      { levels: [level('DRAM', { temporal: [['M', 15]] }), level('GLB'), level('RF')] },
      /multiply to 15/,
    ],
    [
      'sums over workgroups',
      { levels: [level('DRAM', { temporal: whole.slice(0, 1), spatial: { x: whole.slice(1) } }), level('GLB'), level('RF')] },
      /C is summed over/,
    ],
    [
      'a split below registers',
      { levels: [level('DRAM', { temporal: whole }), level('GLB'), level('RF', { spatial: { x: [['M', 2]] } })] },
      /no spatial split/,
    ],
  ])('%s', (_, mapping, message) => {
    expect(() => nestOf(PROBLEM, mapping)).toThrow(MappingError)
    expect(() => nestOf(PROBLEM, mapping)).toThrow(message)
  })

  test('tiles beyond workgroup memory, naming words needed and there', () => {
    const mapping: Mapping = {
      levels: [
        level('DRAM'),
        level('GLB', {
          temporal: [
            ['M', 64],
            ['C', 512],
            ['P', 1],
            ['Q', 1],
          ],
        }),
        level('RF'),
      ],
    }
    const problem = convProblem({ M: 64, C: 512 })
    expect(() => lower(problem, mapping, FACTS, 'fast', F32, { rows: 1, columns: 1 })).toThrow(
      /words_needed 33344; words_there 8176/,
    )
  })

  test('forwarding where lanes do not divide a subgroup', () => {
    const mapping: Mapping = {
      levels: [
        level('DRAM', {
          temporal: [
            ['M', 16],
            ['P', 13],
          ],
        }),
        level('GLB', {
          temporal: [
            ['C', 8],
            ['R', 3],
            ['S', 3],
          ],
          spatial: { x: [['Q', 13]] },
          forward: { inputs: 'x' },
          keep: ['weights', 'inputs'],
        }),
        level('RF', { keep: ['outputs'] }),
      ],
    }
    expect(() => lower(PROBLEM, mapping, FACTS, 'fast', F32, INPUT)).toThrow(/do not divide a subgroup/)
  })
})

describe('issued accesses by hand', () => {
  test('weight stationary: weights once, outputs read-modify-written, Y−1 hops a result', () => {
    // 4 filters × 2 channels on the lanes; 3×3 outputs; no halo (1×1 filter).
    const problem = convProblem({ M: 4, C: 4, P: 3, Q: 3 })
    const mapping: Mapping = {
      levels: [
        { name: 'DRAM', temporal: [['C', 2]] },
        {
          name: 'GLB',
          temporal: [
            ['P', 3],
            ['Q', 3],
          ],
          spatial: { x: [['M', 4]], y: [['C', 2]] },
          keep: ['inputs', 'outputs'],
        },
        { name: 'RF', temporal: [], keep: ['weights'] },
      ],
    }
    const issued = predictIssued(nestOf(problem, mapping), { rows: 3, columns: 3 })
    expect(issued.macs).toBe(macsOf(problem))
    expect(issued.storage).toEqual({
      weights: { loads: 16, stores: 0 },
      inputs: { loads: 36, stores: 0 },
      outputs: { loads: 0, stores: 36 },
    })
    expect(issued.workgroup).toEqual({
      weights: { loads: 0, stores: 0 },
      inputs: { loads: 144, stores: 36 },
      // 72 partial sums arrive; the first 36 are stored, the others added; 36 words leave at the end.
      outputs: { loads: 36 + 36, stores: 72 },
    })
    expect(issued.hops).toEqual({ weights: 0, inputs: 0, outputs: 72 })
  })
})

test('dataflows by name, either spelling', () => {
  expect(dataflowNamed('OS_A').name).toBe('os-a')
  expect(() => dataflowNamed('bogus')).toThrow(/ws, os-a, os-b, os-c, is, nlr, rs/)
})

test('counters are 64-bit pairs', () => {
  const words = new Uint32Array(26)
  words[0] = 5
  words[1] = 2
  expect(readCounters(words).macs).toBe(2 * 2 ** 32 + 5)
  expect(() => readCounters(new Uint32Array(3))).toThrow(RangeError)
})
