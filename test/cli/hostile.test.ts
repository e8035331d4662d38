/** Input that is made to hurt: files without end, of millions of keys, deep or blank. Each is refused by name, shortly and soon. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import pc from 'picocolors'
import { afterAll, describe, expect, test } from 'vitest'
import { csvOf, ranTitle, renderTotals, type Row } from '../../src/cli/map/rows.ts'
import { collectSweep } from '../../src/cli/map/sweep.ts'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { ENERGY_SET_NAMES, ENERGY_SETS } from '../../src/cost/energy-sets.ts'
import { OptionError } from '../../src/errors.ts'
import { readLocalFile } from '../../src/formats/node-files.ts'
import { parseProblem } from '../../src/schedule/parse.ts'
import { folderOf, tilewright } from './harness.ts'
import { processorTime } from '../processor.ts'

const MIB = 2 ** 20
const keysUpTo = (size: number): string => {
  const keys: string[] = []
  for (let at = 0, length = 2; length < size - 20; at++) length += (keys[keys.push(`"k${at}":1`) - 1]?.length ?? 0) + 1
  return `{${keys.join(',')}}`
}
const longKey = JSON.stringify({ ['x'.repeat(MIB)]: 1, M: 2 })

const folder = folderOf({
  'keys.json': keysUpTo(2 * MIB),
  'keys-16.json': keysUpTo(16 * MIB),
  'long-key.json': longKey,
  'deep.json': '['.repeat(2 * MIB),
  'deep-8.json': '['.repeat(8 * MIB),
  'blank.csv': '\n'.repeat(MIB),
  'blank-16.csv': '\n'.repeat(16 * MIB),
  'blank.txt': '\n'.repeat(2 * MIB),
  'blank.cfg': '\n'.repeat(2 * MIB),
  'spaces.txt': ' '.repeat(2 * MIB),
  'commas.csv': ','.repeat(MIB),
  'spaces.csv': `a\n${' '.repeat(9990)}`,
  'blank.yaml': '\n'.repeat(2 * MIB),
  'problem.json': JSON.stringify({ M: 4, C: 3, P: 3, R: 2 }),
  'layers.csv': 'Layer,Input height,Input width,Filter height,Filter width,Channels,Filters,Stride,\none,8,8,3,3,2,4,1,\n',
})
afterAll(() => folder.remove())

describe('hostile files', () => {
  const files = readdirSync(folder.path('.')).filter((name) => !/^(problem|layers)/.test(name))
  test.each(files)('%s is refused in one short line, in less than a second of processor time', async (name) => {
    const seconds = processorTime()
    const { code, err, out } = await tilewright(['evaluate', folder.path(name), 'eyeriss'])
    const took = seconds()
    expect(code).toBe(1)
    expect(out).toBe('')
    expect(err).toMatch(/^(FileFormat|Option|Shape)Error: /)
    expect(err.split(folder.path('.')).join('').length).toBeLessThan(600)
    expect(took).toBeLessThan(1)
  })

  test.runIf(existsSync('/dev/zero'))('devices and pipes are refused before they are opened', async () => {
    for (const args of [
      ['evaluate', '/dev/zero'],
      ['map', 'lenet5', '--hardware', '/dev/zero'],
      ['inspect', '/dev/zero'],
    ]) {
      const { code, err } = await tilewright(args)
      expect(code).toBe(1)
      expect(err).toMatch(/OptionError: .*\/dev\/zero cannot be read: it is no regular file/)
    }
    execFileSync('mkfifo', [folder.path('pipe.json')])
    await expect(readLocalFile(folder.path('pipe.json'))).rejects.toThrow(/no regular file/)
  })

  test('a file is read whole up to its limit, and not beyond', async () => {
    const file = folder.path('blank.csv')
    expect(await readLocalFile(file, undefined, MIB)).toHaveLength(MIB)
    expect(Buffer.from(await readLocalFile(folder.path('layers.csv'))).toString()).toMatch(/^Layer,[^]*,1,\n$/)
    await expect(readLocalFile(file, undefined, MIB - 1)).rejects.toThrow(/blank\.csv has 1048576 bytes \(limit 1048575 bytes\)/)
  })

  test.runIf(existsSync('/proc/self/maps'))('a file that states no size is read to its end, or refused at the limit', async () => {
    expect((await readLocalFile('/proc/self/maps')).length).toBeGreaterThan(1000)
    await expect(readLocalFile('/proc/self/maps', undefined, 1000)).rejects.toThrow(/more than 1000 bytes/)
  })

  test('keys that are not known are named beside those that are', () => {
    expect(() => parseProblem({ M: 1, Z: 1 })).toThrow(/problem: there is no "Z"; it has N, M, C, P, Q, R, S, stride/)
    expect(() => parseProblem({ a: 1, b: 1, c: 1, d: 1 })).toThrow(/"a", "b", "c" and 1 more; it has N,/)
  })

  test.each([
    [
      'hardware',
      { ...hardwareNamed('eyeriss'), levels: [{ name: 'DRAM', energy: 1, size: 3 }] },
      /levels\[0\]: there is no "size"; it has name, words/,
    ],
    ['mapping', { levels: [{ name: 'DRAM', spatial: { z: [] } }] }, /levels\[0\]\.spatial: there is no "z"; it has x, y/],
  ])('so they are inside a %s', async (part, value, says) => {
    const { parseEvaluationFile } = await import('../../src/schedule/parse.ts')
    expect(() => parseEvaluationFile({ [part]: value })).toThrow(says)
  })
})

describe('options', () => {
  test.each([
    ['--csv', 'map'],
    ['--yaml', 'map'],
    ['--html', 'map'],
    ['--yaml', 'evaluate'],
  ])('%s - is refused by %s and writes nothing', async (flag, command) => {
    const { code, err, out } = await tilewright([command, folder.path('problem.json'), flag, '-', '--json', '-'])
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/OptionError: FILE -: only --json writes to standard output/)
    expect(existsSync('-')).toBe(false)
  })

  test.each(['problem.json', 'layers.csv', 'layers.csv:one'])('what is for a model is refused for %s', async (name) => {
    for (const flags of [
      ['--batch', '2'],
      ['--dim', 'N=2'],
    ]) {
      const { code, err } = await tilewright(['map', folder.path(name), '--hardware', 'eyeriss', '--budget', '10', ...flags])
      expect(code).toBe(1)
      expect(err).toMatch(new RegExp(`OptionError: ${flags[0]} is for MODEL:LAYER`))
    }
  })

  test('an unknown set of energies is answered with whole price lists', async () => {
    const { err } = await tilewright(['map', folder.path('problem.json'), '--hardware', 'eyeriss', '--energies', 'nope'])
    expect(err).toMatch(`Choose one of ${ENERGY_SET_NAMES.join(', ')}`)
    const figuresOnly = Object.keys(ENERGY_SETS).filter((name) => !ENERGY_SET_NAMES.includes(name))
    expect(figuresOnly.length).toBeGreaterThan(0)
    for (const name of figuresOnly) expect(err).not.toContain(name)
  })

  test('sweeps: a start beyond the end, and powers of ten', () => {
    expect(() => collectSweep('GLB.words=64k..16k:*2')).toThrow(/starts at 65536, beyond its end 16384/)
    expect(collectSweep('GLB.words=1e3..1e6:*10')).toEqual([{ field: 'GLB.words', values: [1e3, 1e4, 1e5, 1e6] }])
    for (const bad of ['1e999', '1e', 'e6', '16K']) expect(() => collectSweep(`GLB.words=${bad}`)).toThrow(OptionError)
  })
})

describe('rows', () => {
  const row = (layer: string, outcome: Row['outcome']): Row => ({
    layer,
    dataflow: 'ws',
    at: {},
    problem: parseProblem({ M: 4, C: 3 }),
    hardware: hardwareNamed('eyeriss'),
    outcome,
  })

  test('searches that never ran are told apart from those that found nothing', () => {
    const failed = row('one', { error: new OptionError('none') })
    const rows = [failed, row('two', {}), row('three', {})]
    expect(ranTitle(rows)).toBe('1 search (stopped before 2 searches)')
    expect(ranTitle([failed, failed])).toBe('2 searches')
    const colors = pc.createColors(false)
    expect(renderTotals(rows, 'energy', colors)).toMatch(/ws +stopped before 2 searches/)
    expect(renderTotals([failed, row('two', { error: new OptionError('none') })], 'energy', colors)).toMatch(
      /2 layers without a mapping/,
    )
  })

  test('text that a spreadsheet would run is kept as text', () => {
    const [, ...lines] = csvOf(
      [...'=+-@\t'].map((sign) => row(`${sign}SUM(1,"2")`, {})),
      'energy',
    )
      .trimEnd()
      .split('\n')
    expect(lines.map((line) => line.slice(0, 17))).toEqual([...'=+-@\t'].map((sign) => `"'${sign}SUM(1,""2"")",`))
    expect(csvOf([{ ...row('a=b', {}), at: { x: -1 } }], 'energy').split('\n')[1]).toMatch(/^-1,a=b,ws,/)
  })
})
