/**
 * A case of the sparse bench, timed in one process: the dense kernel and each challenger in turns, sample by sample, so that both meet the
 * same moments of the machine.
 *
 *     sparse ▮▮▮ dense ▮▮▮  sparse ▯ dense ▯  sparse ▮▮▮ dense ▮▮▮ …      ▮ runs by the wall clock, ▯ a few, one by one, by the device's
 *
 * A figure is the median of one's samples, a ratio the quotient of the two medians that stand beside it.
 */
import { OptionError, TilewrightError } from '../../src/errors.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { SPARSE, type SparseCase } from '../cases/sparse.ts'
import { caseNamed } from '../cases/table.ts'
import { kernelTime } from '../engines/bound.ts'
import { onDevice, readyWork } from '../engines/ours.ts'
import type { Ready } from '../engines/ready.ts'
import { Neighbours } from '../engines/neighbours.ts'
import { repeatsFor } from '../engines/sample.ts'
import type { Job, ResultError, Unheld } from '../protocol.ts'
import { sparseWork, type Contender } from './work.ts'

/** Milliseconds of a run, a figure a sample. */
export interface Turns {
  readonly samples_ms: readonly number[]
  /** Of a few runs one by one, by the device's own clock, after each sample; empty where it has none. */
  readonly kernels_ms: readonly number[]
}

/** A contender's figures that do not depend on time. */
export interface ContenderFigures {
  readonly weight_bytes: number
  readonly bytes: number
  readonly first_ms: number
  /** Which kernels, and why. */
  readonly kernel: string
  readonly error: ResultError
}

export interface SparsePoint extends ContenderFigures {
  readonly label: string
  readonly density: number
  readonly own: Turns
  /** The dense kernel's, in the same turns. */
  readonly dense?: Turns
}

export interface SparseMeasured {
  readonly status: 'ok'
  readonly open_ms: number
  readonly peak_rss_bytes: number
  readonly peak_gpu_bytes?: number
  readonly version: string
  readonly toggles: readonly string[]
  readonly dense?: ContenderFigures
  readonly points: readonly SparsePoint[]
  /** Processors that other processes kept busy meanwhile, on average. */
  readonly busy_others: number
  /** Challengers that the device or an op does not take. */
  readonly unheld: readonly { readonly label: string; readonly density: number; readonly reason: string }[]
}

export type SparseAnswer = SparseMeasured | Unheld

/** What a process of this bench answers. */
export const sparseAnswer = (json: unknown): SparseAnswer => json as SparseAnswer

const WARM_MS = 80
const SAMPLE_MS = 30
/** Turns of one challenger; of each of several, where a line through them counts. */
const TURNS = 21
const TURNS_OF_SEVERAL = 9
/** Runs by the device's clock in each turn, of which the median is a sample; of what fills a sample alone, one. */
const KERNELS = 3
const kernelRuns = (repeats: number): number => (repeats === 1 ? 1 : KERNELS)
/** Turns together take about this long at most, but there are three. */
const TURNS_MS = 10_000

export function measureSparse(job: Job): Promise<SparseAnswer> {
  const item: SparseCase = caseNamed(SPARSE, job.case)
  const { dense, challengers } = sparseWork(item, job.software)
  return onDevice(job, async (gpu) => {
    const opened = performance.now()
    const neighbours = new Neighbours()
    const most = challengers.length === 1 ? TURNS : TURNS_OF_SEVERAL
    const base = await fastest(gpu, dense)
    const points: SparsePoint[] = []
    const unheld: SparseMeasured['unheld'][number][] = []
    for (const { label, density, make } of challengers) {
      try {
        const own = await entered(gpu, make())
        const turns = await inTurns(gpu, base === undefined ? [own.ready] : [own.ready, base.ready], most)
        const [ownTurns, denseTurns] = turns
        if (ownTurns === undefined) throw new OptionError('Nothing was timed')
        points.push({ label, density, ...own.figures, own: ownTurns, ...(denseTurns === undefined ? {} : { dense: denseTurns }) })
        own.ready.dispose()
      } catch (error) {
        if (!(error instanceof TilewrightError)) throw error
        unheld.push({ label, density, reason: `${error.name}: ${error.message}` })
      }
    }
    const busy_others = neighbours.busy()
    return { opened, ...(base === undefined ? {} : { dense: base.figures }), points, busy_others, unheld }
  })
}

interface Entered {
  readonly ready: Ready
  readonly figures: ContenderFigures
}

/** The fastest of them, warm; the others are let go. Undefined for none. */
async function fastest(gpu: Gpu, contenders: readonly Contender[]): Promise<Entered | undefined> {
  let best: (Entered & { readonly each: number }) | undefined
  for (const contender of contenders) {
    const one = await entered(gpu, contender)
    const { each } = contenders.length === 1 ? { each: 0 } : await warmed(one.ready)
    if (best !== undefined && best.each <= each) {
      one.ready.dispose()
      continue
    }
    best?.ready.dispose()
    best = { ...one, each }
  }
  return best
}

/** Runs for a while; what one takes then, and how many make a sample. */
async function warmed(ready: Ready): Promise<{ each: number; repeats: number }> {
  const begin = performance.now()
  let each = await timed(ready, 1)
  while (performance.now() - begin < WARM_MS) each = Math.min(each, await timed(ready, repeatsFor(each, SAMPLE_MS)))
  return { each, repeats: repeatsFor(each, SAMPLE_MS) }
}

/** The first call, its result held against what it should be. */
async function entered(gpu: Gpu, { work, bytes, weight_bytes, form }: Contender): Promise<Entered> {
  const ready = await readyWork(gpu, work)
  const error = work.error(ready.values)
  if (error === undefined) throw new OptionError('There is nothing to hold the result against', { case: work.name })
  return {
    ready,
    figures: {
      weight_bytes,
      bytes,
      first_ms: ready.first_ms,
      kernel: form === undefined ? ready.kernel : `${form}: ${ready.kernel}`,
      error,
    },
  }
}

async function timed(ready: Ready, repeats: number): Promise<number> {
  const begin = performance.now()
  await ready.onDevice(repeats)
  return (performance.now() - begin) / repeats
}

/** At most so many samples of each, in turns. */
async function inTurns(gpu: Gpu, all: readonly Ready[], most: number): Promise<Turns[]> {
  const lanes = []
  for (const ready of all) {
    const bound = await ready.bound()
    lanes.push({ ready, bound, ...(await warmed(ready)), samples_ms: new Array<number>(), kernels_ms: new Array<number>() })
  }
  const turn_ms = lanes.reduce((sum, { each, repeats }) => sum + each * (repeats + kernelRuns(repeats)), 0)
  const turns = Math.max(3, Math.min(most, Math.floor(TURNS_MS / turn_ms)))
  for (let turn = 0; turn < turns; turn++) {
    for (const { ready, repeats, samples_ms } of lanes) samples_ms.push(await timed(ready, repeats))
    for (const { bound, repeats, kernels_ms } of lanes) {
      const kernel_ms = await kernelTime(gpu, bound, kernelRuns(repeats))
      if (kernel_ms !== undefined) kernels_ms.push(kernel_ms)
    }
  }
  return lanes.map(({ samples_ms, kernels_ms }) => ({ samples_ms, kernels_ms }))
}
