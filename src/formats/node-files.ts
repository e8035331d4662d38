/** Files by path, in Node: importing this module lets `loadModel` take paths. */
import { open, stat, type FileHandle } from 'node:fs/promises'
import { FileFormatError, OptionError, TilewrightError } from '../errors.ts'
import { setFileReader } from '../graph/load.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
}

/** Bytes read at a time. */
const PIECE = 4 * 2 ** 20

/**
 * The bytes of a file. Devices and pipes, which may have no end, are refused before they are opened.
 * @param most bytes that are taken at most: a longer file is refused, whatever length the system states for it
 * @throws OptionError that says why it cannot be read; FileFormatError for a file that is too long
 */
export async function readLocalFile(path: string | URL, signal?: AbortSignal, most = Infinity): Promise<Uint8Array> {
  try {
    const found = await stat(path)
    if (!found.isFile() && !found.isDirectory()) throw new OptionError(`${String(path)} cannot be read: it is no regular file`)
    const file = await open(path)
    try {
      return await bytesOf(String(path), file, found.size, most, signal)
    } finally {
      await file.close()
    }
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof TilewrightError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause))
    throw new OptionError(`${String(path)} cannot be read: ${reason}`, {}, { cause })
  }
}

/** Reads to the end, or past `most`: the stated size is where it begins to make room, and no more. */
async function bytesOf(path: string, file: FileHandle, stated: number, most: number, signal?: AbortSignal): Promise<Uint8Array> {
  const tooLong = (length: string): FileFormatError =>
    new FileFormatError(`${path} has ${length} bytes`, { limit: `${most} bytes` })
  if (stated > most) throw tooLong(String(stated))
  let bytes = new Uint8Array(stated + 1)
  let length = 0
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(bytes, length, Math.min(PIECE, bytes.length - length))
    if (bytesRead === 0) return bytes.subarray(0, length)
    length += bytesRead
    if (length > most) throw tooLong(`more than ${most}`)
    if (length === bytes.length) {
      const longer = new Uint8Array(length + PIECE)
      longer.set(bytes)
      bytes = longer
    }
  }
}

setFileReader(readLocalFile)
