/**
 * How long dispatches take: timestamp queries around a pass where the device has them, else a wall clock around batches. The
 * clock's smallest step (its quantum) is measured, not believed: browsers round, drivers tick; work repeats within a sample until
 * the sample is at least 100 quanta long.
 */
import { CommandList, type BoundDispatch } from './commands.ts'
import { scoped } from './faults.ts'
import { BUFFER_USAGE, MAP_READ } from './flags.ts'
import type { Gpu } from './gpu.ts'

export interface TimeOptions {
  /** Runs before the first sample (default 1). */
  readonly warmups?: number
  /** Samples (default 3). */
  readonly samples?: number
  readonly signal?: AbortSignal
  /** Default: timestamps where the device has them. `wall` forces the wall clock. */
  readonly source?: 'timestamp-query' | 'wall'
}

export interface Timing {
  readonly source: 'timestamp-query' | 'wall'
  /** Smallest step of the clock, nanoseconds. */
  readonly quantum_ns: number
  /** Milliseconds of one run of the whole list, one figure a sample, in the order taken. */
  readonly samples_ms: readonly number[]
  /** Runs of the list within each sample. */
  readonly repeats: number
}

const QUANTA_PER_SAMPLE = 100
/** A sample never holds more runs than this, however short they are. */
const MOST_REPEATS = 4096
/** Nor is it made longer than about this. */
const LONGEST_SAMPLE_MS = 250

/** Quanta are a property of the device and its clock: measured once for each. */
const quanta = new WeakMap<Gpu, Map<Timing['source'], number>>()

/**
 * Times a list of dispatches, run as one compute pass. Nothing else of this Gpu runs meanwhile.
 * @throws DeviceLostError, the signal's reason
 */
export async function timeDispatches(gpu: Gpu, bound: readonly BoundDispatch[], options: TimeOptions = {}): Promise<Timing> {
  const { warmups = 1, samples = 3, signal } = options
  const hasTimestamps = gpu.facts.features.has('timestamp-query')
  const source = options.source ?? (hasTimestamps ? 'timestamp-query' : 'wall')
  const commands = await CommandList.create(gpu, bound, signal === undefined ? {} : { signal })
  try {
    return await gpu.exclusive(async () => {
      const clock = source === 'wall' ? new WallClock(gpu) : new QueryClock(gpu)
      try {
        const quantum = await quantumOfClock(gpu, source, clock)
        for (let run = 0; run < warmups; run++) {
          signal?.throwIfAborted()
          await clock.time(commands, 1)
        }
        const samples_ms: number[] = []
        let repeats = 1
        while (samples_ms.length < samples) {
          signal?.throwIfAborted()
          const elapsed = await clock.time(commands, repeats)
          const more = repeatsFor(elapsed, repeats, quantum)
          if (more > repeats) {
            // Too short to trust: this was no sample, and earlier ones were as short.
            repeats = more
            samples_ms.length = 0
          } else samples_ms.push(elapsed / repeats / 1e6)
        }
        return { source, quantum_ns: quantum, samples_ms, repeats }
      } finally {
        clock.dispose()
      }
    }, signal)
  } finally {
    commands.dispose()
  }
}

/** Runs that a sample needs to last 100 quanta, given that `repeats` of them took `elapsed` nanoseconds; at least `repeats`. */
export function repeatsFor(elapsed: number, repeats: number, quantum: number): number {
  const wanted = QUANTA_PER_SAMPLE * quantum
  if (elapsed >= wanted) return repeats
  // A sample below one quantum says little: grow by at most 16 at a time.
  const factor = Math.min(16, (wanted / Math.max(elapsed, quantum)) * 1.1)
  const most = elapsed > 0 ? Math.max(1, Math.floor((LONGEST_SAMPLE_MS * 1e6 * repeats) / elapsed)) : MOST_REPEATS
  return Math.max(repeats, Math.min(Math.ceil(repeats * factor), most, MOST_REPEATS))
}

/** Steps below this are told from rounding to whole nanoseconds only when they are whole themselves. */
const LEAST_FRACTIONAL_STEP = 8

/**
 * The step of a clock from differences between its readings, in nanoseconds: the largest that divides all of them, to within the
 * nanosecond or so that rounding readings to whole nanoseconds leaves (a 19.2 MHz counter steps by 52.083 ns). 1 where there is
 * none larger.
 */
export function quantumOf(differences: readonly number[]): number {
  const sorted = [...new Set(differences.filter((difference) => difference > 0))].toSorted((a, b) => a - b)
  const least = sorted[0]
  if (least === undefined) return 1
  const whole = sorted.reduce((a, b) => greatestCommonDivisor(a, b), 0)
  if (whole >= LEAST_FRACTIONAL_STEP) return whole
  for (let parts = 1; least / parts >= LEAST_FRACTIONAL_STEP; parts++) {
    const step = fitStep(sorted, least / parts)
    if (step !== undefined) return step
  }
  return whole
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** `guess` refined over ascending differences (least squares through the origin), or undefined where one is no multiple of it. */
function fitStep(sorted: readonly number[], guess: number): number | undefined {
  let step = guess
  let products = 0
  let squares = 0
  for (const difference of sorted) {
    const multiple = Math.round(difference / step)
    if (Math.abs(difference - multiple * step) > 1.5) return undefined
    products += multiple * difference
    squares += multiple * multiple
    step = products / squares
  }
  return step
}

interface Stopwatch {
  /** Nanoseconds that `repeats` runs of the list take. */
  time(commands: CommandList, repeats: number): Promise<number>
  /** Differences between readings, nanoseconds, as many as tell the step. */
  differences(): Promise<number[]>
  dispose(): void
}

async function quantumOfClock(gpu: Gpu, source: Timing['source'], clock: Stopwatch): Promise<number> {
  let known = quanta.get(gpu)
  if (known === undefined) quanta.set(gpu, (known = new Map<Timing['source'], number>()))
  let quantum = known.get(source)
  if (quantum === undefined) known.set(source, (quantum = quantumOf(await clock.differences())))
  return quantum
}

/** Timestamps that the device writes at the beginning and end of a pass. */
class QueryClock implements Stopwatch {
  readonly #gpu: Gpu
  readonly #pairs = 32
  readonly #queries: GPUQuerySet
  readonly #resolved: GPUBuffer
  readonly #staging: GPUBuffer

  constructor(gpu: Gpu) {
    this.#gpu = gpu
    const { device } = gpu
    const count = this.#pairs * 2
    this.#queries = device.createQuerySet({ type: 'timestamp', count })
    this.#resolved = device.createBuffer({ size: count * 8, usage: BUFFER_USAGE.queryResolve | BUFFER_USAGE.copySource })
    this.#staging = device.createBuffer({ size: count * 8, usage: BUFFER_USAGE.mapRead | BUFFER_USAGE.copyTarget })
  }

  async time(commands: CommandList, repeats: number): Promise<number> {
    const [begin, end] = await this.#measure(1, (pass) => {
      for (let run = 0; run < repeats; run++) commands.encode(pass)
    })
    return Number((end ?? 0n) - (begin ?? 0n))
  }

  /** Readings of empty passes: any two of them differ by whole steps. */
  async differences(): Promise<number[]> {
    const readings = await this.#measure(this.#pairs, () => {})
    const sorted = readings.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    return sorted.slice(1).map((reading, index) => Number(reading - sorted[index]!))
  }

  dispose(): void {
    this.#queries.destroy()
    this.#resolved.destroy()
    this.#staging.destroy()
  }

  async #measure(pairs: number, work: (pass: GPUComputePassEncoder) => void): Promise<bigint[]> {
    const { device, faults } = this.#gpu
    const submitted = scoped(device, { op: 'timestamps' }, () => {
      const encoder = device.createCommandEncoder({ label: 'timing' })
      for (let pair = 0; pair < pairs; pair++) {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet: this.#queries, beginningOfPassWriteIndex: 2 * pair, endOfPassWriteIndex: 2 * pair + 1 },
        })
        work(pass)
        pass.end()
      }
      encoder.resolveQuerySet(this.#queries, 0, 2 * pairs, this.#resolved, 0)
      encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16 * pairs)
      device.queue.submit([encoder.finish()])
    })
    await faults.guard(submitted)
    await faults.guard(this.#staging.mapAsync(MAP_READ))
    const readings = [...new BigUint64Array(this.#staging.getMappedRange().slice(0, 16 * pairs))]
    this.#staging.unmap()
    return readings
  }
}

/** The host's clock around a submission: includes what it takes to submit and to hear back. */
class WallClock implements Stopwatch {
  readonly #gpu: Gpu

  constructor(gpu: Gpu) {
    this.#gpu = gpu
  }

  async time(commands: CommandList, repeats: number): Promise<number> {
    const { device, faults } = this.#gpu
    await faults.guard(device.queue.onSubmittedWorkDone())
    const start = performance.now()
    const submitted = scoped(device, { op: 'timing' }, () => {
      const encoder = device.createCommandEncoder({ label: 'timing' })
      const pass = encoder.beginComputePass()
      for (let run = 0; run < repeats; run++) commands.encode(pass)
      pass.end()
      device.queue.submit([encoder.finish()])
    })
    await faults.guard(device.queue.onSubmittedWorkDone())
    const elapsed = (performance.now() - start) * 1e6
    await faults.guard(submitted)
    return elapsed
  }

  /** Steps seen while spinning for at most 4 ms. */
  differences(): Promise<number[]> {
    const found: number[] = []
    const start = performance.now()
    let last = start
    while (found.length < 32 && last - start < 4) {
      const now = performance.now()
      if (now > last) found.push(Math.round((now - last) * 1e6))
      last = now
    }
    return Promise.resolve(found)
  }

  dispose(): void {}
}
