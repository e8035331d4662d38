/**
 * Completes package-lock.json after `npm install`: npm leaves out an optional package (another platform's binary) that the registry
 * at hand does not have, and `npm ci` then refuses the whole file. This enters them as npm would, for their platform only, without
 * an integrity, which only that registry could tell.
 *
 *     npm install PACKAGE && node scripts/lockfile.mjs
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const OS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
/** @type {[string, RegExp][]} */
const CPU = [
  ['arm', /^arm-/],
  ['arm64', /^arm64$|^arm64-/],
  ['ia32', /^ia32/],
  ['ppc64', /^ppc64/],
  ['riscv64', /^riscv64/],
  ['s390x', /^s390x/],
  ['x64', /^x64/],
]

/**
 * The packages that an entry wants as optional and that the lockfile lacks.
 * @param {{ packages: Record<string, Record<string, any>> }} lock
 * @returns {{ path: string, version: string, parent: Record<string, any> }[]} what to enter
 */
export function missingOptionals({ packages }) {
  const missing = []
  for (const [at, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (packages[`${at}/node_modules/${name}`] === undefined && packages[`node_modules/${name}`] === undefined) {
        missing.push({ path: `node_modules/${name}`, version, parent })
      }
    }
  }
  return missing
}

/**
 * Where a package with a platform in its name runs: '@oxfmt/binding-linux-x64-musl' on linux, x64, musl.
 * @param {string} name
 * @returns {{ os: string[], cpu: string[], libc?: string[] } | undefined}
 */
export function platformOf(name) {
  const match = new RegExp(`[/-](${OS.join('|')})-(.+)$`).exec(name)
  if (match === null) return undefined
  const [, os, rest] = match
  const cpu = CPU.find(([, pattern]) => pattern.test(rest))?.[0]
  if (cpu === undefined) return undefined
  const libc = os !== 'linux' ? undefined : /musl/.test(rest) ? 'musl' : /gnu/.test(rest) ? 'glibc' : undefined
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) }
}

/**
 * Enters what is missing, in npm's order of entries and fields.
 * @param {{ packages: Record<string, Record<string, any>> }} lock
 */
export function completed(lock) {
  const packages = { ...lock.packages }
  for (const { path, version, parent } of missingOptionals(lock)) {
    const platform = platformOf(path)
    if (platform === undefined || !/^\d/.test(version))
      throw new Error(`${path} ${version} names no platform or no exact version: enter it by hand`)
    packages[path] = {
      version,
      cpu: platform.cpu,
      ...(parent.dev === true ? { dev: true } : {}),
      ...(platform.libc === undefined ? {} : { libc: platform.libc }),
      ...(parent.license === undefined ? {} : { license: parent.license }),
      optional: true,
      os: platform.os,
      ...(parent.engines === undefined ? {} : { engines: parent.engines }),
    }
  }
  return { ...lock, packages: Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'))) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../package-lock.json', import.meta.url))
  const lock = JSON.parse(readFileSync(path, 'utf8'))
  const missing = missingOptionals(lock)
  if (missing.length > 0) writeFileSync(path, `${JSON.stringify(completed(lock), undefined, 2)}\n`)
  console.log(`${missing.length} optional packages entered`)
}
