/**
 * Published energies, and how a hardware takes them on. Think of it as a rack of price lists: each figure is as its source prints it,
 * and what a list does not have is worked out from what it has, by a rule that the hardware then says.
 */
import { OptionError } from '../errors.ts'
import { fanoutOf, type Hardware, type StorageLevel } from '../schedule/hardware.ts'

/** Energy of an access to a memory of so many bytes. */
export interface SizePoint {
  readonly bytes: number
  readonly energy: number
  /** Where writes are told apart, `energy` is a read's. */
  readonly writeEnergy?: number
}

/** Energies by operand bits. */
export type ByBits = Readonly<Partial<Record<number, number>>>

export interface EnergySet {
  readonly title: string
  readonly source: string
  /** `MAC`: relative to one MAC of the hardware, whatever its bits. */
  readonly unit: 'MAC' | 'pJ'
  /** Bits that one access of `registers`, `array`, `buffers`, `dram` moves. */
  readonly bits: number
  readonly mac?: number
  readonly operations?: {
    readonly int_add: ByBits
    readonly int_mult: ByBits
    readonly fp_add: ByBits
    readonly fp_mult: ByBits
  }
  /** Register files, buffers and caches, by size. */
  readonly memories?: readonly SizePoint[]
  /** A hop from PE to PE. */
  readonly array?: number
  /** Least and most. */
  readonly dram?: readonly [number, number]
  /** Of an instruction of a processor, beyond its operation. */
  readonly instruction?: number
  readonly idleWatts?: number
  /** An L1 access of a source that names no size. */
  readonly l1?: number
  readonly notes?: readonly string[]
}

const KB = 1024

export const ENERGY_SETS = {
  'eyeriss-normalised': {
    title: 'Eyeriss, normalised to one MAC: register file 1, between PEs 2, buffer 6, DRAM 200',
    source: 'Chen, Emer, Sze, ISCA 2016, Table IV; Sze et al. 2017, Fig. 22: commercial 65 nm, 16-bit words',
    unit: 'MAC',
    bits: 16,
    mac: 1,
    memories: [
      { bytes: 0.5 * KB, energy: 1 },
      { bytes: 100 * KB, energy: 6 },
      { bytes: 500 * KB, energy: 6 },
    ],
    array: 2,
    dram: [200, 200],
  },
  'horowitz-45nm': {
    title: 'Arithmetic, caches and DRAM in 45 nm at 0.9 V',
    source: 'Horowitz, ISSCC 2014, Fig. 1.1.9',
    unit: 'pJ',
    bits: 64,
    operations: {
      int_add: { 8: 0.03, 16: 0.05, 32: 0.1 },
      int_mult: { 8: 0.2, 32: 3.1 },
      fp_add: { 16: 0.4, 32: 0.9 },
      fp_mult: { 16: 1.1, 32: 3.7 },
    },
    memories: [
      { bytes: 8 * KB, energy: 10 },
      { bytes: 32 * KB, energy: 20 },
      { bytes: 1024 * KB, energy: 100 },
    ],
    dram: [1300, 2600],
    instruction: 70,
  },
  'eyeriss-jssc': {
    title: 'The Eyeriss chip, estimated',
    source: "nn_dataflow, test_eyeriss_isscc16: its authors' estimate, which gives 60–100 % of the measured power",
    unit: 'pJ',
    bits: 16,
    mac: 2,
    memories: [
      { bytes: 0.5 * KB, energy: 1 },
      { bytes: 108 * KB, energy: 15 },
    ],
    array: 4,
    dram: [460, 460],
    idleWatts: 0.03,
    notes: ['The source gives the register file and the 108 kB buffer one figure each; the sizes are those of the chip'],
  },
  'tetris-asplos17': {
    title: 'The baseline of TETRIS, planar',
    source: 'Gao et al., ASPLOS 2017, as nn_dataflow, test_eyeriss_asplos17 has it',
    unit: 'pJ',
    bits: 16,
    mac: 2,
    memories: [
      { bytes: 1 * KB, energy: 1 },
      { bytes: 576 * KB, energy: 28 },
    ],
    array: 4,
    dram: [240, 240],
  },
  'maestro-l1': {
    title: 'An L1 access over a MAC, as MAESTRO uses it',
    source: 'maestro, issue 10: its provenance is lost',
    unit: 'MAC',
    bits: 16,
    mac: 1,
    l1: 1.68,
    notes: ['L1 is 1.68 MACs at no size that the source names: figures only, no price list'],
  },
  'zigzag-eyeriss-rf': {
    title: 'Register files of the Eyeriss-like hardware of ZigZag, reads and writes',
    source: 'zigzag, inputs/hardware/eyeriss_like.yaml',
    unit: 'MAC',
    bits: 16,
    memories: [
      { bytes: 16, energy: 1.5, writeEnergy: 2 },
      { bytes: 64, energy: 1, writeEnergy: 1.5 },
    ],
    notes: ['The smaller file is the dearer one in the source: figures only, no price list'],
  },
} as const satisfies Record<string, EnergySet>

export type EnergySetName = keyof typeof ENERGY_SETS
/** Sets that are whole price lists, which `withEnergies` takes; the others are figures only. */
export const ENERGY_SET_NAMES: readonly string[] = Object.entries<EnergySet>(ENERGY_SETS).flatMap(([name, { memories, dram }]) =>
  memories === undefined || dram === undefined ? [] : [name],
)

/** A set by name, whole or figures only. @throws OptionError listing the whole ones */
export function energySetNamed(name: string): EnergySet {
  const found = Object.entries<EnergySet>(ENERGY_SETS).find(([known]) => known === name)
  if (found !== undefined) return found[1]
  throw new OptionError(`There is no energy set called "${name}"`, {
    remedy: `Choose one of ${ENERGY_SET_NAMES.join(', ')}`,
  })
}

/** A figure, and whether the source prints it or how it follows from what it prints. */
export interface Figure {
  readonly energy: number
  readonly how: 'published' | 'interpolated' | 'extrapolated'
}

/**
 * The line through two points on doubly logarithmic paper: energy of a memory grows with a power of its size (about √, the
 * length of its wires), that of a multiplier with a power of its bits (about 2). Between two equal figures the source gives a range.
 */
function alongPower(points: readonly (readonly [number, number])[], at: number): Figure {
  const sorted = [...points].toSorted(([one], [other]) => one - other)
  const exact = sorted.find(([x]) => x === at)
  if (exact !== undefined) return { energy: exact[1], how: 'published' }
  const above = sorted.findIndex(([x]) => x > at)
  const isInside = above > 0
  const to = isInside || above === 0 ? sorted[above] : sorted[sorted.length - 1]
  const isOther = ([, y]: readonly [number, number]): boolean => y !== to?.[1]
  const from = isInside ? sorted[above - 1] : above === 0 ? sorted.find(isOther) : sorted.findLast(isOther)
  if (from === undefined || to === undefined) throw new OptionError('One figure alone says nothing of other sizes')
  if (isInside && from[1] === to[1]) return { energy: to[1], how: 'published' }
  const slope = Math.log(to[1] / from[1]) / Math.log(to[0] / from[0])
  return { energy: from[1] * (at / from[0]) ** slope, how: isInside ? 'interpolated' : 'extrapolated' }
}

/**
 * Energy of one access of `set.bits` to a memory of `bytes`: on the power law through the two nearest points of the set.
 * @throws OptionError where the set has fewer than two sizes
 */
export function memoryEnergy(set: EnergySet, bytes: number): Figure {
  if (!(bytes > 0)) throw new OptionError(`A memory of ${bytes} bytes`, { limit: 'more than 0' })
  const points = (set.memories ?? []).map((point) => [point.bytes, point.energy] as const)
  if (points.length < 2) {
    throw new OptionError(`${set.title}: no memory energies by size`, { remedy: 'Choose a set that has two sizes at least' })
  }
  return alongPower(points, bytes)
}

/** Energy of an operation on `bits`. @throws OptionError where the set has no arithmetic */
export function operationEnergy(set: EnergySet, operation: 'int_add' | 'int_mult' | 'fp_add' | 'fp_mult', bits: number): Figure {
  const points = Object.entries(set.operations?.[operation] ?? {}).flatMap(([width, energy]) =>
    energy === undefined ? [] : [[Number(width), energy] as const],
  )
  if (points.length === 0) throw new OptionError(`${set.title}: no energy of ${operation}`, { remedy: 'Choose horowitz-45nm' })
  return alongPower(points, bits)
}

export interface WithEnergiesOptions {
  /** Kind of numbers that the MAC takes, for a set that has arithmetic by bits (default int). */
  readonly numbers?: 'int' | 'fp'
  /** End of the published range of DRAM energies (default low). */
  readonly dram?: 'low' | 'high'
}

/** A hop costs two MACs where a set has none of its own (eyeriss-normalised). */
const HOP_MACS = 2

/**
 * The hardware at another set's energies; its own are dropped. Unbounded levels take the set's DRAM, the others the energy of
 * a memory of their size; levels inside the PE array of a set with just a register file and a buffer take the register
 * file's whatever their size. Accesses are scaled to the level's word, linear in bits, but for a set in units of a MAC.
 * `energies` and `notes` of the result say which figures are printed in the source and which follow from them.
 * @throws OptionError for an unknown set, or one that lacks arithmetic, memories or DRAM
 */
export function withEnergies(hardware: Hardware, chosen: string | EnergySet, options: WithEnergiesOptions = {}): Hardware {
  const set = typeof chosen === 'string' ? energySetNamed(chosen) : chosen
  const { memories, dram } = set
  if (memories === undefined || dram === undefined) {
    throw new OptionError(`${set.title}: figures, and no whole price list`, {
      remedy: `Choose ${ENERGY_SET_NAMES.join(', ')}`,
    })
  }
  const width = hardware.word_bits
  if (set.unit === 'pJ' && width === undefined) {
    throw new OptionError(`${hardware.name} does not say how wide its words are`, { remedy: 'Add "word_bits" to the hardware' })
  }
  const published: string[] = []
  const normalised: string[] = []
  const notes: string[] = []
  const record = (what: string, { how }: Figure, detail: string): void => {
    ;(how === 'published' ? published : normalised).push(what)
    if (how !== 'published') notes.push(`${what}: ${how} ${detail}`)
  }

  const mac = macOf(set, width ?? set.bits, options.numbers ?? 'int')
  record('mac', mac, 'to the bits of a word, on the power law through the nearest two of the set')
  const levels = hardware.levels.map((level, index): StorageLevel => {
    const scale = set.unit === 'MAC' ? 1 : (level.word_bits ?? width ?? set.bits) / set.bits
    const figure =
      level.words === undefined
        ? { energy: dram[options.dram === 'high' ? 1 : 0], how: 'published' as const }
        : sizedFigure(set, hardware, index)
    record(level.name, figure, 'to its size, on the power law through the nearest two of the set')
    const { readEnergy: _read, writeEnergy: _write, network: _network, ...rest } = level
    return { ...rest, energy: figure.energy * scale }
  })
  const hop =
    set.array === undefined ? HOP_MACS * mac.energy : set.array * (set.unit === 'MAC' ? 1 : (width ?? set.bits) / set.bits)
  if (set.operations === undefined) notes.push("mac.add: the addition's share of a MAC as in horowitz-45nm")
  if (set.array === undefined) {
    normalised.push('network')
    notes.push('network: 2 MACs a hop, after eyeriss-normalised; the set has none')
  } else published.push('network')
  return {
    ...hardware,
    levels,
    network: { energy: hop },
    mac: { energy: mac.energy, add: mac.add },
    energy_unit: set.unit,
    energies: { published, normalised },
    notes: [...(hardware.notes ?? []), `Energies: ${set.title} (${set.source})`, ...notes],
  }
}

/** The MAC of a set at a width, and the part of it that is the addition. */
function macOf(set: EnergySet, bits: number, numbers: 'int' | 'fp'): Figure & { readonly add: number } {
  const reference = energySetNamed('horowitz-45nm')
  const add = operationEnergy(reference, `${numbers}_add`, bits)
  const multiply = operationEnergy(reference, `${numbers}_mult`, bits)
  const share = add.energy / (add.energy + multiply.energy)
  if (set.operations !== undefined) {
    const how = multiply.how === 'published' ? add.how : multiply.how
    return { energy: add.energy + multiply.energy, how, add: add.energy }
  }
  if (set.mac === undefined) throw new OptionError(`${set.title}: no energy of a MAC`)
  if (set.unit === 'MAC' || bits === set.bits) return { energy: set.mac, how: 'published', add: set.mac * share }
  const scale = share * (bits / set.bits) + (1 - share) * (bits / set.bits) ** 2
  return { energy: set.mac * scale, how: 'interpolated', add: set.mac * share * (bits / set.bits) }
}

/** A level of known size: register file below the array, else by bytes. */
function sizedFigure(set: EnergySet, hardware: Hardware, index: number): Figure {
  const level = hardware.levels[index]
  const points = set.memories ?? []
  const bytes = ((level?.words ?? 0) * (level?.word_bits ?? hardware.word_bits ?? set.bits)) / 8
  if (bytes === 0) return { energy: 0, how: 'published' }
  const isInPe = hardware.levels.every((_, at) => at < index || fanoutOf(hardware, at).x * fanoutOf(hardware, at).y === 1)
  const [smallest] = points
  const isArraySet = set.array !== undefined
  if (isArraySet && isInPe && smallest !== undefined) return { energy: smallest.energy, how: 'published' }
  return memoryEnergy(set, bytes)
}
