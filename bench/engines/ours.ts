/** Tilewright's side: the device as the bench opens it, then one op or a whole graph on it. */
import { TilewrightError } from '../../src/errors.ts'
import { filePlace } from '../../src/formats/node-tuning.ts'
import { openGpu } from '../../src/gpu/gpu.ts'
import { TuningStore } from '../../src/profile/tuning.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { Answer, Job } from '../protocol.ts'
import type { Work } from '../work.ts'
import { measureGraph } from './ours-graph.ts'
import { measureOp } from './ours-op.ts'

export async function measureOurs(job: Job, work: Work): Promise<Answer> {
  const safe = job.peer === 'tilewright-safe'
  const begin = performance.now()
  const gpu = await openGpu({
    powerPreference: 'high-performance',
    ...(job.adapter === undefined ? {} : { adapter: job.adapter }),
    disableRobustness: !safe,
    skipValidation: !safe,
    tuning: job.tuning === undefined ? false : new TuningStore(filePlace(job.tuning)),
  })
  try {
    const { opened, ...figures } = await (work.ours === 'op' ? measureOp(gpu, work) : measureGraph(gpu, work))
    return {
      status: 'ok',
      open_ms: opened - begin,
      ...figures,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      peak_gpu_bytes: gpu.memory.peakBytes,
      version: `tilewright ${packageJson.version}`,
      toggles: gpu.adapter.toggles,
    }
  } catch (error) {
    // What the device or an op does not take is an answer; anything else is a fault of ours, and shows as one.
    if (error instanceof TilewrightError) return { status: 'cannot', reason: `${error.name}: ${error.message}` }
    throw error
  } finally {
    gpu.dispose()
  }
}
