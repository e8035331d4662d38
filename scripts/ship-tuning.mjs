/**
 * Makes results of `tilewright tune bench` the ones that ship: node scripts/ship-tuning.mjs TUNING.json WORD [SHIPPED.json]
 *
 * WORD is what the keys of such adapters have in common (`llvmpipe`). Tune with an empty list of it in SHIPPED.json (default: the
 * repository's), so that kernels are compared with the rule's and not with those that shipped before. Taken are kernels that were at least 1.15 times as fast as what the
 * rule chose: less may be noise, and the rule needs no help there. Of several results for one problem the latest counts.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const LEAST_GAIN = 1.15
const repository = fileURLToPath(new URL('../src/ops/shipped.json', import.meta.url))

const [file, word, target = repository] = process.argv.slice(2)
if (file === undefined || word === undefined || !/^[a-z0-9]+$/.test(word)) {
  console.error('node scripts/ship-tuning.mjs TUNING.json WORD, where WORD is of letters and digits')
  process.exit(1)
}
const { entries } = JSON.parse(readFileSync(file, 'utf8'))
const own = entries
  .filter(({ adapter }) => adapter.split('-').includes(word))
  .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
if (own.length === 0) {
  console.error(`${file} has no results of an adapter with ${word} in its key`)
  process.exit(1)
}
const latest = new Map(own.map((entry) => [entry.problem, entry]))
const gained = [...latest.values()].filter(({ time_ms, before_ms }) => before_ms >= LEAST_GAIN * time_ms)
const kernels = Object.fromEntries(gained.map(({ problem, config }) => [problem, config]).toSorted(([a], [b]) => (a < b ? -1 : 1)))
const shipped = JSON.parse(readFileSync(target, 'utf8'))
const others = shipped.adapters.filter(({ adapter }) => adapter !== word)
const adapters = gained.length === 0 ? others : [...others, { adapter: word, kernels }]
writeFileSync(target, `${JSON.stringify({ ...shipped, adapters }, null, 2)}\n`)
console.log(`${gained.length} of ${latest.size} problems of ${word} ship with a kernel of their own`)
