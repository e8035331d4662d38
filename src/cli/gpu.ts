/** Opening the GPU for a command, and naming it for people. */
import { openGpu, type Gpu, type GpuOptions } from '../gpu/gpu.ts'
import type { AdapterDescription } from '../profile/report.ts'
import type { Context } from './context.ts'

export const ADAPTER_FLAGS = '--adapter <NAME>'
export const ADAPTER_HELP = 'the GPU to use: a part of its name, `gpu` (no software adapter) or `software`'

/**
 * Opens the GPU, hands it to `task`, and lets go of it.
 * @throws NoAdapterError with the remedy when there is none; what `task` throws.
 */
export async function withGpu<T>(context: Context, adapter: string | undefined, task: (gpu: Gpu) => Promise<T>): Promise<T> {
  context.signal.throwIfAborted()
  const gpu = await openNamed(adapter)
  try {
    return await task(gpu)
  } finally {
    gpu.dispose()
  }
}

/** @throws NoAdapterError with the remedy when there is none. */
export function openNamed(adapter: string | undefined): Promise<Gpu> {
  const options: GpuOptions = { powerPreference: 'high-performance', ...(adapter === undefined ? {} : { adapter }) }
  return openGpu(options)
}

/** As `llvmpipe (LLVM 20.1.8, 256 bits) (software)`. */
export function adapterTitle({ vendor, architecture, device, description, software }: AdapterDescription): string {
  const named =
    [description, device, [vendor, architecture].filter(Boolean).join(' ')].find((text) => text !== '') ?? 'unnamed adapter'
  return software ? `${named} (software)` : named
}
