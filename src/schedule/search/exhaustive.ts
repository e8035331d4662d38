/**
 * Every mapping of a small space: all bounds, then all kept and forwarded operands, then all loop orders. Bounds whose tiles fit
 * nowhere are left out with all their orders, and so are orders of loops of one trip: no mapping is lost by either.
 */
import type { Candidate } from './candidate.ts'
import type { Judge } from './judge.ts'
import { D } from './space.ts'

/** Candidates between two rests. */
const SLICE = 2000

/** Walks the space of `candidate`; yields every now and then so that the caller can stop. */
export function* walkAll(candidate: Candidate, judge: Judge): Generator<void, void> {
  yield* walkBounds(candidate, judge, 0, 0)
}

function* walkBounds(candidate: Candidate, judge: Judge, at: number, s: number): Generator<void, void> {
  const { space } = candidate
  const d = space.active[at]
  if (d === undefined) {
    yield* walkKeeps(candidate, judge, 0)
    return
  }
  const rest = candidate.rest(d, s)
  if (s === space.last) {
    candidate.setBound(d, s, rest)
    if (rest > 1 && space.allowed[d * space.slots.length + s] !== 1) judge.pruned++
    else yield* walkBounds(candidate, judge, at + 1, 0)
    return
  }
  const fixed = space.fixed[d * space.slots.length + s] ?? 0
  if (fixed > 0) {
    candidate.setBound(d, s, fixed)
    yield* walkBounds(candidate, judge, at, s + 1)
    return
  }
  // Dimensions further on have not chosen yet: only fixed bounds and those already chosen take room.
  candidate.setBound(d, s, 1)
  const room = candidate.room(d, s)
  const count = space.choices(d, s, rest, room)
  for (let choice = 0; choice < count; choice++) {
    candidate.setBound(d, s, space.balanced(rest)[choice] ?? 1)
    yield* walkBounds(candidate, judge, at, s + 1)
  }
  candidate.setBound(d, s, 1)
}

function* walkKeeps(candidate: Candidate, judge: Judge, level: number): Generator<void, void> {
  const rule = candidate.space.rules[level]
  if (rule === undefined) {
    if (judge.fits(candidate)) yield* walkForwards(candidate, judge, 0)
    else judge.pruned++
    return
  }
  // Subsets of the operands that may be kept.
  for (let subset = rule.may; ; subset = (subset - 1) & rule.may) {
    candidate.keep[level] = rule.must | subset
    yield* walkKeeps(candidate, judge, level + 1)
    if (subset === 0) return
  }
}

function* walkForwards(candidate: Candidate, judge: Judge, level: number): Generator<void, void> {
  const rule = candidate.space.rules[level]
  if (rule === undefined) {
    yield* walkOrders(candidate, judge, 0)
    return
  }
  for (let subset = rule.forward; ; subset = (subset - 1) & rule.forward) {
    candidate.forward[level] = subset
    yield* walkForwards(candidate, judge, level + 1)
    if (subset === 0 || !candidate.handsOn(level)) break
  }
  candidate.forward[level] = 0
}

function* walkOrders(candidate: Candidate, judge: Judge, level: number): Generator<void, void> {
  const { space } = candidate
  const rule = space.rules[level]
  if (rule === undefined) {
    judge.score(candidate)
    if (judge.seen % SLICE === 0) yield
    return
  }
  const s = space.temporal[level] ?? -1
  const loops = s < 0 || !rule.ordered ? [] : space.active.filter((d) => candidate.bound(d, s) > 1)
  const others = Array.from({ length: D }, (_, d) => d).filter((d) => !loops.includes(d))
  for (const order of orders(loops, rule.rank)) {
    candidate.order.set([...others, ...order], level * D)
    yield* walkOrders(candidate, judge, level + 1)
  }
}

/** Permutations in which no dimension comes after one of a greater rank. */
function* orders(loops: readonly number[], rank: Uint8Array): Generator<readonly number[], void> {
  if (loops.length === 0) {
    yield []
    return
  }
  const least = Math.min(...loops.map((d) => rank[d] ?? 0))
  for (const first of loops) {
    if ((rank[first] ?? 0) !== least) continue
    for (const tail of orders(
      loops.filter((d) => d !== first),
      rank,
    )) {
      yield [first, ...tail]
    }
  }
}
