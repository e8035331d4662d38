/** The report page in a browser, from a file and without a network: charts, controls, tables, the keyboard, narrow and dark. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { build, createServer } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { renderReport as Render } from '../../src/profile/html/render.ts'
import { compulsoryWork } from '../../src/cost/roofline.ts'
import type { DataflowReport, KernelReport, PeaksReport, ProfileReport } from '../../src/profile/report.ts'
import { rooflineOf } from '../../src/profile/roofline-row.ts'
import { manyLayers, sampleReport } from '../profile/html-sample.ts'
import { SKIP, launch } from './browser.ts'

/** The report of a hardware whose global buffer nothing passes through, with the longest name that a dataflow has. */
function silent(report: ReturnType<typeof sampleReport>): ReturnType<typeof sampleReport> {
  const text = JSON.stringify(report, (key, value: unknown) =>
    key === 'GLB' && typeof value === 'object'
      ? Object.fromEntries(['weights', 'inputs', 'outputs'].map((operand) => [operand, { reads: 0, fills: 0, updates: 0 }]))
      : value,
  )
  return JSON.parse(text.replaceAll('"ws"', '"systolic-ws"')) as ReturnType<typeof sampleReport>
}

/** The report of a device whose peaks were measured, with a product's default kernel in the last layer. */
function roofed(report: ProfileReport): ProfileReport {
  const peaks: PeaksReport = {
    flops: { f32: 2e12 },
    bytes_per_s: 2e11,
    launch_ms: 0.003,
    shapes: { f32: '8 chains of vec4<f32>', copy: '8 × vec4<f32> an invocation' },
  }
  const accesses = { a: { loads: 4096, stores: 0 }, b: { loads: 4_096_000, stores: 0 }, y: { loads: 0, stores: 1000 } }
  const layers = report.layers.map((layer) => {
    const rows = Object.entries(layer.dataflows).map(([name, row]): [string, DataflowReport] => {
      if (row.time_ms === undefined) return [name, row]
      const work = { ...compulsoryWork(layer.problem, 4), dispatches: 1 }
      const kernel: KernelReport = {
        name: 'vector',
        config: { kernel: 'vector', across: 8 },
        problem: layer.problem,
        predicted_ms: 0.1,
        predicted_bound: 'memory',
        accesses: { predicted: accesses, counted: accesses },
      }
      const own = layer.name === 'fc8' && name === 'fastest' ? { kernel, counted_equal: true } : {}
      return [name, { ...row, roofline: rooflineOf(work, row.time_ms, peaks), ...own }]
    })
    return { ...layer, dataflows: Object.fromEntries(rows) }
  })
  return { ...report, peaks, layers }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

describe.skipIf(SKIP !== undefined)(`the report page${SKIP === undefined ? '' : ` (skipped: ${SKIP})`}`, () => {
  let folder: string
  let browser: Browser
  const reports = {
    good: sampleReport(),
    trouble: sampleReport({ trouble: true, software: true, complete: false }),
    many: sampleReport({ layers: manyLayers(30), model: 'Many layers' }),
    empty: { ...sampleReport({ complete: false }), layers: [] },
    silent: silent(sampleReport()),
    roofed: roofed(sampleReport()),
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tilewright-report-'))
    await build({ configFile: join(root, 'vite.report.config.ts'), logLevel: 'error', build: { outDir: folder } })
    // Vite itself loads the renderer: in vitest a style sheet is empty.
    const vite = await createServer({
      root,
      configFile: false,
      logLevel: 'error',
      server: { middlewareMode: true, ws: false },
      appType: 'custom',
      optimizeDeps: { noDiscovery: true },
      cacheDir: join(folder, 'vite'),
    })
    const { renderReport } = (await vite.ssrLoadModule('/src/profile/html/render.ts')) as { renderReport: typeof Render }
    const script = await readFile(join(folder, 'report.js'), 'utf8')
    for (const [name, report] of Object.entries(reports))
      await writeFile(join(folder, `${name}.html`), renderReport(report, { script }))
    await vite.close()
    browser = await launch({ webgpu: false })
  })

  afterAll(async () => {
    await browser?.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  async function open(name: keyof typeof reports, { width = 1300, dark = false } = {}): Promise<{ page: Page; wrong: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light' })
    const wrong: string[] = []
    page.on('pageerror', (error) => wrong.push(error.message))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) wrong.push(message.text())
    })
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) wrong.push(`fetched ${request.url()}`)
    })
    await page.goto(`file://${join(folder, `${name}.html`)}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    return { page, wrong }
  }

  const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  const charts = (page: Page) => page.locator('figure svg[aria-label]')

  it('draws no bar where all is zero, and room for long names', async () => {
    const { page, wrong } = await open('silent', { width: 420 })
    const figure = page.locator('figure').filter({ has: page.getByRole('heading', { name: 'GLB accesses' }) })
    const svg = figure.locator('svg[aria-label]')
    await svg.waitFor()
    const sizes = await svg
      .locator('g[aria-label="bar"] rect')
      .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('width')) * Number(bar.getAttribute('height'))))
    expect(Math.max(0, ...sizes)).toBe(0)
    expect(await svg.locator('g[aria-label*="tick label"] text').allTextContents()).toContain('0')
    const long = svg.locator('text', { hasText: /^systolic-ws$/ })
    const [text, frame] = [await long.first().boundingBox(), await svg.boundingBox()]
    if (text === null || frame === null) throw new Error('the label is not drawn')
    expect(text.x).toBeGreaterThanOrEqual(frame.x)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('draws every chart from a file, fetching nothing', async () => {
    const { page, wrong } = await open('good')
    // Totals 3, layer by layer 4, roofline and counts 2, accesses of three levels.
    expect(await charts(page).count()).toBe(12)
    const titles = await page.locator('figure h3').allInnerTexts()
    expect(titles).toEqual(
      expect.arrayContaining([
        'Energy by level',
        'Energy by operand',
        'Time, layer by layer',
        'Rate, layer by layer',
        'Roofline',
        'Counted against predicted',
        'DRAM accesses',
        'GLB accesses',
        'RF accesses',
      ]),
    )
    expect(await charts(page).first().getAttribute('aria-label')).toMatch(
      /^Energy by level, modelled: 7 bars, least os-b with .*, most nlr with /,
    )
    expect(await page.locator('.tw-plot').nth(3).locator('rect').count()).toBeGreaterThanOrEqual(8 * 8)
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('draws a roof that was measured, and says what default kernels were expected to do', async () => {
    const { page, wrong } = await open('roofed')
    const roof = page.locator('figure', { has: page.getByRole('heading', { name: 'Roofline', exact: true }) })
    expect(await roof.locator('svg[aria-label]').first().getAttribute('aria-label')).toBe(
      'Roofline: 64 rows, peak 2 TFLOP/s and 200 GB/s',
    )
    expect(await roof.locator('g[aria-label="dot"] path').count()).toBe(64)
    expect(await roof.locator('[stroke-dasharray]').count()).toBe(0)
    await page.locator('[data-table="Roofline and default kernels"] summary').click()
    const lines = page.locator('[data-table="Roofline and default kernels"] tbody tr')
    // The table is filled when it opens, which comes after the press.
    await lines.first().waitFor()
    expect(await lines.count()).toBe(64)
    expect(await lines.last().innerText()).toMatch(
      /fc8\s+fastest.*memory.*0\.100.*4,101,096\s+4,101,096\s+–\s+–\s+–\s+vector across 8/s,
    )
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('follows the controls: one layer, fewer dataflows, logarithmic, per MAC', async () => {
    const { page, wrong } = await open('good')
    await page.getByLabel('Layers', { exact: true }).selectOption('layer:conv2')
    expect(await page.locator('figure h3').allInnerTexts()).toEqual([
      'Energy by level',
      'Energy by operand',
      'Time',
      'Rate',
      'Roofline',
      'Counted against predicted',
      'DRAM accesses',
      'GLB accesses',
      'RF accesses',
    ])
    expect(await page.locator('[data-table=Results] tbody tr').count()).toBe(8)
    await page.getByRole('checkbox', { name: 'ws', exact: true }).uncheck()
    expect(await page.locator('[data-table=Results] tbody tr').count()).toBe(7)
    await page.getByRole('radio', { name: 'log', exact: true }).check()
    expect(await page.getByText('each part is a dot').count()).toBeGreaterThanOrEqual(2)
    await page.getByRole('radio', { name: 'per MAC', exact: true }).check()
    expect(await page.getByText('MAC energies per MAC', { exact: false }).count()).toBeGreaterThanOrEqual(1)
    await page.getByRole('radio', { name: 'updates', exact: true }).check()
    expect(await page.getByRole('heading', { name: 'GLB updates' }).count()).toBe(1)
    for (const box of await page.getByRole('checkbox').all()) await box.uncheck()
    expect(await page.getByText('tick a dataflow').count()).toBe(1)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('sorts tables by a press, and by the keyboard', async () => {
    const { page } = await open('good')
    const times = async () => (await page.locator('[data-table=Results] tbody tr td:nth-child(4)').allInnerTexts()).map(Number)
    const header = page.locator('[data-table=Results] th', { hasText: 'Time' })
    await header.getByRole('button').click()
    expect(await header.getAttribute('aria-sort')).toBe('descending')
    const down = await times()
    expect(down).toHaveLength(64)
    expect(down).toEqual(down.toSorted((a, b) => b - a))
    await header.getByRole('button').focus()
    await page.keyboard.press('Enter')
    expect(await header.getAttribute('aria-sort')).toBe('ascending')
    expect(await times()).toEqual(down.toReversed())
    await page.close()
  })

  it('shows the mapping of the row that is pressed', async () => {
    const { page } = await open('good')
    await page.getByRole('button', { name: 'conv3, row stationary: verified' }).click()
    expect(await page.locator('.tw-detail h3').innerText()).toBe('conv3 · row stationary')
    expect(await page.locator('.tw-nest li').allInnerTexts()).toEqual(
      expect.arrayContaining([
        expect.stringContaining('DRAM'),
        expect.stringContaining('in parallel over x: P 13'),
        'outputs += weights × inputs',
      ]),
    )
    await page.close()
  })

  it('is loud about rows that fail, and gives the reasons of those skipped', async () => {
    const { page, wrong } = await open('trouble')
    const alert = page.getByRole('alert')
    expect(await alert.innerText()).toContain('2 rows fail their checks')
    expect(await alert.innerText()).toContain('conv4 · is: MACs: predicted')
    expect(await page.locator('.tw-badges').innerText()).toContain('software adapter: figures rank nothing')
    expect(await page.locator('tr.tw-bad-row').count()).toBe(2)
    expect(
      await page
        .locator('tr.tw-bad-row')
        .first()
        .locator('td')
        .first()
        .evaluate((cell) => getComputedStyle(cell).color),
    ).toBe('rgb(196, 22, 42)')
    expect(await page.getByText('Needs subgroups of at least 8 lanes').count()).toBeGreaterThanOrEqual(1)
    expect(wrong).toEqual([])
    await page.close()
  })

  it.each([
    ['good', 360, true],
    ['trouble', 390, false],
    ['many', 800, true],
    ['many', 1300, false],
  ] as const)('fits its width: %s at %i px, dark %s', async (name, width, dark) => {
    const { page, wrong } = await open(name, { width, dark })
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    expect(await charts(page).count()).toBe(12)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('says so when there are no rows', async () => {
    const { page, wrong } = await open('empty')
    expect(await page.getByText('This report has no rows.').count()).toBe(1)
    expect(wrong).toEqual([])
    await page.close()
  })

  it('offers the JSON as it was', async () => {
    const { page } = await open('trouble')
    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save JSON' }).click()
    expect(JSON.parse(await readFile(await (await waiting).path(), 'utf8'))).toEqual(reports.trouble)
    await page.close()
  })
})
