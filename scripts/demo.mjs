/** `npm run demo`: sets up the dependencies, then serves the demo page on localhost. `npm run demo -- --port 8080` passes options to Vite. */
import { join } from 'node:path'
import { foreground } from './setup/child.mjs'
import { main, ROOT, setUp } from './setup/index.mjs'

await main(async () => {
  await setUp({ adapter: false, build: false })
  const args = [
    join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js'),
    '--config',
    join(ROOT, 'vite.demo.config.ts'),
    ...process.argv.slice(2),
  ]
  return foreground(process.execPath, args, { cwd: ROOT })
})
