/**
 * Which kernel a product gets: forced by the caller, measured by the tuner, or by rule. Pure: from a problem and facts to a
 * configuration and its reason.
 */
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import type { TunedKernel } from '../../gpu/tuning.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { keptKernel, UNKNOWN_KERNEL } from '../kept.ts'
import { FAMILIES, familyNamed, forced } from './families.ts'
import type { Config } from './family.ts'
import { broadcast, type BroadcastConfig } from './kernels/broadcast.ts'
import { matrix } from './kernels/matrix.ts'
import { tiledByRule } from './kernels/tiled.ts'
import { twoOfFourByRule } from './kernels/two-of-four.ts'
import { vectorByRule } from './kernels/vector.ts'
import { flopsOf, normalised, type Product, type Window } from './product.ts'

export interface Choice {
  readonly config: Config
  readonly reason: string
}

/** What a choice depends on besides the device: sizes, dtypes, strides' forms. Keys the tuner's results. */
export function productKey(product: Product): string {
  const { rows, columns, depth, a, b, output, accumulate } = product
  const slices = product.batch.map(({ size }) => size).join('x')
  const form = (side: Product['a'], lines: number): string =>
    side.window !== undefined ? 'w' : side.depth === 1 ? 'd' : side.line === 1 || lines === 1 ? 'l' : 's'
  const types = [a.type.dtype, b.type.dtype, output.dtype, accumulate].join('-')
  const window = a.window ?? b.window
  const patches = window === undefined ? '' : ` ${windowKey(window)}`
  const { sparse } = b
  const kept =
    sparse === undefined ? '' : ` 2:4x${sparse.share}b${sparse.bits}${sparse.scales === undefined ? '' : `/${sparse.scales.block}`}`
  const strided = product.stores === undefined ? '' : product.stores.column === 1 ? ' rows' : ' columns'
  return `${rows}x${columns}x${depth}${slices === '' ? '' : `*${slices}`} ${types} ${form(a, rows)}${form(b, columns)}${patches}${strided}${kept}`
}

/** Taps, strides, dilations and order of a window: what its reading costs depends on. */
function windowKey({ axes, channels, held, strides, order }: Window): string {
  const each = axes.map(({ kernel, stride, dilation }) => `${kernel}s${stride}d${dilation}`).join('x')
  return `${each}c${held ?? channels}${order === 'taps' ? 't' : 'c'}${strides.channel === 1 ? 'i' : 'o'}`
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
  const { kept, refused } = keptKernel(productKey(product), device, (given) => keptConfig(product, given, device))
  const { config, reason } = kept ?? byRule(product, device)
  return { config, reason: [...refused, reason].join('; ') }
}

/** A measured kernel where it can run; else why not. */
function keptConfig(product: Product, given: TunedKernel, device: DeviceFacts): Config | string {
  const family = 'algorithm' in given ? undefined : FAMILIES.get(given.kernel)
  const parsed = family?.schema.safeParse(given)
  if (family === undefined || parsed?.success !== true) return UNKNOWN_KERNEL
  const refusal = family.refusal(product, parsed.data, device)
  return refusal === undefined ? parsed.data : `cannot run: ${refusal}`
}

/**
 * The rule where nothing was measured:
 *
 *     B in 2:4, rows ≤ 16                                    two-of-four half the bytes of B, which are the bound
 *     (in software any, where lanes exchange values and A is no window)
 *     rows ≤ 16                                              vector      B is read once, its bandwidth is the bound
 *     (in software rows ≤ 2, up to 16 where B's rows lie pages apart)
 *     software adapter, subgroups of one size                broadcast   loads are the bound there, workgroup memory is no faster
 *     GPU, f16 operands, matrix units, no tiny sides         matrix
 *     else                                                   tiled       on any device
 */
export function byRule(product: Product, device: DeviceFacts): Choice {
  const { rows, columns, depth } = product
  const kept = twoOfFourByRule(product, device)
  if (kept !== undefined) return kept
  const few = vectorByRule(product, device)
  if (few !== undefined) return { config: few, reason: `by rule for ${rows === 1 ? 'one row' : `${rows} rows`}` }
  if (device.software) {
    const config: BroadcastConfig = {
      kernel: 'broadcast',
      rows: rows <= 4 ? 4 : rows <= 8 ? 8 : rows <= 16 || flopsOf(product) < LONG_FLOPS || sharesWindow(product) ? 16 : 32,
      strips: rows <= 16 || sharesWindow(product) ? 2 : 1,
      subgroups: 1,
      staged: true,
    }
    if (broadcast.refusal(product, config, device) === undefined) return { config, reason: 'by rule on a software adapter' }
  } else if (Math.min(rows, columns, depth) >= LEAST_MATRIX_SIDE) {
    const [config] = matrix.candidates(product, device)
    if (config !== undefined) return { config, reason: 'by rule for halves on matrix units' }
  }
  return { config: tiledByRule(product, device), reason: 'by rule' }
}

/** Columns of one strip of a subgroup of eight. */
const STRIP = 32

/** What is found of a window serves two strips at once, where both are full: 1.3 to 1.4 times as fast on lavapipe. */
function sharesWindow({ a, columns }: Product): boolean {
  return a.window !== undefined && columns >= 2 * STRIP && (Math.ceil(columns / STRIP) % 2 === 0 || columns >= 8 * STRIP)
}

/** On software adapters, 32 rows at once take 40 ms longer to compile than 16; from here on a single run makes up for some of it. */
const LONG_FLOPS = 1e9
/** Below a fragment along every side, most of what matrix units compute is thrown away. */
const LEAST_MATRIX_SIDE = 16
