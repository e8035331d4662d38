/**
 * Words that storage levels exchange, in closed form. Each operand runs down a chain of the levels that keep it; a link of that
 * chain, from one such level (the parent) to the next (the child) or to the MACs, is counted by itself, from the words that arrive at
 * its children (`arrivals.ts`).
 */
import type { MappingCode } from '../schedule/code.ts'
import { fanoutOf, type Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Problem } from '../schedule/problem.ts'
import { Arrivals, type ArrivalOptions } from './arrivals.ts'
import type { Halo } from './geometry.ts'
import type { Nest } from './nest.ts'
import { DELIVERIES, FILLS, HOPS, READS, UPDATES, cell, tallyLength } from './tally.ts'

const OUTPUTS = OPERANDS.indexOf('outputs')
const INPUTS = OPERANDS.indexOf('inputs')

/** With `real`, counts only inputs. */
export type CounterOptions = ArrivalOptions

/** Counts one mapping after another, of one problem on one hardware. */
export class AccessCounter {
  /** Counts of the last mapping, laid out as `tally.ts` says. */
  readonly tally: Float64Array
  /** Time steps of the last mapping in which any MAC works. */
  steps = 0
  /** By level: instances of the last mapping that ever work. */
  readonly instances: Float64Array
  readonly macs: number
  readonly #levels: number
  readonly #operands: readonly number[]
  readonly #isTimeloop: boolean
  readonly #multicasts: boolean
  /** Whether MACs hold on to a word that does not change: `timeloop`, below a fan-out without storage. */
  readonly #latched: boolean
  readonly #link: Arrivals
  readonly #nest: Nest

  constructor(problem: Problem, hardware: Hardware, halo: Halo, options: CounterOptions = {}) {
    const levels = hardware.levels.length
    this.#levels = levels
    this.#operands = options.real === true ? [INPUTS] : [0, 1, 2]
    this.#isTimeloop = halo === 'timeloop'
    this.#multicasts = hardware.levels.every((level) => level.multicast ?? true)
    const innermost = fanoutOf(hardware, levels - 1)
    this.#latched = this.#isTimeloop && (hardware.levels[levels - 1]?.words === 0 || innermost.x * innermost.y > 1)
    this.tally = new Float64Array(tallyLength(levels))
    this.instances = new Float64Array(levels).fill(1)
    this.#link = new Arrivals(problem, hardware, halo, options)
    this.#nest = this.#link.nest
    this.macs = this.#link.macs
  }

  /** Counts a legal mapping (see `checkMapping`): fills `tally`, `steps` and `instances`. */
  count(code: MappingCode): void {
    this.#link.read(code)
    const { tally } = this
    tally.fill(0)
    this.steps = this.#link.trips(this.#levels, 0, true)
    for (let level = 1; level < this.#levels; level++) this.instances[level] = this.#link.parts(level)
    for (const operand of this.#operands) {
      let parent = 0
      for (let child = 1; child <= this.#levels; child++) {
        if (child < this.#levels && ((code.keep[child] ?? 0) & (1 << operand)) === 0) continue
        if (operand === OUTPUTS) this.#countOutputs(parent, child)
        else this.#countReads(operand, parent, child)
        parent = child
      }
    }
  }

  /** Weights or inputs on one link. */
  #countReads(operand: number, parent: number, child: number): void {
    const { tally } = this
    const isForwarded = this.#nest.findForwarding(operand, parent, child)
    const isMac = child === this.#levels
    const isHeld = !isMac || this.#latched
    const isAlone = !this.#nest.isSplit(parent, child)
    const served = this.#link.arrivals(operand, child, isAlone ? child : parent, false, isHeld, isForwarded)
    const each = isAlone ? served : this.#link.arrivals(operand, child, child, false, isHeld, isForwarded)
    const handed = isForwarded ? this.#link.handed(operand, child, isHeld) : 0
    const at = cell(parent, operand, 0)
    tally[at + READS] = served
    tally[at + DELIVERIES] = each
    if (handed !== 0) {
      const hops = cell(this.#nest.forwarding.level, operand, HOPS)
      tally[hops] = (tally[hops] ?? 0) + handed
    }
    if (!isMac) tally[cell(child, operand, FILLS)] = each + handed
  }

  /** Partial sums: every arrival of an output at a child ends in one update of the parent. */
  #countOutputs(parent: number, child: number): void {
    const { tally } = this
    const isForwarded = this.#nest.findForwarding(OUTPUTS, parent, child)
    const isMac = child === this.#levels
    const isHeld = !isMac || this.#latched
    const each = this.#link.arrivals(OUTPUTS, child, child, false, isHeld, isForwarded)
    let reduced = each
    // Sums are added up fan-out by fan-out, from the innermost: each but the first costs a hop.
    for (let level = child - 1; level >= parent; level--) {
      if (this.#nest.split[level] === 0) continue
      const left = this.#link.arrivals(OUTPUTS, child, level, false, isHeld, isForwarded)
      const hops = cell(level, OUTPUTS, HOPS)
      tally[hops] = (tally[hops] ?? 0) + reduced - left
      reduced = left
    }
    const handed = isForwarded ? this.#link.handed(OUTPUTS, child, isHeld) : 0
    if (handed !== 0) {
      const hops = cell(this.#nest.forwarding.level, OUTPUTS, HOPS)
      tally[hops] = (tally[hops] ?? 0) + handed
    }
    const words = this.#link.outputs(parent)
    const at = cell(parent, OUTPUTS, 0)
    tally[at + UPDATES] = reduced
    tally[at + READS] = reduced - words
    tally[at + DELIVERIES] = each
    if (isMac) return
    let revisited = reduced - words
    if (this.#isTimeloop) revisited = each - this.#link.outputs(child)
    else if (!this.#multicasts) revisited = this.#link.arrivals(OUTPUTS, child, parent, true, isHeld, isForwarded) - words
    tally[cell(child, OUTPUTS, FILLS)] = revisited + handed
  }
}
