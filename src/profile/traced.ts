/**
 * A mapping traced on the device: a tiny problem runs in its traced build, and what it did is counted by the definition of an access
 * and set beside what `evaluate` predicts. Think of it as the proof behind the figures that a profile predicts.
 */
import { gpuHardware } from '../../models/hardware/index.ts'
import { evaluate } from '../cost/evaluate.ts'
import type { Evaluation, Issued } from '../cost/evaluation.ts'
import { ShapeError, VerificationError } from '../errors.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { runPlan } from '../ops/run.ts'
import { compare } from '../ops/tolerance.ts'
import { withGrid } from '../schedule/gpu-mapping.ts'
import { accessesOf, type TracedAccesses } from '../schedule/lowering/accesses.ts'
import { differences } from '../schedule/lowering/counters.ts'
import { predictIssued } from '../schedule/lowering/issued.ts'
import { lower } from '../schedule/lowering/lower.ts'
import { dyed, issuedOf, plainOf, readTrace, traceWords } from '../schedule/lowering/trace.ts'
import type { Mapping } from '../schedule/mapping.ts'
import { OPERANDS, inputSpan, type Problem } from '../schedule/problem.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { convolutionAttributes } from './layers.ts'

export interface TraceReport {
  /** What `evaluate` predicts in exact mode, for the GPU as hardware. */
  readonly predicted: Evaluation
  /** What the device was seen to do, by the definition of an access. */
  readonly traced: TracedAccesses
  /** Every record of the run, counted as the counted build counts. */
  readonly issued: Issued
  /** Figures held against each other, and those that differ, as `GLB inputs reads: predicted 12, traced 13`. */
  readonly figures: number
  readonly differences: readonly string[]
}

export interface TraceOptions {
  /** Room of the log, in records of 28 bytes (default 2^16); a multiply-accumulate takes one to five. */
  readonly records?: number
  readonly signal?: AbortSignal
}

/** Records that a log has room for unless told otherwise: 1.75 MiB. */
const RECORDS = 2 ** 16

/**
 * Traces a three-level mapping of a tiny problem.
 * @throws MappingError when a workgroup cannot run it, ShapeError when padding covers the whole input, DeviceLimitError when the
 *   log is too small, VerificationError when the result is wrong or the log does not bear out what its own MACs call for
 */
export async function traceMapping(gpu: Gpu, problem: Problem, mapping: Mapping, options: TraceOptions = {}): Promise<TraceReport> {
  const { records = RECORDS, signal } = options
  const { N, M, C, P, Q, R, S, groups, padding } = problem
  const span = inputSpan(problem)
  const input = { rows: span.rows - padding[0] - padding[2], columns: span.columns - padding[1] - padding[3] }
  if (input.rows < 1 || input.columns < 1) {
    throw new ShapeError('The padding covers the whole input', { padding, remedy: 'Give more outputs or less padding' })
  }
  const x = dyed([N, groups * C, input.rows, input.columns])
  const w = dyed([groups * M, C, R, S])
  const { nest, plan } = lower(problem, mapping, gpu.facts, 'traced', { x, w }, input)
  const hardware = withGrid(gpuHardware(gpu.facts), mapping)
  const predicted = { ...evaluate(problem, hardware, mapping), issued: predictIssued(nest, input) }
  const type = { dtype: 'f32', shape: [N, groups * M, P, Q] } as const
  const log = { dtype: 'u32', shape: [traceWords(records)] } as const
  using onX = gpu.upload(x)
  using onW = gpu.upload(w)
  const results = await runPlan(gpu, plan, [onX, onW], [type, log], signal === undefined ? {} : { signal })
  try {
    const [values, words] = await Promise.all(results.map((result) => result.data()))
    if (!(values instanceof Float32Array) || !(words instanceof Uint32Array))
      throw new VerificationError('The traced build gave no trace')
    verify(problem, new HostTensor('f32', type.shape, values), x, w)
    const trace = readTrace(words, nest)
    const traced = accessesOf(trace, mapping, hardware)
    const issued = issuedOf(trace)
    const rows = compared(predicted, traced)
    const wrong = rows.filter(([, expected, seen]) => expected !== seen)
    return {
      predicted,
      traced,
      issued,
      figures: rows.length,
      differences: [
        ...wrong.map(([name, expected, seen]) => `${name}: predicted ${expected}, traced ${seen}`),
        ...differences(predicted.issued, issued).map((difference) => `issued ${difference}`),
      ],
    }
  } finally {
    for (const result of results) result.dispose()
  }
}

/** The result must be the convolution of the numbers behind the names. */
function verify(problem: Problem, y: HostTensor<'f32'>, x: HostTensor<'f32'>, w: HostTensor<'f32'>): void {
  const plain = ({ shape, values }: HostTensor<'f32'>): HostTensor<'f32'> =>
    new HostTensor('f32', shape, Float32Array.from(values, plainOf))
  const attributes = conv2d.attributes.parse(convolutionAttributes(problem, x))
  const [reference] = conv2d.reference([plain(x), plain(w), null], attributes)
  if (reference === undefined) throw new VerificationError('The reference gave no result')
  const { maxAbs } = compare(y, reference)
  if (maxAbs !== 0) throw new VerificationError('The traced build gave a wrong result', { max_error: maxAbs })
}

/** Every figure that both sides have: reads, fills and updates of each level and operand, padding, hops. */
function compared(predicted: Evaluation, traced: TracedAccesses): [name: string, predicted: number, traced: number][] {
  const rows: [string, number, number][] = [['macs', predicted.macs, traced.macs]]
  for (const level of Object.keys(predicted.accesses)) {
    for (const operand of OPERANDS) {
      for (const kind of ['reads', 'fills', 'updates'] as const) {
        const expected = predicted.accesses[level]?.[operand][kind] ?? NaN
        rows.push([`${level} ${operand} ${kind}`, expected, traced.accesses[level]?.[operand][kind] ?? NaN])
      }
    }
    rows.push([`${level} padding`, predicted.padding?.[level] ?? NaN, traced.padding[level] ?? NaN])
  }
  for (const operand of OPERANDS) {
    rows.push([`hops ${operand}`, predicted.network.hops[operand], traced.hops[operand]])
  }
  return rows
}
