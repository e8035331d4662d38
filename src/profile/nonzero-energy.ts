/**
 * What a network's measured zeros are worth on an accelerator, layer by layer, under one mapping of each: energy where zeros are treated
 * as any value, where the PEs stand still for them (gating saves energy) and where they go on to the next (skipping saves time as well).
 * Densities are those of the layer's own W and X (nonzero.ts), the expectations those of the cost model (src/cost/sparsity.ts).
 *
 * The mapping is the best found for energy × cycles without zeros, under the dataflow that the machine was built for or another: a mapping for energy
 * alone may leave most PEs idle, and then skipping would save time that no one would spend.
 */
import { evaluate } from '../cost/evaluate.ts'
import { withPlainWeights, zeroRules } from '../cost/zero-rules.ts'
import { MappingError, OptionError } from '../errors.ts'
import { constraintNamed, DATAFLOW_NAMES, UNCONSTRAINED } from '../schedule/dataflow.ts'
import type { Hardware, HardwareSparsity } from '../schedule/hardware.ts'
import { mapProblem, type MapResult } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import type { InspectedLayer } from './inspect.ts'
import type { NonzeroLayer, NonzeroReport } from './nonzero.ts'

/** Of a run; energies in the hardware's unit. */
export interface ZeroBill {
  readonly energy: number
  readonly cycles: number
}

export interface LayerEnergy {
  /** Part of the PEs' steps in which they work, zeros treated as any value; of a total, over all its cycles. */
  readonly utilization: number
  readonly dense: ZeroBill
  /** A MAC with a zero factor is gated, and the weight read and output updated for it (`zeroRules`). */
  readonly gated: ZeroBill
  /** The same, skipped. */
  readonly skipped: ZeroBill
  /** As the hardware's own description has it, where it says what it does about zeros. */
  readonly own?: ZeroBill
}

export interface NetworkEnergy {
  readonly hardware: string
  /** null: no constraint. */
  readonly dataflow: string | null
  /** What the mappings were chosen by, without zeros. */
  readonly objective: typeof OBJECTIVE
  /** Mappings that each search of a layer looks at, at most, and how many searches there are. */
  readonly budget: number
  readonly seeds: number
  readonly unit?: string
  readonly total: LayerEnergy
  readonly layers: Readonly<Record<string, LayerEnergy>>
  /** Why layers have no bill, or not their `own`; a total is of all that have one, and `own` there only where all do. */
  readonly unpriced: readonly { readonly name: string; readonly reason: string }[]
  /** Layers that the hardware would store as 2:4 and whose weights do not hold it: their `own` stores and multiplies all of them. */
  readonly not_two_of_four: readonly string[]
}

export interface PriceOptions {
  /** Mappings that each search looks at, default `BUDGET`. */
  readonly budget?: number
  /** A name, or `none`; default: the one that the hardware was built for, where it is one of the literature's. */
  readonly dataflow?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number, layer: string) => void
}

const OBJECTIVE = 'edp'
/** Mappings that a search looks at. */
export const BUDGET = 20_000
/** A search with another seed sees others: the best of three is seldom far from that of a long one. */
export const SEEDS = [1, 2, 3] as const

/**
 * @param inspected the layers of the same network, for their loop nests
 * @throws OptionError for a hardware that the cost model cannot price, or an unknown dataflow; the signal's reason
 */
export async function priceNonzeros(
  { layers }: NonzeroReport,
  inspected: readonly InspectedLayer[],
  hardware: Hardware,
  { budget = BUDGET, dataflow: wanted, signal, onProgress }: PriceOptions = {},
): Promise<NetworkEnergy> {
  const { name } = constraintNamed(wanted ?? DATAFLOW_NAMES.find((known) => known === hardware.dataflow))
  const dataflow = name === UNCONSTRAINED.name ? null : name
  const problems = new Map(inspected.map(({ name, problem }) => [name, problem]))
  const priced: [string, LayerEnergy][] = []
  const unpriced: { name: string; reason: string }[] = []
  const plain: string[] = []
  // Layers of one shape have one mapping.
  const found = new Map<string, MapResult>()
  for (const [index, layer] of layers.entries()) {
    onProgress?.(index, layers.length, layer.name)
    signal?.throwIfAborted()
    const problem = problems.get(layer.name)
    if (problem === undefined) {
      unpriced.push({ name: layer.name, reason: `No dataflow runs this ${layer.op}` })
      continue
    }
    try {
      const key = JSON.stringify(problem)
      const result = found.get(key) ?? (await bestMapping(problem, hardware, { dataflow: dataflow ?? undefined, budget, signal }))
      found.set(key, result)
      const { reason, isPlain, ...bills } = layerEnergy(problem, hardware, layer, result)
      priced.push([layer.name, bills])
      if (isPlain) plain.push(layer.name)
      if (reason !== undefined) unpriced.push({ name: layer.name, reason })
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      unpriced.push({ name: layer.name, reason: error.message })
    }
  }
  const owns = priced.flatMap(([, { own }]) => (own === undefined ? [] : [own]))
  return {
    hardware: hardware.name,
    dataflow,
    objective: OBJECTIVE,
    budget,
    seeds: SEEDS.length,
    ...(hardware.energy_unit === undefined ? {} : { unit: hardware.energy_unit }),
    total: {
      utilization: busyPart(priced.map(([, bills]) => bills)),
      dense: sumOf(priced.map(([, { dense }]) => dense)),
      gated: sumOf(priced.map(([, { gated }]) => gated)),
      skipped: sumOf(priced.map(([, { skipped }]) => skipped)),
      ...(owns.length > 0 && owns.length === priced.length ? { own: sumOf(owns) } : {}),
    },
    layers: Object.fromEntries(priced),
    unpriced,
    not_two_of_four: plain,
  }
}

/** The best of a search for each seed. @throws MappingError where no mapping is legal; the signal's reason */
async function bestMapping(
  problem: Problem,
  hardware: Hardware,
  {
    signal,
    ...search
  }: { readonly dataflow: string | undefined; readonly budget: number; readonly signal: AbortSignal | undefined },
): Promise<MapResult> {
  let best: MapResult | undefined
  const product = ({ evaluation: { energy, cycles } }: MapResult): number => energy.total * cycles
  for (const seed of SEEDS) {
    // A search is one long computation: let timers and signals in between.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    const result = mapProblem(problem, { hardware, ...search, objective: OBJECTIVE, seed })
    if (best === undefined || product(result) < product(best)) best = result
    if (result.searched.exhaustive) break
  }
  if (best === undefined) throw new OptionError('No search ran')
  return best
}

function layerEnergy(
  problem: Problem,
  hardware: Hardware,
  { density, two_of_four: holds }: Pick<NonzeroLayer, 'density' | 'two_of_four'>,
  { mapping, evaluation }: MapResult,
): LayerEnergy & { readonly reason?: string; readonly isPlain: boolean } {
  const bill = (sparsity: HardwareSparsity): ZeroBill => {
    const { sparse } = evaluate(problem, { ...hardware, sparsity }, mapping, { densities: density })
    return { energy: sparse.energy.total, cycles: sparse.cycles }
  }
  const bills = {
    utilization: evaluation.utilization,
    dense: { energy: evaluation.energy.total, cycles: evaluation.cycles },
    gated: bill(zeroRules(hardware, 'gate')),
    skipped: bill(zeroRules(hardware, 'skip')),
  }
  const { sparsity } = hardware
  if (sparsity === undefined) return { ...bills, isPlain: false }
  // What does not hold 2:4 is run dense, as a machine that has both would; so is what holds it for want of neighbours alone.
  const isPlain =
    (holds !== true || density.weights > 0.5) &&
    Object.values(sparsity.levels ?? {}).some(({ weights }) => weights?.format === '2:4')
  try {
    return { ...bills, own: bill(isPlain ? withPlainWeights(sparsity) : sparsity), isPlain }
  } catch (error) {
    // A format that the words of the hardware do not fit, as runs that need to know how wide they are.
    if (!(error instanceof OptionError)) throw error
    return { ...bills, reason: `As ${hardware.name} is described: ${error.message}`, isPlain }
  }
}

/** Utilisations weighted by their cycles. */
function busyPart(layers: readonly LayerEnergy[]): number {
  const cycles = layers.reduce((sum, { dense }) => sum + dense.cycles, 0)
  return cycles === 0 ? 0 : layers.reduce((sum, { dense, utilization }) => sum + dense.cycles * utilization, 0) / cycles
}

function sumOf(bills: readonly ZeroBill[]): ZeroBill {
  return bills.reduce<ZeroBill>((sum, bill) => ({ energy: sum.energy + bill.energy, cycles: sum.cycles + bill.cycles }), {
    energy: 0,
    cycles: 0,
  })
}
