/** `tilewright figures`: tables, files, and what a stop leaves. */
import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import type { Figures } from '../../src/profile/figures/result.ts'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({})
afterAll(folder.remove)

describe('figures', () => {
  test('35 shows row stationary by layer, and writes JSON and CSV', async () => {
    const [json, csv] = [folder.path('f.json'), folder.path('f.csv')]
    const { code, out } = await tilewright(['figures', '35', '--budget', '60', '--batch', '2', '--json', json, '--csv', csv])
    expect(code).toBe(0)
    for (const layer of ['conv1', 'conv5', 'fc8', 'all CONV', 'all FC']) expect(out).toContain(layer)
    expect(out).toContain('The CONV layers take about 80 % of the energy (Fig. 35)')
    expect(out).not.toContain('Fig. 33:')
    const figures = JSON.parse(readFileSync(json, 'utf8')) as Figures
    expect([figures.schema, figures.batch, figures.convention, figures.complete]).toEqual([
      'tilewright.figures/1',
      2,
      'isca16',
      true,
    ])
    expect(figures.cells.map(({ dataflow }) => dataflow)).toEqual(Array.from({ length: 8 }, () => 'rs'))
    expect(readFileSync(csv, 'utf8').trim().split('\n')).toHaveLength(1 + 8 * 13)
  })

  test('the columns of a table line up', async () => {
    const { out } = await tilewright(['figures', '34', '--budget', '20', '--batch', '1', '--convention', 'tilewright'])
    const lines = out.split('\n')
    const start = lines.findIndex((line) => line.startsWith('dataflow') && line.includes('DRAM'))
    const rows = lines.slice(start + 2, start + 8)
    expect(rows.map((row) => row.split(' ')[0])).toEqual(['ws', 'os-a', 'os-b', 'os-c', 'nlr', 'rs'])
    for (const row of rows) {
      expect(row).toHaveLength(lines[start]?.length ?? 0)
      expect(row.indexOf('│')).toBe(lines[start]?.indexOf('│'))
    }
  })

  test('stopped: exit code 130, what is done is shown', async () => {
    const { code, out, err } = await tilewright(['figures', '--budget', '10'], AbortSignal.abort())
    expect(code).toBe(130)
    expect(out).toContain('2897.6M')
    expect(err).toContain('Stopped: only the layers that were done are shown.')
  })

  test.each([
    [['figures', '36'], /does not know "36"/],
    [['figures', '--batch', '0'], /--batch takes an integer of at least 1/],
    [['figures', '--convention', 'x'], /Give one of tilewright, isca16/],
    [['figures', '--budget', '0'], /--budget takes/],
    [['figures', '--workers', '-1'], /--workers takes/],
  ] as const)('%j is refused', async (args, message) => {
    const { code, err } = await tilewright(args)
    expect([code, message.test(err)]).toEqual([1, true])
  })
})
