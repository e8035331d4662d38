/** What a mapping is made for: storage levels from the outermost in, with the fan-out below each. Data, never code. */
import { OptionError } from '../errors.ts'
import type { Operand } from './problem.ts'

export interface Fanout {
  readonly x: number
  readonly y: number
}

export interface StorageLevel {
  readonly name: string
  /** Words an instance holds; absent: unbounded (the outermost level). 0: no storage. */
  readonly words?: number
  /** Energy of one access in `energy_unit`. */
  readonly energy: number
  readonly readEnergy?: number
  readonly writeEnergy?: number
  /** Instances of the next level below each of these. The level above the innermost takes `array` where it has none. */
  readonly fanout?: Fanout
  /** Words per cycle and instance. */
  readonly bandwidth?: { readonly read?: number; readonly write?: number }
  readonly double_buffered?: boolean
  /** Whether one read serves several children (default true). */
  readonly multicast?: boolean
  readonly word_bits?: number
  /** Operands that it can keep (default all): a buffer of weights alone is a level that holds weights. */
  readonly holds?: readonly Operand[]
  /** Energy of a hop in the network of its fan-out, where it is not the hardware's. */
  readonly network?: { readonly energy: number }
  /** Stored size over plain size of each operand (default 1): energy and bandwidth scale with it, counts do not. */
  readonly compression?: Partial<Readonly<Record<Operand, number>>>
}

/** Systolic arrays hand operands from lane to lane, skewed by a step: time to fill and to drain adds to the steps. */
export type SystolicFlow = 'ws' | 'os' | 'is'

/** What a design does where it sees a zero: it stays still and saves energy (`gate`), or goes on to what is next and saves time too (`skip`). */
export type ZeroAction = 'gate' | 'skip'

/** Operands whose zeros a design can look at. */
export type Factor = 'weights' | 'inputs'

/** How a level stores an operand's zeros away, see `src/cost/formats.ts`. */
export const SPARSE_FORMATS = ['bitmask', 'rle', 'coordinate', 'csr', 'csc', '2:4'] as const
export type SparseFormat = (typeof SPARSE_FORMATS)[number]

export interface OperandSparsity {
  /** Absent: every value is stored. */
  readonly format?: SparseFormat
  /** Of a run's length (`rle`; default 5). */
  readonly run_bits?: number
  /** Bits that as many whole pairs of run and value are packed into as fit beside an end bit (`rle`; default: none, pairs follow each other). */
  readonly pack_bits?: number
  /** Part of the values that is stored, where it was measured (`rle`; default: what is expected of zeros at random, and they come in runs). */
  readonly stored?: number
  /** Of an index (`coordinate`, `csr`, `csc`; default: as many as the tile's longest needs). */
  readonly index_bits?: number
  /** What becomes of an access of this operand here when the values of `on` that it would meet are all zero. */
  readonly action?: ZeroAction
  readonly on?: readonly Factor[]
}

/** What a hardware does about zeros; a description without it treats them as any value. */
export interface HardwareSparsity {
  /** What a MAC unit does that meets a zero of `on`. */
  readonly compute?: { readonly action: ZeroAction; readonly on: readonly Factor[] }
  /** By level and operand. */
  readonly levels?: Readonly<Record<string, Partial<Readonly<Record<Operand, OperandSparsity>>>>>
}

export interface Hardware {
  readonly name: string
  readonly source?: string
  readonly array: Fanout
  readonly levels: readonly StorageLevel[]
  /** Energy of a word's hop from one PE to its neighbour. */
  readonly network: { readonly energy: number }
  /** `add` is the part of `energy` that is the addition's (linear in bits), the rest is the multiplication's (quadratic). */
  readonly mac: { readonly energy: number; readonly add?: number }
  readonly word_bits?: number
  /** Bits of a word of each operand, where they are not `word_bits`: sizes, energies and bandwidth follow. */
  readonly precision?: Partial<Readonly<Record<Operand, number>>>
  readonly clock_hz?: number
  readonly energy_unit?: string
  /** Name of the dataflow that the design was built for, one of DATAFLOWS or its own word for it. */
  readonly dataflow?: string
  readonly systolic?: SystolicFlow
  readonly sparsity?: HardwareSparsity
  /** Which energies the source publishes (`DRAM`, `mac`, …) and which are set after another's normalised ones. */
  readonly energies?: { readonly published: readonly string[]; readonly normalised: readonly string[] }
  /** What the file leaves out of the design, or reads into it. */
  readonly notes?: readonly string[]
}

/** The fan-out below level `index` (1×1 below the innermost). */
export function fanoutOf(hardware: Hardware, index: number): Fanout {
  const level = hardware.levels[index]
  if (level?.fanout !== undefined) return level.fanout
  return index === hardware.levels.length - 2 ? hardware.array : { x: 1, y: 1 }
}

/**
 * Words of level `index` that one value of an operand takes: its bits over the bits of the level's words (1 where the file names
 * no widths that differ). Room, access energy and bandwidth scale with it; counts of values do not.
 * @throws OptionError where the operand has a precision and nothing says how wide a word is
 */
export function wordsPerValue(hardware: Hardware, index: number, operand: Operand): number {
  const precision = hardware.precision?.[operand]
  const width = hardware.levels[index]?.word_bits ?? hardware.word_bits
  if (width === undefined) {
    if (precision === undefined) return 1
    throw new OptionError(`${hardware.name} gives ${operand} ${precision} bits, and does not say how wide a word is`, {
      level: hardware.levels[index]?.name,
      operand,
      remedy: 'Add "word_bits" to the hardware or to the level',
    })
  }
  return (precision ?? hardware.word_bits ?? width) / width
}

/** Stored size over plain size of an operand at level `index` (1 where it is not compressed there). */
export function compressionOf(hardware: Hardware, index: number, operand: Operand): number {
  return hardware.levels[index]?.compression?.[operand] ?? 1
}
