/** Results that ship: the latest of each product, where it gained, of adapters with the word, beside those of other words. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tuningText, type TunedEntry } from '../../src/profile/tuning.ts'

const script = fileURLToPath(new URL('../../scripts/ship-tuning.mjs', import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilewright-ship-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function entry(problem: string, before_ms: number, at: number, adapter = 'mesa-llvmpipe-llvm-20'): TunedEntry {
  const date = new Date(at).toISOString()
  return { adapter, kernels: `v${at}`, problem, config: { kernel: 'tiled', n: at }, time_ms: 1, before_ms, at: date }
}

function ship(entries: readonly TunedEntry[], word: string): { status: number | null; text: string; shipped: unknown } {
  writeFileSync(join(folder, 'tuning.json'), tuningText(entries))
  const target = join(folder, 'shipped.json')
  const other = { adapter: 'card', kernels: { z: { kernel: 'x' } } }
  const old = { adapter: 'llvmpipe', kernels: { gone: { kernel: 'x' } } }
  writeFileSync(target, JSON.stringify({ schema: 'tilewright.shipped/1', adapters: [old, other] }))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, join(folder, 'tuning.json'), word, target], {
    encoding: 'utf8',
  })
  return { status, text: stdout + stderr, shipped: JSON.parse(readFileSync(target, 'utf8')) }
}

test('what gained ships, and nothing of other adapters is lost', () => {
  const entries = [entry('b', 2, 1), entry('b', 1.5, 5), entry('a', 1.2, 2), entry('c', 1.1, 3), entry('d', 9, 4, 'other-gpu')]
  const { status, text, shipped } = ship(entries, 'llvmpipe')
  expect(text).toContain('2 of 3 problems of llvmpipe')
  expect(status).toBe(0)
  expect(shipped).toEqual({
    schema: 'tilewright.shipped/1',
    adapters: [
      { adapter: 'card', kernels: { z: { kernel: 'x' } } },
      { adapter: 'llvmpipe', kernels: { a: { kernel: 'tiled', n: 2 }, b: { kernel: 'tiled', n: 5 } } },
    ],
  })
})

test('a word that no adapter has is refused, and nothing is written', () => {
  const { status, text, shipped } = ship([entry('a', 2, 1)], 'radeon')
  expect(text).toMatch(/no results of an adapter with radeon/)
  expect(status).toBe(1)
  expect((shipped as { adapters: unknown[] }).adapters).toHaveLength(2)
})
