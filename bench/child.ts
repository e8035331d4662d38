/** Entry of dist/bench-child.js: one peer, one case, one process. The job comes as the only argument, as JSON. */
import '../src/gpu/node.ts'
import '../src/formats/node-files.ts'
import { workOf } from './benches.ts'
import { measureOrt } from './engines/ort.ts'
import { measureOurs } from './engines/ours.ts'
import { measureTfjs } from './engines/tfjs.ts'
import { answerLine, type Answer, type Job } from './protocol.ts'
import { measureSparse, type SparseAnswer } from './sparse/measure.ts'

function measure(job: Job): Promise<Answer | SparseAnswer> {
  if (job.bench === 'sparse' && job.peer === 'tilewright') return measureSparse(job)
  const work = workOf(job)
  switch (job.peer) {
    case 'tilewright':
    case 'tilewright-safe':
      return measureOurs(job, work)
    case 'ort-webgpu':
    case 'ort-cpu':
      return measureOrt(job, work)
    case 'tfjs-webgpu':
      return measureTfjs(job, work)
  }
}

const [, , text] = process.argv
if (text === undefined) throw new Error('bench-child.js is started by tilewright bench, not by hand')
process.stdout.write(answerLine(await measure(JSON.parse(text) as Job)))
// Engines keep threads and timers; the answer is out.
process.exit(0)
