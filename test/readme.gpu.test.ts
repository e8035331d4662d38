/** The examples of the README run as they stand: each `js run` block in a Node of its own, against the built package. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/```js run\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(root, '.cache', 'readme-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function run(block: string, index: number): Promise<string> {
  const file = join(folder, `example-${index}.mjs`)
  writeFileSync(
    file,
    block.replaceAll(/from ["']tilewright["']/g, `from ${JSON.stringify(pathToFileURL(join(root, 'dist/node.js')).href)}`),
  )
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root })
  return stdout
}

test('there are five examples', () => expect(blocks.length).toBe(5))

test('a graph is run and profiled', async () => {
  expect(await run(blocks[0] ?? '', 0)).toMatch(/\[ 1, 8, 1, 1 \][\s\S]*true true \d/)
})

test('an op alone', async () => {
  expect(await run(blocks[1] ?? '', 1)).toMatch(/4, 5, 10, 11/)
})

test('products with an epilogue, and with 4-bit weights near those with f32 weights', async () => {
  const [, off] = /Float32Array\(3\) \[[^\]]*\] ([\d.]+)/.exec(await run(blocks[2] ?? '', 2)) ?? []
  expect(Number(off)).toBeGreaterThan(0)
  expect(Number(off)).toBeLessThan(2)
})

test('weights in 2:4', async () => {
  expect(await run(blocks[3] ?? '', 3)).toMatch(/^0\.53125\n\[ 1, 32 \] Float32Array\(3\)/)
})

test('a mapping without a GPU', async () => {
  expect(await run(blocks[4] ?? '', 4)).toMatch(/seen: \d+[\s\S]*weights: \{ reads: \d+/)
})
