/**
 * What other processes do while one of ours is timed. A load average would count our own threads, those of a software adapter above all;
 * here what this process used is taken from what all processors did, as the operating system counts both.
 */
import { cpus } from 'node:os'

/** Milliseconds that all processors were busy since the machine started. */
function busyTotal(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0)
}

/** Watches from when it is made. */
export class Neighbours {
  readonly #begin = performance.now()
  readonly #own = process.cpuUsage()
  readonly #busy = busyTotal()

  /** Processors that others kept busy since then, on average: 0 on a quiet machine. */
  busy(): number {
    const { user, system } = process.cpuUsage(this.#own)
    const elapsed = Math.max(1, performance.now() - this.#begin)
    return Math.max(0, (busyTotal() - this.#busy - (user + system) / 1000) / elapsed)
  }
}
