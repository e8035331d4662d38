/** What zeros leave: the closed form against real patterns of zeros, counted one by one; and the rules' corners by hand. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { withRunLength } from '../../src/cost/compression.ts'
import { emptyAtRandom } from '../../src/cost/density.ts'
import { evaluate, sparseEnergy } from '../../src/cost/evaluate.ts'
import type { Densities } from '../../src/cost/sparsity.ts'
import { zeroRules } from '../../src/cost/zero-rules.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { parseHardware } from '../../src/schedule/parse.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import type { Factor, Hardware, HardwareSparsity, ZeroAction } from '../../src/schedule/hardware.ts'
import { DIMENSIONS, OPERANDS, convProblem, extentOf, macsOf, type Operand } from '../../src/schedule/problem.ts'
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
          mapping: { levels: mapping.levels.map((level) => ({ ...level, forward: {} })) },
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

const SMALL: Hardware = {
  name: 'small',
  array: { x: 4, y: 1 },
  word_bits: 16,
  levels: [
    { name: 'DRAM', energy: 200, bandwidth: { read: 4 } },
    { name: 'GLB', words: 4096, energy: 6, fanout: { x: 4, y: 1 } },
    { name: 'RF', words: 64, energy: 1 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}
/** [8, 16] weights by [16, 4] inputs: C over the lanes and in the register file, outputs one after another. */
const PRODUCT = { M: 8, C: 16, P: 4 }
const BY_HAND: Mapping = {
  levels: [
    { name: 'DRAM', temporal: [['M', 8]] },
    { name: 'GLB', temporal: [['P', 4]], spatial: { x: [['C', 4]] } },
    { name: 'RF', temporal: [['C', 4]] },
  ],
}

describe('by hand', () => {
  const sparse = (sparsity: HardwareSparsity, densities: Densities) =>
    sparseEnergy(PRODUCT, { ...SMALL, sparsity }, BY_HAND, densities)

  test('a dense evaluation is the same with densities as without, and with a hardware that has rules', () => {
    for (const name of ['eyeriss-chip', 'eie', 'scnn', 'a100-like']) {
      const hardware = hardwareNamed(name)
      const { sparsity: _, ...without } = hardware
      const problem = convProblem({ M: 4, C: 4, P: 3, R: 2 })
      const { mapping } = mapProblem(problem, { hardware: without, budget: 200 })
      const plain = evaluate(problem, without, mapping)
      const { sparse: told, ...dense } = evaluate(problem, hardware, mapping, { densities: { weights: 0.25, inputs: 0.5 } })
      expect(dense).toEqual(plain)
      expect(told.energy.total).toBeLessThan(plain.energy.total)
      expect(evaluate(problem, hardware, mapping)).toEqual(plain)
    }
  })

  test('no zeros: the sparse figures are the dense ones, under any rule', () => {
    const dense = evaluate(PRODUCT, SMALL, BY_HAND)
    for (const action of ['gate', 'skip'] as const) {
      const told = sparse(zeroRules(SMALL, action), { weights: 1, inputs: 1 })
      expect([told.cycles, told.energy, told.saved]).toEqual([dense.cycles, dense.energy, { gated: 0, skipped: 0 }])
    }
  })

  test('what an outer level does not fetch is not read further in', () => {
    const densities = { inputs: { density: 0.1, spread: 'even' as const } }
    // A filter's 16 weights are left out where all 64 inputs are zero; from the buffer, a lane's four where their 16 inputs are.
    const outer = sparse({ levels: { DRAM: { weights: { action: 'skip', on: ['inputs'] } } } }, { inputs: 0 })
    expect(outer.accesses.RF?.weights.reads).toEqual({ actual: 0, gated: 0, skipped: 512 })
    expect(outer.macs.skipped).toBe(512)
    const both = sparse(
      { levels: { GLB: { weights: { action: 'skip', on: ['inputs'] } }, RF: { weights: { action: 'gate', on: ['inputs'] } } } },
      densities,
    )
    const RF = both.accesses.RF?.weights.reads
    expect(both.accesses.GLB?.weights.reads.skipped).toBe(0)
    expect([RF?.actual, RF?.gated, RF?.skipped]).toEqual([expect.closeTo(51.2, 9), expect.closeTo(460.8, 9), 0])
  })

  test('2:4: half the values and two bits each, half the MACs, tiles by the groups that they reach', () => {
    const levels = Object.fromEntries(SMALL.levels.map(({ name }) => [name, { weights: { format: '2:4' as const } }]))
    const told = sparse({ levels }, { weights: { kept: 2, of: 4 } })
    expect([told.macs.performed, told.macs.skipped]).toEqual([256, 256])
    expect(told.stored.DRAM?.weights).toEqual({ values: 64, metadata: 128 })
    expect(told.metadata.DRAM?.weights).toBe(128)
    expect(told.cycles).toBe(evaluate(PRODUCT, SMALL, BY_HAND).cycles / 2)
    // A lane's four channels are a group, never empty; of one channel half are.
    const reads = (level: string) =>
      sparse({ levels: { [level]: { inputs: { action: 'skip', on: ['weights'] } } } }, { weights: { kept: 2, of: 4 } })
    expect(reads('GLB').accesses.GLB?.inputs.reads.skipped).toBe(0)
    expect(reads('RF').accesses.RF?.inputs.reads.skipped).toBe(256)
    expect(() => sparse({ levels }, { weights: 0.75 })).toThrow(/2:4.*0\.75/)
  })

  test.each([
    ['bitmask', {}, 0.25, 1],
    ['coordinate', {}, 0.25, 0.25 * 7],
    ['coordinate', { index_bits: 4 }, 0.25, 1],
    ['csr', {}, 0.25, 0.25 * 4 + (9 * 8) / 128],
    ['csc', {}, 0.25, 0.25 * 3 + (17 * 8) / 128],
    ['rle', { run_bits: 1 }, 1 / 1.75, 1 / 1.75],
  ] as const)('%s %j of 8 × 16 weights, a quarter not zero: values and bits of each', (format, more, values, bits) => {
    const told = sparse({ levels: { DRAM: { weights: { format, ...more } } } }, { weights: 0.25 })
    const { values: kept, metadata } = told.stored.DRAM?.weights ?? {}
    expect(kept).toBeCloseTo(128 * values, 9)
    expect(metadata).toBeCloseTo(128 * bits, 9)
    const dense = evaluate(PRODUCT, SMALL, BY_HAND)
    expect(told.energy.levels.DRAM).toBeCloseTo((dense.energy.levels.DRAM ?? NaN) - 200 * 128 * (1 - values - bits / 16), 6)
  })

  test("Eyeriss' runs cost what run-length coding of compression.ts does", () => {
    const levels = { DRAM: { inputs: { format: 'rle' as const, run_bits: 5, pack_bits: 64 } } }
    const told = sparse({ levels }, { inputs: 0.4 })
    const coded = evaluate(PRODUCT, withRunLength(SMALL, { inputs: 0.6 }), BY_HAND)
    expect(told.energy.levels.DRAM).toBeCloseTo(coded.energy.levels.DRAM ?? NaN, 9)
    expect(told.cycles).toBe(coded.cycles)
  })

  test('the rules in docs/sparsity.md are Cnvlutin on the DaDianNao that there is: zero inputs are not stored, read, or multiplied', () => {
    const text = readFileSync(new URL('../../docs/sparsity.md', import.meta.url), 'utf8')
    const { sparsity } = z.object({ sparsity: z.unknown() }).parse(JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? ''))
    const hardware = parseHardware({ ...hardwareNamed('dadiannao'), sparsity })
    const problem = convProblem({ M: 32, C: 16, P: 6, Q: 6, R: 3, S: 3 })
    const { evaluation } = mapProblem(problem, { hardware, budget: 300, densities: { inputs: 0.4 } })
    const told = evaluation.sparse
    expect(told?.macs.skipped).toBeCloseTo(0.6 * evaluation.macs, 6)
    expect(told?.macs.gated).toBeCloseTo(0, 9)
    expect(told?.cycles).toBe(Math.ceil(0.4 * evaluation.cycles))
    const { metadata, accesses } = told ?? {}
    const inputs = accesses?.EDRAM?.inputs
    expect(metadata?.EDRAM?.inputs).toBeCloseTo(4 * ((inputs?.reads.actual ?? NaN) + (inputs?.fills.actual ?? NaN)), 6)
  })

  test('published machines: what each makes of the same zeros', () => {
    const problem = convProblem({ M: 64, C: 32, P: 14, Q: 14, R: 3, S: 3 })
    const lines = ['eyeriss-chip', 'eie', 'scnn', 'a100-like'].map((name) => {
      const hardware = hardwareNamed(name)
      const zeros: Densities = name === 'a100-like' ? { weights: { kept: 2, of: 4 } } : { weights: 0.35, inputs: 0.4 }
      const { evaluation: dense } = mapProblem(problem, { hardware, budget: 500, densities: zeros })
      const told = dense.sparse
      if (told === undefined) throw new Error('nothing was told')
      const { performed, gated, skipped } = told.macs
      expect(performed + gated + skipped).toBeCloseTo(dense.macs, 3)
      expect(told.cycles).toBeLessThanOrEqual(dense.cycles)
      return { name, parts: [performed, gated, skipped].map((count) => count / dense.macs), told, dense }
    })
    for (const { name, parts, told, dense } of lines) {
      console.log(
        `${name}: MACs done, gated, skipped ${parts.map((part) => part.toFixed(3)).join(' ')}; ` +
          `energy ${(told.energy.total / dense.energy.total).toFixed(3)}, cycles ${(told.cycles / dense.cycles).toFixed(3)} of dense`,
      )
    }
    const rounded = lines.map(({ parts }) => parts.map((part) => Number(part.toFixed(3))))
    expect(rounded).toEqual([
      [0.4, 0.6, 0],
      [0.14, 0, 0.86],
      [0.14, 0, 0.86],
      [0.5, 0, 0.5],
    ])
  })

  test.each([
    [{ weights: 1.5 }, /A density of 1\.5/],
    [{ weights: { kept: 5, of: 4 } }, /5 of 4 values are kept/],
    [{ inputs: NaN }, /A density of NaN/],
  ])('%j is refused', (densities, message) => {
    expect(() => sparse({}, densities)).toThrow(message)
  })

  test('nothing but zeros: no MAC, no cycle of one, no energy where all is skipped', () => {
    const told = sparse(zeroRules(SMALL, 'skip'), { weights: 0, inputs: 0 })
    expect([told.macs.performed, told.macs.skipped, told.energy.mac, told.utilization]).toEqual([0, 512, 0, 0])
    expect(told.accesses.RF?.outputs).toEqual({
      reads: { actual: 0, gated: 0, skipped: 384 },
      fills: { actual: 0, gated: 0, skipped: 0 },
      updates: { actual: 0, gated: 0, skipped: 512 },
    })
    // Inputs still come from DRAM, through its port.
    expect(told.time.bound).toBe('DRAM')
  })

  test('rules of a level that is not there are refused, in code too', () => {
    expect(() => sparse({ levels: { SRAM: { weights: { format: 'bitmask' } } } }, { weights: 0.5 })).toThrow(/no such level/)
  })

  test.each([
    [{ levels: { L9: {} } }, /sparsity\.levels\.L9: there is no such level/],
    [{ levels: { GLB: { weights: { action: 'skip' } } } }, /"action" and "on" go together/],
    [{ levels: { GLB: { weights: { action: 'skip', on: ['weights'] } } } }, /a matter of its format/],
    [{ levels: { GLB: { weights: { run_bits: 4 } } } }, /of the format "rle"/],
    [{ compute: { action: 'sleep', on: ['weights'] } }, /compute\.action/],
  ])('a file that says %j is refused by path', (sparsity, message) => {
    expect(() => parseHardware({ ...SMALL, sparsity })).toThrow(message)
  })

  test('padding is zeros: of 3 × 3 taps over 4 × 4 with a border of one, those that miss', () => {
    const problem = convProblem({ P: 4, Q: 4, R: 3, S: 3, padding: [1, 1, 1, 1] })
    const mapping: Mapping = {
      levels: [
        {
          name: 'DRAM',
          temporal: [
            ['P', 4],
            ['Q', 4],
            ['R', 3],
            ['S', 3],
          ],
        },
        { name: 'GLB', temporal: [] },
        { name: 'RF', temporal: [] },
      ],
    }
    const told = sparseEnergy(problem, { ...SMALL, sparsity: zeroRules(SMALL, 'skip') }, mapping, { inputs: 1 })
    expect(told.macs.performed).toBeCloseTo(100, 9)
    expect(told.macs.skipped).toBeCloseTo(44, 9)
    // Of the 6 × 6 that a layer with everything in the buffer takes from DRAM, 4 × 4 are inputs, half of them not zero.
    const whole: Mapping = {
      levels: [
        { name: 'DRAM', temporal: [] },
        { name: 'GLB', temporal: mapping.levels[0]?.temporal ?? [] },
        { name: 'RF', temporal: [] },
      ],
    }
    const coded: HardwareSparsity = { levels: { DRAM: { inputs: { format: 'bitmask' } } } }
    const moved = sparseEnergy(problem, { ...SMALL, sparsity: coded }, whole, { inputs: 0.5 })
    expect(moved.accesses.DRAM?.inputs.reads.actual).toBeCloseTo(8, 9)
    expect(moved.metadata.DRAM?.inputs).toBeCloseTo(36, 9)
  })
})
