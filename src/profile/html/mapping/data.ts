/**
 * What the page of a mapping space shows, and what is read off it: the Pareto front, intensities, a mapping in one line. Think of it
 * as the sheet that the sampler and the mapper fill in and the page draws; nothing here needs a browser.
 */
import type { Evaluation } from '../../../cost/evaluation.ts'
import { compressionOf, fanoutOf, wordsPerValue, type Hardware, type StorageLevel } from '../../../schedule/hardware.ts'
import { keeps, type Loop, type Mapping } from '../../../schedule/mapping.ts'
import type { Searched } from '../../../schedule/mapper.ts'
import { OPERANDS, type Problem } from '../../../schedule/problem.ts'
import type { ProfileReport } from '../../report.ts'

export const MAPPING_SPACE_SCHEMA = 'tilewright.mapping-space/1'

/** A mapping that a search chose, or that a person wrote. */
export interface Chosen {
  readonly dataflow: string
  readonly mapping: Mapping
  readonly evaluation: Evaluation
  readonly searched?: Searched
  /** The indented loop nest, see `schedule/loopnest.ts`. */
  readonly nest: string
}

/** A point of the mapping space that was looked at. */
export interface Sample {
  readonly dataflow: string
  readonly energy: number
  readonly cycles: number
  /** The mapping in one line. */
  readonly brief: string
}

export interface MappingSpace {
  readonly schema: typeof MAPPING_SPACE_SCHEMA
  /** `alexnet:conv2`, or a file's name. */
  readonly title: string
  readonly problem: Problem
  readonly hardware: Hardware
  readonly objective: string
  readonly chosen: readonly Chosen[]
  readonly samples: readonly Sample[]
  /** Dataflows without a mapping, and why. */
  readonly failed: readonly { readonly dataflow: string; readonly why: string }[]
  /** A profile that ran this problem: its counts are shown beside their predictions. */
  readonly profile?: ProfileReport
}

/** `MAC energies`: what energies are given in. */
export function unitOf({ hardware }: Pick<MappingSpace, 'hardware'>): string {
  const unit = hardware.energy_unit ?? 'energy unit'
  return unit === 'MAC' ? 'MAC energies' : unit
}

/** A point of the scatter: sampled or chosen. */
export interface Point extends Sample {
  readonly chosen: boolean
}

export function pointsOf({ chosen, samples }: MappingSpace): Point[] {
  return [
    ...samples.map((sample) => ({ ...sample, chosen: false })),
    ...chosen.map(({ dataflow, mapping, evaluation }) => ({
      dataflow,
      energy: evaluation.energy.total,
      cycles: evaluation.cycles,
      brief: brief(mapping),
      chosen: true,
    })),
  ]
}

/** Points that no other beats in energy and cycles both, fewest cycles first; of equals one. */
export function paretoFront<P extends { readonly energy: number; readonly cycles: number }>(points: readonly P[]): P[] {
  const front: P[] = []
  for (const point of points.toSorted((a, b) => a.cycles - b.cycles || a.energy - b.energy)) {
    const last = front.at(-1)
    if (last === undefined || point.energy < last.energy) front.push(point)
  }
  return front
}

/** `DRAM M8 C6 | GLB Q27, x P14, y R5; inputs outputs | RF S5`: loops from the outermost in, and what a level keeps of the three. */
export function brief(mapping: Mapping): string {
  const list = (loops: readonly Loop[] = []): string =>
    loops
      .filter(([, bound]) => bound > 1)
      .map(([dimension, bound]) => `${dimension}${bound}`)
      .join(' ')
  return mapping.levels
    .map(({ name, temporal, spatial }, level) => {
      const [x, y] = [list(spatial?.x), list(spatial?.y)]
      const loops = [list(temporal), x === '' ? '' : `x ${x}`, y === '' ? '' : `y ${y}`].filter((part) => part !== '').join(', ')
      const kept = OPERANDS.filter((operand) => keeps(mapping, level, operand))
      const keeping = kept.length === OPERANDS.length ? '' : `; keeps ${kept.join(' ') || 'nothing'}`
      return `${name} ${loops === '' ? '–' : loops}${keeping}`
    })
    .join(' | ')
}

/** Work of a chosen mapping against one level's traffic. */
export interface Intensity {
  readonly dataflow: string
  readonly level: string
  /** Operations per byte that the level serves, takes and is filled with. */
  readonly intensity: number
  /** Operations per cycle. */
  readonly rate: number
}

/** The levels whose traffic a roofline is drawn for: the outermost and the next that stores. */
export function roofLevels(hardware: Hardware): string[] {
  return hardware.levels
    .slice(0, -1)
    .filter(({ words }) => words !== 0)
    .slice(0, 2)
    .map(({ name }) => name)
}

export function intensitiesOf({ hardware, chosen }: Pick<MappingSpace, 'hardware' | 'chosen'>): Intensity[] {
  const levels = roofLevels(hardware)
  return chosen.flatMap(({ dataflow, evaluation }) =>
    levels.flatMap((level): Intensity[] => {
      const bytes = bytesAt(hardware, level, evaluation)
      const operations = 2 * evaluation.macs
      return bytes > 0 ? [{ dataflow, level, intensity: operations / bytes, rate: operations / evaluation.cycles }] : []
    }),
  )
}

/**
 * Bytes through those ports of a level that have a bandwidth (both, where neither has): reads through one, fills and updates through
 * the other. Stored as the level stores them; zero padding, which DRAM does not hold, is left out there.
 */
function bytesAt(hardware: Hardware, level: string, { accesses, padding }: Evaluation): number {
  const index = hardware.levels.findIndex(({ name }) => name === level)
  const { read, write } = portsOf(hardware.levels[index]?.bandwidth)
  const words = OPERANDS.reduce((sum, operand) => {
    const { reads = 0, fills = 0, updates = 0 } = accesses[level]?.[operand] ?? {}
    const zeros = operand === 'inputs' && index === 0 ? (padding?.[level] ?? 0) : 0
    const moved = (read ? reads - zeros : 0) + (write ? fills + updates : 0)
    return sum + moved * wordsPerValue(hardware, index, operand) * compressionOf(hardware, index, operand)
  }, 0)
  return (words * bitsOf(hardware, level)) / 8
}

function portsOf({ read, write }: NonNullable<StorageLevel['bandwidth']> = {}): {
  readonly read: boolean
  readonly write: boolean
} {
  const neither = read === undefined && write === undefined
  return { read: neither || read !== undefined, write: neither || write !== undefined }
}

export const bitsOf = (hardware: Hardware, name: string): number =>
  hardware.levels.find((level) => level.name === name)?.word_bits ?? hardware.word_bits ?? 32

export interface Roof {
  readonly level: string
  /** Bytes per cycle through the ports that have a bandwidth, all instances together. */
  readonly bytes: number
}

/** Operations per cycle of all PEs, and the bandwidth of each level whose file gives one. */
export function roofsOf(hardware: Hardware): { readonly peak: number; readonly roofs: readonly Roof[] } {
  const instances = hardware.levels.map((_, index) =>
    hardware.levels.slice(0, index).reduce((product, __, above) => {
      const { x, y } = fanoutOf(hardware, above)
      return product * x * y
    }, 1),
  )
  const { x, y } = fanoutOf(hardware, hardware.levels.length - 1)
  const pes = (instances.at(-1) ?? 1) * x * y
  const roofs = roofLevels(hardware).flatMap((level): Roof[] => {
    const index = hardware.levels.findIndex(({ name }) => name === level)
    const { read, write } = hardware.levels[index]?.bandwidth ?? {}
    if (read === undefined && write === undefined) return []
    const words = (read ?? 0) + (write ?? 0)
    return [{ level, bytes: (words * (instances[index] ?? 1) * bitsOf(hardware, level)) / 8 }]
  })
  return { peak: 2 * pes, roofs }
}
