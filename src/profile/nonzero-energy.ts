/**
 * What a network's measured zeros are worth on an accelerator, layer by layer, under one mapping of each: energy where zeros are treated
 * as any value, where the PEs stand still for them (gating saves energy) and where they go on to the next (skipping saves time as well).
 * Densities are those of the layer's own W and X (nonzero.ts), the expectations those of the cost model (src/cost/sparsity.ts).
 */
import { evaluate } from '../cost/evaluate.ts'
import { zeroRules } from '../cost/zero-rules.ts'
import { MappingError, OptionError } from '../errors.ts'
import { DATAFLOW_NAMES } from '../schedule/dataflow.ts'
import type { Hardware, HardwareSparsity } from '../schedule/hardware.ts'
import { mapProblem } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import type { InspectedLayer } from './inspect.ts'
import type { NonzeroLayer, NonzeroReport } from './nonzero.ts'

/** Of a run; energies in the hardware's unit. */
export interface ZeroBill {
  readonly energy: number
  readonly cycles: number
}

export interface LayerEnergy {
  readonly dense: ZeroBill
  /** A MAC with a zero factor is gated, and the weight read and output updated for it (`zeroRules`). */
  readonly gated: ZeroBill
  /** The same, skipped. */
  readonly skipped: ZeroBill
  /** As the hardware's own description has it, where it says what it does about zeros and its formats hold the layer. */
  readonly own?: ZeroBill
}

export interface NetworkEnergy {
  readonly hardware: string
  /** null: no constraint. */
  readonly dataflow: string | null
  /** Mappings that each layer's was chosen from, at most. */
  readonly budget: number
  readonly unit?: string
  readonly total: LayerEnergy
  readonly layers: Readonly<Record<string, LayerEnergy>>
  /** Why layers have no bill, or not their `own`; a total is of all that have one, and `own` there only where all do. */
  readonly unpriced: readonly { readonly name: string; readonly reason: string }[]
}

export interface PriceOptions {
  /** Default 3000. */
  readonly budget?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number, layer: string) => void
}

/** Mappings of a layer that are looked at. */
const BUDGET = 3000

/**
 * @param inspected the layers of the same network, for their loop nests
 * @throws OptionError for a hardware that the cost model cannot price; the signal's reason
 */
export async function priceNonzeros(
  { layers }: NonzeroReport,
  inspected: readonly InspectedLayer[],
  hardware: Hardware,
  { budget = BUDGET, signal, onProgress }: PriceOptions = {},
): Promise<NetworkEnergy> {
  const dataflow = DATAFLOW_NAMES.find((name) => name === hardware.dataflow) ?? null
  const problems = new Map(inspected.map(({ name, problem }) => [name, problem]))
  const priced: [string, LayerEnergy][] = []
  const unpriced: { name: string; reason: string }[] = []
  for (const [index, layer] of layers.entries()) {
    onProgress?.(index, layers.length, layer.name)
    // A search is one long computation: let timers and signals in between layers.
    await new Promise((resolve) => setTimeout(resolve))
    signal?.throwIfAborted()
    const problem = problems.get(layer.name)
    if (problem === undefined) {
      unpriced.push({ name: layer.name, reason: `No dataflow runs this ${layer.op}` })
      continue
    }
    try {
      const { reason, ...bills } = layerEnergy(problem, hardware, layer, { budget, dataflow: dataflow ?? undefined })
      priced.push([layer.name, bills])
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
    budget,
    ...(hardware.energy_unit === undefined ? {} : { unit: hardware.energy_unit }),
    total: {
      dense: sumOf(priced.map(([, { dense }]) => dense)),
      gated: sumOf(priced.map(([, { gated }]) => gated)),
      skipped: sumOf(priced.map(([, { skipped }]) => skipped)),
      ...(owns.length > 0 && owns.length === priced.length ? { own: sumOf(owns) } : {}),
    },
    layers: Object.fromEntries(priced),
    unpriced,
  }
}

function layerEnergy(
  problem: Problem,
  hardware: Hardware,
  { density }: Pick<NonzeroLayer, 'density'>,
  search: { readonly budget: number; readonly dataflow: string | undefined },
): LayerEnergy & { readonly reason?: string } {
  const { mapping, evaluation } = mapProblem(problem, { hardware, ...search })
  const bill = (sparsity: HardwareSparsity): ZeroBill => {
    const { sparse } = evaluate(problem, { ...hardware, sparsity }, mapping, { densities: density })
    return { energy: sparse.energy.total, cycles: sparse.cycles }
  }
  const bills = {
    dense: { energy: evaluation.energy.total, cycles: evaluation.cycles },
    gated: bill(zeroRules(hardware, 'gate')),
    skipped: bill(zeroRules(hardware, 'skip')),
  }
  if (hardware.sparsity === undefined) return bills
  try {
    return { ...bills, own: bill(hardware.sparsity) }
  } catch (error) {
    // A format that cannot hold these weights, as 2:4 those that are not pruned.
    if (!(error instanceof OptionError)) throw error
    return { ...bills, reason: `As ${hardware.name} is described: ${error.message}` }
  }
}

function sumOf(bills: readonly ZeroBill[]): ZeroBill {
  return bills.reduce<ZeroBill>((sum, bill) => ({ energy: sum.energy + bill.energy, cycles: sum.cycles + bill.cycles }), {
    energy: 0,
    cycles: 0,
  })
}
