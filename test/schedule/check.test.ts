/** Legality of mappings: what is refused, and that the refusal names level, operand, words needed and words there. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MappingError } from '../../src/errors.ts'
import { checkMapping, tileWords } from '../../src/schedule/check.ts'
import type { Hardware } from '../../src/schedule/hardware.ts'
import type { Mapping, MappingLevel } from '../../src/schedule/mapping.ts'
import { convProblem, type Operand } from '../../src/schedule/problem.ts'

const hardware: Hardware = {
  name: 'small',
  array: { x: 2, y: 2 },
  levels: [
    { name: 'DRAM', energy: 200 },
    { name: 'GLB', words: 100, energy: 6 },
    { name: 'RF', words: 8, energy: 1 },
  ],
  network: { energy: 2 },
  mac: { energy: 1 },
}
const problem = convProblem({ M: 4, C: 4, P: 6 })

function mapping(...changes: Partial<MappingLevel>[]): Mapping {
  const base: MappingLevel[] = [
    { name: 'DRAM', temporal: [['P', 3]] },
    {
      name: 'GLB',
      temporal: [
        ['P', 2],
        ['C', 4],
      ],
      spatial: { x: [['M', 2]], y: [['M', 2]] },
    },
    { name: 'RF', temporal: [] },
  ]
  return { levels: base.map((level, index) => ({ ...level, ...changes[index] })) }
}

function refusal(candidate: Mapping, on: Hardware = hardware): string {
  try {
    checkMapping(problem, on, candidate)
  } catch (error) {
    if (error instanceof MappingError) return error.message
    throw error
  }
  return 'legal'
}

describe('checkMapping', () => {
  test('takes a legal mapping, ragged bounds included', () => {
    expect(refusal(mapping())).toBe('legal')
    expect(refusal(mapping({ temporal: [['P', 4]] }))).toBe('legal')
  })

  test.each([
    ['an unknown level', mapping({}, { name: 'L2' }), /no level called "L2".*DRAM, GLB, RF/],
    ['levels out of order', { levels: mapping().levels.toReversed() }, /levels RF, GLB, DRAM/],
    ['a missing level', { levels: mapping().levels.slice(0, 2) }, /levels DRAM, GLB, small has DRAM, GLB, RF/],
    ['too small bounds', mapping({ temporal: [['P', 2]] }), /P multiply to 4, less than the problem's 6/],
    ['a bound of zero', mapping({ temporal: [['P', 0]] }), /bound of P is 0.*level DRAM/],
    ['a negative bound', mapping({ temporal: [['P', -3]] }), /bound of P is -3/],
    ['a fraction', mapping({ temporal: [['P', 2.5]] }), /bound of P is 2.5/],
    ['NaN', mapping({ temporal: [['P', NaN]] }), /bound of P is NaN/],
    ['a huge bound', mapping({ temporal: [['P', 1e300]] }), /bound of P is 1e\+300/],
    [
      'too wide a split',
      mapping(
        {},
        {
          spatial: {
            x: [
              ['M', 4],
              ['P', 2],
            ],
          },
        },
      ),
      /takes 8 instances, the fan-out is 2×2.*level GLB/,
    ],
    ['a split below the innermost', mapping({}, {}, { spatial: { x: [['M', 2]] } }), /fan-out is 1×1.*level RF.*fan-outs: GLB 2×2/],
  ])('refuses %s', (_, candidate, message) => {
    expect(refusal(candidate)).toMatch(message)
  })

  test('says what a tile needs and what there is', () => {
    const large = mapping(
      {},
      { spatial: { y: [['M', 2]] } },
      {
        temporal: [
          ['M', 2],
          ['C', 4],
          ['P', 2],
        ],
      },
    )
    expect(refusal(large)).toMatch(
      /20 words do not fit RF of small \(level RF; operand weights; words weights 8, inputs 8, outputs 4; limit 8 words\)/,
    )
    expect(
      refusal(
        mapping(
          {},
          { spatial: { y: [['M', 2]] } },
          {
            temporal: [
              ['M', 2],
              ['C', 4],
              ['P', 2],
            ],
            keep: ['weights'],
          },
        ),
      ),
    ).toBe('legal')
  })

  test('a double buffer holds half, a level of no words nothing', () => {
    const withLevel = (change: object): Hardware => ({
      ...hardware,
      levels: hardware.levels.map((level, i) => (i === 1 ? { ...level, ...change } : level)),
    })
    // weights 16, inputs 8, outputs 8
    expect(refusal(mapping(), withLevel({ words: 32 }))).toBe('legal')
    expect(refusal(mapping(), withLevel({ words: 63, double_buffered: true }))).toMatch(
      /limit 31 words \(half of a double buffer\)/,
    )
    expect(refusal(mapping(), withLevel({ words: 0 }))).toMatch(/limit 0 words/)
    expect(refusal(mapping({}, { keep: [] }), withLevel({ words: 0 }))).toBe('legal')
  })

  test('a level without storage says what to do', () => {
    const bare: Hardware = { ...hardware, levels: hardware.levels.map((level, i) => (i === 1 ? { ...level, words: 0 } : level)) }
    expect(refusal(mapping(), bare)).toMatch(/limit 0 words.*Add "keep": \[\] to GLB/)
  })

  test('a level keeps only what it holds; a mapping that says nothing keeps all of that', () => {
    const holding = (holds: readonly Operand[], words: number): Hardware => ({
      ...hardware,
      levels: hardware.levels.map((level, i) => (i === 1 ? { ...level, holds, words } : level)),
    })
    expect(refusal(mapping({}, { keep: ['weights', 'inputs'] }), holding(['inputs', 'outputs'], 100))).toMatch(
      /GLB of small does not hold weights \(level GLB; operand weights; limit it holds inputs, outputs\)/,
    )
    expect(refusal(mapping({}, { keep: ['outputs'] }), holding([], 100))).toMatch(/does not hold outputs.*it holds nothing/)
    // weights 16, inputs 8, outputs 8
    expect(refusal(mapping(), holding(['inputs'], 8))).toBe('legal')
    expect(refusal(mapping(), holding(['inputs', 'outputs'], 15))).toMatch(/words inputs 8, outputs 8; limit 15 words/)
    expect(refusal(mapping(), holding(['inputs', 'outputs'], 16))).toBe('legal')
    expect(refusal(mapping({ keep: ['inputs'] }), holding(['inputs'], 8))).toBe('legal')
  })

  test.each([
    // GLB needs weights 16, inputs 8, outputs 8 values
    ['words as wide as values', { word_bits: 16 }, {}, 32, 31, /words weights 16, inputs 8, outputs 8; limit 31 words/],
    ['values of half a word', { word_bits: 16, precision: { weights: 8 } }, {}, 24, 23, /weights 8, inputs 8, outputs 8; limit 23/],
    ['wide sums', { word_bits: 8, precision: { outputs: 32 } }, {}, 56, 55, /weights 16, inputs 8, outputs 32; limit 55/],
    [
      'a level of wider words',
      { word_bits: 16, precision: { inputs: 16 } },
      { word_bits: 64 },
      8,
      7,
      /weights 4, inputs 2, outputs 2; limit 7/,
    ],
    [
      'half a double buffer',
      { word_bits: 16, precision: { weights: 8 } },
      { double_buffered: true },
      48,
      47,
      /limit 23 words \(half/,
    ],
    [
      'a fraction of a word',
      { word_bits: 16, precision: { weights: 1 } },
      {},
      17,
      16,
      /17 words do not fit GLB.*weights 1, inputs 8/,
    ],
  ] as const)('room is counted in bits: %s', (_, bits, change, enough, tooFew, message) => {
    const sized = (words: number): Hardware => ({
      ...hardware,
      ...bits,
      levels: hardware.levels.map((level, i) =>
        i === 1 ? { ...level, ...change, words } : i === 2 ? { ...level, words: 99 } : level,
      ),
    })
    expect(refusal(mapping(), sized(enough))).toBe('legal')
    expect(refusal(mapping(), sized(tooFew))).toMatch(message)
  })

  test('one operand is not forwarded by two networks at once', () => {
    const two = mapping({ forward: { inputs: 'x' } }, { forward: { inputs: 'x' }, keep: [] })
    expect(refusal(two)).toMatch(/Two levels forward inputs/)
    expect(refusal(mapping({ forward: { inputs: 'x' } }, { forward: { inputs: 'x' } }))).toBe('legal')
  })
})

describe('tileWords', () => {
  test('counts the input words a tile touches, for any stride and dilation', () => {
    const size = fc.integer({ min: 1, max: 6 })
    fc.assert(
      fc.property(size, size, size, size, (P, R, U, D) => {
        const touched = new Set<number>()
        for (let p = 0; p < P; p++) for (let r = 0; r < R; r++) touched.add(p * U + r * D)
        const conv = convProblem({ P, R, stride: [U, 1], dilation: [D, 1] })
        const level = {
          levels: [
            {
              name: 'DRAM',
              temporal: [
                ['P', P],
                ['R', R],
              ] as const,
            },
          ],
        }
        expect(tileWords(conv, level, 0, 'inputs')).toBe(touched.size)
      }),
    )
  })
})
