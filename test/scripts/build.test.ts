/** A build is stale when a source has another content, wherever and whenever it was written. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isBuilt, sourceStamp } from '../../scripts/setup/build.mjs'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tilewright-build-'))
  for (const folder of ['src/a', 'shaders', 'dist']) mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, 'src/a/x.ts'), 'one')
  writeFileSync(join(root, 'shaders/x.wgsl'), 'two')
})
afterEach(() => rmSync(root, { recursive: true }))

const build = (suffix = '') => writeFileSync(join(root, 'dist/.stamp'), `${sourceStamp(root)}${suffix}\n`)

test('without a stamp it is not built', () => expect(isBuilt(root)).toBe(false))

test('a touched source is no change, another content is', () => {
  build()
  utimesSync(join(root, 'src/a/x.ts'), 1, 1)
  expect(isBuilt(root)).toBe(true)
  writeFileSync(join(root, 'src/a/x.ts'), 'One')
  expect(isBuilt(root)).toBe(false)
})

test.each(['src/b.ts', 'shaders/y.wgsl', 'models/m.ts', 'vite.config.ts', 'vite.report.config.ts', 'package-lock.json'])(
  'a new %s is a change',
  (path) => {
    mkdirSync(join(root, 'models'))
    build()
    writeFileSync(join(root, path), '')
    expect(isBuilt(root)).toBe(false)
  },
)

test('a build for the command line is not a build of everything, the other way round it is', () => {
  build()
  expect(isBuilt(root, { all: true })).toBe(false)
  build(' all')
  expect(isBuilt(root, { all: true })).toBe(true)
  expect(isBuilt(root)).toBe(true)
})
