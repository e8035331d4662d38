/** Problems, hardware and mappings from JSON: defaults, and refusals that name the field. */
import { describe, expect, test } from 'vitest'
import { HARDWARE_NAMES, gpuHardware, hardwareNamed } from '../../models/hardware/index.ts'
import { MappingError, OptionError, ShapeError } from '../../src/errors.ts'
import { parseEvaluationFile, parseHardware, parseMapping, parseProblem } from '../../src/schedule/parse.ts'
import { convProblem } from '../../src/schedule/problem.ts'

const problem = { N: 1, M: 64, C: 64, P: 56, Q: 56, R: 3, S: 3, padding: [1, 1, 1, 1] }
const hardware = { name: 'h', levels: [{ name: 'DRAM', energy: 200 }], mac: { energy: 1 } }
const mapping = {
  levels: [{ name: 'DRAM', temporal: [['M', 4]], spatial: { x: [['P', 2]] }, keep: ['inputs'], forward: { inputs: 'x' } }],
}

describe('what passes', () => {
  test('a problem with its defaults', () => {
    expect(parseProblem(problem)).toEqual(convProblem({ ...problem, padding: [1, 1, 1, 1] }))
    expect(parseProblem({})).toEqual(convProblem({}))
  })

  test('a hardware, a mapping', () => {
    expect(parseHardware(hardware)).toEqual({ ...hardware, array: { x: 1, y: 1 }, network: { energy: 0 } })
    expect(parseMapping(mapping)).toEqual(mapping)
    expect(parseMapping({ levels: [{ name: 'RF' }] })).toEqual({ levels: [{ name: 'RF', temporal: [] }] })
  })

  test('one file with all three keys, or the levels of a mapping beside the others', () => {
    const whole = parseEvaluationFile({ problem, hardware: 'eyeriss', mapping })
    expect(whole).toEqual({ problem: parseProblem(problem), hardware: 'eyeriss', mapping: parseMapping(mapping) })
    expect(parseEvaluationFile({ problem, hardware, levels: mapping.levels }).mapping).toEqual(parseMapping(mapping))
    expect(parseEvaluationFile({ hardware })).toEqual({ hardware: parseHardware(hardware) })
  })
})

describe('what is refused', () => {
  test.each([
    [{ ...problem, M: 0 }, /problem\.M/],
    [{ ...problem, M: -4 }, /problem\.M/],
    [{ ...problem, M: 1.5 }, /problem\.M/],
    [{ ...problem, M: NaN }, /problem\.M/],
    [{ ...problem, M: Infinity }, /problem\.M/],
    [{ ...problem, M: 1e12 }, /problem\.M/],
    [{ ...problem, M: '64' }, /problem\.M/],
    [{ ...problem, stride: [0, 1] }, /problem\.stride\[0\]/],
    [{ ...problem, padding: [1, 1] }, /problem\.padding/],
    [{ ...problem, padding: [1, 1, -1, 1] }, /problem\.padding\[2\]/],
    [{ ...problem, K: 3 }, /"K"/],
    [{ N: 2 ** 30, M: 2 ** 30 }, /too large to count/],
    [null, /problem:/],
    [[], /problem:/],
  ])('problem %j', (value, message) => {
    expect(() => parseProblem(value)).toThrow(ShapeError)
    expect(() => parseProblem(value)).toThrow(message)
  })

  test.each([
    [{ ...hardware, levels: [] }, /hardware\.levels/],
    [{ ...hardware, levels: [{ name: 'DRAM', energy: -1 }] }, /hardware\.levels\[0\]\.energy/],
    [{ ...hardware, levels: [{ name: 'DRAM', energy: NaN }] }, /hardware\.levels\[0\]\.energy/],
    [{ ...hardware, levels: [{ name: 'DRAM', energy: 1, words: -5 }] }, /hardware\.levels\[0\]\.words/],
    [{ ...hardware, levels: [{ name: 'DRAM', energy: 1, bandwidth: { read: 0 } }] }, /hardware\.levels\[0\]\.bandwidth\.read/],
    [{ ...hardware, levels: [hardware.levels[0], hardware.levels[0]] }, /two levels are called "DRAM"/],
    [{ ...hardware, array: { x: 0, y: 4 } }, /hardware\.array\.x/],
    [{ ...hardware, mac: undefined }, /hardware\.mac/],
  ])('hardware %#', (value, message) => {
    expect(() => parseHardware(value)).toThrow(OptionError)
    expect(() => parseHardware(value)).toThrow(message)
  })

  test.each([
    [{ levels: [{ name: 'RF', temporal: [['K', 4]] }] }, /mapping\.levels\[0\]\.temporal\[0\]\[0\]/],
    [{ levels: [{ name: 'RF', temporal: [['M', -4]] }] }, /mapping\.levels\[0\]\.temporal\[0\]\[1\]/],
    [{ levels: [{ name: 'RF', temporal: [['M', 2 ** 60]] }] }, /mapping\.levels\[0\]\.temporal\[0\]\[1\]/],
    [{ levels: [{ name: 'RF', keep: ['psums'] }] }, /mapping\.levels\[0\]\.keep\[0\]/],
    [{ levels: [{ name: 'RF', forward: { inputs: 'z' } }] }, /mapping\.levels\[0\]\.forward\.inputs/],
    [{ levels: [{ name: 'RF', spatail: {} }] }, /mapping\.levels\[0\].*"spatail"/],
    [{}, /mapping\.levels/],
  ])('mapping %#', (value, message) => {
    expect(() => parseMapping(value)).toThrow(MappingError)
    expect(() => parseMapping(value)).toThrow(message)
  })
})

describe('hardware', () => {
  test('every named hardware parses, an unknown name is refused', () => {
    for (const name of HARDWARE_NAMES) expect(hardwareNamed(name).name).toBe(name)
    expect(hardwareNamed('eyeriss')).toMatchObject({
      array: { x: 14, y: 12 },
      levels: [{ name: 'DRAM' }, { words: 55296 }, { words: 256 }],
    })
    expect(() => hardwareNamed('toString')).toThrow(OptionError)
  })

  test('a GPU from its limits', () => {
    const limits = {
      maxBufferSize: 1,
      maxStorageBufferBindingSize: 1,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 16384,
      maxComputeInvocationsPerWorkgroup: 128,
      maxComputeWorkgroupsPerDimension: 65535,
    }
    const facts = { adapter: 'test', features: new Set<string>(), language: new Set<string>(), limits, software: true }
    const gpu = gpuHardware(facts)
    expect(gpu.array).toEqual({ x: 16, y: 8 })
    expect(gpu.levels.map(({ words }) => words)).toEqual([undefined, 4096 - 16, 64])
    expect(gpu.levels[0]?.multicast).toBe(false)
    expect(parseHardware(gpu)).toEqual(gpu)
    expect(
      gpuHardware({ ...facts, limits: { ...limits, maxComputeInvocationsPerWorkgroup: 1024 }, software: false }).array,
    ).toEqual({ x: 16, y: 16 })
  })
})
