/** What zeros leave: the closed form against real patterns of zeros, counted one by one; and the rules' corners by hand. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptyAtRandom } from '../../src/cost/density.ts'
import { evaluate, sparseEnergy } from '../../src/cost/evaluate.ts'
import type { Factor, Hardware, HardwareSparsity, ZeroAction } from '../../src/schedule/hardware.ts'
import { DIMENSIONS, OPERANDS, extentOf, macsOf, type Operand } from '../../src/schedule/problem.ts'
import { cases, type Case } from './random.ts'
import { isLeftOut, walkEvents, wordsOf } from './sparse-walk.ts'

const FACTORS: readonly Factor[] = ['weights', 'inputs']

interface SparseCase extends Case {
  readonly action: ZeroAction
  /** By level: which factors an operand's rule looks at. */
  readonly rules: readonly Readonly<Record<Operand, readonly Factor[]>>[]
}

const rule = (operand: Operand): fc.Arbitrary<Factor[]> =>
  fc.subarray(FACTORS.filter((factor) => factor !== operand)).map((on) => [...on])

/** Random mappings without forwarding or padding, one level of each operand with a rule. */
const sparseCases = (isWanted: (made: Case) => boolean): fc.Arbitrary<SparseCase> =>
  fc
    .record({
      made: cases
        .map(({ problem, hardware, mapping }) => ({
          problem: { ...problem, padding: [0, 0, 0, 0] as const },
          hardware,
          mapping: { levels: mapping.levels.map(({ forward: _, ...level }) => level) },
        }))
        .filter(isWanted),
      action: fc.constantFrom<ZeroAction>('gate', 'skip'),
      level: fc.nat(3),
      weights: rule('weights'),
      inputs: rule('inputs'),
      outputs: rule('outputs'),
    })
    .map(({ made, action, level, weights, inputs, outputs }) => ({
      ...made,
      action,
      rules: made.mapping.levels.map((_, at) =>
        at === level % made.mapping.levels.length ? { weights, inputs, outputs } : { weights: [], inputs: [], outputs: [] },
      ),
    }))

function sparsityOf({ mapping, rules, action }: SparseCase): HardwareSparsity {
  return {
    levels: Object.fromEntries(
      mapping.levels.map(({ name }, at) => [
        name,
        Object.fromEntries(
          OPERANDS.flatMap((operand) => {
            const on = rules[at]?.[operand] ?? []
            return on.length === 0 ? [] : [[operand, { action, on }]]
          }),
        ),
      ]),
    ),
  }
}

/** Loops fill the problem, and no two outputs of a row share an input. */
function isPlain({ problem, mapping }: Case): boolean {
  const bounds = mapping.levels.flatMap(({ temporal, spatial }) => [...temporal, ...(spatial?.x ?? []), ...(spatial?.y ?? [])])
  const isWhole = DIMENSIONS.every(
    (name) =>
      bounds.filter(([dimension]) => dimension === name).reduce((all, [, bound]) => all * bound, 1) === extentOf(problem, name),
  )
  return isWhole && (problem.P === 1 || problem.R === 1) && (problem.Q === 1 || problem.S === 1)
}

/** Every choice of `count` of the words. */
function choices(words: readonly string[], count: number): ReadonlySet<string>[] {
  if (count === 0) return [new Set()]
  return words.flatMap((word, at) => choices(words.slice(at + 1), count - 1).map((others) => new Set([word, ...others])))
}

interface Left {
  reads: number
  fills: number
  updates: number
}

/** Mean over patterns of the accesses made, by level and operand, counted event by event. */
function counted(made: SparseCase, patterns: readonly Readonly<Record<Factor, ReadonlySet<string>>>[]): Map<string, Left> {
  const { problem, hardware, mapping } = made
  const counts = new Map<string, Left>()
  const at = (level: number, operand: Operand): Left => {
    const key = `${level} ${operand}`
    const found = counts.get(key) ?? { reads: 0, fills: 0, updates: 0 }
    counts.set(key, found)
    return found
  }
  for (const operand of OPERANDS) {
    // What the outer level with the rule does not hand on is not read further in: see the test by hand.
    for (const { parent, child, events } of walkEvents(problem, hardware, mapping, operand)) {
      const on = made.rules[parent]?.[operand] ?? []
      for (const zeros of patterns) {
        const written = new Set<string>()
        for (const event of events) {
          if (isLeftOut(event, on, zeros)) continue
          if (operand !== 'outputs') {
            at(parent, operand).reads++
            at(child, operand).fills += event.children
            continue
          }
          at(parent, operand).updates++
          if (written.has(event.word)) at(parent, operand).reads++
          written.add(event.word)
        }
      }
    }
  }
  for (const left of counts.values()) {
    left.reads /= patterns.length
    left.fills /= patterns.length
    left.updates /= patterns.length
  }
  return counts
}

describe('against real zeros', () => {
  test('all patterns of some zeros of small operands: every count is the mean, exactly', { timeout: 60_000 }, () => {
    const seen = { figures: 0, patterns: 0, sparse: 0, both: 0 }
    const isSmall = (made: Case): boolean => {
      const { groups: G, N, M, C, P, Q, R, S } = made.problem
      return isPlain(made) && macsOf(made.problem) > 3 && G * M * C * R * S <= 6 && G * N * C * P * R * Q * S <= 6
    }
    fc.assert(
      fc.property(sparseCases(isSmall), fc.nat(), fc.nat(), (made, w, i) => {
        const { problem, mapping } = made
        const words = { weights: wordsOf(problem, mapping, 'weights'), inputs: wordsOf(problem, mapping, 'inputs') }
        const zeros = { weights: w % (words.weights.length + 1), inputs: i % (words.inputs.length + 1) }
        const patterns = choices(words.weights, zeros.weights).flatMap((weights) =>
          choices(words.inputs, zeros.inputs).map((inputs) => ({ weights, inputs })),
        )
        const hardware: Hardware = { ...made.hardware, sparsity: sparsityOf(made) }
        const densities = {
          weights: 1 - zeros.weights / words.weights.length,
          inputs: 1 - zeros.inputs / words.inputs.length,
        }
        const sparse = sparseEnergy(problem, hardware, mapping, densities)
        const walked = counted({ ...made, hardware }, patterns)
        const level = made.rules.findIndex((own) => OPERANDS.some((operand) => own[operand].length > 0))
        for (const operand of OPERANDS) {
          for (const [index, { name }] of mapping.levels.entries()) {
            // Further in than a rule, a read that is not fetched is not made either: left to the test by hand.
            if (operand !== 'outputs' && level !== -1 && index > level) continue
            const mine = sparse.accesses[name]?.[operand]
            const theirs = walked.get(`${index} ${operand}`) ?? { reads: 0, fills: 0, updates: 0 }
            expect(mine?.updates.actual).toBeCloseTo(theirs.updates, 9)
            // Updates of several products each, looking at both factors, are taken as independent.
            const isJoint = operand === 'outputs' && (made.rules[index]?.outputs.length ?? 0) === 2
            const isEach = evaluate(problem, hardware, mapping).accesses[name]?.outputs.updates === macsOf(problem)
            if (isJoint && !isEach) seen.both++
            else {
              expect(mine?.reads.actual).toBeCloseTo(theirs.reads, 9)
              seen.figures++
            }
            if (operand !== 'outputs') expect(mine?.fills.actual).toBeCloseTo(theirs.fills, 9)
            seen.figures += operand === 'outputs' ? 1 : 2
          }
        }
        seen.patterns += patterns.length
        if (level !== -1 && densities.weights < 1 && densities.inputs < 1) seen.sparse++
      }),
      { numRuns: 80, seed: 20_220_101 },
    )
    console.log(
      `zeros: ${seen.figures} counts equal the mean of ${seen.patterns} patterns of zeros, in 80 mappings, ${seen.sparse} with rules and zeros of both; ` +
        `${seen.both} reads of sums of several products, under a rule on both, are estimates`,
    )
    expect(seen.sparse).toBeGreaterThan(30)
    expect(seen.both).toBeLessThan(seen.figures / 50)
  })

  test('ragged tiles and halos: means within some per cent, by the sets that each access meets', { timeout: 60_000 }, () => {
    const off: number[] = []
    fc.assert(
      fc.property(
        sparseCases((made) => !isPlain(made) && macsOf(made.problem) < 300),
        (made) => {
          const { problem, mapping } = made
          const hardware: Hardware = { ...made.hardware, sparsity: sparsityOf(made) }
          const densities = { weights: 0.4, inputs: 0.6 }
          const sparse = sparseEnergy(problem, hardware, mapping, densities)
          const total = { weights: wordsOf(problem, mapping, 'weights').length, inputs: wordsOf(problem, mapping, 'inputs').length }
          for (const operand of OPERANDS) {
            for (const { parent, events } of walkEvents(problem, hardware, mapping, operand)) {
              const on = made.rules[parent]?.[operand] ?? []
              if (on.length === 0) continue
              const left = events.reduce(
                (sum, { meets }) =>
                  sum +
                  on.reduce((part, factor) => part * (1 - emptyAtRandom(total[factor], densities[factor], meets[factor].size)), 1),
                0,
              )
              const mine = sparse.accesses[mapping.levels[parent]?.name ?? '']?.[operand]
              off.push((operand === 'outputs' ? (mine?.updates.actual ?? NaN) : (mine?.reads.actual ?? NaN)) / left - 1)
            }
          }
        },
      ),
      { numRuns: 60, seed: 7 },
    )
    const sizes = off.map(Math.abs).toSorted((a, b) => a - b)
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
    const percent = (part: number | undefined): string => `${(100 * (part ?? NaN)).toFixed(2)} %`
    const exact = sizes.filter((size) => size < 1e-9).length
    console.log(
      `zeros: ${sizes.length} counts with ragged tiles or halos, ${exact} exact; off by ${percent(mean)} on average, ` +
        `${percent(sizes[Math.floor(0.9 * sizes.length)])} at the ninth tenth, ${percent(sizes.at(-1))} at most`,
    )
    expect(sizes.length).toBeGreaterThan(30)
    expect(mean).toBeLessThan(0.02)
  })
})
