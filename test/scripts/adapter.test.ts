/** The `node` wrapper of the software adapter, with a loader that only prints what it was given; choices and their errors. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureAdapter, writeWrapper } from '../../scripts/setup/adapter.mjs'
import { SetupError } from '../../scripts/setup/progress.mjs'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tilewright adapter-'))))
afterEach(() => rmSync(folder, { recursive: true }))

describe.skipIf(process.platform === 'win32')('the wrapper', () => {
  const lib = 'root/usr/lib/x86_64-linux-gnu'

  function make(place: string) {
    mkdirSync(join(place, lib), { recursive: true })
    writeWrapper(place, { triplet: 'x86_64-linux-gnu', loader: 'ld.so' })
    writeFileSync(
      join(place, lib, 'ld.so'),
      '#!/bin/sh\necho "$VK_DRIVER_FILES|$TILEWRIGHT_NODE"\nfor word; do echo "$word"; done\n',
    )
    chmodSync(join(place, lib, 'ld.so'), 0o755)
  }

  function call(place: string, env: Record<string, string> = {}) {
    const { TILEWRIGHT_NODE: _, ...inherited } = process.env
    const { stdout } = spawnSync(join(place, 'node'), ['a b.mjs', '--x'], { encoding: 'utf8', env: { ...inherited, ...env } })
    return stdout.trim().split('\n')
  }

  test('starts the real Node on its own libraries, wherever its folder was moved', () => {
    make(join(folder, 'made'))
    const place = join(folder, 'moved')
    renameSync(join(folder, 'made'), place)
    expect(call(place, { TILEWRIGHT_NODE: '/opt/node' })).toEqual([
      `${join(place, 'lvp.json')}|/opt/node`,
      '--library-path',
      join(place, lib),
      '/opt/node',
      '--require',
      join(place, 'preload.cjs'),
      'a b.mjs',
      '--x',
    ])
    expect(readFileSync(join(place, 'lvp.json'), 'utf8')).not.toContain(folder)
    expect(readFileSync(join(place, 'node'), 'utf8')).not.toContain(folder)
  })

  test('finds Node on the path, but not itself', () => {
    make(folder)
    expect(call(folder)[3]).toMatch(/node$/)
    const own = spawnSync(join(folder, 'node'), [], { encoding: 'utf8', env: { PATH: `${folder}:${process.env['PATH']}` } })
    expect(own.status).toBe(127)
    expect(own.stderr).toContain('TILEWRIGHT_NODE')
  })

  test('children of Node start through it', () => {
    make(folder)
    const script = 'process.stdout.write(process.execPath)'
    const { stdout } = spawnSync(process.execPath, ['--require', join(folder, 'preload.cjs'), '-e', script], { encoding: 'utf8' })
    expect(stdout).toBe(join(folder, 'node'))
  })
})

test('an unknown choice is refused with what it can be', async () => {
  const error = await ensureAdapter(folder, { choice: 'fast', note: () => undefined }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SetupError)
  expect(error).toMatchObject({
    message: expect.stringContaining('"fast"') as string,
    remedy: expect.stringContaining('gpu or software') as string,
  })
})
