/** The closed form against the walk of real sets, on random problems, hierarchies and mappings. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { walk } from '../../src/cost/walker.ts'
import { OPERANDS } from '../../src/schedule/problem.ts'
import { cases } from './random.ts'

const RUNS = Number(process.env.TILEWRIGHT_PROPERTY_RUNS ?? 1500)

describe('closed form equals the walk', () => {
  test(`${RUNS} random mappings: every read, fill, update, hop and padding access`, { timeout: 300_000 }, () => {
    let figures = 0
    let ragged = 0
    let forwarded = 0
    fc.assert(
      fc.property(cases, ({ problem, hardware, mapping }) => {
        const walked = walk(problem, hardware, mapping)
        const evaluated = evaluate(problem, hardware, mapping)
        expect(evaluated.accesses).toEqual(walked.accesses)
        expect(evaluated.padding).toEqual(walked.padding)
        expect(evaluated.network.hops).toEqual(walked.hops)
        expect([evaluated.macs, evaluated.cycles]).toEqual([walked.macs, walked.steps])
        figures += 9 * mapping.levels.length + mapping.levels.length + 5
        const bounds = mapping.levels.flatMap(({ temporal, spatial }) => [...temporal, ...(spatial?.x ?? []), ...(spatial?.y ?? [])])
        if (bounds.reduce((product, [, bound]) => product * bound, 1) > walked.macs) ragged++
        if (OPERANDS.some((operand) => mapping.levels.some(({ forward }) => forward?.[operand] !== undefined))) forwarded++
      }),
      { numRuns: RUNS, seed: 20170101 },
    )
    console.log(`compared ${figures} figures over ${RUNS} mappings, ${ragged} of them ragged, ${forwarded} with a forward`)
    expect(ragged).toBeGreaterThan(RUNS / 4)
    expect(forwarded).toBeGreaterThan(RUNS / 10)
  })
})
