/** package-lock.json works everywhere: complete for every platform, and bound to no registry. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { completed, missingOptionals, platformOf } from '../../scripts/lockfile.mjs'

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')
const lock = JSON.parse(text) as Parameters<typeof completed>[0]

describe('package-lock.json', () => {
  test('names no registry', () => {
    const urls = [...text.matchAll(/"([^"]+)": "((?:https?|git\+[a-z]+):[^"]*)"/g)].filter(([, key]) => key !== 'url')
    expect(urls.map(([, key, url]) => `${key} ${url}`)).toEqual([])
  })

  test('has every optional package, so that npm ci takes it on every platform', () => {
    expect(missingOptionals(lock)).toEqual([])
  })

  test('has an integrity for every package that is not optional', () => {
    const without = Object.entries(lock.packages).filter(
      ([path, facts]) => path !== '' && facts['optional'] !== true && facts['integrity'] === undefined,
    )
    expect(without).toEqual([])
  })
})

describe('completing a lockfile', () => {
  const parent = {
    dev: true,
    license: 'MIT',
    engines: { node: '>=20' },
    optionalDependencies: { '@x/binding-linux-x64-musl': '1.2.3', '@x/binding-darwin-arm64': '1.2.3' },
  }
  const partial = { packages: { 'node_modules/x': parent, 'node_modules/@x/binding-darwin-arm64': { version: '1.2.3' } } }

  test('enters what is missing for its platform', () => {
    const { packages } = completed(partial)
    expect(packages['node_modules/@x/binding-linux-x64-musl']).toEqual({
      version: '1.2.3',
      cpu: ['x64'],
      dev: true,
      libc: ['musl'],
      license: 'MIT',
      optional: true,
      os: ['linux'],
      engines: { node: '>=20' },
    })
    expect(missingOptionals({ packages })).toEqual([])
  })

  test('refuses what names no platform', () => {
    const odd = { packages: { 'node_modules/x': { optionalDependencies: { fsevents: '2.3.3' } } } }
    expect(() => completed(odd)).toThrow(/fsevents/)
  })

  test.each([
    ['@oxfmt/binding-linux-arm64-gnu', { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] }],
    ['@oxfmt/binding-linux-arm-musleabihf', { os: ['linux'], cpu: ['arm'], libc: ['musl'] }],
    ['@oxlint-tsgolint/win32-x64', { os: ['win32'], cpu: ['x64'] }],
    ['@x/binding-win32-ia32-msvc', { os: ['win32'], cpu: ['ia32'] }],
    ['left-pad', undefined],
  ])('reads the platform of %s', (name, platform) => {
    expect(platformOf(name)).toEqual(platform)
  })
})
