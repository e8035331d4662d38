/**
 * `npm run bench:evaluate [COUNT]`: how many mappings a second one core evaluates (bench/evaluate.ts), printed and written to
 * bench/results/evaluate-rate.txt with the processor and the version of Node.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const count = Number(process.argv[2] ?? 200_000)
if (!Number.isSafeInteger(count) || count < 1) {
  console.error('COUNT, mappings of each layer and stream, is a positive integer')
  process.exit(2)
}

const outDir = join(root, '.cache', 'bench')
await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: 'warn',
  build: {
    ssr: true,
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    minify: false,
    rollupOptions: {
      input: { evaluate: join(root, 'bench', 'evaluate.ts') },
      output: { format: 'es', entryFileNames: '[name].mjs' },
    },
  },
})
const { benchmark } = await import(pathToFileURL(join(outDir, 'evaluate.mjs')).href)

const lines = [
  'Mappings evaluated per second on one core: legality, all counts, energy, cycles; none pruned, drawing them not timed.',
  "AlexNet's convolutions (N = 4) on Eyeriss, three levels, exact halos; each mapping scored once, by a scorer that starts empty.",
  `${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, ${count} legal mappings of each layer and stream`,
  `load average ${(loadavg()[0] ?? 0).toFixed(1)} on ${cpus().length} processors when it began: beyond that many, only the figures per processor second tell`,
  '',
]
for (const line of lines) console.log(line)
for (const line of benchmark(count)) {
  console.log(line)
  lines.push(line)
}
const file = join(root, 'bench', 'results', 'evaluate-rate.txt')
mkdirSync(join(root, 'bench', 'results'), { recursive: true })
writeFileSync(file, `${lines.join('\n')}\n`)
console.log(`written to ${file}`)
