/** What a command may touch besides files: where it writes, whether it should stop. Tests hand in their own. */
import pc from 'picocolors'
import { OptionError } from '../errors.ts'

/** Standard output or standard error. */
export interface Screen {
  write(text: string): void
  readonly isTTY: boolean
  readonly columns: number
  /** The stream behind it, where a progress bar can draw on it. */
  readonly stream?: NodeJS.WriteStream
}

export type Colors = ReturnType<typeof pc.createColors>

export interface Context {
  /** Results. */
  readonly out: Screen
  /** Progress, remarks, errors. */
  readonly err: Screen
  /** Aborted by Ctrl-C: stop soon, and keep what there is. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Exit codes: all well; an error, or a check that failed; stopped by Ctrl-C (128 + SIGINT). */
export const EXIT = { ok: 0, failed: 1, interrupted: 130 } as const

/** Colours for a screen: none where it is no terminal, unless FORCE_COLOR; none with NO_COLOR. */
export function colorsFor(context: Context, screen: Screen): Colors {
  const wanted = context.env['FORCE_COLOR'] !== undefined || (screen.isTTY && context.env['TERM'] !== 'dumb')
  return pc.createColors(wanted && context.env['NO_COLOR'] === undefined)
}

/** A remark on standard error. */
export function remark(context: Context, text: string): void {
  context.err.write(`${text}\n`)
}

/** The process's own streams. */
export function processContext(signal: AbortSignal): Context {
  return { out: screenOf(process.stdout), err: screenOf(process.stderr), signal, env: process.env }
}

function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY,
    get columns() {
      return stream.columns ?? 120
    },
    stream,
  }
}

/** For option parsers: an integer of at least `least`. @throws OptionError naming the option. */
export function integerOption(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
    throw new OptionError(`${option} takes an integer of at least ${least}, not ${JSON.stringify(text)}`)
  }
}

/** For option parsers: a finite number of at least `least`. @throws OptionError naming the option. */
export function numberOption(option: string, least = -Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isFinite(value) && value >= least) return value
    const range = least === -Infinity ? '' : ` of at least ${least}`
    throw new OptionError(`${option} takes a number${range}, not ${JSON.stringify(text)}`)
  }
}

/** For option parsers: one of `choices`. @throws OptionError listing them. */
export function choiceOption<C extends string>(option: string, choices: readonly C[]): (text: string) => C {
  return (text) => {
    const choice = choices.find((known) => known === text)
    if (choice !== undefined) return choice
    throw new OptionError(`${option} does not know ${JSON.stringify(text)}`, { remedy: `Give one of ${choices.join(', ')}` })
  }
}
