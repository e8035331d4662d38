/**
 * A row of a profile whose layer is a convolution under its op's default algorithm: which one and why, what was expected of it (time,
 * multiplications, accesses, error), and what it did. The layer is run bare, without bias and activation, and its preparations (packed
 * or transformed weights) are made once and neither timed nor counted, as in a model.
 */
import { DtypeError } from '../errors.ts'
import type { OpPlan } from '../gpu/program.ts'
import { algorithmNamed } from '../ops/conv2d/algorithms.ts'
import type { AlgorithmConfig } from '../ops/conv2d/algorithm.ts'
import { choose } from '../ops/conv2d/choose.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../ops/conv2d/convolution.ts'
import { estimateConvolution } from '../ops/conv2d/estimate.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { convolutionOf } from '../ops/conv2d/rule.ts'
import { transformTolerance } from '../ops/conv2d/tolerance.ts'
import { ratesFor } from '../ops/gemm/estimate.ts'
import { parseAttributes } from '../ops/run.ts'
import { gamma } from '../ops/tolerance.ts'
import { floatsOf } from '../ops/values.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { accessDifferences, countedAccesses } from './accesses.ts'
import { convolutionAttributes, type Layer } from './layers.ts'
import { layerSubject, outputType, verifyAndTime, worse, type Row, type RowContext } from './measure.ts'
import type { ConvolutionReport, KernelAccesses } from './report.ts'
import { layerWork } from './roofline-row.ts'

/** Runs a layer with its op's default algorithm. */
export async function runConvolution(context: RowContext): Promise<Row> {
  const { gpu, layer, phase, peaks } = context
  const attributes = parseAttributes(conv2d, convolutionAttributes(layer.problem, layer.x))
  const inputs = [layer.x, layer.w, null]
  const output = outputType(layer)
  const plan = conv2d.plan({ inputs, values: [null, null, null], attributes, outputs: [output], device: gpu.facts })
  const measured = await verifyAndTime(context, plan)
  const work = { ...layerWork(layer), dispatches: plan.dispatches.length }
  const figures = { ...measured.figures, ...worse(measured.check) }
  // Nothing is convolved: there is no kernel to speak of.
  if (plan.dispatches.length === 0) return { clock: measured.clock, work, report: { ...figures, notes: [plan.reason] } }

  const conv = convolutionOf(inputs, attributes, output)
  const algorithm = algorithmNamed(choose(conv, gpu.facts).config.algorithm, conv.op)
  const config = algorithm.schema.parse(choose(conv, gpu.facts).config)
  const expected = estimateConvolution(conv, config, gpu.facts, ratesFor(gpu.facts, peaks))
  const { multiplications, additions } = algorithm.work(conv, config)
  const predicted = algorithm.accesses?.(conv, config, gpu.facts)
  phase('count')
  const counted = predicted === undefined ? undefined : await countedAccesses(gpu, plan, layerSubject(context).inputs, [output])
  const accesses =
    predicted === undefined || counted === undefined
      ? undefined
      : { predicted: byOperand(predicted, plan), counted: byOperand(counted, plan) }
  const wrong = accesses === undefined ? [] : accessDifferences(accesses.predicted, accesses.counted)
  return {
    clock: measured.clock,
    work,
    report: {
      ...(accesses === undefined ? {} : { counted_equal: wrong.length === 0 }),
      ...figures,
      kernel: {
        name: algorithm.name,
        config: { ...config },
        problem: layer.problem,
        predicted_ms: expected.seconds * 1000,
        predicted_bound: expected.launch > expected.seconds / 2 ? 'launch' : expected.bound,
        ...(accesses === undefined ? {} : { accesses }),
        convolution: { multiplications, additions, macs: macsOf(conv), error: errorOf(layer, conv, config, measured.result) },
      },
      notes: [plan.reason, ...wrong],
    },
  }
}

/** A product has its sides a and b; which of them is X and which W depends on which way round it is. */
function byOperand(counts: KernelAccesses, { dispatches }: OpPlan): KernelAccesses {
  const isX = (name: string): boolean =>
    dispatches.some(({ program, bind }) => {
      const ref = bind[program.operands.findIndex((operand) => operand.name === name)]
      return ref?.kind === 'input' && ref.index === INPUT.x
    })
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [name === 'a' || name === 'b' ? (isX(name) ? 'x' : 'w') : name, count]),
  )
}

/**
 * The largest error beside its bound, both relative to the magnitude of the patch that an output is computed from
 * (src/ops/conv2d/tolerance.ts); for algorithms that only multiply and add, a patch is a window and the bound is that of summing. What
 * storing a half loses is not the algorithm's.
 */
function errorOf(
  { x, w, reference }: Layer,
  conv: Convolution,
  config: AlgorithmConfig,
  result: HostTensor,
): ConvolutionReport['error'] {
  const spread = algorithmNamed(config.algorithm, conv.op).spread?.(conv, config)
  const { error: bound, reach } = spread ?? { error: gamma(conv.channels * tapsOf(conv)), reach: [0, 0, 0] as const }
  const magnitudes = transformTolerance(floatsOf(x), floatsOf(w), conv, { error: 1, reach })
  const { exact } = reference
  if (exact === undefined) throw new DtypeError('The reference has no exact values', { op: conv.op, dtype: result.dtype })
  const [relative, absolute] = result.dtype === 'f16' ? [2 ** -11, 2 ** -25] : [0, 0]
  const values = floatsOf(result)
  let measured = 0
  for (let at = 0; at < values.length; at++) {
    const expected = exact[at] ?? NaN
    const magnitude = magnitudes[at] ?? NaN
    const error = Math.max(0, Math.abs((values[at] ?? NaN) - expected) - relative * Math.abs(expected) - absolute)
    // Where nothing is finite, or nothing is multiplied, there is nothing to relate to; the verification compares it all the same.
    if (Number.isFinite(error) && Number.isFinite(magnitude) && magnitude > 0) measured = Math.max(measured, error / magnitude)
  }
  return { measured, bound }
}
