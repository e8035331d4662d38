/**
 * A row of a profile whose layer is a convolution under its op's default algorithm: which one and why, what was expected of it (time,
 * multiplications, accesses, error), and what it did. The layer is run bare, without bias and activation, and its preparations (packed
 * or transformed weights) are made once and neither timed nor counted, as in a model.
 */
import { DtypeError, OptionError } from '../errors.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { DeviceFacts, OpPlan } from '../gpu/program.ts'
import { algorithmNamed, refusalOf } from '../ops/conv2d/algorithms.ts'
import type { AlgorithmConfig } from '../ops/conv2d/algorithm.ts'
import { choiceOf, planChosen, type Choice } from '../ops/conv2d/choose.ts'
import { INPUT, macsOf, tapsOf, type Convolution } from '../ops/conv2d/convolution.ts'
import { estimateConvolution } from '../ops/conv2d/estimate.ts'
import { moveLayout } from '../ops/conv2d/layouts.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import type { ConvolutionNode } from '../ops/conv2d/nodes.ts'
import { convolutionOf } from '../ops/conv2d/rule.ts'
import { spreadOf, transformTolerance } from '../ops/conv2d/tolerance.ts'
import { ratesFor } from '../ops/gemm/estimate.ts'
import { layoutShape, type Layout } from '../ops/layout.ts'
import type { ReferenceOutput } from '../ops/op.ts'
import { parseAttributes } from '../ops/run.ts'
import { gamma } from '../ops/tolerance.ts'
import { floatsOf } from '../ops/values.ts'
import { macsOf as layerMacs } from '../schedule/problem.ts'
import { allocate } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor, type TensorType } from '../tensor/tensor.ts'
import { accessDifferences, countedAccesses } from './accesses.ts'
import { convolutionAttributes, type Layer } from './layers.ts'
import { outputType, verifyAndTime, worse, type Row, type RowContext } from './measure.ts'
import type { ConvolutionReport, KernelAccesses, KernelReport } from './report.ts'
import { layerWork } from './roofline-row.ts'

/** Runs a layer with the algorithm and in the layouts that the model gives it. */
export async function runConvolution(context: RowContext): Promise<Row> {
  const { gpu, layer, peaks, running } = context
  const { layout, outputLayout } = running?.convolution ?? { layout: 'nchw', outputLayout: 'nchw' }
  const attributes = parseAttributes(conv2d, {
    ...convolutionAttributes(layer.problem, layer.x),
    layout,
    ...(layout === outputLayout ? {} : { outputLayout }),
    ...(running?.convolution.sparsity === undefined ? {} : { sparsity: running.convolution.sparsity }),
  })
  const x = moved(layer.x, 'nchw', layout)
  const inputs = [x, layer.w, null]
  const [output] = conv2d.infer({ inputs, values: inputs.map(() => null), attributes })
  if (output === undefined) throw new OptionError('The op has no result', { op: conv2d.name })
  const conv = convolutionOf(inputs, attributes, output)
  const choice = chosenFor(conv, running, gpu.facts)
  const plan = planChosen(conv, gpu.facts, choice)
  using onX = gpu.upload(x)
  const { shape } = outputType(layer)
  const operands = [onX, context.onW, null]
  const measured = await verifyAndTime(context, plan, {
    inputs: operands,
    type: output,
    operations: 2 * layerMacs(layer.problem),
    get reference() {
      return withSpread(layer, conv, choice.config)
    },
    restored: (result) => moved(result, outputLayout, 'nchw', shape),
  })
  const work = { ...layerWork(layer), dispatches: plan.dispatches.length }
  const figures = { ...measured.figures, ...worse(measured.check) }
  // Nothing is convolved: there is no kernel to speak of.
  if (plan.dispatches.length === 0) return { clock: measured.clock, work, report: { ...figures, notes: [plan.reason] } }

  const algorithm = algorithmNamed(choice.config.algorithm, conv.op)
  const config = algorithm.schema.parse(choice.config)
  const expected = estimateConvolution(conv, config, gpu.facts, ratesFor(gpu.facts, peaks))
  const { multiplications, additions } = algorithm.work(conv, config, gpu.facts)
  const error = errorOf(layer, conv, config, measured.result)
  const accesses = await accessesOf(context, plan, algorithm.accesses?.(conv, config, gpu.facts), operands, output)
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
        convolution: { layout, outputLayout, multiplications, additions, macs: macsOf(conv), error },
      },
      notes: [plan.reason, ...wrong],
    },
  }
}

/** The layer's reference, which allows for sums by the definition, with what an algorithm that transforms errs besides. */
function withSpread({ x, w, reference }: Layer, conv: Convolution, config: AlgorithmConfig): ReferenceOutput {
  const spread = spreadOf(conv, config)
  const { tolerance } = reference
  if (spread === undefined || tolerance.kind !== 'bound') return reference
  const more = transformTolerance(floatsOf(x), floatsOf(w), conv, spread)
  const bound = more.map((own, at) => own + (tolerance.bound[at] ?? NaN))
  return { ...reference, tolerance: { kind: 'bound', bound, spreads: true } }
}

/** What the model takes for the layer with all that is fused into it; by itself, where that cannot run the bare layer. */
function chosenFor(conv: Convolution, running: ConvolutionNode | undefined, device: DeviceFacts): Choice {
  if (running === undefined) return choiceOf(conv, device)
  const choice = choiceOf(running.convolution, device, running.algorithm)
  const refusal = refusalOf(conv, choice.config, device)
  if (refusal === undefined) return choice
  const alone = choiceOf(conv, device)
  return { ...alone, reason: `${choice.config.algorithm} of the model cannot run the bare layer: ${refusal}; ${alone.reason}` }
}

/** A tensor in another layout. @param shape of the result where it is in nchw */
function moved(tensor: HostTensor, from: Layout, to: Layout, shape: Shape = tensor.shape): HostTensor {
  if (from === to) return tensor
  const [batch = 0, channels = 0, height = 1, width = 1] = shape
  const there = to === 'nchw' ? shape : layoutShape(to, batch, channels, [height, width])
  const values = allocate(tensor.dtype, sizeOf(there))
  if (values instanceof BigInt64Array || tensor.values instanceof BigInt64Array) {
    throw new DtypeError('Feature maps are of floats', { dtype: tensor.dtype })
  }
  moveLayout(tensor.values, from, values, to, { batch, channels, extents: [1, height, width] })
  return new HostTensor(tensor.dtype, there, values)
}

/** Counted where they are predicted. */
async function accessesOf(
  { gpu, phase }: RowContext,
  plan: OpPlan,
  predicted: KernelAccesses | undefined,
  inputs: readonly (DeviceTensor | null)[],
  output: TensorType,
): Promise<KernelReport['accesses']> {
  if (predicted === undefined) return undefined
  phase('count')
  const counted = await countedAccesses(gpu, plan, inputs, [output])
  return { predicted: byOperand(predicted, plan), counted: byOperand(counted, plan) }
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
  const magnitudes = transformTolerance(floatsOf(x), floatsOf(w), conv, { ...spread, error: 1, reach })
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
