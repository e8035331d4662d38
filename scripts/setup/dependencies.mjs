/**
 * The locked dependencies: `npm ci` when node_modules is missing or does not hold what package-lock.json names.
 * What was installed is remembered in node_modules/.tilewright-lock as a hash of the lockfile and the platform; an installation made
 * by hand (`npm ci`, `npm install`) is recognised by npm's own record of it and not repeated. npm's configuration (registry,
 * proxy, cache) is the user's own.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture } from './child.mjs'
import { SetupError } from './progress.mjs'

const STAMP = join('node_modules', '.tilewright-lock')

/**
 * @param {string} root the project's folder
 * @returns {string} what node_modules/.tilewright-lock holds when it is fresh: lockfile and platform
 */
export function lockStamp(root) {
  const lock = readFileSync(join(root, 'package-lock.json'))
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`
}

/**
 * Whether node_modules holds what the lockfile names.
 * @param {string} root
 * @returns {{ fresh: boolean, reason: string }}
 */
export function dependenciesState(root) {
  if (!existsSync(join(root, 'node_modules'))) return { fresh: false, reason: 'not installed yet' }
  const stamp = join(root, STAMP)
  if (existsSync(stamp)) {
    return readFileSync(stamp, 'utf8') === lockStamp(root)
      ? { fresh: true, reason: 'up to date' }
      : { fresh: false, reason: 'package-lock.json has changed' }
  }
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return { fresh: false, reason: 'an installation was not finished' }
  const missing = missingPackages(readJson(join(root, 'package-lock.json')), readJson(record))
  if (missing.length === 0) return { fresh: true, reason: 'up to date' }
  return { fresh: false, reason: `${missing.length} packages differ from package-lock.json, ${missing[0]} first` }
}

/**
 * The packages of a lockfile that npm's record of an installation lacks or has in another version. Optional ones (another
 * platform's binaries) may be absent.
 * @param {{ packages?: Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean, link?: boolean }> }} lock
 * @param {{ packages?: Record<string, { version?: string, integrity?: string }> }} record
 * @returns {string[]} paths as in the lockfile
 */
export function missingPackages(lock, record) {
  const have = record.packages ?? {}
  return Object.entries(lock.packages ?? {})
    .filter(([path, want]) => {
      if (path === '' || want.link === true) return false
      const got = have[path]
      if (got === undefined) return want.optional !== true && want.devOptional !== true
      return (
        got.version !== want.version ||
        (want.integrity !== undefined && got.integrity !== undefined && got.integrity !== want.integrity)
      )
    })
    .map(([path]) => path)
}

/**
 * Installs the locked dependencies where they are missing or stale.
 * @param {string} root
 * @param {(text: string) => void} note
 * @returns {Promise<string>} what was done
 * @throws {SetupError} when npm is missing or fails
 */
export async function ensureDependencies(root, note) {
  const state = dependenciesState(root)
  if (!state.fresh) {
    note(`npm ci (${state.reason})`)
    await npmCi(root)
  }
  const stamp = lockStamp(root)
  const path = join(root, STAMP)
  if (!existsSync(path) || readFileSync(path, 'utf8') !== stamp) writeFileSync(path, stamp)
  return state.fresh ? state.reason : 'installed'
}

async function npmCi(root) {
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund']
  const { file, prefix, shell } = npmCommand()
  const { code, stdout, stderr, missing } = await capture(file, [...prefix, ...args], { cwd: root, shell })
  if (missing) {
    throw new SetupError(
      'npm was not found.',
      'Install npm (it comes with Node; on Debian: apt-get install npm), then run the command again.',
    )
  }
  if (code !== 0) throw npmFailure(`${stdout}\n${stderr}`, code)
}

/**
 * How to start npm: the one that started this command, else the one on the path.
 * @returns {{ file: string, prefix: string[], shell: boolean }}
 */
export function npmCommand() {
  const path = process.env.npm_execpath
  if (path !== undefined && /npm-cli\.(c|m)?js$/.test(path)) return { file: process.execPath, prefix: [path], shell: false }
  return { file: 'npm', prefix: [], shell: process.platform === 'win32' }
}

/**
 * The error for a failed `npm ci`, with the remedy for its cause.
 * @param {string} output what npm printed
 * @param {number} code its exit code
 */
export function npmFailure(output, code) {
  const tail = output
    .split('\n')
    .filter((line) => /^npm (error|ERR!)/.test(line))
    .slice(0, 12)
    .join('\n')
  const [message, remedy] = npmCause(output)
  return new SetupError(`${message} (npm ci, exit code ${code})${tail === '' ? '' : `\n${tail}`}`, remedy)
}

function npmCause(output) {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|FETCH_ERROR|ENOTCACHED/.test(
      output,
    )
  ) {
    return [
      'The dependencies could not be downloaded: the npm registry was not reached.',
      'Connect to the network once (later starts need none), or set what your network needs:\n' +
        '  npm config set proxy http://HOST:PORT; npm config set https-proxy http://HOST:PORT\n' +
        '  npm config set registry https://YOUR-REGISTRY/',
    ]
  }
  if (/SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|CERT_HAS_EXPIRED/.test(output)) {
    return [
      'The npm registry’s certificate is not trusted here (a proxy of your network may have put its own in its place).',
      'Name your network’s certificate authority: npm config set cafile FILE, or NODE_EXTRA_CA_CERTS=FILE.',
    ]
  }
  if (/EBADENGINE/.test(output)) {
    return [
      'This version of Node or npm is too old for the dependencies.',
      'Install Node 20.19 or newer, then run the command again.',
    ]
  }
  if (/E401|E403|ENEEDAUTH/.test(output)) {
    return ['The npm registry refused the download.', 'Check the registry and its credentials: npm config get registry, npm login.']
  }
  if (/ENOSPC/.test(output))
    return ['The disk is full.', 'Free about 700 MB in the project and in npm’s cache, then run the command again.']
  if (/EACCES|EPERM/.test(output)) {
    return [
      'npm was not allowed to write.',
      'Check who owns the project folder, node_modules and the npm cache (npm config get cache).',
    ]
  }
  return ['The dependencies could not be installed.', 'Run npm ci by hand to see everything it prints.']
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}
