/** The closed form against the walk of real sets, on random problems, hierarchies and mappings. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { evaluate } from '../../src/cost/evaluate.ts'
import { walk } from '../../src/cost/walker.ts'
import { OPERANDS } from '../../src/schedule/problem.ts'
import { cases, deepCases, forwardingCases } from './random.ts'

/** More with TILEWRIGHT_PROPERTY_RUNS, others with TILEWRIGHT_PROPERTY_SEED. */
const RUNS = Number(process.env.TILEWRIGHT_PROPERTY_RUNS ?? 1500)
const SEED = Number(process.env.TILEWRIGHT_PROPERTY_SEED ?? 20170101)

describe('closed form equals the walk: every read, fill, update, hop and padding access', () => {
  test.each([
    ['any', cases],
    ['forwarding', forwardingCases],
    ['deep', deepCases],
  ])(`${RUNS} random mappings, %s`, { timeout: 600_000 }, (kind, arbitrary) => {
    const seen = { figures: 0, ragged: 0, handed: 0, padded: 0, alone: 0, bare: 0, staged: 0 }
    fc.assert(
      fc.property(arbitrary, ({ problem, hardware, mapping }) => {
        const walked = walk(problem, hardware, mapping)
        const evaluated = evaluate(problem, hardware, mapping)
        expect(evaluated.accesses).toEqual(walked.accesses)
        expect(evaluated.padding).toEqual(walked.padding)
        expect(evaluated.network.hops).toEqual(walked.hops)
        expect(evaluated.network.levels).toEqual(walked.hopsByLevel)
        expect(evaluated.network.deliveries).toEqual(walked.deliveries)
        expect([evaluated.macs, evaluated.cycles]).toEqual([walked.macs, walked.steps])
        const bounds = mapping.levels.flatMap(({ temporal, spatial }) => [
          ...temporal,
          ...(spatial?.x ?? []),
          ...(spatial?.y ?? []),
        ])
        seen.figures += 16 * mapping.levels.length + 5
        if (bounds.reduce((product, [, bound]) => product * bound, 1) > walked.macs) seen.ragged++
        if (OPERANDS.some((operand) => operand !== 'outputs' && walked.hops[operand] > 0)) seen.handed++
        if (Object.values(walked.padding).some((words) => words > 0)) seen.padded++
        if (hardware.levels.some(({ multicast }) => multicast === false)) seen.alone++
        if (hardware.levels.some(({ words }) => words === 0)) seen.bare++
        if (Object.values(walked.hopsByLevel).filter(({ outputs }) => outputs > 0).length > 1) seen.staged++
      }),
      { numRuns: RUNS, seed: SEED },
    )
    const { figures, ragged, handed, padded, alone, bare, staged } = seen
    console.log(
      `${kind}: ${figures} figures of ${RUNS} mappings; ${ragged} ragged, ${padded} padded, ${handed} handed over, ` +
        `${alone} without multicast, ${bare} with levels without storage, ${staged} that add up at several levels`,
    )
    expect(Math.min(ragged, padded, alone)).toBeGreaterThan(RUNS / 10)
    expect(handed).toBeGreaterThan(kind === 'forwarding' ? RUNS / 40 : 0)
    if (kind === 'deep') expect(Math.min(bare, 4 * staged)).toBeGreaterThan(RUNS / 10)
  })
})
