#!/usr/bin/env node
/**
 * The `tilewright` command: the first Ctrl-C asks the command to stop with what it has, the second stops at once. One Ctrl-C may arrive
 * several times within moments (from the terminal, and passed on by npm and by `npm start`): that is still the first.
 */
import '../gpu/node.ts'
import { EXIT, processContext } from './context.ts'
import { main } from './program.ts'

const stop = new AbortController()
let asked = Infinity
// `evaluate` computes in one piece and could not hear a handler: there the system's own ends it at once.
const deaf = process.argv[2] === 'evaluate'
if (!deaf)
  process.on('SIGINT', () => {
    if (stop.signal.aborted) {
      if (performance.now() - asked > 1000) process.exit(EXIT.interrupted)
      return
    }
    asked = performance.now()
    process.stderr.write('\nStopping; press Ctrl-C again to stop at once.\n')
    stop.abort(new DOMException('Stopped by Ctrl-C', 'AbortError'))
  })
// A closed pipe (`tilewright … | head`) is no error: what is written there is lost, the work and its files are not.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

process.exitCode = await main(process.argv.slice(2), processContext(stop.signal))
