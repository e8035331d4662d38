/** Runs a command line in this process, with what it prints captured, and folders of small files for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import '../../src/gpu/node.ts'
import { main } from '../../src/cli/program.ts'

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** @param env beside the default, by which nothing that this machine's user tuned is read or written */
export async function tilewright(
  args: readonly string[],
  signal: AbortSignal = new AbortController().signal,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  let out = ''
  let err = ''
  const screen = { isTTY: false, columns: 120 }
  const code = await main(args, {
    out: { ...screen, write: (text) => void (out += text) },
    err: { ...screen, write: (text) => void (err += text) },
    signal,
    env: { TILEWRIGHT_TUNING: 'off', ...env },
  })
  return { code, out, err }
}

/** A folder with the given files, and how to remove it. */
export function folderOf(files: Readonly<Record<string, string | Uint8Array>>): {
  path: (name: string) => string
  remove: () => void
} {
  const folder = mkdtempSync(join(tmpdir(), 'tilewright-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true, force: true }) }
}
