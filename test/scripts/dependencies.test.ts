/** When `npm ci` is needed, and what a failed one says. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dependenciesState, lockStamp, missingPackages, npmFailure } from '../../scripts/setup/dependencies.mjs'

const LOCK = {
  packages: {
    '': { version: '1.0.0' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b': { version: '2.0.0', integrity: 'sha512-b', optional: true },
  },
}
const INSTALLED = { packages: { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } } }

describe('staleness', () => {
  let root: string
  const write = (path: string, content: unknown) => {
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tilewright-'))
    write('package-lock.json', LOCK)
  })
  afterEach(() => rmSync(root, { recursive: true }))

  test('without node_modules', () => {
    expect(dependenciesState(root)).toEqual({ fresh: false, reason: 'not installed yet' })
  })

  test('with a stamp of this lockfile, until the lockfile changes', () => {
    mkdirSync(join(root, 'node_modules'))
    write('node_modules/.tilewright-lock', lockStamp(root))
    expect(dependenciesState(root).fresh).toBe(true)
    write('package-lock.json', { packages: {} })
    expect(dependenciesState(root)).toEqual({ fresh: false, reason: 'package-lock.json has changed' })
  })

  test('after npm ci by hand', () => {
    mkdirSync(join(root, 'node_modules'))
    write('node_modules/.package-lock.json', INSTALLED)
    expect(dependenciesState(root).fresh).toBe(true)
  })

  test('after npm ci by hand of an older lockfile', () => {
    mkdirSync(join(root, 'node_modules'))
    write('node_modules/.package-lock.json', { packages: { 'node_modules/a': { version: '0.9.0' } } })
    expect(dependenciesState(root)).toMatchObject({ fresh: false, reason: expect.stringContaining('node_modules/a') as string })
  })

  test('after an interrupted installation', () => {
    mkdirSync(join(root, 'node_modules', 'a'), { recursive: true })
    expect(dependenciesState(root)).toEqual({ fresh: false, reason: 'an installation was not finished' })
  })
})

describe('missing packages', () => {
  test('an optional one may be absent, but not of another version', () => {
    expect(missingPackages(LOCK, INSTALLED)).toEqual([])
    const other = { packages: { ...INSTALLED.packages, 'node_modules/b': { version: '1.0.0' } } }
    expect(missingPackages(LOCK, other)).toEqual(['node_modules/b'])
  })

  test('another content under the same version is missing', () => {
    expect(missingPackages(LOCK, { packages: { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } } })).toEqual([
      'node_modules/a',
    ])
  })
})

describe('a failed npm ci', () => {
  test.each([
    ['npm error code ENOTFOUND\nnpm error network request failed', /registry was not reached/, /Connect to the network/],
    ['npm ERR! code EAI_AGAIN', /registry was not reached/, /proxy/],
    ['npm error code ENOTCACHED', /registry was not reached/, /network/],
    ['npm ERR! code SELF_SIGNED_CERT_IN_CHAIN', /certificate is not trusted/, /cafile/],
    ['npm error code EBADENGINE', /too old/, /20\.19/],
    ['npm error code E401', /refused/, /npm login/],
    ['npm error code ENOSPC', /disk is full/, /MB/],
    ['npm error code EACCES', /not allowed to write/, /owns/],
    ['npm error code EUSAGE', /could not be installed/, /npm ci/],
  ])('%s names its cause and its remedy', (output, message, remedy) => {
    const error = npmFailure(output, 1)
    expect(error.message).toMatch(message)
    expect(error.message).toContain(output.split('\n')[0])
    expect(error.remedy).toMatch(remedy)
  })
})
