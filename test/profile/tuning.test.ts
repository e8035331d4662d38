/** Results of tuning are read, merged and written so that nothing of another's is lost, and what is no such file is named. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { filePlace, tuningPath } from '../../src/formats/node-tuning.ts'
import { indexedDbPlace } from '../../src/profile/tuning-indexeddb.ts'
import { mergeTuning, parseTuning, TUNING_SCHEMA, TuningStore, tuningText, type TunedEntry } from '../../src/profile/tuning.ts'

function entry(problem: string, changes: Partial<TunedEntry> = {}): TunedEntry {
  return {
    adapter: 'card',
    kernels: 'v1',
    problem,
    config: { kernel: 'broadcast', rows: 16 },
    time_ms: 1,
    before_ms: 2,
    at: '2026-01-02T03:04:05.678Z',
    ...changes,
  }
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilewright-tuning-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('text', () => {
  test('what is written is read', () => {
    const algorithm = { algorithm: 'implicit-gemm', kernel: { kernel: 'tiled', rows: 64 } }
    const entries = [
      entry('a'),
      entry('b', { config: { kernel: 'tiled', tileRows: 64, more: [1] } }),
      entry('c', { config: algorithm }),
    ]
    expect(parseTuning(tuningText(entries), 'x')).toEqual(entries)
    expect(parseTuning(tuningText([]), 'x')).toEqual([])
    expect(parseTuning(undefined, 'x')).toEqual([])
    // Of kernels of before.
    expect(parseTuning('{"schema":"tilewright.tuning/1","entries":[{"product":"a"}]}', 'x')).toEqual([])
  })

  test.each([
    ['no JSON', '{"schema": "tilewright.tun', /x holds no results of tuning: it is no JSON.*--reset/],
    ['another schema', '{"schema":"tilewright.tuning/9","entries":[]}', /tilewright\.tuning\/9.*limit tilewright\.tuning\/2/],
    ['no schema', '[]', /x holds no results.*schema none/],
    ['null', 'null', /x holds no results/],
    ['damaged', `{"schema":"${TUNING_SCHEMA}","entries":[{"adapter":"a"}]}`, /damaged results of tuning: entries\.0\.kernels/],
    ['a time that is none', tuningText([entry('a', { time_ms: -1 })]), /entries\.0\.time_ms/],
    ['no date', tuningText([entry('a', { at: 'today' })]), /entries\.0\.at/],
  ])('%s is a FileFormatError that says so', (_, text, message) => {
    expect(() => parseTuning(text, 'x')).toThrow(expect.objectContaining({ name: 'FileFormatError' }) as Error)
    expect(() => parseTuning(text, 'x')).toThrow(message)
  })

  test('of two for one problem the later stays, whichever comes first', () => {
    const early = entry('a', { time_ms: 5 })
    const late = entry('a', { time_ms: 6, at: '2026-01-03T00:00:00.000Z' })
    expect(mergeTuning([early], [late])).toEqual([late])
    expect(mergeTuning([late], [early])).toEqual([late])
    const others = [entry('b'), entry('a', { adapter: 'other' }), entry('a', { kernels: 'v2' })]
    expect(mergeTuning([early], others)).toEqual([early, ...others])
  })
})

describe('store', () => {
  test('loads what is of this adapter and these kernels', async () => {
    const place = filePlace(join(folder, 'deep/er/tuning.json'))
    const store = new TuningStore(place, 'v1')
    expect(await store.load('card')).toEqual(new Map())
    await store.add([entry('a'), entry('b', { adapter: 'other' }), entry('c', { kernels: 'v0' })])
    expect(await store.load('card')).toEqual(new Map([['a', { kernel: 'broadcast', rows: 16 }]]))
    expect(await new TuningStore(place, 'v0').load('card')).toEqual(new Map([['c', { kernel: 'broadcast', rows: 16 }]]))
    expect(readdirSync(join(folder, 'deep/er'))).toEqual(['tuning.json'])
  })

  test('many writers at once lose nothing', async () => {
    const path = join(folder, 'tuning.json')
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`)
    await Promise.all(names.map((name) => new TuningStore(filePlace(path), 'v1').add([entry(name)])))
    expect([...(await new TuningStore(filePlace(path), 'v1').load('card')).keys()].toSorted()).toEqual(names.toSorted())
  })

  test('a lock that a dead process left is taken away, a fresh one is waited for', async () => {
    const path = join(folder, 'tuning.json')
    writeFileSync(`${path}.lock`, '')
    utimesSync(`${path}.lock`, 1, 1)
    const store = new TuningStore(filePlace(path), 'v1')
    await store.add([entry('a')])
    writeFileSync(`${path}.lock`, '')
    let isDone = false
    const adding = store.add([entry('b')]).then(() => (isDone = true))
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(isDone).toBe(false)
    rmSync(`${path}.lock`)
    await adding
    expect((await store.load('card')).size).toBe(2)
  })

  test('a lock from the future is taken away too; a folder in its place is left alone', async () => {
    const path = join(folder, 'tuning.json')
    const store = new TuningStore(filePlace(path), 'v1')
    const ahead = Date.now() / 1000 + 3600
    writeFileSync(`${path}.lock`, '')
    utimesSync(`${path}.lock`, ahead, ahead)
    await store.add([entry('a')])
    expect(readdirSync(folder)).toEqual(['tuning.json'])
    mkdirSync(`${path}.lock`)
    utimesSync(`${path}.lock`, 1, 1)
    await expect(new TuningStore(filePlace(path, 60), 'v1').add([entry('b')])).rejects.toThrow(/Remove .*tuning\.json\.lock/)
    expect(readdirSync(folder)).toEqual(['tuning.json', 'tuning.json.lock'])
  })

  test('many writers at a stale lock lose nothing', async () => {
    const path = join(folder, 'tuning.json')
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`)
    writeFileSync(`${path}.lock`, '')
    utimesSync(`${path}.lock`, 1, 1)
    await Promise.all(names.map((name) => new TuningStore(filePlace(path), 'v1').add([entry(name)])))
    expect([...(await new TuningStore(filePlace(path), 'v1').load('card')).keys()].toSorted()).toEqual(names.toSorted())
    expect(readdirSync(folder)).toEqual(['tuning.json'])
  })

  test('a lock that stays is an OptionError that names it, and is left alone', async () => {
    const path = join(folder, 'tuning.json')
    writeFileSync(`${path}.lock`, '')
    await expect(new TuningStore(filePlace(path, 60), 'v1').add([entry('a')])).rejects.toThrow(
      expect.objectContaining({
        name: 'OptionError',
        message: expect.stringMatching(
          /another process holds .*tuning\.json\.lock .*0\.06 s.*Remove .*tuning\.json\.lock/,
        ) as string,
      }) as Error,
    )
    expect(readdirSync(folder)).toEqual(['tuning.json.lock'])
  })

  test('who was so slow that its lock went to another leaves the other’s', async () => {
    const path = join(folder, 'tuning.json')
    await filePlace(path).update(() => {
      rmSync(`${path}.lock`)
      writeFileSync(`${path}.lock`, 'other')
      utimesSync(`${path}.lock`, 1, 1)
      return 'text'
    })
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('other')
  })

  test.skipIf(!existsSync('/proc/self'))('a folder that takes no folders is an OptionError, not a wait for ever', async () => {
    const place = filePlace('/proc/tilewright-none/deep/tuning.json')
    await expect(place.update(() => '')).rejects.toThrow(/cannot be written.*TILEWRIGHT_TUNING/)
  })

  test('what is damaged is not written over, but forgotten on reset', async () => {
    const path = join(folder, 'tuning.json')
    writeFileSync(path, 'oops')
    const store = new TuningStore(filePlace(path), 'v1')
    await expect(store.load('card')).rejects.toThrow(/no JSON/)
    await expect(store.add([entry('a')])).rejects.toThrow(/no JSON/)
    expect(readFileSync(path, 'utf8')).toBe('oops')
    expect(existsSync(`${path}.lock`)).toBe(false)
    expect(await store.reset('card')).toBe(0)
    await store.add([entry('a'), entry('b', { adapter: 'other' })])
    expect(await store.reset('card')).toBe(1)
    expect((await store.entries()).map(({ adapter }) => adapter)).toEqual(['other'])
    expect(await store.reset()).toBe(1)
  })

  test('a folder in place of the file is an OptionError with the remedy', async () => {
    mkdirSync(join(folder, 'tuning.json'))
    const store = new TuningStore(filePlace(join(folder, 'tuning.json')))
    await expect(store.load('card')).rejects.toThrow(/cannot be read.*no regular file.*TILEWRIGHT_TUNING/)
    writeFileSync(join(folder, 'file'), '')
    const below = new TuningStore(filePlace(join(folder, 'file/tuning.json')))
    await expect(below.add([entry('a')])).rejects.toThrow(/cannot be written/)
  })
})

test('a page that may not store data gets an OptionError, not the browser’s own', async () => {
  const denied: Pick<IDBFactory, 'open'> = {
    open: () => {
      throw new DOMException('denied', 'SecurityError')
    },
  }
  await expect(new TuningStore(indexedDbPlace(denied)).load('card')).rejects.toThrow(
    expect.objectContaining({ name: 'OptionError', message: expect.stringContaining('denied') as string }) as Error,
  )
})

test.each([
  [{ TILEWRIGHT_TUNING: 'off' }, 'linux', undefined],
  [{ TILEWRIGHT_TUNING: '/x/y.json', XDG_CACHE_HOME: '/c' }, 'linux', '/x/y.json'],
  [{ XDG_CACHE_HOME: '/c' }, 'linux', '/c/tilewright/tuning.json'],
  [{ XDG_CACHE_HOME: '', TILEWRIGHT_TUNING: '' }, 'darwin', '/home/me/.cache/tilewright/tuning.json'],
  [{ LOCALAPPDATA: '/local', XDG_CACHE_HOME: '/c' }, 'win32', '/local/tilewright/tuning.json'],
  [{}, 'win32', '/home/me/AppData/Local/tilewright/tuning.json'],
] as const)('%o on %s: %s', (env, platform, path) => {
  expect(tuningPath(env, platform, '/home/me')).toBe(path)
})
