/** Accesses that a kernel's dispatches make, counted as they run, and held against those that were predicted. */
import { countAccesses } from '../gpu/counted.ts'
import type { DeviceTensor } from '../gpu/device-tensor.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { OpPlan } from '../gpu/program.ts'
import type { TensorType } from '../tensor/tensor.ts'
import type { KernelAccesses } from './report.ts'

/** Of all dispatches of a plan together, but for those that prepare. @throws as `countAccesses` */
export async function countedAccesses(
  gpu: Gpu,
  plan: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly TensorType[],
): Promise<KernelAccesses> {
  const sums: Record<string, { loads: number; stores: number }> = {}
  const preparing = (plan.prepared ?? []).reduce((count, { dispatches }) => count + dispatches.length, 0)
  for (const dispatch of (await countAccesses(gpu, plan, inputs, outputs)).slice(preparing)) {
    for (const [name, { loads, stores }] of Object.entries(dispatch)) {
      const sum = (sums[name] ??= { loads: 0, stores: 0 })
      sum.loads += loads
      sum.stores += stores
    }
  }
  return sums
}

/** Figures that differ, in words. An operand that one side does not name has none. */
export function accessDifferences(predicted: KernelAccesses, counted: KernelAccesses): string[] {
  const names = [...new Set([...Object.keys(predicted), ...Object.keys(counted)])]
  return names.flatMap((name) =>
    (['loads', 'stores'] as const).flatMap((kind) => {
      const [expected, found] = [predicted[name]?.[kind] ?? 0, counted[name]?.[kind] ?? 0]
      return expected === found ? [] : [`${name} ${kind}: counted ${found}, predicted ${expected}`]
    }),
  )
}
