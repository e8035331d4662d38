/**
 * `npm run bench:pack [-- --out DIR] [--node] [--peers]`: a folder that times products, convolutions, networks and sparse kernels on any Linux x64 machine with a
 * Vulkan driver, without network and without installing anything. Copy it there and start run.sh.
 *
 *     README.txt        what it is, how to run it, what it leaves
 *     run.sh            finds Node and Vulkan, runs doctor and the bench, leaves results/
 *     dist/             the command line and the bench, their dependencies within
 *     node_modules/     Dawn for Linux x64 (the webgpu package)
 *     cases-*.json      tables of cases, for torch_*.py: PyTorch's times beside ours, where python3 has torch
 *     node/node.xz      --node: the Node that runs now, stripped
 *     bench/peers/      --peers: ONNX Runtime and TensorFlow.js (installed first where they are not)
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { capture } from './setup/child.mjs'
import { main, ROOT, setUp } from './setup/index.mjs'
import { SetupError, step } from './setup/progress.mjs'

const MIB = 2 ** 20
/** What a pack without peers may weigh, Node within. */
const MOST_BYTES = 64 * MIB

/** Files of a folder, by path within it. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}

/**
 * Bytes of all files in a folder.
 * @param {string} folder
 */
export function weightOf(folder) {
  return filesOf(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

/**
 * The files of the peers that Node on Linux x64 loads: without types, maps, sources, browser builds and other platforms' binaries.
 * @param {string} folder bench/peers
 * @returns {string[]} paths within it
 */
export function peerFiles(folder) {
  return filesOf(folder).filter((file) => {
    if (!file.startsWith('node_modules/')) return ['package.json', 'package-lock.json'].includes(file)
    if (/\.(map|ts|md|html|tgz)$/.test(file) || file.includes('/.bin/')) return /LICEN[CS]E/i.test(file)
    const scoped = /^node_modules\/@tensorflow\/[^/]+\/(.*)$/.exec(file)?.[1]
    // Each of them is one CommonJS file for Node.
    if (scoped !== undefined)
      return scoped === 'package.json' || /^dist\/[^/]+\.node\.js$/.test(scoped) || /LICEN[CS]E/i.test(scoped)
    if (/^node_modules\/(@types|@webgpu)\//.test(file)) return false
    if (file.startsWith('node_modules/onnxruntime-node/bin/')) return file.includes('/linux/x64/')
    return !/^node_modules\/onnxruntime-common\/dist\/(esm|ort-common)/.test(file)
  })
}

function copy(from, to, files) {
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true })
    cpSync(join(from, file), join(to, file), { dereference: true })
  }
}

async function bundle(out) {
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    ssr: { noExternal: true, external: ['webgpu'] },
    build: {
      ssr: true,
      outDir: join(out, 'dist'),
      emptyOutDir: true,
      target: 'es2022',
      minify: true,
      rollupOptions: {
        input: {
          cli: join(ROOT, 'src/cli/main.ts'),
          'bench-child': join(ROOT, 'bench/child.ts'),
          'map-worker': join(ROOT, 'src/schedule/search/node-worker.ts'),
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
      },
    },
  })
  // The script of the pages that the command line writes.
  const page = { outDir: join(out, 'dist'), emptyOutDir: false }
  await build({ root: ROOT, configFile: join(ROOT, 'vite.report.config.ts'), mode: 'production', logLevel: 'warn', build: page })
  // The bundle is of ES modules, and reads its version.
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  writeFileSync(
    join(out, 'package.json'),
    `${JSON.stringify({ name, version, license, private: true, type: 'module' }, undefined, 2)}\n`,
  )
  for (const file of ['README.txt', 'run.sh', 'torch_bench.py', 'torch_sparse.py'])
    copyFileSync(join(ROOT, 'bench', 'pack', file), join(out, file))
  chmodSync(join(out, 'run.sh'), 0o755)
  copyFileSync(join(ROOT, 'LICENSE'), join(out, 'LICENSE'))
}

function packDawn(out) {
  const from = join(ROOT, 'node_modules', 'webgpu')
  const files = ['package.json', 'index.js', 'LICENSE.md', ...filesOf(from).filter((file) => file.startsWith('dist/linux-x64/'))]
  copy(from, join(out, 'node_modules', 'webgpu'), files)
}

async function packNode(out, note) {
  const folder = join(out, 'node')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'node')
  copyFileSync(process.execPath, file)
  chmodSync(file, 0o755)
  const strip = spawnSync('strip', ['--strip-unneeded', file], { encoding: 'utf8' })
  if (strip.status !== 0) console.error('Node is packed as it is: strip (binutils) is missing or failed')
  note('compressing Node with xz, a minute or so')
  const { code, stderr, missing } = await capture('xz', ['-T0', '-6', file])
  if (missing) throw new SetupError('xz is missing, which packs Node.', 'Install xz-utils, or pack without --node.')
  if (code !== 0) throw new SetupError(`xz ended with ${code}: ${stderr.trim()}`)
}

async function packPeers(out, note) {
  const folder = join(ROOT, 'bench', 'peers')
  if (!existsSync(join(folder, 'node_modules', 'onnxruntime-node'))) {
    const env = { ...process.env, npm_config_onnxruntime_node_install: 'skip', ONNXRUNTIME_NODE_INSTALL: 'skip' }
    note('installing ONNX Runtime and TensorFlow.js')
    const { code, stderr } = await capture('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, env })
    if (code !== 0)
      throw new SetupError(`The peers cannot be installed: ${stderr.trim().split('\n').at(-1)}`, `Run npm ci in ${folder}.`)
  }
  copy(folder, join(out, 'bench', 'peers'), peerFiles(folder))
}

async function listCases(out) {
  const cli = join(out, 'dist', 'cli.js')
  for (const bench of ['gemm', 'conv', 'sparse']) {
    const file = join(out, `cases-${bench}.json`)
    const { code, stderr } = await capture(process.execPath, [cli, 'bench', bench, '--list', '--json', file])
    if (code !== 0) throw new SetupError(`The packed command line does not run: ${stderr.trim()}`)
  }
}

/**
 * Makes the pack.
 * @param {string} out its folder: made, or emptied where an earlier pack is in it
 * @param {{ node?: boolean, peers?: boolean }} [also]
 * @returns {Promise<number>} bytes without the peers
 * @throws {SetupError}
 */
export async function pack(out, { node = false, peers = false } = {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError('The pack is for Linux x64.', 'Make it on such a machine.')
  }
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, 'torch_bench.py'))) {
    throw new SetupError(`${out} holds something else than a pack.`, 'Name another folder with --out.')
  }
  for (const part of ['dist', 'node_modules', 'node', 'bench']) rmSync(join(out, part), { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  await step('bundle', () => bundle(out))
  packDawn(out)
  await listCases(out)
  if (node) await step('node', (note) => packNode(out, note))
  if (peers) await step('peers', (note) => packPeers(out, note))
  const alone = weightOf(out) - (peers ? weightOf(join(out, 'bench')) : 0)
  if (alone > MOST_BYTES) throw new SetupError(`The pack weighs ${(alone / MIB).toFixed(1)} MiB without peers, more than 64 MiB.`)
  return alone
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(async () => {
    const { values } = parseArgs({
      options: {
        out: { type: 'string', default: join(ROOT, 'out', 'bench-pack') },
        node: { type: 'boolean', default: false },
        peers: { type: 'boolean', default: false },
      },
    })
    await setUp({ adapter: false, build: false })
    const out = resolve(values.out)
    const alone = await pack(out, values)
    const all = weightOf(out)
    console.log(
      `${out}: ${(all / MIB).toFixed(1)} MiB${all === alone ? '' : `, ${(alone / MIB).toFixed(1)} MiB of it without the peers`}`,
    )
    console.log('Copy the folder to the machine and start ./run.sh there')
    return 0
  })
}
