/**
 * Is there a GPU that Dawn can use? The answer costs a process and a driver's start (0.1 to 2 s), so it is kept for a day in
 * .cache/gpu.json under a key of all that could change it: platform, kernel, Dawn, Vulkan drivers and loader, device nodes, environment.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir, release } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture } from './child.mjs'
import { SetupError } from './progress.mjs'

const PROBE = fileURLToPath(new URL('probe.mjs', import.meta.url))
const DAY = 24 * 3600 * 1000

/**
 * @typedef {object} Probed
 * @property {{ name: string, vendor: string, architecture: string, features: string[] } | null} adapter
 * @property {boolean} software
 * @property {string} [problem] why there is no answer: Dawn did not load, the driver crashed or hung
 */

/**
 * Asks for the adapter through the given Node.
 * @param {string} root the project's folder
 * @param {{ node?: string, software?: boolean, env?: NodeJS.ProcessEnv }} [how] `software` asks for a fallback adapter
 * @returns {Promise<Probed>}
 */
export async function probe(root, { node = process.execPath, software = false, env = process.env } = {}) {
  const args = [PROBE, ...(software ? ['software'] : [])]
  const { code, stdout, stderr } = await capture(node, args, { cwd: root, env, timeoutMs: 60_000 })
  const line = stdout.split('\n').find((text) => text.startsWith('{"adapter":'))
  if (line !== undefined) return JSON.parse(line)
  const said = stderr.trim().split('\n').slice(0, 6).join('\n')
  return { adapter: null, software: false, problem: `the probe ended with ${code}${said === '' ? '' : `: ${said}`}` }
}

/**
 * As `probe`, from the cache where nothing changed.
 * @param {string} root
 * @param {string} cache the project's cache folder
 * @param {{ software?: boolean }} [how]
 * @returns {Promise<Probed>}
 */
export async function cachedProbe(root, cache, { software = false } = {}) {
  const file = join(cache, software ? 'fallback.json' : 'gpu.json')
  const key = probeKey(root)
  const known = readCache(file)
  if (known !== undefined && known.key === key && Date.now() - known.at < DAY && Date.now() >= known.at) return known.probed
  const probed = await probe(root, { software })
  if (probed.problem === undefined) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify({ key, at: Date.now(), probed })}\n`)
  } else if (/Cannot find (package|module)|ERR_DLOPEN_FAILED|MODULE_NOT_FOUND/.test(probed.problem)) {
    throw new SetupError(
      `Dawn (the webgpu package) does not load on ${process.platform} ${process.arch}: ${probed.problem}`,
      'It has builds for Linux (x64 and arm64, glibc 2.34 or newer), macOS and Windows. Elsewhere use the demo in a browser with WebGPU.',
    )
  }
  return probed
}

function readCache(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined // none yet, or cut off while it was written: ask again
  }
}

/** A hash of everything that an adapter's presence depends on and that is cheap to read. */
function probeKey(root) {
  const home = homedir()
  const folders = [
    '/dev/dri',
    '/usr/share/vulkan/icd.d',
    '/usr/local/share/vulkan/icd.d',
    '/etc/vulkan/icd.d',
    join(home, '.local/share/vulkan/icd.d'),
    '/proc/driver/nvidia',
  ]
  const loaders = ['/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map((at) =>
    join(at, 'libvulkan.so.1'),
  )
  const variables = Object.entries(process.env).filter(([name]) =>
    /^(VK_|LD_LIBRARY_PATH$|DISPLAY$|WAYLAND_DISPLAY$|CUDA_VISIBLE)/.test(name),
  )
  const facts = [
    process.platform,
    process.arch,
    release(),
    readFileSync(join(root, 'node_modules/webgpu/package.json'), 'utf8'),
    folders.map((folder) => (process.platform === 'linux' ? listing(folder) : '')),
    loaders.map((file) => modified(file)),
    variables.sort(([a], [b]) => a.localeCompare(b)),
    existsSync('/dev/nvidiactl'),
    existsSync('/dev/dxg'),
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}

function listing(folder) {
  try {
    return readdirSync(folder).map((name) => [name, modified(join(folder, name))])
  } catch {
    return []
  }
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
