/** Runs the sparse bench: each case in a process of its own, sparse and dense in turns within it; other engines get the dense product. */
import { SPARSE, type SparseCase } from '../cases/sparse.ts'
import { engineAnswer, type Answer, type Peer } from '../protocol.ts'
import { builtChild, higher, loadNow, machineNow, measureRoof, merged, runChild, type BenchOptions } from '../run.ts'
import { sparseAnswer, type SparseAnswer } from './measure.ts'
import { sparseReport, type SparseReport, type SparseResult } from './report.ts'

/** @throws NoAdapterError; OptionError where the child's script was not built */
export async function runSparse(options: Omit<BenchOptions<SparseCase>, 'bench' | 'graphOf'>): Promise<SparseReport> {
  const { cases, signal, onProgress, rounds = 1 } = options
  const script = options.child ?? builtChild()
  const [begin, load] = [performance.now(), loadNow()]
  const { adapter, roof } = await measureRoof(options.adapter)
  const others = options.peers.filter((peer) => !peer.startsWith('tilewright'))
  const asked = (item: SparseCase): readonly Peer[] =>
    item.family === '2:4' || item.family === '2:4-conv' ? ['tilewright', ...others] : ['tilewright']
  const runs = cases.filter((item) => SPARSE.leftOut(item, adapter.software, options.named) === undefined)
  const total = runs.reduce((sum, item) => sum + asked(item).length, 0) * rounds
  const results: SparseResult[] = []
  let done = 0
  for (const item of cases) {
    const reason = SPARSE.leftOut(item, adapter.software, options.named)
    if (reason !== undefined) {
      results.push({ item, left_out: reason, own: [], others: new Map() })
      continue
    }
    if (signal.aborted) break
    const own: SparseAnswer[] = []
    const answers = new Map<Peer, Answer[]>()
    for (let round = 0; round < rounds; round++) {
      for (const peer of asked(item)) {
        if (signal.aborted) break
        onProgress?.(done++, total, `${item.name}: ${peer}`)
        const job = {
          peer,
          bench: 'sparse',
          case: item.name,
          peersFolder: options.peersFolder,
          software: adapter.software,
          ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
          ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
        } as const
        if (peer === 'tilewright') {
          const answer = await runChild(script, job, options, sparseAnswer)
          if (answer !== undefined) own.push(answer)
        } else {
          const answer = await runChild(script, job, options, engineAnswer)
          if (answer !== undefined) answers.set(peer, [...(answers.get(peer) ?? []), answer])
        }
      }
    }
    if (signal.aborted) break
    results.push({ item, own, others: new Map([...answers].map(([peer, list]) => [peer, merged(list)])) })
  }
  const again = signal.aborted ? undefined : (await measureRoof(options.adapter)).roof
  return sparseReport({
    adapter,
    roof: again === undefined ? roof : higher(roof, again),
    peers: ['tilewright', ...others],
    results,
    machine: machineNow(load),
    rounds,
    tuned: options.tuning !== undefined,
    seconds: (performance.now() - begin) / 1000,
    complete: !signal.aborted && results.length === cases.length,
  })
}
