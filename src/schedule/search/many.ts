/**
 * Many mapping searches at once, over workers or in this thread. Think of a counter with several clerks: tasks are handed out in
 * order as clerks become free, and since a search depends on nothing but its own seed, who does which changes no result.
 */
import { MappingError, OptionError, ShapeError, TilewrightError, type ErrorDetails } from '../../errors.ts'
import { searchSteps, type MapOptions, type MapResult } from '../mapper.ts'
import type { Problem } from '../problem.ts'

export interface MapTask extends Omit<MapOptions, 'signal' | 'onProgress'> {
  readonly problem: Problem
}

/** What came of a task: a result, or why there is none; neither where the work was stopped before the task began. */
export interface MapOutcome {
  readonly result?: MapResult
  readonly error?: Error
}

/** A thread that runs `serveMapTasks`, as `mapMany` sees it. */
export interface MapWorker {
  post(message: ToWorker): void
  /** Hands on what the worker posts, and an error that ends it. */
  listen(onMessage: (message: FromWorker) => void, onError: (error: Error) => void): void
  end(): void
}

export interface ManyOptions {
  /** Threads; 0 runs the tasks one after another in this one, with pauses so that it stays responsive. */
  readonly workers: number
  /** Starts a worker; needed where `workers` is not 0. In Node: `nodeMapWorker`; elsewhere `webMapWorker(new Worker(…))`. */
  readonly spawn?: () => MapWorker
  /** Stops the work: tasks that run give their best so far, the others are not begun. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ManyProgress) => void
}

export interface ManyProgress {
  readonly done: number
  readonly tasks: number
  /** Mappings evaluated by all tasks so far. */
  readonly seen: number
}

export type ToWorker = { readonly kind: 'map'; readonly index: number; readonly task: MapTask } | { readonly kind: 'stop' }

export type FromWorker =
  | { readonly kind: 'progress'; readonly index: number; readonly seen: number }
  | { readonly kind: 'done'; readonly index: number; readonly result: MapResult }
  | { readonly kind: 'failed'; readonly index: number; readonly error: PlainError }

/** An error that can be posted. */
interface PlainError {
  readonly name: string
  readonly message: string
  readonly details: ErrorDetails
}

/** How long a search runs before it lets others have the thread. */
const SLICE_MS = 25

/**
 * Maps every task; outcomes in the order of the tasks, the same for any number of workers.
 * @throws OptionError where workers are wanted and there is no `spawn`; what ends a worker
 */
export async function mapMany(tasks: readonly MapTask[], options: ManyOptions): Promise<MapOutcome[]> {
  const { workers, spawn, signal, onProgress } = options
  if (!Number.isSafeInteger(workers) || workers < 0) throw new OptionError(`${workers} workers`, { remedy: 'Give 0 or more' })
  const outcomes: MapOutcome[] = tasks.map(() => ({}))
  const seen = tasks.map(() => 0)
  let done = 0
  const report = (): void => onProgress?.({ done, tasks: tasks.length, seen: seen.reduce((sum, count) => sum + count, 0) })
  const settle = (index: number, outcome: MapOutcome): void => {
    outcomes[index] = outcome
    seen[index] = outcome.result?.searched.seen ?? seen[index] ?? 0
    done++
    report()
  }
  if (workers === 0) {
    for (const [index, task] of tasks.entries()) {
      if (signal?.aborted === true) break
      const onSeen = (count: number): void => {
        seen[index] = count
        report()
      }
      settle(index, await mapOne(task, signal, onSeen))
    }
    return outcomes
  }
  if (spawn === undefined) {
    throw new OptionError(`${workers} workers, and nothing that starts one`, {
      remedy: 'Give `spawn` (nodeMapWorker in Node, webMapWorker in a page), or workers: 0 for this thread',
    })
  }
  let next = 0
  const run = (worker: MapWorker): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => worker.post({ kind: 'stop' })
      const finish = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const take = (): void => {
        const task = tasks[next]
        if (task === undefined || signal?.aborted === true) finish()
        else worker.post({ kind: 'map', index: next++, task })
      }
      worker.listen(
        (message) => {
          if (message.kind === 'progress') {
            seen[message.index] = message.seen
            report()
            return
          }
          settle(message.index, message.kind === 'done' ? { result: message.result } : { error: revived(message.error) })
          take()
        },
        (error) => {
          signal?.removeEventListener('abort', stop)
          reject(error)
        },
      )
      signal?.addEventListener('abort', stop)
      take()
    })
  const threads = Array.from({ length: Math.min(workers, tasks.length) }, () => spawn())
  try {
    await Promise.all(threads.map(run))
  } finally {
    for (const thread of threads) thread.end()
  }
  return outcomes
}

/** One task in this thread, with pauses. What its options or its hardware make impossible is an outcome, any other fault is thrown. */
async function mapOne(
  { problem, ...options }: MapTask,
  signal: AbortSignal | undefined,
  onSeen: (seen: number) => void,
): Promise<MapOutcome> {
  try {
    const search = searchSteps(problem, { ...options, ...(signal === undefined ? {} : { signal }) })
    let pause = performance.now() + SLICE_MS
    for (let step = search.next(); ; step = search.next()) {
      if (step.done === true) return { result: step.value }
      if (performance.now() < pause) continue
      onSeen(step.value.seen)
      await new Promise((resolve) => {
        setTimeout(resolve)
      })
      pause = performance.now() + SLICE_MS
    }
  } catch (error) {
    if (error instanceof TilewrightError) return { error }
    throw error
  }
}

/** What a worker does: maps what it is sent, one task after another, until it is ended. `post` answers. */
export function mapServer(post: (message: FromWorker) => void): (message: ToWorker) => void {
  const stop = new AbortController()
  return (message) => {
    if (message.kind === 'stop') {
      stop.abort()
      return
    }
    const { index, task } = message
    const answer = async (): Promise<void> => {
      const { result, error } = await mapOne(task, stop.signal, (seen) => post({ kind: 'progress', index, seen }))
      if (result !== undefined) post({ kind: 'done', index, result })
      else if (error !== undefined) post({ kind: 'failed', index, error: plain(error) })
    }
    answer().catch((error: unknown) => post({ kind: 'failed', index, error: plain(error) }))
  }
}

/** A page's `Worker` as `mapMany` takes it; its script calls `serveMapTasks`. */
export function webMapWorker(worker: Worker): MapWorker {
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onError) {
      worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => onMessage(data))
      worker.addEventListener('error', ({ message }) => onError(new Error(message === '' ? 'The worker did not start' : message)))
    },
    end: () => worker.terminate(),
  }
}

/** For the script of a page's worker: `serveMapTasks(self)`. */
export function serveMapTasks(scope: {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void
}): void {
  const handle = mapServer((message) => scope.postMessage(message))
  scope.addEventListener('message', ({ data }) => handle(data))
}

function plain(error: unknown): PlainError {
  if (error instanceof TilewrightError) return { name: error.name, message: error.summary, details: error.details }
  return { name: 'Error', message: error instanceof Error ? error.message : String(error), details: {} }
}

function revived({ name, message, details }: PlainError): Error {
  switch (name) {
    case 'MappingError':
      return new MappingError(message, details)
    case 'OptionError':
      return new OptionError(message, details)
    case 'ShapeError':
      return new ShapeError(message, details)
    default:
      return new Error(message)
  }
}
