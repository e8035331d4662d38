/**
 * A typed graph made ready to run: kernels chosen, memory planned, weights uploaded, commands bound. A run then writes its inputs,
 * encodes one compute pass with its readbacks, submits once, and waits.
 */
import { DisposedError, type ErrorDetails, OptionError } from '../errors.ts'
import { CommandList, type BoundDispatch, type TensorView } from '../gpu/commands.ts'
import { checkTensor, DeviceTensor, tensorBytes } from '../gpu/device-tensor.ts'
import { scoped } from '../gpu/faults.ts'
import { copyDispatch } from '../gpu/fill.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { checkPlan, LONGEST_LAUNCH_SECONDS } from '../gpu/launch.ts'
import { segmentsOf, type Allocation } from '../gpu/pool.ts'
import { segmentBytes, type DeviceFacts, type OpPlan, type TensorRef } from '../gpu/program.ts'
import { encodeRead, readTensor, writeTensor, type PendingRead } from '../gpu/transfer.ts'
import { dispatchesOf, runPlanAlone } from '../ops/run.ts'
import type { DType } from '../tensor/dtype.ts'
import { HostTensor, type Tensor, type TensorType } from '../tensor/tensor.ts'
import { planMemory, rootOf, type MemoryPlan } from './memory.ts'
import type { TypedGraph, TypedNode } from './passes.ts'
import { toFloat } from './precision.ts'
import type { Weights } from './weights.ts'

/** A node and the plan that was chosen for it, the clearing of its temps included. */
export interface PlannedNode extends TypedNode {
  readonly plan: OpPlan
}

/** May replace the default plan of a node: undefined leaves it. */
export type PlanNode = (node: TypedNode, device: DeviceFacts) => OpPlan | undefined

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

/**
 * Chooses a plan for every node and checks that the device can hold and bind all of it, before anything is allocated.
 * @throws DeviceLimitError, DtypeError naming node, op, dtype, shape, limit and remedy
 */
export function planNodes(typed: TypedGraph, device: DeviceFacts, planNode?: PlanNode): PlannedNode[] {
  for (const { name, dtype, shape } of typed.inputs) checkTensor({ dtype, shape }, device, { node: name, op: 'input' })
  return typed.nodes.map((item) => {
    const { node, definition, context } = item
    const where: ErrorDetails = { node: node.name, op: node.op }
    for (const type of context.outputs) checkTensor(type, device, where)
    const chosen = planNode?.(item, device) ?? definition.plan({ ...context, device })
    const plan = { ...chosen, dispatches: dispatchesOf(chosen) }
    if (plan.alias === undefined) checkPlan(plan, { inputs: boundInputs(plan, context.inputs), outputs: context.outputs }, device, where)
    return { ...item, plan }
  })
}

/** Inputs that a dispatch binds; the others are known on the host and need no memory. */
function boundInputs(plan: OpPlan, inputs: readonly (TensorType | null)[]): (TensorType | null)[] {
  const bound = new Set(plan.dispatches.flatMap(({ bind }) => bind.filter(({ kind }) => kind === 'input').map(({ index }) => index)))
  return inputs.map((type, index) => (bound.has(index) ? type : null))
}

/** The name of output `index` of a node, also of one that the graph leaves out. */
function outputName({ node }: PlannedNode, index: number): string {
  const name = node.outputs[index]
  return name === undefined || name === '' ? `${node.name}#${index}` : name
}

export class Execution {
  readonly nodes: readonly PlannedNode[]
  readonly #gpu: Gpu
  readonly #typed: TypedGraph
  readonly #commands: CommandList
  readonly #slots: readonly Allocation[]
  readonly #views: ReadonlyMap<string, TensorView>
  readonly #weights: Weights
  readonly #held: readonly HostTensor[]
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
    held: readonly HostTensor[]
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
    const held: HostTensor[] = []
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
        held.push(values)
        views.set(name, tensor)
        onProgress?.({ stage: 'upload', done: index + 1, total: constants.length })
      }
      for (const alias of aliases.keys()) viewAlias(alias, aliases, typed, views)
      const bound = nodes.flatMap((node, index) => boundOf(gpu, node, index, views, memory, slots))
      const commands = await CommandList.create(gpu, bound, {
        warm: true,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onProgress: (done, all) => onProgress({ stage: 'compile', done, total: all }) }),
      })
      return new Execution({ gpu, typed, nodes, commands, slots, views, weights, held })
    } catch (error) {
      for (const slot of slots) gpu.pool.release(slot)
      slots = []
      for (const values of held) weights.release(values)
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
    const reads: { name: string; pending: PendingRead }[] = []
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

    const finished = Promise.all(reads.map(async ({ name, pending }) => [name, await pending.finish()] as const))
    const arrived = new Map(await abortable(gpu.faults.guard(finished), signal))
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
    for (const values of this.#held) this.#weights.release(values)
  }

  /** Puts an input into its slot, in the dtype that the plan stores. */
  async #write(name: string, tensor: Tensor): Promise<void> {
    const view = this.#views.get(name)
    if (view === undefined || this.#typed.known.has(name)) return
    const { device } = this.#gpu
    if (tensor instanceof HostTensor) {
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

  #encodeReads(encoder: GPUCommandEncoder, wanted: ReadonlyMap<string, DType>): { name: string; pending: PendingRead }[] {
    const { device, staging } = this.#gpu
    const reads: { name: string; pending: PendingRead }[] = []
    for (const name of wanted.keys()) {
      const view = this.#views.get(name)
      if (view === undefined || this.#typed.known.has(name)) continue
      // Of many values, each is read by itself: their staging buffers would not all fit.
      const pending = wanted.size > 8 ? { finish: () => readTensor(device, staging, view, view.segments) } : undefined
      reads.push({ name, pending: pending ?? encodeRead(encoder, device, staging, view, view.segments) })
    }
    return reads
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

function aliasesOf(nodes: readonly PlannedNode[]): Map<string, string> {
  const aliases = new Map<string, string>()
  for (const item of nodes) {
    if (item.plan.alias === undefined) continue
    const source = item.node.inputs[item.plan.alias]
    if (source === undefined || source === null) throw new OptionError('An alias of no input', { node: item.node.name, op: item.node.op })
    aliases.set(outputName(item, 0), source)
  }
  return aliases
}

/** Names of the values that a node's dispatches bind as inputs. */
function readsOf({ node, plan }: PlannedNode): string[] {
  const names = new Set<string>()
  for (const { bind } of plan.dispatches) {
    for (const { kind, index } of bind) {
      const name = kind === 'input' ? node.inputs[index] : undefined
      if (name !== undefined && name !== null) names.add(name)
    }
  }
  return [...names]
}

function memoryFor(
  typed: TypedGraph,
  nodes: readonly PlannedNode[],
  aliases: ReadonlyMap<string, string>,
  keep: 'outputs' | 'all',
): MemoryPlan {
  const kept = new Set(typed.outputs)
  if (keep === 'all') for (const item of nodes) item.context.outputs.forEach((_, index) => kept.add(outputName(item, index)))
  const needed = new Set([...kept, ...nodes.flatMap(readsOf)].map((name) => rootOf(name, aliases)))
  return planMemory({
    inputs: typed.inputs
      .filter(({ name }) => needed.has(name) && !typed.known.has(name))
      .map(({ name, ...type }) => ({ name, bytes: tensorBytes(type) })),
    steps: nodes.map((item) => ({
      reads: readsOf(item),
      writes:
        item.plan.alias === undefined
          ? item.context.outputs.map((type, index) => ({ name: outputName(item, index), bytes: tensorBytes(type) }))
          : [],
      temps: item.plan.temps.map(tensorBytes),
    })),
    aliases,
    kept,
  })
}

function viewsOf(gpu: Gpu, typed: TypedGraph, memory: MemoryPlan, slots: readonly Allocation[]): Map<string, TensorView> {
  const views = new Map<string, TensorView>()
  for (const [name, slot] of memory.slotOf) {
    const type = typed.types.get(name)
    const allocation = slots[slot]
    if (type !== undefined && allocation !== undefined) views.set(name, viewOf(gpu, type, allocation))
  }
  return views
}

function viewOf(gpu: Gpu, { dtype, shape }: TensorType, allocation: Allocation): TensorView {
  return { dtype, shape, segments: segmentsOf(allocation, tensorBytes({ dtype, shape }), segmentBytes(gpu.facts.limits)) }
}

/** Names of the known values that dispatches bind. */
function constantsOf(typed: TypedGraph, nodes: readonly PlannedNode[], aliases: ReadonlyMap<string, string>): string[] {
  const names = new Set(nodes.flatMap(readsOf).map((name) => rootOf(name, aliases)))
  return [...names].filter((name) => typed.known.has(name))
}

/** Gives an alias of a constant its view (aliases of other values have theirs from the memory plan). */
function viewAlias(alias: string, aliases: ReadonlyMap<string, string>, typed: TypedGraph, views: Map<string, TensorView>): void {
  const type = typed.types.get(alias)
  const root = views.get(rootOf(alias, aliases))
  if (type === undefined || root === undefined || views.has(alias)) return
  views.set(alias, { dtype: type.dtype, shape: type.shape, segments: root.segments })
}

function boundOf(
  gpu: Gpu,
  item: PlannedNode,
  step: number,
  views: ReadonlyMap<string, TensorView>,
  memory: MemoryPlan,
  slots: readonly Allocation[],
): BoundDispatch[] {
  const { node, plan, context } = item
  const where: ErrorDetails = { node: node.name, op: node.op }
  const temps = plan.temps.map((type, index) => {
    const allocation = slots[memory.temps[step]?.[index] ?? -1]
    if (allocation === undefined) throw new OptionError(`Temp ${index} has no memory`, where)
    return viewOf(gpu, type, allocation)
  })
  const outputs = context.outputs.map((type, index) => {
    const slot = memory.slotOf.get(outputName(item, index))
    const allocation = slot === undefined ? undefined : slots[slot]
    return allocation === undefined ? undefined : viewOf(gpu, type, allocation)
  })
  const resolve = ({ kind, index }: TensorRef): TensorView => {
    const name = kind === 'input' ? node.inputs[index] : undefined
    const view = kind === 'temp' ? temps[index] : kind === 'output' ? outputs[index] : views.get(name ?? '')
    if (view === undefined) throw new OptionError(`${kind} ${index} has no memory`, where)
    return view
  }
  return plan.dispatches.map((dispatch) => ({ dispatch, tensors: dispatch.bind.map(resolve), label: node.name }))
}
