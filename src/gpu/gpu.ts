/**
 * The GPU: an adapter, its device with every useful feature at the adapter's own limits, its memory and its pipelines. This folder
 * is the only place that touches WebGPU; all else is handed a `Gpu`.
 */
import { DeviceLostError, DisposedError, NoAdapterError, OptionError, ShapeError, TilewrightError } from '../errors.ts'
import type { AdapterDescription } from '../profile/report.ts'
import type { HostArray } from '../tensor/dtype.ts'
import { formatShape, sizeOf, type Shape } from '../tensor/shape.ts'
import type { HostTensor, TensorType } from '../tensor/tensor.ts'
import type { CommandHost } from './commands.ts'
import { checkTensor, DeviceTensor, tensorBytes, type TensorHome } from './device-tensor.ts'
import { describeAdapter, descriptorFor, factsOf, isSoftware, limitsOf } from './facts.ts'
import { Faults, namedError } from './faults.ts'
import { PipelineCache } from './pipelines.ts'
import { BufferPool, segmentsOf, type Allocation, type MemoryUse } from './pool.ts'
import { segmentBytes, type DeviceFacts, type DeviceLimits } from './program.ts'
import { currentProvider } from './provider.ts'
import { Line } from './queue.ts'
import { readTensor, StagingPool, writeTensor } from './transfer.ts'
import { currentTuningSource, type TunedKernel, type TuningSource } from './tuning.ts'

export interface GpuOptions {
  readonly powerPreference?: 'high-performance' | 'low-power'
  /** `gpu`: a real one or an error. `software`: the software adapter. Else (Node only) a part of the adapter's name. */
  readonly adapter?: string
  /** Leaves out bounds checks in shaders (Node only). The adapter's description says so. */
  readonly disableRobustness?: boolean
  /** Leaves out the validation of commands (Node only). The adapter's description says so. */
  readonly skipValidation?: boolean
  /** Lowers limits, so that a large device behaves as a small one. */
  readonly limits?: Partial<DeviceLimits>
  /** Features not to use, though the adapter has them. */
  readonly withoutFeatures?: readonly string[]
  /**
   * Where kernels come from that were measured on this adapter. Default: the user's own results (a file in Node, IndexedDB in a
   * page); `false`: none.
   */
  readonly tuning?: TuningSource | false
  /** Told what is wrong but stops nothing, as results of tuning that cannot be read (default: the console). */
  readonly onWarning?: (text: string) => void
}

const MIB = 2 ** 20

/**
 * Opens a GPU.
 * @throws NoAdapterError when there is none, with what to do about it; OptionError for an option that does not fit.
 */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { adapter, toggles, language } = await findAdapter(options)
  if (isSoftware(adapter.info)) currentProvider().onSoftware?.()
  const descriptor = descriptorFor(adapter, options.withoutFeatures)
  let device: GPUDevice
  try {
    device = await adapter.requestDevice(descriptor)
  } catch (cause) {
    const { remedy } = currentProvider()
    throw new NoAdapterError(`The adapter ${nameOf(adapter)} gives no device: ${messageOf(cause)}`, { remedy }, { cause })
  }
  try {
    const facts = await factsOf(device, adapter.info, limitsOf(device, options.limits), language)
    const tuned = await tunedKernels(facts.adapter, options)
    return new Gpu(device, { ...facts, tuned }, describeAdapter(adapter, [...facts.features].toSorted(), toggles))
  } catch (error) {
    device.destroy()
    throw error
  }
}

/** Results that cannot be read are told, and the GPU opens without them. */
async function tunedKernels(adapter: string, { tuning, onWarning = warn }: GpuOptions): Promise<ReadonlyMap<string, TunedKernel>> {
  const source = tuning === false ? undefined : (tuning ?? currentTuningSource())
  if (source === undefined) return new Map()
  try {
    return await source.load(adapter)
  } catch (error) {
    if (!(error instanceof TilewrightError)) throw error
    onWarning(`Tuned kernels are not used: ${error.name}: ${error.message}`)
    return new Map()
  }
}

function warn(text: string): void {
  // oxlint-disable-next-line eslint/no-console -- a caller that gives no `onWarning` must hear of it all the same
  console.warn(text)
}

interface FoundAdapter {
  readonly adapter: GPUAdapter
  readonly toggles: readonly string[]
  /** Features of WGSL. */
  readonly language: ReadonlySet<string>
}

async function findAdapter({
  adapter: name,
  powerPreference,
  disableRobustness,
  skipValidation,
}: GpuOptions): Promise<FoundAdapter> {
  const provider = currentProvider()
  const { remedy, softwareNames } = provider
  const common = {
    ...(disableRobustness === undefined ? {} : { disableRobustness }),
    ...(skipValidation === undefined ? {} : { skipValidation }),
  }
  const request: GPURequestAdapterOptions = powerPreference === undefined ? {} : { powerPreference }
  let trials: { readonly adapter?: string }[] = name === undefined || name === 'gpu' ? [{}] : [{ adapter: name }]
  if (name === 'software') {
    trials = softwareNames === undefined ? [{}] : softwareNames.map((adapter) => ({ adapter }))
    request.forceFallbackAdapter = softwareNames === undefined
  }
  let reason = ''
  for (const trial of trials) {
    const { gpu, toggles } = await provider.open({ ...common, ...trial })
    try {
      const adapter = await gpu.requestAdapter(request)
      if (adapter === null) continue
      if (name === 'gpu' && isSoftware(adapter.info)) {
        throw new NoAdapterError(`The only WebGPU adapter is software (${nameOf(adapter)})`, { remedy })
      }
      if (name === 'software' && !isSoftware(adapter.info)) continue
      // Browsers from before language features have none.
      return { adapter, toggles, language: new Set(gpu.wgslLanguageFeatures ?? []) }
    } catch (cause) {
      // Dawn throws where no adapter has the name that was asked for, and lists those there are.
      if (cause instanceof NoAdapterError) throw cause
      reason = `: ${messageOf(cause)}`
    }
  }
  throw new NoAdapterError(`No WebGPU adapter${name === undefined ? '' : ` is called ${name}`}${reason}`, { remedy })
}

function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || info.vendor
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error)
}

/** Memory that one or more tensors share. */
interface Shared {
  readonly allocation: Allocation
  owners: number
}

export class Gpu implements TensorHome, CommandHost {
  readonly device: GPUDevice
  readonly facts: DeviceFacts
  /** What `facts.tuned` reads: `autotune` adds what it finds, and plans made from then on use it. */
  readonly tuned: Map<string, TunedKernel>
  readonly adapter: AdapterDescription
  readonly pipelines: PipelineCache
  readonly faults = new Faults()
  readonly pool: BufferPool
  readonly staging: StagingPool
  readonly #line = new Line()
  readonly #memory = new WeakMap<DeviceTensor, Shared>()
  readonly #closing = new Set<() => void>()
  #disposed = false

  /** Use `openGpu`. */
  constructor(device: GPUDevice, facts: DeviceFacts, adapter: AdapterDescription) {
    this.device = device
    this.tuned = new Map(facts.tuned)
    this.facts = { ...facts, tuned: this.tuned }
    this.adapter = adapter
    this.pipelines = new PipelineCache(device)
    this.staging = new StagingPool(device)
    this.pool = new BufferPool(device, {
      maxBufferSize: facts.limits.maxBufferSize,
      segmentBytes: segmentBytes(facts.limits),
      keepBytes: facts.software ? 128 * MIB : 1024 * MIB,
    })
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault()
      this.faults.report(namedError(event.error))
    })
    void device.lost.then(({ reason, message }) => {
      const detail = message === '' ? reason : `${reason}: ${message}`
      this.faults.finish(
        new DeviceLostError(`The GPU was lost (${detail})`, {
          remedy: 'Open it again with openGpu; if it happens again, use smaller work, or look at the driver log',
        }),
      )
    })
  }

  /** Bytes in use, kept for reuse, and the most so far. */
  get memory(): MemoryUse {
    return this.pool.use
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** A new tensor of undefined contents. @throws DtypeError, DeviceLimitError when the device cannot hold it; DisposedError. */
  allocate(type: TensorType): DeviceTensor {
    this.#check()
    checkTensor(type, this.facts)
    return this.#tensor(type, { allocation: this.pool.acquire(tensorBytes(type)), owners: 0 })
  }

  /** A copy of a host tensor on the device. @throws as `allocate`. */
  upload(tensor: HostTensor): DeviceTensor {
    const target = this.allocate({ dtype: tensor.dtype, shape: tensor.shape })
    writeTensor(this.device.queue, tensor, target.segments)
    return target
  }

  /** `tensor` under another shape of as many elements: the same memory, freed when the last of both is disposed of. */
  reshape(tensor: DeviceTensor, shape: Shape): DeviceTensor {
    const shared = this.#memory.get(tensor)
    if (shared === undefined) throw new OptionError('This tensor lies on another Gpu')
    if (tensor.disposed) throw new DisposedError('This tensor was disposed')
    if (sizeOf(shape) !== sizeOf(tensor.shape)) {
      throw new ShapeError(`A tensor of shape ${formatShape(tensor.shape)} cannot become ${formatShape(shape)}`, {
        dtype: tensor.dtype,
      })
    }
    return this.#tensor({ dtype: tensor.dtype, shape }, shared)
  }

  /** Whether a tensor lies on this Gpu. */
  owns(tensor: DeviceTensor): boolean {
    return this.#memory.has(tensor)
  }

  /** The values of a tensor. @throws DisposedError, DeviceLostError, and what earlier work on the device did wrong. */
  async read(tensor: DeviceTensor): Promise<HostArray> {
    this.#check()
    const { dtype, shape, segments } = tensor
    const values = await this.faults.guard(readTensor(this.device, this.staging, { dtype, shape }, segments))
    this.faults.check()
    return values
  }

  /**
   * Runs `task` alone on this Gpu, after all that entered before it. @throws the signal's reason, DisposedError, DeviceLostError.
   */
  async exclusive<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#check()
    return this.faults.guard(
      this.#line.enter(async () => {
        this.#check()
        return task()
      }, signal),
    )
  }

  /** Resolves when the device has done all that was submitted. @throws DeviceLostError. */
  async idle(): Promise<void> {
    this.#check()
    await this.faults.guard(this.device.queue.onSubmittedWorkDone())
    this.faults.check()
  }

  /** Has `close` called when this Gpu is disposed of; returns how to take that back. */
  onDispose(close: () => void): () => void {
    this.#closing.add(close)
    return () => this.#closing.delete(close)
  }

  /** For TensorHome: gives a tensor's memory back. */
  release(tensor: DeviceTensor): void {
    const shared = this.#memory.get(tensor)
    if (shared !== undefined && --shared.owners === 0) this.pool.release(shared.allocation)
  }

  /** Frees all memory and lets go of the device. Whoever still waits gets a DisposedError. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const close of this.#closing) close()
    this.#closing.clear()
    this.faults.finish(new DisposedError('The Gpu was disposed', { remedy: 'Await runs and reads before disposing of it' }))
    this.staging.dispose()
    this.pool.dispose()
    this.device.destroy()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #check(): void {
    if (this.#disposed) throw new DisposedError('The Gpu was disposed')
    this.faults.check()
  }

  #tensor({ dtype, shape }: TensorType, shared: Shared): DeviceTensor {
    const type = { dtype, shape }
    const tensor = new DeviceTensor(this, type, segmentsOf(shared.allocation, tensorBytes(type), segmentBytes(this.facts.limits)))
    shared.owners++
    this.#memory.set(tensor, shared)
    return tensor
  }
}
