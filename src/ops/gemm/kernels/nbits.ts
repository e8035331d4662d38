/**
 * Kernels for products with packed weights (matmulNBits): weights stay packed in memory and are dequantised in registers, inside the
 * product. Think of the plan as one question: are there few rows, so that reading the weights is the cost, or many, so that
 * a weight dequantised once serves them all?
 */
import bias from '../../../../shaders/gemm/epilogue/bias.wgsl?raw'
import finished from '../../../../shaders/gemm/epilogue/finished.wgsl?raw'
import noBias from '../../../../shaders/gemm/epilogue/no-bias.wgsl?raw'
import noResidual from '../../../../shaders/gemm/epilogue/no-residual.wgsl?raw'
import noScale from '../../../../shaders/gemm/epilogue/no-scale.wgsl?raw'
import rowsEven from '../../../../shaders/gemm/epilogue/rows_even.wgsl?raw'
import storeOne from '../../../../shaders/gemm/epilogue/store.wgsl?raw'
import storeWide from '../../../../shaders/gemm/epilogue/store_wide.wgsl?raw'
import broadcast from '../../../../shaders/gemm/nbits/broadcast.wgsl?raw'
import dot from '../../../../shaders/gemm/nbits/dot.wgsl?raw'
import leftAny from '../../../../shaders/gemm/nbits/left-any.wgsl?raw'
import leftWide from '../../../../shaders/gemm/nbits/left-wide.wgsl?raw'
import quantiseLeft from '../../../../shaders/gemm/nbits/quantise-left.wgsl?raw'
import tiled from '../../../../shaders/gemm/nbits/tiled.wgsl?raw'
import vector from '../../../../shaders/gemm/nbits/vector.wgsl?raw'
import weights from '../../../../shaders/gemm/nbits/weights.wgsl?raw'
import wordsFour from '../../../../shaders/gemm/nbits/words-four.wgsl?raw'
import wordsOne from '../../../../shaders/gemm/nbits/words-one.wgsl?raw'
import zeroFloat from '../../../../shaders/gemm/nbits/zero-float.wgsl?raw'
import zeroMiddle from '../../../../shaders/gemm/nbits/zero-middle.wgsl?raw'
import zeroPacked from '../../../../shaders/gemm/nbits/zero-packed.wgsl?raw'
import { OptionError } from '../../../errors.ts'
import {
  deviceByteSize,
  meets,
  type DeviceFacts,
  type DispatchPlan,
  type OpPlan,
  type OperandSpec,
  type TensorRef,
} from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import type { NBitsSizes } from '../../matmul-nbits/rule.ts'
import { activationParams, activationWgsl, type Activation } from '../activation.ts'
import { BLOCKED_SPEED } from '../dispatch.ts'
import { subgroupSize } from './broadcast.ts'
import { fittingWorkgroup } from './workgroup.ts'

export interface NBitsProduct {
  readonly op: string
  readonly sizes: NBitsSizes
  /** A, B, scales, zero points, bias: as the op takes them. */
  readonly inputs: readonly (TensorType | null)[]
  /** Activations may be rounded to bytes per block (accuracy level 4). */
  readonly coarse: boolean
  readonly activation: Activation
  readonly output: TensorType
}

export const NBITS_KERNELS = ['broadcast', 'tiled', 'vector', 'dot'] as const
export type NBitsKernel = (typeof NBITS_KERNELS)[number]

/** Rows up to which the weights are read for one pass of the vector kernel. */
export const FEW_ROWS = 16

const PACKED = 'packed_4x8_integer_dot_product'

/** Why a device cannot run a kernel; undefined where it can. */
function refusal(kernel: NBitsKernel, coarse: boolean, device: DeviceFacts): string | undefined {
  if (kernel === 'broadcast') {
    const size = subgroupSize(device)
    const { maxComputeInvocationsPerWorkgroup: limit } = device.limits
    if (size === undefined) return 'needs subgroups of one size with lanes in order'
    return size > limit ? `needs ${size} invocations, maxComputeInvocationsPerWorkgroup ${limit}` : undefined
  }
  if (kernel !== 'dot') return undefined
  if (!coarse) return 'rounds activations to bytes, which needs accuracyLevel 4'
  return meets(device, PACKED) ? undefined : `needs the WGSL feature ${PACKED}`
}

/**
 * Which kernel, and why.
 * @param coarse whether activations may be rounded to bytes
 * @throws OptionError for a forced one that does not exist or that the device cannot run
 */
export function chooseNBits(
  op: string,
  { rows, coarse }: { readonly rows: number; readonly coarse: boolean },
  device: DeviceFacts,
  forced?: string,
): { kernel: NBitsKernel; reason: string } {
  if (forced !== undefined) {
    const kernel = NBITS_KERNELS.find((name) => name === forced)
    if (kernel === undefined)
      throw new OptionError(`There is no kernel ${forced}`, { op, remedy: `Kernels: ${NBITS_KERNELS.join(', ')}` })
    const why = refusal(kernel, coarse, device)
    if (why !== undefined) throw new OptionError(`Kernel ${kernel} ${why}`, { op, remedy: 'Use tiled or vector' })
    return { kernel, reason: `kernel ${kernel}: asked for` }
  }
  if (device.software && refusal('broadcast', coarse, device) === undefined) {
    const size = subgroupSize(device)
    return {
      kernel: 'broadcast',
      reason: `software adapter, where loads are the cost: activations shuffled in subgroups of ${size}`,
    }
  }
  if (rows <= FEW_ROWS) return { kernel: 'vector', reason: `${rows} rows: reading the weights is the cost, the depth is shared` }
  if (coarse && refusal('dot', coarse, device) === undefined) {
    return { kernel: 'dot', reason: 'accuracy level 4: activations rounded to bytes per block, dot4I8Packed' }
  }
  return { kernel: 'tiled', reason: 'tiles: a weight is dequantised once for all rows of a tile' }
}

const BODY: Readonly<Record<NBitsKernel, string>> = { broadcast, tiled, vector, dot }
const ZERO: Readonly<Record<NBitsSizes['zeros'], string>> = { middle: zeroMiddle, packed: zeroPacked, float: zeroFloat }

/** The plan of a product with packed weights; no dispatches where Y is empty. */
export function planNBits(product: NBitsProduct, device: DeviceFacts, forced?: string): OpPlan {
  const { op, sizes, inputs, coarse, activation, output } = product
  const { rows, columns, depth, bits, block, blocks } = sizes
  const { kernel, reason } = chooseNBits(op, { rows, coarse }, device, forced)
  if (sizeOf(output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const config = configOf(kernel, sizes, device)
  const addend = inputs[4] ?? null
  const bound: { readonly spec: OperandSpec; readonly ref: TensorRef }[] = []
  const read = (name: string, index: number, width: 1 | 4 | 16 = 1): void => {
    const type = inputs[index]
    if (type === undefined || type === null) return
    bound.push({ spec: { name, dtype: type.dtype, access: 'read', width }, ref: { kind: 'input', index } })
  }
  const bytes = kernel === 'dot' ? roundLeft(product) : null
  if (bytes === null) read('a', 0, depth % 4 === 0 ? 4 : 1)
  read('b', 1, config.words === 4 ? 16 : 4)
  read('scales', 2)
  read('zeros', 3)
  read('bias', 4)
  bytes?.temps.forEach(({ dtype }, index) => {
    bound.push({ spec: { name: BYTE_OPERANDS[index] ?? '', dtype, access: 'read' }, ref: { kind: 'temp', index } })
  })
  const wide = columns % 4 === 0
  bound.push({
    spec: { name: 'y', dtype: output.dtype, access: 'write', ...(wide ? { width: 4 } : {}) },
    ref: { kind: 'output', index: 0 },
  })
  const row_tiles = Math.ceil(rows / config.rows)
  const column_tiles = Math.ceil(columns / config.columns)
  const dispatch: DispatchPlan = {
    program: {
      name: `${op}/${kernel}`,
      body: [
        'struct Slice { y: u32, terms: u32 }',
        weights,
        config.words === 4 ? wordsFour : wordsOne,
        ZERO[sizes.zeros],
        ...(bytes !== null ? [] : [depth % 4 === 0 ? leftWide : leftAny]),
        noScale,
        addend === null ? noBias : bias,
        noResidual,
        activationWgsl(activation),
        finished,
        rowsEven,
        wide ? storeWide : storeOne,
        BODY[kernel],
      ].join('\n'),
      operands: bound.map(({ spec }) => spec),
      params: {
        rows: 'u32',
        columns: 'u32',
        y_row: 'u32',
        y_column: 'u32',
        y_quad: 'u32',
        depth: 'u32',
        blocks: 'u32',
        block_words: 'u32',
        column_tiles: 'u32',
        alpha: 'f32',
        ...(sizes.zeros === 'packed' ? { zero_bytes: 'u32' } : {}),
        ...(addend === null ? {} : { beta: 'f32', bias_row: 'u32', bias_column: 'u32' }),
        ...activationParams(activation).types,
      },
      constants: { BITS: bits, ...config.constants },
      workgroupSize: config.workgroupSize,
      ...(config.workgroupBytes === undefined ? {} : { workgroupBytes: config.workgroupBytes }),
      ...(kernel === 'broadcast' ? { requires: ['subgroups'] as const } : {}),
      ...(kernel === 'dot' ? { requires: [PACKED] as const } : {}),
    },
    bind: bound.map(({ ref }) => ref),
    params: {
      rows,
      columns,
      y_row: columns,
      y_column: 1,
      y_quad: 4,
      depth,
      blocks,
      block_words: (block * bits) / 32,
      column_tiles,
      alpha: 1,
      ...(sizes.zeros === 'packed' ? { zero_bytes: Math.ceil((blocks * bits) / 8) } : {}),
      ...(addend === null ? {} : { beta: 1, bias_row: 0, bias_column: 1 }),
      ...activationParams(activation).values,
    },
    groups: row_tiles * column_tiles,
    cost: {
      flops: 2 * rows * columns * depth,
      speed: BLOCKED_SPEED,
      bytes: [...inputs, output].reduce(
        (sum, type) => sum + (type === null ? 0 : sizeOf(type.shape) * deviceByteSize(type.dtype)),
        0,
      ),
    },
  }
  return { reason, dispatches: bytes === null ? [dispatch] : [bytes.dispatch, dispatch], temps: bytes?.temps ?? [] }
}

/** What roundLeft makes: packed bytes, the step of each block, the sum of its bytes. Temps 0, 1, 2. */
const BYTE_OPERANDS = ['bytes', 'steps', 'totals'] as const
const ROUND_LANES = 64

/** Rounds A to bytes, each block of a row by a step of its own. */
function roundLeft({ op, sizes, inputs }: NBitsProduct): { dispatch: DispatchPlan; temps: readonly TensorType[] } {
  const { rows, depth, bits, block, blocks } = sizes
  const temps: readonly TensorType[] = [
    { dtype: 'u32', shape: [rows, blocks, block / 4] },
    { dtype: 'f32', shape: [rows, blocks] },
    { dtype: 'i32', shape: [rows, blocks] },
  ]
  const dispatch: DispatchPlan = {
    program: {
      name: `${op}/round`,
      body: quantiseLeft,
      operands: [
        { name: 'a', dtype: inputs[0]?.dtype ?? 'f32', access: 'read' },
        ...temps.map(({ dtype }, index): OperandSpec => ({ name: BYTE_OPERANDS[index] ?? '', dtype, access: 'write' })),
      ],
      params: { rows: 'u32', depth: 'u32', blocks: 'u32', block: 'u32' },
      constants: { BITS: bits },
      workgroupSize: [ROUND_LANES, 1, 1],
    },
    bind: [{ kind: 'input', index: 0 }, ...temps.map((_, index) => ({ kind: 'temp', index }) as const)],
    params: { rows, depth, blocks, block },
    groups: Math.ceil((rows * blocks) / ROUND_LANES),
    cost: { flops: 4 * rows * depth, bytes: 5 * rows * depth },
  }
  return { dispatch, temps }
}

interface NBitsConfig {
  /** Rows and columns of Y that a workgroup owns. */
  readonly rows: number
  readonly columns: number
  /** Words of weights that one load brings. */
  readonly words: 1 | 4
  readonly constants: Readonly<Record<string, number>>
  readonly workgroupSize: readonly [number, number, number]
  readonly workgroupBytes?: number
}

/** What a tile keeps of each row and column: values of `tiled`, words of four bytes of `dot`. Both take four bytes. */
const TILE = { tiled: { TILE_DEPTH: 16 }, dot: { TILE_WORDS: 4 } } as const

function configOf(kernel: NBitsKernel, { rows, columns, bits, block }: NBitsSizes, device: DeviceFacts): NBitsConfig {
  // Where one row is all, loads of weights are the cost; with more rows, wide loads only make the unrolled code longer.
  const words = rows === 1 && ((block * bits) / 32) % 4 === 0 ? 4 : 1
  if (kernel === 'broadcast') {
    const size = subgroupSize(device) ?? 1
    const own = rows === 1 ? 1 : rows <= 8 ? 8 : 16
    // As many words at a time as give every lane a quad of A, but no more than a load brings.
    const quads = own * (8 / bits)
    const step = Math.min(words, Math.max(1, Math.floor(size / quads)))
    return { rows: own, columns: 4 * size, words, constants: { SIZE: size, ROWS: own, STEP: step }, workgroupSize: [size, 1, 1] }
  }
  if (kernel === 'vector') {
    const own = rows === 1 ? 1 : rows <= 4 ? 4 : 8
    const bytes = (x: number, y: number): number => 16 * x * y
    const [across, along] = fittingWorkgroup([2, 32], bytes, device.limits)
    return {
      rows: own,
      columns: 4 * across,
      words,
      constants: { ROWS: own, ACROSS: across, ALONG: along },
      workgroupSize: [across * along, 1, 1],
      workgroupBytes: bytes(across, along),
    }
  }
  const deep = kernel === 'tiled' ? TILE.tiled.TILE_DEPTH : TILE.dot.TILE_WORDS
  const bytes = (x: number, y: number): number => 16 * deep * (x + y)
  const [x, y] = fittingWorkgroup([columns <= 16 ? 4 : 16, rows <= 16 ? 4 : 16], bytes, device.limits)
  return { rows: 4 * y, columns: 4 * x, words: 1, constants: TILE[kernel], workgroupSize: [x, y, 1], workgroupBytes: bytes(x, y) }
}
