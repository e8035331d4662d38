/**
 * Progress on standard error: a bar on a terminal; elsewhere a plain line every few seconds, and none before the first two
 * seconds have passed, so that short commands stay quiet.
 */
import { SingleBar } from 'cli-progress'
import type { Context } from './context.ts'

const QUIET_MS = 2000
const LINE_EVERY_MS = 5000

export class Progress {
  readonly #context: Context
  readonly #started = performance.now()
  #bar: SingleBar | undefined
  #lastLine = -Infinity

  constructor(context: Context) {
    this.#context = context
  }

  /** `done` of `total` steps are behind us; `text` names the one at hand. */
  update(done: number, total: number, text: string): void {
    const { err } = this.#context
    if (err.isTTY && err.stream !== undefined) {
      this.#bar ??= this.#open(err.stream, total)
      this.#bar.setTotal(total)
      this.#bar.update(done, { text })
      return
    }
    const now = performance.now()
    if (now - this.#started < QUIET_MS || now - this.#lastLine < LINE_EVERY_MS) return
    this.#lastLine = now
    err.write(`[${done}/${total}] ${text}\n`)
  }

  /** Removes the bar. */
  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  #open(stream: NodeJS.WriteStream, total: number): SingleBar {
    const bar = new SingleBar({
      format: '{bar} {value}/{total}  {text}',
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      stream,
      clearOnComplete: true,
      hideCursor: null,
      linewrap: true,
      // Ctrl-C is the command's to handle: it still has a report to write.
      gracefulExit: false,
    })
    bar.start(total, 0, { text: '' })
    return bar
  }
}
