/** Results of tuning in a browser's IndexedDB: kept over a reload, merged by writers at once, and damage named. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TunedEntry } from '../../src/profile/tuning.ts'
import { SKIP, launch, serve } from './browser.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function entry(problem: string): TunedEntry {
  const at = '2026-01-02T03:04:05.678Z'
  return { adapter: 'card', kernels: 'v1', problem, config: { kernel: 'broadcast', rows: 8 }, time_ms: 1, before_ms: 2, at }
}

describe.skipIf(SKIP !== undefined)(`tuning in a page${SKIP === undefined ? '' : ` (skipped: ${SKIP})`}`, () => {
  let folder: string
  let browser: Browser
  let page: Page
  let site: { url: string; close: () => Promise<void> }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tilewright-tuning-'))
    await build({
      configFile: false,
      logLevel: 'error',
      publicDir: false,
      build: {
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        lib: { entry: join(root, 'test/e2e/tuning-page.ts'), formats: ['es'], fileName: () => 'tuning.js' },
      },
    })
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>tuning</title>')
    browser = await launch({ webgpu: false })
    site = await serve(folder)
    page = await browser.newPage()
    await page.goto(site.url)
  })

  afterAll(async () => {
    await browser?.close()
    await site?.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  /** Runs `body` in the page with the module as `m`; what it throws comes back as text. */
  async function inPage(body: string, given: unknown = null): Promise<unknown> {
    return await page.evaluate(
      `(async (given) => {
        const m = await import('/tuning.js')
        try { ${body} } catch (error) { return error.name + ': ' + error.message }
      })(${JSON.stringify(given)})`,
    )
  }

  it('is what openGpu asks in a page', async () => {
    expect(await inPage('return m.currentTuningSource().name')).toBe('IndexedDB tilewright')
    expect(await inPage('return [...(await m.pageTuning().load("card"))]')).toEqual([])
  })

  it('keeps what several writers add at once, over a reload', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `p${index}`)
    const body = `await Promise.all(given.map((entry) => new m.TuningStore(m.indexedDbPlace(indexedDB), 'v1').add([entry])))`
    expect(await inPage(body, names.map(entry))).toBeUndefined()
    await page.reload()
    const load = `return [...(await new m.TuningStore(m.indexedDbPlace(indexedDB), 'v1').load('card'))]`
    expect(await inPage(load)).toEqual(names.map((name) => [name, { kernel: 'broadcast', rows: 8 }]))
  })

  it('names what is damaged, and leaves it as it is until a reset', async () => {
    const store = `const place = m.indexedDbPlace(indexedDB); const store = new m.TuningStore(place, 'v1')`
    await inPage(`${store}; await place.update(() => 'oops')`)
    expect(await inPage(`${store}; await store.load('card')`)).toMatch(/^FileFormatError: IndexedDB tilewright holds no results/)
    expect(await inPage(`${store}; await store.add([given])`, entry('a'))).toMatch(/^FileFormatError/)
    expect(await inPage(`${store}; return await place.read()`)).toBe('oops')
    expect(await inPage(`${store}; await store.reset('card'); return await store.entries()`)).toEqual([])
  })
})
