/** Writing results: JSON to a file or to standard output, text files, and errors as one clear line. */
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { OptionError, TilewrightError } from '../errors.ts'
import { colorsFor, remark, type Context } from './context.ts'

/** What `--json [FILE]` gives: absent, a file, or standard output (`-`, or no file). */
export type JsonTarget = string | true | undefined

export const JSON_FLAGS = '--json [FILE]'
export const JSON_HELP = 'write the result as JSON to FILE, or to standard output in place of the table (FILE absent or -)'

/**
 * Shows a result: the table on standard output, and the JSON where `--json` asks; JSON on standard output replaces the table.
 * @throws OptionError when the file cannot be written.
 */
export function present(context: Context, target: JsonTarget, json: unknown, render: () => string): void {
  if (target === true || target === '-') {
    context.out.write(`${jsonText(json)}\n`)
    return
  }
  context.out.write(`${render()}\n`)
  if (target !== undefined) {
    writeText(target, `${jsonText(json)}\n`)
    remark(context, `Wrote ${target}`)
  }
}

/** JSON of a value, indented; NaN and the infinities, which JSON lacks, as strings. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'number' && !Number.isFinite(item) ? String(item) : item), 2)
}

/** Writes a file, its folder made where it is missing. @throws OptionError with the system's reason. */
export function writeText(file: string, content: string | Uint8Array): void {
  refuseStandardOutput(file)
  try {
    mkdirSync(dirname(resolve(file)), { recursive: true })
    writeFileSync(file, content)
  } catch (cause) {
    throw new OptionError(`${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
  }
}

/**
 * Finds out before long work whether files can be written after it, and leaves them as they are. `-` is standard output for JSON.
 * @throws OptionError with the system's reason, and for a `-` among the other files.
 */
export function checkWritable(json: JsonTarget, ...files: readonly (string | undefined)[]): void {
  for (const file of files) if (file !== undefined) refuseStandardOutput(file)
  for (const file of [json, ...files]) {
    if (file === undefined || file === true || file === '-') continue
    try {
      mkdirSync(dirname(resolve(file)), { recursive: true })
      const fresh = !existsSync(file)
      closeSync(openSync(file, 'a'))
      if (fresh) rmSync(file)
    } catch (cause) {
      throw new OptionError(`${file} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
    }
  }
}

function refuseStandardOutput(file: string): void {
  if (file === '-')
    throw new OptionError('FILE -: only --json writes to standard output', { remedy: 'Name a file; ./- is one called -' })
}

/** An error as `Name: message` on standard error; with TILEWRIGHT_DEBUG=1 the stack and causes too. */
export function printError(context: Context, error: unknown): void {
  const colors = colorsFor(context, context.err)
  const name = error instanceof Error ? error.name : 'Error'
  const message = error instanceof Error ? error.message : String(error)
  context.err.write(`${colors.red(`${name}:`)} ${message}\n`)
  if (context.env['TILEWRIGHT_DEBUG'] === '1') {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      context.err.write(`${cause.stack ?? cause.message}\n`)
  } else if (!(error instanceof TilewrightError)) {
    context.err.write('This is a fault of Tilewright: run again with TILEWRIGHT_DEBUG=1 and report what it prints.\n')
  }
}
