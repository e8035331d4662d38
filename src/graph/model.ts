/**
 * A model: a graph on a GPU. It compiles a plan for each set of input shapes it is fed and keeps the last few.
 *
 *   using model = await compile(gpu, graph)
 *   const { logits } = await model.run({ input: tensor(pixels, [1, 3, 224, 224]) })
 *
 * Outputs are host tensors by default, copied out as the run ends: a later run cannot change them and nothing leaks when they are
 * not disposed of. `to: 'device'` returns device tensors of their own, which the caller disposes of.
 */
import { DeviceLimitError, DisposedError, DtypeError, OptionError, ShapeError, TilewrightError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { DType } from '../tensor/dtype.ts'
import { isHostTensor } from '../ops/run.ts'
import type { ModelProfileOptions } from '../profile/options.ts'
import type { ProfileReport } from '../profile/report.ts'
import { formatShape, type Shape } from '../tensor/shape.ts'
import { HostTensor, type Tensor, type TensorType } from '../tensor/tensor.ts'
import { checkCompileOptions, type CheckedOptions, type CompileOptions } from './compile-options.ts'
import { Execution } from './execution.ts'
import type { Graph, GraphInput } from './graph.ts'
import { checkGraph, fedInputs, resolveInputs, typeGraph, type Folds, type TypedGraph } from './passes.ts'
import { planNodes, type PlannedNode } from './planning.ts'
import { runningGraph } from './running.ts'
import { sparseGraph } from './sparsity.ts'
import { Weights } from './weights.ts'

export type { CompileOptions, Precision } from './compile-options.ts'
export type { CompileProgress } from './execution.ts'
export type { PlannedNode, PlanNode } from './planning.ts'

export interface RunOptions {
  readonly signal?: AbortSignal
  /** Where outputs lie (default host). */
  readonly to?: 'host' | 'device'
}

/** An output as far as it is known before a run: symbolic dimensions are strings, `?` where no rule gives them. */
export interface ModelOutput {
  readonly name: string
  readonly dtype?: DType
  readonly shape?: readonly (number | string)[]
}

/**
 * Makes a graph ready to run on a GPU. Where all input shapes are fixed, this chooses kernels, uploads weights and compiles; else
 * that happens when a run first brings the shapes.
 * @throws OptionError for options that do not fit; UnsupportedOpError listing nodes that cannot run; ShapeError, DtypeError,
 * DeviceLimitError naming the node; the signal's reason
 */
export async function compile(gpu: Gpu, graph: Graph, options: CompileOptions = {}): Promise<Model> {
  const checked = checkCompileOptions(options, gpu.facts)
  options.signal?.throwIfAborted()
  checkGraph(graph, options.ops)
  const model = new Model(gpu, options.sparsity === '2:4' ? (await sparseGraph(graph)).graph : graph, checked)
  try {
    await model.prepare()
    return model
  } catch (error) {
    model.dispose()
    throw error
  }
}

/** Profiling lies above the graph; src/profile/profile.ts says here how `model.profile` is done. */
export type Profiler = (
  model: Model,
  inputs: Readonly<Record<string, Tensor>>,
  options: ModelProfileOptions,
) => Promise<ProfileReport>

let profiler: Profiler | undefined

export function setProfiler(given: Profiler): void {
  profiler = given
}

interface Fed {
  readonly types: ReadonlyMap<string, TensorType>
  /** Values that shape the plan. */
  readonly values: ReadonlyMap<string, HostTensor>
}

interface KeptPlan {
  readonly execution: Execution
  readonly typed: TypedGraph
}

export class Model {
  readonly gpu: Gpu
  readonly graph: Graph
  readonly precision: 'f32' | 'f16'
  readonly inputs: readonly GraphInput[]
  readonly #options: CompileOptions
  readonly #most: number
  readonly #fed: ReadonlySet<string>
  readonly #weights: Weights
  readonly #plans = new Map<string, KeptPlan>()
  readonly #folds: Folds = new Map()
  readonly #forget: () => void
  readonly #symbols: readonly string[]
  #outputs: readonly ModelOutput[] | undefined
  #busy = 0
  #disposed = false

  /** Use `compile`. */
  constructor(gpu: Gpu, graph: Graph, options: CheckedOptions) {
    this.gpu = gpu
    this.graph = graph
    this.precision = options.precision
    this.inputs = graph.inputs
    this.#options = options
    this.#most = options.plans
    this.#fed = fedInputs(graph, options.ops)
    this.#weights = new Weights(gpu)
    this.#symbols = [...new Set(graph.inputs.flatMap(({ shape }) => shape.filter((extent) => typeof extent === 'string')))]
    this.#forget = gpu.onDispose(() => this.dispose())
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Outputs, with dtype and shape as far as they follow from the inputs' (symbolic dimensions as strings). */
  get outputs(): readonly ModelOutput[] {
    return (this.#outputs ??= this.#inferOutputs())
  }

  /** Compiles now where input shapes are fixed; `compile` calls this. */
  async prepare(): Promise<void> {
    if (this.#symbols.length > 0 || this.#fed.size > 0) return
    const types = new Map(this.inputs.map(({ name, dtype, shape }) => [name, { dtype, shape: shape as Shape }]))
    const { signal } = this.#options
    await this.#alone(() => this.#planFor({ types, values: new Map() }, 'outputs', signal), signal)
  }

  /**
   * Runs the model. Concurrent calls queue.
   * @param inputs by name, host or device tensors
   * @throws OptionError, DtypeError, ShapeError for inputs that are not what the model takes; DeviceLostError, DisposedError, the
   * signal's reason
   */
  async run(inputs: Readonly<Record<string, Tensor>>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const given = this.#check(inputs)
    const fed = await this.#feed(given)
    const results = await this.#alone(async () => {
      const { execution, typed } = await this.#planFor(fed, 'outputs', options.signal)
      const wanted = new Map(this.graph.outputs.map((name) => [name, this.#outer(typed, name)]))
      return execution.run(given, wanted, options)
    }, options.signal)
    return Object.fromEntries(results)
  }

  /**
   * Profiles the model as accelerator dataflows: every layer that is a loop nest under each dataflow asked for, fed the activations
   * that follow from `inputs`, verified against the CPU reference, timed, counted and set beside its prediction.
   * @throws as `run`; OptionError for an unknown dataflow or hardware
   */
  async profile(inputs: Readonly<Record<string, Tensor>>, options: ModelProfileOptions = {}): Promise<ProfileReport> {
    this.#check(inputs)
    if (profiler === undefined)
      throw new OptionError('Profiling is not loaded', { remedy: 'Import tilewright, or src/profile/profile.ts' })
    return profiler(this, inputs, options)
  }

  /**
   * Runs the model and returns every value that its nodes compute, by name, as stored (f16 in precision f16), with those that were
   * folded to constants. Takes memory for all of them at once; for verification.
   */
  async runAll(
    inputs: Readonly<Record<string, Tensor>>,
    options: Pick<RunOptions, 'signal'> = {},
  ): Promise<Record<string, HostTensor>> {
    const given = this.#check(inputs)
    const fed = await this.#feed(given)
    const results = await this.#alone(async () => {
      const { execution, typed } = await this.#planFor(fed, 'all', options.signal)
      const names = this.graph.nodes.flatMap((node) => node.outputs).filter((name) => typed.types.has(name))
      const wanted = new Map(names.map((name) => [name, typed.types.get(name)?.dtype ?? 'f32']))
      return execution.run(given, wanted, options)
    }, options.signal)
    const onHost = [...results].filter((entry): entry is [string, HostTensor] => entry[1] instanceof HostTensor)
    return Object.fromEntries(onHost)
  }

  /** Nodes as they run for inputs of these shapes (default: the model's own, where they are fixed): types, kernels and reasons. */
  plan(shapes?: Readonly<Record<string, Shape>>): PlannedNode[] {
    const given = new Map(this.inputs.map(({ name, shape }) => [name, shapes?.[name] ?? (shape as Shape)]))
    const typed = this.#type({ types: resolveInputs(this.inputs, given), values: new Map() }, 'outputs')
    return planNodes(typed, this.gpu.facts, this.#options.planNode)
  }

  /** Frees the model's memory, after the run that is under way. Runs that have not begun get a DisposedError. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#forget()
    if (this.#busy === 0) this.#free()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #free(): void {
    for (const { execution } of this.#plans.values()) execution.dispose()
    this.#plans.clear()
  }

  /** Runs `task` alone on the Gpu; memory is freed after it where the model was disposed of meanwhile. */
  async #alone<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#alive()
    this.#busy++
    try {
      return await this.gpu.exclusive(async () => {
        this.#alive()
        return task()
      }, signal)
    } finally {
      this.#busy--
      if (this.#disposed && this.#busy === 0) this.#free()
    }
  }

  #alive(): void {
    if (this.#disposed) throw new DisposedError(`The model ${this.graph.name} was disposed`)
  }

  #type(fed: Fed, keep: 'outputs' | 'all'): TypedGraph {
    const { ops, planNode, layout, sparsity } = this.#options
    const { typed, running } = runningGraph(this.graph, fed, {
      ...{ precision: this.precision, device: this.gpu.facts, planNode, layout, sparsity, keep, folds: this.#folds },
      ...(ops === undefined ? {} : { ops }),
    })
    if (this.#symbols.length === 0 && fed.values.size === 0) this.#outputs ??= outputsOf(typed, typed, [])
    return running
  }

  async #planFor(fed: Fed, keep: 'outputs' | 'all', signal?: AbortSignal): Promise<KeptPlan> {
    const key = keyOf(fed, keep)
    const known = this.#plans.get(key)
    if (known !== undefined) {
      this.#plans.delete(key)
      this.#plans.set(key, known)
      return known
    }
    const typed = this.#type(fed, keep)
    const nodes = planNodes(typed, this.gpu.facts, this.#options.planNode)
    // Kept plans make room where memory is short: then once more without them.
    const create = (): Promise<Execution> => {
      const { onProgress } = this.#options
      return Execution.create(this.gpu, typed, nodes, this.#weights, {
        keep,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onProgress }),
      })
    }
    let execution: Execution
    try {
      execution = await create()
    } catch (error) {
      if (!(error instanceof DeviceLimitError) || this.#plans.size === 0) throw error
      this.#free()
      this.gpu.pool.trim()
      execution = await create()
    }
    const made = { execution, typed }
    this.#plans.set(key, made)
    for (const [oldest, plan] of this.#plans) {
      if (this.#plans.size <= this.#most) break
      this.#plans.delete(oldest)
      plan.execution.dispose()
    }
    return made
  }

  /** The dtype in which callers get a value: f16 that stands for f32 comes back as f32. */
  #outer(typed: TypedGraph, name: string): DType {
    const dtype = typed.types.get(name)?.dtype ?? 'f32'
    const declared = this.outputs.find((output) => output.name === name)?.dtype
    return this.precision === 'f16' && dtype === 'f16' ? (declared ?? 'f32') : dtype
  }

  #check(inputs: Readonly<Record<string, Tensor>>): Map<string, Tensor> {
    this.#alive()
    const takes = this.inputs.map(({ name, dtype, shape }) => `${name} ${dtype} ${formatShape(shape)}`).join(', ')
    const remedy = `The model takes ${takes}`
    const names = new Set(this.inputs.map(({ name }) => name))
    for (const name of Object.keys(inputs)) {
      if (!names.has(name)) throw new OptionError(`The model has no input ${name}`, { remedy })
    }
    const given = new Map<string, Tensor>()
    for (const { name, dtype, shape } of this.inputs) {
      const tensor = inputs[name]
      if (tensor === undefined) throw new OptionError(`Input ${name} is missing`, { remedy })
      if (tensor.dtype !== dtype)
        throw new DtypeError(`Input ${name} is ${tensor.dtype}, not ${dtype}`, { dtype: tensor.dtype, remedy })
      if (tensor.shape.length !== shape.length) {
        throw new ShapeError(`Input ${name} has rank ${tensor.shape.length}, not ${shape.length}`, { shape: tensor.shape, remedy })
      }
      given.set(name, tensor)
    }
    resolveInputs(this.inputs, new Map([...given].map(([name, tensor]) => [name, tensor.shape])))
    return given
  }

  async #feed(given: ReadonlyMap<string, Tensor>): Promise<Fed> {
    const types = new Map([...given].map(([name, { dtype, shape }]) => [name, { dtype, shape }]))
    const values = new Map<string, HostTensor>()
    for (const name of this.#fed) {
      const tensor = given.get(name)
      if (tensor === undefined) continue
      values.set(name, isHostTensor(tensor) ? tensor : new HostTensor(tensor.dtype, tensor.shape, await tensor.data()))
    }
    return { types, values }
  }

  /** Types of outputs from two trials with different extents for each symbol: what changes as a symbol does is that symbol. */
  #inferOutputs(): ModelOutput[] {
    const [first, second] = [2, 3].map((extent) =>
      this.#try(new Map(this.#symbols.map((symbol, index) => [symbol, extent + 2 * index]))),
    )
    if (first === undefined || second === undefined) return this.graph.outputs.map((name) => ({ name }))
    return outputsOf(first, second, this.#symbols)
  }

  #try(extents: ReadonlyMap<string, number>): TypedGraph | undefined {
    const types = new Map(
      this.inputs.map(({ name, dtype, shape }) => {
        return [name, { dtype, shape: shape.map((extent) => (typeof extent === 'string' ? (extents.get(extent) ?? 1) : extent)) }]
      }),
    )
    try {
      return typeGraph(this.graph, types, new Map(), {
        folds: this.#folds,
        ...(this.#options.ops === undefined ? {} : { ops: this.#options.ops }),
      })
    } catch (error) {
      // A trial extent may break a rule that real ones keep; then nothing is known before the first run.
      if (error instanceof TilewrightError) return undefined
      throw error
    }
  }
}

/** Outputs as two trials saw them, in which symbol i was 2 + 2i and 3 + 2i. */
function outputsOf(first: TypedGraph, second: TypedGraph, symbols: readonly string[]): ModelOutput[] {
  return first.outputs.map((name): ModelOutput => {
    const a = first.types.get(name)
    const b = second.types.get(name)
    if (a === undefined || b === undefined) return { name }
    const shape = a.shape.map((extent, axis) => {
      if (extent === b.shape[axis]) return extent
      const index = symbols.findIndex((_, position) => extent === 2 + 2 * position && b.shape[axis] === 3 + 2 * position)
      return symbols[index] ?? '?'
    })
    return { name, dtype: a.dtype, shape }
  })
}

function keyOf({ types, values }: Fed, keep: string): string {
  const shapes = [...types].map(([name, { shape }]) => `${name}:${shape.join('x')}`)
  const fed = [...values].map(([name, { values: list }]) => `${name}=${Array.from(list, String).join(',')}`)
  return [keep, ...shapes, ...fed].join(';')
}
