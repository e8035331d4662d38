/**
 * Kernels that were measured rather than reasoned: which the device's facts carry (the user's own tuning), which ship with Tilewright,
 * and the version of the kernels that both were measured with. Products and convolutions share them, each under keys of its own. Think
 * of a choice as three drawers, opened in this order: tuned, shipped, rule.
 */
import type { DeviceFacts } from '../gpu/program.ts'
import { nameOfKernel, type TunedKernel } from '../gpu/tuning.ts'
import shipped from './shipped.json' with { type: 'json' }

/** Kernels measured on one kind of adapter. */
interface Shipped {
  /** A word of the adapter's key (`DeviceFacts.adapter`): `llvmpipe`. */
  readonly adapter: string
  /** By `productKey` or `convolutionKey`. */
  readonly kernels: Readonly<Record<string, TunedKernel>>
}

const SHIPPED: readonly (Shipped & { readonly map: ReadonlyMap<string, TunedKernel> })[] = shipped.adapters.map(
  (entry: Shipped) => {
    return { ...entry, map: new Map(Object.entries(entry.kernels)) }
  },
)

/** What was measured before release on this kind of adapter. */
export function shippedKernels(adapter: string): ReadonlyMap<string, TunedKernel> {
  const words = adapter.split('-')
  return SHIPPED.find((entry) => words.includes(entry.adapter))?.map ?? new Map()
}

export interface Kept<C> {
  readonly config: C
  readonly reason: 'tuned' | 'shipped'
}

/**
 * The measured kernel of a problem, and which measured ones its device cannot run (tuning kept under other limits or features).
 * @param key `productKey` or `convolutionKey` of the problem
 * @param legal the configuration where it can run, else why not, as text that follows its name
 */
export function keptKernel<C extends object>(
  key: string,
  device: DeviceFacts,
  legal: (given: TunedKernel) => C | string,
): { readonly kept?: Kept<C>; readonly refused: readonly string[] } {
  const refused: string[] = []
  const drawers = [
    ['tuned', device.tuned],
    ['shipped', shippedKernels(device.adapter)],
  ] as const
  for (const [reason, kernels] of drawers) {
    const given = kernels?.get(key)
    if (given === undefined) continue
    const config = legal(given)
    if (typeof config !== 'string') return { kept: { config, reason }, refused }
    refused.push(`${reason} ${nameOfKernel(given)} ${config}`)
  }
  return { refused }
}

/** What `legal` says of a kernel that there is not, or not with these constants. */
export const UNKNOWN_KERNEL = 'is no kernel of this version'

/**
 * A hash of all shaders of products and convolutions: results of tuning are kept under it, since another kernel has other times.
 * Convolutions run kernels of products.
 */
export const KERNELS_VERSION: string = versionOf(
  import.meta.glob<string>(['../../shaders/gemm/**/*.wgsl', '../../shaders/conv/**/*.wgsl'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
)

/** FNV-1a (Fowler, Noll, Vo) over names and texts, in two halves from different starts: 64 bits, 16 hexadecimal digits. */
export function versionOf(sources: Readonly<Record<string, string>>): string {
  const halves = [0x811c9dc5, 0xcbf29ce4]
  for (const [name, text] of Object.entries(sources).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const all = `${name}\n${text}\n`
    for (let at = 0; at < all.length; at++) {
      for (const half of [0, 1] as const) halves[half] = Math.imul((halves[half] ?? 0) ^ all.charCodeAt(at), 0x01000193)
    }
  }
  return halves.map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}
