/**
 * A list of dispatches made ready to run again and again: pipelines compiled, params of all launches in one uniform buffer, bind
 * groups built. Encoding it then makes nothing new.
 */
import { DeviceValidationError } from '../errors.ts'
import type { TensorType } from '../tensor/tensor.ts'
import { scoped, type Faults } from './faults.ts'
import { BUFFER_USAGE } from './flags.ts'
import { launchesOf, packParams, type Launch } from './launch.ts'
import type { Pipeline, PipelineCache } from './pipelines.ts'
import type { Segment } from './pool.ts'
import { assemble, type Assembled } from './assemble.ts'
import { segmentBytes, type DeviceFacts, type DispatchPlan } from './program.ts'

/** A tensor's type and where it lies: a DeviceTensor, or a part of a memory plan. */
export interface TensorView extends TensorType {
  readonly segments: readonly Segment[]
}

/** A dispatch with memory for each of its operands. */
export interface BoundDispatch {
  readonly dispatch: DispatchPlan
  readonly tensors: readonly TensorView[]
  /** What labels and errors show besides the program's name: a node. */
  readonly label?: string
}

/** What a command list needs of a Gpu. */
export interface CommandHost {
  readonly device: GPUDevice
  readonly facts: DeviceFacts
  readonly pipelines: PipelineCache
  readonly faults: Faults
}

export interface PrepareOptions {
  /** Runs each new pipeline once on no workgroups, since drivers finish compiling at the first dispatch: progress is then true. */
  readonly warm?: boolean
  /** Called as dispatches become ready to run. */
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

interface Step {
  readonly pipeline: GPUComputePipeline
  readonly group: GPUBindGroup
  /** Byte offset of the launch's params. */
  readonly offset: readonly [number]
  readonly launch: Launch
  readonly dispatch: number
}

export class CommandList {
  readonly #steps: readonly Step[]
  readonly #params: GPUBuffer

  private constructor(steps: readonly Step[], params: GPUBuffer) {
    this.#steps = steps
    this.#params = params
  }

  /**
   * Compiles and binds. Pipelines compile side by side, equal ones once.
   * @throws DeviceValidationError, DeviceLimitError, DeviceLostError, the signal's reason.
   */
  static async create(host: CommandHost, bound: readonly BoundDispatch[], options: PrepareOptions = {}): Promise<CommandList> {
    const { device, facts } = host
    const assembled = bound.map((item) => assembleBound(item, facts))
    const pipelines = await host.faults.guard(compileAll(host.pipelines, bound, assembled, options))
    options.signal?.throwIfAborted()

    const alignment = Math.max(16, device.limits.minUniformBufferOffsetAlignment)
    const launches = bound.flatMap(({ dispatch }, index) => launchesOf(dispatch, facts).map((launch) => ({ launch, index })))
    const blocks = launches.map(({ launch, index }) => {
      const { dispatch } = bound[index]!
      return packParams(dispatch.program, dispatch.params, launch.first, launch.end)
    })
    const offsets: number[] = []
    let end = 0
    for (const block of blocks) {
      offsets.push(end)
      end += Math.ceil(block.length / alignment) * alignment
    }
    // A last block of zeros: params of a launch of no workgroups.
    const none = end
    end +=
      Math.ceil((4 * (2 + Math.max(0, ...bound.map(({ dispatch }) => Object.keys(dispatch.program.params).length)))) / alignment) *
      alignment
    const bytes = new Uint8Array(end)
    blocks.forEach((block, index) => bytes.set(block, offsets[index]))

    const list = await host.faults.guard(
      scoped(device, { op: 'bind groups' }, () => {
        const params = device.createBuffer({
          size: bytes.length,
          usage: BUFFER_USAGE.uniform | BUFFER_USAGE.copyTarget,
          label: 'params',
        })
        device.queue.writeBuffer(params, 0, bytes)
        const groups = bound.map((item, index) => bindGroup(device, item, assembled[index]!, pipelines[index]!, params))
        const steps = launches.map(({ launch, index }, step): Step => {
          return { pipeline: pipelines[index]!.pipeline, group: groups[index]!, offset: [offsets[step]!], launch, dispatch: index }
        })
        return { commands: new CommandList(steps, params), groups }
      }),
    )
    try {
      await warmUp(host, pipelines, list.groups, none, options)
    } catch (error) {
      list.commands.dispose()
      throw error
    }
    return list.commands
  }

  /** Launches in all. */
  get length(): number {
    return this.#steps.length
  }

  /** Encodes launches `from` … `to − 1`. */
  encode(pass: GPUComputePassEncoder, from = 0, to = this.#steps.length): void {
    for (let index = from; index < to; index++) {
      const step = this.#steps[index]!
      const [x, y, z] = step.launch.grid
      pass.setPipeline(step.pipeline)
      pass.setBindGroup(0, step.group, step.offset)
      pass.dispatchWorkgroups(x, y, z)
    }
  }

  /** The launches of dispatch `dispatch`, as a range for `encode`. */
  rangeOf(dispatch: number): [from: number, to: number] {
    const from = this.#steps.findIndex((step) => step.dispatch === dispatch)
    if (from < 0) return [0, 0]
    let to = from
    while (this.#steps[to]?.dispatch === dispatch) to++
    return [from, to]
  }

  /** Ranges of launches of at most about `seconds` each: where a run that can be stopped looks at its signal. */
  batches(seconds: number): [from: number, to: number][] {
    const ranges: [number, number][] = []
    let from = 0
    let sum = 0
    this.#steps.forEach(({ launch }, index) => {
      if (index > from && sum + launch.seconds > seconds) {
        ranges.push([from, index])
        from = index
        sum = 0
      }
      sum += launch.seconds
    })
    if (from < this.#steps.length) ranges.push([from, this.#steps.length])
    return ranges
  }

  dispose(): void {
    this.#params.destroy()
  }
}

function assembleBound({ dispatch, tensors, label }: BoundDispatch, facts: DeviceFacts): Assembled {
  const assembled = assemble(
    dispatch.program,
    tensors.map((tensor) => tensor.segments.length),
    segmentBytes(facts.limits),
    facts,
  )
  const written = new Set<GPUBuffer>()
  const read = new Set<GPUBuffer>()
  for (const { operand, segment, readOnly } of assembled.bindings) {
    const buffer = tensors[operand]?.segments[segment]?.buffer
    if (buffer === undefined) throw new DeviceValidationError('An operand has no memory', { op: dispatch.program.name, operand })
    ;(readOnly ? read : written).add(buffer)
  }
  for (const buffer of written) {
    if (!read.has(buffer)) continue
    throw new DeviceValidationError('A dispatch reads and writes one buffer', {
      ...(label === undefined ? {} : { node: label }),
      op: dispatch.program.name,
      remedy: 'Bind it once, as read_write, or copy it first',
    })
  }
  return assembled
}

async function compileAll(
  cache: PipelineCache,
  bound: readonly BoundDispatch[],
  assembled: readonly Assembled[],
  { signal }: PrepareOptions,
): Promise<Pipeline[]> {
  signal?.throwIfAborted()
  return Promise.all(bound.map(({ dispatch }, index) => cache.get(dispatch.program.name, assembled[index]!)))
}

/** Pipelines that ran once. */
const warmed = new WeakSet<GPUComputePipeline>()

async function warmUp(
  { device, faults }: CommandHost,
  pipelines: readonly Pipeline[],
  groups: readonly GPUBindGroup[],
  none: number,
  { warm, onProgress, signal }: PrepareOptions,
): Promise<void> {
  for (const [index, { pipeline }] of pipelines.entries()) {
    if (warm === true && !warmed.has(pipeline)) {
      signal?.throwIfAborted()
      const encoder = device.createCommandEncoder({ label: 'warm up' })
      const pass = encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, groups[index], [none])
      pass.dispatchWorkgroups(1)
      pass.end()
      device.queue.submit([encoder.finish()])
      await faults.guard(device.queue.onSubmittedWorkDone())
      warmed.add(pipeline)
    }
    onProgress?.(index + 1, pipelines.length)
  }
}

function bindGroup(
  device: GPUDevice,
  { dispatch, tensors, label }: BoundDispatch,
  assembled: Assembled,
  { layout }: Pipeline,
  params: GPUBuffer,
): GPUBindGroup {
  const size = (Object.keys(dispatch.program.params).length + 2) * 4
  return device.createBindGroup({
    label: label === undefined ? dispatch.program.name : `${label}: ${dispatch.program.name}`,
    layout,
    entries: [
      { binding: 0, resource: { buffer: params, offset: 0, size } },
      ...assembled.bindings.map(({ operand, segment }, index): GPUBindGroupEntry => {
        const { buffer, offset, size: bytes } = tensors[operand]!.segments[segment]!
        return { binding: index + 1, resource: { buffer, offset, size: bytes } }
      }),
    ],
  })
}
