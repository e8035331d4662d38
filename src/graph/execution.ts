/**
 * A typed graph made ready to run: kernels chosen, memory planned, weights uploaded, commands bound. A run then writes its inputs,
 * encodes one compute pass with its readbacks, submits once, and waits.
 */
import { DisposedError, OptionError } from '../errors.ts'
import { CommandList, type TensorView } from '../gpu/commands.ts'
import { DeviceTensor } from '../gpu/device-tensor.ts'
import { scoped } from '../gpu/faults.ts'
import { copyDispatch } from '../gpu/fill.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { LONGEST_LAUNCH_SECONDS } from '../gpu/launch.ts'
import type { Allocation } from '../gpu/pool.ts'
import type { OpPlan } from '../gpu/program.ts'
import { encodeRead, readTensor, writeTensor, type PendingRead } from '../gpu/transfer.ts'
import { isHostTensor, runPlanAlone } from '../ops/run.ts'
import type { DType, HostArray } from '../tensor/dtype.ts'
import { HostTensor, type Tensor } from '../tensor/tensor.ts'
import type { TypedGraph } from './passes.ts'
import { aliasesOf, boundOf, constantsOf, memoryFor, viewAlias, viewsOf, type PlannedNode } from './planning.ts'
import { toFloat } from './precision.ts'
import type { Held, Wanted, Weights } from './weights.ts'

export interface CompileProgress {
  readonly stage: 'upload' | 'compile'
  readonly done: number
  readonly total: number
}

export interface ExecutionOptions {
  readonly onProgress?: (progress: CompileProgress) => void
  readonly signal?: AbortSignal
  /** Values besides the outputs whose memory is not reused: 'all' of them. */
  readonly keep?: 'outputs' | 'all'
}

export class Execution {
  readonly nodes: readonly PlannedNode[]
  readonly #gpu: Gpu
  readonly #typed: TypedGraph
  readonly #commands: CommandList
  readonly #slots: readonly Allocation[]
  readonly #views: ReadonlyMap<string, TensorView>
  readonly #weights: Weights
  readonly #held: readonly Held[]
  #proved = false
  #disposed = false

  private constructor(parts: {
    gpu: Gpu
    typed: TypedGraph
    nodes: readonly PlannedNode[]
    commands: CommandList
    slots: readonly Allocation[]
    views: ReadonlyMap<string, TensorView>
    weights: Weights
    held: readonly Held[]
  }) {
    this.#gpu = parts.gpu
    this.#typed = parts.typed
    this.nodes = parts.nodes
    this.#commands = parts.commands
    this.#slots = parts.slots
    this.#views = parts.views
    this.#weights = parts.weights
    this.#held = parts.held
  }

  /**
   * Allocates, uploads, compiles and binds. Frees all of it again when something fails.
   * @throws DeviceLimitError, DeviceValidationError, DeviceLostError, the signal's reason
   */
  static async create(
    gpu: Gpu,
    typed: TypedGraph,
    nodes: readonly PlannedNode[],
    weights: Weights,
    options: ExecutionOptions = {},
  ): Promise<Execution> {
    const { onProgress, signal, keep = 'outputs' } = options
    const aliases = aliasesOf(nodes)
    const memory = memoryFor(typed, nodes, aliases, keep)
    const held: Held[] = []
    let slots: Allocation[] = []
    try {
      const total = memory.slots.reduce((sum, bytes) => sum + bytes, 0)
      await gpu.faults.guard(
        scoped(gpu.device, { op: 'activations', bytes: total }, () => {
          for (const bytes of memory.slots) slots.push(gpu.pool.acquire(bytes))
        }),
      )
      const views = viewsOf(gpu, typed, memory, slots)
      const constants = constantsOf(typed, nodes, aliases)
      for (const [index, name] of constants.entries()) {
        signal?.throwIfAborted()
        const values = typed.known.get(name)
        if (values === undefined) continue
        const tensor = await gpu.faults.guard(weights.acquire(values, name))
        held.push({ values, key: '' })
        views.set(name, tensor)
        onProgress?.({ stage: 'upload', done: index + 1, total: constants.length })
      }
      for (const alias of aliases.keys()) viewAlias(alias, aliases, typed, views)
      const wanted = nodes.map((node) => wantedOf(typed, node))
      const prepared = await weights.prepare(wanted.flat(), signal)
      held.push(...prepared.held)
      const firsts = wanted.map((_, index) => wanted.slice(0, index).reduce((sum, { length }) => sum + length, 0))
      const bound = nodes.flatMap((node, index) => {
        const first = firsts[index] ?? 0
        const own = prepared.tensors.slice(first, first + (wanted[index]?.length ?? 0))
        return boundOf(gpu, node, index, views, memory, slots, own)
      })
      // Both compile side by side; what is prepared is there before anything that reads it is submitted.
      const commands = await settled(
        CommandList.create(gpu, bound, {
          warm: true,
          ...(signal === undefined ? {} : { signal }),
          ...(onProgress === undefined ? {} : { onProgress: (done, all) => onProgress({ stage: 'compile', done, total: all }) }),
        }),
        prepared.made(),
      )
      return new Execution({ gpu, typed, nodes, commands, slots, views, weights, held })
    } catch (error) {
      for (const slot of slots) gpu.pool.release(slot)
      slots = []
      for (const item of held) weights.release(item)
      throw error
    }
  }

  /**
   * One run, for a caller that has the Gpu to itself (`gpu.exclusive`).
   * @param wanted values to return, each in the dtype that the caller wants (f16 becomes f32 where asked)
   * @returns tensors of their own: host tensors, or device tensors that the caller disposes of
   */
  async run(
    inputs: ReadonlyMap<string, Tensor>,
    wanted: ReadonlyMap<string, DType>,
    options: { readonly signal?: AbortSignal; readonly to?: 'host' | 'device' } = {},
  ): Promise<Map<string, Tensor>> {
    if (this.#disposed) throw new DisposedError('The plan of this run was disposed')
    const { signal, to = 'host' } = options
    const gpu = this.#gpu
    for (const [name, tensor] of inputs) await this.#write(name, tensor)
    const reads: NamedRead[] = []
    const batches = signal === undefined ? [[0, this.#commands.length] as const] : this.#commands.batches(LONGEST_LAUNCH_SECONDS)
    for (const [index, [from, to_]] of (batches.length > 0 ? batches : [[0, 0] as const]).entries()) {
      if (index > 0) await gpu.idle()
      signal?.throwIfAborted()
      const last = index >= batches.length - 1
      const submit = (): void => {
        const encoder = gpu.device.createCommandEncoder({ label: 'run' })
        const pass = encoder.beginComputePass()
        this.#commands.encode(pass, from, to_)
        pass.end()
        if (last && to === 'host') reads.push(...this.#encodeReads(encoder, wanted))
        gpu.device.queue.submit([encoder.finish()])
      }
      // Errors of a first run are caught where they arise; what was accepted once is the same every time.
      if (this.#proved) submit()
      else await gpu.faults.guard(scoped(gpu.device, { op: 'run' }, submit))
    }
    this.#proved = true
    if (to === 'device') return this.#copies(wanted)

    const arrived = await abortable(gpu.faults.guard(finish(reads)), signal)
    gpu.faults.check()
    const results = new Map<string, Tensor>()
    for (const [name, dtype] of wanted) {
      const values = arrived.get(name)
      const type = this.#typed.types.get(name)
      if (values === undefined || type === undefined) results.set(name, this.#known(name, dtype))
      else results.set(name, exactly(new HostTensor(type.dtype, type.shape, values), dtype))
    }
    return results
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#commands.dispose()
    for (const slot of this.#slots) this.#gpu.pool.release(slot)
    for (const item of this.#held) this.#weights.release(item)
  }

  /** Puts an input into its slot, in the dtype that the plan stores. */
  async #write(name: string, tensor: Tensor): Promise<void> {
    const view = this.#views.get(name)
    if (view === undefined || this.#typed.known.has(name)) return
    const { device } = this.#gpu
    if (isHostTensor(tensor)) {
      writeTensor(device.queue, toFloat(tensor, view.dtype), view.segments)
      return
    }
    if (!(tensor instanceof DeviceTensor) || !this.#gpu.owns(tensor)) throw new OptionError(`Input ${name} lies on another Gpu`)
    if (tensor.dtype === view.dtype) {
      this.#copy(tensor, view)
      return
    }
    const plan: OpPlan = { reason: 'conversion of an input', dispatches: [copyDispatch(tensor, view)], temps: [] }
    const [converted] = await runPlanAlone(this.#gpu, plan, [tensor], [view], { node: name })
    if (converted === undefined) return
    this.#copy(converted, view)
    converted.dispose()
  }

  #copy(from: TensorView, to: TensorView): void {
    const encoder = this.#gpu.device.createCommandEncoder({ label: 'copy' })
    copySegments(encoder, from, to)
    this.#gpu.device.queue.submit([encoder.finish()])
  }

  #encodeReads(encoder: GPUCommandEncoder, wanted: ReadonlyMap<string, DType>): NamedRead[] {
    const { device, staging } = this.#gpu
    const names = [...wanted.keys()].filter((name) => this.#views.has(name) && !this.#typed.known.has(name))
    return names.map((name) => {
      const view = this.#views.get(name)!
      if (names.length <= READ_TOGETHER) return { name, pending: encodeRead(encoder, device, staging, view, view.segments) }
      return { name, pending: { finish: () => readTensor(device, staging, view, view.segments) } }
    })
  }

  /** A value that was known before the run. */
  #known(name: string, dtype: DType): Tensor {
    const value = this.#typed.known.get(name)
    if (value === undefined) throw new OptionError(`This plan does not keep value ${name}`)
    return exactly(value, dtype)
  }

  /** Device tensors of the wanted values, copied out of their slots. */
  async #copies(wanted: ReadonlyMap<string, DType>): Promise<Map<string, Tensor>> {
    const results = new Map<string, Tensor>()
    try {
      for (const [name, dtype] of wanted) results.set(name, await this.#copyOut(name, dtype))
    } catch (error) {
      for (const tensor of results.values()) tensor.dispose()
      throw error
    }
    return results
  }

  async #copyOut(name: string, dtype: DType): Promise<DeviceTensor> {
    const gpu = this.#gpu
    const view = this.#views.get(name)
    const known = this.#typed.known.get(name)
    if (known !== undefined) return gpu.upload(toFloat(known, dtype))
    if (view === undefined) throw new OptionError(`This plan does not keep value ${name}`)
    const copy = gpu.allocate({ dtype: view.dtype, shape: view.shape })
    this.#copy(view, copy)
    if (dtype === view.dtype) return copy
    const type = { dtype, shape: view.shape }
    const plan: OpPlan = { reason: 'conversion of an output', dispatches: [copyDispatch(copy, type)], temps: [] }
    try {
      const [converted] = await runPlanAlone(gpu, plan, [copy], [type], { node: name })
      if (converted === undefined) throw new OptionError(`Output ${name} was not converted`)
      return converted
    } finally {
      copy.dispose()
    }
  }
}

/** What a node has prepared from constants. */
function wantedOf(typed: TypedGraph, { node, plan }: PlannedNode): Wanted[] {
  return (plan.prepared ?? []).map((preparation): Wanted => {
    const name = node.inputs[preparation.from] ?? ''
    const values = typed.known.get(name)
    if (values === undefined)
      throw new OptionError(`What is prepared from ${name} is no constant`, { node: node.name, op: node.op })
    return { values, name, preparation }
  })
}

/** The results of both once both have ended; commands whose preparation failed are freed. @throws what the first to fail did */
async function settled(creating: Promise<CommandList>, preparing: Promise<void>): Promise<CommandList> {
  const [commands, preparation] = await Promise.allSettled([creating, preparing])
  if (commands.status === 'rejected') throw commands.reason
  if (preparation.status === 'fulfilled') return commands.value
  commands.value.dispose()
  throw preparation.reason
}

interface NamedRead {
  readonly name: string
  readonly pending: PendingRead
}

/** Values above this many are read one after another, not in the run's own submission: their staging buffers would not all fit. */
const READ_TOGETHER = 8

async function finish(reads: readonly NamedRead[]): Promise<Map<string, HostArray>> {
  const arrived = new Map<string, HostArray>()
  if (reads.length <= READ_TOGETHER) {
    const values = await Promise.all(reads.map(({ pending }) => pending.finish()))
    reads.forEach(({ name }, index) => arrived.set(name, values[index]!))
  } else {
    for (const { name, pending } of reads) arrived.set(name, await pending.finish())
  }
  return arrived
}

/** `tensor` in `dtype` with its values made, so that it holds no reference to what it was made from. */
function exactly(tensor: HostTensor, dtype: DType): HostTensor {
  const converted = toFloat(tensor, dtype)
  return converted === tensor ? tensor : new HostTensor(converted.dtype, converted.shape, converted.values)
}

function copySegments(encoder: GPUCommandEncoder, from: TensorView, to: TensorView): void {
  for (const [index, segment] of from.segments.entries()) {
    const target = to.segments[index]
    if (target === undefined) throw new OptionError('Tensors of one type lie in different segments')
    encoder.copyBufferToBuffer(segment.buffer, segment.offset, target.buffer, target.offset, segment.size)
  }
}

/** `promise`, but rejected with the signal's reason as soon as it is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
