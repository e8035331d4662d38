/** Searches over worker threads: the same results as in this thread, in order, however many threads; stopped, they give what they have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { MappingError, OptionError } from '../../src/errors.ts'
import { DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import {
  mapMany,
  mapServer,
  type FromWorker,
  type MapOutcome,
  type MapTask,
  type MapWorker,
} from '../../src/schedule/search/many.ts'
import { builtMapWorker, nodeMapWorker } from '../../src/schedule/search/node-spawn.ts'

const eyeriss = hardwareNamed('eyeriss')
const small = convProblem({ M: 12, C: 6, P: 9, Q: 9, R: 3, S: 3 })
const tasks: readonly MapTask[] = [
  ...DATAFLOW_NAMES.map((dataflow, seed) => ({ problem: small, hardware: eyeriss, dataflow, budget: 300, seed })),
  { problem: convProblem({ M: 7, C: 5 }), hardware: eyeriss, budget: 300, objective: 'edp' },
]

/** What must not depend on threads: everything but the time. */
function timeless(outcomes: readonly MapOutcome[]): unknown {
  return outcomes.map(({ result, error }) =>
    result === undefined ? error?.message : { ...result, searched: { ...result.searched, seconds: 0 } },
  )
}

describe('mapMany', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tilewright-worker-'))
  const entry = pathToFileURL(join(folder, 'map-worker.js'))
  const spawn = (): MapWorker => nodeMapWorker(entry)

  beforeAll(async () => {
    const input = fileURLToPath(new URL('../../src/schedule/search/node-worker.ts', import.meta.url))
    await build({
      configFile: false,
      publicDir: false,
      logLevel: 'error',
      // Modules outside node_modules do not find dependencies: all of them go in.
      ssr: { noExternal: true },
      build: {
        ssr: true,
        outDir: folder,
        rollupOptions: { input: { 'map-worker': input }, output: { format: 'es', entryFileNames: '[name].js' } },
      },
    })
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('one, two and no workers give what mapProblem gives', async () => {
    const alone = timeless(tasks.map(({ problem, ...options }) => ({ result: mapProblem(problem, options) })))
    for (const workers of [0, 1, 2]) {
      const seen: number[] = []
      const outcomes = await mapMany(tasks, { workers, spawn, onProgress: (progress) => seen.push(progress.done) })
      expect(timeless(outcomes), `${workers} workers`).toEqual(alone)
      expect(seen.at(-1)).toBe(tasks.length)
    }
  })

  test('a task that has no mapping is an error of its own class, and the others have results', async () => {
    const nothing = { ...eyeriss, levels: eyeriss.levels.map((level, index) => (index === 2 ? { ...level, words: 1 } : level)) }
    const outcomes = await mapMany([{ problem: small, hardware: nothing, dataflow: 'rs', budget: 50 }, ...tasks.slice(0, 1)], {
      workers: 2,
      spawn,
    })
    expect(outcomes[0]?.error).toBeInstanceOf(MappingError)
    expect(outcomes[0]?.error?.message).toMatch(/rs.*fits eyeriss/)
    expect(outcomes[1]?.result?.searched.seen).toBeGreaterThan(0)
  })

  test.each([0, 2])('stopped, %i workers give the best so far of what runs, and begin no more', async (workers) => {
    const stop = new AbortController()
    const endless = Array.from({ length: 6 }, (): MapTask => ({ problem: small, hardware: eyeriss, budget: 1e9 }))
    const began = performance.now()
    const outcomes = await mapMany(endless, {
      workers,
      spawn,
      signal: stop.signal,
      onProgress: ({ seen }) => {
        if (seen > 500) stop.abort()
      },
    })
    expect(performance.now() - began).toBeLessThan(20_000)
    const found = outcomes.filter(({ result }) => result !== undefined)
    expect(found.length).toBe(Math.max(1, workers))
    for (const { result } of found) {
      expect(result?.searched).toMatchObject({ stopped: true, exhaustive: false })
      expect(result?.evaluation.energy.total).toBeGreaterThan(0)
    }
    expect(outcomes.at(-1)).toEqual({})
  })

  test('a worker that dies is an error, not silence', async () => {
    const broken = (): MapWorker => nodeMapWorker(pathToFileURL(join(folder, 'absent.js')))
    await expect(mapMany(tasks, { workers: 2, spawn: broken })).rejects.toThrow(/absent/)
  })

  test('workers without a way to start them are refused', async () => {
    await expect(mapMany(tasks, { workers: 2 })).rejects.toThrow(OptionError)
    await expect(mapMany(tasks, { workers: -1 })).rejects.toThrow(OptionError)
    // The sources are not built: the script is not beside them.
    expect(builtMapWorker()).toBeUndefined()
    expect(() => nodeMapWorker()).toThrow(/npm run build/)
  })

  test('what a worker answers names errors by class', async () => {
    const answers: FromWorker[] = []
    mapServer((message) => answers.push(message))({
      kind: 'map',
      index: 3,
      task: { problem: small, hardware: eyeriss, dataflow: 'zigzag' },
    })
    await new Promise((resolve) => {
      setTimeout(resolve, 10)
    })
    expect(answers).toMatchObject([{ kind: 'failed', index: 3, error: { name: 'OptionError' } }])
  })
})
