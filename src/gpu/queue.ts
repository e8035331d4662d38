/** A first-in, first-out line: tasks run one at a time, in the order they came. */
export class Line {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Runs `task` when all earlier ones have ended, however they ended.
   * @throws the signal's reason when it is aborted before the task starts; the task is then never started.
   */
  enter<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => reject(signal?.reason as Error)
      signal?.addEventListener('abort', leave, { once: true })
      const turn = this.#last.then(async () => {
        signal?.removeEventListener('abort', leave)
        if (signal?.aborted === true) return
        await task().then(resolve, reject)
      })
      this.#last = turn.catch(() => {})
    })
  }
}
