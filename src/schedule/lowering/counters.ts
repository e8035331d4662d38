/** Reading the 64-bit counters of a counted build back into `Issued`, and holding them against the prediction. */
import type { Issued } from '../../cost/evaluation.ts'
import { OPERANDS } from '../problem.ts'
import { COUNTERS } from './lower.ts'

/** @param counts u32 pairs (low, high), in the order of shaders/dataflow/access_counted.wgsl */
export function readCounters(counts: Uint32Array): Issued {
  const at = (index: number): number => (counts[2 * index] ?? 0) + 2 ** 32 * (counts[2 * index + 1] ?? 0)
  if (counts.length !== 2 * COUNTERS) throw new RangeError(`Expected ${2 * COUNTERS} counter words, got ${counts.length}`)
  return {
    macs: at(0),
    storage: {
      weights: { loads: at(1), stores: 0 },
      inputs: { loads: at(2), stores: 0 },
      outputs: { loads: at(3), stores: at(4) },
    },
    workgroup: {
      weights: { loads: at(5), stores: at(8) },
      inputs: { loads: at(6), stores: at(9) },
      outputs: { loads: at(7), stores: at(10) },
    },
    hops: { weights: 0, inputs: at(12), outputs: at(11) },
  }
}

/** Figures that differ, as `workgroup inputs loads: predicted 12, counted 13`; empty when all are equal. */
export function differences(predicted: Issued, counted: Issued): string[] {
  const rows: [string, number, number][] = [['macs', predicted.macs, counted.macs]]
  for (const operand of OPERANDS) {
    for (const space of ['storage', 'workgroup'] as const) {
      for (const kind of ['loads', 'stores'] as const) {
        rows.push([`${space} ${operand} ${kind}`, predicted[space][operand][kind], counted[space][operand][kind]])
      }
    }
    rows.push([`hops ${operand}`, predicted.hops[operand], counted.hops[operand]])
  }
  return rows.filter(([, a, b]) => a !== b).map(([name, a, b]) => `${name}: predicted ${a}, counted ${b}`)
}
