/** The page's side of the worker: calls as promises, errors with their names, cancelling through an AbortSignal. */
import type { ProfileProgress } from '../profile/profile.ts'
import type { CallName, Calls, Failure, Reply, Request } from './protocol.ts'

/** An error of the engine's; `name` is its class there. */
export class EngineError extends Error {
  constructor({ name, message }: Failure) {
    super(message)
    this.name = name
  }
}

interface Waiting {
  readonly done: (value: Calls[CallName]['reply']) => void
  readonly fail: (error: Error) => void
  readonly onProgress?: (event: ProfileProgress) => void
}

export interface CallOptions {
  readonly onProgress?: (event: ProfileProgress) => void
  readonly signal?: AbortSignal
}

export class Engine {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'tilewright' })
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  constructor() {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      this.#take(data)
    })
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault()
      this.#failAll(new EngineError({ name: 'WorkerError', message: event.message || 'The worker could not be started' }))
    })
  }

  /** Runs a call in the worker. @throws EngineError with the name of the engine's own error. */
  call<K extends CallName>(
    call: K,
    request: Calls[K]['request'],
    { onProgress, signal }: CallOptions = {},
  ): Promise<Calls[K]['reply']> {
    const id = this.#next++
    return new Promise<Calls[K]['reply']>((resolve, reject) => {
      // A reply answers the call of its id, so that its value is of that call's type.
      const done = (value: Calls[CallName]['reply']) => {
        resolve(value)
      }
      this.#waiting.set(id, { done, fail: reject, ...(onProgress === undefined ? {} : { onProgress }) })
      signal?.addEventListener(
        'abort',
        () => {
          this.#post({ id, call: 'cancel' })
        },
        { once: true },
      )
      this.#post({ id, call, request } as Request)
    })
  }

  #post(request: Request): void {
    this.#worker.postMessage(request)
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    if (waiting === undefined) return
    if (reply.kind === 'progress') {
      waiting.onProgress?.(reply.event)
      return
    }
    this.#waiting.delete(reply.id)
    if (reply.kind === 'done') waiting.done(reply.value)
    else waiting.fail(new EngineError(reply.error))
  }

  #failAll(error: Error): void {
    for (const { fail } of this.#waiting.values()) fail(error)
    this.#waiting.clear()
  }
}
