/** What a mapping is made for: storage levels from the outermost in, with the fan-out below each. Data, never code. */
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
}

export interface Hardware {
  readonly name: string
  readonly source?: string
  readonly array: Fanout
  readonly levels: readonly StorageLevel[]
  /** Energy of a word's hop from one PE to its neighbour. */
  readonly network: { readonly energy: number }
  readonly mac: { readonly energy: number }
  readonly word_bits?: number
  readonly clock_hz?: number
  readonly energy_unit?: string
}

/** The fan-out below level `index` (1×1 below the innermost). */
export function fanoutOf(hardware: Hardware, index: number): Fanout {
  const level = hardware.levels[index]
  if (level?.fanout !== undefined) return level.fanout
  return index === hardware.levels.length - 2 ? hardware.array : { x: 1, y: 1 }
}
