/** What the bench's pack takes along of the peers, and how its run.sh speaks where something is missing. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { pack, peerFiles, weightOf } from '../../scripts/bench-pack.mjs'

const folder = mkdtempSync(join(tmpdir(), 'tilewright-pack-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('of the peers it takes what Node on Linux x64 loads, and licences', () => {
  const taken = [
    'package.json',
    'package-lock.json',
    'node_modules/onnxruntime-node/package.json',
    'node_modules/onnxruntime-node/dist/index.js',
    'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1',
    'node_modules/onnxruntime-common/dist/cjs/index.js',
    'node_modules/@tensorflow/tfjs-core/package.json',
    'node_modules/@tensorflow/tfjs-core/dist/tf-core.node.js',
    'node_modules/long/LICENSE',
  ]
  const left = [
    '.npmrc',
    'node_modules/.package-lock.json.md',
    'node_modules/onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1',
    'node_modules/onnxruntime-node/bin/napi-v6/win32/x64/onnxruntime.dll',
    'node_modules/onnxruntime-node/dist/index.js.map',
    'node_modules/onnxruntime-common/dist/esm/index.js',
    'node_modules/@tensorflow/tfjs-core/dist/tf-core.min.js',
    'node_modules/@tensorflow/tfjs-core/dist/index.d.ts',
    'node_modules/@types/long/package.json',
  ]
  const at = join(folder, 'peers')
  for (const file of [...taken, ...left]) {
    mkdirSync(dirname(join(at, file)), { recursive: true })
    writeFileSync(join(at, file), '12345')
  }
  expect(peerFiles(at).toSorted()).toEqual(taken.toSorted())
  expect(weightOf(at)).toBe(5 * (taken.length + left.length))
})

test('a folder with something else in it is not overwritten', async () => {
  const at = join(folder, 'mine')
  mkdirSync(at)
  writeFileSync(join(at, 'letter.txt'), 'dear')
  await expect(pack(at)).rejects.toThrow(/something else|Linux x64/)
})

test.runIf(process.platform === 'linux')('run.sh says what to do where there is no Node', () => {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync('/usr/bin/dirname', join(bin, 'dirname'))
  const script = fileURLToPath(new URL('../../bench/pack/run.sh', import.meta.url))
  const { status, stderr } = spawnSync('/bin/sh', [script], { env: { PATH: bin }, encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('install Node 20.19 or newer, or pack again with --node')
})

test.runIf(process.platform === 'linux')('run.sh refuses a bench that there is not before all else', () => {
  const script = fileURLToPath(new URL('../../bench/pack/run.sh', import.meta.url))
  const { status, stderr, stdout } = spawnSync('/bin/sh', [script, 'foo', '--quick'], {
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/no bench called foo: give gemm \(the default\), conv, model or sparse/)
})
