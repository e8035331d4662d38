/** Entry of dist/bench-child.js: one peer, one case, one process. The job comes as the only argument, as JSON. */
import { caseNamed, macs, SOFTWARE_REPEATED } from '../cases/gemm.ts'
import { measureOrt } from './ort.ts'
import { answerLine, type Answer, type Job } from './protocol.ts'

async function measure(job: Job): Promise<Answer> {
  const item = caseNamed(job.case)
  const once = job.software && macs(item) > SOFTWARE_REPEATED
  return measureOrt(job, item, once)
}

const [, , text = ''] = process.argv
const answer = await measure(JSON.parse(text) as Job)
process.stdout.write(answerLine(answer))
