/**
 * The demo as a person meets it, in headless Chromium on SwiftShader: networks run and are verified, reports are shown and saved,
 * and what cannot be run is said by name. The page is built as it would be published.
 */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProfileReport } from '../../src/profile/report.ts'
import { REPORT_SCHEMA } from '../../src/profile/report.ts'
import { macsOf } from '../../src/schedule/problem.ts'
import { initializer, modelBytes, node, valueInfo } from '../formats/onnx-builder.ts'
import { SKIP, launch, serve } from './browser.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const RUN = { timeout: 240_000 }

describe.skipIf(SKIP !== undefined)(`the demo${SKIP === undefined ? '' : ` (skipped: ${SKIP})`}`, () => {
  let folder: string
  let dist: string
  let browser: Browser
  let site: { url: string; close: () => Promise<void> }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tilewright-demo-'))
    dist = join(folder, 'dist')
    await build({ configFile: join(root, 'vite.demo.config.ts'), logLevel: 'error', build: { outDir: dist } })
    browser = await launch({ webgpu: true })
    site = await serve(dist)
  })

  afterAll(async () => {
    await browser?.close()
    await site?.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  /** A page of the demo with its device open; what goes wrong in the page fails the test. */
  async function demo(): Promise<{ page: Page; errors: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    await page.goto(site.url)
    await page.getByText('Device:').waitFor()
    return { page, errors }
  }

  async function savedJson(page: Page): Promise<ProfileReport> {
    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save JSON' }).click()
    return JSON.parse(await readFile(await (await waiting).path(), 'utf8')) as ProfileReport
  }

  function layersOf(report: ProfileReport): string[] {
    return report.layers.map(({ name }) => name)
  }

  it('runs and verifies LeNet-5 under one dataflow, shows the report and saves it', async () => {
    const { page, errors } = await demo()
    await page.getByLabel('A network with seeded weights').selectOption('lenet5')
    await page.getByText(/\d+ layers run as dataflows/).waitFor()
    await page.getByRole('radio', { name: 'row stationary' }).check()
    await page.getByRole('button', { name: 'Run and verify' }).click()
    const verdict = page.locator('.demo-verdict')
    await verdict.waitFor(RUN)
    expect(await verdict.innerText()).toMatch(/^✓ (\d+) of \1 rows verified · counted = predicted on \1 of \1$/)

    const report = await savedJson(page)
    expect(report).toMatchObject({
      schema: REPORT_SCHEMA,
      hardware: 'gpu',
      precision: 'f32',
      batch: 1,
      complete: true,
      adapter: { software: true },
    })
    expect(report.layers.length).toBeGreaterThanOrEqual(5)
    for (const layer of report.layers) {
      expect(layer.macs).toBe(macsOf(layer.problem))
      expect(Object.keys(layer.dataflows)).toEqual(['rs'])
      const row = layer.dataflows['rs']
      expect(row).toMatchObject({ verified: true, counted_equal: true })
      expect(row?.counted).toEqual(row?.predicted?.issued)
      expect(row?.counted?.macs).toBeGreaterThan(0)
      expect(row?.max_error_ratio).toBeLessThanOrEqual(1)
      expect(row?.gflops).toBeCloseTo((2 * layer.macs) / (row?.time_ms ?? 0) / 1e6, 6)
    }

    const shown = page.locator('#report')
    expect(await shown.getByRole('heading', { level: 1 }).innerText()).toBe(report.model)
    expect(await shown.getByText('software adapter: figures rank nothing').count()).toBe(1)
    expect(await shown.locator('.tw-cell').count()).toBe(report.layers.length)
    expect(await shown.locator('figure svg').count()).toBeGreaterThanOrEqual(9)
    expect(await shown.locator('[data-table=Results] tbody tr').count()).toBe(report.layers.length)
    expect(await shown.getByRole('alert').count()).toBe(0)

    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save page' }).click()
    const saved = join(folder, 'lenet5.html')
    await (await waiting).saveAs(saved)
    const copy = await browser.newPage()
    await copy.context().setOffline(true)
    copy.on('pageerror', (error) => errors.push(error.message))
    await copy.goto(`file://${saved}`)
    expect(await copy.locator('#report figure svg').count()).toBeGreaterThanOrEqual(9)
    expect(await copy.getByRole('heading', { level: 1 }).innerText()).toBe(report.model)
    expect(errors).toEqual([])
    await page.close()
    await copy.close()
  })

  it('runs an ONNX file', async () => {
    const weights = (count: number) => Float32Array.from({ length: count }, (_, index) => ((index * 7) % 11) / 11 - 0.4)
    const bytes = modelBytes({
      nodes: [
        node('Conv', ['x', 'w', 'b'], ['c'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 1] }, { name: 'conv' }),
        node('Relu', ['c'], ['r']),
        node('Flatten', ['r'], ['f']),
        node('Gemm', ['f', 'w2'], ['y'], { transB: 1 }, { name: 'head' }),
      ],
      initializers: [
        initializer('w', weights(4 * 3 * 9), [4, 3, 3, 3]),
        initializer('b', weights(4)),
        initializer('w2', weights(5 * 4 * 4 * 7), [5, 112]),
      ],
      inputs: [valueInfo('x', ['N', 3, 7, 7])],
    })
    const { page, errors } = await demo()
    await page
      .getByLabel('Open an ONNX file')
      .setInputFiles({ name: 'tiny.onnx', mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) })
    await page.getByText('2 layers run as dataflows (1 CONV and 1 FC)').waitFor()
    expect(await page.getByText('Open dimensions are taken as 1: N.').count()).toBe(1)
    await page.getByRole('radio', { name: 'output stationary B' }).check()
    await page.getByRole('button', { name: 'Run and verify' }).click()
    await page.locator('.demo-verdict').waitFor(RUN)
    expect(await page.locator('.demo-verdict').innerText()).toBe('✓ 2 of 2 rows verified · counted = predicted on 2 of 2')
    const report = await savedJson(page)
    expect(report.model).toBe('tiny')
    expect(layersOf(report)).toEqual(['conv', 'head'])
    expect(report.layers.map(({ macs }) => macs)).toEqual([4 * 3 * 9 * 4 * 7, 5 * 112])
    expect(errors).toEqual([])
    await page.close()
  })

  it('names what is wrong with a text file given as a model, and goes on with another network', async () => {
    const { page } = await demo()
    await page
      .getByLabel('Open an ONNX file')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('This is no model.\n'.repeat(20)) })
    const alert = page.getByRole('alert')
    await alert.waitFor()
    expect(await alert.innerText()).toMatch(/^notes\.txt cannot be run: ModelFormatError\n/)
    await page.getByRole('button', { name: 'Run and verify' }).click()
    await page.getByText('No network is chosen').waitFor()
    await page.getByLabel('A network with seeded weights').selectOption('lenet5')
    await page.getByText(/\d+ layers run as dataflows/).waitFor()
    expect(await page.locator('.demo-about [role=alert]').count()).toBe(0)
    await page.close()
  })

  it('stops when it is cancelled, and keeps what is done', async () => {
    const { page, errors } = await demo()
    await page.getByText(/\d+ layers run as dataflows/).waitFor()
    await page.getByRole('radio', { name: 'all seven, side by side' }).check()
    await page.getByRole('button', { name: 'Run and verify' }).click()
    // A row may pass between two looks at the page: any from the third on will do.
    await page.getByText(/\(row ([3-9]|[12]\d) of/).waitFor(RUN)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('.demo-verdict').waitFor(RUN)
    expect(await page.locator('.demo-verdict').innerText()).toContain('cancelled early')
    const report = await savedJson(page)
    const rows = report.layers.flatMap(({ dataflows }) => Object.values(dataflows))
    expect(report.complete).toBe(false)
    expect(rows.length).toBeGreaterThanOrEqual(2)
    expect(rows.length).toBeLessThan(35)
    expect(await page.getByRole('button', { name: 'Run and verify' }).isEnabled()).toBe(true)
    expect(errors).toEqual([])
    await page.close()
  })

  it('says what to do where there is no WebGPU', async () => {
    const without = await launch({ webgpu: false })
    try {
      const page = await without.newPage()
      await page.goto(site.url)
      const alert = page.getByRole('alert').filter({ hasText: 'No device' })
      await alert.waitFor()
      const text = await alert.innerText()
      expect(text).toContain('NoAdapterError')
      expect(text).toContain('Use a browser with WebGPU')
      expect(await page.getByRole('button', { name: 'Run and verify' }).isDisabled()).toBe(true)
    } finally {
      await without.close()
    }
  })

  it('is built without Node code', async () => {
    const files = (await readdir(dist, { recursive: true })).filter((file) => file.endsWith('.js'))
    expect(files.length).toBeGreaterThanOrEqual(3)
    const texts = await Promise.all(files.map(async (file) => [file, await readFile(join(dist, file), 'utf8')] as const))
    for (const [file, text] of texts) expect(nodeCode(text), file).toEqual([])
  })
})

/** Node's modules imported, or the stand-in that a bundler leaves for one. */
function nodeCode(text: string): string[] {
  return [
    ...(text.match(
      /(from|import|require)\s*\(?\s*["'`](node:[\w/]+|fs|path|url|os|module|worker_threads|child_process|webgpu)["'`]/g,
    ) ?? []),
    ...(text.match(/__vite-browser-external|externalized for browser/g) ?? []),
  ]
}

describe('the engine’s browser bundle', () => {
  it('contains no Node code, and the check would see some', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tilewright-browser-'))
    try {
      await build({ configFile: join(root, 'vite.config.ts'), mode: 'browser', logLevel: 'error', build: { outDir: folder } })
      const text = await readFile(join(folder, 'browser.js'), 'utf8')
      expect(text.length).toBeGreaterThan(100_000)
      expect(nodeCode(text)).toEqual([])
      await writeFile(join(folder, 'bad.js'), 'import { readFileSync } from "node:fs"')
      expect(nodeCode(await readFile(join(folder, 'bad.js'), 'utf8'))).toHaveLength(1)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
