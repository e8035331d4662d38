/**
 * Results of tuning in a file, in Node. Several processes may tune at once: a writer takes a lock beside the file, writes a new file and
 * renames it, so that a reader sees the old or the new one and nothing in between.
 */
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OptionError } from '../errors.ts'
import type { TextPlace } from '../profile/tuning.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A writer holds the lock for moments; one this old was left by a process that died. */
const STALE_MS = 10_000
const RETRY_MS = 20
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

/** A text in a file, which need not be there. */
export function filePlace(path: string): TextPlace {
  return {
    name: path,
    read: () => readText(path),
    update: async (change) => {
      try {
        await mkdir(dirname(path), { recursive: true })
      } catch (cause) {
        throw refusal(path, 'written', cause)
      }
      await locked(path, async () => {
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

/** Runs `task` while no other process does so for this file. */
async function locked(path: string, task: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  for (;;) {
    try {
      await (await open(lock, 'wx')).close()
      break
    } catch (cause) {
      if (codeOf(cause) !== 'EEXIST') throw refusal(path, 'written', cause)
    }
    const age = await ageOf(lock)
    if (age > STALE_MS) await rm(lock, { force: true })
    else await sleep(RETRY_MS)
  }
  try {
    await task()
  } finally {
    await rm(lock, { force: true })
  }
}

/** Milliseconds since a file was made; 0 where it is gone. */
async function ageOf(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch {
    return 0
  }
}

function refusal(path: string, verb: 'read' | 'written', cause: unknown): OptionError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const remedy = 'Set TILEWRIGHT_TUNING to another file, or to off'
  return new OptionError(`Results of tuning cannot be ${verb}: ${path}: ${reason}`, { remedy }, { cause })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
