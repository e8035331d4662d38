/**
 * Plans of the column-driven kernels (CSC, EIE), in which a workgroup owns rows of the matrix and walks a part of the depth. Think of the
 * grid as a table: owners across, parts of the depth down; the sums of a column of that table meet in one more dispatch.
 */
import deliverPart from '../../../shaders/sparse/deliver_part.wgsl?raw'
import deliverWhole from '../../../shaders/sparse/deliver_whole.wgsl?raw'
import type { DeviceFacts, DispatchPlan, OpPlan } from '../../gpu/program.ts'
import { dispatchesOf, type Kernel } from '../gemm/dispatch.ts'
import { partialsOf, splitPlan } from '../gemm/kernels/split.ts'
import { powerOfTwo } from '../gemm/kernels/workgroup.ts'
import type { Product } from '../gemm/product.ts'

/** Workgroups that fill a machine, and the fewest columns worth a part of their own. */
const FILLS = { software: 8, gpu: 512 } as const
const LEAST_COLUMNS = 16

/** Sums that a workgroup keeps, at most: 16 KiB of f32, which any device has. */
const MOST_SUMS = 4096

/**
 * How many sums a workgroup keeps for each of `across` (rows of X, or lanes): those of `own` rows, or a window of them. A power of four
 * where that fits, so that layers of about one size share their kernel.
 */
export function windowOf(own: number, across: number, device: DeviceFacts): number {
  const bytes = Math.min(4 * MOST_SUMS, device.limits.maxComputeWorkgroupStorageSize)
  const fits = 2 ** Math.floor(Math.log2(Math.max(1, bytes / (4 * across))))
  return Math.min(4 ** Math.ceil(Math.log2(powerOfTwo(own)) / 2), fits)
}

/** Parts of the depth, where `owners` workgroups share each part. */
export function partsFor(owners: number, depth: number, device: DeviceFacts): number {
  const wanted = Math.ceil((device.software ? FILLS.software : FILLS.gpu) / Math.max(1, owners))
  return Math.max(1, Math.min(wanted, Math.floor(depth / LEAST_COLUMNS)))
}

/**
 * A kernel whose body calls `deliver`, for `parts` parts of the depth: finished by itself, or by a dispatch that adds the parts up.
 * @param kernel without `stores`, and with `groups` for all parts; params `parts` and `part_depth` are added
 */
export function partedPlan(product: Product, kernel: Kernel, parts: number, cost: DispatchPlan['cost'], reason: string): OpPlan {
  const params = { ...kernel.params, parts, part_depth: Math.ceil(product.depth / parts) }
  const whole = { ...kernel, params, reads: false } as const
  if (parts === 1) {
    const dispatches = dispatchesOf(product, { ...whole, body: `${deliverWhole}\n${kernel.body}`, stores: 'one' })
    return { reason, dispatches: dispatches.map((dispatch) => ({ ...dispatch, cost })), temps: [] }
  }
  const { dtype } = partialsOf(product, parts)
  const partial: Kernel = {
    ...whole,
    body: `${deliverPart}\n${kernel.body}`,
    stores: 'none',
    extra: [...(kernel.extra ?? []), { name: 'partials', dtype, access: 'write', ref: { kind: 'temp', index: 0 } }],
  }
  const plan = splitPlan(product, parts, partial, reason)
  return { ...plan, dispatches: plan.dispatches.map((dispatch, index) => (index === 0 ? { ...dispatch, cost } : dispatch)) }
}
