/** Options that change what a hardware costs, through `evaluate` and `map`. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { runLengthRatio } from '../../src/cost/compression.ts'
import { folderOf, tilewright } from './harness.ts'

const file = {
  problem: { M: 8, C: 4, P: 6, Q: 6, R: 3, S: 3 },
  hardware: {
    name: 'small',
    array: { x: 4, y: 2 },
    word_bits: 16,
    levels: [
      { name: 'DRAM', energy: 200 },
      { name: 'GLB', words: 4096, energy: 6 },
      { name: 'RF', words: 64, energy: 1 },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
  },
  mapping: {
    levels: [
      { name: 'DRAM', temporal: [] },
      {
        name: 'GLB',
        temporal: [
          ['P', 6],
          ['Q', 6],
          ['C', 2],
          ['M', 2],
        ],
        spatial: { x: [['M', 4]], y: [['C', 2]] },
      },
      {
        name: 'RF',
        temporal: [
          ['R', 3],
          ['S', 3],
        ],
      },
    ],
  },
}
const folder = folderOf({ 'one.json': JSON.stringify(file) })
afterAll(() => folder.remove())

const evaluation = z.object({
  accesses: z.record(z.string(), z.unknown()),
  energy: z.object({ unit: z.string().optional(), total: z.number(), mac: z.number(), levels: z.record(z.string(), z.number()) }),
})

async function evaluated(...options: string[]): Promise<z.infer<typeof evaluation>> {
  const { code, out, err } = await tilewright(['evaluate', folder.path('one.json'), ...options, '--json'])
  expect(err).not.toContain('Error')
  expect(code).toBe(0)
  return evaluation.parse(JSON.parse(out))
}

describe('evaluate', () => {
  test('half the bits: half the energy of accesses, a quarter of that of the MACs, the same counts', async () => {
    const [plain, half] = [await evaluated(), await evaluated('--bits', '8')]
    expect(half.accesses).toEqual(plain.accesses)
    expect(half.energy.levels['GLB']).toBeCloseTo((plain.energy.levels['GLB'] ?? NaN) / 2)
    expect(half.energy.mac).toBeCloseTo(plain.energy.mac / 4)
  })

  test('zeros shrink what DRAM costs, and only that', async () => {
    const [plain, zeros] = [await evaluated(), await evaluated('--zeros', 'inputs=0.8')]
    expect(zeros.energy.levels['GLB']).toBe(plain.energy.levels['GLB'])
    const inputs = 4 * 8 * 8 * 200
    expect((plain.energy.levels['DRAM'] ?? NaN) - (zeros.energy.levels['DRAM'] ?? NaN)).toBeCloseTo(
      inputs * (1 - runLengthRatio(0.8)),
    )
  })

  test("another set's energies are said and used", async () => {
    const { out } = await tilewright(['evaluate', folder.path('one.json'), '--energies', 'horowitz-45nm'])
    expect(out).toContain('45 nm')
    const [plain, other] = [await evaluated(), await evaluated('--energies', 'horowitz-45nm')]
    expect(other.accesses).toEqual(plain.accesses)
    expect(other.energy.total).not.toBe(plain.energy.total)
  })

  test('energies are printed with their unit', async () => {
    const { out: bare } = await tilewright(['evaluate', folder.path('one.json')])
    expect(bare).toMatch(/^Energy [\d.]+( [kMG])? \([\d.]+ per MAC\): /m)
    const { out: normalised } = await tilewright(['evaluate', folder.path('one.json'), '--energies', 'eyeriss-normalised'])
    expect(normalised).toMatch(/^Energy [\d.]+( [kMG])? MAC energies \([\d.]+ per MAC\): /m)
    const { out } = await tilewright(['evaluate', folder.path('one.json'), '--energies', 'horowitz-45nm'])
    expect(out).toMatch(/^Energy [\d.]+ [pnµm]J \([\d.]+ pJ per MAC\): .*, MAC [\d.]+ [pnµm]J$/m)
    const { energy } = await evaluated('--energies', 'horowitz-45nm')
    expect(energy.unit).toBe('pJ')
  })

  test('run lengths that make more of it say that they grow', async () => {
    const { out } = await tilewright(['evaluate', folder.path('one.json'), '--zeros', 'inputs=0,outputs=0.9'])
    expect(out).toMatch(/to inputs 133\.3 % \(grows\), outputs [\d.]+ % of the plain size/)
  })

  test.each([
    [['--bits', 'weights'], /--bits does not take "weights"/],
    [['--bits', 'weight=8'], /--bits does not take/],
    [['--bits', '0'], /0 bits/],
    [['--zeros', 'inputs=1.5'], /from 0 to 1/],
    [['--zeros', 'measured'], /no activations to measure[^]*evaluate MODEL:LAYER HARDWARE MAPPING --zeros\s+measured/],
    [['--energies', 'gold'], /Choose one of eyeriss-normalised/],
    [['--convention', 'mine'], /Give one of tilewright, isca16/],
  ])('%j is refused by name', async (options, message) => {
    const { code, err } = await tilewright(['evaluate', folder.path('one.json'), ...options])
    expect(err).toMatch(message)
    expect(code).toBe(1)
  })
})

describe('map', () => {
  test('measured zeros of a layer after a rectifier, narrow bits and the ISCA convention', async () => {
    const to = folder.path('mapped.json')
    const { code, err } = await tilewright(
      ['map', 'alexnet:conv2', '--hardware', 'eyeriss', '--dataflow', 'rs', '--budget', '500', '--bits', 'weights=8'].concat([
        '--zeros',
        'measured',
        '--convention',
        'isca16',
        '--json',
        to,
      ]),
    )
    expect(code).toBe(0)
    expect(err).toMatch(/Measured: [\d.]+ % of the inputs are zero.*; weights are seeded: 0, not trained \(--weights FILE/)
    const found = z
      .object({ hardware: z.object({ levels: z.array(z.object({ compression: z.object({ inputs: z.number() }).optional() })) }) })
      .parse(JSON.parse(readFileSync(to, 'utf8')))
    expect(found.hardware.levels[0]?.compression?.inputs).toBeGreaterThan(0)
  })
})
