/**
 * Split-K: a product whose grid does not fill the machine has its depth cut into parts that run side by side. Think of it as an
 * assembly line with two stations: the kernel leaves partial sums in a temp, one more dispatch adds them up and runs the epilogue.
 *
 *     partials [split][slice][row][column, in whole quads]  f32
 *
 * The parts are added in order, so that results do not depend on what ran first. Any kernel that can leave partial sums can use it.
 */
import reduceBody from '../../../../shaders/gemm/reduce.wgsl?raw'
import { deviceByteSize, segmentBytes, segmentCount, type DeviceFacts, type OpPlan } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import { dispatchesOf, slicesPerDispatch, type Kernel } from '../dispatch.ts'
import type { Accesses } from '../family.ts'
import { slicesOf, type Product } from '../product.ts'

/** Below two steps of depth a part has nothing to overlap its loads with. */
const LEAST_STEPS = 2
const REDUCE_LANES = 64

/** The temp of partial sums. */
export function partialsOf(product: Product, splits: number): TensorType {
  return { dtype: 'f32', shape: [splits, slicesPerDispatch(product), product.rows, 4 * Math.ceil(product.columns / 4)] }
}

/** Why a depth of `steps` steps cannot be split, or the partial sums not be held. Undefined where it can. */
export function splitRefusal(product: Product, splits: number, steps: number, device: DeviceFacts): string | undefined {
  if (splits === 1) return undefined
  if (steps < LEAST_STEPS * splits) return `${splits} splits of ${steps} steps of depth: each needs at least ${LEAST_STEPS}`
  return partialsRefusal(product, partialsOf(product, splits), device)
}

/** Why a temp of partial sums cannot be held, or bound beside A and B (and, with `finishes`, beside those of the epilogue too). */
export function partialsRefusal(product: Product, partials: TensorType, device: DeviceFacts, finishes = false): string | undefined {
  const bytes = sizeOf(partials.shape) * deviceByteSize(partials.dtype)
  if (sizeOf(partials.shape) >= 2 ** 31) return `partial sums of ${bytes} bytes have too many elements for 32-bit indices`
  const { a, b, epilogue, output } = product
  const segment = segmentBytes(device.limits)
  const bindings = (types: readonly (TensorType | undefined)[]): number =>
    types.reduce((count, type) => count + (type === undefined ? 0 : segmentCount(type, segment)), 0)
  const sides = bindings([a.type, b.type, b.sparse?.positions.type, b.sparse?.scales?.type])
  const finishing = bindings([epilogue.scale?.type, epilogue.bias?.type, epilogue.residual?.type, output])
  const most = (finishes ? sides + finishing : Math.max(sides, finishing)) + bindings([partials])
  const limit = device.limits.maxStorageBuffersPerShaderStage
  return most > limit
    ? `with partial sums of ${bytes} bytes ${most} storage bindings, maxStorageBuffersPerShaderStage ${limit}`
    : undefined
}

/** Of `kernel` with partial sums: what it is given besides, as `Kernel` fields. Its body stores by `store_partials`. */
export function splitKernel(product: Product, splits: number): Pick<Kernel, 'stores' | 'extra'> & { params: { slices: number } } {
  return {
    stores: 'none',
    extra: [
      { name: 'partials', dtype: partialsOf(product, splits).dtype, access: 'write', width: 4, ref: { kind: 'temp', index: 0 } },
    ],
    params: { slices: slicesPerDispatch(product) },
  }
}

/** The plan of a kernel that leaves partial sums of `splits` parts of the depth, each dispatch followed by one that adds them up. */
export function splitPlan(product: Product, splits: number, kernel: Kernel, reason: string): OpPlan {
  const partials = partialsOf(product, splits)
  const { rows, columns } = product
  const quads = slicesPerDispatch(product) * rows * Math.ceil(columns / 4)
  const finishing = dispatchesOf(product, {
    name: 'reduce',
    body: reduceBody,
    constants: { SPLITS: splits },
    workgroupSize: [REDUCE_LANES, 1, 1],
    reads: false,
    extra: [{ name: 'partials', dtype: partials.dtype, access: 'read', width: 4, ref: { kind: 'temp', index: 0 } }],
    groups: () => Math.ceil(quads / REDUCE_LANES),
    params: { slices: slicesPerDispatch(product) },
  })
  const bytes = (1 + 1 / splits) * sizeOf(partials.shape) * deviceByteSize(partials.dtype)
  const reduce = finishing.map((dispatch) => ({ ...dispatch, cost: { flops: sizeOf(partials.shape), bytes } }))
  return {
    reason: `${reason}, the depth in ${splits} parts`,
    dispatches: dispatchesOf(product, kernel).flatMap((dispatch, index) => [dispatch, ...reduce.slice(index, index + 1)]),
    temps: [partials],
  }
}

/** Accesses to the partial sums: every one is stored once and loaded once, in whole quads. */
export function splitAccesses(product: Product, splits: number): Accesses {
  const count = slicesOf(product) * product.rows * 4 * Math.ceil(product.columns / 4) * splits
  return { partials: { loads: count, stores: count } }
}
