/** What tuning does before anything runs: rank correlation by hand, the shortlist, random constraints that are legal and repeatable. */
import { expect, test } from 'vitest'
import { ranks, spearman } from '../../src/profile/rank.ts'
import { keyOf, randomConstraints, Shortlist } from '../../src/profile/shortlist.ts'
import { parseDataflow } from '../../src/schedule/dataflow.ts'
import type { Mapping } from '../../src/schedule/mapping.ts'
import type { Dimension } from '../../src/schedule/problem.ts'

test('ranks share the mean where values tie; Spearman after the textbook', () => {
  expect(ranks([30, 10, 20, 10])).toEqual([4, 1.5, 3, 1.5])
  expect(spearman([1, 2, 3, 4], [10, 20, 30, 40])).toBe(1)
  expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1)
  // 1 − 6Σd²/(n(n²−1)), d = 1, −1, 0, 1, −1
  expect(spearman([1, 2, 3, 4, 5], [2, 1, 3, 5, 4])).toBeCloseTo(1 - (6 * 4) / (5 * 24), 12)
  expect(spearman([1], [1])).toBeUndefined()
  expect(spearman([1, 2], [3, 3])).toBeUndefined()
})

const mapping = (...loops: [Dimension, number][]): Mapping => ({
  levels: [
    { name: 'DRAM', temporal: loops },
    { name: 'GLB', temporal: [] },
    { name: 'RF', temporal: [] },
  ],
})

test('the shortlist keeps the best distinct mappings, the first of equals', () => {
  const list = new Shortlist(3)
  list.add({ dataflow: 'a', mapping: mapping(['M', 2]), score: 5 })
  list.add({ dataflow: 'b', mapping: mapping(['M', 2], ['C', 1]), score: 5 })
  list.add({ dataflow: 'c', mapping: mapping(['C', 2]), score: 3 })
  list.add({ dataflow: 'd', mapping: mapping(['P', 2]), score: 5 })
  list.add({ dataflow: 'e', mapping: mapping(['Q', 2]), score: 5 })
  list.add({ dataflow: 'f', mapping: mapping(['R', 2]), score: 9 })
  expect(list.entries.map(({ dataflow }) => dataflow)).toEqual(['c', 'a', 'd'])
  list.add({ dataflow: 'g', mapping: mapping(['N', 2]), score: 1 })
  expect(list.entries.map(({ dataflow }) => dataflow)).toEqual(['g', 'c', 'a'])
  expect(keyOf(mapping(['M', 2], ['C', 3]))).not.toBe(keyOf(mapping(['C', 3], ['M', 2])))
})

test('random constraints are constraints, differ from each other, and are the same for a seed', () => {
  const drawn = randomConstraints(24, 3)
  for (const constraint of drawn) expect(parseDataflow(constraint)).toEqual(constraint)
  expect(new Set(drawn.map((constraint) => JSON.stringify({ ...constraint, name: '' }))).size).toBe(24)
  expect(randomConstraints(24, 3)).toEqual(drawn)
  expect(randomConstraints(24, 4)).not.toEqual(drawn)
})
