/** Tilewright's side: the device as the bench opens it, then one op or a whole graph on it. */
import { TilewrightError } from '../../src/errors.ts'
import { filePlace } from '../../src/formats/node-tuning.ts'
import { openGpu, type Gpu } from '../../src/gpu/gpu.ts'
import { TuningStore } from '../../src/profile/tuning.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { Answer, Job, Measured, Unheld } from '../protocol.ts'
import type { Work } from '../work.ts'
import { readyGraph } from './ours-graph.ts'
import { readyOp } from './ours-op.ts'
import { measureReady, type Ready } from './ready.ts'

export function measureOurs(job: Job, work: Work): Promise<Answer> {
  return onDevice(job, async (gpu) => await measureReady(gpu, work, await readyWork(gpu, work)))
}

/** The work's first call, made as the work says: eagerly, or compiled. */
export function readyWork(gpu: Gpu, work: Work): Promise<Ready> {
  return work.ours === 'op' ? readyOp(gpu, work) : readyGraph(gpu, work)
}

/** What every answer of ours has besides its figures. */
type Own = Pick<Measured, 'open_ms' | 'peak_rss_bytes' | 'peak_gpu_bytes' | 'version' | 'toggles'> & { readonly status: 'ok' }

/** Opens the device as the bench does, and hands it to `measure`. */
export async function onDevice<T extends object>(
  job: Job,
  measure: (gpu: Gpu) => Promise<T & { readonly opened: number }>,
): Promise<(Own & Omit<T, 'opened'>) | Unheld> {
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
    const { opened, ...figures } = await measure(gpu)
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
