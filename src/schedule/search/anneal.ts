/**
 * A search of spaces too large to walk: simulated annealing from several starts, then every single change of the best until none
 * helps. Think of a hiker in fog who at first also walks downhill, later only up, and in the end tries each direction.
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
/** Temperatures, in natural logarithms of the objective: worse by 30 % at first, by 0.05 % at last. */
const HOT = 0.3
const COLD = 0.0005
/** Part of the budget for the last, greedy part. */
const POLISH = 0.25

/** @param starts mappings to begin from; the others begin at random */
export function* anneal(judge: Judge, random: Random, budget: number, starts: readonly Candidate[]): Generator<void, void> {
  const { space } = judge.best
  const current = new Candidate(space)
  const next = new Candidate(space)
  for (const start of starts) judge.score(start)
  const rounds = Math.max(2, Math.min(12, Math.round(budget / 3000)))
  const share = (budget * (1 - POLISH)) / rounds
  for (let round = 0; round < rounds; round++) {
    const until = Math.min(budget, judge.seen + share)
    const from = judge.seen
    // Given starts first; then new ones and, every third time, the best so far.
    const start = starts[round]
    const again = start === undefined && round % 3 === 2 && judge.found
    if (start !== undefined) current.copy(start)
    else if (again) current.copy(judge.best)
    else begin(current, judge, random)
    let value = judge.score(current)
    const hot = start !== undefined || again ? HOT / 10 : HOT
    for (let draw = 0; judge.seen < until && draw < share * DRAWS; draw++) {
      if (draw % SLICE === SLICE - 1) yield
      const passed = Math.max((judge.seen - from) / share, draw / (share * DRAWS))
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
    yield
  }
  yield* polish(judge, budget)
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
