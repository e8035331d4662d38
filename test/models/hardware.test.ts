/** The hardware files: parsed, sourced, of the published sizes and peaks, priced as they say, and usable by evaluate and the mapper. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { ENERGY_SETS, memoryEnergy } from '../../src/cost/energy-sets.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { fanoutOf, type Hardware } from '../../src/schedule/hardware.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import type { Loop, Mapping } from '../../src/schedule/mapping.ts'
import { DATAFLOWS } from '../../src/schedule/dataflow.ts'
import { parseHardware } from '../../src/schedule/parse.ts'
import { DIMENSIONS, OPERANDS, convProblem, extentOf, macsOf, type Dimension, type Problem } from '../../src/schedule/problem.ts'

const PROBLEM = convProblem({ N: 2, M: 24, C: 6, P: 7, Q: 9, R: 3, S: 3, stride: [2, 1], padding: [1, 1, 1, 1] })

function pesOf(hardware: Hardware): number {
  return hardware.levels.reduce((product, _, level) => product * fanoutOf(hardware, level).x * fanoutOf(hardware, level).y, 1)
}

interface Published {
  readonly pes: number
  readonly clock: number
  readonly bits: number
  /** Operations per second as printed, a MAC two of them. */
  readonly peak?: readonly [printed: number, digits: number]
  /** Why 2 · PEs · clock is not the printed figure. */
  readonly why?: string
  /** Bytes of an instance of a level; with the bits of its values, where they are not the hardware's. */
  readonly bytes: Readonly<Record<string, number | readonly [bytes: number, bits: number]>>
  /** Bytes of all instances of all levels that are memories. */
  readonly total?: readonly [levels: readonly string[], bytes: number]
}
const KB = 1024
const MB = 1024 * KB

/** What the papers print; typed from them, not from the files. */
const PUBLISHED: Readonly<Record<string, Published>> = {
  eyeriss: { pes: 168, clock: 200e6, bits: 16, peak: [67.2e9, 3], bytes: { GLB: 108 * KB, RF: 512 } },
  'eyeriss-chip': {
    pes: 168,
    clock: 200e6,
    bits: 16,
    peak: [67.2e9, 3],
    bytes: { GLB: 100 * KB, FILTERS: 8 * KB, FSPAD: 448, ISPAD: 24, PSPAD: 48 },
    total: [['GLB', 'FILTERS', 'FSPAD', 'ISPAD', 'PSPAD'], 108 * KB + 168 * 520],
  },
  'tpu-v1': {
    pes: 65536,
    clock: 700e6,
    bits: 8,
    peak: [92e12, 2],
    bytes: { UB: 24 * MB, FIFO: 256 * KB, ACC: [4 * MB, 32] },
    total: [['UB'], 24 * MB],
  },
  diannao: {
    pes: 256,
    clock: 0.98e9,
    bits: 16,
    peak: [452e9, 3],
    why: 'the paper prints 452 GOP/s of the key operations, not two for each of the 256 multipliers',
    bytes: { SB: 32 * KB, NBIN: 2 * KB, NBOUT: 2 * KB },
    total: [['SB', 'NBIN', 'NBOUT'], 36 * KB],
  },
  dadiannao: {
    pes: 4096,
    clock: 606e6,
    bits: 16,
    peak: [5.58e12, 3],
    why: 'the paper counts 288 multiplications and 288 additions a tile, of which the 16 × 16 array modelled here has 256',
    bytes: { EDRAM: 4 * MB, SB: 2 * MB },
    total: [['EDRAM', 'SB'], 36 * MB],
  },
  shidiannao: {
    pes: 64,
    clock: 1e9,
    bits: 16,
    peak: [194e9, 3],
    why: 'the paper prints more than two operations for each of 64 PEs; three for each PE and two more would give it',
    bytes: { NBIN: 64 * KB, NBOUT: 64 * KB, SB: 128 * KB },
    total: [['NBIN', 'NBOUT', 'SB'], (288 - 32) * KB],
  },
  'nn-x': { pes: 800, clock: 142e6, bits: 16, peak: [227e9, 3], bytes: {} },
  'ucla-fpga': {
    pes: 448,
    clock: 100e6,
    bits: 32,
    peak: [61.62e9, 4],
    why: 'the paper prints what AlexNet reaches, not the peak of 64 × 7 MACs',
    bytes: { BRAM: 1024 * 18 * 128 },
  },
  eie: { pes: 64, clock: 800e6, bits: 16, peak: [102e9, 3], bytes: { SPMAT: [128 * KB, 8], ACT: 2 * KB } },
  scnn: { pes: 1024, clock: 1e9, bits: 16, peak: [2e12, 1], bytes: { IARAM: 10 * KB, OARAM: 10 * KB, WFIFO: 500 } },
  'nvdla-like': { pes: 2048, clock: 1e9, bits: 8, peak: [4e12, 1], bytes: { CBUF: 512 * KB } },
  'simba-like': {
    pes: 36 * 16 * 64,
    clock: 1.8e9,
    bits: 8,
    peak: [128e12, 3],
    why: 'the package is printed as 128 TOPS, one chiplet as 4: the clocks of the two differ, and 1.8 GHz is the highest of a PE',
    bytes: { GPE: 64 * KB, WBUF: 32 * KB, IBUF: 8 * KB, ABUF: [3 * KB, 24] },
  },
  tetris: { pes: 16 * 196, clock: 500e6, bits: 16, bytes: { GLB: 133032, RF: 512 } },
  'a100-like': {
    pes: 108 * 4 * 256,
    clock: 1.41e9,
    bits: 16,
    peak: [312e12, 3],
    bytes: { L2: 40 * MB, SMEM: 164 * KB, RF: 64 * KB },
    total: [['RF'], 108 * 256 * KB],
  },
  'isaac-like': {
    pes: 168 * 12 * 8 * 128 * 16,
    clock: 1e9 / 1600,
    bits: 16,
    peak: [40.9e12, 3],
    why: 'printed as 479 GOP/s and mm² on 85.4 mm², rounded figures both',
    bytes: { EDRAM: 64 * KB, IR: 2 * KB, OR: 256 },
  },
}

const toDigits = (value: number, digits: number): number => Number(value.toPrecision(digits))

test('sizes, clocks, widths and peaks are the published ones', () => {
  let compared = 0
  const same = (what: string, ours: number | undefined, theirs: number): void => {
    compared++
    expect(`${what}: ${ours}`).toBe(`${what}: ${theirs}`)
  }
  const differing: string[] = []
  for (const [name, { pes, clock, bits, bytes, total, peak, why }] of Object.entries(PUBLISHED)) {
    const hardware = hardwareNamed(name)
    const bytesOf = (level: string, width = hardware.word_bits ?? NaN): number =>
      ((hardware.levels.find((one) => one.name === level)?.words ?? NaN) * width) / 8
    const instances = (level: string): number =>
      hardware.levels
        .slice(
          0,
          hardware.levels.findIndex((one) => one.name === level),
        )
        .reduce((product, _, index) => {
          const { x, y } = fanoutOf(hardware, index)
          return product * x * y
        }, 1)
    same(`${name} PEs`, pesOf(hardware), pes)
    same(`${name} clock`, hardware.clock_hz, clock)
    same(`${name} bits`, hardware.word_bits, bits)
    for (const [level, size] of Object.entries(bytes)) {
      if (typeof size === 'number') same(`${name} ${level}`, bytesOf(level), size)
      else same(`${name} ${level}`, bytesOf(level, size[1]), size[0])
    }
    if (total !== undefined) {
      same(
        `${name} in all`,
        total[0].reduce((sum, level) => sum + bytesOf(level) * instances(level), 0),
        total[1],
      )
    }
    if (peak === undefined) continue
    compared++
    const ours = 2 * pesOf(hardware) * (hardware.clock_hz ?? NaN)
    const isSame = toDigits(ours, peak[1]) === peak[0]
    if (!isSame) differing.push(name)
    console.log(
      `${name}: peak ${(ours / 1e9).toFixed(1)} GOP/s, printed ${peak[0] / 1e9}${isSame ? '' : `; ${why ?? 'no reason known'}`}`,
    )
    expect(ours / peak[0]).toBeGreaterThan(0.6)
    expect(ours / peak[0]).toBeLessThan(1.5)
  }
  console.log(`hardware files: ${compared} published figures compared; peaks that differ: ${differing.join(', ')}`)
  expect(Object.keys(PUBLISHED)).toEqual(HARDWARE_NAMES)
  expect(differing).toEqual(Object.entries(PUBLISHED).flatMap(([name, { why }]) => (why === undefined ? [] : [name])))
})

test('docs/hardware.md: its example is a hardware, its table has every file as it is, its fields are those of the schema', () => {
  const text = readFileSync(new URL('../../docs/hardware.md', import.meta.url), 'utf8')
  const example = /```json\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  const toy = parseHardware(JSON.parse(example))
  expect(pesOf(toy)).toBe(16)
  expect(evaluate(PROBLEM, toy, spreadOut(PROBLEM, toy)).macs).toBe(macsOf(PROBLEM))
  const rows = text.split('\n').filter((line) => /^\| `[a-z0-9-]+` \| [a-z-]+ \| [0-9,]+ \| [0-9]+ \|/.test(line))
  const expected = HARDWARE_NAMES.map((name) => {
    const hardware = hardwareNamed(name)
    const words = hardware.levels.flatMap((level) =>
      (level.words ?? 0) > 0 ? [`${level.name} ${level.words?.toLocaleString('en-US')}`] : [],
    )
    const pes = pesOf(hardware).toLocaleString('en-US')
    return `\`${name}\` | ${hardware.dataflow} | ${pes} | ${hardware.word_bits} | ${words.join(', ')}`
  })
  const cells = rows.map((row) => row.split(' | '))
  expect(cells.map(([name, flow, pes, bits, , words]) => `${name?.slice(2)} | ${flow} | ${pes} | ${bits} | ${words}`)).toEqual(
    expected,
  )
  for (const field of [...Object.keys(toy), ...toy.levels.flatMap((level) => Object.keys(level))]) {
    expect(text).toMatch(new RegExp(`^\\| [^|]*\`${field}\\b`, 'm'))
  }
})

describe.each(HARDWARE_NAMES)('%s', (name) => {
  const hardware = hardwareNamed(name)

  test('names its source, its dataflow, its clock and what it leaves out', () => {
    expect(hardware.name).toBe(name)
    expect(hardware.source).toMatch(/\b(20\d\d|specification)\b/)
    expect(hardware.dataflow).toBeDefined()
    expect(hardware.notes?.length).toBeGreaterThan(0)
    expect(hardware.levels[0]?.words).toBeUndefined()
  })

  test('says of every energy whether it is published or normalised, and the normalised ones follow from the set', () => {
    const { published = [], normalised = [] } = hardware.energies ?? {}
    const named = hardware.levels.filter(({ words }) => words !== 0).map((level) => level.name)
    expect([...published, ...normalised].toSorted()).toEqual(['mac', 'network', ...named].toSorted())
    const set = ENERGY_SETS['eyeriss-normalised']
    for (const [index, level] of hardware.levels.entries()) {
      if (!normalised.includes(level.name)) continue
      const isInPe = hardware.levels.every((_, at) => at < index || fanoutOf(hardware, at).x * fanoutOf(hardware, at).y === 1)
      if (level.words === undefined) expect(level.energy).toBe(set.dram[0])
      else if (isInPe && level.energy === 1) expect(level.energy).toBe(set.mac)
      else {
        // 8, 16, 24 or 32 bits a word: accumulators and codes are of their own width.
        const energies = [8, 16, 24, 32].map((bits) =>
          Number(memoryEnergy(set, ((level.words ?? 0) * bits) / 8).energy.toPrecision(3)),
        )
        expect(energies).toContain(level.energy)
      }
    }
    if (normalised.includes('mac')) expect([hardware.mac.energy, hardware.network.energy]).toEqual([set.mac, set.array])
  })

  test('takes a mapping by hand', () => {
    const mapping = spreadOut(PROBLEM, hardware)
    const evaluation = evaluate(PROBLEM, hardware, mapping)
    expect(evaluation.macs).toBe(macsOf(PROBLEM))
    expect(evaluation.energy.total).toBeGreaterThan(evaluation.macs * hardware.mac.energy)
    expect(evaluation.cycles).toBeGreaterThanOrEqual(macsOf(PROBLEM) / pesOf(hardware))
    for (const operand of OPERANDS) {
      const least = operand === 'outputs' ? 'updates' : 'reads'
      expect(evaluation.accesses.DRAM?.[operand][least]).toBeGreaterThan(0)
    }
  })

  test('is mapped, under its dataflow where that is one of ours', () => {
    const dataflow = hardware.dataflow !== undefined && Object.hasOwn(DATAFLOWS, hardware.dataflow) ? hardware.dataflow : 'none'
    const { evaluation, searched } = mapProblem(PROBLEM, { hardware, dataflow, budget: 300 })
    expect(searched.seen).toBeGreaterThan(0)
    expect(evaluation.macs).toBe(macsOf(PROBLEM))
  })
})

/** Filters and channels over every fan-out as far as they go, all other loops at the outermost level, each level keeping what it holds. */
function spreadOut(problem: Problem, hardware: Hardware): Mapping {
  const left = new Map<Dimension, number>(DIMENSIONS.map((name) => [name, extentOf(problem, name)]))
  const take = (name: Dimension, room: number): Loop[] => {
    const count = Math.min(left.get(name) ?? 1, room)
    left.set(name, Math.ceil((left.get(name) ?? 1) / count))
    return count > 1 ? [[name, count]] : []
  }
  const spatial = hardware.levels.map((_, level) => {
    const { x, y } = fanoutOf(hardware, level)
    return { x: take('M', x), y: take('C', y) }
  })
  const temporal = [...left].flatMap(([name, count]): Loop[] => (count > 1 ? [[name, count]] : []))
  return {
    levels: hardware.levels.map(({ name, holds, words }, level) => ({
      name,
      temporal: level === 0 ? temporal : [],
      spatial: spatial[level] ?? {},
      ...(level === 0 ? {} : { keep: words === 0 ? [] : (holds ?? OPERANDS) }),
    })),
  }
}
