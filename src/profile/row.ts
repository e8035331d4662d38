/** One row of a profile: a layer under a dataflow, mapped, run, verified, timed and counted. */
import { evaluate } from '../cost/evaluate.ts'
import type { Issued } from '../cost/evaluation.ts'
import { DeviceLimitError, DeviceValidationError, DtypeError, MappingError } from '../errors.ts'
import type { BoundDispatch } from '../gpu/commands.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { OpPlan, TensorRef } from '../gpu/program.ts'
import { timeDispatches } from '../gpu/timer.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { dispatchesOf, runPlan } from '../ops/run.ts'
import { compare, type Comparison } from '../ops/tolerance.ts'
import type { Dataflow } from '../schedule/dataflow.ts'
import { mapForGpu } from '../schedule/gpu-mapping.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { differences, readCounters } from '../schedule/lowering/counters.ts'
import { predictIssued } from '../schedule/lowering/issued.ts'
import { COUNTERS, lower } from '../schedule/lowering/lower.ts'
import { macsOf } from '../schedule/problem.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import { convolutionAttributes, type Layer } from './layers.ts'
import type { Clock, DataflowReport } from './report.ts'

export interface RowContext {
  readonly gpu: Gpu
  readonly layer: Layer
  readonly onX: DeviceTensor
  readonly onW: DeviceTensor
  readonly samples: number
  readonly phase: (phase: 'map' | 'verify' | 'time' | 'count') => void
  readonly signal?: AbortSignal
}

export interface Row {
  readonly report: DataflowReport
  readonly clock?: Clock
}

/** Runs a layer under a dataflow. What the adapter or the dataflow cannot take comes back as `skipped`, with why. */
export async function runDataflow(context: RowContext, dataflow: Dataflow, hardware: Hardware): Promise<Row> {
  return orSkipped(async () => {
    const { gpu, layer, onX, onW, phase, signal } = context
    phase('map')
    const input = { rows: layer.x.shape[2] ?? 1, columns: layer.x.shape[3] ?? 1 }
    const found = mapForGpu(layer.problem, dataflow, hardware, gpu.facts, input, signal === undefined ? {} : { signal })
    const lowered = (build: 'fast' | 'counted') => lower(layer.problem, found.mapping, gpu.facts, build, layer, input)
    const fast = lowered('fast')
    const measured = await verifyAndTime(context, fast.plan)

    phase('count')
    const counted = await count(gpu, lowered('counted').plan, [onX, onW], outputType(layer), signal)
    const countedCheck = compare(counted.y, layer.reference)
    const issued = predictIssued(fast.nest, input)
    const wrong = differences(issued, counted.issued)
    const predicted = { ...evaluate(layer.problem, found.hardware, found.mapping), issued }
    return {
      clock: measured.clock,
      report: {
        mapping: found.mapping,
        predicted,
        counted: counted.issued,
        counted_equal: wrong.length === 0,
        ...measured.figures,
        ...worse(measured.check, countedCheck),
        notes: [fast.plan.reason, searchedNote(found.searched), ...found.notes, ...wrong],
      },
    }
  })
}

/** Runs a layer with its op's default kernel. */
export async function runFastest(context: RowContext): Promise<Row> {
  return orSkipped(async () => {
    const { gpu, layer } = context
    const attributes = conv2d.attributes.parse(convolutionAttributes(layer.problem, layer.x))
    const plan = conv2d.plan({
      inputs: [layer.x, layer.w, null],
      values: [null, null, null],
      attributes,
      outputs: [outputType(layer)],
      device: gpu.facts,
    })
    const measured = await verifyAndTime(context, plan)
    return { clock: measured.clock, report: { ...measured.figures, ...worse(measured.check), notes: [plan.reason] } }
  })
}

async function orSkipped(run: () => Promise<Row>): Promise<Row> {
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

interface Measured {
  readonly check: Comparison
  readonly clock: Clock
  readonly figures: Pick<DataflowReport, 'time_ms' | 'samples_ms' | 'gflops'>
}

/** The first run is the warm-up (it compiles) and the one that is verified; samples follow. */
async function verifyAndTime({ gpu, layer, onX, onW, samples, phase, signal }: RowContext, plan: OpPlan): Promise<Measured> {
  phase('verify')
  const type = outputType(layer)
  const signalled = signal === undefined ? {} : { signal }
  const started = performance.now()
  const [result] = await runPlan(gpu, plan, [onX, onW, null], [type], signalled)
  if (result === undefined) throw new MappingError('The kernel gave no result')
  using y = result
  const values = await y.data()
  const warm_ms = performance.now() - started
  const check = compare(new HostTensor(type.dtype, type.shape, values), layer.reference)

  phase('time')
  const temps = plan.temps.map((temp) => gpu.allocate(temp))
  try {
    const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
      const tensor = kind === 'input' ? [onX, onW][index] : kind === 'output' ? y : temps[index]
      if (tensor === undefined) throw new MappingError(`The kernel binds ${kind} ${index}, which a layer has not`)
      return tensor
    }
    const bound = dispatchesOf(plan).map((dispatch): BoundDispatch => ({
      dispatch,
      tensors: dispatch.bind.map(tensorAt),
      label: layer.name,
    }))
    const timing = await timeDispatches(gpu, bound, { warmups: 0, samples: samplesFor(gpu, samples, warm_ms), ...signalled })
    const time_ms = median(timing.samples_ms)
    return {
      check,
      clock: { source: timing.source, quantum_ns: timing.quantum_ns },
      figures: { time_ms, samples_ms: timing.samples_ms, gflops: (2 * macsOf(layer.problem)) / time_ms / 1e6 },
    }
  } finally {
    for (const temp of temps) temp.dispose()
  }
}

/** A software adapter takes one sample of a slow row: the figure ranks nothing there, and a person waits. */
function samplesFor(gpu: Gpu, samples: number, warm_ms: number): number {
  if (!gpu.facts.software) return samples
  return Math.min(samples, warm_ms > 700 ? 1 : warm_ms > 300 ? 2 : 3)
}

async function count(
  gpu: Gpu,
  plan: OpPlan,
  operands: readonly DeviceTensor[],
  type: TensorType,
  signal?: AbortSignal,
): Promise<{ y: HostTensor; issued: Issued }> {
  const outputs = [type, { dtype: 'u32', shape: [2 * COUNTERS] } as const]
  const results = await runPlan(gpu, plan, operands, outputs, signal === undefined ? {} : { signal })
  try {
    const [values, counters] = await Promise.all(results.map((result) => result.data()))
    if (values === undefined || !(counters instanceof Uint32Array)) throw new MappingError('The counted build gave no counters')
    return { y: new HostTensor(type.dtype, type.shape, values), issued: readCounters(counters) }
  } finally {
    for (const result of results) result.dispose()
  }
}

function worse(...checks: readonly Comparison[]): Pick<DataflowReport, 'verified' | 'max_error' | 'max_error_ratio'> {
  return {
    verified: checks.every(({ ok }) => ok),
    max_error: Math.max(...checks.map(({ maxAbs }) => maxAbs)),
    max_error_ratio: Math.max(...checks.map(({ maxRatio }) => maxRatio)),
  }
}

function outputType({ problem, x }: Layer): TensorType {
  return { dtype: x.dtype, shape: [problem.N, problem.groups * problem.M, problem.P, problem.Q] }
}

function searchedNote({ seen, total, exhaustive }: { seen: number; total: number; exhaustive: boolean }): string {
  return exhaustive ? `mapper: all ${total} candidates` : `mapper: ${seen} legal mappings seen of ${total} candidates`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}
