/**
 * Constants in GPU memory, shared by all plans of a model: uploaded when a plan first needs them, freed with the last that does. What is
 * prepared from a constant (packed filters) is kept beside it, or in its stead where nothing else reads it.
 */
import { CommandList, type BoundDispatch } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import { scoped } from '../gpu/faults.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Preparation } from '../gpu/program.ts'
import type { HostTensor } from '../tensor/tensor.ts'

/** What is in memory: a constant, or what a preparation made of it. */
export interface Held {
  readonly values: HostTensor
  /** `keyOf` a preparation; empty for the constant itself. */
  readonly key: string
}

interface Entry {
  readonly tensor: DeviceTensor
  users: number
}

/** A preparation of a constant that is wanted. */
export interface Wanted {
  readonly values: HostTensor
  readonly name: string
  readonly preparation: Preparation
}

/** What preparations make: memory that is taken, and how it is filled. */
export interface Prepared {
  readonly tensors: readonly DeviceTensor[]
  /** To be released by the caller. */
  readonly held: readonly Held[]
  /** Fills the memory; to be called once. @throws DeviceValidationError, DeviceLostError, the signal's reason */
  made(): Promise<void>
}

export class Weights {
  readonly #gpu: Gpu
  readonly #entries = new Map<HostTensor, Map<string, Entry>>()

  constructor(gpu: Gpu) {
    this.#gpu = gpu
  }

  /** `values` on the device, one more user of it. @throws DeviceLimitError naming the constant when memory runs out. */
  async acquire(values: HostTensor, name: string): Promise<DeviceTensor> {
    const known = this.#use(values, '')
    if (known !== undefined) return known
    const { dtype, shape } = values
    const tensor = await scoped(this.#gpu.device, { constant: name, dtype, shape }, () => this.#gpu.upload(values))
    this.#put({ values, key: '' }, tensor)
    return tensor
  }

  /**
   * What preparations make of constants, in order, one more user of each. Memory for those that are not there yet is taken now, and
   * `made` makes them in one submission; their constants are uploaded for that alone, unless a plan holds them.
   * @throws DeviceLimitError, DeviceLostError
   */
  async prepare(wanted: readonly Wanted[], signal?: AbortSignal): Promise<Prepared> {
    const tensors: DeviceTensor[] = []
    const held: Held[] = []
    const sources: Held[] = []
    const bound: BoundDispatch[] = []
    try {
      for (const { values, name, preparation } of wanted) {
        const item = { values, key: keyOf(preparation) }
        const known = this.#use(values, item.key)
        const { type, dispatches } = preparation
        const tensor = known ?? (await scoped(this.#gpu.device, { constant: name, ...type }, () => this.#gpu.allocate(type)))
        if (known === undefined) this.#put(item, tensor)
        held.push(item)
        tensors.push(tensor)
        if (known !== undefined) continue
        const source = await this.acquire(values, name)
        sources.push({ values, key: '' })
        for (const dispatch of dispatches) {
          bound.push({ dispatch, tensors: dispatch.bind.map(({ kind }) => (kind === 'input' ? source : tensor)), label: name })
        }
      }
    } catch (error) {
      for (const item of [...held, ...sources]) this.release(item)
      throw error
    }
    const made = async (): Promise<void> => {
      try {
        if (bound.length > 0) await this.#submit(bound, signal)
      } finally {
        for (const item of sources) this.release(item)
      }
    }
    return { tensors, held, made }
  }

  release({ values, key }: Held): void {
    const entries = this.#entries.get(values)
    const entry = entries?.get(key)
    if (entries === undefined || entry === undefined || --entry.users > 0) return
    entries.delete(key)
    if (entries.size === 0) this.#entries.delete(values)
    entry.tensor.dispose()
  }

  #use(values: HostTensor, key: string): DeviceTensor | undefined {
    const entry = this.#entries.get(values)?.get(key)
    if (entry !== undefined) entry.users++
    return entry?.tensor
  }

  #put({ values, key }: Held, tensor: DeviceTensor): void {
    const entries = this.#entries.get(values) ?? new Map<string, Entry>()
    entries.set(key, { tensor, users: 1 })
    this.#entries.set(values, entries)
  }

  async #submit(bound: readonly BoundDispatch[], signal: AbortSignal | undefined): Promise<void> {
    const { device } = this.#gpu
    const commands = await CommandList.create(this.#gpu, bound, signal === undefined ? {} : { signal })
    try {
      await this.#gpu.faults.guard(
        scoped(device, { op: 'preparation of weights' }, () => {
          const encoder = device.createCommandEncoder({ label: 'preparation' })
          const pass = encoder.beginComputePass()
          commands.encode(pass)
          pass.end()
          device.queue.submit([encoder.finish()])
        }),
      )
    } finally {
      commands.dispose()
    }
  }
}

/** Equal for preparations that make the same of the same constant. */
export function keyOf({ type, dispatches }: Preparation): string {
  return JSON.stringify([
    type,
    dispatches.map(({ program, params }) => [program.name, program.constants, program.operands, params]),
  ])
}
