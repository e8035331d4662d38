/** Files by path, in Node: importing this module lets `loadModel` take paths. */
import { readFile } from 'node:fs/promises'
import { OptionError } from '../errors.ts'
import { setFileReader } from '../graph/load.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
}

/** The bytes of a file. @throws OptionError that says why it cannot be read. */
export async function readLocalFile(path: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    const { buffer, byteOffset, byteLength } = await readFile(path, { signal })
    return new Uint8Array(buffer, byteOffset, byteLength)
  } catch (cause) {
    signal?.throwIfAborted()
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause))
    throw new OptionError(`${String(path)} cannot be read: ${reason}`, {}, { cause })
  }
}

setFileReader(readLocalFile)
