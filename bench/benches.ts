/** A job's case as the engines take it. */
import { CONV } from './cases/conv.ts'
import { GEMM } from './cases/gemm.ts'
import { MODEL } from './cases/model.ts'
import { SPARSE } from './cases/sparse.ts'
import { caseNamed } from './cases/table.ts'
import { convWork } from './conv/work.ts'
import { gemmWork } from './gemm/work.ts'
import { modelWork } from './model/work.ts'
import type { Job } from './protocol.ts'
import { denseWork } from './sparse/work.ts'
import type { Work } from './work.ts'

/** Of the sparse bench the dense product. @throws OptionError where there is no such case */
export function workOf(job: Job): Work {
  switch (job.bench) {
    case 'gemm':
      return gemmWork(caseNamed(GEMM, job.case), job.software)
    case 'conv':
      return convWork(caseNamed(CONV, job.case))
    case 'model':
      return modelWork(caseNamed(MODEL, job.case), job)
    case 'sparse':
      return denseWork(caseNamed(SPARSE, job.case), job.software)
  }
}
