/**
 * What each count costs: a price for every cell of a tally, so that the energy of a mapping is a scalar product,
 *
 *     energy = Σ tally · prices + macs · mac
 *
 * Think of it as the price list that goes with the bill of `tally.ts`. Two lists:
 *
 * - `tilewright` (default): reads cost a read of their level, fills and updates a write, hops a hop of the level's network;
 *   deliveries by multicast are free (each read is paid once, at the parent).
 * - `isca16`: Chen, Emer, Sze, ISCA 2016, section VI, as applied by nn_dataflow (stanford-mast) to redo its Fig. 10. A word of
 *   weights or inputs costs its reads at every level and one hop for each delivery into a PE; filling a buffer is not charged.
 *   Partial sums cost updates + reads at each level, one hop for each partial sum that a PE sends up, and 2 accesses of the
 *   register file for each MAC. The formula printed in the paper charges a little less, see `isca16Formula`.
 *
 * Both scale an access with the bits of the operand over those of the level's word (Sze et al. 2017, VII-A: access energy is
 * linear in bits) and with the level's compression; a hop with the bits; a MAC as `macPrice` says.
 */
import { OptionError } from '../errors.ts'
import { compressionOf, fanoutOf, wordsPerValue, type Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Operand } from '../schedule/problem.ts'
import { DELIVERIES, FILLS, HOPS, READS, UPDATES, cell, tallyLength } from './tally.ts'

export const CONVENTIONS = ['tilewright', 'isca16'] as const
export type Convention = (typeof CONVENTIONS)[number]

/** Prices in the hardware's energy unit. */
export interface Prices {
  /** By cell, see `tally.ts`. */
  readonly tally: Float64Array
  /** Of one multiply-accumulate. */
  readonly mac: number
}

/** @throws OptionError for an unknown convention, or where a precision is given and no width of a word */
export function pricesOf(hardware: Hardware, convention: Convention = 'tilewright'): Prices {
  const tally = new Float64Array(tallyLength(hardware.levels.length))
  if (convention === 'tilewright') chargeAccesses(tally, hardware)
  else if (convention === 'isca16') chargeDeliveries(tally, hardware)
  else {
    throw new OptionError(`There is no energy convention called "${String(convention)}"`, {
      remedy: `Choose one of ${CONVENTIONS.join(', ')}`,
    })
  }
  return { tally, mac: macPrice(hardware) }
}

/** Σ tally · prices + macs · mac. */
export function energyOf(prices: Prices, tally: Float64Array, macs: number): number {
  let energy = macs * prices.mac
  for (let at = 0; at < tally.length; at++) energy += (tally[at] ?? 0) * (prices.tally[at] ?? 0)
  return energy
}

/**
 * A MAC at the operands' precision: the addition's part is linear in the bits of the outputs, the multiplication's in the product
 * of the bits of its factors (Sze et al. 2017, VII-A; Horowitz 2014). `mac.energy` holds for `word_bits`; an absent `mac.add`
 * is 0, all of it multiplication.
 */
export function macPrice({ mac, precision, word_bits: width, name }: Hardware): number {
  if (precision === undefined || Object.keys(precision).length === 0) return mac.energy
  if (width === undefined) {
    throw new OptionError(`${name} gives its operands a precision, and does not say for how many bits a MAC's energy is`, {
      remedy: 'Add "word_bits" to the hardware',
    })
  }
  const { weights = width, inputs = width, outputs = width } = precision
  const add = mac.add ?? 0
  if (add > mac.energy) {
    throw new OptionError(`The addition's ${add} is more than the whole MAC's ${mac.energy}`, { remedy: 'Correct mac.add' })
  }
  return (add * outputs) / width + ((mac.energy - add) * weights * inputs) / (width * width)
}

interface LevelPrice {
  readonly read: number
  readonly write: number
  /** Of a hop in the network below the level. */
  readonly hop: number
}

function priceOf(hardware: Hardware, index: number, operand: Operand): LevelPrice {
  const level = hardware.levels[index]
  if (level === undefined) return { read: 0, write: 0, hop: 0 }
  const width = wordsPerValue(hardware, index, operand)
  const scale = width * compressionOf(hardware, index, operand)
  return {
    read: (level.readEnergy ?? level.energy) * scale,
    write: (level.writeEnergy ?? level.energy) * scale,
    hop: (level.network ?? hardware.network).energy * width,
  }
}

function chargeAccesses(tally: Float64Array, hardware: Hardware): void {
  for (let index = 0; index < hardware.levels.length; index++) {
    for (const [at, operand] of OPERANDS.entries()) {
      const { read, write, hop } = priceOf(hardware, index, operand)
      tally[cell(index, at, READS)] = read
      tally[cell(index, at, FILLS)] = write
      tally[cell(index, at, UPDATES)] = write
      tally[cell(index, at, HOPS)] = hop
    }
  }
}

/**
 * The network below level k carries what levels 0…k deliver, less what levels 0…k themselves took in: a word that bypasses the
 * buffer crosses the array too, a word that stops in the buffer does not. Linear, so it is spread over the cells of all
 * levels. Partial sums that a level 1…k took from below and sent on are its updates − reads + fills (first accumulation is free);
 * exact unless a fan-out above such a level reduces: sums that only some of its instances revisit are then charged too often.
 */
function chargeDeliveries(tally: Float64Array, hardware: Hardware): void {
  const last = hardware.levels.length - 1
  const add = (level: number, operand: number, kind: number, price: number): void => {
    const at = cell(level, operand, kind)
    tally[at] = (tally[at] ?? 0) + price
  }
  for (const [at, operand] of OPERANDS.entries()) {
    const registers = hardware.levels.findLastIndex(({ holds, words }) => words !== 0 && (holds?.includes(operand) ?? true))
    for (let index = 0; index <= last; index++) {
      const { read, write, hop } = priceOf(hardware, index, operand)
      if (operand === 'outputs' && index === registers && index > 0) add(index, at, UPDATES, read + write)
      else {
        add(index, at, READS, read)
        if (operand === 'outputs') add(index, at, UPDATES, write)
      }
      const { x, y } = fanoutOf(hardware, index)
      if (x * y === 1) continue
      for (let above = 0; above <= index; above++) {
        add(above, at, DELIVERIES, hop)
        if (operand !== 'outputs') add(above, at, HOPS, hop)
        if (above === 0) continue
        if (operand !== 'outputs') add(above, at, FILLS, -hop)
        else {
          add(above, at, UPDATES, -hop)
          add(above, at, READS, hop)
          add(above, at, FILLS, -hop)
        }
      }
    }
  }
}

/** Reuse of a word at DRAM, buffer, array and register file (accumulations, for partial sums). */
export interface Reuse {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

/** Energies of one access at DRAM, buffer, between PEs, at a register file. */
export interface FourEnergies {
  readonly dram: number
  readonly buffer: number
  readonly array: number
  readonly registers: number
}

/**
 * Energy of one word as ISCA 2016 section VI prints it: inputs and weights a·DRAM + ab·GLB + abc·array + abcd·RF; partial sums
 * (2a−1)·DRAM + 2a(b−1)·GLB + ab(c−1)·array + 2abc(d−1)·RF. The paper's Fig. 10, as redone by nn_dataflow, charges abc
 * deliveries, 2ab−1 buffer accesses and 2abcd register accesses instead, which is what `pricesOf(…, 'isca16')` does.
 */
export function isca16Formula({ a, b, c, d }: Reuse, energies: FourEnergies): { readonly input: number; readonly psum: number } {
  const { dram, buffer, array, registers } = energies
  return {
    input: a * dram + a * b * buffer + a * b * c * array + a * b * c * d * registers,
    psum: (2 * a - 1) * dram + 2 * a * (b - 1) * buffer + a * b * (c - 1) * array + 2 * a * b * c * (d - 1) * registers,
  }
}
