/** `map --objective time`: the table of what ran, JSON that can be evaluated again, options that do not go with it. */
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { folderOf, tilewright } from './harness.ts'

const folder = folderOf({
  'problem.json': JSON.stringify({ M: 6, C: 4, P: 7, Q: 5, R: 3, S: 3, padding: [1, 1, 1, 1] }),
})
afterAll(folder.remove)
const at = folder.path

test('runs candidates on the GPU, ranks them by prediction and by the clock, writes the fastest', async () => {
  const file = at('mapped.json')
  const args = ['map', at('problem.json'), '--dataflow', 'ws,os-b', '--objective', 'time', '--candidates', '3', '--budget', '30']
  const { code, out, err } = await tilewright([...args, '--samples', '1', '--json', file])
  expect(err).not.toContain('Error')
  expect(code).toBe(0)
  expect(out).toMatch(/Predicted +Measured +Dataflow/)
  expect(out).toContain("Spearman's rank correlation of predicted cost and measured time")
  const result = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly schema: string
    readonly objective: string
    readonly time_ms: number
    readonly tried: readonly { readonly time_ms: number; readonly verified: boolean }[]
    readonly adapter: { readonly software: boolean; readonly description: string }
  }
  expect([result.schema, result.objective, result.tried.length]).toEqual(['tilewright.map/1', 'time', 3])
  expect(result.tried.every(({ verified }) => verified)).toBe(true)
  expect(result.time_ms).toBe(Math.min(...result.tried.map(({ time_ms }) => time_ms)))
  expect(out).toContain(result.adapter.description)
  if (result.adapter.software) expect(out).toContain('its times rank nothing on a GPU')
  const again = await tilewright(['evaluate', file])
  expect([again.code, again.err]).toEqual([0, ''])
})

test('what does not go together is named', async () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, err } = await tilewright(['map', at('problem.json'), ...args])
    expect(code).toBe(1)
    return err
  }
  expect(await refused('--objective', 'time', '--csv', at('x.csv'))).toContain('--csv does not go with --objective time')
  expect(await refused('--objective', 'time', '--halo', 'timeloop')).toContain('--halo timeloop does not go with')
  expect(await refused('--hardware', 'eyeriss', '--candidates', '3')).toContain('--candidates goes with --objective time')
  expect(await refused('--objective', 'time', '--adapter', 'no such adapter')).toContain('NoAdapterError')
  expect(await refused('--objective', 'energy')).toContain('No hardware was given')
  const network = await tilewright(['map', 'lenet5', '--objective', 'time'])
  expect([network.code, network.err]).toEqual([1, expect.stringContaining('Time is measured of one layer')])
})
