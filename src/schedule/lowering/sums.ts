/**
 * Outputs on their way up, from the log of a traced run (see accesses.ts): arrivals of words at the lanes that add to them, held
 * against the sums that were sent up. Think of it as following the money: each store must hold the sum of all products that were
 * logged for its word so far, and the load before it the sum that the last store left.
 */
import { VerificationError } from '../../errors.ts'
import { KIND, plainOf, type TraceRecord } from './trace.ts'
import { entry, type Account, type Child, type TraceIndex } from './trace-index.ts'

export interface SumsAudit {
  readonly updates: number
  /** Of the parent: sums so far. */
  readonly reads: number
  /** Of the child, for the sums so far that come back to it. */
  readonly fills: number
  readonly hops: number
  /** Hops issued for sums that lanes sent up though they held on to the word. */
  readonly hopsAgain: number
  /** @param fills refills of the buffer by definition, which are stores to it too */
  accounts(fills: number): Account[]
}

/** A word that was new to `lanes` lanes of a workgroup in a step; `partial` where the parent held a sum of it. */
interface Arrival {
  readonly time: number
  readonly partial: boolean
  readonly lanes: number
}

/** A sum sent up, and the load of the sum that it was added to. */
interface Send {
  readonly record: TraceRecord
  readonly before: TraceRecord | undefined
}

/** @throws VerificationError when the log does not bear an update, a read or a hop out, or a sum is not that of its products */
export function auditSums(index: TraceIndex, parent: 0 | 1, child: Child): SumsAudit {
  const arrivals = arrivalsOf(index, parent, child)
  const { sends, refills, drains } = child === 1 ? drained(index) : sentByLanes(index, parent)
  followSums(index, sends)
  let [updates, reads, hops] = [0, 0, 0]
  const needed = new Map<string, number>()
  for (const [name, list] of arrivals) {
    const mine = sends.get(name) ?? []
    for (const [k, { time, partial, lanes }] of list.entries()) {
      const end = list[k + 1]?.time ?? Infinity
      const isDuring = (record: TraceRecord): boolean => index.time(record, child) >= time && index.time(record, child) < end
      const send = mine.find(({ record }) => isDuring(record))
      const isBack = !partial || (child === 1 ? mine.some(({ before }) => before !== undefined && isDuring(before)) : send?.before)
      if (send === undefined || isBack === false || isBack === undefined) {
        throw new VerificationError('The trace holds no transfer for a sum that its MACs call for', { name, step: time, partial })
      }
      updates++
      if (partial) reads++
      hops += lanes - 1
      const at = `${send.record.workgroup} ${send.record.step}`
      needed.set(at, (needed.get(at) ?? 0) + lanes - 1)
    }
  }
  const all = [...sends.values()].flat()
  const loads = all.filter(({ before }) => before !== undefined).length
  return {
    updates,
    reads,
    fills: reads,
    hops,
    hopsAgain: child === 1 ? 0 : hopsAgain(index, needed),
    accounts: (fills) => {
      const common = { space: parent === 0 ? 'storage' : 'workgroup', operand: 'outputs', copies: 0, unused: 0 } as const
      const filled = parent === 1 ? fills : 0
      const kinds =
        parent === 0 ? [KIND.dramLoad.outputs, KIND.dramStore.outputs] : [KIND.bufferLoad.outputs, KIND.bufferStore.outputs]
      const [loaded, stored] = kinds.map((kind) => index.of(kind).length)
      return [
        { ...common, kind: 'loads', issued: loaded ?? 0, accesses: reads, again: loads - reads, drained: drains },
        {
          ...common,
          kind: 'stores',
          issued: stored ?? 0,
          accesses: updates + filled,
          again: all.length - updates + refills - filled,
          drained: 0,
        },
      ]
    },
  }
}

/** When each output was new to lanes of a workgroup (or to its buffer), by `workgroup word`. */
function arrivalsOf(index: TraceIndex, parent: 0 | 1, child: Child): Map<string, Arrival[]> {
  const held = new Map<number, Set<number>>()
  const written = new Set<string>()
  const arrivals = new Map<string, Arrival[]>()
  for (const [time, tiles] of index.tiles('outputs', child)) {
    const arrived = new Map<string, number>()
    for (const [instance, tile] of tiles) {
      for (const word of tile) {
        if (child < 3 && held.get(instance)?.has(word) === true) continue
        const name = `${index.workgroup(instance, child)} ${word}`
        arrived.set(name, (arrived.get(name) ?? 0) + 1)
      }
      held.set(instance, tile)
    }
    for (const [name, lanes] of arrived) {
      // Storage is one for all workgroups, a buffer is each one's own.
      const place = parent === 1 ? name : name.slice(name.indexOf(' '))
      entry(arrivals, name, () => []).push({ time, partial: written.has(place), lanes })
      written.add(place)
    }
  }
  return arrivals
}

interface Sends {
  readonly sends: Map<string, Send[]>
  /** Stores to the buffer that brought sums back from storage. */
  readonly refills: number
  /** Loads from the buffer that took sums to storage. */
  readonly drains: number
}

/** Sums that the buffer sent to storage, with those that came back before. */
function drained(index: TraceIndex): Sends {
  const sends = new Map<string, Send[]>()
  const back = new Map<string, TraceRecord[]>()
  const nameOf = ({ workgroup, address }: TraceRecord): string => `${workgroup} ${address}`
  for (const record of inOrder(index.of(KIND.dramLoad.outputs))) entry(back, nameOf(record), () => []).push(record)
  for (const record of inOrder(index.of(KIND.dramStore.outputs))) {
    const waiting = back.get(nameOf(record))
    const before = (waiting?.[0]?.step ?? Infinity) <= record.step ? waiting?.shift() : undefined
    entry(sends, nameOf(record), () => []).push({ record, before })
  }
  const lost = [...back.values()].flat().length
  if (lost > 0) throw new VerificationError(`${lost} sums came back to the buffer and never left it`)
  return { sends, refills: 0, drains: 0 }
}

/** Sums that lanes sent to the buffer (the words named by where they were drained to later), or straight to storage. */
function sentByLanes(index: TraceIndex, parent: 0 | 1): Sends {
  const [load, store] =
    parent === 0 ? [KIND.dramLoad.outputs, KIND.dramStore.outputs] : [KIND.bufferLoad.outputs, KIND.bufferStore.outputs]
  const sent: { record: TraceRecord; before: TraceRecord | undefined }[] = []
  const tiles = new Map<string, { time: number; word: number }[]>()
  let [refills, drains] = [0, 0]
  for (const records of index.lanes()) {
    for (const [k, record] of records.entries()) {
      const last = records[k - 1]
      if (parent === 1 && record.kind === KIND.dramStore.outputs && last?.kind === KIND.bufferLoad.outputs) {
        drains++
        const at = entry(tiles, `${record.workgroup} ${last.address}`, () => [])
        at.push({ time: index.time(record, 1), word: record.address })
      }
      if (record.kind !== store) continue
      if (parent === 1 && last?.kind === KIND.dramLoad.outputs) refills++
      else sent.push({ record, before: last?.kind === load && last.address === record.address ? last : undefined })
    }
  }
  const wordOf = (record: TraceRecord): number | undefined => {
    if (parent === 0) return record.address
    const left = tiles.get(`${record.workgroup} ${record.address}`)?.filter(({ time }) => time >= index.time(record, 1))
    return left?.reduce((first, tile) => (tile.time < first.time ? tile : first)).word
  }
  const sends = new Map<string, Send[]>()
  for (const send of sent.toSorted((a, b) => a.record.step - b.record.step)) {
    const word = wordOf(send.record)
    if (word === undefined) throw new VerificationError('A sum was sent to the buffer and never left it', { ...send.record })
    entry(sends, `${send.record.workgroup} ${word}`, () => []).push(send)
  }
  return { sends, refills, drains }
}

/** Every sum sent up is that of all products logged for its word until then; what was loaded before, that of the last one sent. */
function followSums(index: TraceIndex, sends: ReadonlyMap<string, readonly Send[]>): void {
  const products = new Map<string, TraceRecord[]>()
  for (const mac of inOrder(index.macs)) entry(products, `${mac.workgroup} ${mac.address}`, () => []).push(mac)
  for (const [name, macs] of products) {
    let sum = 0
    let next = 0
    for (const { record, before } of sends.get(name) ?? []) {
      const left = sum
      for (let mac = macs[next]; mac !== undefined && mac.step <= record.step; mac = macs[++next]) {
        sum += plainOf(mac.value) * plainOf(mac.other)
      }
      if (record.value !== sum || (before?.value ?? 0) !== left) {
        throw new VerificationError('A stored sum is not that of the products logged for its word', {
          name,
          step: record.step,
          expected: sum,
          stored: record.value,
          loaded: before?.value,
        })
      }
    }
    if (next !== macs.length) throw new VerificationError(`${macs.length - next} products of a word were never sent up`, { name })
  }
}

function hopsAgain(index: TraceIndex, needed: ReadonlyMap<string, number>): number {
  const logged = new Map<string, number>()
  for (const { workgroup, step } of index.of(KIND.hop.outputs)) {
    const at = `${workgroup} ${step}`
    logged.set(at, (logged.get(at) ?? 0) + 1)
  }
  let [all, wanted] = [0, 0]
  for (const count of logged.values()) all += count
  for (const [at, count] of needed) {
    wanted += count
    if ((logged.get(at) ?? 0) < count) {
      throw new VerificationError('The trace holds too few hops for the sums that lanes share', {
        at,
        count,
        logged: logged.get(at),
      })
    }
  }
  return all - wanted
}

function inOrder(records: readonly TraceRecord[]): TraceRecord[] {
  return records.toSorted((a, b) => a.step - b.step)
}
