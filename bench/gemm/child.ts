/** Entry of dist/bench-child.js: one peer, one case, one process. The job comes as the only argument, as JSON. */
import '../../src/gpu/node.ts'
import { caseNamed, macs, SOFTWARE_REPEATED } from '../cases/gemm.ts'
import { measureOrt } from './ort.ts'
import { measureOurs } from './ours.ts'
import { answerLine, type Answer, type Job } from './protocol.ts'
import { measureTfjs } from './tfjs.ts'

function measure(job: Job): Promise<Answer> {
  const item = caseNamed(job.case)
  const sparing = job.software && macs(item) > SOFTWARE_REPEATED
  switch (job.peer) {
    case 'tilewright':
    case 'tilewright-safe':
      return measureOurs(job, item, sparing)
    case 'ort-webgpu':
    case 'ort-cpu':
      return measureOrt(job, item, sparing)
    case 'tfjs-webgpu':
      return measureTfjs(job, item, sparing)
  }
}

const [, , text] = process.argv
if (text === undefined) throw new Error('bench-child.js is started by tilewright bench, not by hand')
process.stdout.write(answerLine(await measure(JSON.parse(text) as Job)))
// Engines keep threads and timers; the answer is out.
process.exit(0)
