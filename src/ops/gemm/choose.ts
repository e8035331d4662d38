/**
 * Which kernel a product gets: forced by the caller, measured by the tuner, or by rule. Pure: from a problem and facts to a
 * configuration and its reason.
 */
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { familyNamed, forced } from './families.ts'
import type { Config } from './family.ts'
import { keptKernel } from './kept.ts'
import { normalised, type Product } from './product.ts'

export interface Choice {
  readonly config: Config
  readonly reason: string
}

/** What a choice depends on besides the device: sizes, dtypes, strides' forms. Keys the tuner's results. */
export function productKey(product: Product): string {
  const { rows, columns, depth, a, b, output, accumulate } = product
  const slices = product.batch.map(({ size }) => size).join('x')
  const form = (side: Product['a'], lines: number): string => (side.depth === 1 ? 'd' : side.line === 1 || lines === 1 ? 'l' : 's')
  const types = [a.type.dtype, b.type.dtype, output.dtype, accumulate].join('-')
  return `${rows}x${columns}x${depth}${slices === '' ? '' : `*${slices}`} ${types} ${form(a, rows)}${form(b, columns)}`
}

/** The plan of a product; no dispatches where Y is empty. @throws OptionError where a forced kernel is not legal */
export function planProduct(given: Product, device: DeviceFacts, kernel?: string | Config): OpPlan {
  const product = normalised(given)
  const choice = kernel === undefined ? choose(product, device) : { config: forced(product, kernel, device), reason: 'forced' }
  if (sizeOf(product.output.shape) === 0) return { reason: 'empty output: nothing to do', dispatches: [], temps: [] }
  const plan = familyNamed(choice.config.kernel, product.op).plan(product, choice.config, device)
  return { ...plan, reason: `${choice.reason}: ${plan.reason}` }
}

/** By measurement where there is one for this adapter and problem, the user's own or one that ships, else by rule. */
export function choose(product: Product, device: DeviceFacts): Choice {
  const { kept, refused } = keptKernel(product, productKey(product), device)
  const { config, reason } = kept ?? byRule(product, device)
  return { config, reason: [...refused, reason].join('; ') }
}

function byRule(_product: Product, _device: DeviceFacts): Choice {
  return { config: { kernel: 'broadcast', rows: 32, strips: 1, subgroups: 1, staged: true } as Config, reason: 'default kernel' }
}
