/**
 * A search of spaces too large to walk: rounds of simulated annealing, and after each that found a new best every single change of
 * it until none helps. Think of a hiker in fog who at first also walks downhill, later only up, and in the end tries each direction.
 * Deterministic for a seed; the loop allocates nothing.
 */
import { OPERANDS } from '../problem.ts'
import { Candidate } from './candidate.ts'
import type { Judge } from './judge.ts'
import type { Random } from './random.ts'

/** Draws between two rests. */
const SLICE = 1000
/** Draws for each evaluation of the budget, at most: where next to nothing fits, a search ends by this. */
const DRAWS = 20
/** Temperatures, in natural logarithms of the objective: worse by 30 % at first, by 0.05 % at last; from a good start cooler. */
const HOT = 0.3
const WARM = 0.05
const COLD = 0.0005
/** Evaluations of a round. */
const ROUND = 4000
const MOST_ROUNDS = 12
/** Given starts that have a round of their own: the best of them. */
const MOST_STARTS = 3

/** @param starts mappings to begin from; the others begin at random, or at the best so far */
export function* anneal(judge: Judge, random: Random, budget: number, starts: readonly Candidate[]): Generator<void, void> {
  const current = new Candidate(judge.best.space)
  const next = new Candidate(judge.best.space)
  const scored = starts.map((start) => ({ start, score: judge.score(start) }))
  const given = scored
    .filter(({ score }) => score < Infinity)
    .toSorted((a, b) => a.score - b.score)
    .slice(0, MOST_STARTS)
  const rounds = Math.max(2, Math.min(MOST_ROUNDS, Math.round(budget / ROUND)))
  const share = Math.max(1, Math.ceil((budget - judge.seen) / rounds))
  let polished = Infinity
  for (let round = 0, left = budget * DRAWS; judge.seen < budget && left > 0; round++) {
    const from = judge.seen
    const until = Math.min(budget, from + share)
    const most = share * DRAWS
    const start = given[round]?.start
    const again = start === undefined && round % 2 === 1 && judge.found
    if (start !== undefined) current.copy(start)
    else if (again) current.copy(judge.best)
    else begin(current, judge, random)
    let value = judge.score(current)
    const hot = start !== undefined || again ? WARM : HOT
    let draw = 0
    for (; judge.seen < until && draw < most; draw++) {
      if (draw % SLICE === SLICE - 1) yield
      const passed = Math.max((judge.seen - from) / share, draw / most)
      const heat = hot * (COLD / hot) ** passed
      next.copy(current)
      let changed = next.mutate(random)
      while (random.next() < 0.3) changed = next.mutate(random) || changed
      if (!changed) continue
      const score = judge.score(next)
      if (score <= value || random.next() < Math.exp((value - score) / heat)) {
        current.copy(next)
        value = score
      }
    }
    left -= draw + 1
    yield
    if (judge.value < polished) yield* polish(judge, budget)
    polished = judge.value
  }
}

/** A random candidate whose tiles fit. */
function begin(candidate: Candidate, judge: Judge, random: Random): void {
  candidate.randomize(random)
  while (!judge.fits(candidate) && candidate.shrink(random));
}

/** Tries every single change of the best, and again from each better one, until none is better or the budget is spent. */
function* polish(judge: Judge, budget: number): Generator<void, void> {
  const trial = new Candidate(judge.best.space)
  let before = Infinity
  while (judge.found && judge.value < before && judge.seen < budget) {
    before = judge.value
    yield* polishBounds(judge, trial, budget)
    yield* polishLevels(judge, trial, budget)
  }
}

function* polishBounds(judge: Judge, trial: Candidate, budget: number): Generator<void, void> {
  const { space } = trial
  for (const d of space.active) {
    for (let s = 0; s < space.last && judge.seen < budget; s++) {
      trial.copy(judge.best)
      const rest = trial.rest(d, s)
      const count = space.choices(d, s, rest, trial.room(d, s))
      for (let choice = 0; choice < count && judge.seen < budget; choice++) {
        trial.copy(judge.best)
        trial.setBound(d, s, space.balanced(trial.rest(d, s))[choice] ?? 1)
        if (trial.settle(d)) judge.score(trial)
      }
      yield
    }
    for (let from = 0; from <= space.last; from++) {
      for (let to = 0; to <= space.last; to++) {
        for (let factor = 2; factor <= judge.best.bound(d, from) && judge.seen < budget; factor++) {
          if (from === to || judge.best.bound(d, from) % factor !== 0) continue
          trial.copy(judge.best)
          if (trial.transfer(d, from, to, factor)) judge.score(trial)
        }
      }
      yield
    }
  }
}

function* polishLevels(judge: Judge, trial: Candidate, budget: number): Generator<void, void> {
  const { rules } = trial.space
  for (let level = 0; level < rules.length; level++) {
    const loops = judge.best.loops(level)
    for (let from = 0; from < loops; from++) {
      for (let to = 0; to < loops && judge.seen < budget; to++) {
        trial.copy(judge.best)
        trial.loops(level)
        if (trial.move(level, from, to)) judge.score(trial)
      }
    }
    for (let at = 0; at < OPERANDS.length && judge.seen < budget; at++) {
      trial.copy(judge.best)
      if (trial.flipKeep(level, 1 << at)) judge.score(trial)
      trial.copy(judge.best)
      if (trial.flipForward(level, 1 << at)) judge.score(trial)
    }
    yield
  }
}
