/**
 * What `npm pack` makes, installed as a user would: into an empty Node project (run on the adapter, types compiled, the `tilewright`
 * command called) and into an empty Vite project (built, no Node code in the page). It takes the build in dist/, as `npm test` left it.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { ensureBuild } from '../../scripts/setup/build.mjs'
import { npmCommand } from '../../scripts/setup/dependencies.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
let folder: string
let tarball: string
let offline: string | undefined

/** What marks code for Node in a bundle for browsers. */
const NODE_CODE = /["'`]node:|\brequire\s*\(|\bprocess\s*\.|\b__dirname\b|\bBuffer\./

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly said: string
}

function run(file: string, args: readonly string[], cwd: string, shell = false): Ended {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8', shell, maxBuffer: 1 << 26 })
  if (error !== undefined) throw error
  return { status, stdout, said: `${stdout}\n${stderr}` }
}

function npm(args: readonly string[], cwd: string): Ended {
  const { file, prefix, shell } = npmCommand()
  return run(file, [...prefix, ...args, '--no-audit', '--no-fund'], cwd, shell)
}

/** A project with nothing but the package in it. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const at = join(folder, name)
  for (const [path, content] of Object.entries({ 'package.json': '{ "private": true, "type": "module" }', ...files })) {
    mkdirSync(dirname(join(at, path)), { recursive: true })
    writeFileSync(join(at, path), content)
  }
  const install = npm(['install', '--prefer-offline', tarball], at)
  if (install.status !== 0 && /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(install.said))
    offline = 'the npm registry was not reached'
  else expect(install.status, install.said).toBe(0)
  return at
}

const needsInstall = ({ skip }: TestContext) => {
  if (offline !== undefined) skip(offline)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tilewright-pack-'))
  await ensureBuild(root, { all: true, note: () => undefined })
  const pack = npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
  expect(pack.status, pack.said).toBe(0)
  const name = readdirSync(folder).find((entry) => entry.endsWith('.tgz'))
  if (name === undefined) throw new Error(`npm pack left no tarball: ${pack.said}`)
  tarball = join(folder, name)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('an empty Node project', () => {
  let at: string
  beforeAll(() => {
    at = project('node', {
      'run.mjs': `import { convProblem, macsOf, openGpu, ops, tensor } from 'tilewright'
const gpu = await openGpu()
const y = await ops.relu(gpu, tensor([-1, 2, -3, 4], [2, 2]))
const problem = convProblem({ N: 1, M: 96, C: 3, P: 55, Q: 55, R: 11, S: 11, stride: [4, 4] })
console.log(JSON.stringify({ shape: y.shape, data: [...(await y.data())], macs: macsOf(problem) }))
gpu.dispose()
`,
      'typed.ts': `import { convProblem, evaluate, openGpu, ops, tensor, type Evaluation, type Gpu, type Tensor } from 'tilewright'
export async function relu(gpu: Gpu, values: number[]): Promise<Tensor> {
  return ops.relu(gpu, tensor(values, [values.length]))
}
export const open: () => Promise<Gpu> = () => openGpu()
export const judged: (...given: Parameters<typeof evaluate>) => Evaluation = evaluate
// @ts-expect-error a problem is no number: the types are there
export const wrong: number = convProblem({ N: 1, M: 1, C: 1, P: 1, Q: 1, R: 1, S: 1 })
`,
    })
  })

  test('runs an op on the adapter', (context) => {
    needsInstall(context)
    const { status, stdout, said } = run(process.execPath, ['run.mjs'], at)
    expect(status, said).toBe(0)
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({ shape: [2, 2], data: [0, 2, 0, 4], macs: 105_415_200 })
  })

  test.for(['nodenext', 'bundler'])('its types resolve (%s)', (resolution, context) => {
    needsInstall(context)
    const module = resolution === 'nodenext' ? 'nodenext' : 'esnext'
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom,esnext.disposable', '--types', '']
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), ...options, '--module', module, '--moduleResolution', resolution]
    const { status, said } = run(process.execPath, [...tsc, 'typed.ts'], at)
    expect(status, said).toBe(0)
  })

  test('its command runs', (context) => {
    needsInstall(context)
    const bin = join(at, 'node_modules', '.bin', process.platform === 'win32' ? 'tilewright.cmd' : 'tilewright')
    const { status, said } = run(bin, ['inspect', 'alexnet', '--json', 'alexnet.json'], at, process.platform === 'win32')
    expect(status, said).toBe(0)
    expect(readFileSync(join(at, 'alexnet.json'), 'utf8')).toContain('724406816')
    expect(run(bin, ['inspect', 'no-such-model'], at, process.platform === 'win32').status).toBe(1)
  })
})

describe('an empty Vite project', () => {
  test('is built, without Node code', (context) => {
    const at = project('vite', {
      'index.html': '<!doctype html><title>t</title><script type="module" src="./main.js"></script>',
      'main.js': `import * as tilewright from 'tilewright'
document.title = String(Object.keys(tilewright).length)
Object.assign(globalThis, { tilewright })
`,
    })
    needsInstall(context)
    const { status, said } = run(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--minify', 'false'], at)
    expect(status, said).toBe(0)
    expect(said).not.toMatch(/externalized for browser compatibility/)
    const assets = join(at, 'dist', 'assets')
    const code = readdirSync(assets)
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(join(assets, name), 'utf8'))
    expect(code.join('').length).toBeGreaterThan(10_000)
    expect(nodeCodeIn(code.join('\n'))).toEqual([])
  })
})

describe('the packed build', () => {
  test('browser.js is one file without Node code and without imports', () => {
    const code = readFileSync(join(root, 'dist', 'browser.js'), 'utf8')
    expect(nodeCodeIn(code)).toEqual([])
    expect(code).not.toMatch(/^\s*import\s[^(]*from/m)
  })

  test('the tarball holds what it should, and nothing of the machine', () => {
    const { stdout } = npm(['pack', '--dry-run', '--ignore-scripts', '--json'], root)
    const files = (JSON.parse(stdout) as { files: { path: string }[] }[])[0]?.files.map(({ path }) => path) ?? []
    for (const wanted of ['LICENSE', 'package.json', 'dist/node.js', 'dist/browser.js', 'dist/cli.js', 'dist/report.js'])
      expect(files).toContain(wanted)
    // The bench's other engines are listed, not carried.
    const peers = ['bench/peers/package-lock.json', 'bench/peers/package.json']
    expect(files.filter((path) => /^(src|test|scripts|bench|\.cache|out)\//.test(path))).toEqual(peers)
    const javascript = files.filter((path) => path.endsWith('.js'))
    for (const path of javascript)
      expect(readFileSync(join(root, path), 'utf8').includes(root), `${path} names this machine's ${root}`).toBe(false)
  })
})

/** The lines with Node code in them; apart from comments and from a look at `process` that first asks whether there is one. */
function nodeCodeIn(code: string): string[] {
  return code
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .filter((line) => !/^\s*\/\//.test(line) && NODE_CODE.test(line) && !line.includes('typeof process'))
    .map((line) => line.trim().slice(0, 120))
}
