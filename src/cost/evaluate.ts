/**
 * What a mapping costs on a hardware, without running it: accesses per level and operand, hops, cycles, utilisation and energy.
 * Think of each operand as a chain of the levels that keep it, down to the MACs; every link of the chain is counted by itself
 * (`counts.ts`), a level's figures are the sums over its two links, and energy is figures times prices.
 *
 * Conventions (all counts are words, totals over all instances of a level; those of Timeloop where papers differ):
 * - reads: words served to the child, one for all children that a fan-out multicasts to, plus partial sums read back.
 * - fills: words newly written from the parent (or handed over by a neighbour); the same words never refill.
 * - updates: words written up from the child; children that reduce one output are one update where the fan-out reduces.
 * - outputs: the first accumulation is free, so reads = updates − words ever written there, summed over instances. A partial sum
 *   that comes back to a child that keeps outputs fills one child that reduces it (`timeloop`: each of them).
 * - A child's read when it drains is not charged. MACs hold nothing: what no level near them keeps is read at every step.
 * - hops: a reduction over Y children costs Y − 1 per result and step, a word handed over by a neighbour 1, multicast 0.
 * - Points outside the problem (ragged edges) are skipped; zero padding counts and is told apart in `padding`.
 * - cycles: the most of the steps and, for each level with a bandwidth, its words over that bandwidth and the instances in use.
 */
import { MappingError } from '../errors.ts'
import { checkMapping } from '../schedule/check.ts'
import { fanoutOf, type Hardware } from '../schedule/hardware.ts'
import type { Mapping } from '../schedule/mapping.ts'
import { OPERANDS, RELEVANT, DIMENSIONS, macsOf, type Operand, type Problem } from '../schedule/problem.ts'
import { EdgeCounter, type Arrivals, type Halo } from './counts.ts'
import type { Accesses, Evaluation, PerOperand } from './evaluation.ts'
import { countBelow, nestOf, type Nest } from './loops.ts'

export interface EvaluateOptions {
  /**
   * `exact` (default): sets of touched words, overlaps credited wherever they occur. `timeloop`: bounding boxes, the overlap
   * credited only where the sliding loop is the innermost of its level, only identical tiles shared, as Timeloop publishes.
   */
  readonly halo?: Halo
}

/** Counts that are added to while the links are walked. */
interface Tally {
  reads: number
  fills: number
  updates: number
}

/** Window counts kept per problem: mappings of one search share most of them. */
const windows = new WeakMap<Problem, Record<Halo, Map<string, Arrivals>>>()
const LARGEST_CACHE = 100_000

/**
 * Accesses, energy and time of a mapping; `issued` is what a kernel's lowering adds.
 * @throws MappingError when the mapping is not legal (see `checkMapping`), or forwards in `timeloop` mode
 */
export function evaluate(problem: Problem, hardware: Hardware, mapping: Mapping, options: EvaluateOptions = {}): Evaluation {
  const halo = options.halo ?? 'exact'
  checkMapping(problem, hardware, mapping)
  if (halo === 'timeloop' && mapping.levels.some(({ forward }) => forward !== undefined && Object.keys(forward).length > 0)) {
    throw new MappingError('Timeloop counts no forwarding between neighbours', {
      remedy: 'Evaluate this mapping with halo "exact"',
    })
  }
  const nest = nestOf(problem, hardware, mapping)
  const counted = countAccesses(nest, halo, cacheOf(problem, halo))
  const { tallies, padding, hops } = counted
  const macs = macsOf(problem)
  const cycles = cyclesOf(nest, tallies)
  const names = hardware.levels.map(({ name }) => name)
  return {
    macs,
    cycles,
    utilization: macs / (cycles * pesOf(hardware, mapping)),
    accesses: Object.fromEntries(
      names.map((name, level) => [name, tallies[level] ?? perOperand(() => ({ reads: 0, fills: 0, updates: 0 }))]),
    ),
    padding: Object.fromEntries(names.map((name, level) => [name, padding[level] ?? 0])),
    network: { hops },
    energy: energyOf(hardware, tallies, hops, macs),
  }
}

function cacheOf(problem: Problem, halo: Halo): Map<string, Arrivals> {
  let caches = windows.get(problem)
  if (caches === undefined) {
    caches = { exact: new Map(), timeloop: new Map() }
    windows.set(problem, caches)
  }
  if (caches[halo].size > LARGEST_CACHE) caches[halo].clear()
  return caches[halo]
}

function perOperand<T>(value: (operand: Operand) => T): Record<Operand, T> {
  return { weights: value('weights'), inputs: value('inputs'), outputs: value('outputs') }
}

interface Counted {
  readonly tallies: readonly Record<Operand, Tally>[]
  /** Input accesses to zero padding, by level. */
  readonly padding: readonly number[]
  readonly hops: Record<Operand, number>
}

function countAccesses(nest: Nest, halo: Halo, cache: Map<string, Arrivals>): Counted {
  const tallies = Array.from({ length: nest.depth }, () => perOperand<Tally>(() => ({ reads: 0, fills: 0, updates: 0 })))
  const padding = Array.from({ length: nest.depth }, () => 0)
  const hops = perOperand(() => 0)
  for (const operand of OPERANDS) {
    const chain = [...nest.kept[operand], nest.depth]
    for (let link = 0; link + 1 < chain.length; link++) {
      const [parent, child] = [chain[link] ?? 0, chain[link + 1] ?? nest.depth]
      const counter = new EdgeCounter(nest, { operand, parent, child }, halo, cache)
      const above = tallies[parent]?.[operand]
      const below = tallies[child]?.[operand]
      if (above === undefined) continue
      if (operand === 'outputs') {
        hops[operand] += countOutputs(nest, counter, { parent, child }, halo, above, below)
        continue
      }
      const served = counter.arrivals('multicast')
      const handed = counter.handed()
      above.reads += served.words
      hops[operand] += handed.words
      padding[parent] = (padding[parent] ?? 0) + served.words - served.real
      if (below === undefined) continue
      const arrived = counter.arrivals('none')
      below.fills += arrived.words + handed.words
      padding[child] = (padding[child] ?? 0) + arrived.words - arrived.real + handed.words - handed.real
    }
  }
  return { tallies, padding, hops }
}

/** Partial sums: every arrival of an output at a child ends in one update of the parent. Returns the hops. */
function countOutputs(
  nest: Nest,
  counter: EdgeCounter,
  { parent, child }: { readonly parent: number; readonly child: number },
  halo: Halo,
  above: Tally,
  below: Tally | undefined,
): number {
  const reduced = counter.arrivals('multicast').words
  const each = counter.arrivals('none').words
  const handed = counter.handed().words
  const words = outputWords(nest, parent)
  above.updates += reduced
  above.reads += reduced - words
  if (below !== undefined) {
    const revisited = halo === 'timeloop' ? each - outputWords(nest, child) : counter.arrivals('parent').words - words
    below.fills += revisited + handed
  }
  return each - reduced + handed
}

/** Outputs that a level ever holds, summed over its instances (those that reduce one output each hold it). */
function outputWords(nest: Nest, level: number): number {
  let words = 1
  for (const [index, name] of DIMENSIONS.entries()) {
    const extent = nest.extents[index] ?? 1
    words *= RELEVANT.outputs.includes(name) ? extent : instancesAlong(nest, index, level)
  }
  return words
}

/** Parts of a dimension that a level's instances divide it into, those without a point left out. */
function instancesAlong(nest: Nest, dimension: number, level: number): number {
  const digits = nest.byDimension[dimension] ?? []
  return countBelow(
    nest.extents[dimension] ?? 1,
    digits,
    digits.map((digit) => (digit.axis !== 'temporal' && digit.level < level ? digit.bound : 1)),
  )
}

/** MAC units of the hardware; below a grid (an outermost level without multicast), of as many instances as the mapping asks for. */
function pesOf(hardware: Hardware, mapping: Mapping): number {
  return hardware.levels.reduce((product, { multicast }, level) => {
    const { x, y } = fanoutOf(hardware, level)
    const isGrid = level === 0 && multicast === false
    const { x: asked = [], y: askedToo = [] } = mapping.levels[level]?.spatial ?? {}
    return product * (isGrid ? [...asked, ...askedToo].reduce((used, [, bound]) => used * bound, 1) : x * y)
  }, 1)
}

/** Steps in which any MAC works, or the slowest level's traffic. */
function cyclesOf(nest: Nest, tallies: readonly Record<Operand, Tally>[]): number {
  let cycles = nest.byDimension.reduce(
    (product, digits, dimension) =>
      product *
      countBelow(
        nest.extents[dimension] ?? 1,
        digits,
        digits.map(({ axis, bound }) => (axis === 'temporal' ? bound : 1)),
      ),
    1,
  )
  for (const [level, { bandwidth }] of nest.hardware.levels.entries()) {
    if (bandwidth === undefined) continue
    const instances = nest.byDimension.reduce((product, _, dimension) => product * instancesAlong(nest, dimension, level), 1)
    const tally = tallies[level]
    if (tally === undefined) continue
    const sum = (kind: keyof Tally): number => OPERANDS.reduce((total, operand) => total + tally[operand][kind], 0)
    if (bandwidth.read !== undefined) cycles = Math.max(cycles, Math.ceil(sum('reads') / (bandwidth.read * instances)))
    if (bandwidth.write !== undefined) {
      cycles = Math.max(cycles, Math.ceil((sum('fills') + sum('updates')) / (bandwidth.write * instances)))
    }
  }
  return cycles
}

function energyOf(
  hardware: Hardware,
  tallies: readonly Record<Operand, Accesses>[],
  hops: PerOperand<number>,
  macs: number,
): Evaluation['energy'] {
  const levels: Record<string, number> = {}
  const operands = perOperand((operand) => hops[operand] * hardware.network.energy)
  for (const [index, { name, energy, readEnergy = energy, writeEnergy = energy }] of hardware.levels.entries()) {
    const tally = tallies[index]
    let sum = 0
    for (const operand of OPERANDS) {
      const { reads = 0, fills = 0, updates = 0 } = tally?.[operand] ?? {}
      const spent = reads * readEnergy + (fills + updates) * writeEnergy
      sum += spent
      operands[operand] += spent
    }
    levels[name] = sum
  }
  const network = OPERANDS.reduce((sum, operand) => sum + hops[operand] * hardware.network.energy, 0)
  const mac = macs * hardware.mac.energy
  return {
    total: Object.values(levels).reduce((sum, level) => sum + level, mac + network),
    mac,
    network,
    levels,
    per_operand: operands,
  }
}
