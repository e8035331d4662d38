/**
 * The log of a traced build: every load, store, hop and multiply-accumulate of every lane, with its step. Think of it as the
 * kernel's diary: what it says is what the device did, and `accesses.ts` counts from it alone.
 *
 * Words are dyed: before the run weights and inputs are filled with their own names (index + 1), so a record of a MAC says which
 * words came out of the registers that it read. Padding carries negative names. The arithmetic is done on small integers that
 * stand behind the names (`plainOf`), so the result can still be held against the reference bit by bit.
 */
import type { Issued } from '../../cost/evaluation.ts'
import { DeviceLimitError, ShapeError } from '../../errors.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { readCounters } from './counters.ts'
import { COUNTERS } from './lower.ts'
import type { Nest } from './nest.ts'

/** What a record says; the first 13 are the counters of the counted build, in the order of shaders/dataflow. */
export const KIND = {
  mac: 0,
  dramLoad: { weights: 1, inputs: 2, outputs: 3 },
  dramStore: { outputs: 4 },
  bufferLoad: { weights: 5, inputs: 6, outputs: 7 },
  bufferStore: { weights: 8, inputs: 9, outputs: 10 },
  hop: { outputs: 11, inputs: 12 },
  padding: 13,
} as const

export interface TraceRecord {
  /** A number of `KIND`. */
  readonly kind: number
  readonly workgroup: number
  readonly lane: number
  /** Trips of all loops over time as one number: registers' loops fastest, then the buffer's, then DRAM's. */
  readonly step: number
  /** Word address in its address space; of a MAC, the output's; of padding, its place in the padded planes. */
  readonly address: number
  /** The value moved: a word's name for weights and inputs. Of a MAC, the name of its weight. */
  readonly value: number
  /** Of a MAC, the name of its input. */
  readonly other: number
}

export interface Trace {
  readonly nest: Nest
  /** Each lane's records stand in the order in which it made them. */
  readonly records: readonly TraceRecord[]
}

const HEADER = 2
const RECORD = 7

/** Names are whole f32 numbers. */
const LARGEST_NAME = 2 ** 24

/** u32 words that a log of so many records takes. */
export function traceWords(records: number): number {
  return HEADER + RECORD * records
}

/** @throws DeviceLimitError when the log was too small for the run: it says how many records there were */
export function readTrace(words: Uint32Array, nest: Nest): Trace {
  const made = words[0] ?? 0
  const room = Math.floor((words.length - HEADER) / RECORD)
  if (made > room) {
    throw new DeviceLimitError(`The run made ${made} trace records`, {
      limit: `the log has room for ${room}`,
      remedy: `Give it ${made} records, or trace a smaller problem`,
    })
  }
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length)
  const records = Array.from({ length: made }, (_, k): TraceRecord => {
    const at = HEADER + k * RECORD
    return {
      kind: words[at] ?? 0,
      workgroup: words[at + 1] ?? 0,
      lane: words[at + 2] ?? 0,
      step: words[at + 3] ?? 0,
      address: words[at + 4] ?? 0,
      value: floats[at + 5] ?? 0,
      other: floats[at + 6] ?? 0,
    }
  })
  return { nest, records }
}

/** A tensor whose words hold their names. @throws ShapeError when f32 cannot tell so many apart */
export function dyed(shape: readonly number[]): HostTensor<'f32'> {
  const size = sizeOf(shape)
  if (size >= LARGEST_NAME) {
    throw new ShapeError(`${size} words cannot be told apart in f32`, { shape, remedy: 'Trace a smaller problem' })
  }
  return new HostTensor(
    'f32',
    shape,
    Float32Array.from({ length: size }, (_, index) => index + 1),
  )
}

/** The number from −6 to 6 that a traced build multiplies for a name; 0 for padding. `plain` of access_traced.wgsl. */
export function plainOf(name: number): number {
  return name <= 0 ? 0 : ((Math.imul(name, 2654435761) >>> 16) % 13) - 6
}

/** What the run issued, counted from its records: what the counted build counts and `predictIssued` predicts. */
export function issuedOf({ records }: Trace): Issued {
  const counts = new Uint32Array(2 * COUNTERS)
  for (const { kind } of records) if (kind < COUNTERS) counts[2 * kind] = (counts[2 * kind] ?? 0) + 1
  return readCounters(counts)
}
