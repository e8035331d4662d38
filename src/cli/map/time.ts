/** `tilewright map --objective time`: the mappings that cost least by prediction are run on the GPU; the fastest wins. */
import { OptionError } from '../../errors.ts'
import { timeloopFile } from '../../formats/timeloop/write.ts'
import { ranks } from '../../profile/rank.ts'
import { tuneProblem, type TuneResult } from '../../profile/tune.ts'
import type { Dataflow } from '../../schedule/dataflow.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import { loopNest } from '../../schedule/loopnest.ts'
import type { AdjustFlags } from '../adjust.ts'
import { renderEvaluation } from '../commands/evaluate.ts'
import { colorsFor, EXIT, remark, type Colors, type Context } from '../context.ts'
import { adapterTitle, withGpu } from '../gpu.ts'
import { present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { duration, short, table } from '../table.ts'
import type { Layer } from './search.ts'

export const TIMED_SCHEMA = 'tilewright.map/1'

export interface TimeFlags extends AdjustFlags {
  readonly halo: 'exact' | 'timeloop'
  readonly seed?: number
  readonly budget?: number
  readonly candidates?: number
  readonly samples?: number
  readonly adapter?: string
  readonly workers?: number
  readonly sweep?: readonly unknown[]
  readonly csv?: string
  readonly yaml?: string
  readonly json?: JsonTarget
}

/**
 * Tunes one layer (for this GPU where no hardware is given) and presents the result. Returns the exit code.
 * @throws OptionError for options that measuring has not, and for more than one layer
 */
export async function mapByTime(
  context: Context,
  { layers, hardware: given }: { readonly layers: readonly Layer[]; readonly hardware?: Hardware },
  dataflows: readonly Dataflow[],
  flags: TimeFlags,
): Promise<number> {
  const [layer] = layers
  if (layer === undefined || layers.length > 1) {
    throw new OptionError('Time is measured of one layer', { remedy: 'Give MODEL:LAYER or a problem' })
  }
  const { workers, sweep, csv, energies, bits, zeros, onZeros } = flags
  const other = Object.entries({ workers, sweep, csv, energies, bits, zeros, 'on-zeros': onZeros }).find(
    ([, value]) => value !== undefined,
  )
  if (other !== undefined || flags.halo !== 'exact') {
    throw new OptionError(`--${other?.[0] ?? 'halo timeloop'} does not go with --objective time`, {
      remedy: 'Leave one of them out',
    })
  }
  const result = await withGpu(context, flags.adapter, async (gpu) => {
    remark(context, `${layer.name} on ${adapterTitle(gpu.adapter)}`)
    using progress = new Progress(context)
    return await tuneProblem(gpu, layer.problem, {
      dataflow: dataflows,
      signal: context.signal,
      onProgress: ({ phase, index, total, dataflow }) => progress.update(index, total, `${dataflow} ${phase}`.trim()),
      ...(given === undefined ? {} : { hardware: given }),
      ...(flags.candidates === undefined ? {} : { candidates: flags.candidates }),
      ...(flags.samples === undefined ? {} : { samples: flags.samples }),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      ...(flags.budget === undefined ? {} : { budget: flags.budget }),
    })
  })
  const { mapping, hardware, evaluation } = result
  present(context, flags.json, { schema: TIMED_SCHEMA, objective: 'time', problem: layer.problem, ...result }, () =>
    [
      loopNest(layer.problem, hardware, mapping),
      '',
      renderEvaluation(context, evaluation),
      '',
      renderTried(result, colorsFor(context, context.out)),
    ].join('\n'),
  )
  if (flags.yaml !== undefined) {
    writeText(flags.yaml, `${timeloopFile(layer.problem, hardware, mapping).trimEnd()}\n`)
    remark(context, `Wrote ${flags.yaml}`)
  }
  for (const note of result.notes) remark(context, note)
  if (!result.complete) remark(context, 'Stopped early: the best of what had run.')
  const wrong = result.tried.filter(({ verified, refused }) => !verified && refused === undefined)
  if (wrong.length > 0) remark(context, `VerificationError: ${wrong.length} mappings gave a wrong result; they cannot win.`)
  if (context.signal.aborted) return EXIT.interrupted
  return wrong.length > 0 ? EXIT.failed : EXIT.ok
}

/** What ran, in the order of predicted cost, each with its rank by the clock. */
function renderTried(result: TuneResult, colors: Colors): string {
  const { tried, adapter, clock, searched, rank_correlation: correlation, time_ms: best } = result
  const timed = tried.filter(({ time_ms }) => time_ms !== undefined)
  const predicted = ranks(tried.map(({ score }) => score))
  const measured = ranks(timed.map(({ time_ms }) => time_ms ?? NaN))
  const right = { align: 'right' } as const
  const columns = [
    { title: 'Predicted', ...right },
    { title: 'Measured', ...right },
    { title: 'Dataflow' },
    { title: 'Cost', ...right },
    { title: 'Time', ...right },
    { title: 'GFLOP/s', ...right },
    { title: 'of bound', ...right },
    { title: 'Reference' },
  ]
  const rows = tried.map((one, index) => {
    const head = [rankText(predicted[index])]
    if (one.time_ms === undefined) return [...head, '–', one.dataflow, short(one.score), '–', '–', '–', colors.yellow('refused')]
    const time = duration(one.time_ms)
    return [
      ...head,
      rankText(measured[timed.indexOf(one)]),
      one.dataflow,
      short(one.score),
      one.verified && one.time_ms === best ? colors.bold(time) : time,
      one.gflops === undefined ? '–' : one.gflops.toPrecision(3),
      one.max_error_ratio === undefined ? '–' : `${(100 * one.max_error_ratio).toPrecision(2)} %`,
      one.verified ? colors.green('ok') : colors.red('WRONG'),
    ]
  })
  const source = clock.source === 'wall' ? 'wall clock' : 'timestamp queries'
  const samples = timed.map(({ samples_ms }) => samples_ms?.length ?? 0)
  const count = samples.length === 0 ? '0' : [...new Set([Math.min(...samples), Math.max(...samples)])].join(' to ')
  const agreement = correlation === undefined ? 'not defined here' : correlation.toFixed(2)
  const notes = [
    `Spearman's rank correlation of predicted cost and measured time: ${agreement} (${timed.length} mappings).`,
    `${adapterTitle(adapter)}; median of ${count} after a warm-up, ${source}, quantum ${clock.quantum_ns} ns; of ${short(searched.seen)} mappings whose cost was predicted.`,
    ...(adapter.software ? ['A software adapter: its times rank nothing on a GPU.'] : []),
    ...tried.flatMap(({ refused, dataflow }) => (refused === undefined ? [] : [`${dataflow} refused: ${refused}`])),
  ]
  return [table(columns, rows, colors), '', ...notes.map((note) => colors.dim(note))].join('\n')
}

/** 3, or 2.5 where two share ranks 2 and 3. */
function rankText(rank: number | undefined): string {
  return rank === undefined ? '–' : String(rank)
}
