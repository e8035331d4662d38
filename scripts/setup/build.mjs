/**
 * The build: `vite build` of every target into dist/, when a source is newer than what was built. Newer means: another content,
 * compared by a hash of all sources with the one in dist/.stamp, so that a checkout or a copy does not matter.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture } from './child.mjs'
import { SetupError } from './progress.mjs'

const SOURCES = [
  'src',
  'shaders',
  'models',
  ...['benches', 'child', 'protocol', 'report', 'run', 'values', 'work'].map((name) => `bench/${name}.ts`),
  ...['cases', 'conv', 'engines', 'gemm', 'model'].map((name) => `bench/${name}`),
  'scripts/build.mjs',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
]

/**
 * A hash of all that the build reads.
 * @param {string} root the project's folder
 * @returns {string}
 */
export function sourceStamp(root) {
  const hash = createHash('sha256')
  const configs = readdirSync(root).filter((name) => /^(vite\..*config|vite\.config)\.ts$/.test(name))
  for (const name of [...SOURCES, ...configs].sort()) addTo(hash, root, name)
  return hash.digest('hex')
}

function addTo(hash, root, path) {
  const full = join(root, path)
  if (!existsSync(full)) return
  const entries = directoryEntries(full)
  if (entries === undefined) {
    hash.update(`${path}\0`).update(readFileSync(full)).update('\0')
    return
  }
  for (const name of entries) addTo(hash, root, `${path}/${name}`)
}

function directoryEntries(path) {
  try {
    return readdirSync(path).sort()
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined
    throw error
  }
}

/**
 * Whether dist/ was built from the sources as they are.
 * @param {string} root
 * @param {{ all?: boolean }} [needs] `all`: with declarations and the demo
 * @returns {boolean}
 */
export function isBuilt(root, { all = false } = {}) {
  const stamp = join(root, 'dist', '.stamp')
  if (!existsSync(stamp)) return false
  const [hash, ...parts] = readFileSync(stamp, 'utf8').trim().split(' ')
  return hash === sourceStamp(root) && (!all || parts.includes('all'))
}

/**
 * Builds where needed. The build is a process of its own: it loads Vite, which may not have been there when this one started.
 * @param {string} root
 * @param {{ all?: boolean, note: (text: string) => void }} options
 * @returns {Promise<string>} what was done
 * @throws {SetupError} with what the build printed
 */
export async function ensureBuild(root, { all = false, note }) {
  if (isBuilt(root, { all })) return 'up to date'
  note('vite build')
  const args = [join(root, 'scripts', 'build.mjs'), ...(all ? ['--all'] : [])]
  const { code, stdout, stderr } = await capture(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
    onLine: (line) => line.startsWith('building ') && note(line),
  })
  if (code !== 0) throw new SetupError(`The build failed (exit code ${code}).\n${stdout}\n${stderr}`.trim())
  return 'built'
}
