/**
 * Results of tuning in a file, in Node. Several processes may tune at once: a writer takes a lock beside the file, writes a new file and
 * renames it, so that a reader sees the old or the new one and nothing in between.
 */
import type { Stats } from 'node:fs'
import { link, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OptionError } from '../errors.ts'
import type { TextPlace } from '../profile/tuning.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A writer holds the lock for moments; one this old was left by a process that died. */
const STALE_MS = 10_000
const RETRY_MS = 20
/** Longer than many writers in turn take. */
const WAIT_MS = 30_000
/** More than any machine's results; a longer file is none of ours. */
const MOST_BYTES = 64 * 2 ** 20

/**
 * Where results are kept: TILEWRIGHT_TUNING (a file; `off` for nowhere), else tuning.json in the folder `tilewright` of the user's cache
 * folder (LOCALAPPDATA on Windows, XDG_CACHE_HOME or ~/.cache elsewhere).
 * @returns the path, or undefined for nowhere
 */
export function tuningPath(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string | undefined {
  const given = env['TILEWRIGHT_TUNING']
  if (given !== undefined && given !== '') return given === 'off' ? undefined : given
  const local = platform === 'win32' ? env['LOCALAPPDATA'] : env['XDG_CACHE_HOME']
  const folder = local !== undefined && local !== '' ? local : join(home, platform === 'win32' ? 'AppData/Local' : '.cache')
  return join(folder, 'tilewright', 'tuning.json')
}

/**
 * A text in a file, which need not be there.
 * @param waitMs how long a writer waits for others, milliseconds, before it gives up with an OptionError
 */
export function filePlace(path: string, waitMs: number = WAIT_MS): TextPlace {
  return {
    name: path,
    read: () => readText(path),
    update: async (change) => {
      try {
        await makeFolders(dirname(path))
      } catch (cause) {
        throw refusal(path, 'written', cause)
      }
      await locked(path, waitMs, async () => {
        const text = change(await readText(path))
        const fresh = `${path}.${process.pid}.new`
        try {
          await writeFile(fresh, text)
          await rename(fresh, path)
        } catch (cause) {
          await rm(fresh, { force: true })
          throw refusal(path, 'written', cause)
        }
      })
    },
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new Error('it is no regular file')
    if (found.size > MOST_BYTES) throw new Error(`it has ${found.size} bytes, more than ${MOST_BYTES}`)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw refusal(path, 'read', cause)
  }
}

/** A folder and those it lies in, from the root on. Node's own recursive form never ends below /proc, which takes no folders. */
async function makeFolders(folder: string): Promise<void> {
  if ((await identityOf(folder))?.isFolder === true) return
  const parent = dirname(folder)
  if (parent !== folder) await makeFolders(parent)
  try {
    await mkdir(folder)
  } catch (cause) {
    // Another process may have made it meanwhile.
    if ((await identityOf(folder))?.isFolder !== true) throw cause
  }
}

/**
 * Runs `task` while no other process does so for this file.
 *
 *     lock is not there ─▶ made, task, removed     fresh ─▶ wait, at most `waitMs`     stale ─▶ moved aside, removed, tried again
 */
async function locked(path: string, waitMs: number, task: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  const end = performance.now() + waitMs
  let own = await made(path, lock)
  while (own === undefined) {
    const other = await identityOf(lock)
    // A time that lies ahead is no more to be trusted than one long past: a clock was set. A folder is no lock of ours.
    if (other?.isFolder === false && Math.abs(Date.now() - other.time_ms) > STALE_MS) await takeAway(path, lock, other)
    else if (performance.now() < end) await sleep(RETRY_MS)
    else {
      throw new OptionError(`Results of tuning cannot be written: ${path}: another process holds ${lock}`, {
        limit: `${waitMs / 1000} s of waiting`,
        remedy: `Remove ${lock} where no other process is tuning, or set TILEWRIGHT_TUNING to another file, or to off`,
      })
    }
    own = await made(path, lock)
  }
  try {
    await task()
  } finally {
    // Only the own one: who was too slow may have lost it to another.
    if (isSame(await identityOf(lock), own)) await rm(lock, { force: true })
  }
}

/** A lock that was made, or undefined where there is one. */
async function made(path: string, lock: string): Promise<Identity | undefined> {
  try {
    const handle = await open(lock, 'wx')
    try {
      return identity(await handle.stat())
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return undefined
    throw refusal(path, 'written', cause)
  }
}

/**
 * Takes a stale lock away. Of several that saw it one moves it; who moved another's fresh one instead, made in between, puts it back.
 */
async function takeAway(path: string, lock: string, stale: Identity): Promise<void> {
  const aside = `${lock}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    await rename(lock, aside)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return
    throw refusal(path, 'written', cause)
  }
  try {
    if (!isSame(await identityOf(aside), stale)) await link(aside, lock)
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw refusal(path, 'written', cause)
  } finally {
    await rm(aside, { force: true })
  }
}

/** What tells one file from a later one of its name. */
interface Identity {
  readonly inode: number
  readonly time_ms: number
  readonly isFolder: boolean
}

function identity(found: Stats): Identity {
  return { inode: found.ino, time_ms: found.mtimeMs, isFolder: found.isDirectory() }
}

async function identityOf(path: string): Promise<Identity | undefined> {
  try {
    return identity(await stat(path))
  } catch {
    return undefined
  }
}

function isSame(one: Identity | undefined, other: Identity): boolean {
  return one?.inode === other.inode && one.time_ms === other.time_ms
}

function refusal(path: string, verb: 'read' | 'written', cause: unknown): OptionError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const remedy = 'Set TILEWRIGHT_TUNING to another file, or to off'
  return new OptionError(`Results of tuning cannot be ${verb}: ${path}: ${reason}`, { remedy }, { cause })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
