/** The `diff` command: tables that line up, JSON with every part, and refusals by name. */
import { afterAll, describe, expect, it } from 'vitest'
import type { MappingDiff } from '../../src/cost/diff.ts'
import { folderOf, tilewright } from './harness.ts'

const problem = { M: 16, C: 4, P: 13, Q: 13, R: 3, S: 3 }
const levels = (spatial: number, keep: readonly string[]) => [
  { name: 'DRAM', temporal: [['M', 16 / spatial]] },
  {
    name: 'GLB',
    temporal: [
      ['C', 4],
      ['Q', 13],
    ],
    spatial: {
      x: [['P', 13]],
      y: [
        ['R', 3],
        ['M', spatial],
      ],
    },
    keep: ['inputs', 'outputs'],
  },
  { name: 'RF', temporal: [['S', 3]], keep },
]
const all = ['weights', 'inputs', 'outputs']
const files = folderOf({
  'a.json': JSON.stringify({ problem, hardware: 'eyeriss', mapping: { levels: levels(4, all) } }),
  'b.json': JSON.stringify({ problem, mapping: { levels: levels(1, ['weights', 'outputs']) } }),
  'other.json': JSON.stringify({ problem: { ...problem, M: 8 }, hardware: 'eyeriss', mapping: { levels: levels(4, all) } }),
  'bare.json': JSON.stringify({ problem }),
  'broken.json': '{',
})
afterAll(files.remove)

describe('tilewright diff', () => {
  it('prints totals, differences, lines and reasons, none wider than the page', async () => {
    const { code, out, err } = await tilewright(['diff', files.path('a.json'), files.path('b.json'), '--rows', '2'])
    expect(err).toContain('Reasons of the first 2 of')
    expect(code).toBe(0)
    expect(out).toMatch(/^Total +A +B +B \/ A\n─+\nEnergy /)
    expect(out).toContain('M 4 moves from y below GLB to DRAM (DRAM 4 → 16, y below GLB 4 → 1)')
    expect(out).toContain('RF no longer keeps inputs')
    expect(out).toMatch(/RF reads of inputs gone\n {2}b +−97.3 k words {2}RF no longer keeps inputs: RF holds no inputs any more/)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(132)
  })

  it('writes JSON whose parts add up', async () => {
    const { out } = await tilewright(['diff', files.path('a.json'), files.path('b.json'), '--json'])
    const found = JSON.parse(out) as MappingDiff
    expect(found.schema).toBe('tilewright.diff/1')
    expect(found.rows.length).toBeGreaterThanOrEqual(3)
    for (const { words, parts } of found.rows) expect(parts.reduce((sum, part) => sum + part.words, 0)).toBe(words.change)
    expect(found.energy.change).toBe(found.evaluations.b.energy.total - found.evaluations.a.energy.total)
  })

  it('says that there is nothing between a file and itself', async () => {
    const { code, out } = await tilewright(['diff', files.path('a.json'), files.path('a.json')])
    expect(code).toBe(0)
    expect(out).toContain('The two are the same.')
  })

  it.each([
    ['other.json', 'OptionError', 'are of different problems: M 16 and 8'],
    ['bare.json', 'OptionError', 'There is no mapping in'],
    ['broken.json', 'FileFormatError', 'is no JSON'],
  ])('refuses %s by name', async (file, name, message) => {
    const { code, err } = await tilewright(['diff', files.path('a.json'), files.path(file)])
    expect(code).toBe(1)
    expect(err).toContain(name)
    expect(err).toContain(message)
  })
})
