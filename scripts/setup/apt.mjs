/**
 * Debian packages unpacked into a folder, without root and without installing anything: an apt state of its own (lists, cache,
 * an empty status file, so that everything down to the C library is fetched), the machine's own mirror, keyring, proxy and
 * credentials; then `dpkg-deb -x` of every package.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { distribution, ownArchive, parseDeb822, parseList, parseOsRelease } from './apt-sources.mjs'
import { capture } from './child.mjs'
import { SetupError } from './progress.mjs'

/**
 * What this machine's apt offers.
 * @returns {Promise<{ dist: { family: 'debian' | 'ubuntu', codename: string }, archive: import('./apt-sources.mjs').AptSource, architecture: string }>}
 * @throws {SetupError} where there is no apt, or no archive of Debian or Ubuntu among its sources
 */
export async function machineApt() {
  const [apt, dpkg] = await Promise.all([
    capture('apt-config', ['shell', 'LIST', 'Dir::Etc::sourcelist/f', 'PARTS', 'Dir::Etc::sourceparts/d']),
    capture('dpkg', ['--print-architecture']),
  ])
  if (apt.missing || dpkg.missing) throw new SetupError('This machine has no apt to take a software Vulkan adapter from.')
  const os = osRelease()
  const dist = distribution(os)
  const name = os.PRETTY_NAME ?? os.ID ?? 'this system'
  if (dist === undefined) throw new SetupError(`${name} takes its packages neither from Debian nor from Ubuntu.`)
  const paths = Object.fromEntries([...apt.stdout.matchAll(/^(LIST|PARTS)='(.*)'$/gm)].map(([, key, value]) => [key, value]))
  const archive = ownArchive(readSources(paths.LIST ?? '/etc/apt/sources.list', paths.PARTS ?? '/etc/apt/sources.list.d'), dist)
  if (archive === undefined) throw new SetupError(`The apt sources of ${name} name no mirror of ${dist.family} (component main).`)
  return { dist, archive: { ...archive, signedBy: wholeKeyring(archive.signedBy, dist.family) }, architecture: dpkg.stdout.trim() }
}

function osRelease() {
  const text = read('/etc/os-release') ?? read('/usr/lib/os-release')
  return text === undefined ? {} : parseOsRelease(text)
}

/** All sources that apt reads on this machine. */
function readSources(list, parts) {
  const sources = parseList(read(list) ?? '')
  for (const name of names(parts)) {
    const text = read(join(parts, name)) ?? ''
    if (name.endsWith('.list')) sources.push(...parseList(text))
    if (name.endsWith('.sources')) sources.push(...parseDeb822(text))
  }
  return sources
}

/** A keyring of one release does not know the next one's key: the distribution's keyring with all of them, where it is installed. */
function wholeKeyring(signedBy, family) {
  const whole = `/usr/share/keyrings/${family}-archive-keyring.gpg`
  const ours = signedBy === undefined || new RegExp(`^/usr/share/keyrings/${family}-archive-`).test(signedBy)
  return ours && read(whole) !== undefined ? whole : signedBy
}

/**
 * Fetches packages with all they need into `work` and unpacks them into `root`.
 * @param {{ sources: string, target: string, packages: readonly string[], architecture: string, work: string, root: string, note: (text: string) => void }} job
 *   `sources` is deb822 text, `target` apt's target release, `work` a folder for apt's state, to be deleted afterwards
 * @returns {Promise<string[]>} the packages' file names, as name_version_arch.deb
 * @throws {SetupError} with what apt said
 */
export async function unpackPackages({ sources, target, packages, architecture, work, root, note }) {
  const config = await writeState(work, sources, architecture)
  const env = { ...process.env, APT_CONFIG: config, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }

  note(`reading the package lists of ${target}`)
  const update = await capture('apt-get', ['update'], { env })
  // apt-get update exits 0 with a warning where a mirror was not reached
  if (update.code !== 0 || /^(W: Failed to fetch|E:|Err:)/m.test(`${update.stdout}\n${update.stderr}`)) {
    throw aptFailure('The package lists could not be read', update)
  }

  const archives = join(work, 'cache', 'archives')
  const install = ['install', '-y', '--download-only', '--no-install-recommends', '-t', target, ...packages]
  let size = ''
  const timer = setInterval(() => note(`downloading${size === '' ? '' : ` ${megabytes(folderSize(archives))} of ${size} MB`}`), 250)
  note('downloading')
  const download = await capture('apt-get', install, {
    env,
    onLine: (line) => {
      const need = /^Need to get ([\d.,]+) MB/.exec(line)
      if (need !== null) size = need[1]
    },
  }).finally(() => clearInterval(timer))
  if (download.code !== 0) throw aptFailure('The packages could not be downloaded', download)

  const files = names(archives).filter((name) => name.endsWith('.deb'))
  mkdirSync(root, { recursive: true })
  const waiting = [...files]
  let done = 0
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const path = join(archives, file)
      const unpack = await capture('dpkg-deb', ['-x', path, root])
      if (unpack.code !== 0) throw aptFailure(`${file} could not be unpacked`, unpack)
      rmSync(path)
      note(`unpacking ${++done} of ${files.length} packages`)
    }
  }
  // in parallel, but for the base that makes /lib a link to /usr/lib: unpacked first, or two of them race for the folder
  const base = waiting.findIndex((name) => name.startsWith('base-files_'))
  if (base >= 0) waiting.unshift(...waiting.splice(base, 1))
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))
  return files.map((name) => decodeURIComponent(name)).sort()
}

/** apt's configuration for a state in `work`: the machine's way to its mirror (proxy, certificates, methods), nothing else of it. */
async function writeState(work, sources, architecture) {
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'etc/apt.conf.d', 'etc/empty', 'log'])
    mkdirSync(join(work, folder), { recursive: true })
  writeFileSync(join(work, 'etc', 'machine.sources'), sources)
  writeFileSync(join(work, 'status'), '')
  const dump = await capture('apt-config', ['dump'])
  const network = dump.stdout
    .split('\n')
    .filter((line) => /^Acquire::(?!IndexTargets|Languages|CompressionTypes)[^ ]+ "."?/.test(line) && !line.endsWith(' "";'))
  const path = (...parts) => `"${join(work, ...parts)}"`
  const config = join(work, 'apt.conf')
  const lines = [
    ...network,
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    'APT::Sandbox::User "root";', // as root, apt would step down to a user who may not write here
    'Debug::NoLocking "true";',
    `Dir::State ${path('state')};`,
    `Dir::State::status ${path('status')};`,
    `Dir::Cache ${path('cache')};`,
    `Dir::Log ${path('log')};`,
    `Dir::Etc::sourcelist ${path('etc', 'machine.sources')};`,
    `Dir::Etc::sourceparts ${path('etc', 'empty')};`,
    `Dir::Etc::parts ${path('etc', 'apt.conf.d')};`,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    `Dir::Etc::preferencesparts ${path('etc', 'empty')};`,
    '',
  ]
  writeFileSync(config, lines.join('\n'))
  return config
}

function aptFailure(what, { stdout, stderr, code }) {
  const said = `${stderr}\n${stdout}`
    .split('\n')
    .filter((line) => /^(E:|W:|Err:|dpkg-deb:)/.test(line))
    .slice(0, 6)
    .join('\n')
  return new SetupError(`${what} (exit code ${code})${said === '' ? '' : `:\n${said}`}`)
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EACCES' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

function names(folder) {
  try {
    return readdirSync(folder).sort()
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EACCES') return []
    throw error
  }
}

/** Bytes in a folder and its `partial`. */
function folderSize(folder) {
  let bytes = 0
  for (const at of [folder, join(folder, 'partial')]) {
    for (const name of names(at)) {
      const facts = statSync(join(at, name), { throwIfNoEntry: false })
      if (facts?.isFile() === true) bytes += facts.size
    }
  }
  return bytes
}

const megabytes = (bytes) => String(Math.round(bytes / 1e6))
