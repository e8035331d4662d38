/**
 * Scorer: the same figures as the oracle and the bill, mapping after mapping, whatever it remembers of those before; the same
 * refusals as `checkMapping`; its speed and that it allocates nothing.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LAYERS, drawMappings, scoreAll } from '../../bench/evaluate.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { AccessCounter } from '../../src/cost/counts.ts'
import { evaluate, type EvaluateOptions } from '../../src/cost/evaluate.ts'
import { Scorer } from '../../src/cost/scorer.ts'
import { countOf } from '../../src/cost/tally.ts'
import { walk } from '../../src/cost/walker.ts'
import { MappingError, OptionError } from '../../src/errors.ts'
import { checkMapping } from '../../src/schedule/check.ts'
import { decode, emptyCode, encode, type MappingCode } from '../../src/schedule/code.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { OPERANDS, convProblem, type Problem } from '../../src/schedule/problem.ts'
import { cases, families } from './random.ts'
import { processorTime } from '../processor.ts'

const SEED = 20170101

function isLegal(problem: Problem, hardware: Hardware, mapping: Mapping): boolean {
  try {
    checkMapping(problem, hardware, mapping)
    return true
  } catch (error) {
    if (error instanceof MappingError) return false
    throw error
  }
}

describe('one scorer, many mappings', () => {
  test('counts what the walk counts, though it forgets now and then', { timeout: 60_000 }, () => {
    let figures = 0
    fc.assert(
      fc.property(families, ({ problem, hardware, mappings }) => {
        const counter = new AccessCounter(problem, hardware, 'exact', { mostChains: 40 })
        for (const mapping of mappings) {
          counter.count(encode(mapping))
          const walked = walk(problem, hardware, mapping)
          expect([counter.macs, counter.steps]).toEqual([walked.macs, walked.steps])
          for (const [level, { name }] of hardware.levels.entries()) {
            for (const operand of OPERANDS) {
              const count = (kind: Parameters<typeof countOf>[3]): number => countOf(counter.tally, level, operand, kind)
              expect({ reads: count('reads'), fills: count('fills'), updates: count('updates') }).toEqual(
                walked.accesses[name]?.[operand],
              )
              expect(count('hops')).toBe(walked.hopsByLevel[name]?.[operand])
              expect(count('deliveries')).toBe(walked.deliveries[name]?.[operand])
              figures += 5
            }
          }
        }
      }),
      { numRuns: 30, seed: SEED },
    )
    console.log(`one counter after another mapping: ${figures} figures`)
    expect(figures).toBe(30 * 20 * 45)
  })

  const options: readonly EvaluateOptions[] = [{}, { halo: 'timeloop' }, { convention: 'isca16' }]
  test.each(options)('is the bill of evaluate, with %o', (option) => {
    let scored = 0
    fc.assert(
      fc.property(families, ({ problem, hardware, mappings }) => {
        const priced: Hardware = {
          ...hardware,
          levels: hardware.levels.map((level, index) => ({ ...level, bandwidth: { read: index + 0.5, write: 2 } })),
        }
        const scorer = new Scorer(problem, priced, option)
        for (const made of mappings) {
          const forwards = made.levels.some(({ forward }) => forward !== undefined)
          if (forwards && option.halo === 'timeloop') expect(scorer.score(encode(made))).toBe(false)
          const levels = made.levels.map(({ forward, ...level }) =>
            forward === undefined || option.halo === 'timeloop' ? level : { ...level, forward },
          )
          const mapping = { levels }
          const isRefused = !isLegal(problem, priced, mapping)
          expect(scorer.score(encode(mapping))).toBe(!isRefused)
          if (isRefused) continue
          const bill = evaluate(problem, priced, mapping, option)
          expect(Math.abs(scorer.energy - bill.energy.total)).toBeLessThanOrEqual(1e-12 * bill.energy.total)
          expect(scorer.cycles).toBe(bill.cycles)
          scored++
        }
      }),
      { numRuns: 20, seed: SEED },
    )
    expect(scored).toBeGreaterThan(200)
  })
})

describe('fits', () => {
  test('says what checkMapping says, on random tight hardware', () => {
    const seen = { legal: 0, refused: 0 }
    const few = fc.integer({ min: 1, max: 12 })
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.tuple(few, few, few, fc.boolean(), fc.subarray([...OPERANDS])), { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        ({ problem, hardware, mapping }, limits, isPrecise) => {
          const tight: Hardware = {
            ...hardware,
            word_bits: 16,
            ...(isPrecise ? { precision: { weights: 8, outputs: 32 } } : {}),
            levels: hardware.levels.map((level, index) => {
              const [words = 1, x = 1, y = 1, isDouble = false, holds = OPERANDS] = limits[index] ?? []
              return {
                ...level,
                words: words ** 2,
                double_buffered: isDouble,
                fanout: { x, y },
                ...(words > 8 ? { holds } : {}),
                ...(y > 8 ? { word_bits: 24 } : {}),
              }
            }),
          }
          const answer = isLegal(problem, tight, mapping)
          expect(new Scorer(problem, tight).fits(encode(mapping))).toBe(answer)
          if (answer) seen.legal++
          else seen.refused++
        },
      ),
      { numRuns: 2000, seed: SEED },
    )
    console.log(`fits: ${seen.legal} legal, ${seen.refused} refused`)
    expect(Math.min(seen.legal, seen.refused)).toBeGreaterThan(100)
  })

  test.each([
    ['levels from the inside out', [1, 0], [0, 0]],
    ['x outside temporal', [0, 0], [1, 0]],
    ['y outside x', [0, 0], [2, 1]],
    ['a level that is not there', [0, 7], [0, 0]],
  ] as const)('a code out of order is an error: %s', (_, levels, axes) => {
    const code: MappingCode = emptyCode(2)
    code.length = 2
    code.bound.set([2, 2])
    code.level.set(levels)
    code.axis.set(axes)
    const hardware: Hardware = {
      name: 'two',
      array: { x: 4, y: 4 },
      levels: [
        { name: 'DRAM', energy: 200 },
        { name: 'RF', energy: 1 },
      ],
      network: { energy: 2 },
      mac: { energy: 1 },
    }
    expect(() => new Scorer(convProblem({ M: 4 }), hardware).fits(code)).toThrow(OptionError)
  })
})

describe('AlexNet on Eyeriss', () => {
  const hardware = hardwareNamed('eyeriss')

  test.each(LAYERS)('%s: figures are those of evaluate', (_, problem) => {
    const stored = drawMappings(problem, hardware, 'independent', 60, SEED)
    const scorer = new Scorer(problem, hardware)
    const code = emptyCode(hardware.levels.length)
    for (let index = 0; index < 60; index++) {
      stored.load(index, code)
      expect(scorer.score(code)).toBe(true)
      const bill = evaluate(problem, hardware, decode(code, hardware))
      expect([scorer.energy, scorer.cycles]).toEqual([bill.energy.total, bill.cycles])
    }
  })

  test('60,000 mappings a second of processor time, and next to nothing allocated once they are known', { timeout: 60_000 }, () => {
    const [, problem] = LAYERS[1] ?? ['', convProblem({})]
    const count = 30_000
    const [, other] = LAYERS[2] ?? ['', convProblem({})]
    scoreAll(new Scorer(other, hardware), drawMappings(other, hardware, 'neighbours', count, SEED))
    const stored = drawMappings(problem, hardware, 'neighbours', count, SEED)
    const scorer = new Scorer(problem, hardware)
    const seconds = processorTime()
    const first = scoreAll(scorer, stored)
    const rate = count / seconds()
    const before = process.memoryUsage().heapUsed
    const second = scoreAll(scorer, stored)
    const bytes = (process.memoryUsage().heapUsed - before) / count
    console.log(`${Math.round(rate)} mappings/s of processor time; then ${bytes.toFixed(2)} bytes allocated per mapping`)
    expect(second.digest).toBe(first.digest)
    expect(rate).toBeGreaterThan(60_000)
    expect(bytes).toBeLessThan(64)
  })
})
