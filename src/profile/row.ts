/** One row of a profile: a layer under a dataflow, mapped, run, verified, timed and counted. */
import { evaluate } from '../cost/evaluate.ts'
import { compare } from '../ops/tolerance.ts'
import type { Dataflow } from '../schedule/dataflow.ts'
import { mapForGpu } from '../schedule/gpu-mapping.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { differences, readCounters } from '../schedule/lowering/counters.ts'
import { predictIssued } from '../schedule/lowering/issued.ts'
import { COUNTERS, lower } from '../schedule/lowering/lower.ts'
import { runConvolution } from './convolution-row.ts'
import { orSkipped, runCounted, verifyAndTime, worse, type Row, type RowContext } from './measure.ts'
import { runProduct } from './product-row.ts'
import { runOwn } from './own-row.ts'

/** Runs a layer under a dataflow. What the adapter or the dataflow cannot take comes back as `skipped`, with why. */
export async function runDataflow(context: RowContext, dataflow: Dataflow, hardware: Hardware): Promise<Row> {
  return orSkipped(async () => {
    const { gpu, layer, phase, signal } = context
    phase('map')
    const input = { rows: layer.x.shape[2] ?? 1, columns: layer.x.shape[3] ?? 1 }
    const found = mapForGpu(layer.problem, dataflow, hardware, gpu.facts, input, signal === undefined ? {} : { signal })
    const lowered = (build: 'fast' | 'counted') => lower(layer.problem, found.mapping, gpu.facts, build, layer, input)
    const fast = lowered('fast')
    const measured = await verifyAndTime(context, fast.plan)

    phase('count')
    const counted = await runCounted(context, lowered('counted').plan, 2 * COUNTERS)
    const counts = readCounters(counted.counters)
    const countedCheck = compare(counted.y, layer.reference)
    const issued = predictIssued(fast.nest, input)
    const wrong = differences(issued, counts)
    const predicted = { ...evaluate(layer.problem, found.hardware, found.mapping), issued }
    return {
      clock: measured.clock,
      report: {
        mapping: found.mapping,
        predicted,
        counted: counts,
        counted_equal: wrong.length === 0,
        ...measured.figures,
        ...worse(measured.check, countedCheck),
        notes: [fast.plan.reason, searchedNote(found.searched), ...found.notes, ...wrong],
      },
    }
  })
}

/** Runs a layer with its op's default kernel. A product's kernel is priced where mappings are made for this GPU (`gpu`). */
export async function runFastest(context: RowContext, hardware: Hardware): Promise<Row> {
  return orSkipped(async () => {
    const { layer } = context
    if (layer.own !== undefined && layer.ownOnly !== undefined) return runOwn(context, layer.own)
    if (layer.own !== undefined) return runProduct(context, layer.own, hardware.name === 'gpu')
    return runConvolution(context)
  })
}

function searchedNote({ seen, total, exhaustive }: { seen: number; total: number; exhaustive: boolean }): string {
  return exhaustive ? `mapper: all ${total} candidates` : `mapper: ${seen} legal mappings seen of ${total} candidates`
}
