/** Opening the GPU for a command, and naming it for people. */
import { filePlace, tuningPath } from '../formats/node-tuning.ts'
import { openGpu, type Gpu, type GpuOptions } from '../gpu/gpu.ts'
import type { AdapterDescription } from '../profile/report.ts'
import { TuningStore } from '../profile/tuning.ts'
import { remark, type Context } from './context.ts'

export const ADAPTER_FLAGS = '--adapter <NAME>'
export const ADAPTER_HELP = 'the GPU to use: a part of its name, `gpu` (no software adapter) or `software`'

/**
 * Opens the GPU, hands it to `task`, and lets go of it.
 * @throws NoAdapterError with the remedy when there is none; what `task` throws.
 */
export async function withGpu<T>(context: Context, adapter: string | undefined, task: (gpu: Gpu) => Promise<T>): Promise<T> {
  context.signal.throwIfAborted()
  const gpu = await openNamed(context, adapter)
  try {
    return await task(gpu)
  } finally {
    gpu.dispose()
  }
}

/** With the kernels that were tuned on this machine. @throws NoAdapterError with the remedy when there is none. */
export function openNamed(context: Context, adapter: string | undefined): Promise<Gpu> {
  const options: GpuOptions = {
    powerPreference: 'high-performance',
    tuning: tuningStore(context) ?? false,
    onWarning: (text) => remark(context, text),
    ...(adapter === undefined ? {} : { adapter }),
  }
  return openGpu(options)
}

/** Where results of tuning are kept; undefined where TILEWRIGHT_TUNING turns that off. */
export function tuningStore({ env }: Context): TuningStore | undefined {
  const path = tuningPath(env)
  return path === undefined ? undefined : new TuningStore(filePlace(path))
}

/** As `llvmpipe (LLVM 20.1.8, 256 bits) (software)`. */
export function adapterTitle({ vendor, architecture, device, description, software }: AdapterDescription): string {
  const named =
    [description, device, [vendor, architecture].filter(Boolean).join(' ')].find((text) => text !== '') ?? 'unnamed adapter'
  return software ? `${named} (software)` : named
}
