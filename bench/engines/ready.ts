/** Work of ours made ready to run: its first call is over, its result was read, and it can be submitted again and again. */
import type { BoundDispatch } from '../../src/gpu/commands.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import type { KernelCounts } from '../protocol.ts'
import type { OwnFigures, Work } from '../work.ts'
import { kernelTime } from './bound.ts'
import { kernelSamples, sample } from './sample.ts'

export interface Ready {
  /** When what counts as opening was over. */
  readonly opened: number
  readonly first_ms: number
  /** What the first call gave. */
  readonly values: ArrayLike<number>
  /** Runs from host memory to host memory, until the last is done. */
  fromHost(repeats: number): Promise<void>
  /** Runs whose operands and results stay on the device. */
  onDevice(repeats: number): Promise<void>
  /** All dispatches of a run. */
  bound(): Promise<readonly BoundDispatch[]>
  /** Which kernels, and why. */
  readonly kernel: string
  /** Of a network. */
  readonly nodes?: KernelCounts
  dispose(): void
}

/** Times what is ready, by the work's own rule. */
export async function measureReady(gpu: Gpu, work: Work, ready: Ready): Promise<OwnFigures> {
  const { opened, first_ms, kernel, nodes } = ready
  const error = work.error(ready.values)
  const rule = await work.rule(first_ms, async () => {
    const again = performance.now()
    await ready.fromHost(1)
    return performance.now() - again
  })
  const resident = work.resident ? await sample((repeats) => ready.onDevice(repeats), rule) : undefined
  const end_to_end = await sample((repeats) => ready.fromHost(repeats), rule)
  const figures = { opened, first_ms, end_to_end, ...(error === undefined ? {} : { error }) }
  if (resident === undefined) return { ...figures, resident: end_to_end, ...(nodes === undefined ? {} : { nodes }) }
  const kernel_ms = await kernelTime(gpu, await ready.bound(), kernelSamples(rule, resident))
  return { ...figures, resident, ...(kernel_ms === undefined ? {} : { kernel_ms }), kernel }
}
