/** Pruning patterns: their texts, and what is none. */
import { describe, expect, test } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { checkPattern, parsePattern, PATTERN_EXAMPLES, patternName, type PrunePattern } from '../../src/sparsity/pattern.ts'

describe('patterns', () => {
  test.each<[string, PrunePattern]>([
    ['2:4', { kind: '2:4', share: 1 }],
    ['2:4x32', { kind: '2:4', share: 32 }],
    ['unstructured:0.8', { kind: 'unstructured', sparsity: 0.8 }],
    ['filter:0.5', { kind: 'filter', sparsity: 0.5 }],
    ['channel:0', { kind: 'channel', sparsity: 0 }],
    ['block:4x16:0.25', { kind: 'block', rows: 4, columns: 16, sparsity: 0.25 }],
  ])('%s', (text, pattern) => {
    expect(parsePattern(text)).toEqual(pattern)
    expect(patternName(pattern)).toBe(text)
  })

  test('other spellings of the same number', () => {
    expect(parsePattern('unstructured:.5')).toEqual(parsePattern('unstructured:0.50'))
    expect(parsePattern('unstructured:1e-3')).toEqual({ kind: 'unstructured', sparsity: 0.001 })
    expect(parsePattern('2:4x1')).toEqual(parsePattern('2:4'))
  })

  test.each([
    ['', /no pruning pattern/],
    ['2:5', /no pruning pattern/],
    ['2:4x0', /share at least 1/],
    ['2:4x-3', /no pruning pattern/],
    ['unstructured', /unstructured:0\.5/],
    ['unstructured:', /from 0 to 1/],
    ['unstructured:1.5', /from 0 to 1/],
    ['unstructured:-0.5', /from 0 to 1/],
    ['unstructured:half', /from 0 to 1/],
    ['filter:0.5:0.5', /filter:0\.5/],
    ['block:0.5', /block:4x4:0\.5/],
    ['block:0x4:0.5', /1 row and 1 column/],
    ['block:4:0.5', /block:4x4:0\.5/],
    ['filters:0.5', /no pruning pattern/],
  ])('%j is none', (text, why) => {
    expect(() => parsePattern(text)).toThrow(OptionError)
    expect(() => parsePattern(text)).toThrow(why)
    expect(() => parsePattern(text)).toThrow(PATTERN_EXAMPLES.join(', '))
  })

  test('patterns made in a program are looked at as well', () => {
    expect(() => checkPattern({ kind: '2:4', share: 1.5 })).toThrow(/share at least 1/)
    expect(() => checkPattern({ kind: 'filter', sparsity: NaN })).toThrow(OptionError)
    expect(() => checkPattern({ kind: 'block', rows: 2 ** 40, columns: 1, sparsity: 0.5 })).toThrow(OptionError)
  })
})
