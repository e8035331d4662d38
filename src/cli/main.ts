#!/usr/bin/env node
/** The `tilewright` command: the first Ctrl-C asks the command to stop with what it has, the second stops at once. */
import '../gpu/node.ts'
import { EXIT, processContext } from './context.ts'
import { main } from './program.ts'

const stop = new AbortController()
process.on('SIGINT', () => {
  if (stop.signal.aborted) process.exit(EXIT.interrupted)
  process.stderr.write('\nStopping; press Ctrl-C again to stop at once.\n')
  stop.abort(new DOMException('Stopped by Ctrl-C', 'AbortError'))
})
// A closed pipe (`tilewright … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

process.exitCode = await main(process.argv.slice(2), processContext(stop.signal))
