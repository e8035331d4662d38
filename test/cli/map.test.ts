/** `tilewright map`: one layer, whole networks, sweeps, dataflows from files, what it writes, and stopping. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { collectSweep, sweepPoints } from '../../src/cli/map/sweep.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { OptionError } from '../../src/errors.ts'
import { DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({
  'own.json': JSON.stringify({
    name: 'mine',
    title: 'weights stay',
    spatial: { x: ['M'], y: ['C'] },
    keep: { buffer: ['inputs', 'outputs'], registers: ['weights'] },
    innermost: ['C', 'R', 'S', 'N', 'P', 'Q'],
    registers: [],
  }),
  'wrong.json': JSON.stringify({ name: 'mine', spatial: { x: ['Z'] } }),
  'small.json': JSON.stringify({ M: 4, C: 3, P: 3, R: 2 }),
  'problem.json': JSON.stringify({ M: 6, C: 4, P: 5, Q: 5, R: 3, S: 3 }),
})
afterAll(() => folder.remove())

const rowsFile = z.object({
  schema: z.literal('tilewright.maps/1'),
  objective: z.string(),
  rows: z.array(
    z.object({
      layer: z.string(),
      dataflow: z.string(),
      at: z.record(z.string(), z.number()),
      ratio: z.number().optional(),
      evaluation: z.object({ energy: z.object({ total: z.number() }), cycles: z.number() }),
      searched: z.object({ seen: z.number(), total: z.number(), exhaustive: z.boolean() }),
    }),
  ),
})

describe('map', () => {
  test('a network under all dataflows: a row each, none better than without one, the same in JSON and CSV', async () => {
    const [json, csv] = [folder.path('rows.json'), folder.path('rows.csv')]
    const args = ['map', 'lenet5', '--hardware', 'eyeriss', '--dataflow', 'all', '--budget', '150', '--workers', '0']
    const { code, out, err } = await tilewright([...args, '--json', json, '--csv', csv])
    expect(err).not.toContain('Error')
    expect(code).toBe(0)
    const { rows } = rowsFile.parse(JSON.parse(readFileSync(json, 'utf8')))
    const layers = new Set(rows.map(({ layer }) => layer))
    expect(layers.size).toBeGreaterThan(3)
    expect(rows.map(({ dataflow }) => dataflow)).toEqual([...layers].flatMap(() => [...DATAFLOW_NAMES, 'none']))
    for (const { layer, dataflow, ratio } of rows) expect(ratio, `${layer} ${dataflow}`).toBeGreaterThanOrEqual(1)
    expect(rows.filter(({ ratio }) => ratio === 1).length).toBeGreaterThanOrEqual(layers.size)
    expect(out).toMatch(/All layers.*× best/)
    expect(err).toMatch(new RegExp(`${rows.length} searches evaluated`))
    const lines = readFileSync(csv, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(rows.length + 1)
    expect(lines[1]?.split(',')[5]).toBe(String(rows[0]?.evaluation.energy.total))
  })

  test('sweeps make a row for each value, and more room never costs more where the search is whole', async () => {
    const csv = folder.path('sweep.csv')
    const { code, out } = await tilewright([
      'map',
      folder.path('small.json'),
      '--hardware',
      'eyeriss',
      '--dataflow',
      'ws',
      '--budget',
      '100000',
      '--sweep',
      'GLB.words=8..32:*2',
      '--sweep',
      'array.x=2,4',
      '--workers',
      '0',
      '--csv',
      csv,
    ])
    expect(code).toBe(0)
    expect(out).toMatch(/GLB\.words +array\.x/)
    const [head, ...lines] = readFileSync(csv, 'utf8').trimEnd().split('\n')
    const column = (name: string): number[] => lines.map((line) => Number(line.split(',')[(head ?? '').split(',').indexOf(name)]))
    expect(column('GLB.words')).toEqual([8, 8, 16, 16, 32, 32])
    expect(column('array.x')).toEqual([2, 4, 2, 4, 2, 4])
    expect(lines.every((line) => line.endsWith(',true,'))).toBe(true)
    const energy = column('energy')
    for (let at = 2; at < energy.length; at++) expect(energy[at]).toBeLessThanOrEqual(energy[at - 2] ?? 0)
  })

  test('a dataflow of one’s own, as nest, JSON and YAML', async () => {
    const [json, yaml] = [folder.path('own-mapped.json'), folder.path('own.yaml')]
    const args = [
      'map',
      folder.path('problem.json'),
      '--hardware',
      'eyeriss',
      '--dataflow',
      folder.path('own.json'),
      '--budget',
      '100',
    ]
    const { code, out, err } = await tilewright([...args, '--json', json, '--yaml', yaml])
    expect(code).toBe(0)
    expect(out).toMatch(/parallel-for/)
    expect(err).toMatch(/mappings were evaluated/)
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ schema: 'tilewright.map/1', dataflow: 'mine' })
    expect(readFileSync(yaml, 'utf8')).toMatch(/^architecture:[^]*^problem:[^]*^mapping:\n {2}- target: DRAM/m)
  })

  test('stopped before it begins, it says so with exit code 130', async () => {
    const args = ['map', 'lenet5', '--hardware', 'eyeriss', '--dataflow', 'ws,rs', '--workers', '0']
    const { code, out, err } = await tilewright(args, AbortSignal.abort())
    expect(code).toBe(130)
    expect(out + err).not.toMatch(/ G |without a mapping|searches evaluated/)
  })

  test('stopped on its way, it says how many searches never ran', async () => {
    const args = ['map', 'vgg16', '--hardware', 'eyeriss', '--dataflow', 'ws,rs', '--workers', '0', '--budget', '1000000']
    const { code, out, err } = await tilewright(args, AbortSignal.timeout(1500))
    expect(code).toBe(130)
    expect(out + err).not.toMatch(/without a mapping/)
    const [, ran, never] = /(\d+) search(?:es)? \(stopped before (\d+) searches\) evaluated/.exec(err) ?? []
    expect(Number(never), err).toBeGreaterThan(0)
    expect(Number(ran) + Number(never)).toBe(out.match(/^\S+ +(ws|rs) /gm)?.length)
    expect(out).toMatch(/^rs +stopped before \d+ search/m)
  })

  test('one mapping is counted as one', async () => {
    const args = [
      'map',
      folder.path('problem.json'),
      '--hardware',
      'eyeriss',
      '--dataflow',
      'ws',
      '--budget',
      '1',
      '--workers',
      '0',
    ]
    expect((await tilewright(args)).err).toMatch(/(^|\s)1 mapping was evaluated, of a space/)
  })

  test.each([
    ['a dataflow file with faults', ['--dataflow', folder.path('wrong.json')], /wrong\.json.*title.*spatial/],
    ['a sweep of no field', ['--sweep', 'words=3'], /LEVEL\.field/],
    ['a sweep of a level that is not there', ['--sweep', 'L2.words=3'], /no L2\.words.*DRAM, GLB, RF/],
    ['a sweep of a field that is none', ['--sweep', 'GLB.wrods=3'], /GLB\.wrods=3/],
    ['a sweep of what is no number', ['--sweep', 'GLB.words=few'], /few/],
    ['a range without an end', ['--sweep', 'GLB.words=1..9:*1'], /1\.\.9:\*1/],
    ['YAML of several', ['--dataflow', 'ws,rs', '--yaml', folder.path('no.yaml')], /one mapping/],
    ['workers below none', ['--workers', '-1'], /--workers/],
    ['workers that are not built', ['--workers', '2'], /npm run build/],
  ])('refuses %s', async (_, args, said) => {
    const { code, err } = await tilewright(['map', folder.path('problem.json'), '--hardware', 'eyeriss', '--budget', '50', ...args])
    expect(code).toBe(1)
    expect(err).toMatch(said)
    expect(err).toMatch(/OptionError|FileFormatError/)
  })
})

describe('--sweep', () => {
  test('values, suffixes and ranges', () => {
    expect(collectSweep('GLB.words=1k,2048,3')).toEqual([{ field: 'GLB.words', values: [1024, 2048, 3] }])
    expect(collectSweep('GLB.words=1k..8k')[0]?.values).toEqual([1024, 2048, 4096, 8192])
    expect(collectSweep('array.x=4..10:+3')[0]?.values).toEqual([4, 7, 10])
    expect(() => collectSweep('a.b=1', [{ field: 'a.b', values: [2] }])).toThrow(OptionError)
  })

  test('points are combinations, and the hardware is otherwise as it was', () => {
    const eyeriss = hardwareNamed('eyeriss')
    const points = sweepPoints(eyeriss, [
      { field: 'RF.bandwidth.read', values: [1, 2] },
      { field: 'network.energy', values: [0, 3] },
    ])
    expect(points.map(({ at }) => Object.values(at))).toEqual([
      [1, 0],
      [1, 3],
      [2, 0],
      [2, 3],
    ])
    expect(points[3]?.hardware.levels[2]?.bandwidth).toEqual({ read: 2 })
    expect(points[3]?.hardware).toMatchObject({ name: 'eyeriss', array: eyeriss.array, network: { energy: 3 } })
    expect(sweepPoints(eyeriss, [])).toEqual([{ at: {}, hardware: eyeriss }])
    expect(() => sweepPoints(eyeriss, [{ field: 'mac.energy', values: Array.from({ length: 10_001 }, (_, at) => at) }])).toThrow(
      /10001/,
    )
  })
})
