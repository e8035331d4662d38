/**
 * The set-up that `npm start`, `npm test` and `npm run demo` share: dependencies, adapter, build. Node built-ins alone, because nothing
 * else is installed yet.
 */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureAdapter } from './adapter.mjs'
import { ensureBuild } from './build.mjs'
import { interruptible, onInterrupt } from './child.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { reportFailure, SetupError, step } from './progress.mjs'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '')

/**
 * Sets up what is asked for, with a line for each step.
 * @param {{ adapter?: boolean | 'optional', build?: boolean | 'all' }} [needs] both by default; an `optional` adapter that cannot be
 *   had is said and left out; a build of `all` has the declarations and the demo too
 * @returns {Promise<{ adapter: import('./adapter.mjs').Adapter | undefined }>}
 */
export async function setUp({ adapter = true, build = true } = {}) {
  checkNode()
  const ends = interruptible()
  try {
    return await locked(async () => {
      await step('dependencies', (note) => ensureDependencies(ROOT, note), String)
      const found = adapter === false ? undefined : await adapterStep(adapter === 'optional')
      if (build !== false) await step('build', (note) => ensureBuild(ROOT, { all: build === 'all', note }), String)
      return { adapter: found }
    })
  } finally {
    ends()
  }
}

async function adapterStep(optional) {
  const choice = process.env.TILEWRIGHT_ADAPTER === '' ? undefined : process.env.TILEWRIGHT_ADAPTER
  try {
    return await step(
      'adapter',
      (note) => ensureAdapter(ROOT, { choice, note }),
      ({ kind, name }) => `${name} (${kind === 'gpu' ? 'GPU' : 'software'})`,
    )
  } catch (error) {
    if (!optional || !(error instanceof SetupError)) throw error
    reportFailure(error)
    return undefined
  }
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`Node ${process.versions.node} is too old.`, 'Install Node 20.19 or newer.')
  }
}

/** One set-up of a project at a time: a second one waits for the first, and finds its work done. */
async function locked(work) {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const lock = join(ROOT, '.cache', 'setup.lock')
  let told = false
  while (!takeLock(lock)) {
    if (!told) process.stderr.write('… another set-up of this project is running, waiting for it\n')
    told = true
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  const release = () => rmSync(lock, { force: true })
  const keep = onInterrupt(release)
  try {
    return await work()
  } finally {
    keep()
    release()
  }
}

/** A file with the owner's process id, made only where there is none; one of a process that has died does not count. */
function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  if (!isRunning(readLock(lock))) rmSync(lock, { force: true })
  return false
}

/** The process id in a lock; NaN when it was released meanwhile; this process's own while another is just writing it. */
function readLock(lock) {
  try {
    const text = readFileSync(lock, 'utf8')
    return text === '' && Date.now() - statSync(lock).mtimeMs < 5000 ? process.pid : Number(text)
  } catch {
    return Number.NaN
  }
}

function isRunning(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/**
 * Runs one of the commands: its exit code becomes the process's, a failure of the set-up is 1.
 * @param {() => Promise<number>} command
 */
export async function main(command) {
  try {
    process.exitCode = await command()
  } catch (error) {
    reportFailure(error)
    process.exitCode = 1
  }
}
