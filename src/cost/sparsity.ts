/**
 * What zeros save of a mapping's accesses, energy and time, on a hardware that says what it does about them (`Hardware.sparsity`). Think of a second
 * bill beside the dense one, with each line split in four: done, stood still for (gated), passed over (skipped), not stored.
 *
 *     dense count ─┬─ absent   zeros that the level's format does not store
 *                  ├─ skipped  no energy, no time      P(some `skip` operand's tile is empty)
 *                  ├─ gated    no energy, its time     P(some `gate` operand's tile is empty) of the rest
 *                  └─ actual   energy and time, and the format's bits beside it
 *
 * The method is Sparseloop's (Wu, Tsai, Parashar, Sze, Emer, MICRO 2022, section 5): dense counts first, then the expected part of each that a
 * storage level's or MAC's rule leaves. Rules, for a link from a level (the parent) to the next that keeps the operand (or the MACs):
 *
 * - An access of operand T with "on": [Y] is eliminated where all of Y that T's tile would meet is zero (`leader.ts`, `density.ts`). What is
 *   not fetched is not read further in either: an inner link loses at least what its outer link loses.
 * - A MAC is skipped or gated where its own rule says so, where the last read of a factor is, and, skipped, where a factor's
 *   own zero is not stored at the level that feeds the MACs.
 * - Outputs: an update is eliminated as an access is; a partial sum is read back only where an earlier update was made, so reads
 *   are updates less the words that were ever updated. `timeloop` scales reads as updates, as published runs do.
 * - Zero padding of inputs counts as zeros, beside those that their density says: in formats by what moves at the level, elsewhere by the MACs
 *   that meet it.
 * - Cycles: the steps that are not skipped, all MACs equally long at work (a bound: real machines wait for the slowest), or
 *   the busiest port, whichever is more; gated steps and accesses take their time.
 *
 * Expectations are exact where inputs do not overlap between tiles; with halos a tile is taken as if it arrived whole.
 */
import { OptionError } from '../errors.ts'
import { compressionOf, type Factor, type Hardware, type OperandSparsity, type ZeroAction } from '../schedule/hardware.ts'
import { keeps, type Mapping } from '../schedule/mapping.ts'
import { reach, tileWords } from '../schedule/check.ts'
import { OPERANDS, extentOf, type Operand, type Problem } from '../schedule/problem.ts'
import { neverMeet, paddedDensity, zeroModel, type Density, type Zeros } from './density.ts'
import type { Evaluation, EvaluationTime, SparseCounts, SparseEvaluation } from './evaluation.ts'
import { storedBy, type Stored } from './formats.ts'
import type { Halo } from './geometry.ts'
import { leaderTiles, lengthsOf, lifetimeLoops, loopsOf, visitLoops, type Link, type NestLoop } from './leader.ts'
import { DELIVERIES, FILLS, HOPS, READS, UPDATES, cell } from './tally.ts'

/** Densities of operands; those not named have no zeros. Outputs' (after a rectifier, say) matter to formats alone. */
export type Densities = Readonly<Partial<Record<Operand, Density>>>

/** The dense counts that zeros take from, and what turns counts into energy and time. */
export interface DenseCounts {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
  readonly halo: Halo
  readonly tally: Float64Array
  /** By level, input accesses that are padding. */
  readonly padding: Readonly<Record<string, number>>
  readonly macs: number
  readonly steps: number
  readonly pes: number
  readonly energy: (tally: Float64Array, macs: number) => Evaluation['energy']
  readonly time: (tally: Float64Array, steps: number) => { readonly cycles: number; readonly time: EvaluationTime }
}

const FACTORS: readonly Factor[] = ['weights', 'inputs']

/** How likely something is left out because of each factor's zeros: by skipping alone, and by skipping or gating. */
interface Emptiness {
  readonly skipped: Readonly<Record<Factor, number>>
  readonly eliminated: Readonly<Record<Factor, number>>
}
const NEVER: Emptiness = { skipped: { weights: 0, inputs: 0 }, eliminated: { weights: 0, inputs: 0 } }

/** Parts of what a format stores. */
interface Parts {
  readonly actual: number
  readonly gated: number
  readonly skipped: number
}

/**
 * The sparse side of an evaluation.
 * @throws OptionError for densities that are none, or formats that do not fit them or the hardware
 */
export function sparseOf(dense: DenseCounts, densities: Densities): SparseEvaluation {
  const { name, levels, sparsity } = dense.hardware
  const unknown = Object.keys(sparsity?.levels ?? {}).find((level) => !levels.some((own) => own.name === level))
  if (unknown !== undefined) {
    throw new OptionError(`${name} has rules about zeros of a level ${unknown}, and no such level`, {
      remedy: `Name one of ${levels.map((level) => level.name).join(', ')}`,
    })
  }
  return new SparseBill(dense, densities).written()
}

class SparseBill {
  readonly #dense: DenseCounts
  readonly #given: Densities
  readonly #zeros: Readonly<Record<Operand, Zeros>>
  readonly #words: Readonly<Record<Operand, number>>
  readonly #loops: readonly NestLoop[]
  readonly #multicasts: readonly boolean[]
  /** Tallies of what is left, gated, skipped: words as stored, the bits beside them in words too. `busy`: what takes time. */
  readonly #tallies: Readonly<Record<'actual' | 'gated' | 'skipped' | 'busy', Float64Array>>
  readonly #accesses: Map<string, SparseCounts> = new Map()
  readonly #metadata: Float64Array
  readonly #stored = new Map<string, Stored>()

  constructor(dense: DenseCounts, densities: Densities) {
    const { problem, hardware, mapping, tally } = dense
    this.#dense = dense
    this.#given = densities
    this.#loops = loopsOf(mapping)
    this.#multicasts = hardware.levels.map(({ multicast }) => multicast ?? true)
    const whole = (operand: Operand): number => tileWords(problem, mapping, 0, operand)
    this.#words = { weights: whole('weights'), inputs: whole('inputs'), outputs: whole('outputs') }
    this.#zeros = {
      weights: zeroModel(densities.weights ?? 1, this.#words.weights),
      inputs: zeroModel(paddedDensity(problem, densities.inputs), this.#words.inputs),
      outputs: zeroModel(densities.outputs ?? 1, this.#words.outputs),
    }
    const blank = (): Float64Array => new Float64Array(tally.length)
    this.#tallies = { actual: blank(), gated: blank(), skipped: blank(), busy: blank() }
    this.#metadata = new Float64Array(hardware.levels.length * OPERANDS.length)
  }

  written(): SparseEvaluation {
    const { hardware, macs, steps, pes, energy: bill, time: clock } = this.#dense
    const [weights, inputs] = FACTORS.map((operand) => this.#countFactor(operand))
    this.#countOutputs()
    const parts = partsOf(this.#macEmptiness(weights ?? NEVER, inputs ?? NEVER))
    const performed = macs * parts.actual
    const { cycles, time } = clock(this.#tallies.busy, Math.ceil(steps * (1 - parts.skipped) - 1e-9))
    const { weights: w, inputs: i } = this.#zeros
    const nothing = { actual: 0, gated: 0, skipped: 0 }
    const byLevel = <T>(value: (level: string, index: number) => T): Record<string, T> =>
      Object.fromEntries(hardware.levels.map(({ name }, index) => [name, value(name, index)]))
    const perOperand = <T>(value: (operand: Operand, index: number) => T): Record<Operand, T> => ({
      weights: value('weights', 0),
      inputs: value('inputs', 1),
      outputs: value('outputs', 2),
    })
    return {
      densities: Object.fromEntries(
        OPERANDS.flatMap((operand) => {
          const given = this.#given[operand]
          return given === undefined ? [] : [[operand, zeroModel(given, this.#words[operand]).density]]
        }),
      ),
      macs: { effective: macs * w.density * i.density, performed, gated: macs * parts.gated, skipped: macs * parts.skipped },
      cycles,
      utilization: cycles === 0 ? 0 : performed / (cycles * pes),
      accesses: byLevel((level) =>
        perOperand((operand) => {
          const counts = (kind: string): SparseCounts => this.#accesses.get(`${level} ${operand} ${kind}`) ?? nothing
          return { reads: counts('reads'), fills: counts('fills'), updates: counts('updates') }
        }),
      ),
      metadata: byLevel((_, level) => perOperand((_operand, index) => this.#metadata[level * OPERANDS.length + index] ?? 0)),
      stored: Object.fromEntries(
        hardware.levels.flatMap(({ name }) => {
          const own = OPERANDS.flatMap((operand) => {
            const tile = this.#stored.get(`${name} ${operand}`)
            return tile === undefined ? [] : [[operand, tile] as const]
          })
          return own.length === 0 ? [] : [[name, Object.fromEntries(own)]]
        }),
      ),
      time,
      energy: bill(this.#tallies.actual, performed),
      saved: {
        gated: bill(this.#tallies.gated, macs * parts.gated).total,
        skipped: bill(this.#tallies.skipped, macs * parts.skipped).total,
      },
    }
  }

  /** Weights or inputs, from the outermost link in. Returns how likely the last read, a MAC's, is left out. */
  #countFactor(operand: Factor): Emptiness {
    let outer = NEVER
    for (const link of this.#links(operand)) {
      const own = this.#emptiness(operand, link, (loops) => visitLoops(loops, link, this.#depth, operand, this.#multicasts))
      outer = { skipped: larger(outer.skipped, own.skipped), eliminated: larger(outer.eliminated, own.eliminated) }
      const parts = partsOf(outer)
      const at = this.#storedAt(link.parent, operand)
      this.#charge(link.parent, operand, READS, 'reads', parts, at)
      const isMac = link.child === this.#depth
      if (!isMac) this.#charge(link.child, operand, FILLS, 'fills', parts, this.#storedAt(link.child, operand))
      this.#chargeNetwork(link, operand, parts, isMac ? at : this.#storedAt(link.child, operand))
    }
    return outer
  }

  #countOutputs(): void {
    const { tally, halo } = this.#dense
    for (const link of this.#links('outputs')) {
      const { parent, child } = link
      const made = this.#emptiness('outputs', link, (loops) => visitLoops(loops, link, this.#depth, 'outputs', this.#multicasts))
      const parts = partsOf(made)
      const at = this.#storedAt(parent, 'outputs')
      this.#charge(parent, 'outputs', UPDATES, 'updates', parts, at)
      const output = OPERANDS.indexOf('outputs')
      const updates = tally[cell(parent, output, UPDATES)] ?? 0
      const reads = tally[cell(parent, output, READS)] ?? 0
      const back = halo === 'timeloop' || reads === 0 ? parts : this.#readBack(link, parts, updates, reads)
      this.#charge(parent, 'outputs', READS, 'reads', back, at)
      const isMac = child === this.#depth
      if (!isMac) this.#charge(child, 'outputs', FILLS, 'fills', back, this.#storedAt(child, 'outputs'))
      this.#chargeNetwork(link, 'outputs', parts, isMac ? at : this.#storedAt(child, 'outputs'))
    }
  }

  /** Reads of partial sums: updates less the words that are ever updated, over the reads of a dense run. */
  #readBack(link: Link, parts: Parts, updates: number, reads: number): Parts {
    const words = updates - reads
    const { on = [], action } = this.#rule(link.parent, 'outputs') ?? {}
    if (action === undefined) return parts
    const never = this.#neverUpdated(link, on, updates / words, 1 - parts.actual)
    const left = (updates * parts.actual - words * (1 - never)) / reads
    return action === 'skip' ? { actual: left, gated: 0, skipped: 1 - left } : { actual: left, gated: 1 - left, skipped: 0 }
  }

  /** How likely all updates of an output are left out. */
  #neverUpdated(link: Link, on: readonly Factor[], updates: number, eliminated: number): number {
    const [first, second] = on
    if (first !== undefined && second === undefined) {
      return this.#emptinessOf(first, 'outputs', (loops) => lifetimeLoops(loops, link))
    }
    // Each update is one product, each product of other words: exact for zeros at random.
    const { weights, inputs } = this.#zeros
    const { macs, tally } = this.#dense
    const isEach = macs === (tally[cell(link.parent, OPERANDS.indexOf('outputs'), UPDATES)] ?? 0)
    if (isEach && Number.isInteger(updates) && this.#isRandom('weights') && this.#isRandom('inputs')) {
      const of = (operand: Factor, { density }: Zeros) => ({ words: this.#words[operand], density })
      return neverMeet(of('weights', weights), of('inputs', inputs), updates)
    }
    return eliminated ** updates
  }

  #isRandom(operand: Factor): boolean {
    const given = this.#given[operand]
    return given === undefined || typeof given === 'number' || ('spread' in given && given.spread === 'random')
  }

  /** By a rule of a MAC, by what feeds it, or because a zero is not there to be multiplied. */
  #macEmptiness(weights: Emptiness, inputs: Emptiness): Emptiness {
    const compute = this.#dense.hardware.sparsity?.compute
    const of = (factor: Factor): { skipped: number; eliminated: number } => {
      const feeding = this.#links(factor).at(-1)
      const stored = feeding === undefined ? 1 : this.#storedAt(feeding.parent, factor, this.#zeros[factor].density).values
      const zero = compute?.on.includes(factor) === true ? 1 - this.#zeros[factor].density : 0
      return {
        skipped: Math.max(weights.skipped[factor], inputs.skipped[factor], 1 - stored, compute?.action === 'skip' ? zero : 0),
        eliminated: Math.max(weights.eliminated[factor], inputs.eliminated[factor], 1 - stored, zero),
      }
    }
    const [w, i] = [of('weights'), of('inputs')]
    return {
      skipped: { weights: w.skipped, inputs: i.skipped },
      eliminated: { weights: w.eliminated, inputs: i.eliminated },
    }
  }

  /** What the rule of a link's parent leaves out. */
  #emptiness(target: Operand, link: Link, visit: (loops: readonly NestLoop[]) => ReadonlySet<NestLoop>): Emptiness {
    const rule = this.#rule(link.parent, target)
    if (rule === undefined) return NEVER
    const of = (factor: Factor): number => (rule.on.includes(factor) ? this.#emptinessOf(factor, target, visit) : 0)
    const eliminated = { weights: of('weights'), inputs: of('inputs') }
    return { eliminated, skipped: rule.action === 'skip' ? eliminated : NEVER.skipped }
  }

  #emptinessOf(leader: Factor, target: Operand, visit: (loops: readonly NestLoop[]) => ReadonlySet<NestLoop>): number {
    if (this.#given[leader] === undefined) return 0
    const zeros = this.#zeros[leader]
    const tiles = leaderTiles(this.#dense.problem, this.#loops, visit(this.#loops), { target, leader, group: zeros.group })
    return tiles.reduce((sum, tile) => sum + tile.part * zeros.empty(tile), 0)
  }

  #rule(level: number, operand: Operand): { readonly action: ZeroAction; readonly on: readonly Factor[] } | undefined {
    const { action, on } = this.#described(level, operand) ?? {}
    return action === undefined || on === undefined ? undefined : { action, on }
  }

  #described(level: number, operand: Operand): OperandSparsity | undefined {
    const { levels, sparsity } = this.#dense.hardware
    return sparsity?.levels?.[levels[level]?.name ?? '']?.[operand]
  }

  /**
   * What a level's format makes of a value; of an operand without a density: stored as it is.
   * @param ofMacs the density among what MACs meet, where it is not the density of what moves that is asked for
   */
  #storedAt(level: number, operand: Operand, ofMacs?: number): Stored {
    const { problem, hardware, mapping } = this.#dense
    const name = hardware.levels[level]?.name ?? ''
    const described = this.#described(level, operand)
    if (described?.format === undefined || this.#given[operand] === undefined) return { values: 1, metadata: 0 }
    if (compressionOf(hardware, level, operand) !== 1) {
      throw new OptionError(`${name} has both a compression and a format of ${operand}`, { remedy: 'Give one of them' })
    }
    const density = ofMacs ?? this.#densityAt(level, operand)
    if (described.format === '2:4' && density > 0.5) {
      throw new OptionError(`${name} stores ${operand} as 2:4, and ${density} of them are not zero`, {
        operand,
        limit: 'a density of at most 0.5',
        remedy: `Give ${operand} as 2:4`,
      })
    }
    const lengths = lengthsOf((dimension) =>
      this.#loops
        .filter((loop) => loop.level >= level && loop.dimension === dimension)
        .reduce((length, { bound }) => Math.min(length * bound, extentOf(problem, dimension)), 1),
    )
    const words = tileWords(problem, mapping, level, operand)
    const columns = reach(lengths.Q, problem.stride[1], lengths.S, problem.dilation[1])
    const stored = storedBy(described, { operand, density, valueBits: this.#bitsOf(operand), words, lengths, columns })
    if (ofMacs === undefined)
      this.#stored.set(`${name} ${operand}`, { values: words * stored.values, metadata: words * stored.metadata })
    return stored
  }

  /** Part of what moves at a level that is not zero: of inputs, less its padding. */
  #densityAt(level: number, operand: Operand): number {
    const { tally, hardware, padding } = this.#dense
    const given = this.#given[operand]
    const { density } = given === undefined ? this.#zeros[operand] : zeroModel(given, this.#words[operand])
    if (operand !== 'inputs') return density
    const index = OPERANDS.indexOf(operand)
    const moved = (tally[cell(level, index, READS)] ?? 0) + (tally[cell(level, index, FILLS)] ?? 0)
    return moved === 0 ? density : density * (1 - (padding[hardware.levels[level]?.name ?? ''] ?? 0) / moved)
  }

  #bitsOf(operand: Operand): number {
    const { hardware } = this.#dense
    const bits = hardware.precision?.[operand] ?? hardware.word_bits
    if (bits !== undefined) return bits
    throw new OptionError(`${hardware.name} does not say how wide its words are, and a format stores bits beside them`, {
      remedy: 'Add "word_bits" to the hardware',
    })
  }

  /** Takes the parts of one count. */
  #charge(level: number, operand: Operand, kind: number, name: string, parts: Parts, { values, metadata }: Stored): void {
    const { tally, hardware } = this.#dense
    const index = OPERANDS.indexOf(operand)
    const count = tally[cell(level, index, kind)] ?? 0
    this.#accesses.set(`${hardware.levels[level]?.name} ${operand} ${name}`, {
      actual: count * values * parts.actual,
      gated: count * values * parts.gated,
      skipped: count * values * parts.skipped,
    })
    const at = level * OPERANDS.length + index
    this.#metadata[at] = (this.#metadata[at] ?? 0) + count * metadata * parts.actual
    this.#split(cell(level, index, kind), parts, metadata === 0 ? values : values + metadata / this.#bitsOf(operand))
  }

  #chargeNetwork({ parent, child }: Link, operand: Operand, parts: Parts, { values, metadata }: Stored): void {
    const index = OPERANDS.indexOf(operand)
    const words = metadata === 0 ? values : values + metadata / this.#bitsOf(operand)
    this.#split(cell(parent, index, DELIVERIES), parts, words)
    for (let level = parent; level < child; level++) this.#split(cell(level, index, HOPS), parts, words)
  }

  #split(at: number, { actual, gated, skipped }: Parts, words: number): void {
    const count = (this.#dense.tally[at] ?? 0) * words
    this.#tallies.actual[at] = count * actual
    this.#tallies.gated[at] = count * gated
    this.#tallies.skipped[at] = count * skipped
    this.#tallies.busy[at] = count * (actual + gated)
  }

  get #depth(): number {
    return this.#dense.mapping.levels.length
  }

  #links(operand: Operand): Link[] {
    const { mapping, hardware } = this.#dense
    const chain = [...mapping.levels.keys()].filter((level) => keeps(mapping, level, operand, hardware))
    return chain.map((parent, index) => ({ parent, child: chain[index + 1] ?? this.#depth }))
  }
}

/** Zeros of different operands are independent: none is empty with Π (1 − e). */
function partsOf({ skipped, eliminated }: Emptiness): Parts {
  const left = (of: Readonly<Record<Factor, number>>): number => FACTORS.reduce((part, factor) => part * (1 - of[factor]), 1)
  const actual = left(eliminated)
  const timed = left(skipped)
  return { actual, gated: timed - actual, skipped: 1 - timed }
}

function larger(a: Readonly<Record<Factor, number>>, b: Readonly<Record<Factor, number>>): Readonly<Record<Factor, number>> {
  return { weights: Math.max(a.weights, b.weights), inputs: Math.max(a.inputs, b.inputs) }
}
