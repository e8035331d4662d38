/**
 * The WebGPU adapter that a command runs on: the machine's GPU where Dawn finds one, else software Vulkan (Mesa's lavapipe),
 * unpacked from the machine's own Debian or Ubuntu mirror into .cache/adapter of the project (no root, nothing installed), else an
 * error that says what to do on this platform. TILEWRIGHT_ADAPTER=gpu or software decides it by hand.
 *
 *     .cache/adapter/root/        the unpacked libraries, their C library among them
 *     .cache/adapter/lvp.json     the Vulkan driver's manifest, its path relative to itself
 *     .cache/adapter/node         starts Node on all that; children that are started by process.execPath start the same way
 *     .cache/adapter/preload.cjs  sets process.execPath
 *     .cache/adapter/adapter.json what was unpacked, by which version of this recipe
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineApt, unpackPackages } from './apt.mjs'
import { releases, sourcesFile } from './apt-sources.mjs'
import { onInterrupt } from './child.mjs'
import { cachedProbe, probe } from './gpu-probe.mjs'
import { SetupError } from './progress.mjs'

/** Raised when what is unpacked, or the wrapper, changes: an older folder is then made anew. */
const RECIPE = 1
const PACKAGES = ['mesa-vulkan-drivers', 'libvulkan1', 'libstdc++6', 'libatomic1']

/** Where each architecture's libraries lie, and the loader that starts a program on them. Dawn has Linux builds for these two. */
const ARCHITECTURES = {
  amd64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
}

const REMEDIES = {
  linux:
    'Install a Vulkan driver and its loader with your package manager, then run the command again:\n' +
    '  Debian 13, Ubuntu 24.04: apt-get install mesa-vulkan-drivers libvulkan1   (Mesa 25 or newer; software and most GPUs)\n' +
    '  Debian 12:               apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1\n' +
    '  Fedora, openSUSE:        mesa-vulkan-drivers vulkan-loader   ·   Arch: vulkan-swrast vulkan-icd-loader\n' +
    '  NVIDIA:                  the vendor driver with its Vulkan part, and libvulkan1\n' +
    'Then vulkaninfo --summary should list a device. In a container, give it the GPU (--gpus all, --device /dev/dri).',
  darwin:
    'Dawn uses Metal: macOS 12 or newer, a Mac with a GPU (not a virtual machine without one), and a session that may use it.',
  win32:
    'Dawn uses Direct3D 12: update the graphics driver (Windows 10 or newer). Windows also has a software adapter: TILEWRIGHT_ADAPTER=software.',
}

/** @typedef {{ kind: 'gpu' | 'software', node: string, name: string, env: Record<string, string> }} Adapter */

/**
 * Finds or makes the adapter.
 * @param {string} root the project's folder
 * @param {{ choice?: string | undefined, note: (text: string) => void }} options `choice`: 'gpu', 'software', or undefined for the GPU where there is one
 * @returns {Promise<Adapter>} `node` starts a program on it, with `env` added
 * @throws {SetupError} with this platform's remedy
 */
export async function ensureAdapter(root, { choice, note }) {
  if (choice !== undefined && choice !== 'gpu' && choice !== 'software') {
    throw new SetupError(
      `TILEWRIGHT_ADAPTER is ${JSON.stringify(choice)}.`,
      'It can be gpu or software; without it the GPU is used where there is one.',
    )
  }
  const cache = join(root, '.cache')
  if (choice !== 'software') {
    note('looking for a GPU')
    const found = await cachedProbe(root, cache)
    if (found.adapter !== null && !found.software) return direct('gpu', found.adapter.name)
    if (choice === 'gpu') {
      const why =
        found.problem ??
        (found.adapter === null ? 'Dawn finds no adapter' : `Dawn finds only ${found.adapter.name}, a software adapter`)
      throw new SetupError(`There is no GPU that WebGPU can use here: ${why}.`, REMEDIES[process.platform] ?? REMEDIES.linux)
    }
  }
  if (process.platform === 'linux') {
    const folder = join(cache, 'adapter')
    const ready = readAdapter(folder)
    if (ready !== undefined) return wrapped(folder, ready)
    try {
      return wrapped(folder, await unpackAdapter(root, cache, note))
    } catch (error) {
      if (!(error instanceof SetupError)) throw error
      return systemSoftware(root, cache, error)
    }
  }
  return systemSoftware(root, cache, new SetupError('Dawn finds no GPU.'))
}

/** A software adapter that the machine itself has (an installed lavapipe, Windows' WARP), where none can be unpacked. */
async function systemSoftware(root, cache, reason) {
  const found = await cachedProbe(root, cache, { software: true })
  if (found.adapter !== null && found.software) return direct('software', found.adapter.name)
  throw new SetupError(
    `There is no WebGPU adapter, and none could be made. ${reason.message}`,
    reason.remedy ?? REMEDIES[process.platform] ?? REMEDIES.linux,
  )
}

/** @type {(kind: 'gpu' | 'software', name: string) => Adapter} */
const direct = (kind, name) => ({ kind, name, node: process.execPath, env: { TILEWRIGHT_ADAPTER: kind } })
/** @type {(folder: string, facts: { name: string }) => Adapter} */
const wrapped = (folder, { name }) => ({
  kind: 'software',
  name,
  node: join(folder, 'node'),
  env: { TILEWRIGHT_ADAPTER: 'software', TILEWRIGHT_NODE: process.env.TILEWRIGHT_NODE ?? process.execPath },
})

/** What adapter.json says, where the folder is whole and of this recipe. It is written last. */
function readAdapter(folder) {
  const path = join(folder, 'adapter.json')
  if (!existsSync(path) || !existsSync(join(folder, 'node'))) return undefined
  const facts = JSON.parse(readFileSync(path, 'utf8'))
  return facts.recipe === RECIPE && facts.arch === process.arch ? facts : undefined
}

/** Unpacks beside the final place, tries it, and moves it there at once: an interruption leaves nothing half done. */
async function unpackAdapter(root, cache, note) {
  const { dist, archive, architecture } = await machineApt()
  const machine = ARCHITECTURES[architecture]
  if (machine === undefined) throw new SetupError(`Dawn has no Linux build for ${architecture}.`)
  mkdirSync(cache, { recursive: true })
  for (const name of readdirSync(cache))
    if (/^adapter\.(new|old)-/.test(name)) rmSync(join(cache, name), { recursive: true, force: true })
  const problems = []
  for (const { suites, target } of releases(dist)) {
    const fresh = join(cache, `adapter.new-${process.pid}`)
    const remove = () => rmSync(fresh, { recursive: true, force: true })
    const keep = onInterrupt(remove)
    try {
      const work = join(fresh, 'apt')
      const packages = await unpackPackages({
        sources: sourcesFile(archive, suites, architecture),
        target,
        packages: PACKAGES,
        architecture,
        work,
        root: join(fresh, 'root'),
        note,
      })
      rmSync(work, { recursive: true, force: true })
      prune(join(fresh, 'root'), machine.triplet)
      writeWrapper(fresh, machine)
      note('trying it')
      const env = { ...process.env, TILEWRIGHT_NODE: process.env.TILEWRIGHT_NODE ?? process.execPath }
      const { adapter, problem } = await probe(root, { node: join(fresh, 'node'), env })
      if (adapter === null)
        throw new SetupError(
          `Mesa of ${target} was unpacked, but Dawn does not take it${problem === undefined ? '' : ` (${problem})`}.`,
        )
      const facts = {
        recipe: RECIPE,
        arch: process.arch,
        release: target,
        ...adapter,
        packages: packages.filter((name) => /^(mesa|libvulkan|libc6|libllvm)/.test(name)),
      }
      writeFileSync(join(fresh, 'adapter.json'), `${JSON.stringify(facts, undefined, 2)}\n`)
      moveInto(fresh, join(cache, 'adapter'))
      return facts
    } catch (error) {
      remove()
      if (!(error instanceof SetupError)) throw error
      problems.push(`${target}: ${error.message}`)
      // without a network, another release of the same mirror is not reached either
      if (/Temporary failure resolving|Could not resolve|Could not connect|Network is unreachable/.test(error.message)) break
    } finally {
      keep()
    }
  }
  throw new SetupError(
    `A software Vulkan adapter could not be unpacked from this machine's ${dist.family} mirror.\n${problems.join('\n')}`,
    `Connect to the network once (later starts need none) and see that apt-get update works on this machine. Or:\n${REMEDIES.linux}`,
  )
}

function moveInto(fresh, place) {
  const old = `${place}.old-${process.pid}`
  if (existsSync(place)) renameSync(place, old)
  renameSync(fresh, place)
  rmSync(old, { recursive: true, force: true })
}

/** Keeps the libraries and the software driver of what was unpacked: documentation, programs and other drivers are two thirds of it. */
function prune(root, triplet) {
  const lib = join(root, 'usr', 'lib', triplet)
  if (!existsSync(lib)) throw new SetupError(`The packages hold no usr/lib/${triplet}.`)
  keepOnly(root, ['usr'])
  keepOnly(join(root, 'usr'), ['lib'])
  keepOnly(join(root, 'usr', 'lib'), [triplet])
  const other = /^(libvulkan_(?!lvp)|libVkLayer_|perl|gconv|security|dri$)/
  for (const name of readdirSync(lib)) if (other.test(name)) rmSync(join(lib, name), { recursive: true, force: true })
}

function keepOnly(folder, kept) {
  for (const name of readdirSync(folder)) if (!kept.includes(name)) rmSync(join(folder, name), { recursive: true, force: true })
}

/**
 * Writes the driver's manifest and the `node` wrapper.
 * @param {string} folder
 * @param {{ triplet: string, loader: string }} machine
 */
export function writeWrapper(folder, { triplet, loader }) {
  const manifest = {
    file_format_version: '1.0.1',
    ICD: { library_path: `root/usr/lib/${triplet}/libvulkan_lvp.so`, api_version: '1.3.0' },
  }
  writeFileSync(join(folder, 'lvp.json'), `${JSON.stringify(manifest)}\n`)
  writeFileSync(
    join(folder, 'preload.cjs'),
    "// Children that are forked start as this process did: through the wrapper, not through the loader that runs it.\nprocess.execPath = require('node:path').join(__dirname, 'node')\n",
  )
  const wrapper = `#!/bin/sh
# Node on the software Vulkan driver beside this file. Its C library is newer than many machines', so its loader starts Node.
# TILEWRIGHT_NODE names the real Node; a browser must be started without the VK_ variables set here.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
if [ -z "\${TILEWRIGHT_NODE:-}" ]; then
  if [ "$(command -v node)" = "$here/node" ]; then
    echo "$0: set TILEWRIGHT_NODE to the real node" >&2
    exit 127
  fi
  TILEWRIGHT_NODE=$(node -p process.execPath) || exit 127
fi
export TILEWRIGHT_NODE
export VK_DRIVER_FILES="$here/lvp.json"
export VK_LOADER_LAYERS_DISABLE="~implicit~"
export XDG_RUNTIME_DIR="\${XDG_RUNTIME_DIR:-$here}"
export MESA_SHADER_CACHE_DIR="\${MESA_SHADER_CACHE_DIR:-$here/../shaders}"
lib="$here/root/usr/lib/${triplet}"
exec "$lib/${loader}" --library-path "$lib" "$TILEWRIGHT_NODE" --require "$here/preload.cjs" "$@"
`
  writeFileSync(join(folder, 'node'), wrapper)
  chmodSync(join(folder, 'node'), 0o755)
}
