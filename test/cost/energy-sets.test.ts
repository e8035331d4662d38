/** Our energies against the published tables, figure by figure; what follows from them; the survey's own checks. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { hardwareNamed } from '../../models/hardware/index.ts'
import {
  ENERGY_SETS,
  energySetNamed,
  memoryEnergy,
  operationEnergy,
  withEnergies,
  type EnergySet,
} from '../../src/cost/energy-sets.ts'
import { OptionError } from '../../src/errors.ts'

const FILE = fileURLToPath(new URL('../../../shared/truth/energy_tables.json', import.meta.url))
const isThere = existsSync(FILE)
if (!isThere) console.log('skipped: the published energies are expected in ../shared/truth')

/** Every number of a JSON value with its path. */
function numbersOf(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, part]) => numbersOf(part, path === '' ? key : `${path}.${key}`))
}

const horowitz: EnergySet = ENERGY_SETS['horowitz-45nm']
const eyeriss: EnergySet = ENERGY_SETS['eyeriss-normalised']

function at(set: EnergySet, index: number): number | undefined {
  return set.memories?.[index]?.energy
}

function ours(): Record<string, number | undefined> {
  const jssc: EnergySet = ENERGY_SETS['eyeriss-jssc']
  const tetris: EnergySet = ENERGY_SETS['tetris-asplos17']
  const zigzag: EnergySet = ENERGY_SETS['zigzag-eyeriss-rf']
  const ratio = (kind: 'int_add' | 'int_mult' | 'fp_add' | 'fp_mult', bits: number, over: 'int_add' | 'int_mult'): number =>
    Number((operationEnergy(horowitz, kind, bits).energy / operationEnergy(horowitz, over, 8).energy).toFixed(1))
  const list: Record<string, number | undefined> = {
    'normalised_eyeriss.MAC': eyeriss.mac,
    'normalised_eyeriss.RF_0.5kB': memoryEnergy(eyeriss, 512).energy,
    'normalised_eyeriss.inter_PE_array_2mm': eyeriss.array,
    'normalised_eyeriss.GLB_100to500kB': memoryEnergy(eyeriss, 300 * 1024).energy,
    'normalised_eyeriss.DRAM': eyeriss.dram?.[0],
    'eyeriss_jssc_pJ_per_16b.MAC': jssc.mac,
    'eyeriss_jssc_pJ_per_16b.RF': at(jssc, 0),
    'eyeriss_jssc_pJ_per_16b.array': jssc.array,
    'eyeriss_jssc_pJ_per_16b.GLB': at(jssc, 1),
    'eyeriss_jssc_pJ_per_16b.DRAM': jssc.dram?.[0],
    'eyeriss_jssc_pJ_per_16b.idle_mW': (jssc.idleWatts ?? 0) * 1000,
    'tetris_asplos17_pJ_per_16b.MAC': tetris.mac,
    'tetris_asplos17_pJ_per_16b.RF': at(tetris, 0),
    'tetris_asplos17_pJ_per_16b.array': tetris.array,
    'tetris_asplos17_pJ_per_16b.GLB_576kB': memoryEnergy(tetris, 576 * 1024).energy,
    'tetris_asplos17_pJ_per_16b.DRAM': tetris.dram?.[0],
    'horowitz_isscc14_45nm_0.9V_pJ.cache_64b_access.8KB': memoryEnergy(horowitz, 8192).energy,
    'horowitz_isscc14_45nm_0.9V_pJ.cache_64b_access.32KB': memoryEnergy(horowitz, 32768).energy,
    'horowitz_isscc14_45nm_0.9V_pJ.cache_64b_access.1MB': memoryEnergy(horowitz, 2 ** 20).energy,
    'horowitz_isscc14_45nm_0.9V_pJ.DRAM_64b.0': horowitz.dram?.[0],
    'horowitz_isscc14_45nm_0.9V_pJ.DRAM_64b.1': horowitz.dram?.[1],
    'horowitz_isscc14_45nm_0.9V_pJ.instruction_overhead': horowitz.instruction,
    'horowitz_isscc14_45nm_0.9V_pJ.checks_in_survey.int8_add_vs_int32_add': ratio('int_add', 32, 'int_add'),
    'horowitz_isscc14_45nm_0.9V_pJ.checks_in_survey.int8_add_vs_fp32_add': ratio('fp_add', 32, 'int_add'),
    'horowitz_isscc14_45nm_0.9V_pJ.checks_in_survey.int8_mult_vs_int32_mult': ratio('int_mult', 32, 'int_mult'),
    'horowitz_isscc14_45nm_0.9V_pJ.checks_in_survey.int8_mult_vs_fp32_mult': ratio('fp_mult', 32, 'int_mult'),
    'maestro_multipliers.L1': energySetNamed('maestro-l1').l1,
    'zigzag_eyeriss_like_yaml.rf_16B.r': at(zigzag, 0),
    'zigzag_eyeriss_like_yaml.rf_16B.w': zigzag.memories?.[0]?.writeEnergy,
    'zigzag_eyeriss_like_yaml.rf_64B.r': at(zigzag, 1),
    'zigzag_eyeriss_like_yaml.rf_64B.w': zigzag.memories?.[1]?.writeEnergy,
  }
  for (const kind of ['int_add', 'int_mult', 'fp_add', 'fp_mult'] as const) {
    for (const bits of [8, 16, 32]) {
      const value = horowitz.operations?.[kind][bits]
      if (value !== undefined) list[`horowitz_isscc14_45nm_0.9V_pJ.${kind}.${bits}`] = value
    }
  }
  return list
}

test.skipIf(!isThere)('every published figure is ours, and none is ours alone', () => {
  const theirs = numbersOf(z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(FILE, 'utf8'))))
  const mine = ours()
  console.log(`energy_tables.json: ${theirs.length} figures compared`)
  expect(theirs.length).toBeGreaterThan(30)
  expect(Object.fromEntries(theirs)).toEqual(mine)
})

describe('what follows from the figures', () => {
  test('a memory between two sizes lies on the power law through them, beyond them on its extension', () => {
    const between = memoryEnergy(horowitz, 16 * 1024)
    expect(between.energy).toBeCloseTo(10 * Math.SQRT2, 9)
    expect(between.how).toBe('interpolated')
    const below = memoryEnergy(horowitz, 512)
    expect(below.energy).toBeCloseTo(2.5, 9)
    expect(below.how).toBe('extrapolated')
    expect(memoryEnergy(horowitz, 2 ** 22).energy).toBeCloseTo(100 * 4 ** (Math.log(5) / Math.log(32)), 9)
    expect(memoryEnergy(eyeriss, 2 ** 20).energy).toBeGreaterThan(6)
    expect(memoryEnergy(eyeriss, 200 * 1024)).toEqual({ energy: 6, how: 'published' })
    expect(() => memoryEnergy(energySetNamed('maestro-l1'), 512)).toThrow(OptionError)
  })

  test('a 16-bit integer multiplication lies between those of 8 and of 32 bits', () => {
    const sixteen = operationEnergy(horowitz, 'int_mult', 16)
    expect(sixteen.energy).toBeCloseTo(Math.sqrt(0.2 * 3.1), 9)
    expect(sixteen.how).toBe('interpolated')
    expect(operationEnergy(horowitz, 'int_mult', 8).how).toBe('published')
  })
})

describe('a hardware with other energies', () => {
  const hardware = hardwareNamed('eyeriss')

  test('its own set gives its own figures', () => {
    const same = withEnergies(hardware, 'eyeriss-normalised')
    expect(same.levels.map(({ energy }) => energy)).toEqual(hardware.levels.map(({ energy }) => energy))
    expect([same.network.energy, same.mac.energy]).toEqual([2, 1])
    expect(same.energies?.published).toEqual(['mac', 'DRAM', 'GLB', 'RF', 'network'])
  })

  test('picojoules of 45 nm, for 16 bits of the 64 that the source gives; what is worked out is named', () => {
    const other = withEnergies(hardware, 'horowitz-45nm')
    expect(other.levels[0]?.energy).toBe(325)
    expect(withEnergies(hardware, 'horowitz-45nm', { dram: 'high' }).levels[0]?.energy).toBe(650)
    expect(other.levels[2]?.energy).toBeCloseTo(2.5 / 4, 9)
    expect(other.mac.energy).toBeCloseTo(0.05 + Math.sqrt(0.2 * 3.1), 9)
    expect(withEnergies(hardware, 'horowitz-45nm', { numbers: 'fp' }).mac.energy).toBeCloseTo(1.5, 9)
    expect(other.energy_unit).toBe('pJ')
    expect(other.energies).toEqual({ published: ['DRAM'], normalised: ['mac', 'GLB', 'RF', 'network'] })
    expect(other.notes?.join('\n')).toContain('GLB: interpolated')
  })

  test('sets of figures only, unknown sets and hardware without a word width are refused', () => {
    expect(() => withEnergies(hardware, 'maestro-l1')).toThrow(/no whole price list/)
    expect(() => withEnergies(hardware, 'zigzag-eyeriss-rf')).toThrow(OptionError)
    expect(() => withEnergies(hardware, 'joules')).toThrow(/horowitz-45nm/)
    const { word_bits: _, ...widthless } = hardware
    expect(() => withEnergies(widthless, 'horowitz-45nm')).toThrow(/word_bits/)
  })
})
