/** A row of a profile whose layer runs on a systolic array: the array's own steps and words, counted against their closed form. */
import { compare } from '../ops/tolerance.ts'
import type { Hardware } from '../schedule/hardware.ts'
import {
  predictSystolic,
  readSystolicCounts,
  SYSTOLIC_COUNTERS,
  systolicDifferences,
  type SystolicCounts,
} from '../schedule/systolic/counts.ts'
import { systolicEvaluation } from '../schedule/systolic/evaluation.ts'
import { fitArray, lowerSystolic } from '../schedule/systolic/lower.ts'
import { flowOf, type SystolicName } from '../schedule/systolic/shape.ts'
import { orSkipped, runCounted, verifyAndTime, worse, type Row, type RowContext } from './measure.ts'
import type { SystolicSteps } from './report.ts'

/** Runs a layer on the hardware's array, as far as a workgroup holds it. What the adapter cannot take comes back as `skipped`. */
export async function runSystolic(context: RowContext, name: SystolicName, hardware: Hardware): Promise<Row> {
  return orSkipped(async () => {
    const { gpu, layer, phase } = context
    phase('map')
    const flow = flowOf(name)
    const { array, notes } = fitArray(hardware, gpu.facts)
    const lowered = (build: 'fast' | 'counted') => lowerSystolic(layer.problem, flow, array, gpu.facts, build, layer)
    const { plan, shape } = lowered('fast')
    const measured = await verifyAndTime(context, plan)

    phase('count')
    const { y, counters } = await runCounted(context, lowered('counted').plan, 2 * SYSTOLIC_COUNTERS)
    const counted = readSystolicCounts(counters)
    const [, , rows = 1, columns = 1] = layer.x.shape
    const predicted = predictSystolic(layer.problem, shape, { rows, columns })
    const wrong = systolicDifferences(predicted, counted)
    return {
      clock: measured.clock,
      report: {
        predicted: systolicEvaluation(shape, predicted, hardware),
        counted: counted.issued,
        counted_equal: wrong.length === 0,
        systolic: { array, folds: shape.folds, fold_steps: shape.foldSteps, predicted: steps(predicted), counted: steps(counted) },
        ...measured.figures,
        ...worse(measured.check, compare(y, layer.reference)),
        notes: [plan.reason, 'words enter the array from storage, without a buffer between', ...notes, ...wrong],
      },
    }
  })
}

function steps({ steps: count, injections, ejections }: SystolicCounts): SystolicSteps {
  return { steps: count, injections, ejections }
}
