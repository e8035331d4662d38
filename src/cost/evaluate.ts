/**
 * What a mapping costs on a hardware, without running it: accesses per level and operand, hops, cycles, utilisation and energy.
 * Think of a bill: `counts.ts` fills in the counts, `prices.ts` has the prices, `time.ts` the hours; here it is written out.
 *
 * Conventions (all counts are words, totals over all instances of a level; those of Timeloop where papers differ):
 * - reads: words served to the child, one for all children that a fan-out multicasts to, plus partial sums read back.
 * - fills: words newly written from the parent (or handed over by a neighbour); the same words never refill.
 * - updates: words written up from the child; children that reduce one output are one update where the fan-out reduces.
 * - outputs: the first accumulation is free, so reads = updates − words ever written there, summed over instances. A partial sum
 *   that comes back to a child that keeps outputs fills one child that reduces it (`timeloop`: each of them).
 * - A child's read when it drains is not charged. MACs hold nothing: what no level near them keeps is read at every step.
 * - hops: a reduction over Y children costs Y − 1 per result and step, a word handed over by a neighbour 1, multicast 0. A sum
 *   over several levels of fan-out is made from the innermost outwards, and each level has the hops of its own fan-out.
 * - deliveries: words that arrive at each child, every copy counted; for outputs, partial sums that each child sends up.
 * - A level without storage (`words: 0`) keeps nothing and is passed by; its fan-out multicasts and reduces all the same.
 * - Points outside the problem (ragged edges) are skipped; zero padding counts and is told apart in `padding`.
 *
 * `halo: 'timeloop'` counts as Timeloop (Parashar et al., ISPASS 2019) publishes; it differs on inputs, by bounding boxes: words
 * between strides count, an overlap is credited only where the sliding loop is the innermost of its level and nothing inside it
 * moved, and children share a tile only where it is identical among those of one level of fan-out. Below a fan-out without
 * storage of its own, MACs keep what does not change.
 */
import { MappingError } from '../errors.ts'
import { checkMapping, completeProblem } from '../schedule/check.ts'
import { encode, type MappingCode } from '../schedule/code.ts'
import { fanoutOf, type Hardware } from '../schedule/hardware.ts'
import { keeps, type Mapping } from '../schedule/mapping.ts'
import { OPERANDS, extentOf, DIMENSIONS, type Operand, type Problem } from '../schedule/problem.ts'
import { AccessCounter } from './counts.ts'
import type { Accesses, Evaluation, EvaluationTime, PerOperand, SparseEvaluation } from './evaluation.ts'
import type { Halo } from './geometry.ts'
import { pricesOf, type Convention } from './prices.ts'
import { sparseOf, type Densities } from './sparsity.ts'
import { countOf, type Kind } from './tally.ts'
import { foldsOf, timeOf } from './time.ts'

export interface EvaluateOptions {
  /** `exact` (default): sets of touched words, overlaps credited wherever they occur. `timeloop`: as Timeloop publishes. */
  readonly halo?: Halo
  /** What energy is charged for, see `prices.ts`. Counts and cycles do not depend on it. */
  readonly convention?: Convention
  /** Parts of the operands that are not zero: adds `sparse`, what the hardware makes of it (`Hardware.sparsity`). */
  readonly densities?: Densities
}

/** Counters kept per problem and hardware: mappings of one search share most of what they count. */
const counters = new WeakMap<Problem, WeakMap<Hardware, Map<string, AccessCounter>>>()

/**
 * Accesses, energy and time of a mapping; `issued` is what a kernel's lowering adds.
 * @param given a problem; what it leaves out is as `convProblem` has it
 * @throws MappingError when the mapping is not legal (see `checkMapping`), or forwards in `timeloop` mode; ShapeError where
 * fields are left out and those given are no problem
 */
export function evaluate(
  given: Partial<Problem>,
  hardware: Hardware,
  mapping: Mapping,
  options: EvaluateOptions & { readonly densities: Densities },
): Evaluation & { readonly sparse: SparseEvaluation }
export function evaluate(given: Partial<Problem>, hardware: Hardware, mapping: Mapping, options?: EvaluateOptions): Evaluation
export function evaluate(given: Partial<Problem>, hardware: Hardware, mapping: Mapping, options: EvaluateOptions = {}): Evaluation {
  const problem = completeProblem(given)
  const halo = options.halo ?? 'exact'
  checkMapping(problem, hardware, mapping)
  if (halo === 'timeloop' && mapping.levels.some(({ forward }) => forward !== undefined && Object.keys(forward).length > 0)) {
    throw new MappingError('Timeloop counts no forwarding between neighbours', {
      remedy: 'Evaluate this mapping with halo "exact"',
    })
  }
  const code = encodeFor(hardware, mapping)
  const counter = counterOf(problem, hardware, halo, false)
  counter.count(code)
  const { tally, macs } = counter
  const folds =
    hardware.systolic === undefined
      ? {}
      : {
          folds: foldsOf(
            code,
            DIMENSIONS.map((dimension) => extentOf(problem, dimension)),
            hardware.systolic,
          ),
        }
  const clock = (counts: Float64Array, steps: number): ReturnType<typeof timeOf> =>
    timeOf(hardware, { tally: counts, steps, instances: counter.instances, ...folds })
  const bill = (counts: Float64Array, made: number): Evaluation['energy'] =>
    energyOf(hardware, options.convention, counts, made, byLevel)
  const time = clock(tally, counter.steps)
  const levels = [...hardware.levels.keys()]
  const byLevel = <T>(value: (level: number) => T): Record<string, T> =>
    Object.fromEntries(levels.map((level) => [hardware.levels[level]?.name ?? '', value(level)]))
  const words = (level: number, kind: Kind): PerOperand<number> => perOperand((operand) => countOf(tally, level, operand, kind))
  const padding = paddingOf(problem, hardware, halo, code, tally, byLevel)
  return {
    macs,
    cycles: time.cycles,
    utilization: macs / (time.cycles * pesOf(hardware, mapping)),
    accesses: byLevel((level) =>
      perOperand<Accesses>((operand) => ({
        reads: countOf(tally, level, operand, 'reads'),
        fills: countOf(tally, level, operand, 'fills'),
        updates: countOf(tally, level, operand, 'updates'),
      })),
    ),
    padding,
    network: {
      hops: perOperand((operand) => levels.reduce((sum, level) => sum + countOf(tally, level, operand, 'hops'), 0)),
      levels: byLevel((level) => words(level, 'hops')),
      deliveries: byLevel((level) => words(level, 'deliveries')),
    },
    time: writtenOut(time),
    energy: bill(tally, macs),
    ...(options.densities === undefined
      ? {}
      : {
          sparse: sparseOf(
            {
              problem,
              hardware,
              mapping,
              halo,
              tally,
              padding,
              macs,
              steps: counter.steps,
              pes: pesOf(hardware, mapping),
              energy: bill,
              time: (counts, steps) => {
                const sparse = clock(counts, steps)
                return { cycles: sparse.cycles, time: writtenOut(sparse) }
              },
            },
            options.densities,
          ),
        }),
  }
}

/**
 * What zeros leave of a mapping's accesses, energy and time, on a hardware that says what it does about them.
 * @param densities parts of the operands that are not zero
 * @throws as `evaluate`; OptionError for densities that are none, or formats that do not fit them or the hardware
 */
export function sparseEnergy(
  problem: Partial<Problem>,
  hardware: Hardware,
  mapping: Mapping,
  densities: Densities,
  options: Omit<EvaluateOptions, 'densities'> = {},
): SparseEvaluation {
  return evaluate(problem, hardware, mapping, { ...options, densities }).sparse
}

/** A mapping as a code, with what each level keeps spelt out. */
function encodeFor(hardware: Hardware, mapping: Mapping): MappingCode {
  const code = encode(mapping)
  for (const level of mapping.levels.keys()) {
    code.keep[level] = OPERANDS.reduce(
      (bits, operand, index) => (keeps(mapping, level, operand, hardware) ? bits | (1 << index) : bits),
      0,
    )
  }
  return code
}

function counterOf(problem: Problem, hardware: Hardware, halo: Halo, real: boolean): AccessCounter {
  let ofProblem = counters.get(problem)
  if (ofProblem === undefined) counters.set(problem, (ofProblem = new WeakMap()))
  let ofHardware = ofProblem.get(hardware)
  if (ofHardware === undefined) ofProblem.set(hardware, (ofHardware = new Map<string, AccessCounter>()))
  const key = `${halo} ${real}`
  let counter = ofHardware.get(key)
  if (counter === undefined) ofHardware.set(key, (counter = new AccessCounter(problem, hardware, halo, { real })))
  return counter
}

function perOperand<T>(value: (operand: Operand) => T): Record<Operand, T> {
  return { weights: value('weights'), inputs: value('inputs'), outputs: value('outputs') }
}

type ByLevel = <T>(value: (level: number) => T) => Record<string, T>

/** Input accesses to zero padding: all, less those of the words that are there. */
function paddingOf(
  problem: Problem,
  hardware: Hardware,
  halo: Halo,
  code: MappingCode,
  tally: Float64Array,
  byLevel: ByLevel,
): Record<string, number> {
  if (problem.padding.every((rows) => rows === 0)) return byLevel(() => 0)
  const real = counterOf(problem, hardware, halo, true)
  real.count(code)
  const words = (counts: Float64Array, level: number): number =>
    countOf(counts, level, 'inputs', 'reads') + countOf(counts, level, 'inputs', 'fills')
  return byLevel((level) => words(tally, level) - words(real.tally, level))
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

function writtenOut(time: ReturnType<typeof timeOf>): EvaluationTime {
  const levels: Record<string, number> = {}
  for (const { level, cycles } of time.ports) levels[level] = Math.max(levels[level] ?? 0, cycles)
  const compute = time.systolic > time.steps ? 'fill/drain' : 'compute'
  return {
    compute: time.steps,
    ...(time.systolic > 0 ? { fill_drain: time.systolic } : {}),
    levels,
    ...(time.exchange.length > 0
      ? { exchange: Object.fromEntries(time.exchange.map(({ level, cycles }) => [level, cycles])) }
      : {}),
    bound: time.bound.by === 'steps' ? compute : time.bound.level,
    ...(time.seconds === undefined ? {} : { seconds: time.seconds }),
  }
}

/** Energy of a tally, by level, by operand and in the network. */
function energyOf(
  hardware: Hardware,
  convention: Convention | undefined,
  tally: Float64Array,
  macs: number,
  byLevel: ByLevel,
): Evaluation['energy'] {
  const prices = pricesOf(hardware, convention)
  const silent = pricesOf(
    { ...hardware, network: { energy: 0 }, levels: hardware.levels.map((level) => ({ ...level, network: { energy: 0 } })) },
    convention,
  )
  const sum = (list: Float64Array, isWanted: (level: number, operand: number) => boolean): number => {
    let energy = 0
    const kinds = tally.length / (hardware.levels.length * OPERANDS.length)
    for (let at = 0; at < tally.length; at++) {
      const row = Math.floor(at / kinds)
      const operand = row % OPERANDS.length
      if (isWanted((row - operand) / OPERANDS.length, operand)) energy += (tally[at] ?? 0) * (list[at] ?? 0)
    }
    return energy
  }
  const network = sum(prices.tally, () => true) - sum(silent.tally, () => true)
  const levels = byLevel((level) => sum(silent.tally, (at) => at === level))
  const mac = macs * prices.mac
  return {
    ...(hardware.energy_unit === undefined ? {} : { unit: hardware.energy_unit }),
    total: Object.values(levels).reduce((total, level) => total + level, mac + network),
    mac,
    network,
    levels,
    per_operand: perOperand((name) => sum(prices.tally, (_, operand) => operand === OPERANDS.indexOf(name))),
  }
}
