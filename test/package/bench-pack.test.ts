/** The bench's pack, made and run as on a machine that has nothing of this one: an empty environment, no network needed. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONV_CASES } from '../../bench/cases/conv.ts'
import { SPARSE_CASES } from '../../bench/cases/sparse.ts'
import { GEMM_CASES } from '../../bench/cases/gemm.ts'
import type { BenchReport } from '../../bench/report.ts'
import { pack, weightOf } from '../../scripts/bench-pack.mjs'

const folder = mkdtempSync(join(tmpdir(), 'tilewright-bench-pack-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

beforeAll(async () => {
  await pack(folder)
})

test('holds what it runs on, and little else', () => {
  expect(readdirSync(folder).toSorted()).toEqual([
    'LICENSE',
    'README.txt',
    'cases-conv.json',
    'cases-gemm.json',
    'cases-sparse.json',
    'dist',
    'node_modules',
    'package.json',
    'run.sh',
    'torch_bench.py',
    'torch_sparse.py',
  ])
  expect(readdirSync(join(folder, 'node_modules'))).toEqual(['webgpu'])
  expect(readdirSync(join(folder, 'node_modules', 'webgpu', 'dist'))).toEqual(['linux-x64'])
  const names = (bench: string): string[] => {
    const cases = JSON.parse(readFileSync(join(folder, `cases-${bench}.json`), 'utf8')) as { name: string }[]
    return cases.map(({ name }) => name)
  }
  expect(names('gemm')).toEqual(GEMM_CASES.map(({ name }) => name))
  expect(names('conv')).toEqual(CONV_CASES.map(({ name }) => name))
  expect(names('sparse')).toEqual(SPARSE_CASES.map(({ name }) => name))
  // Node, which --node adds, takes 22 MiB more of the 64.
  expect(weightOf(folder)).toBeLessThan(40 * 2 ** 20)
})

function run(args: readonly string[]) {
  // The software adapter comes with a wrapper around Node; a GPU's driver is found without one.
  const wrapped = basename(join(process.execPath, '..')) === 'adapter'
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, ...(wrapped ? { TILEWRIGHT_PACK_NODE: process.execPath } : {}) }
  return spawnSync(join(folder, 'run.sh'), args, { env, encoding: 'utf8', cwd: '/' })
}

test('a wrong option leaves no results', () => {
  const { status, stderr } = run(['--case', 'odd-127x131x137-f32'])
  expect(status).toBe(1)
  expect(stderr).toContain('--case')
  expect(readdirSync(folder)).not.toContain('results')
})

test('runs in an empty environment and leaves its results', () => {
  const { status, stdout, stderr } = run(['--cases', 'odd-127x131x137-f32'])
  expect(status, stderr).toBe(0)
  expect(stdout).toContain('Nothing is missing.')
  expect(stdout).toContain('TILEWRIGHT_TUNING is off')
  const results = readdirSync(join(folder, 'results'))
  expect(
    results
      .map((name) => name.replace(/^.*-\d{8}-\d{6}-/, ''))
      .filter((name) => !name.startsWith('torch'))
      .toSorted(),
  ).toEqual(['doctor.txt', 'gemm.json', 'gemm.txt'])
  const file = results.find((name) => name.endsWith('gemm.json')) ?? ''
  const report = JSON.parse(readFileSync(join(folder, 'results', file), 'utf8')) as BenchReport
  expect(report).toMatchObject({ schema: 'tilewright.bench/1', complete: true, cases: [{ name: 'odd-127x131x137-f32' }] })
  expect(report.cases[0]?.peers.tilewright).toMatchObject({ status: 'ok' })
  const text = readFileSync(join(folder, 'results', file.replace('.json', '.txt')), 'utf8')
  expect(text).toMatch(/^odd-127x131x137-f32 /m)
})

test('takes the bench that is named first', () => {
  const before = readdirSync(join(folder, 'results'))
  const { status, stdout, stderr } = run(['conv', '--list', '--cases', 'transposed'])
  expect(status, stderr).toBe(0)
  expect(stdout).toMatch(/^unet-up2x2-1024-512-16-f32 /m)
  expect(readdirSync(join(folder, 'results'))).toEqual(before)
})

test('Ctrl-C before the first case is done says so in a line, and leaves nothing', async () => {
  const file = join(folder, 'stopped.json')
  const cli = join(folder, 'dist', 'cli.js')
  const bench = spawn(process.execPath, [cli, 'bench', 'gemm', '--cases', 'square-1024-f32', '--json', file])
  let [out, err] = ['', '']
  bench.stdout.on('data', (text: Buffer) => (out += text.toString()))
  bench.stderr.on('data', (text: Buffer) => {
    err += text.toString()
    // The first line of progress: an engine is at work on the only case. Once: a second Ctrl-C does not wait.
    if (!bench.killed && /engine . of 2/.test(err)) bench.kill('SIGINT')
  })
  const code = await new Promise((resolve) => bench.on('close', resolve))
  expect(err).toMatch(/^Stopped before the first case was done: there is nothing to show\.$/m)
  expect([code, out, existsSync(file)]).toEqual([130, '', false])
})
