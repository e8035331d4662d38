/** The bench on the adapter: ours in processes of its own, and what becomes of engines that crash, keep silent, or hang. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { benchTasks } from '../../src/cli/tune-work.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { KERNELS_VERSION } from '../../src/ops/kept.ts'
import { distinctTasks } from '../../src/profile/autotune.ts'
import { tuningText } from '../../src/profile/tuning.ts'
import { CONV } from '../../bench/cases/conv.ts'
import { GEMM } from '../../bench/cases/gemm.ts'
import { SPARSE } from '../../bench/cases/sparse.ts'
import { casesNamed, type Bench, type BenchCase } from '../../bench/cases/table.ts'
import { answerLine, type Measured } from '../../bench/protocol.ts'
import { faultsOf } from '../../bench/report.ts'
import { runBench, type BenchOptions } from '../../bench/run.ts'
import { sparseFaults } from '../../bench/sparse/report.ts'
import { runSparse } from '../../bench/sparse/run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
// Below the project, where the built script finds Dawn.
const folder = join(root, '.cache', `test-bench-${process.pid}`)

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'silent',
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: true,
      rollupOptions: {
        input: { 'bench-child': join(root, 'bench', 'child.ts') },
        output: { format: 'es', entryFileNames: '[name].mjs' },
      },
    },
  })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const adapter = process.env['TILEWRIGHT_ADAPTER'] ?? 'software'
const options = <C extends BenchCase>(bench: Bench<C>, more: Partial<BenchOptions<C>>): BenchOptions<C> => ({
  bench,
  cases: [],
  peers: ['tilewright'],
  adapter,
  peersFolder: '',
  firstCall: true,
  signal: new AbortController().signal,
  ...more,
})

describe('ours, measured', () => {
  test('with and without robustness, right, under the roof', async () => {
    const told: string[] = []
    const report = await runBench(
      options(GEMM, {
        cases: casesNamed(GEMM, 'odd-127x131x137-f32'),
        peers: ['tilewright', 'tilewright-safe'],
        child: join(folder, 'bench-child.mjs'),
        onProgress: (done, total, text) => told.push(`${done}/${total} ${text}`),
      }),
    )
    expect(report.complete).toBe(true)
    expect(told).toEqual([
      '0/2 odd-127x131x137-f32: tilewright (engine 1 of 2)',
      '1/2 odd-127x131x137-f32: tilewright-safe (engine 2 of 2)',
    ])
    expect([report.tuned, report.kernels.tuned]).toEqual([false, 0])
    expect(report.cases).toHaveLength(1)
    for (const { name, peers } of report.cases) {
      for (const peer of ['tilewright', 'tilewright-safe'] as const) {
        const row = peers[peer]
        expect(row, name).toMatchObject({ status: 'ok' })
        if (row?.status !== 'ok') continue
        expect(row.error?.rows).toBe(row.error?.of)
        expect(row.error?.relative).toBeLessThan(1e-5)
        expect(row.resident.samples_ms).toHaveLength(7)
        expect(row.first_ms).toBeGreaterThan(row.resident_ms)
        expect(row.gflops).toBeGreaterThan(0)
        // Shares above this would mean a roof or a clock that is wrong.
        expect(row.share).toBeLessThan(5)
        expect(row.peak_gpu_bytes).toBeGreaterThan(0)
        expect(row.kernel).toBeTruthy()
      }
      expect(peers['tilewright-safe']).toHaveProperty('ratio')
    }
    expect(report.toggles.tilewright).toContain('disable_robustness')
    expect(report.toggles['tilewright-safe']).not.toContain('disable_robustness')
    expect(report.means['tilewright-safe']?.cases).toBe(1)
  })

  test('with kernels that tune kept on this adapter, where a file of them is named', async () => {
    const cases = casesNamed(GEMM, 'odd-127x131x137-f32')
    const [task] = distinctTasks(benchTasks(cases, true).tasks)
    if (task === undefined) throw new Error('The case has no product')
    const gpu = await openGpu({ adapter, tuning: false })
    const { key, chosen } = task.problem
    const entry = { adapter: gpu.facts.adapter, kernels: KERNELS_VERSION, problem: key, config: { ...chosen(gpu.facts).config } }
    gpu.dispose()
    const tuning = join(folder, 'tuning.json')
    writeFileSync(tuning, tuningText([{ ...entry, time_ms: 1, before_ms: 2, at: new Date().toISOString() }]))
    const report = await runBench(options(GEMM, { cases, child: join(folder, 'bench-child.mjs'), tuning }))
    expect(report).toMatchObject({ tuned: true, kernels: { tuned: 1, shipped: 0, rule: 0 } })
    expect(report.cases[0]?.peers.tilewright).toHaveProperty('kernel', expect.stringMatching(/^tuned: /))
  })
})

describe('a convolution', () => {
  test('is compiled as a model, right, its kernels named', async () => {
    const cases = casesNamed(CONV, 'mobilenet1-dw3x3-1024-7-f32')
    const report = await runBench(options(CONV, { cases, child: join(folder, 'bench-child.mjs') }))
    expect(report).toMatchObject({ bench: 'conv', complete: true })
    const row = report.cases[0]?.peers.tilewright
    expect(row).toMatchObject({ status: 'ok', error: { rows: 1024 * 49, of: 1024 * 49 } })
    if (row?.status !== 'ok') return
    expect(row.error?.relative).toBeLessThan(1e-5)
    expect(row.resident.samples_ms).toHaveLength(7)
    expect(row.kernel_ms).toBeGreaterThan(0)
    // Compiling is in the first call, opening the device is not.
    expect(row.first_ms).toBeGreaterThan(row.end_to_end_ms)
    expect(row.kernel).toBeTruthy()
    expect(faultsOf(report)).toEqual([])
  })
})

describe('sparse kernels', () => {
  test('are timed in turns with our dense ones in one process, and right', async () => {
    const cases = casesNamed(SPARSE, 'bert-768-768-f32')
    const { child, ...given } = options(GEMM, { child: join(folder, 'bench-child.mjs') })
    const report = await runSparse({ ...given, cases, named: true, ...(child === undefined ? {} : { child }) })
    const [row] = report.cases
    expect(row).toMatchObject({ name: 'bert-768-768-f32', unheld: [], dense: { error: { rows: 57, of: 128 } } })
    const [point] = row?.points ?? []
    expect(point).toMatchObject({ label: '2:4', density: 0.5, error: { rows: 57, of: 128 } })
    expect(point?.error.relative).toBeLessThan(1e-5)
    expect(point?.own.samples_ms).toHaveLength(point?.dense?.samples_ms.length ?? 0)
    expect(point?.own.samples_ms.length).toBeGreaterThanOrEqual(3)
    expect(point?.ratio).toBe((point?.dense_ms ?? NaN) / (point?.ms ?? NaN))
    expect(row?.busy_others).toBeGreaterThanOrEqual(0)
    expect(report.seconds).toBeGreaterThan(0)
    // 8.5 bytes for 4 weights of 16, and X and Y beside them.
    const around = 2 * 4 * 128 * 768
    expect(point?.byte_ratio).toBeCloseTo((4 * 768 * 768 + around) / ((8.5 / 4) * 768 * 768 + around), 6)
    expect(sparseFaults(report)).toEqual([])
  })
})

describe('engines that do not answer', () => {
  test('are shown with what happened; a stop keeps what there is', async () => {
    const answer: Measured = {
      status: 'ok',
      open_ms: 1,
      first_ms: 1,
      end_to_end: { samples_ms: [1], repeats: 1 },
      resident: { samples_ms: [1], repeats: 1 },
      error: { relative: 0, rows: 1, of: 1 },
      peak_rss_bytes: 1,
      version: 'fake 1',
      toggles: [],
    }
    const child = join(folder, 'fake.mjs')
    writeFileSync(
      child,
      `const job = JSON.parse(process.argv[2])
if (job.case === 'square-512-f32') setInterval(() => {}, 1000)
else if (job.peer === 'tilewright') process.stdout.write('noise' + ${JSON.stringify(answerLine(answer))})
else if (job.peer === 'ort-webgpu') process.kill(process.pid, 'SIGSEGV')
else if (job.peer === 'ort-cpu') throw new TypeError('no such engine')
else if (process.env.MESA_SHADER_CACHE_DISABLE !== 'true') throw new Error('caches are on')
`,
    )
    const stop = new AbortController()
    const report = await runBench(
      options(GEMM, {
        cases: casesNamed(GEMM, 'square-256-f32,square-512-f32,square-1024-f32'),
        peers: ['tilewright', 'ort-webgpu', 'ort-cpu', 'tfjs-webgpu'],
        child,
        signal: stop.signal,
        onProgress: (_done, _total, text) => {
          if (text.startsWith('square-512')) setTimeout(() => stop.abort(new Error('stop')), 200)
        },
      }),
    )
    expect(report.complete).toBe(false)
    expect(report.cases.map(({ name }) => name)).toEqual(['square-256-f32'])
    expect(report.cases[0]?.peers).toMatchObject({
      tilewright: { status: 'ok', gflops: (2 * 256 ** 3) / 1e6 },
      'ort-webgpu': { status: 'failed', reason: 'its process ended (SIGSEGV)' },
      'ort-cpu': { status: 'failed', reason: 'its process ended (code 1): TypeError: no such engine' },
      'tfjs-webgpu': { status: 'failed', reason: 'its process ended (code 0)' },
    })
    expect(report.means).toEqual({})
  })
})
