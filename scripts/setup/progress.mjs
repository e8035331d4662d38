/**
 * Progress of the set-up: one line per step on standard error (standard output belongs to the command that is started), with
 * a tick and the seconds. On a terminal the line is redrawn while the step runs; elsewhere only changes are printed.
 */
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** A failure of the set-up that a person can mend: what happened, and what to do. Printed without a stack. */
export class SetupError extends Error {
  /**
   * @param {string} message what happened
   * @param {string} [remedy] what to do about it
   */
  constructor(message, remedy) {
    super(message)
    this.name = 'SetupError'
    this.remedy = remedy
  }
}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

/**
 * Runs one step and shows it.
 * @template T
 * @param {string} label the step's name, as 'dependencies'
 * @param {(note: (text: string) => void) => Promise<T>} work the step; calls `note` with what it is doing now
 * @param {(result: T) => string} [describe] the text after the tick; without it, the last note
 * @returns {Promise<T>}
 */
export async function step(label, work, describe) {
  const out = process.stderr
  const live = Boolean(out.isTTY) && process.env.TERM !== 'dumb'
  const start = performance.now()
  let text = ''
  let frame = 0
  const draw = () => {
    const line = `${FRAMES[frame++ % FRAMES.length]} ${label}: ${text}  ${seconds(start)}`
    out.write(`\r\x1b[2K${line.slice(0, Math.max(20, (out.columns || 80) - 1))}`)
  }
  const timer = live ? setInterval(() => text !== '' && draw(), 120) : undefined
  let saying
  const note = (next) => {
    if (next === text) return
    // elsewhere than on a terminal: nothing for what is over at once, and no counts that change many times a second
    if (!live && withoutCounts(next) !== withoutCounts(text)) {
      clearTimeout(saying)
      saying = setTimeout(() => out.write(`… ${label}: ${next}\n`), 300)
    }
    text = next
  }
  const end = (mark, detail) => {
    clearInterval(timer)
    clearTimeout(saying)
    out.write(`${live ? '\r\x1b[2K' : ''}${mark} ${label}${detail === '' ? '' : `: ${detail}`}  ${seconds(start)}\n`)
  }
  try {
    const result = await work(note)
    end('✓', describe === undefined ? text : describe(result))
    return result
  } catch (error) {
    end('✗', error instanceof SetupError ? 'failed' : text)
    throw error
  }
}

const withoutCounts = (text) => text.replaceAll(/\d+/g, '')

/**
 * Prints a failure: the message, its remedy; a stack only where it is a fault of the scripts.
 * @param {unknown} error
 */
export function reportFailure(error) {
  if (error instanceof SetupError) {
    process.stderr.write(`\n${error.message}\n${error.remedy === undefined ? '' : `\n${error.remedy}\n`}`)
  } else {
    process.stderr.write(`\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  }
}
