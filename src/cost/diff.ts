/**
 * What separates two mappings of a problem: which access grew or shrank, by how many words and how much energy, and why. Think of a
 * bill compared with last month's, each line's change put down to what was done differently.
 *
 * The reasons are computed. The mappings differ in steps (see `differences.ts`); each step is taken on the way from a to b and the
 * counts are evaluated before and after it. A change depends on what was changed before it, so the way is walked in several orders,
 * each with its reverse, and a step's part is the mean: with two steps that is Shapley's value, with more an estimate of it. On
 * every way the parts add up to the whole change, and their mean does so exactly: counts are integers and the number of ways is a
 * power of two (words below 2^49). What a step does by itself, at a and at b, is given besides.
 */
import { MappingError, OptionError } from '../errors.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { encode } from '../schedule/code.ts'
import { keeps, type Mapping } from '../schedule/mapping.ts'
import { OPERANDS, macsOf, type Operand, type Problem } from '../schedule/problem.ts'
import { differencesOf, roomy, type Difference, type Differences, type Side } from './differences.ts'
import { evaluate } from './evaluate.ts'
import type { Evaluation } from './evaluation.ts'
import { pricesOf } from './prices.ts'
import { besides, factChanges, factsOf, networkChanges } from './reasons.ts'
import { Scorer, type ScorerOptions } from './scorer.ts'
import { KINDS, cell, type Kind } from './tally.ts'

export const DIFF_SCHEMA = 'tilewright.diff/1'

export interface DiffOptions {
  /** Hardware of b, with levels of the same names (default: that of a). */
  readonly hardwareB?: Hardware
  /** Conventions that a and b are counted by. */
  readonly a?: ScorerOptions
  readonly b?: ScorerOptions
}

export interface Change {
  readonly a: number
  readonly b: number
  /** b − a. */
  readonly change: number
}

/** What one difference contributes to one line. */
export interface DiffPart {
  /** Index into `differences`. */
  readonly difference: number
  /** Words of the line's change that are put down to it. The parts of a line add up to its change. */
  readonly words: number
  readonly energy: number
  /** Words by which it alone changes the line: taken at a, and given up last at b. */
  readonly alone: { readonly atA: number; readonly atB: number }
  readonly why: string
}

export interface DiffRow {
  /** A level's name, or `MAC`. */
  readonly level: string
  readonly operand?: Operand
  readonly kind: Kind | 'operations'
  readonly words: Change
  readonly energy: Change
  /** Largest first, by words. */
  readonly parts: readonly DiffPart[]
  /** `GLB reads of inputs 3.2×: …`, the largest part's reason. */
  readonly summary: string
}

export interface MappingDiff {
  readonly schema: typeof DIFF_SCHEMA
  readonly energy: Change
  readonly cycles: Change
  readonly utilization: Change
  /** In the order of their part of the energy. */
  readonly differences: readonly (Difference & { readonly energy: number })[]
  /** Lines that differ, most energy first. */
  readonly rows: readonly DiffRow[]
  /** Lines that are equal. */
  readonly equal: number
  readonly evaluations: { readonly a: Evaluation; readonly b: Evaluation }
}

/**
 * Compares mapping b with mapping a of one problem.
 * @throws MappingError when either is not legal on its hardware, or the hardwares' levels have other names
 */
export function diffMappings(problem: Problem, hardware: Hardware, a: Mapping, b: Mapping, options: DiffOptions = {}): MappingDiff {
  const sideA: Side = { hardware, mapping: a, options: options.a ?? {} }
  const sideB: Side = { hardware: options.hardwareB ?? hardware, mapping: b, options: options.b ?? {} }
  const [namesA, namesB] = [sideA, sideB].map((side) => side.hardware.levels.map(({ name }) => name).join(', '))
  if (namesA !== namesB) {
    throw new MappingError(`The levels differ: ${namesA} of ${sideA.hardware.name}, ${namesB} of ${sideB.hardware.name}`, {
      remedy: 'Compare mappings for hardware with levels of the same names',
    })
  }
  const evaluations = {
    a: evaluate(problem, sideA.hardware, a, sideA.options),
    b: evaluate(problem, sideB.hardware, b, sideB.options),
  }
  const differences = differencesOf(sideA, sideB)
  const lines = linesOf(hardware)
  const walk = new Walk(problem, differences, lines)
  const [first, last] = [walk.at(walk.none), walk.at(walk.all)]
  const shares = attribute(walk, lines.length)
  const rows = lines.flatMap((line, index): DiffRow[] => {
    const words = changeOf(first.words[index] ?? 0, last.words[index] ?? 0)
    const energy = changeOf(first.energies[index] ?? 0, last.energies[index] ?? 0)
    // Deliveries are lines of the bill only where a convention charges them.
    const uncharged = line.says.kind === 'deliveries' && energy.a === 0 && energy.b === 0
    if (uncharged || (words.change === 0 && energy.change === 0)) return []
    const parts = partsOf(problem, walk, line, index, shares)
    return [{ ...line.says, words, energy, parts, summary: summaryOf(line, words, energy, parts, differences.list) }]
  })
  const share = (step: number): number => shares.reduce((sum, { energies }) => sum + (energies[step] ?? 0), 0)
  checkTotals(first, last, evaluations)
  return {
    schema: DIFF_SCHEMA,
    energy: changeOf(evaluations.a.energy.total, evaluations.b.energy.total),
    cycles: changeOf(evaluations.a.cycles, evaluations.b.cycles),
    utilization: changeOf(evaluations.a.utilization, evaluations.b.utilization),
    differences: differences.list.map((difference, step) => ({ ...difference, energy: share(step) })),
    rows: rows.toSorted(
      (one, other) =>
        Math.abs(other.energy.change) - Math.abs(one.energy.change) || Math.abs(other.words.change) - Math.abs(one.words.change),
    ),
    equal: lines.length - rows.length,
    evaluations,
  }
}

const changeOf = (a: number, b: number): Change => ({ a, b, change: b - a })

/** One line of the bill: a cell of the tally, or the MACs. */
interface Line {
  readonly says: Pick<DiffRow, 'level' | 'operand' | 'kind'>
  /** Place in the tally; undefined for the MACs. */
  readonly cell?: number
  /** Index of the level. */
  readonly level: number
}

function linesOf({ levels }: Hardware): Line[] {
  const cells = levels.flatMap(({ name }, level) =>
    OPERANDS.flatMap((operand, at) =>
      KINDS.map((kind, which): Line => ({ says: { level: name, operand, kind }, level, cell: cell(level, at, which) })),
    ),
  )
  return [...cells, { says: { level: 'MAC', kind: 'operations' }, level: levels.length }]
}

/** The bill of a point on the way. */
interface Bill {
  readonly side: Side
  readonly words: readonly number[]
  readonly energies: readonly number[]
}

/** Points between a and b, each evaluated once. */
class Walk {
  readonly #problem: Problem
  readonly #differences: Differences
  readonly #lines: readonly Line[]
  readonly #bills = new Map<string, Bill>()
  readonly #hardware = new Map<string, Hardware>()
  readonly none: readonly boolean[]
  readonly all: readonly boolean[]

  constructor(problem: Problem, differences: Differences, lines: readonly Line[]) {
    this.#problem = problem
    this.#differences = differences
    this.#lines = lines
    this.none = differences.list.map(() => false)
    this.all = differences.list.map(() => true)
  }

  get list(): readonly Difference[] {
    return this.#differences.list
  }

  /** One object for equal hardware: counts are kept by it. */
  #shared(hardware: Hardware): Hardware {
    const key = JSON.stringify(hardware)
    const known = this.#hardware.get(key)
    if (known === undefined) this.#hardware.set(key, hardware)
    return known ?? hardware
  }

  at(taken: readonly boolean[]): Bill {
    const key = taken.map(Number).join('')
    const known = this.#bills.get(key)
    if (known !== undefined) return known
    const side = this.#differences.hybrid(taken)
    const scorer = new Scorer(this.#problem, this.#shared(roomy(side)), side.options)
    if (!scorer.score(encode(side.mapping))) {
      throw new MappingError('A mapping between the two cannot be counted', {
        remedy: 'This is a fault of Tilewright: please report it',
      })
    }
    const prices = pricesOf(side.hardware, side.options.convention)
    const macs = macsOf(this.#problem)
    const words = this.#lines.map((line) => (line.cell === undefined ? macs : (scorer.tally[line.cell] ?? 0)))
    const energies = this.#lines.map(
      (line, index) => (words[index] ?? 0) * (line.cell === undefined ? prices.mac : (prices.tally[line.cell] ?? 0)),
    )
    const bill = { side, words, energies }
    this.#bills.set(key, bill)
    return bill
  }
}

/** Orders of the steps and their reverses: a power of two of them. */
const WAYS = 16

function waysOf(steps: number): number[][] {
  const plain = Array.from({ length: steps }, (_, index) => index)
  if (steps < 2) return [plain]
  if (steps === 2) return [plain, plain.toReversed()]
  let state = 0x9e3779b9
  const random = (below: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x85ebca6b) >>> 0
    return (state >>> 8) % below
  }
  return Array.from({ length: WAYS / 2 }, (_, way) => {
    const order = [...plain]
    for (let at = way === 0 ? 0 : order.length - 1; at > 0; at--) {
      const other = random(at + 1)
      const [one, two] = [order[at] ?? 0, order[other] ?? 0]
      order[at] = two
      order[other] = one
    }
    return [order, order.toReversed()]
  }).flat()
}

/** By line: words and energy of each step, means over the ways. */
interface Shares {
  readonly words: number[]
  readonly energies: number[]
}

function attribute(walk: Walk, lines: number): Shares[] {
  const steps = walk.list.length
  const shares = Array.from({ length: lines }, (): Shares => ({ words: walk.list.map(() => 0), energies: walk.list.map(() => 0) }))
  const ways = waysOf(steps)
  for (const way of ways) {
    const taken = [...walk.none]
    let before = walk.at(taken)
    for (const step of way) {
      taken[step] = true
      const after = walk.at(taken)
      shares.forEach(({ words, energies }, line) => {
        words[step] = (words[step] ?? 0) + ((after.words[line] ?? 0) - (before.words[line] ?? 0))
        energies[step] = (energies[step] ?? 0) + ((after.energies[line] ?? 0) - (before.energies[line] ?? 0))
      })
      before = after
    }
  }
  return shares.map(({ words, energies }) => ({
    words: words.map((sum) => sum / ways.length),
    energies: energies.map((sum) => sum / ways.length),
  }))
}

function partsOf(problem: Problem, walk: Walk, line: Line, index: number, shares: readonly Shares[]): DiffPart[] {
  const { words = [], energies = [] } = shares[index] ?? {}
  const [first, last] = [walk.at(walk.none), walk.at(walk.all)]
  const parts = walk.list.flatMap((difference, step): DiffPart[] => {
    if (words[step] === 0 && energies[step] === 0) return []
    const taken = walk.at(walk.none.map((_, other) => other === step))
    const undone = walk.at(walk.all.map((_, other) => other !== step))
    const atA = (taken.words[index] ?? 0) - (first.words[index] ?? 0)
    const atB = (last.words[index] ?? 0) - (undone.words[index] ?? 0)
    // Told where the step does more by itself.
    const [before, after] = Math.abs(atA) >= Math.abs(atB) ? [first.side, taken.side] : [undone.side, last.side]
    return [
      {
        difference: step,
        words: words[step] ?? 0,
        energy: energies[step] ?? 0,
        alone: { atA, atB },
        why: whyOf(problem, line, difference, before, after, atA === 0 && atB === 0),
      },
    ]
  })
  return parts.toSorted(
    (one, other) => Math.abs(other.words) - Math.abs(one.words) || Math.abs(other.energy) - Math.abs(one.energy),
  )
}

function whyOf(problem: Problem, line: Line, difference: Difference, before: Side, after: Side, joint: boolean): string {
  const { operand, kind, level } = line.says
  if (joint && difference.kind === 'hardware') return 'a word costs another energy'
  if (joint && difference.kind === 'convention') return 'as many words, charged otherwise'
  const together = joint ? 'only together with the other differences' : ''
  if (operand === undefined || kind === 'operations') return together
  // What goes over a network goes to or from the level above it that keeps the operand.
  const isNetwork = kind === 'hops' || kind === 'deliveries'
  const at = isNetwork ? serving(after, operand, line.level) : line.level
  const counted = isNetwork ? (operand === 'outputs' ? 'updates' : 'reads') : kind
  const spread = isNetwork ? networkChanges(operand, line.level, before, after) : ''
  const asked = { problem, level: after.mapping.levels[at]?.name ?? level, operand, kind: counted }
  const facts = factChanges(asked, factsOf(problem, before, at, operand, counted), factsOf(problem, after, at, operand, counted))
  const said = [spread, ...facts].filter((reason) => reason !== '')
  return said.join('; ') || together || besides(asked, difference, before, after)
}

/** The innermost level at or above `level` that keeps an operand. */
function serving({ mapping, hardware }: Side, operand: Operand, level: number): number {
  let at = level
  while (at > 0 && !keeps(mapping, at, operand, hardware)) at--
  return at
}

/** 3.2×, or what appeared or vanished. */
export function factor({ a, b }: Change): string {
  if (a === 0) return b === 0 ? 'unchanged' : 'new'
  if (b === 0) return 'gone'
  const ratio = b / a
  return `${ratio >= 100 ? Math.round(ratio).toLocaleString('en-US') : Number(ratio.toPrecision(ratio >= 10 ? 3 : 2))}×`
}

function summaryOf(
  { says: { level, operand, kind } }: Line,
  words: Change,
  energy: Change,
  [first]: readonly DiffPart[],
  differences: readonly Difference[],
): string {
  const what = operand === undefined ? `${level} ${kind}` : `${level} ${kind} of ${operand}`
  const how = words.change === 0 ? `energy ${factor(energy)}` : factor(words)
  if (first === undefined) return `${what} ${how}`
  const why = first.why === '' ? '' : `: ${first.why}`
  return `${what} ${how}: ${differences[first.difference]?.label}${why}`
}

/**
 * A sentence where the differences make up for each other: taken alone, some would cost far more than either mapping does (an operand
 * kept elsewhere before its loops follow), so that their parts are large and of both signs. Empty elsewhere.
 */
export function entangled({ differences, energy }: MappingDiff): string {
  const parts = differences.reduce((sum, part) => sum + Math.abs(part.energy), 0)
  if (parts <= 2 * Math.max(energy.a, energy.b)) return ''
  return 'The differences depend on one another: some cost much without the others, and make up for them. Read them together.'
}

/** The bills of the ends must be those of the evaluations: else the parts would explain something else. */
function checkTotals(first: Bill, last: Bill, { a, b }: MappingDiff['evaluations']): void {
  for (const [bill, evaluation] of [
    [first, a],
    [last, b],
  ] as const) {
    const sum = bill.energies.reduce((total, energy) => total + energy, 0)
    if (Math.abs(sum - evaluation.energy.total) > 1e-9 * Math.abs(evaluation.energy.total)) {
      throw new OptionError(`The lines cost ${sum}, the evaluation ${evaluation.energy.total}`, {
        remedy: 'This is a fault of Tilewright: please report it',
      })
    }
  }
}
