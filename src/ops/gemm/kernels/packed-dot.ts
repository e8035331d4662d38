/**
 * Kernels for products of bytes: four bytes of depth at a time by `dot4I8Packed`, sums in i32, exact. Think of the plan as three
 * questions: does the language have the instruction, are there few rows, and what becomes of a sum.
 *
 *     Y[batch…][i][j] = finish(Σ_k (A[i][k] − za[i]) · (B[k][j] − zb[j]))
 *
 * u8 operands have 128 taken off each byte and their zero point on the way in, so that one instruction serves every mixture.
 */
import float from '../../../../shaders/elementwise/float.wgsl?raw'
import dotPacked from '../../../../shaders/gemm/integer/dot-packed.wgsl?raw'
import dotUnpacked from '../../../../shaders/gemm/integer/dot-unpacked.wgsl?raw'
import dots from '../../../../shaders/gemm/integer/dots.wgsl?raw'
import finishBytes from '../../../../shaders/gemm/integer/finish-bytes.wgsl?raw'
import finishFloat from '../../../../shaders/gemm/integer/finish-float.wgsl?raw'
import finishSum from '../../../../shaders/gemm/integer/finish-sum.wgsl?raw'
import finishWord from '../../../../shaders/gemm/integer/finish-word.wgsl?raw'
import left from '../../../../shaders/gemm/integer/left.wgsl?raw'
import requantised from '../../../../shaders/gemm/integer/requantised.wgsl?raw'
import rightColumns from '../../../../shaders/gemm/integer/right-columns.wgsl?raw'
import rightRows from '../../../../shaders/gemm/integer/right-rows.wgsl?raw'
import slice from '../../../../shaders/gemm/integer/slice.wgsl?raw'
import { OptionError } from '../../../errors.ts'
import {
  deviceByteSize,
  meets,
  type DeviceFacts,
  type DispatchPlan,
  type OpPlan,
  type OperandSpec,
  type ParamType,
  type Requirement,
  type TensorRef,
} from '../../../gpu/program.ts'
import { BYTE_RANGE } from '../../../precision/integers.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import type { IntegerSizes } from '../../matmul-integer/sizes.ts'
import { activationParams, activationWgsl, type Activation } from '../activation.ts'
import { BLOCKED_SPEED } from '../dispatch.ts'
import { matrixBytesCore, matrixBytesRefusal, prefersMatrixBytes, type ByteSizes } from './matrix-integer.ts'
import { coreOf, VECTOR_ROWS, type IntegerCore } from './packed-cores.ts'
import { gatherSides, sideOperands, sideText, type NamedSide, type SideValue } from './packed-sides.ts'
import {
  TWO_OF_FOUR_KERNELS,
  twoOfFourCore,
  twoOfFourOperand,
  twoOfFourParams,
  twoOfFourRule,
  twoOfFourText,
  type TwoOfFourBytes,
} from './two-of-four-bytes.ts'

export interface IntegerProduct {
  readonly op: string
  readonly sizes: IntegerSizes
  /** B is given as [batch…, J, K]. */
  readonly transB: boolean
  /** Inputs A and B. */
  readonly a: { readonly input: number; readonly type: TensorType }
  readonly b: { readonly input: number; readonly type: TensorType; readonly sparse?: TwoOfFourBytes }
  readonly aZero: SideValue | null
  readonly bZero: SideValue | null
  readonly finish:
    | { readonly kind: 'sum' }
    | {
        readonly kind: 'float'
        readonly aScale: SideValue | null
        readonly bScale: SideValue | null
        readonly bias: SideValue | null
        readonly residual: { readonly input: number; readonly type: TensorType } | null
        readonly activation: Activation
      }
    | {
        readonly kind: 'requantised'
        readonly aScale: SideValue
        readonly bScale: SideValue
        readonly yScale: SideValue
        readonly yZero: SideValue | null
        /** i32, by rows: added to the sums. */
        readonly bias: SideValue | null
      }
  readonly output: TensorType
}

/** Batch dimensions that a kernel takes; more are dispatched one by one. */
const KERNEL_BATCH = 4
const PACKED: Requirement = 'packed_4x8_integer_dot_product'

/** `CORE-ARITHMETIC`, or `matrix` for matrix units: what `kernel` of matmulInteger and qlinearMatmul names. */
export const INTEGER_KERNELS = ['tiled-packed', 'tiled-unpacked', 'vector-packed', 'vector-unpacked', 'matrix'] as const
export type IntegerKernel = (typeof INTEGER_KERNELS)[number] | (typeof TWO_OF_FOUR_KERNELS)[number]

/** Which kernel, and why. @throws OptionError for a forced one that does not exist or that the device cannot run */
export function chooseInteger(
  op: string,
  sizes: ByteSizes & { readonly sparse?: boolean },
  device: DeviceFacts,
  forced?: string,
): { kernel: IntegerKernel; reason: string } {
  const packed = meets(device, PACKED)
  if (forced !== undefined) {
    const kernels = sizes.sparse === true ? [...INTEGER_KERNELS, ...TWO_OF_FOUR_KERNELS] : INTEGER_KERNELS
    const kernel = kernels.find((name) => name === forced)
    if (kernel === undefined)
      throw new OptionError(`There is no kernel ${forced}`, { op, remedy: `Kernels: ${kernels.join(', ')}` })
    if (kernel.endsWith('-packed') && !packed) {
      throw new OptionError(`Kernel ${forced} needs a WGSL feature that is missing`, {
        op,
        limit: PACKED,
        remedy: 'Use an unpacked one',
      })
    }
    const refusal = kernel === 'matrix' ? matrixBytesRefusal(sizes, device) : undefined
    if (refusal !== undefined) {
      throw new OptionError(`Kernel matrix cannot run this product: ${refusal}`, { op, limit: refusal, remedy: 'Use another one' })
    }
    return { kernel, reason: `kernel ${kernel}: asked for` }
  }
  const { rows } = sizes
  if (prefersMatrixBytes(sizes, device)) return { kernel: 'matrix', reason: 'the device multiplies bytes by matrix units' }
  const own = sizes.sparse === true ? twoOfFourRule(sizes, packed, device) : undefined
  if (own !== undefined) return own
  const arithmetic = packed ? 'dot4I8Packed' : `unpacked arithmetic, as WGSL lacks ${PACKED}`
  return rows <= VECTOR_ROWS
    ? { kernel: packed ? 'vector-packed' : 'vector-unpacked', reason: `${rows} rows of bytes, the depth shared; ${arithmetic}` }
    : { kernel: packed ? 'tiled-packed' : 'tiled-unpacked', reason: `tiles of bytes; ${arithmetic}` }
}

/** The plan of a product of bytes; no dispatches where Y is empty. */
export function planInteger(product: IntegerProduct, device: DeviceFacts, forced?: string): OpPlan {
  const folded = foldedRows(product)
  const { i: rows, j: columns, k: depth, batch } = folded.sizes
  const { sparse } = product.b
  const allSizes = { rows, columns, depth, slices: sizeOf(batch), sparse: sparse !== undefined }
  const { kernel, reason: why } = chooseInteger(product.op, allSizes, device, forced)
  if (sizeOf(product.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const sides = sidesOf(folded)
  const packed = kernel === 'matrix' ? meets(device, PACKED) : kernel.endsWith('-packed')
  const core: IntegerCore =
    kernel === 'matrix'
      ? matrixBytesCore(allSizes, product.transB && sparse === undefined, device)
      : sparse !== undefined && !kernel.startsWith('tiled')
        ? twoOfFourCore(kernel, allSizes, device)
        : coreOf(kernel, rows, columns, product.transB, device)
  const reason = core.words === undefined ? why : `${why}: ${core.words}`
  const outer = batch.slice(0, Math.max(0, batch.length - KERNEL_BATCH))
  const inner = batch.slice(outer.length)
  const slices = sizeOf(inner)
  const wide = columns % 4 === 0
  const residual = product.finish.kind === 'float' ? product.finish.residual : null
  const weights = [product.b.type, ...(sparse === undefined ? [] : [sparse.positions.type])]
  const largest = [product.a.type, ...weights, product.output, ...(residual === null ? [] : [residual.type])]
  const gathered = gatherSides(product.op, sides, largest, device)
  const activation = activationParams(product.finish.kind === 'float' ? product.finish.activation : 'none')
  const yBytes = deviceByteSize(product.output.dtype)
  const sparseParams = sparse === undefined ? {} : twoOfFourParams(sparse, depth)
  const bBytes = weights.reduce((sum, { dtype, shape }) => sum + deviceByteSize(dtype) * sizeOf(shape), 0)
  const program = {
    name: `${product.op}/${kernel}`,
    body: [
      slice,
      left,
      sparse === undefined ? (product.transB ? rightColumns : rightRows) : twoOfFourText(sparse),
      ...sideText(sides, gathered),
      packed ? dotPacked : dotUnpacked,
      dots,
      ...finishText(product, wide),
      core.body,
    ].join('\n'),
    operands: operandsOf(product, sideOperands(sides, gathered), wide),
    params: { ...paramTypes(sides, [...Object.keys(core.tiles), ...Object.keys(sparseParams)]), ...activation.types },
    constants: {
      FLIP_A: product.a.type.dtype === 'u8' ? '0x80808080u' : '0u',
      FLIP_B: product.b.type.dtype === 'u8' ? '0x80808080u' : '0u',
      HAS_A_ZERO: `${hasZero(product.a.type, product.aZero)}`,
      HAS_B_ZERO: `${hasZero(product.b.type, product.bZero)}`,
      ...core.constants,
    },
    workgroupSize: core.workgroupSize,
    ...(core.workgroupBytes === undefined ? {} : { workgroupBytes: core.workgroupBytes }),
    requires: [...(core.requires ?? []), ...(packed ? [PACKED] : [])],
  }
  const input = ({ input: index }: { readonly input: number }): TensorRef => ({ kind: 'input', index })
  const sideRefs = sides.flatMap(({ value }) => (value === null ? [] : [input(value)]))
  const bind: TensorRef[] = [
    input(product.a),
    input(product.b),
    ...(sparse === undefined ? [] : [input(sparse.positions)]),
    ...(gathered === null ? sideRefs : [{ kind: 'temp', index: 0 } as const]),
    ...(residual === null ? [] : [input(residual)]),
    { kind: 'output', index: 0 },
  ]
  const dispatches = outerEntries(outer).map((entry, index): DispatchPlan => {
    const start = (strides: readonly number[]): number => entry.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), 0)
    const params: Record<string, number> = {
      rows,
      columns,
      depth,
      ...core.tiles,
      ...sparseParams,
      ...activation.values,
      a_last: Math.max(0, Math.ceil(sizeOf(product.a.type.shape) / 4) - 1),
      b_last: Math.max(0, Math.ceil(sizeOf(product.b.type.shape) / 4) - 1),
      a_offset: start(folded.sizes.aBatch),
      b_offset: start(folded.sizes.bBatch),
      y_offset: index * slices * rows * columns,
    }
    const along = (name: string, strides: readonly number[]): void => {
      const own = strides.slice(outer.length)
      for (let axis = 0; axis < KERNEL_BATCH; axis++) params[`${name}_batch${axis}`] = own[axis - (KERNEL_BATCH - own.length)] ?? 0
    }
    for (let axis = 1; axis < KERNEL_BATCH; axis++) params[`batch${axis}`] = inner[axis - (KERNEL_BATCH - inner.length)] ?? 1
    along('a', folded.sizes.aBatch)
    along('b', folded.sizes.bBatch)
    for (const { name, value } of sides) {
      if (value === null) continue
      params[`${name}_offset`] = start(value.batch) + (gathered?.offsets.get(name) ?? 0)
      params[`${name}_line`] = value.line
      along(name, value.batch)
    }
    return {
      program,
      bind,
      params,
      groups: slices * core.tiles.row_tiles * core.tiles.column_tiles,
      cost: {
        flops: 2 * slices * rows * columns * depth,
        bytes: slices * (rows * depth + (sparse === undefined ? depth * columns : bBytes) + yBytes * rows * columns),
        ...(packed ? { speed: BLOCKED_SPEED } : {}),
      },
    }
  })
  if (gathered === null) return { reason, dispatches, temps: [] }
  return {
    reason: `${reason}; scales and zero points gathered into one binding`,
    dispatches: [gathered.dispatch, ...dispatches],
    temps: [gathered.type],
  }
}

/** A u8 operand always has a zero point: the 128 that its bytes are moved by. */
function hasZero(type: TensorType, zero: SideValue | null): boolean {
  return zero !== null || type.dtype === 'u8'
}

/** Every index of the outer batch dimensions, in order. */
function outerEntries(outer: readonly number[]): number[][] {
  let entries: number[][] = [[]]
  for (const size of outer) entries = entries.flatMap((entry) => Array.from({ length: size }, (_, at) => [...entry, at]))
  return entries
}

/** One B for all of a batch of A whose rows follow on: the batch is more rows of one product. */
function foldedRows(product: IntegerProduct): IntegerProduct {
  const { sizes, finish } = product
  const { batch, aBatch, bBatch, i, k } = sizes
  if (batch.length === 0 || bBatch.some((step, axis) => step !== 0 && batch[axis] !== 1)) return product
  let step = i * k
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    if (batch[axis] !== 1 && aBatch[axis] !== step) return product
    step *= batch[axis] ?? 1
  }
  const { byRow, byColumn } = valuesOf(product)
  if ([...byRow, ...byColumn].some((value) => value.batch.some((stride) => stride !== 0))) return product
  if (byRow.some(({ line }) => line !== 0)) return product
  const bare = <T extends SideValue | null>(value: T): T => (value === null ? value : { ...value, batch: [] })
  const changed =
    finish.kind === 'sum'
      ? finish
      : finish.kind === 'float'
        ? { ...finish, aScale: bare(finish.aScale), bScale: bare(finish.bScale), bias: bare(finish.bias) }
        : {
            ...finish,
            aScale: bare(finish.aScale),
            bScale: bare(finish.bScale),
            yScale: bare(finish.yScale),
            yZero: bare(finish.yZero),
            bias: bare(finish.bias),
          }
  return {
    ...product,
    sizes: { ...sizes, i: i * sizeOf(batch), batch: [], aBatch: [], bBatch: [] },
    aZero: bare(product.aZero),
    bZero: bare(product.bZero),
    finish: changed,
  }
}

/** The side values there are: those that belong to rows, and those that belong to columns. */
function valuesOf({ aZero, bZero, finish }: IntegerProduct): { byRow: SideValue[]; byColumn: SideValue[] } {
  const there = (values: readonly (SideValue | null)[]): SideValue[] => values.filter((value) => value !== null)
  if (finish.kind === 'sum') return { byRow: there([aZero]), byColumn: there([bZero]) }
  if (finish.kind === 'float') return { byRow: there([aZero, finish.aScale]), byColumn: there([bZero, finish.bScale, finish.bias]) }
  const { aScale, yScale, yZero, bias } = finish
  return { byRow: there([aZero, aScale, yScale, yZero, bias]), byColumn: there([bZero, finish.bScale]) }
}

/** The sides of a product, by the names that its kernels call. */
export function sidesOf({
  a,
  b,
  aZero,
  bZero,
  finish,
}: Pick<IntegerProduct, 'a' | 'b' | 'aZero' | 'bZero' | 'finish'>): NamedSide[] {
  const zero = (name: string, type: TensorType, value: SideValue | null): NamedSide => {
    const shift = type.dtype === 'u8' ? 128 : 0
    return { name, value, as: 'i32', absent: `${-shift}`, shift }
  }
  const scale = (name: string, value: SideValue | null): NamedSide => ({ name, value, as: 'f32', absent: '1.0', shift: 0 })
  const zeros = [zero('a_zero', a.type, aZero), zero('b_zero', b.type, bZero)]
  if (finish.kind === 'sum') return zeros
  const scales = [...zeros, scale('a_scale', finish.aScale), scale('b_scale', finish.bScale)]
  if (finish.kind === 'float') return [...scales, { name: 'bias', value: finish.bias, as: 'f32', absent: '0.0', shift: 0 }]
  const whole = (name: string, value: SideValue | null): NamedSide => ({ name, value, as: 'i32', absent: '0', shift: 0 })
  return [...scales, scale('y_scale', finish.yScale), whole('y_zero', finish.yZero), whole('bias', finish.bias)]
}

function finishText({ finish, output }: IntegerProduct, wide: boolean): string[] {
  if (finish.kind === 'sum') return [finishSum]
  if (finish.kind === 'float') {
    const residual = `fn residual(index: u32) -> f32 { return ${finish.residual === null ? '0.0' : 'load_residuals(index)'}; }`
    return [residual, activationWgsl(finish.activation), finishFloat]
  }
  return [...requantisedText(output), wide ? finishWord : finishBytes]
}

/** WGSL that makes a byte of the result from a sum, for slices of any kind. */
export function requantisedText({ dtype }: TensorType): string[] {
  const [least, most] = BYTE_RANGE[dtype === 'i8' ? 'i8' : 'u8']
  return [`const LEAST = ${least};\nconst MOST = ${most};`, float, requantised]
}

function operandsOf({ a, b, finish, output }: IntegerProduct, sides: readonly OperandSpec[], wide: boolean): OperandSpec[] {
  const read = (name: string, { dtype }: TensorType): OperandSpec => ({ name, dtype, access: 'read' })
  const residual = finish.kind === 'float' ? finish.residual : null
  return [
    { ...read('a', a.type), width: 4 },
    { ...read('b', b.type), width: b.sparse === undefined ? 4 : 16 },
    ...(b.sparse === undefined ? [] : [twoOfFourOperand(b.sparse)]),
    ...sides,
    ...(residual === null ? [] : [read('residuals', residual.type)]),
    { name: 'y', dtype: output.dtype, access: 'write', ...(finish.kind === 'requantised' && wide ? { width: 4 } : {}) },
  ]
}

/** @param own params of the core */
function paramTypes(sides: readonly NamedSide[], own: readonly string[]): Record<string, ParamType> {
  const names = ['rows', 'columns', 'depth', ...own, 'a_last', 'b_last', 'a_offset', 'b_offset', 'y_offset']
  for (let axis = 0; axis < KERNEL_BATCH; axis++) {
    if (axis > 0) names.push(`batch${axis}`)
    names.push(`a_batch${axis}`, `b_batch${axis}`)
  }
  for (const { name, value } of sides) {
    if (value === null) continue
    names.push(`${name}_offset`, `${name}_line`)
    for (let axis = 0; axis < KERNEL_BATCH; axis++) names.push(`${name}_batch${axis}`)
  }
  return Object.fromEntries(names.map((name) => [name, 'u32']))
}
