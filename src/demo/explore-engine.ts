/**
 * The explore page's side of a worker: calls as promises. A call that must answer soon has a limit: past it the worker is ended and
 * another started, so that no input, however hostile, holds the page up.
 */
import { EngineError } from './engine.ts'
import type { ExploreCall, ExploreCalls, ExploreReply, ExploreRequest, SearchProgress } from './explore-protocol.ts'

interface Waiting {
  readonly done: (value: ExploreCalls[ExploreCall]['reply']) => void
  readonly fail: (error: Error) => void
  readonly onProgress?: (progress: SearchProgress) => void
}

export interface ExploreOptions {
  readonly onProgress?: (progress: SearchProgress) => void
  readonly signal?: AbortSignal
  /** Milliseconds to answer in. */
  readonly limit?: number
}

/** How long a cancelled call may take to hand over what it has. */
const PATIENCE = 1500

export class ExploreEngine {
  #worker: Worker | undefined
  readonly #waiting = new Map<number, Waiting>()
  #next = 1

  /** @throws EngineError with the name of the engine's own error, or TimeoutError */
  call<K extends ExploreCall>(
    call: K,
    request: ExploreCalls[K]['request'],
    { onProgress, signal, limit }: ExploreOptions = {},
  ): Promise<ExploreCalls[K]['reply']> {
    const id = this.#next++
    return new Promise<ExploreCalls[K]['reply']>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined
      const end = (ms: number, why: string): void => {
        timer = setTimeout(() => this.#restart(new EngineError({ name: 'TimeoutError', message: why })), ms)
      }
      const cancel = (): void => {
        this.#post({ id, call: 'cancel' })
        end(PATIENCE, 'The search did not stop by itself and was ended; nothing of it is kept')
      }
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', cancel)
      }
      // A reply answers the call of its id, so that its value is of that call's type.
      const done = (value: ExploreCalls[ExploreCall]['reply']): void => {
        settle()
        resolve(value)
      }
      const fail = (error: Error): void => {
        settle()
        reject(error)
      }
      this.#waiting.set(id, { done, fail, ...(onProgress === undefined ? {} : { onProgress }) })
      signal?.addEventListener('abort', cancel, { once: true })
      if (limit !== undefined) end(limit, `No answer within ${limit} ms: give a smaller problem, or a mapping of fewer loops`)
      this.#post({ id, call, request } as ExploreRequest)
    })
  }

  #post(request: ExploreRequest): void {
    this.#started().postMessage(request)
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./explore-worker.ts', import.meta.url), { type: 'module', name: 'tilewright-explore' })
    worker.addEventListener('message', ({ data }: MessageEvent<ExploreReply>) => this.#take(data))
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      this.#restart(new EngineError({ name: 'WorkerError', message: event.message || 'The worker could not be started' }))
    })
    this.#worker = worker
    return worker
  }

  #take(reply: ExploreReply): void {
    const waiting = this.#waiting.get(reply.id)
    if (waiting === undefined) return
    if (reply.kind === 'progress') {
      waiting.onProgress?.(reply.progress)
      return
    }
    this.#waiting.delete(reply.id)
    if (reply.kind === 'done') waiting.done(reply.value)
    else waiting.fail(new EngineError(reply.error))
  }

  #restart(error: Error): void {
    this.#worker?.terminate()
    this.#worker = undefined
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { fail } of all) fail(error)
  }
}
