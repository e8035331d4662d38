/** What every row of a profile does with a plan: run it, verify it against the reference, time it, read its counters. */
import { DeviceLimitError, DeviceValidationError, DtypeError, MappingError } from '../errors.ts'
import type { BoundDispatch } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { readied, type OpPlan, type TensorRef } from '../gpu/program.ts'
import { timeDispatches } from '../gpu/timer.ts'
import type { ConvolutionNode } from '../ops/conv2d/nodes.ts'
import { prepare, runPlan, withZeros } from '../ops/run.ts'
import { compare, type Comparison } from '../ops/tolerance.ts'
import { macsOf } from '../schedule/problem.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import type { ReferenceOutput } from '../ops/op.ts'
import type { Layer } from './layers.ts'
import type { Clock, DataflowReport, PeaksReport } from './report.ts'
import type { Work } from './roofline-row.ts'

export interface RowContext {
  readonly gpu: Gpu
  readonly layer: Layer
  readonly onX: DeviceTensor
  readonly onW: DeviceTensor
  readonly samples: number
  /** Of a convolution: as it runs in the model. */
  readonly running?: ConvolutionNode
  /** Peaks of the device, where they were measured. */
  readonly peaks?: PeaksReport
  readonly phase: (phase: 'map' | 'verify' | 'time' | 'count') => void
  readonly signal?: AbortSignal
}

export interface Row {
  readonly report: DataflowReport
  readonly clock?: Clock
  /** Where it is not that of the layer as a convolution. */
  readonly work?: Work
}

/** What a plan is run on, and what must come out. */
export interface Subject {
  readonly inputs: readonly (DeviceTensor | null)[]
  readonly type: TensorType
  readonly reference: ReferenceOutput
  readonly operations: number
  /** The result as the reference lies, where the kernel's lies otherwise. */
  restored?(result: HostTensor): HostTensor
}

/** The layer as a convolution, without bias. */
export function layerSubject({ layer, onX, onW }: RowContext): Subject {
  return {
    inputs: [onX, onW, null],
    type: outputType(layer),
    get reference() {
      return layer.reference
    },
    operations: 2 * macsOf(layer.problem),
  }
}

/** What the adapter or the dataflow cannot take comes back as `skipped`, with why. */
export async function orSkipped(run: () => Promise<Row>): Promise<Row> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof DeviceValidationError) {
      // A kernel that the device refuses is a fault, and a row that failed; the other rows still stand.
      return { report: { verified: false, notes: [`${error.name}: ${error.message}`] } }
    }
    if (error instanceof MappingError || error instanceof DeviceLimitError || error instanceof DtypeError) {
      return { report: { skipped: `${error.name}: ${error.message}` } }
    }
    throw error
  }
}

export interface Measured {
  readonly result: HostTensor
  readonly check: Comparison
  readonly clock: Clock
  readonly figures: Pick<DataflowReport, 'time_ms' | 'samples_ms' | 'gflops'>
}

/** The first run is the warm-up (it compiles) and the one that is verified; samples follow. */
export async function verifyAndTime(
  context: RowContext,
  plan: OpPlan,
  subject: Subject = layerSubject(context),
): Promise<Measured> {
  const { gpu, layer, samples, phase, signal } = context
  const { inputs, type, operations } = subject
  phase('verify')
  const signalled = signal === undefined ? {} : { signal }
  // Made once, as a model makes it at load: its time is not the layer's.
  const prepared = await prepare(gpu, plan, inputs)
  const ready = readied(plan, inputs.length)
  const bindings = [...inputs, ...prepared]
  const temps: DeviceTensor[] = []
  try {
    const started = performance.now()
    const [result] = await runPlan(gpu, ready, bindings, [type], signalled)
    if (result === undefined) throw new MappingError('The kernel gave no result')
    using y = result
    const values = await y.data()
    const warm_ms = performance.now() - started
    const given = new HostTensor(type.dtype, type.shape, values)
    const host = subject.restored?.(given) ?? given
    const check = compare(host, subject.reference)

    phase('time')
    for (const temp of ready.temps) temps.push(gpu.allocate(temp))
    const bound = boundDispatches(ready, { inputs: bindings, outputs: [y], temps }, layer.name)
    const timing = await timeDispatches(gpu, bound, { warmups: 0, samples: samplesFor(gpu, samples, warm_ms), ...signalled })
    const time_ms = median(timing.samples_ms)
    return {
      result: host,
      check,
      clock: { source: timing.source, quantum_ns: timing.quantum_ns },
      figures: { time_ms, samples_ms: timing.samples_ms, gflops: operations / time_ms / 1e6 },
    }
  } finally {
    for (const made of [...temps, ...prepared]) made.dispose()
  }
}

/** The dispatches of a plan, its preparations made (`readied`), with memory for each operand. @throws MappingError where the plan binds a tensor that is not given */
export function boundDispatches(
  plan: OpPlan,
  tensors: {
    readonly inputs: readonly (DeviceTensor | null)[]
    readonly outputs: readonly DeviceTensor[]
    readonly temps: readonly DeviceTensor[]
  },
  label: string,
): BoundDispatch[] {
  const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
    const { inputs, outputs, temps } = tensors
    const tensor = { input: inputs, output: outputs, temp: temps, prepared: [] }[kind][index]
    if (tensor === undefined || tensor === null) throw new MappingError(`The kernel binds ${kind} ${index}, which a layer has not`)
    return tensor
  }
  return withZeros(plan).dispatches.map((dispatch) => ({ dispatch, tensors: dispatch.bind.map(tensorAt), label }))
}

/** A software adapter takes one sample of a slow row: the figure ranks nothing there, and a person waits. */
function samplesFor(gpu: Gpu, samples: number, warm_ms: number): number {
  if (!gpu.facts.software) return samples
  return Math.min(samples, warm_ms > 700 ? 1 : warm_ms > 300 ? 2 : 3)
}

/** Runs a counted build: its result, and the u32 words of its counters. */
export async function runCounted(
  { gpu, layer, onX, onW, signal }: RowContext,
  plan: OpPlan,
  words: number,
): Promise<{ y: HostTensor; counters: Uint32Array }> {
  const type = outputType(layer)
  const outputs = [type, { dtype: 'u32', shape: [words] } as const]
  const results = await runPlan(gpu, plan, [onX, onW], outputs, signal === undefined ? {} : { signal })
  try {
    const [values, counters] = await Promise.all(results.map((result) => result.data()))
    if (values === undefined || !(counters instanceof Uint32Array)) throw new MappingError('The counted build gave no counters')
    return { y: new HostTensor(type.dtype, type.shape, values), counters }
  } finally {
    for (const result of results) result.dispose()
  }
}

/** The worst of several comparisons with the reference. */
export function worse(...checks: readonly Comparison[]): Pick<DataflowReport, 'verified' | 'max_error' | 'max_error_ratio'> {
  return {
    verified: checks.every(({ ok }) => ok),
    max_error: Math.max(...checks.map(({ maxAbs }) => maxAbs)),
    max_error_ratio: Math.max(...checks.map(({ maxRatio }) => maxRatio)),
  }
}

export function outputType({ problem, x }: Layer): TensorType {
  return { dtype: x.dtype, shape: [problem.N, problem.groups * problem.M, problem.P, problem.Q] }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}
