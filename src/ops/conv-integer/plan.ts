/**
 * Kernels of convolutions of bytes. Think of them as the product of filters and patches that packed-dot.ts runs, once the patches lie
 * side by side; where the window is one tap that steps over every value, they do so already.
 *
 *     filters [group][M, C·taps]  ×  patches [picture][group][positions, C·taps]ᵀ  →  Y [picture][group][M, positions]
 *
 * Groups of few filters would leave a tile mostly empty: there every output is summed by an invocation of its own.
 */
import integerDirect from '../../../shaders/conv/integer_direct.wgsl?raw'
import patchesBody from '../../../shaders/conv/patches.wgsl?raw'
import quotient from '../../../shaders/runtime/quotient.wgsl?raw'
import { OptionError } from '../../errors.ts'
import { rewired, type DeviceFacts, type DispatchPlan, type OpPlan, type ParamType, type TensorRef } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { OUTPUT } from '../conv2d/algorithms/direct.ts'
import { macsOf, pixelsOf, tapsOf } from '../conv2d/convolution.ts'
import { bytesOf } from '../conv2d/filters.ts'
import type { ConvSizes } from '../conv2d/rule.ts'
import { INTEGER_KERNELS, planInteger, requantisedText, sidesOf, type IntegerProduct } from '../gemm/kernels/packed-dot.ts'
import { gatherSides, sideOperands, sideText, type SideValue } from '../gemm/kernels/packed-sides.ts'

/** A convolution of bytes as data. The product's A is W, its B is X: filters are rows, positions columns. */
export interface IntegerConvolution extends Omit<IntegerProduct, 'sizes' | 'transB'> {
  readonly sizes: ConvSizes
}

const LANES = 64
/** The patches as an input of the product: behind those of any op. */
const PATCHES = 16
/** Up to as many filters per group, a tile of a product would be mostly empty. */
const FEW_FILTERS = 4

/** @param forced `direct`, or a kernel of packed-dot.ts. @throws OptionError for one that there is not or that cannot run */
export function planIntegerConvolution(conv: IntegerConvolution, device: DeviceFacts, forced?: string): OpPlan {
  const { groups, filters } = conv.sizes
  const kernel = INTEGER_KERNELS.find((name) => name === forced)
  if (forced !== undefined && forced !== 'direct' && kernel === undefined) {
    throw new OptionError(`Convolutions of bytes have no algorithm ${forced}`, {
      op: conv.op,
      remedy: `Algorithms: direct, or for the product of filters and patches a kernel: ${INTEGER_KERNELS.join(', ')}`,
    })
  }
  if (sizeOf(conv.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const direct = forced === undefined ? groups > 1 && filters <= FEW_FILTERS : forced === 'direct'
  return direct ? planDirect(conv, device) : planProduct(conv, device, forced)
}

function planProduct(conv: IntegerConvolution, device: DeviceFacts, forced: string | undefined): OpPlan {
  const { sizes, b, finish } = conv
  const { batch, groups, channels, filters, axes } = sizes
  const pixels = pixelsOf(sizes)
  const depth = channels * tapsOf(sizes)
  const lies = axes.every(
    ({ kernel, stride, before, input, output }) => kernel === 1 && stride === 1 && before === 0 && output === input,
  )
  const type: TensorType = { dtype: b.type.dtype, shape: [4 * Math.ceil((batch * groups * pixels * depth) / 4)] }
  // A scale, zero point or bias of filters goes on by a group's filters for each group.
  const side = <T extends SideValue | null>(value: T): T =>
    value === null ? value : { ...value, batch: [0, value.line * filters] }
  const product: IntegerProduct = {
    ...conv,
    sizes: {
      ...{ i: filters, j: pixels, k: depth, batch: [batch, groups], shape: conv.output.shape },
      aBatch: [0, filters * depth],
      bBatch: [groups * pixels * depth, pixels * depth],
    },
    transB: !lies,
    b: lies ? b : { input: PATCHES, type },
    aZero: side(conv.aZero),
    bZero: side(conv.bZero),
    finish:
      finish.kind === 'requantised'
        ? {
            ...finish,
            aScale: side(finish.aScale),
            bScale: side(finish.bScale),
            yScale: side(finish.yScale),
            yZero: side(finish.yZero),
            bias: side(finish.bias),
          }
        : finish,
  }
  const plan = planInteger(product, device, forced)
  if (lies) return { ...plan, reason: `the input is its own patches: ${plan.reason}` }
  const inputs = Array.from({ length: PATCHES + 1 }, (_, index): TensorRef => {
    return index === PATCHES ? { kind: 'temp', index: 0 } : { kind: 'input', index }
  })
  const { dispatches, temps } = rewired(plan, { inputs, outputs: [{ kind: 'output', index: 0 }], firstTemp: 1 })
  const patches = patchesDispatch(conv, type)
  const words = sizeOf(type.shape) === 0 ? [] : [patches]
  return {
    reason: `patches of bytes, then their product: ${plan.reason}`,
    dispatches: [...words, ...dispatches],
    temps: [type, ...temps],
  }
}

function patchesDispatch({ op, sizes, b, bZero }: IntegerConvolution, type: TensorType): DispatchPlan {
  const words = sizeOf(type.shape) / 4
  const { batch, groups, channels } = sizes
  const values: Record<string, number> = { words, pictures: batch, ...spatialParams(sizes) }
  const types: Record<string, ParamType> = Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, 'u32']))
  const { out_x, out_y, out_z, kernel_x, kernel_y, kernel_z } = values
  const divisors = { channels, channel_groups: groups, out_x, out_y, out_z, kernel_x, kernel_y, kernel_z }
  for (const [name, value = 1] of Object.entries(divisors)) {
    types[name] = 'u32'
    values[name] = value
    types[`${name}_inverse`] = 'f32'
    values[`${name}_inverse`] = 1 / Math.max(1, value)
  }
  const zero = bZero === null ? '0' : 'i32(load_zero(0u))'
  return {
    program: {
      name: `${op}/patches`,
      body: [quotient, `fn zero_point() -> i32 { return ${zero}; }`, patchesBody].join('\n'),
      operands: [
        { name: 'x', dtype: b.type.dtype, access: 'read' },
        ...(bZero === null ? [] : [{ name: 'zero', dtype: bZero.type.dtype, access: 'read' } as const]),
        { name: 'y', dtype: type.dtype, access: 'write', width: 4 },
      ],
      params: types,
      workgroupSize: [LANES, 1, 1],
    },
    bind: [
      { kind: 'input', index: b.input },
      ...(bZero === null ? [] : [{ kind: 'input', index: bZero.input } as const]),
      { kind: 'temp', index: 0 },
    ],
    params: values,
    groups: Math.ceil(words / LANES),
    cost: { flops: 0, bytes: bytesOf([b.type, type]) },
  }
}

/** Extents, and for each axis stride, dilation, padding, kernel and outputs. */
function spatialParams({ axes }: ConvSizes): Record<string, number> {
  const [z, y, x] = axes
  const values: Record<string, number> = { depth: z.input, height: y.input, width: x.input }
  for (const [name, axis] of Object.entries({ z, y, x })) {
    values[`out_${name}`] = axis.output
    values[`kernel_${name}`] = axis.kernel
    values[`stride_${name}`] = axis.stride
    values[`dilation_${name}`] = axis.dilation
    values[`pad_${name}`] = axis.before
  }
  return values
}

function planDirect(conv: IntegerConvolution, device: DeviceFacts): OpPlan {
  const { op, sizes, a, b, finish, output } = conv
  const { groups, channels, filters } = sizes
  const sides = sidesOf(conv)
  const gathered = gatherSides(op, sides, [a.type, b.type, output], device)
  const outputs = sizeOf(output.shape)
  const values: Record<string, number> = {
    ...{ outputs, channels, filters, all_channels: groups * channels, all_filters: groups * filters },
    ...spatialParams(sizes),
  }
  for (const { name, value } of sides) {
    if (value === null) continue
    values[`${name}_offset`] = gathered?.offsets.get(name) ?? 0
    values[`${name}_line`] = value.line
    for (let axis = 0; axis < 4; axis++) values[`${name}_batch${axis}`] = 0
  }
  const finished =
    finish.kind === 'sum'
      ? ['fn finished(row: u32, sum: i32) -> i32 { return sum; }']
      : [...requantisedText(output), 'fn finished(row: u32, sum: i32) -> y_t { return y_t(requantised(Slice(), row, 0u, sum)); }']
  const shift = ({ dtype }: TensorType): number => (dtype === 'u8' ? 128 : 0)
  const input = ({ input: index }: { readonly input: number }): TensorRef => ({ kind: 'input', index })
  const sideRefs = sides.flatMap(({ value }) => (value === null ? [] : [input(value)]))
  const dispatch: DispatchPlan = {
    program: {
      name: `${op}/direct`,
      body: [
        `const SHIFT_A = ${shift(a.type)};\nconst SHIFT_B = ${shift(b.type)};`,
        ...sideText(sides, gathered),
        ...finished,
        integerDirect,
        OUTPUT.nchw,
      ].join('\n'),
      operands: [
        { name: 'x', dtype: b.type.dtype, access: 'read' },
        { name: 'w', dtype: a.type.dtype, access: 'read' },
        ...sideOperands(sides, gathered),
        { name: 'y', dtype: output.dtype, access: 'write' },
      ],
      params: Object.fromEntries(Object.keys(values).map((name): [string, ParamType] => [name, 'u32'])),
      workgroupSize: [LANES, 1, 1],
    },
    bind: [
      input(b),
      input(a),
      ...(gathered === null ? sideRefs : [{ kind: 'temp', index: 0 } as const]),
      { kind: 'output', index: 0 },
    ],
    params: values,
    groups: Math.ceil(outputs / LANES),
    cost: { flops: 2 * macsOf(sizes), bytes: bytesOf([a.type, b.type, output]) },
  }
  return {
    reason: 'direct, one output an invocation',
    dispatches: [...(gathered === null ? [] : [gathered.dispatch]), dispatch],
    temps: gathered === null ? [] : [gathered.type],
  }
}
