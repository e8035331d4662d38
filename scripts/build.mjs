/**
 * Builds Tilewright into dist/. `npm start` builds what the command line needs; `npm run build` (--all) also declarations and demo.
 *
 *     dist/node.js, dist/cli.js   the Node entry and the command line (dependencies stay imports)
 *     dist/map-worker.js          the thread that searches mappings for both
 *     dist/bench-child.js         the process in which the bench times one engine
 *     dist/browser.js             the browser entry, everything it needs in one file
 *     dist/report.js              the script of the report page
 *     dist/types/                 declarations (tsc)
 *     dist/demo/                  the demo page, as static files
 *
 * dist/.stamp, written last, says which sources they were made of.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { sourceStamp } from './setup/build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const all = process.argv.includes('--all')
const stamp = sourceStamp(root)

/** A target is a Vite configuration file and, where it has several, a mode of it. */
const targets = [
  { name: 'node', configFile: 'vite.config.ts', mode: 'node' },
  { name: 'browser', configFile: 'vite.config.ts', mode: 'browser' },
  { name: 'report page', configFile: 'vite.report.config.ts', mode: 'production' },
  ...(all ? [{ name: 'demo', configFile: 'vite.demo.config.ts', mode: 'production' }] : []),
]

rmSync(dist, { recursive: true, force: true })
for (const { name, configFile, mode } of targets) {
  console.log(`building ${name}`)
  await build({ configFile: join(root, configFile), mode, logLevel: 'warn' })
}
chmodSync(join(dist, 'cli.js'), 0o755)

if (all) {
  console.log('building declarations')
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
writeFileSync(join(dist, '.stamp'), `${stamp}${all ? ' all' : ''}\n`)
