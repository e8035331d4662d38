/**
 * A look at a mapping space: mappings drawn at random under a constraint, and from each a short walk downhill, so that the cloud
 * shows how bad a mapping can be and where the good ones lie. Think of a poll: enough for a picture, no search.
 */
import { Scorer, type ScorerOptions } from '../../../cost/scorer.ts'
import { OptionError } from '../../../errors.ts'
import { decode, emptyCode } from '../../../schedule/code.ts'
import { constraintNamed, type Dataflow } from '../../../schedule/dataflow.ts'
import type { Hardware } from '../../../schedule/hardware.ts'
import type { Mapping } from '../../../schedule/mapping.ts'
import { OPERANDS, type Problem } from '../../../schedule/problem.ts'
import { Candidate } from '../../../schedule/search/candidate.ts'
import { Random } from '../../../schedule/search/random.ts'
import { Space } from '../../../schedule/search/space.ts'

export interface SampleOptions extends ScorerOptions {
  /** A name, a constraint, or none. */
  readonly dataflow?: string | Dataflow
  /** Points wanted; fewer where few mappings are legal. */
  readonly count: number
  /** An integer, default 1. */
  readonly seed?: number
}

export interface Sampled {
  readonly mapping: Mapping
  readonly energy: number
  readonly cycles: number
}

/** Steps of a walk, and tries to make a drawn mapping fit. */
const STEPS = 40
const TRIES = 60
/** Of a walk, every so manieth point is shown. */
const EVERY = 8

/**
 * Legal mappings of a space with their energy and cycles, the same for the same seed; some milliseconds between two.
 * @throws OptionError for an unknown dataflow, a count or seed that is none
 */
export function* sampleMappings(problem: Problem, hardware: Hardware, options: SampleOptions): Generator<Sampled, void> {
  const { count, seed = 1, dataflow } = options
  if (!Number.isSafeInteger(count) || count < 0) throw new OptionError(`${count} samples`, { remedy: 'Give 0 or more' })
  if (!Number.isSafeInteger(seed)) throw new OptionError(`The seed ${seed} is no integer`)
  const space = new Space(problem, hardware, constraintNamed(dataflow), options.halo)
  const scorer = new Scorer(problem, hardware, options)
  const random = new Random(seed)
  const code = emptyCode(hardware.levels.length)
  const [here, next] = [new Candidate(space), new Candidate(space)]
  const seen = new Set<string>()
  const isLegal = (candidate: Candidate): boolean => {
    if (!candidate.isWhole) return false
    candidate.write(code)
    return scorer.score(code)
  }
  const fresh = (candidate: Candidate): Sampled[] => {
    const key = `${candidate.bounds.join()};${candidate.order.join()};${candidate.keep.join()};${candidate.forward.join()}`
    if (seen.has(key)) return []
    seen.add(key)
    return [{ mapping: decode(candidate.code(), hardware), energy: scorer.energy, cycles: scorer.cycles }]
  }
  let found = 0
  for (let draw = 0; found < count && draw < 20 * count; draw++) {
    here.randomize(random)
    for (let tries = 0; tries < TRIES && !isLegal(here) && here.shrink(random); tries++);
    if (!isLegal(here)) continue
    for (const point of fresh(here)) {
      found++
      yield point
    }
    let score = scorer.energy * scorer.cycles
    for (let step = 1; step <= STEPS && found < count; step++) {
      next.copy(here)
      if (!change(next, random) || !isLegal(next)) continue
      if (scorer.energy * scorer.cycles <= score) {
        score = scorer.energy * scorer.cycles
        here.copy(next)
      }
      if (step % EVERY !== 0) continue
      for (const point of fresh(next)) {
        found++
        yield point
      }
    }
  }
}

/** One random change: a factor to another place, a loop to another place in its level, an operand kept or not. */
function change(candidate: Candidate, random: Random): boolean {
  const { space } = candidate
  const kind = random.next()
  const level = random.below(space.rules.length)
  if (kind < 0.15 || space.active.length === 0) return candidate.flipKeep(level, 1 << random.below(OPERANDS.length))
  if (kind < 0.4) {
    const loops = candidate.loops(level)
    return loops > 1 && candidate.move(level, random.below(loops), random.below(loops))
  }
  const d = space.active[random.below(space.active.length)] ?? 0
  const [from, to] = [random.below(space.slots.length), random.below(space.slots.length)]
  const bound = candidate.bound(d, from)
  if (from === to || bound === 1) return false
  const primes = [2, 3, 5, 7].filter((prime) => bound % prime === 0)
  return candidate.transfer(d, from, to, primes[random.below(primes.length)] ?? bound)
}
