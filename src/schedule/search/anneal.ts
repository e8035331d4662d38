/**
 * A search of spaces too large to walk: several lines of simulated annealing, the better half of them longer, and in
 * between every single change of the best until none helps. Think of hikers in fog who at first also walk downhill, later only up.
 * Deterministic for a seed; the loop allocates nothing.
 */
import { Candidate } from './candidate.ts'
import type { Judge } from './judge.ts'
import { polish } from './polish.ts'
import type { Random } from './random.ts'

/** Draws between two rests. */
const SLICE = 1000
/** Draws for each evaluation of a lane, at most: where next to nothing fits, a lane ends by this. */
const DRAWS = 20
/** Temperatures, in natural logarithms of the objective: worse by 30 % at first, by 0.05 % at last; from a good start cooler. */
const HOT = 0.3
const WARM = 0.08
const COLD = 0.0005
/** Part of the budget for the first pass, in which every lane runs; the passes after it share the rest evenly. */
const FIRST = 0.4
/** Lanes at least: where the register file leaves no choice of what to keep, they differ by chance alone. */
const LEAST_LANES = 4

/** One line of search: from its best so far, or from a random start. */
interface Lane {
  readonly best: Candidate
  /** As `Judge.score`; Infinity before the first mapping. */
  score: number
  /** Operands that the innermost level keeps (bits); undefined: any. */
  readonly keep?: number
}

/**
 * Lanes start with different operands kept in the register file, for which the best tiles differ most; the better half of them
 * goes on, until one is left. Ends before the budget where nothing more is found.
 * @param starts mappings to begin from beside random ones
 */
export function* anneal(judge: Judge, random: Random, budget: number, starts: readonly Candidate[]): Generator<void, void> {
  let lanes = lanesOf(judge, starts)
  const all = budget - judge.seen
  let polished = Infinity
  const passes = Math.ceil(Math.log2(lanes.length)) + 1
  for (let pass = 0; lanes.length > 0 && judge.seen < budget; pass++) {
    const share = pass === 0 ? FIRST * all : ((1 - FIRST) * all) / (passes - 1)
    for (const lane of lanes) {
      const most = Math.ceil(Math.min(budget - judge.seen, share / lanes.length))
      if (most > 0) yield* runLane(judge, random, lane, most, lanes.length === 1)
    }
    if (judge.value < polished) yield* polish(judge, budget)
    polished = judge.value
    if (lanes.length === 1) break
    lanes = lanes.toSorted((one, other) => one.score - other.score).slice(0, Math.ceil(lanes.length / 2))
  }
}

function lanesOf(judge: Judge, starts: readonly Candidate[]): readonly Lane[] {
  const { space } = judge.best
  const innermost = space.rules.at(-1)
  const may = innermost?.may ?? 0
  const lanes = starts.map((best): Lane => ({ best, score: judge.score(best) })).filter(({ score }) => score < Infinity)
  for (let subset = may; ; subset = (subset - 1) & may) {
    lanes.push({ best: new Candidate(space), score: Infinity, keep: (innermost?.must ?? 0) | subset })
    if (subset === 0) break
  }
  while (lanes.length < LEAST_LANES) lanes.push({ best: new Candidate(space), score: Infinity })
  return lanes
}

/** Anneals one lane with so many evaluations; the last one may change what its register file keeps. */
function* runLane(judge: Judge, random: Random, lane: Lane, evaluations: number, isLast: boolean): Generator<void, void> {
  const current = new Candidate(lane.best.space)
  const next = new Candidate(lane.best.space)
  const isFresh = lane.score === Infinity
  if (isFresh) begin(current, judge, random, lane.keep)
  else current.copy(lane.best)
  const from = judge.seen
  let value = judge.score(current)
  const hot = isFresh ? HOT : WARM
  const frozen = isLast || lane.keep === undefined ? -1 : lane.best.space.rules.length - 1
  for (let draw = 0; judge.seen - from < evaluations && draw < evaluations * DRAWS; draw++) {
    if (value < lane.score) {
      lane.best.copy(current)
      lane.score = value
    }
    if (draw % SLICE === SLICE - 1) yield
    const passed = Math.max((judge.seen - from) / evaluations, draw / (evaluations * DRAWS))
    const heat = hot * (COLD / hot) ** passed
    next.copy(current)
    let changed = next.mutate(random, frozen)
    while (random.next() < 0.3) changed = next.mutate(random, frozen) || changed
    if (!changed) continue
    const score = judge.score(next)
    if (score <= value || random.next() < Math.exp((value - score) / heat)) {
      current.copy(next)
      value = score
    }
  }
  if (value < lane.score) {
    lane.best.copy(current)
    lane.score = value
  }
}

/** A random candidate whose tiles fit; where `keep` is given, with these operands in the innermost level. */
function begin(candidate: Candidate, judge: Judge, random: Random, keep: number | undefined): void {
  candidate.randomize(random)
  if (keep !== undefined) candidate.keep[candidate.space.rules.length - 1] = keep
  while (!judge.fits(candidate) && candidate.shrink(random));
}
