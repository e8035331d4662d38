/**
 * Transposed convolution by its phases (phases.ts): each is a convolution of stride 1 by a part of the filter, a matrix product that
 * reads X through a window (src/ops/conv2d/algorithms/implicit-gemm.ts) and stores its outputs `stride` apart.
 *
 *     rows: positions n, p, q of a phase      columns: filters of the group      depth: taps of the phase, channels
 *     slices: groups, and the phases that differ in their taps and outputs alone
 *
 * Where the kernel is as wide as the stride, as in U-Net's 2×2 by 2, all phases are slices of one dispatch of a plain product.
 */
import { z } from 'zod'
import {
  rewired,
  type DeviceFacts,
  type DispatchPlan,
  type OpPlan,
  type Preparation,
  type TensorRef,
} from '../../../gpu/program.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { groupStride } from '../../conv2d/algorithms/implicit-gemm.ts'
import { INPUT, layoutStrides } from '../../conv2d/convolution.ts'
import { paddedFilters } from '../../conv2d/filters.ts'
import { choose } from '../../gemm/choose.ts'
import { familyNamed, forced } from '../../gemm/families.ts'
import type { Config } from '../../gemm/family.ts'
import { flopsOf, type BatchDimension, type Product, type Side, type Window } from '../../gemm/product.ts'
import { copyDispatch } from '../../movement/copy.ts'
import { placeOf } from '../../place.ts'
import type { WindowAxis } from '../../window.ts'
import { runsOf, type Phases, type Run, type TransposedAxis } from '../phases.ts'
import type { Transposed } from '../transposed.ts'

export const phasesSchema = z.strictObject({
  algorithm: z.literal('phases'),
  /** The kernel of the products: its name, or its configuration. Absent: its choice. */
  kernel: z.union([z.string(), z.looseObject({ kernel: z.string() })]).optional(),
})
export type PhasesConfig = z.infer<typeof phasesSchema>

export function phasesRefusal({ layout, outputLayout, groups, channels, filters }: Transposed): string | undefined {
  if ((layout !== 'nchw4' && outputLayout !== 'nchw4') || groups === 1 || (channels % 4 === 0 && filters % 4 === 0))
    return undefined
  return `${channels} channels and ${filters} filters of a group begin within a quad`
}

/** The dispatches. The output is not empty. @throws OptionError where a forced kernel is not legal */
export function planPhases(conv: Transposed, { kernel }: Pick<PhasesConfig, 'kernel'>, device: DeviceFacts): OpPlan {
  const runs = runsOf(conv.axes)
  const products = runs.map((run) => productOf(conv, run, runs.length === 1))
  const largest = products.reduce((most, product) => (flopsOf(product) > flopsOf(most) ? product : most))
  const shared =
    kernel === undefined ? choose(largest, device) : { config: forced(largest, kernel, device), reason: 'kernel forced' }
  const dispatches: DispatchPlan[] = []
  const temps: TensorType[] = []
  const prepared: Preparation[] = []
  let reason = ''
  for (const [index, run] of runs.entries()) {
    const product = products[index]
    if (product === undefined) continue
    let weights: TensorRef = { kind: 'input', index: INPUT.w }
    if (tapsOf(run) > 0) {
      weights = { kind: 'prepared', index: prepared.length }
      prepared.push(packed(conv, run, weights))
    }
    const plan = planned(product, shared.config, kernel !== undefined, device)
    if (product === largest) ({ reason } = plan)
    const refs = [
      { kind: 'input', index: INPUT.x },
      weights,
      { kind: 'input', index: INPUT.bias },
      { kind: 'input', index: INPUT.residual },
    ] as const
    const own = rewired(plan, { inputs: refs, outputs: [{ kind: 'output', index: 0 }], firstTemp: temps.length })
    dispatches.push(...own.dispatches)
    temps.push(...own.temps)
  }
  const many = runs.length === 1 ? 'all phases in one product' : `${runs.length} products`
  return { reason: `phases, ${many}: ${reason} (${shared.reason})`, dispatches, temps, prepared }
}

/** By the kernel that the largest phase has, so that they share a pipeline; a phase that it does not fit has its own. */
function planned(product: Product, config: Config, isForced: boolean, device: DeviceFacts): OpPlan {
  const fits = familyNamed(config.kernel, product.op).refusal(product, config, device) === undefined
  const own = fits ? config : isForced ? forced(product, config, device) : choose(product, device).config
  return familyNamed(own.kernel, product.op).plan(product, own, device)
}

/** Inputs of the products: X, filters of the phases, bias, residual. */
const VIRTUAL = { x: 0, w: 1, bias: 2, residual: 3 } as const

function tapsOf([z, y, x]: Run): number {
  return z.taps * y.taps * x.taps
}

/**
 * The product that phases are: inputs as `VIRTUAL` numbers them.
 * @param alone whether there are no others, with whose windows it would share a program
 */
function productOf(conv: Transposed, run: Run, alone: boolean): Product {
  const {
    op,
    batch,
    groups,
    channels,
    filters,
    axes,
    layout,
    outputLayout,
    bias,
    residual,
    activation,
    accumulate,
    output,
    place,
  } = conv
  const from = layoutStrides(layout, groups * channels, [axes[0].input, axes[1].input, axes[2].input])
  const outputs = [axes[0].output, axes[1].output, axes[2].output] as const
  const { strides: to, offset } = placeOf(outputLayout, groups * filters, outputs, place)
  const [z, y, x] = run
  const depth = tapsOf(run) * channels
  const step = paddedFilters(conv)
  const block = depth * step
  const window: Window = {
    axes: [windowOf(axes[0], z), windowOf(axes[1], y), windowOf(axes[2], x)],
    channels,
    strides: from,
    order: 'taps',
  }
  const isPlain = window.axes.every(({ kernel, before, input, output: own }) => kernel === 1 && before === 0 && own === input)
  // Pictures follow on where channels lie innermost; elsewhere only a window finds them.
  const flat = alone && isPlain && (layout !== 'nchw4' || channels <= 4)
  const apart = flat && layout !== 'nhwc' && batch > 1
  const a: Side = flat
    ? { input: VIRTUAL.x, type: conv.x, line: from.x, depth: from.channel }
    : { input: VIRTUAL.x, type: conv.x, line: 0, depth: 0, window }
  const b: Side =
    depth === 0
      ? { input: VIRTUAL.w, type: conv.w, line: 0, depth: 0 }
      : { input: VIRTUAL.w, type: packedType(conv, run), line: 1, depth: step }
  const batches: { dimension: BatchDimension; y: number; terms: number }[] = []
  const slices = (size: number, ofX: number, ofW: number, ofY: number, terms: number): void => {
    if (size > 1) batches.push({ dimension: { size, a: ofX, b: ofW }, y: ofY, terms })
  }
  slices(apart ? batch : 1, from.picture, 0, to.picture, 0)
  slices(groups, groupStride(from, channels), z.count * y.count * x.count * block, groupStride(to, filters), filters)
  slices(z.count, 0, y.count * x.count * block, to.z, 0)
  slices(y.count, 0, x.count * block, to.y, 0)
  slices(x.count, 0, block, to.x, 0)
  return {
    op,
    rows: (apart ? 1 : batch) * z.outputs * y.outputs * x.outputs,
    columns: filters,
    depth,
    a,
    b,
    batch: batches.map(({ dimension }) => dimension),
    epilogue: {
      alpha: 1,
      activation,
      ...(bias === undefined ? {} : { bias: { input: VIRTUAL.bias, type: bias, row: 0, column: 1, factor: 1 } }),
      ...(residual === undefined ? {} : { residual: { input: VIRTUAL.residual, type: residual } }),
    },
    accumulate,
    output,
    stores: {
      offset: offset + z.first * to.z + y.first * to.y + x.first * to.x,
      row: 0,
      column: to.channel,
      quad: to.quad,
      batch: batches.map((each) => each.y),
      terms: batches.map(({ terms }) => terms),
      box: {
        sizes: [x.outputs, y.outputs, z.outputs],
        strides: [axes[2].stride * to.x, axes[1].stride * to.y, axes[0].stride * to.z, to.picture],
      },
    },
  }
}

function windowOf({ input }: TransposedAxis, { taps, dilation, before, outputs }: Phases): WindowAxis {
  const kernel = Math.max(1, taps)
  const after = outputs + dilation * (kernel - 1) - input - before
  return { input, kernel, stride: 1, dilation, before, after, output: outputs }
}

function packedType({ w, groups, channels, filters }: Transposed, run: Run): TensorType {
  const phases = run.reduce((count, each) => count * each.count, 1)
  return { dtype: w.dtype, shape: [groups, phases, tapsOf(run), channels, paddedFilters({ filters })] }
}

/** Filters of the phases of a run, [group][phase z, y, x][tap z, y, x][channel][filter, in whole quads]. */
function packed(conv: Transposed, run: Run, ref: TensorRef): Preparation {
  const { op, w, groups, channels, filters, axes } = conv
  const type = packedType(conv, run)
  const [z, y, x] = run
  const [, { kernel: high }, { kernel: wide }] = axes
  const taps = axes[0].kernel * high * wide
  const column = paddedFilters(conv)
  const block = tapsOf(run) * channels * column
  const phase = y.count * x.count * block
  const dispatches = Array.from({ length: z.count }, (_, deep) =>
    copyDispatch(
      op,
      {
        extents: [groups, y.count, x.count, z.taps, y.taps, x.taps, channels, filters],
        strides: [
          [channels * filters * taps, wide, 1, -z.step * high * wide, -y.step * wide, -x.step, filters * taps, taps],
          [
            z.count * phase,
            x.count * block,
            block,
            y.taps * x.taps * channels * column,
            x.taps * channels * column,
            channels * column,
            column,
            1,
          ],
        ],
        offsets: [((z.tap + deep) * high + y.tap) * wide + x.tap, deep * phase],
      },
      { type: w, ref: { kind: 'input', index: INPUT.w } },
      { type, ref },
    ),
  )
  return { type, from: INPUT.w, dispatches }
}
