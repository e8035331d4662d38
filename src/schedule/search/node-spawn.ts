/** Threads of Node for `mapMany`. */
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { OptionError } from '../../errors.ts'
import type { FromWorker, MapWorker } from './many.ts'

/** Where dist/map-worker.js lies, seen from dist/*.js and from dist/chunks/*.js. */
const PLACES = ['./map-worker.js', '../map-worker.js']

/** The built worker, beside the module that runs; absent where the sources run unbuilt. */
export function builtMapWorker(): URL | undefined {
  return PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url))
}

/**
 * Starts a worker for `mapMany`.
 * @param entry the worker's script, where it is not the built one beside this module
 * @throws OptionError where it was not built
 */
export function nodeMapWorker(entry: URL | undefined = builtMapWorker()): MapWorker {
  if (entry === undefined) {
    throw new OptionError('The script of the mapping worker is missing', {
      remedy: 'Build Tilewright: npm run build; or use workers: 0',
    })
  }
  const worker = new Worker(entry)
  return {
    post: (message) => worker.postMessage(message),
    listen(onMessage, onError) {
      worker.on('message', (message: FromWorker) => onMessage(message))
      worker.on('error', (error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
      // A normal end comes after `end`, when nobody listens for more.
      worker.on('exit', (code) => onError(new Error(`A mapping worker ended with code ${code}`)))
    },
    end: () => void worker.terminate(),
  }
}
