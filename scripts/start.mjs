/**
 * `npm start`: sets up (see setup/index.mjs), then runs the command line on the adapter that was found.
 * Without arguments it does the main job: AlexNet under every dataflow, with its report. `npm start -- run …` passes arguments on;
 * their paths count from the folder where npm was called.
 */
import { join } from 'node:path'
import { foreground } from './setup/child.mjs'
import { main, ROOT, setUp } from './setup/index.mjs'

const MAIN_JOB = ['profile', 'alexnet', '--dataflow', 'all', '--html', 'out/alexnet.html', '--json', 'out/alexnet.json']
/** These compute without a GPU, or are there to say what is missing. */
const WITHOUT_ADAPTER = ['inspect', 'evaluate', 'map', 'export', 'doctor']

await main(async () => {
  const given = process.argv.slice(2)
  const args = given.length === 0 ? MAIN_JOB : given
  const called = process.env.npm_lifecycle_event === 'start' ? process.env.INIT_CWD : undefined
  const cwd = given.length === 0 ? ROOT : (called ?? process.cwd())

  const { adapter } = await setUp({ adapter: needOf(args) })
  const { node = process.execPath, env = {} } = adapter ?? {}
  return foreground(node, [join(ROOT, 'dist', 'cli.js'), ...args], { cwd, env: { ...process.env, ...env } })
})

function needOf(args) {
  if (args.some((arg) => ['--help', '-h', '--version', '-V', 'help'].includes(arg))) return false
  return WITHOUT_ADAPTER.includes(args[0]) ? 'optional' : true
}
