/**
 * `npm test`: sets up (see setup/index.mjs), then runs every test on the adapter that was found. `npm test -- test/tensor` runs some.
 * With CI set, a skipped test fails (see setup/summary-reporter.mjs).
 */
import { join } from 'node:path'
import { foreground } from './setup/child.mjs'
import { main, ROOT, setUp } from './setup/index.mjs'

await main(async () => {
  const { adapter } = await setUp({ build: 'all' })
  const args = [
    join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    `--reporter=${join(ROOT, 'scripts', 'setup', 'summary-reporter.mjs')}`,
    ...process.argv.slice(2),
  ]
  const { node = process.execPath, env = {} } = adapter ?? {}
  return foreground(node, args, { cwd: ROOT, env: { ...process.env, ...env } })
})
