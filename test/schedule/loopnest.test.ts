/** The loop nest that people read: what it says of a mapping by hand, and that no mapping makes a line too long. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loopNest } from '../../src/schedule/loopnest.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import { cases } from '../cost/random.ts'

const HARDWARE: Hardware = {
  name: 'h',
  array: { x: 4, y: 3 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', energy: 6, words: 2000, double_buffered: true },
    { name: 'Row', energy: 0, words: 0 },
    { name: 'RF', energy: 1, words: 64 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}

describe('by hand', () => {
  test('levels, loops, indices, ragged edges, padding and groups', () => {
    const problem = convProblem({ groups: 2, M: 10, C: 3, P: 7, R: 3, stride: [2, 1], padding: [1, 0, 1, 0] })
    const mapping: Mapping = {
      levels: [
        {
          name: 'DRAM',
          temporal: [
            ['G', 2],
            ['M', 3],
            ['N', 1],
          ],
        },
        { name: 'GLB', temporal: [['P', 7]], keep: ['inputs', 'outputs'] },
        { name: 'Row', temporal: [], keep: [], spatial: { x: [['M', 4]], y: [['R', 3]] }, forward: { inputs: 'y' } },
        { name: 'RF', temporal: [['C', 3]] },
      ],
    }
    expect(loopNest(problem, HARDWARE, mapping)).toBe(
      [
        'DRAM: weights 180 + inputs 90 + outputs 140 = 410 words',
        '  for g = 0 to 1',
        '    for m1 = 0 to 2',
        '      GLB: inputs 45 + outputs 28 = 73 of 1,000 words (half of a double buffer); passes weights',
        '        for p = 0 to 6',
        '          Row: holds nothing; 4×3 below',
        '            parallel-for x m0 = 0 to 3',
        '              parallel-for y r = 0 to 2',
        '                neighbours hand on inputs along y',
        '                RF: weights 3 + inputs 3 + outputs 1 = 7 of 64 words',
        '                  for c = 0 to 2',
        '                    m = 4·m1 + m0; skip where m ≥ 10',
        '                    O[0][10·g + m][p][0] += W[10·g + m][c][r][0] · I[0][3·g + c][2·p + r − 1][0]',
      ].join('\n'),
    )
  })

  test('values that are not one word, in values and the words that they take', () => {
    const hardware: Hardware = { ...HARDWARE, word_bits: 16, precision: { weights: 8, inputs: 8, outputs: 8 } }
    const problem = convProblem({ M: 9, C: 2 })
    const levels = (last: Mapping['levels'][number]): Mapping => ({
      levels: [
        { name: 'DRAM', temporal: [] },
        { name: 'GLB', temporal: [], keep: ['weights'] },
        { name: 'Row', temporal: [], keep: [] },
        last,
      ],
    })
    const mapping = levels({
      name: 'RF',
      temporal: [
        ['M', 9],
        ['C', 2],
      ],
    })
    const text = loopNest(problem, hardware, mapping)
    expect(text).toContain('DRAM: weights 18 + inputs 2 + outputs 9 = 29 values in 14.5 words\n')
    expect(text).toContain('GLB: weights 18 values in 9 of 1,000 words (half of a double buffer); passes')
    expect(text).toContain('RF: weights 18 + inputs 2 + outputs 9 = 29 values in 14.5 of 64 words\n')
    // 16 bits in words of 16: words again.
    expect(loopNest(problem, { ...HARDWARE, word_bits: 16 }, mapping)).toContain('= 29 of 64 words\n')
  })

  test('names as long as files allow', () => {
    const name = 'L'.repeat(200)
    const hardware: Hardware = { ...HARDWARE, levels: [{ name, energy: 1 }] }
    const mapping: Mapping = { levels: [{ name, temporal: Array.from({ length: 60 }, () => ['M', 2] as const) }] }
    const lines = loopNest(convProblem({ M: 2 }), hardware, mapping).split('\n')
    expect(lines.length).toBeGreaterThan(60)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(132)
  })
})

test('random mappings: a line for each loop that runs, none above 132 columns', () => {
  fc.assert(
    fc.property(cases, ({ problem, hardware, mapping }) => {
      const lines = loopNest(problem, hardware, mapping).split('\n')
      const loops = mapping.levels.flatMap(({ temporal, spatial }) => [...temporal, ...(spatial?.x ?? []), ...(spatial?.y ?? [])])
      expect(lines.filter((line) => /^ *(for|parallel-for [xy]) \w+ = 0 to \d+$/.test(line))).toHaveLength(
        loops.filter(([, bound]) => bound > 1).length,
      )
      expect(lines.filter((line) => /^ *L\d: /.test(line))).toHaveLength(mapping.levels.length)
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(132)
    }),
    { numRuns: 200, seed: 1 },
  )
})
