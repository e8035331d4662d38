/**
 * Constants in GPU memory, shared by all plans of a model: uploaded when a plan first needs them, freed with the last that does.
 */
import { scoped } from '../gpu/faults.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { HostTensor } from '../tensor/tensor.ts'

interface Entry {
  readonly tensor: DeviceTensor
  users: number
}

export class Weights {
  readonly #gpu: Gpu
  readonly #entries = new Map<HostTensor, Entry>()

  constructor(gpu: Gpu) {
    this.#gpu = gpu
  }

  /** `values` on the device, one more user of it. @throws DeviceLimitError naming the constant when memory runs out. */
  async acquire(values: HostTensor, name: string): Promise<DeviceTensor> {
    const known = this.#entries.get(values)
    if (known !== undefined) {
      known.users++
      return known.tensor
    }
    const { dtype, shape } = values
    const tensor = await scoped(this.#gpu.device, { constant: name, dtype, shape }, () => this.#gpu.upload(values))
    this.#entries.set(values, { tensor, users: 1 })
    return tensor
  }

  release(values: HostTensor): void {
    const entry = this.#entries.get(values)
    if (entry === undefined || --entry.users > 0) return
    this.#entries.delete(values)
    entry.tensor.dispose()
  }
}
