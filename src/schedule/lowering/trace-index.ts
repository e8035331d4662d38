/**
 * A trace put in order: records by kind, the step and the instance that each belongs to, and what each instance held when. Think of
 * it as the diary cut up and filed.
 */
import { VerificationError } from '../../errors.ts'
import type { Operand } from '../problem.ts'
import { KIND, type Trace, type TraceRecord } from './trace.ts'

/** Where the transfers of one kind went: `issued` is the sum of the others. */
export interface Account {
  readonly space: 'storage' | 'workgroup'
  readonly operand: Operand
  readonly kind: 'loads' | 'stores'
  readonly issued: number
  /** Accesses by definition (padding is no load from storage, and none of these there). */
  readonly accesses: number
  /** The same word for another lane in the same step: multicast. */
  readonly copies: number
  /** Moved though it was still held, by the lane, by the tile before, or by the neighbour that hands it on. */
  readonly again: number
  /** Used by no MAC. */
  readonly unused: number
  /** A child's own read when it drains, which is not charged. */
  readonly drained: number
}

/** What takes words from a level: the buffer, a PE's registers, or its MAC. */
export type Child = 1 | 2 | 3

/** Instances of lanes are numbered workgroup · LANES + lane. */
export const LANES = 65536

/** By step, by instance: words, and how often each. */
export type Places = Map<number, Map<number, Map<number, number>>>

export class TraceIndex {
  readonly trace: Trace
  readonly macs: readonly TraceRecord[]
  readonly #byKind = new Map<number, TraceRecord[]>()
  /** Steps in one step of a child: the buffer's tile changes with DRAM's loops, a register's with the buffer's, a MAC's always. */
  readonly #unit: Readonly<Record<Child, number>>

  /** @throws VerificationError when the trace holds no MAC */
  constructor(trace: Trace) {
    this.trace = trace
    for (const record of trace.records) entry(this.#byKind, record.kind, () => []).push(record)
    this.macs = this.of(KIND.mac)
    if (this.macs.length === 0) throw new VerificationError('The trace holds no multiply-accumulate: there is nothing to count')
    const trips = (loops: readonly { readonly bound: number }[]): number => loops.reduce((product, { bound }) => product * bound, 1)
    const registers = trips(trace.nest.registers)
    this.#unit = { 1: registers * trips(trace.nest.buffer), 2: registers, 3: 1 }
  }

  of(...kinds: readonly number[]): readonly TraceRecord[] {
    return kinds.flatMap((kind) => this.#byKind.get(kind) ?? [])
  }

  /** Which instance of a child a record belongs to: its workgroup's buffer, or its lane. */
  instance({ workgroup, lane }: TraceRecord, child: Child): number {
    return child === 1 ? workgroup : workgroup * LANES + lane
  }

  workgroup(instance: number, child: Child): number {
    return child === 1 ? instance : Math.floor(instance / LANES)
  }

  time({ step }: TraceRecord, child: Child): number {
    return Math.floor(step / this.#unit[child])
  }

  /** What each instance of a child held in each step: the words that its MACs used. Steps in order. */
  tiles(operand: Operand, child: Child): [number, Map<number, Set<number>>][] {
    const tiles = new Map<number, Map<number, Set<number>>>()
    for (const mac of this.macs) {
      const at = entry(tiles, this.time(mac, child), () => new Map<number, Set<number>>())
      entry(at, this.instance(mac, child), () => new Set<number>()).add(wordOf(mac, operand))
    }
    return [...tiles].toSorted(([a], [b]) => a - b)
  }

  /** Words moved by these records. */
  places(records: readonly TraceRecord[], child: Child): Places {
    const places: Places = new Map()
    for (const record of records) {
      const at = entry(places, this.time(record, child), () => new Map<number, Map<number, number>>())
      const words = entry(at, this.instance(record, child), () => new Map<number, number>())
      words.set(record.value, (words.get(record.value) ?? 0) + 1)
    }
    return places
  }

  /** Each lane's records in the order in which it made them. */
  lanes(): readonly (readonly TraceRecord[])[] {
    const lanes = new Map<number, TraceRecord[]>()
    for (const record of this.trace.records) entry(lanes, this.instance(record, 3), () => []).push(record)
    return [...lanes.values()]
  }
}

/** The word of an operand that a MAC used: a name, or an output's address. */
function wordOf(mac: TraceRecord, operand: Operand): number {
  return operand === 'weights' ? mac.value : operand === 'inputs' ? mac.other : mac.address
}

/** The value at a key, made where there is none. */
export function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
