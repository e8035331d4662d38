/**
 * The end of a search: changes of the best mapping one after another, and again from each better one, until none is better. Think
 * of packing a full case: single things first, then one thing out and the largest that fits in its place.
 */
import { OPERANDS } from '../problem.ts'
import { Candidate } from './candidate.ts'
import type { Judge } from './judge.ts'

/** Ends where nothing is better, or when the judge has seen `budget`. */
export function* polish(judge: Judge, budget: number): Generator<void, void> {
  const trial = new Candidate(judge.best.space)
  let before = Infinity
  while (judge.found && judge.value < before && judge.seen < budget) {
    before = judge.value
    yield* polishBounds(judge, trial, budget)
    yield* polishLevels(judge, trial, budget)
    // Pairs are many: only where single changes have come to an end.
    if (judge.value === before) yield* polishPairs(judge, trial, budget)
  }
}

/** Every other bound at every slot, and every factor from one slot of a dimension to another. */
function* polishBounds(judge: Judge, trial: Candidate, budget: number): Generator<void, void> {
  const { space } = trial
  for (const d of space.active) {
    for (let s = 0; s < space.last && judge.seen < budget; s++) {
      trial.copy(judge.best)
      const count = space.choices(d, s, trial.rest(d, s), trial.room(d, s))
      for (let choice = 0; choice < count && judge.seen < budget; choice++) {
        trial.copy(judge.best)
        trial.setBound(d, s, space.balanced(trial.rest(d, s))[choice] ?? 1)
        if (trial.settle(d)) judge.score(trial)
      }
      yield
    }
    for (let from = 0; from <= space.last; from++) {
      for (let to = 0; to <= space.last; to++) {
        const whole = from === to ? 1 : judge.best.bound(d, from)
        for (let factor = 2; factor <= whole && judge.seen < budget; factor++) {
          // A better mapping may have come with another bound.
          if (whole % factor !== 0 || judge.best.bound(d, from) % factor !== 0) continue
          trial.copy(judge.best)
          if (trial.transfer(d, from, to, factor)) judge.score(trial)
        }
      }
      yield
    }
  }
}

/** Every move of a loop within its level, every operand kept or not, forwarded or not. */
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

/** Less of one dimension at a slot, and as much of another there as then fits; of long dimensions a part of all pairs. */
function* polishPairs(judge: Judge, trial: Candidate, budget: number): Generator<void, void> {
  const { space } = trial
  let pairs = 0
  for (let s = 0; s < space.last; s++) {
    for (const less of space.active) {
      if ((space.fixed[less * space.slots.length + s] ?? 0) > 0) continue
      for (let choice = 0; judge.seen < budget && pairs < PAIRS * budget; choice++) {
        const bound = space.balanced(judge.best.rest(less, s))[choice] ?? Infinity
        if (bound >= judge.best.bound(less, s)) break
        for (const more of space.active) {
          if (more === less || judge.seen >= budget) continue
          grow(judge, trial, { s, less, bound, more })
          pairs++
        }
        yield
      }
    }
  }
}

/** Pairs tried for each mapping of the budget, at most: those that fit nowhere are not counted by the judge. */
const PAIRS = 5

interface Pair {
  readonly s: number
  readonly less: number
  readonly bound: number
  readonly more: number
}

/** Scores the best with `bound` of `less` at a slot and the largest bound of `more` that fits there, where that is more than it was. */
function grow(judge: Judge, trial: Candidate, pair: Pair): void {
  const { space } = trial
  const { s, more } = pair
  if (!shrink(judge, trial, pair)) return
  const values = space.balanced(trial.rest(more, s))
  let low = space.fitting(trial.rest(more, s), trial.bound(more, s))
  let high = space.choices(more, s, trial.rest(more, s), trial.room(more, s))
  let largest = -1
  const fits = (choice: number): boolean => {
    if (!shrink(judge, trial, pair)) return false
    trial.setBound(more, s, values[choice] ?? 1)
    return trial.settle(more) && judge.fits(trial)
  }
  while (low < high) {
    const middle = (low + high) >> 1
    if (fits(middle)) {
      largest = middle
      low = middle + 1
    } else high = middle
  }
  if (largest >= 0 && fits(largest)) judge.score(trial)
}

/** The best with `bound` of `less` at the slot. */
function shrink(judge: Judge, trial: Candidate, { s, less, bound }: Pair): boolean {
  trial.copy(judge.best)
  trial.setBound(less, s, bound)
  return trial.settle(less)
}
