/** The closing line of a test run and what fails it, from runs that vitest itself makes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verdictOf } from '../../scripts/setup/summary-reporter.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilewright-summary-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  const file = (name: string, body: string) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'a.test.mjs'), `import { expect, test } from 'vitest'\n${body}\n`)
  }
  file('passing', "test('a', () => expect(1).toBe(1)); test('b', () => expect(2).toBe(2))")
  file('skipping', "test('a', () => expect(1).toBe(1)); test('no browser', ({ skip }) => skip('Chromium is missing'))")
  file('failing', "test('a', () => expect(1).toBe(2)); test('b', () => expect(1).toBe(1))")
  file('broken', "throw new Error('does not load')")
})
afterAll(() => rmSync(folder, { recursive: true }))

function run(name: string, ci: boolean) {
  const { CI: _, ...env } = process.env
  const args = [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--root',
    join(folder, name),
    `--reporter=${join(root, 'scripts/setup/summary-reporter.mjs')}`,
  ]
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: ci ? { ...env, CI: 'true' } : env,
  })
  return { status, lines: stdout.trim().split('\n') }
}

describe('a run', () => {
  test.each([
    ['passing', true, 0, '2 passed, 0 failed, 0 skipped'],
    ['skipping', false, 0, '1 passed, 0 failed, 1 skipped'],
    ['skipping', true, 1, '1 passed, 0 failed, 1 skipped'],
    ['failing', false, 1, '1 passed, 1 failed, 0 skipped'],
    ['broken', false, 1, '0 passed, 1 failed, 0 skipped'],
  ])('%s, CI %s, exits with %i and closes with %s', { timeout: 60_000 }, (name, ci, status, line) => {
    const ended = run(name, ci)
    expect(ended.lines.at(-1)).toBe(line)
    expect(ended.status).toBe(status)
    if (name === 'skipping') expect(ended.lines).toContain('skipped: no browser (Chromium is missing)')
  })
})

test('a run without a test fails', () => {
  expect(verdictOf({ passed: 0, failed: 0, skipped: 3 }, { ci: false, interrupted: false })).toMatch(/No test/)
  expect(verdictOf({ passed: 3, failed: 0, skipped: 0 }, { ci: true, interrupted: false })).toBeUndefined()
  expect(verdictOf({ passed: 3, failed: 0, skipped: 0 }, { ci: true, interrupted: true })).toMatch(/interrupted/)
})
