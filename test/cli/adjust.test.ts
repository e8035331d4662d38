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

const energy = z.object({
  unit: z.string().optional(),
  total: z.number(),
  mac: z.number(),
  levels: z.record(z.string(), z.number()),
})
const evaluation = z.object({
  accesses: z.record(z.string(), z.unknown()),
  energy,
  cycles: z.number(),
  sparse: z.object({ densities: z.object({ inputs: z.number().optional() }), energy }).optional(),
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

  test('run lengths shrink what DRAM costs, and only that, beside the dense figures', async () => {
    const [plain, zeros] = [await evaluated(), await evaluated('--zeros', 'inputs=0.8')]
    const { sparse, ...dense } = zeros
    expect(dense).toEqual(plain)
    if (sparse === undefined) throw new Error('No figures with zeros')
    expect(sparse.densities.inputs).toBeCloseTo(0.2, 12)
    expect(sparse.energy.levels['GLB']).toBe(plain.energy.levels['GLB'])
    expect(sparse.energy.mac).toBe(plain.energy.mac)
    const inputs = 4 * 8 * 8 * 200
    expect((plain.energy.levels['DRAM'] ?? NaN) - (sparse.energy.levels['DRAM'] ?? NaN)).toBeCloseTo(
      inputs * (1 - runLengthRatio(0.8)),
    )
    const [named, own] = await Promise.all([
      tilewright(['evaluate', folder.path('one.json'), '--zeros', 'inputs=0.8', '--on-zeros', 'run-length']),
      tilewright(['evaluate', folder.path('one.json'), '--zeros', 'inputs=0.8']),
    ])
    expect(named.out).toBe(own.out)
    expect(own.out).toMatch(/^Zeros: inputs 80\.0 %\. Run-length coded at DRAM, to inputs 26\.7 % of the plain size$/m)
    expect(own.out).toMatch(/With zeros \(not zero: inputs 20\.0 %\)[^]*% of the dense/)
  })

  test('words that say no width are run-length coded as 16 bits', async () => {
    const { word_bits: _, ...hardware } = file.hardware
    const narrow = folderOf({ 'one.json': JSON.stringify({ ...file, hardware }) })
    const { out } = await tilewright(['evaluate', narrow.path('one.json'), '--zeros', 'inputs=0.8'])
    narrow.remove()
    expect(out).toMatch(/to inputs 26\.7 % of the plain size \(values of 16 bits/)
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

  test('rules about zeros: gating saves energy, skipping time too, and each is told apart', async () => {
    const zeros = ['evaluate', folder.path('one.json'), '--zeros', 'weights=2:4,inputs=0.6', '--on-zeros']
    const figures = z.object({
      cycles: z.number(),
      energy: z.object({ total: z.number() }),
      sparse: z.object({
        macs: z.object({ effective: z.number(), performed: z.number(), gated: z.number(), skipped: z.number() }),
        cycles: z.number(),
        energy: z.object({ total: z.number() }),
        saved: z.object({ gated: z.number(), skipped: z.number() }),
      }),
    })
    const run = async (rule: string): Promise<z.infer<typeof figures>> =>
      figures.parse(JSON.parse((await tilewright([...zeros, rule, '--json'])).out))
    const [plain, gate, skip] = [await evaluated(), await run('gate'), await run('skip')]
    expect(gate.energy.total).toBe(plain.energy.total)
    const macs = 8 * 4 * 36 * 9
    expect(gate.sparse.macs.effective).toBeCloseTo(0.5 * 0.4 * macs, 6)
    expect([gate.sparse.macs.gated, gate.sparse.macs.skipped]).toEqual([expect.closeTo(0.8 * macs, 6), 0])
    expect(skip.sparse.macs.skipped).toBeCloseTo(0.8 * macs, 6)
    expect(gate.sparse.cycles).toBe(gate.cycles)
    expect(skip.sparse.cycles).toBe(Math.ceil(0.2 * skip.cycles))
    expect(gate.sparse.energy.total).toBeCloseTo(skip.sparse.energy.total, 6)
    expect(gate.sparse.energy.total + gate.sparse.saved.gated).toBeCloseTo(plain.energy.total, 6)
    const { out } = await tilewright([...zeros, 'gate'])
    expect(out).toMatch(/With zeros \(not zero: weights 50\.0 %, inputs 40\.0 %\)/)
    expect(out).toMatch(/2,074 MACs done, 8,294 gated, 0 skipped; 2,074 have no zero factor/)
  })

  test.each([
    [['--zeros', 'weights=2:4'], /Run-length coding is of zeros at random places/],
    [['--zeros', 'inputs=2', '--on-zeros', 'gate'], /fraction from 0 to 1/],
    [['--on-zeros', 'gate'], /there are none[^]*Give --zeros/],
    [['--zeros', 'inputs=0.5', '--on-zeros', 'eyeriss'], /eyeriss has no rules about zeros/],
    [['--zeros', 'inputs=0.5', '--on-zeros', 'scnn'], /small has no level IARAM/],
    [['--zeros', 'weights=3:4'], /--zeros does not take "weights=3:4"[^]*Give 0\.6 or 2:4[^]*or measured/],
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
  test('several searches: a column of energy and of cycles with zeros', async () => {
    const args = ['map', folder.path('one.json'), '--dataflow', 'ws,none', '--budget', '100', '--workers', '0']
    const { out: plain } = await tilewright(args)
    expect(plain).not.toContain('zeros')
    const { code, out } = await tilewright([...args, '--zeros', 'inputs=0.5', '--on-zeros', 'skip'])
    expect(code).toBe(0)
    expect(out).toMatch(/^Zeros: inputs 50\.0 %\. MACs, reads .* are skipped$/m)
    expect(out).toMatch(/Energy, zeros +Cycles, zeros/)
    const cycles = /none .*?([\d,]+) +[\d.]+ % .*?([\d,]+) *$/m
      .exec(out)
      ?.slice(1)
      .map((text) => Number(text.replaceAll(',', '')))
    expect(cycles?.[1]).toBe(Math.ceil((cycles?.[0] ?? NaN) / 2))
  })

  test('all layers: totals with zeros as well, and a line of CSV with both', async () => {
    const csv = folder.path('all.csv')
    const { out } = await tilewright(
      ['map', 'lenet5', '--hardware', 'eyeriss', '--dataflow', 'rs', '--budget', '100', '--workers', '0'].concat([
        '--zeros',
        'inputs=0.5',
        '--on-zeros',
        'skip',
        '--csv',
        csv,
      ]),
    )
    const [head = '', ...lines] = readFileSync(csv, 'utf8').trim().split('\n')
    expect(head).toMatch(/,error,energy_zeros,cycles_zeros$/)
    expect(lines.length).toBe(5)
    const cycles = lines.reduce((sum, line) => sum + Number(line.split(',').at(-1)), 0)
    expect(cycles).toBeGreaterThan(0)
    expect(out).toMatch(/All layers .*Energy, zeros +Cycles, zeros/)
    expect(out).toMatch(new RegExp(`^rs .* ${cycles.toLocaleString('en-US')} *$`, 'm'))
  })

  test('what zeros leave of the mapping found, on a chip that gates them', async () => {
    const { code, out } = await tilewright(
      ['map', 'alexnet:conv3', '--hardware', 'eyeriss-chip', '--budget', '300', '--zeros', 'inputs=0.6', '--json'].concat([]),
    )
    expect(code).toBe(0)
    const { evaluation: found } = z
      .object({
        evaluation: z.object({
          macs: z.number(),
          padding: z.record(z.string(), z.number()),
          sparse: z.object({ macs: z.object({ performed: z.number(), gated: z.number(), skipped: z.number() }) }),
        }),
      })
      .parse(JSON.parse(out))
    // Padding is zero too: 13 rows of 3 taps with a border of one miss 2 of 39.
    const real = (37 / 39) ** 2
    expect(found.sparse.macs.performed).toBeCloseTo(0.4 * real * found.macs, 0)
    expect(found.sparse.macs.skipped).toBe(0)
  })

  test('measured zeros of a layer after a rectifier, narrow bits and the ISCA convention', async () => {
    const to = folder.path('mapped.json')
    const { code, out } = await tilewright(
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
    expect(out).toMatch(/Measured: [\d.]+ % of the inputs are zero; weights are seeded: 0, not trained \(--weights FILE/)
    const { hardware, evaluation: found } = z
      .object({
        hardware: z.object({
          sparsity: z.object({ levels: z.object({ DRAM: z.object({ inputs: z.object({ stored: z.number() }) }) }) }),
        }),
        evaluation,
      })
      .parse(JSON.parse(readFileSync(to, 'utf8')))
    // Three pairs of a run and a value to 64 bits.
    const { stored } = hardware.sparsity.levels.DRAM.inputs
    expect(out).toContain(`to inputs ${((100 * stored * 64) / 3 / 16).toFixed(1)} %`)
    expect(found.sparse?.energy.levels['DRAM']).not.toBe(found.energy.levels['DRAM'])
    // What was written is read again.
    const again = await tilewright(['evaluate', to, '--convention', 'isca16', '--json'])
    expect(evaluation.parse(JSON.parse(again.out)).energy).toEqual(found.energy)
  })
})
