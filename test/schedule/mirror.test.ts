/** Any hardware as a workgroup, any mapping as one that a workgroup runs: without a GPU. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError } from '../../src/errors.ts'
import type { DeviceFacts } from '../../src/gpu/program.ts'
import { checkMapping } from '../../src/schedule/check.ts'
import { DATAFLOW_NAMES, DATAFLOWS } from '../../src/schedule/dataflow.ts'
import { mapForGpu } from '../../src/schedule/gpu-mapping.ts'
import { fanoutOf, type Hardware } from '../../src/schedule/hardware.ts'
import { bufferWords, lower, registerWords } from '../../src/schedule/lowering/lower.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { mirrorMapping } from '../../src/schedule/mirror.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import { cases } from '../cost/random.ts'
import { fitWorkgroup } from '../../src/schedule/workgroup.ts'

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
const F32 = { x: { dtype: 'f32', shape: [] }, w: { dtype: 'f32', shape: [] } } as const
const PROBLEM = convProblem({ M: 24, C: 12, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1] })
const INPUT = { rows: 13, columns: 13 }

/** Two chips of four clusters of 8×8 lanes, with a store for each operand in a cluster and two in each lane. */
const DEEP: Hardware = {
  name: 'deep',
  array: { x: 2, y: 1 },
  levels: [
    { name: 'DRAM', energy: 200, fanout: { x: 2, y: 1 } },
    { name: 'L2', words: 4000, energy: 20, fanout: { x: 4, y: 1 } },
    { name: 'WBUF', words: 600, energy: 5, holds: ['weights'] },
    { name: 'ABUF', words: 1000, energy: 6, holds: ['inputs', 'outputs'], double_buffered: true, fanout: { x: 8, y: 8 } },
    { name: 'ACC', words: 20, energy: 1, holds: ['outputs'] },
    { name: 'MACS', words: 6, energy: 0.5 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}

describe('hardware folded to a workgroup', () => {
  test('levels above the array are the buffer, those below it the registers', () => {
    const { hardware, array, notes } = fitWorkgroup(DEEP, FACTS)
    expect(array).toBe(3)
    expect(hardware.levels.map(({ name, words }) => [name, words])).toEqual([
      ['DRAM', undefined],
      // A fourth of L2, all of WBUF, half of the double buffer.
      ['L2+WBUF+ABUF', 1000 + 600 + 500],
      // Two of MACS in a PE.
      ['ACC+MACS', 20 + 2 * 6],
    ])
    expect(fanoutOf(hardware, 1)).toEqual({ x: 8, y: 8 })
    expect(hardware.levels[0]?.multicast).toBe(false)
    expect(hardware.levels[1]?.energy).toBe(20)
    expect(notes.join('; ')).toMatch(/L2, WBUF, ABUF merged into workgroup memory.*ACC, MACS merged into registers/)
    expect(notes.join('; ')).toMatch(/fan-out of 2×1 below DRAM becomes workgroups.*fan-out of 4×1 below L2 becomes workgroups/)
    expect(notes.at(-1)).toBe('modelled: array of 8×8, L2+WBUF+ABUF of 2100 words, ACC+MACS of 32')
  })

  test('an array wider than a workgroup, and one in one row', () => {
    const wide = (x: number, y: number): string[] => [
      ...fitWorkgroup({ ...hardwareNamed('eyeriss'), array: { x, y } }, FACTS).notes,
    ]
    expect(wide(256, 256)).toContain('array of 256×256 shrunk to 16×16: a workgroup has 256 invocations')
    expect(wide(1024, 1)).toContain('array of 1024×1 shrunk to 256×1: a workgroup has 256 invocations')
    expect(wide(64, 7)).toContain('array of 64×7 shrunk to 36×7: a workgroup has 256 invocations')
    expect(wide(14, 12).join()).not.toContain('array of 14×12 shrunk')
  })

  test('every named hardware takes a dataflow; what it refuses, it refuses by name', () => {
    expect(HARDWARE_NAMES.length).toBeGreaterThan(0)
    for (const name of HARDWARE_NAMES) {
      const hardware = hardwareNamed(name)
      const taken = DATAFLOW_NAMES.filter((flow) => {
        try {
          const found = mapForGpu(PROBLEM, DATAFLOWS[flow], hardware, FACTS, INPUT, { budget: 40 })
          checkMapping(PROBLEM, found.hardware, found.mapping)
          expect(evaluate(PROBLEM, found.hardware, found.mapping).energy.total, name).toBeGreaterThan(0)
          const { nest } = lower(PROBLEM, found.mapping, FACTS, 'fast', F32, INPUT)
          expect(bufferWords(nest)).toBeLessThanOrEqual(found.hardware.levels[1]?.words ?? 0)
          expect(found.notes.join('; '), name).toMatch(/modelled: array of \d+×\d+/)
          return true
        } catch (error) {
          expect(error, `${name} ${flow}`).toBeInstanceOf(MappingError)
          expect(String(error), `${name} ${flow}`).toMatch(/has no registers for|No mapping of the problem under/)
          return false
        }
      })
      console.log(`${name}: ${taken.join(' ')}`)
      expect(taken.length, name).toBeGreaterThan(0)
    }
  })
})

describe('mappings mirrored', () => {
  /** Loops of the mirror reach as far as the problem, and fit. */
  function hold(hardware: Hardware, mapping: Mapping): readonly string[] {
    const mirror = mirrorMapping(PROBLEM, hardware, mapping, FACTS)
    expect(mirror.mapping.levels.length).toBe(3)
    checkMapping(PROBLEM, mirror.hardware, mirror.mapping)
    const { nest, plan } = lower(PROBLEM, mirror.mapping, FACTS, 'fast', F32, INPUT)
    expect(registerWords(nest)).toBeLessThanOrEqual(64)
    expect(plan.dispatches[0]?.program.workgroupSize[0]).toBeLessThanOrEqual(256)
    return mirror.notes
  }

  test("the mapper's mappings for Eyeriss, 14×12 and 55296 words", () => {
    for (const dataflow of [...DATAFLOW_NAMES, undefined]) {
      const hardware = hardwareNamed('eyeriss')
      const { mapping } = mapProblem(PROBLEM, { hardware, dataflow, budget: 300 })
      const notes = hold(hardware, mapping)
      expect(notes.join('; ')).toMatch(/GLB of 55296 words shrunk to 8176/)
      expect(notes.join('; ')).toMatch(/modelled: array of 14×12/)
      expect(notes.join('; ')).toMatch(/workgroups?/)
    }
  })

  test('random mappings of one to four levels', () => {
    let merged = 0
    fc.assert(
      fc.property(cases, ({ problem, hardware, mapping }) => {
        const mirror = mirrorMapping(problem, hardware, mapping, FACTS)
        checkMapping(problem, mirror.hardware, mirror.mapping)
        const { plan } = lower(problem, mirror.mapping, FACTS, 'counted', F32, INPUT)
        expect(plan.dispatches.at(-1)?.program.workgroupSize[0]).toBeLessThanOrEqual(256)
        if (mirror.notes.some((note) => note.includes('merged'))) merged++
      }),
      { numRuns: 300, seed: 3 },
    )
    expect(merged).toBeGreaterThan(10)
  })

  test('levels without end: splits above the array go to workgroups, below it into time', () => {
    const mapping: Mapping = {
      levels: [
        { name: 'DRAM', temporal: [['P', 13]], spatial: { x: [['M', 2]] } },
        { name: 'L2', temporal: [['C', 3]], spatial: { x: [['C', 2]], y: [['M', 2]] }, keep: ['inputs'] },
        { name: 'WBUF', temporal: [['R', 3]], keep: ['weights'] },
        { name: 'ABUF', temporal: [], spatial: { x: [['Q', 7]], y: [['M', 6]] }, keep: ['inputs', 'outputs'] },
        { name: 'ACC', temporal: [['Q', 2]], keep: ['outputs'] },
        { name: 'MACS', temporal: [['C', 2], ['S', 3]], keep: ['weights'] },
      ],
    } // prettier-ignore
    const mirror = mirrorMapping(PROBLEM, DEEP, mapping, FACTS)
    expect(mirror.mapping.levels).toEqual([
      { name: 'DRAM', temporal: [['P', 13]], spatial: { x: [['M', 2], ['M', 2]] } },
      {
        name: 'L2+WBUF+ABUF',
        temporal: [['C', 3], ['C', 2], ['R', 3]],
        spatial: { x: [['Q', 7]], y: [['M', 6]] },
        keep: ['weights', 'inputs', 'outputs'],
      },
      { name: 'ACC+MACS', temporal: [['Q', 2], ['C', 2], ['S', 3]], keep: ['weights', 'outputs'] },
    ]) // prettier-ignore
    expect(mirror.notes).toContain('M 2 side by side below DRAM: over workgroups')
    expect(mirror.notes).toContain('C 2 side by side below L2: one after another')
    hold(DEEP, mapping)
  })

  test('lanes beyond a workgroup run in steps, tiles beyond its memory in tiles', () => {
    const hardware: Hardware = { ...hardwareNamed('eyeriss'), array: { x: 32, y: 32 } }
    const mapping: Mapping = {
      levels: [
        { name: 'DRAM', temporal: [] },
        {
          name: 'GLB',
          temporal: [['C', 12], ['P', 13], ['R', 3], ['S', 3]],
          spatial: { x: [['M', 24]], y: [['Q', 13]] },
        },
        { name: 'RF', temporal: [], keep: ['outputs'] },
      ],
    } // prettier-ignore
    const mirror = mirrorMapping(PROBLEM, hardware, mapping, FACTS)
    expect(mirror.notes).toContain('M 24 over x: 2 steps of 12, as a workgroup has fewer lanes')
    // 2592 weights, 2700 inputs and 4056 outputs are more than 8176 words: half of the channels at a time.
    expect(mirror.notes).toContain('C 12 of buffer: 2 tiles of 6, to fit workgroup memory')
    expect(mirror.mapping.levels[0]).toMatchObject({ temporal: [['C', 2]] })
    expect(mirror.mapping.levels[1]?.temporal).toEqual([['C', 6], ['P', 13], ['R', 3], ['S', 3], ['M', 2]]) // prettier-ignore
    expect(mirror.notes).toContain('one workgroup runs all of it')
  })

  test('windows in registers, groups, what forwards, what is not legal', () => {
    const problem = convProblem({ groups: 2, M: 4, C: 2, P: 5, Q: 6, R: 3, S: 3 })
    const hardware = hardwareNamed('eyeriss')
    const mapping: Mapping = {
      levels: [
        { name: 'DRAM', temporal: [['P', 5]] },
        { name: 'GLB', temporal: [['C', 2], ['G', 2]], spatial: { x: [['M', 4]], y: [['R', 3]] }, forward: { inputs: 'x', weights: 'y' } },
        { name: 'RF', temporal: [['Q', 6], ['S', 3]] },
      ],
    } // prettier-ignore
    const mirror = mirrorMapping(problem, hardware, mapping, FACTS)
    expect(mirror.notes).toContain('G 2 moved to workgroups: groups share no words')
    expect(mirror.notes).toContain("Q moved from registers to the buffer's loops: an invocation holds a window of S")
    expect(mirror.notes).toContain('weights not forwarded along y: kernels hand on inputs along x alone')
    expect(mirror.notes.join('; ')).toMatch(/inputs not forwarded: Inputs are forwarded only from the buffer/)
    lower(problem, mirror.mapping, FACTS, 'counted', F32, { rows: 7, columns: 8 })
    expect(() => mirrorMapping(convProblem({ M: 3 }), hardware, { levels: [] }, FACTS)).toThrow(MappingError)
  })
})
