/**
 * From a product and a kernel's body to dispatches: which form each side is read in (shaders/gemm/read), the epilogue
 * (shaders/gemm/epilogue), the params of the sizes and strides, the bindings. Think of a kernel as the middle of a sandwich.
 *
 * A body calls, besides `params` and `workgroup_index`:
 *   slice_of(index)                                          which of the batched products (slice.wgsl)
 *   left_one, left_along, left_across, left_block            rows of A (read/any.wgsl says what they give), of type value_t
 *   right_one, right_along, right_across, right_block        columns of B
 *   finish_quad(slice, row, column, vec4<f32>)               stores four columns of a row; finish(slice, row, column, f32) one,
 *                                                            where the kernel says `stores: 'one'`
 * and keeps its sums as `acc_t`. params: rows, columns, depth and the kernel's own.
 */
import bias from '../../../shaders/gemm/epilogue/bias.wgsl?raw'
import finished from '../../../shaders/gemm/epilogue/finished.wgsl?raw'
import noBias from '../../../shaders/gemm/epilogue/no-bias.wgsl?raw'
import noResidual from '../../../shaders/gemm/epilogue/no-residual.wgsl?raw'
import noScale from '../../../shaders/gemm/epilogue/no-scale.wgsl?raw'
import residual from '../../../shaders/gemm/epilogue/residual.wgsl?raw'
import scale from '../../../shaders/gemm/epilogue/scale.wgsl?raw'
import rowsBox from '../../../shaders/gemm/epilogue/rows_box.wgsl?raw'
import rowsEven from '../../../shaders/gemm/epilogue/rows_even.wgsl?raw'
import storeOne from '../../../shaders/gemm/epilogue/store.wgsl?raw'
import storeWide from '../../../shaders/gemm/epilogue/store_wide.wgsl?raw'
import across from '../../../shaders/gemm/read/across.wgsl?raw'
import divided from '../../../shaders/gemm/read/divided.wgsl?raw'
import windowBody from '../../../shaders/gemm/read/window.wgsl?raw'
import windowEach from '../../../shaders/gemm/read/window_each.wgsl?raw'
import windowWide from '../../../shaders/gemm/read/window_wide.wgsl?raw'
import along from '../../../shaders/gemm/read/along.wgsl?raw'
import any from '../../../shaders/gemm/read/any.wgsl?raw'
import slice from '../../../shaders/gemm/slice.wgsl?raw'
import {
  deviceByteSize,
  type DispatchPlan,
  type OperandSpec,
  type ParamType,
  type ProgramSource,
  type TensorRef,
} from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { activationParams, activationWgsl } from './activation.ts'
import { flopsOf, slicesOf, type BatchDimension, type Product, type Side, type Stores } from './product.ts'
import { sparseOperands, sparseParams, sparseText } from './sparse-side.ts'
import { boxParams, LARGE, windowConstants, windowParams } from './window-params.ts'

/** How a side is read: four values along a line at a time, four lines at a time, or one by one. */
export type ReadForm = 'along' | 'across' | 'any'

const READ: Readonly<Record<ReadForm, string>> = { along, across, any }

/** Batch dimensions that a kernel takes; more are dispatched one by one. */
const KERNEL_BATCH = 4

/**
 * A blocked product reaches ten times the rate of a poor kernel on any GPU (0.5 TFLOP/s): a 4096³ product is then one launch, not six
 * with a half-empty grid at the end of each.
 */
export const BLOCKED_SPEED = 10

/** What a family says of its kernel. */
export interface Kernel {
  /** After the op's name in labels: `broadcast`. */
  readonly name: string
  /** The body, or several files joined. */
  readonly body: string
  readonly constants: Readonly<Record<string, number | string>>
  readonly workgroupSize: readonly [number, number, number]
  readonly workgroupBytes?: number
  readonly requires?: ProgramSource['requires']
  /** Workgroups for all slices of one dispatch: `slices` times those of one. */
  readonly groups: (slices: number) => number
  /** Its own params, all u32. */
  readonly params?: Readonly<Record<string, number>>
  /** `quad` (default): only finish_quad. `one`: finish as well, so Y is stored one by one. `none`: the body stores itself. */
  readonly stores?: 'quad' | 'one' | 'none'
  /** Whether the body reads A and B: false for one that only finishes sums that others made. Default true. */
  readonly reads?: boolean
  /** Values of A and B stay f16 (`value_t`), whatever sums are kept in: for kernels that multiply halves. */
  readonly halves?: boolean
  /** The body reads A value by value: it is bound one element wide, unless it is a window. */
  readonly single?: boolean
  /** The body loads A and B from their buffers itself (`OperandSpec.direct`). */
  readonly direct?: boolean
  /** Operands besides those of the product, with what they are bound to (partial sums in a temp). */
  readonly extra?: readonly (OperandSpec & { readonly ref: TensorRef })[]
}

/** In which form a side of a product can be read. The alignment of every slice counts, so that vectors begin where they must. */
export function readForm(product: Product, which: 'a' | 'b'): ReadForm {
  const { depth: step, line, window, sparse } = product[which]
  if (sparse !== undefined) return 'across'
  // A window finds each element by itself, however its lines lie: patches as rows are staged along the depth, as columns across them.
  if (window !== undefined) return which === 'a' ? 'along' : 'any'
  const lines = which === 'a' ? product.rows : product.columns
  if (product.batch.some((dimension) => dimension[which] % 4 !== 0)) return 'any'
  // The stride of what there is only one of is never walked.
  const aligned = (stride: number, count: number): boolean => count === 1 || stride % 4 === 0
  const contiguous = (stride: number, count: number): boolean => count === 1 || stride === 1
  if (product.depth !== 1 && contiguous(step, product.depth) && aligned(line, lines)) return 'along'
  if (contiguous(line, lines) && aligned(step, product.depth)) return 'across'
  return 'any'
}

/** Whether the four channels of a quad can be loaded at once. */
function isWide({ window, type: { shape } }: Side, batch: readonly number[]): boolean {
  if (window === undefined || window.order !== 'taps' || window.channels % 4 !== 0 || window.held !== undefined) return false
  const { picture, channel, quad, z, y, x } = window.strides
  const steps = [picture, quad, z, y, x, ...batch]
  return channel === 1 && steps.every((stride) => stride % 4 === 0) && sizeOf(shape) % 4 === 0
}

/** Whether Y can be stored four columns at a time. */
export function storesWide({ columns, stores }: Product): boolean {
  if (stores === undefined) return columns % 4 === 0
  const { offset, row, quad, batch, box } = stores
  const steps = [offset, quad, ...batch, ...(box?.strides ?? [row])]
  return columns % 4 === 0 && stores.column === 1 && steps.every((stride) => stride % 4 === 0)
}

/** Where Y lies, in the words of a product that says so. */
function storesOf({ rows, columns, batch, stores }: Product): Stores {
  if (stores !== undefined) return stores
  const steps = batch.map((_, axis) => slicesOf({ batch: batch.slice(axis + 1) }) * rows * columns)
  return { offset: 0, row: columns, column: 1, quad: 4, batch: steps, terms: batch.map(() => 0) }
}

/** Slices of one dispatch. */
export function slicesPerDispatch({ batch }: Pick<Product, 'batch'>): number {
  return slicesOf({ batch: batch.slice(Math.max(0, batch.length - KERNEL_BATCH)) })
}

/** One dispatch, or one for each index of the batch dimensions that a kernel does not take. */
export function dispatchesOf(product: Product, kernel: Kernel): DispatchPlan[] {
  const outer = product.batch.slice(0, Math.max(0, product.batch.length - KERNEL_BATCH))
  const inner = product.batch.slice(outer.length)
  const slices = slicesOf({ batch: inner })
  const { epilogue, output } = product
  const single = kernel.single === true && product.a.window === undefined
  const forms = { a: single ? 'any' : readForm(product, 'a'), b: readForm(product, 'b') } as const
  const half = product.accumulate === 'f16'
  const halves = half || kernel.halves === true
  const stores = kernel.stores ?? 'quad'
  const operand = (name: string, type: TensorType, wide: boolean): OperandSpec => {
    const isSide = name === 'a' || name === 'b'
    const raw = halves && type.dtype === 'f16' && isSide
    return {
      name,
      dtype: type.dtype,
      access: name === 'y' ? 'write' : 'read',
      ...(wide ? { width: 4 } : {}),
      ...(raw ? { raw: true } : {}),
      ...(isSide && kernel.direct === true ? { direct: true } : {}),
    }
  }
  const reads = kernel.reads ?? true
  const wide = (which: 'a' | 'b'): boolean => {
    if (product[which].window === undefined) return forms[which] !== 'any'
    const steps = product.batch.map((dimension) => dimension[which])
    return isWide(product[which], steps)
  }
  const window = reads ? (product.a.window ?? product.b.window) : undefined
  const sides: (OperandSpec & { readonly ref: TensorRef })[] = [
    { ...operand('a', product.a.type, wide('a')), ref: { kind: 'input', index: product.a.input } },
    { ...operand('b', product.b.type, wide('b')), ref: { kind: 'input', index: product.b.input } },
  ]
  const bound = reads ? [...sides, ...sparseOperands(product.b)] : []
  const terms =
    stores === 'none'
      ? []
      : ([
          ['scale', epilogue.scale],
          ['bias', epilogue.bias],
          ['residual', epilogue.residual],
        ] as const)
  for (const [name, term] of terms) {
    if (term !== undefined) bound.push({ ...operand(name, term.type, false), ref: { kind: 'input', index: term.input } })
  }
  if (stores !== 'none')
    bound.push({ ...operand('y', output, stores === 'quad' && storesWide(product)), ref: { kind: 'output', index: 0 } })
  bound.push(...(kernel.extra ?? []))

  const types: Record<string, ParamType> = Object.fromEntries(sizeNames().map((name): [string, ParamType] => [name, 'u32']))
  const windowed = window === undefined ? undefined : windowParams(window)
  const boxed = boxParams(product.stores?.box)
  const sparse = reads ? sparseParams(product) : {}
  Object.assign(types, windowed?.types)
  for (const name of Object.keys(sparse)) types[name] = 'u32'
  for (const name of Object.keys(kernel.params ?? {})) types[name] = 'u32'
  if (stores !== 'none') Object.assign(types, epilogueTypes(product), boxed.types)
  const body = [
    `alias value_t = ${halves ? 'f16' : 'f32'};`,
    `alias acc_t = ${half ? 'f16' : 'f32'};`,
    `const WHOLE_DEPTH = ${product.depth % 4 === 0};`,
    slice,
    ...(window === undefined && product.stores?.box === undefined ? [] : [divided]),
    ...(window === undefined ? [] : [windowConstants(product, window)]),
    ...(reads ? [side(product.a, forms.a, wide('a'), 'left', 'a'), side(product.b, forms.b, wide('b'), 'right', 'b')] : []),
    ...(stores === 'none' ? [] : epilogueWgsl(product, stores)),
    kernel.body,
  ].join('\n')
  const program: ProgramSource = {
    name: `${product.op}/${kernel.name}`,
    body,
    operands: bound.map(specOf),
    params: types,
    constants: kernel.constants,
    workgroupSize: kernel.workgroupSize,
    ...(kernel.workgroupBytes === undefined ? {} : { workgroupBytes: kernel.workgroupBytes }),
    ...requirements(kernel, halves),
  }
  const all = offsetsOf(outer, storesOf(product))
  const cost = { flops: flopsOf(product) / all.length, bytes: bytesOf(product) / all.length, speed: BLOCKED_SPEED }
  return all.map((offset) => ({
    program,
    bind: bound.map(({ ref }) => ref),
    params: {
      ...sizes(product, inner, offset),
      ...windowed?.values,
      ...sparse,
      ...kernel.params,
      ...(stores === 'none' ? {} : { ...epilogueValues(product), ...boxed.values }),
    },
    groups: kernel.groups(slices),
    cost,
  }))
}

function specOf(bound: OperandSpec & { readonly ref: TensorRef }): OperandSpec {
  const { ref, ...spec } = bound
  void ref
  return spec
}

function requirements(kernel: Kernel, half: boolean): Pick<ProgramSource, 'requires'> {
  const requires = [...(kernel.requires ?? []), ...(half ? (['shader-f16'] as const) : [])]
  return requires.length === 0 ? {} : { requires }
}

function side(from: Side, form: ReadForm, wide: boolean, name: 'left' | 'right', operand: string): string {
  const text =
    from.sparse !== undefined
      ? sparseText(from.sparse)
      : from.window === undefined
        ? READ[form]
        : [wide ? windowWide : windowEach, windowBody].join('\n')
  return text.replaceAll('SIDE', name).replaceAll('OPERAND', operand)
}

/** The WGSL of a product's epilogue: finish_quad, and finish where Y is stored one by one. */
export function epilogueWgsl(product: Product, stores: 'quad' | 'one'): string[] {
  const { epilogue } = product
  return [
    epilogue.scale === undefined ? noScale : scale,
    epilogue.bias === undefined ? noBias : bias,
    epilogue.residual === undefined ? noResidual : residual,
    activationWgsl(epilogue.activation),
    finished,
    ...(product.stores?.box === undefined ? [rowsEven] : [`const BOX_LARGE = ${product.rows >= LARGE};`, rowsBox]),
    stores === 'quad' && storesWide(product) ? storeWide : storeOne,
  ]
}

function epilogueTypes({ epilogue }: Product): Record<string, ParamType> {
  return {
    alpha: 'f32',
    ...(epilogue.scale === undefined ? {} : { scale_row: 'u32', scale_column: 'u32' }),
    ...(epilogue.bias === undefined ? {} : { beta: 'f32', bias_row: 'u32', bias_column: 'u32' }),
    ...activationParams(epilogue.activation).types,
  }
}

function epilogueValues({ epilogue }: Product): Record<string, number> {
  const { scale: factors, bias: addend } = epilogue
  return {
    alpha: epilogue.alpha,
    ...(factors === undefined ? {} : { scale_row: factors.row, scale_column: factors.column }),
    ...(addend === undefined ? {} : { beta: addend.factor, bias_row: addend.row, bias_column: addend.column }),
    ...activationParams(epilogue.activation).values,
  }
}

function sizeNames(): string[] {
  const names = ['rows', 'columns', 'depth', 'y_offset', 'y_row', 'y_column', 'y_quad']
  for (const name of ['left', 'right']) {
    names.push(`${name}_lines`, `${name}_offset`, `${name}_line`, `${name}_depth`)
    for (let axis = 0; axis < KERNEL_BATCH; axis++) names.push(`${name}_batch${axis}`)
  }
  for (let axis = 0; axis < KERNEL_BATCH; axis++) names.push(`y_batch${axis}`, `terms_batch${axis}`)
  for (let axis = 1; axis < KERNEL_BATCH; axis++) names.push(`batch${axis}`)
  return names
}

function sizes(product: Product, inner: readonly BatchDimension[], offset: Offset): Record<string, number> {
  const { rows, columns, depth } = product
  const stores = storesOf(product)
  const values: Record<string, number> = {
    rows,
    columns,
    depth,
    y_offset: stores.offset + offset.y,
    // The stride of what there is only one of is never walked.
    y_row: stores.row,
    y_column: stores.column,
    y_quad: stores.quad,
  }
  const put = (name: string, { line, depth: step }: Side, lines: number, start: number): void => {
    values[`${name}_lines`] = lines
    values[`${name}_offset`] = start
    // The stride of what there is only one of is never walked, and need not be a multiple of 4.
    values[`${name}_line`] = lines === 1 ? 0 : line
    values[`${name}_depth`] = depth === 1 ? 0 : step
  }
  put('left', product.a, rows, offset.a)
  put('right', product.b, columns, offset.b)
  const first = KERNEL_BATCH - inner.length
  const outer = product.batch.length - inner.length
  for (let axis = 0; axis < KERNEL_BATCH; axis++) {
    const { size, a, b } = inner[axis - first] ?? { size: 1, a: 0, b: 0 }
    if (axis > 0) values[`batch${axis}`] = size
    values[`left_batch${axis}`] = a
    values[`right_batch${axis}`] = b
    values[`y_batch${axis}`] = axis < first ? 0 : (stores.batch[outer + axis - first] ?? 0)
    values[`terms_batch${axis}`] = axis < first ? 0 : (stores.terms[outer + axis - first] ?? 0)
  }
  return values
}

/** Bytes if every word moved once. */
export function bytesOf({ a, b, epilogue, output }: Product): number {
  const { positions, scales } = b.sparse ?? {}
  const moved = [
    a.type,
    b.type,
    positions?.type,
    scales?.type,
    epilogue.scale?.type,
    epilogue.bias?.type,
    epilogue.residual?.type,
    output,
  ]
  return moved.reduce((sum, type) => sum + (type === undefined ? 0 : sizeOf(type.shape) * deviceByteSize(type.dtype)), 0)
}

interface Offset {
  readonly a: number
  readonly b: number
  readonly y: number
}

/** The offsets of every index of `dimensions`, the first of the product's, in order. */
function offsetsOf(dimensions: readonly BatchDimension[], { batch }: Stores): Offset[] {
  let offsets: Offset[] = [{ a: 0, b: 0, y: 0 }]
  for (const [axis, { size, a, b }] of dimensions.entries()) {
    const y = batch[axis] ?? 0
    offsets = offsets.flatMap((outer) =>
      Array.from({ length: size }, (_, index) => ({ a: outer.a + index * a, b: outer.b + index * b, y: outer.y + index * y })),
    )
  }
  return offsets
}
