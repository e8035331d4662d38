/**
 * Profiling a network as dataflows: every layer that is a loop nest runs under every dataflow asked for, is verified against the
 * CPU reference, timed in its fast build, counted in its counted build, and set beside what was predicted.
 */
import { gpuHardware, hardwareNamed } from '../../models/hardware/index.ts'
import { networkNamed } from '../../models/index.ts'
import { seededInput } from '../../models/seeded.ts'
import { DtypeError, OptionError, ShapeError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Graph } from '../graph/graph.ts'
import { setProfiler, type Model } from '../graph/model.ts'
import { toFloat } from '../graph/precision.ts'
import { isHostTensor } from '../ops/run.ts'
import { DATAFLOW_NAMES, dataflowNamed, parseDataflow, type Dataflow } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { parseHardware } from '../schedule/parse.ts'
import { macsOf } from '../schedule/problem.ts'
import { SYSTOLIC_NAMES, systolicNames, type SystolicName } from '../schedule/systolic/shape.ts'
import { allocate, isFloat, type DType } from '../tensor/dtype.ts'
import { formatShape, sizeOf } from '../tensor/shape.ts'
import { HostTensor, type Tensor } from '../tensor/tensor.ts'
import { convolutionAttributes, layerPlans, layersOf, type Layer } from './layers.ts'
import { nonzeroWeights, paired, visitedInputs } from './nonzero-counts.ts'
import { factorsOf } from './nonzero-factors.ts'
import type { ModelProfileOptions, ProfileOptions } from './options.ts'
import { REPORT_SCHEMA, type Clock, type DataflowReport, type LayerReport, type PeaksReport, type ProfileReport } from './report.ts'
import { layerWork, peaksOf, rooflineOf } from './roofline-row.ts'
import type { Row, RowContext } from './measure.ts'
import { runDataflow, runFastest } from './row.ts'
import { runningConvolutions } from './running-convolutions.ts'
import { runSystolic } from './systolic-row.ts'
import { zerosOf } from './zeros.ts'

export type { ProfileOptions, ProfileProgress } from './options.ts'

/**
 * @param model a graph, or the name of a network to build
 * @throws OptionError for unknown names and options; what opening and running may throw. A row that this adapter cannot take
 *   does not throw: it says why in `skipped`.
 */
export async function profileModel(gpu: Gpu, model: Graph | string, options: ProfileOptions = {}): Promise<ProfileReport> {
  const { batch = 1, precision = 'f32', samples = 3, onProgress, signal } = options
  if (precision === 'int8') {
    throw new OptionError('Dataflows in int8 are not there yet', { remedy: 'Choose f32 or f16' })
  }
  if (!Number.isSafeInteger(samples) || samples < 1) throw new OptionError(`${samples} samples`, { remedy: 'Take at least one' })
  const flows = flowsOf(options.dataflows ?? 'all')
  const hardware = hardwareOf(options.hardware ?? 'gpu', gpu)
  const graph = typeof model === 'string' ? networkNamed(model).build({ batch }) : model
  const plans = layerPlans(graph, options.input, { ownOnly: true })
  if (plans.length === 0)
    throw new OptionError(`${graph.name} has no layer that a dataflow can run`, {
      remedy: 'Give a network with convolutions or products',
    })

  const inputs = seededInputs(graph, options)
  const total = plans.length * flows.length
  const layers: LayerReport[] = []
  let clock: Clock = { source: gpu.facts.features.has('timestamp-query') ? 'timestamp-query' : 'wall', quantum_ns: 1 }
  let index = 0
  let complete = true
  const stopped = (): boolean => signal?.aborted === true
  const report = (): ProfileReport => ({
    schema: REPORT_SCHEMA,
    model: graph.name,
    date: new Date().toISOString(),
    adapter: gpu.adapter,
    hardware: hardware.name,
    precision,
    batch: inputs[graph.inputs[0]?.name ?? '']?.shape[0] ?? batch,
    clock,
    samples,
    warmups: 1,
    complete,
    ...(peaks === undefined ? {} : { peaks }),
    layers,
  })

  onProgress?.({ layer: graph.name, dataflow: 'peaks', index, total, phase: 'peaks' })
  const peaks = await unlessStopped(() => peaksOf(gpu, signal), stopped)
  const convolutions = flows.includes('fastest') ? runningConvolutions(graph, inputs, precision, gpu.facts) : undefined
  const next = layersOf(graph, inputs, precision, { ownOnly: true })
  for (const plan of plans) {
    if (stopped()) break
    onProgress?.({ layer: plan.name, dataflow: 'reference', index, total, phase: 'reference' })
    await breathe()
    const step = await next.next()
    if (step.done === true) break
    const layer: Layer = step.value
    const rows: Record<string, DataflowReport> = {}
    const nonzero = nonzeroMacsOf(layer)
    const zeros = { inputs: zerosOf(layer.x), ...(nonzero === undefined ? {} : { nonzero_macs: nonzero }) }
    const entry: LayerReport = { name: layer.name, problem: layer.problem, macs: macsOf(layer.problem), zeros, dataflows: rows }
    layers.push(entry)
    const running = convolutions?.get(layer.name)
    using onX = gpu.upload(layer.x)
    using onW = gpu.upload(layer.w)
    for (const flow of flows) {
      if (stopped()) break
      const name = typeof flow === 'string' ? flow : flow.name
      const context: RowContext = {
        gpu,
        layer,
        onX,
        onW,
        samples,
        ...(running === undefined ? {} : { running }),
        ...(peaks === undefined ? {} : { peaks }),
        phase: (phase) => onProgress?.({ layer: layer.name, dataflow: name, index, total, phase }),
        ...(signal === undefined ? {} : { signal }),
      }
      try {
        const row = await runRow(context, flow, hardware)
        rows[name] = positioned(row, layer, peaks)
        if (row.clock !== undefined) clock = row.clock
      } catch (error) {
        if (!stopped()) throw error
        break
      }
      index++
    }
  }
  complete = index === total
  return report()
}

/** MACs of a layer whose factors are both not zero; undefined where its op is not counted. */
function nonzeroMacsOf({ problem, x, w, own, ownOnly }: Layer): number | undefined {
  const factors =
    ownOnly === undefined || own === undefined
      ? factorsOf('conv2d', [x, w, null], convolutionAttributes(problem, x))
      : factorsOf(own.definition.name, own.inputs, own.attributes)
  return factors === undefined ? undefined : paired(visitedInputs(factors), nonzeroWeights(factors))
}

/** Undefined where the work failed because the profile was stopped. */
async function unlessStopped<T>(work: () => Promise<T>, stopped: () => boolean): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (stopped()) return undefined
    throw error
  }
}

/** A row's report with its place under the roof. */
function positioned({ report, work }: Row, layer: Layer, peaks: PeaksReport | undefined): DataflowReport {
  if (report.time_ms === undefined || peaks === undefined) return report
  return { ...report, roofline: rooflineOf(work ?? layerWork(layer), report.time_ms, peaks) }
}

/** What a row runs: the default kernel, a systolic array, or a mapping under a constraint. */
type Flow = 'fastest' | SystolicName | Dataflow

function runRow(context: RowContext, flow: Flow, hardware: Hardware): Promise<Row> {
  if (flow === 'fastest') return runFastest(context, hardware)
  const { ownOnly } = context.layer
  if (ownOnly !== undefined) {
    const skipped = `Not profiled: this is ${ownOnly}, which no dataflow runs; ask for fastest`
    return Promise.resolve({ report: { skipped } })
  }
  return typeof flow === 'string' ? runSystolic(context, flow, hardware) : runDataflow(context, flow, hardware)
}

function flowsOf(given: string | readonly (string | Dataflow)[]): Flow[] {
  const names = typeof given === 'string' ? [given] : given
  const flows = names.flatMap((name): readonly Flow[] => {
    if (typeof name !== 'string') return [parseDataflow(name)]
    if (name === 'all') return DATAFLOW_NAMES.map(dataflowNamed)
    return name === 'fastest' ? ['fastest'] : (systolicNames(name) ?? [dataflowNamed(name)])
  })
  if (flows.length === 0) {
    throw new OptionError('No dataflow was given', {
      remedy: `Choose all, fastest, or some of ${[...DATAFLOW_NAMES, ...SYSTOLIC_NAMES].join(', ')}`,
    })
  }
  const unique = [...new Set(flows)]
  const titles = unique.map((flow) => (typeof flow === 'string' ? flow : flow.name))
  const twice = titles.find((title, index) => titles.indexOf(title) !== index)
  if (twice !== undefined) throw new OptionError(`Two dataflows are called ${twice}`, { remedy: 'Give each a name of its own' })
  return unique
}

function hardwareOf(given: string | Hardware, gpu: Gpu): Hardware {
  if (typeof given !== 'string') return parseHardware(given)
  return given === 'gpu' ? gpuHardware(gpu.facts) : hardwareNamed(given)
}

function seededInputs(graph: Graph, { input = {}, seed = 0 }: ProfileOptions): Record<string, HostTensor> {
  const names = graph.inputs.map(({ name }) => name)
  for (const name of Object.keys(input)) {
    if (!names.includes(name))
      throw new OptionError(`${graph.name} has no input ${name}`, { remedy: `Its inputs are ${names.join(', ')}` })
  }
  for (const { name, dtype, shape } of graph.inputs) {
    const given = input[name]
    if (given === undefined) continue
    const fits =
      given.shape.length === shape.length &&
      shape.every((extent, axis) => typeof extent === 'string' || extent === given.shape[axis])
    if (!fits) throw new ShapeError(`Input ${name} is ${formatShape(shape)}, not ${formatShape(given.shape)}`)
    if (given.dtype !== dtype) throw new DtypeError(`Input ${name} is ${dtype}, not ${given.dtype}`)
  }
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => [name, input[name] ?? seededFor(seed, name, dtype, shape.map(Number))]),
  )
}

/** Floats from the seed; integers are zeros, which any table that they look up has. */
function seededFor(seed: number, name: string, dtype: DType, shape: readonly number[]): HostTensor {
  if (isFloat(dtype)) return toFloat(seededInput(seed, name, shape), dtype)
  return new HostTensor(dtype, shape, allocate(dtype, sizeOf(shape)))
}

/** Lets timers, signals and the page run before a long stretch of CPU work. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

/** How `model.profile` is done; the graph layer, which lies below, is told here. */
setProfiler(async (model: Model, inputs: Readonly<Record<string, Tensor>>, options: ModelProfileOptions) => {
  const { dataflow = 'all', baseline = 'cpu', ...rest } = options
  if (baseline !== 'cpu')
    throw new OptionError(`There is no baseline ${String(baseline)}`, { remedy: 'Results are held against `cpu`' })
  const input: Record<string, HostTensor> = {}
  for (const [name, tensor] of Object.entries(inputs)) {
    input[name] = isHostTensor(tensor) ? tensor : new HostTensor(tensor.dtype, tensor.shape, await tensor.data())
  }
  return profileModel(model.gpu, model.graph, {
    precision: model.precision,
    ...rest,
    dataflows: Array.isArray(dataflow) ? dataflow : [dataflow as string | Dataflow],
    input,
  })
})
