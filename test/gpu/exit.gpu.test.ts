import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const outDir = `${root}out/test-exit`

// Under the software adapter's wrapper, process.execPath is the loader: children start through the wrapper too.
const wrapper = `${root}.cache/adapter/node`
const node = existsSync(wrapper) && process.env.TILEWRIGHT_ADAPTER !== 'gpu' ? wrapper : process.execPath

beforeAll(async () => {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: 'test/gpu/exit-child.ts',
      outDir,
      emptyOutDir: true,
      rolldownOptions: { output: { entryFileNames: 'child.mjs' } },
    },
  })
})
afterAll(() => rm(outDir, { recursive: true, force: true }))

function run(mode: string): Promise<{ code: number | null; out: string; ms: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [`${outDir}/child.mjs`, mode], { stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    let answered = 0
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      answered = performance.now()
    })
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(late)
      resolve({ code, out: out.trim(), ms: performance.now() - answered })
    })
  })
}

it.each([
  ['that disposes', 'dispose', 0],
  ['that forgets to', 'forget', 0],
  ['with a run under way', 'pending', 0],
  ['that throws', 'throw', 1],
] as const)('a process %s exits by itself, soon', async (_name, mode, expected) => {
  const { code, out, ms } = await run(mode)
  expect(out).toBe('2,4,6')
  expect(code).toBe(expected)
  expect(ms).toBeLessThan(5000)
})
