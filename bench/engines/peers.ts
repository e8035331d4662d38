/** The peers' packages: where they lie, whether they are there, and installing them when they are first asked for. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OptionError } from '../../src/errors.ts'

/** bench/peers, seen from dist/*.js, from dist/chunks/*.js and from this source. */
const FOLDERS = ['../bench/peers/', '../../bench/peers/', '../peers/']

/** @throws OptionError where this installation has no such folder */
export function peersFolder(): string {
  const folder = FOLDERS.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((place) =>
    existsSync(join(place, 'package.json')),
  )
  if (folder !== undefined) return folder
  throw new OptionError('The list of the peers (bench/peers/package.json) is missing', {
    remedy: 'Run the bench from a clone, from the npm package, or from a folder that npm run bench:pack made',
  })
}

function versionIn(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version
}

/** Packages of `folder` that are wanted and not there in the version wanted, as `name@version`. */
export function missingPeers(folder: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  return Object.entries(dependencies)
    .filter(([name, version]) => versionIn(join(folder, 'node_modules', name, 'package.json')) !== version)
    .map(([name, version]) => `${name}@${version}`)
}

/**
 * Installs what is missing, by `npm ci` in `folder`.
 * @param npm the program, `npm` unless a test has another
 * @throws OptionError with what npm said; the signal's reason
 */
export async function installPeers(folder: string, signal: AbortSignal, npm = 'npm'): Promise<void> {
  // onnxruntime-node's script would download a GPU build that neither the CPU nor the WebGPU provider needs.
  const env = { ...process.env, npm_config_onnxruntime_node_install: 'skip', ONNXRUNTIME_NODE_INSTALL: 'skip' }
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const said: string[] = []
  const code = await new Promise<number | Error>((resolve) => {
    const child = spawn(npm, args, { cwd: folder, env, signal, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => said.push(text.toString()))
    child.on('error', resolve)
    child.on('close', (status) => resolve(status ?? -1))
  })
  signal.throwIfAborted()
  const missing = missingPeers(folder)
  if (code === 0 && missing.length === 0) return
  const reason = code instanceof Error ? code.message : said.join('').trim().split('\n').slice(-3).join(' ')
  throw new OptionError(`The peers cannot be installed: ${reason === '' ? `npm ended with ${code}` : reason}`, {
    missing: missing.join(', '),
    remedy: `Run npm ci in ${folder} where there is a network; or bench without --peers`,
  })
}
