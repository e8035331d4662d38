/** `tilewright tune`: measures kernels for the matrix products and convolutions of a model and keeps the fastest for this machine. */
import { Command } from 'commander'
import { OptionError } from '../../errors.ts'
import type { Gpu } from '../../gpu/gpu.ts'
import type { TunedKernel } from '../../gpu/tuning.ts'
import { byEstimate, ratesFor } from '../../ops/gemm/estimate.ts'
import { autotune, distinctTasks, type AutotuneProgress, type AutotuneResult } from '../../profile/autotune.ts'
import type { ModelTasks } from '../../profile/autotune-model.ts'
import { hasRun, type TriedKernel, type TunedProblem } from '../../profile/tournament.ts'
import type { ProblemSizes, Tunable } from '../../profile/tunable.ts'
import type { TuningStore } from '../../profile/tuning.ts'
import { choiceOption, colorsFor, EXIT, integerOption, numberOption, remark, type Colors, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, tuningStore, withGpu } from '../gpu.ts'
import { MODEL_HELP, shapeOptions, sparsityOption } from '../model.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { duration, table, wrapped, type Column } from '../table.ts'
import { workOf, type Work, type WorkFlags } from '../tune-work.ts'

export const TUNE_SCHEMA = 'tilewright.tune/1'

interface Options extends WorkFlags {
  readonly budget: number
  readonly samples: number
  readonly dryRun?: true
  readonly reset?: true
  readonly json?: JsonTarget
  readonly adapter?: string
}

const EXAMPLES = `
Examples:
  tilewright tune vgg16                                  its convolutions and fully connected layers, for a minute
  tilewright tune model.onnx --dim N=8 --budget 300
  tilewright tune model.onnx --layers fc1,fc2 --precision f16
  tilewright tune gemm:128x4096x4096:f16                 a product of [128, 4096] and [4096, 4096] half floats
  tilewright tune conv:64x56x56,128x3x3,s2,p1            128 filters of 3×3 over 64 channels of 56×56, stride 2, padding 1
  tilewright tune conv:8*32x112x112,32x3x3,p1,g32,nhwc   8 pictures, 32 groups, channels innermost; also d2 (dilation), nchw4, f16
  tilewright tune conv:64x1000,128x9,p4                  over one axis; three: conv:16x8x56x56,32x3x3x3,p1
  tilewright tune bench --layers 'llm-*'                 cases of the bench's table
  tilewright tune model.onnx --dry-run                   what would be measured, in the order of the estimate
  tilewright tune --reset                                forgets what was measured on this adapter

Results are kept in TILEWRIGHT_TUNING (a file, or off), else in tilewright/tuning.json of the user's cache folder, by adapter,
version of the kernels, and problem; every command, and openGpu in Node, uses them from then on, but for tilewright bench gemm, which
chooses by rule unless --tuned is given. Each kernel is verified before it is timed. Ctrl-C keeps what was found.
Convolutions are tuned in the layouts and with the fused residual that the compiled model gives them; algorithms that err by more than the
model's bound (the attribute maxError) are out. What weights are packed or transformed into is made once, and not timed. The output says
which layers keep their kernels.
A bare convolution is nchw unless it names nhwc or nchw4. What is tuned counts for that layout alone: tilewright bench conv, like every
model, runs its cases in the layout that the graph picks, which tilewright inspect MODEL --layout shows.
Exit code 1 when a problem could not be tuned, or there was none.`

export function tuneCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('tune')
    .description('Measures kernels for the products and convolutions of a network, and keeps the fastest for this adapter.')
    .argument('[MODEL]', `${MODEL_HELP}; or gemm:MxKxN, conv:CxHxW,MxRxS; or bench, the table of tilewright bench gemm`)
    .option('--budget <SECONDS>', 'time in all; every default kernel is measured in any case', budgetOption, 60)
    .option('--samples <N>', 'samples of the last rounds', integerOption('--samples', 1), 8)
    .option('--layers <LIST>', 'layers (of bench: cases, * allowed) to tune, separated by commas (default: all)', listOption)
    .option(
      '--precision <P>',
      'f32 or f16: how tensors are stored; sums are f32',
      choiceOption('--precision', ['f32', 'f16'] as const),
      'f32',
    )
    .option('--dry-run', 'list what would be measured, and measure nothing')
    .option('--reset', 'first forget what was measured on this adapter')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return sparsityOption(shapeOptions(command)).action(async (model: string | undefined, options: Options) => {
    if (model === undefined && options.reset === undefined) {
      throw new OptionError('tune takes a MODEL', { remedy: 'Name one, or give --reset; see tilewright tune --help' })
    }
    checkWritable(options.json)
    const work = model === undefined ? undefined : await workOf(context, model, options)
    const store = tuningStore(context)
    // What is damaged is told before the work, not after it.
    if (options.reset === undefined && options.dryRun === undefined) await store?.entries()
    exit(await withGpu(context, options.adapter, (gpu) => tune(context, gpu, { model, work, store, options })))
  })
}

interface Job {
  readonly model: string | undefined
  readonly work: Work | undefined
  readonly store: TuningStore | undefined
  readonly options: Options
}

async function tune(context: Context, gpu: Gpu, { model, work: asked, store, options }: Job): Promise<number> {
  if (options.reset === true && options.dryRun === undefined) {
    if (store === undefined) throw new OptionError('There are no results to forget: TILEWRIGHT_TUNING is off')
    const removed = await store.reset(gpu.facts.adapter)
    gpu.tuned.clear()
    remark(context, `Forgot ${removed} results of ${gpu.facts.adapter} in ${store.name}`)
  }
  if (asked === undefined || model === undefined) return EXIT.ok
  const work = asked(gpu.facts)
  if (work.tasks.length === 0) {
    remark(context, `${model} has no matrix product or convolution to tune.`)
    for (const line of untouchedLines(work)) remark(context, line)
    return EXIT.failed
  }
  if (options.dryRun === true) {
    const plan = preview(gpu, work)
    const json = { schema: TUNE_SCHEMA, model, dry_run: true, adapter: gpu.adapter, problems: plan, untouched: work.untouched }
    present(context, options.json, json, () => renderPreview(context, gpu, plan, work))
    return EXIT.ok
  }
  if (store === undefined) remark(context, 'Results will not be kept: TILEWRIGHT_TUNING is off')
  remark(context, `${model} on ${adapterTitle(gpu.adapter)}, at most about ${options.budget} s`)
  const result = await measured(context, gpu, work, store, options)
  const json = { schema: TUNE_SCHEMA, model, ...result, untouched: work.untouched, kept_in: store?.name ?? null }
  present(context, options.json, json, () => render(context, result, work, store))
  if (context.signal.aborted) return EXIT.interrupted
  return result.untuned.length > 0 || !result.complete ? EXIT.failed : EXIT.ok
}

async function measured(
  context: Context,
  gpu: Gpu,
  work: ModelTasks,
  store: TuningStore | undefined,
  { budget, samples }: Options,
): Promise<AutotuneResult> {
  using progress = new Progress(context)
  const titles = progressTitles(work)
  return await autotune(gpu, work.tasks, {
    budgetMs: budget * 1000,
    samples,
    signal: context.signal,
    onProgress: (event: AutotuneProgress) => {
      const title = titles.get(event.problem)
      if (title === undefined) throw new Error(`Progress of ${event.problem}, which is not tuned here`)
      const measured = event.kernels === 0 ? '' : `, ${event.measured} of ${event.kernels} kernels measured`
      progress.update(event.index, event.total, `${title}: ${event.phase}${measured}`)
    },
    ...(store === undefined ? {} : { onTuned: (entry) => store.add([entry]) }),
  })
}

/** By key: layers and sizes for people. */
function progressTitles({ tasks }: ModelTasks): Map<string, string> {
  return new Map(distinctTasks(tasks).map(({ problem, layers }) => [problem.key, `${namesOf(layers)}, ${problem.sizes.text}`]))
}

function budgetOption(text: string): number {
  const seconds = numberOption('--budget', 0)(text)
  if (seconds > 0) return seconds
  throw new OptionError(`--budget takes a positive number of seconds, not ${JSON.stringify(text)}`)
}

function listOption(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new OptionError(`--layers takes names separated by commas, not ${JSON.stringify(text)}`)
  return names
}

interface PreviewRow {
  readonly problem: string
  readonly sizes: ProblemSizes
  readonly layers: readonly string[]
  readonly default: { readonly config: TunedKernel; readonly reason: string }
  /** From the fastest expected on. */
  readonly candidates: readonly { readonly config: TunedKernel; readonly estimate_ms: number; readonly bound: string }[]
  readonly refused: readonly { readonly config: TunedKernel; readonly reason: string }[]
}

function preview({ facts }: Gpu, { tasks }: ModelTasks): PreviewRow[] {
  const rates = ratesFor(facts)
  return distinctTasks(tasks).map(({ problem, layers }) => {
    const now = problem.chosen(facts)
    const { others, refused } = problem.contenders(facts)
    const ranked = [now.config, ...others]
      .map((config) => ({ config, estimate: problem.estimate(config, facts, rates) }))
      .toSorted(byEstimate)
    return {
      problem: problem.key,
      sizes: problem.sizes,
      layers,
      default: now,
      candidates: ranked.map(({ config, estimate }) => ({ config, estimate_ms: estimate.seconds * 1000, bound: estimate.bound })),
      refused,
    }
  })
}

/** Problems by key, for their words. */
function problemsOf({ tasks }: ModelTasks): (key: string) => Tunable {
  const known = new Map(tasks.map(({ problem }) => [problem.key, problem]))
  return (key) => {
    const problem = known.get(key)
    if (problem === undefined) throw new Error(`${key} is not tuned here`)
    return problem
  }
}

const PREVIEW: readonly Column[] = [
  { title: 'Layers' },
  { title: 'Problem' },
  { title: 'Candidates', align: 'right' },
  { title: 'Estimate', align: 'right' },
  { title: 'Bound' },
]

function renderPreview(context: Context, gpu: Gpu, rows: readonly PreviewRow[], work: ModelTasks): string {
  const colors = colorsFor(context, context.out)
  const problemOf = problemsOf(work)
  const cells = rows.map(({ sizes, layers, candidates }) => {
    const [first] = candidates
    const best = first === undefined ? ['–', '–'] : [duration(first.estimate_ms), first.bound]
    return [namesOf(layers), sizes.text, String(candidates.length), ...best]
  })
  const kernels = rows.flatMap(({ problem, sizes, layers, default: now, candidates: [first], refused }) => {
    const { configText } = problemOf(problem)
    const best = first === undefined ? '' : `; first by estimate: ${configText(first.config)}`
    return [
      `${namesOf(layers)}, ${sizes.text}: now ${configText(now.config)} (${now.reason})${best}`,
      ...refusedLines(refused, problemOf(problem), colors),
    ]
  })
  const notes = [`On ${adapterTitle(gpu.adapter)}; nothing was measured.`, ...untouchedLines(work)]
  return ['', table(PREVIEW, cells, colors), '', ...kernels.map((line) => wrapped(line)), ...notes.map(dimmed(colors))].join('\n')
}

function refusedLines(refused: PreviewRow['refused'], { sizes, configText }: Tunable, colors: Colors): string[] {
  return refused.map(({ config, reason }) => `${colors.yellow('out')} ${sizes.text} ${configText(config)}: ${reason}`)
}

const COLUMNS: readonly Column[] = [
  { title: 'Layers' },
  { title: 'Problem' },
  { title: 'Before', align: 'right' },
  { title: 'After', align: 'right' },
  { title: 'Speed-up', align: 'right' },
  { title: 'GFLOP/s', align: 'right' },
  { title: 'Compiles in', align: 'right' },
]

function render(context: Context, result: AutotuneResult, work: ModelTasks, store: TuningStore | undefined): string {
  const colors = colorsFor(context, context.out)
  const problemOf = problemsOf(work)
  const cells = result.tuned.map(({ layers, sizes, before, after, tried }) => {
    const compiled = tried.find(({ config }) => config === after.config)?.compile_ms
    const factor = before.time_ms / after.time_ms
    const text = `${factor.toFixed(2)}×`
    return [
      namesOf(layers),
      sizes.text,
      duration(before.time_ms),
      duration(after.time_ms),
      factor > 1 ? colors.green(text) : text,
      (sizes.flops / after.time_ms / 1e6).toPrecision(3),
      compiled === undefined ? '–' : duration(compiled),
    ]
  })
  const kernels = result.tuned.map((row) => {
    return `${namesOf(row.layers)}, ${row.sizes.text}: ${problemOf(row.problem).configText(row.after.config)}; ${why(row)}`
  })
  const correlation = result.rank_correlation
  const faults = result.tuned.flatMap(({ problem, tried, refused }) => {
    const wrong = tried.flatMap(({ config, fault }: TriedKernel) => (fault === undefined ? [] : [{ config, reason: fault }]))
    return refusedLines([...refused, ...wrong], problemOf(problem), colors)
  })
  const failed = result.untuned.map(({ layers, reason }) => `${colors.red('not tuned')} ${namesOf(layers)}: ${reason}`)
  const kept = store === undefined ? 0 : result.entries.length
  const notes = [
    ...(correlation === undefined ? [] : [`Estimate and time rank alike to ${correlation.toFixed(2)} (1: the same order).`]),
    ...(result.adapter.software ? ['A software adapter: its times rank nothing on a GPU.'] : []),
    ...(store === undefined || kept === 0 ? [] : [`Kept in ${store.name}.`]),
    ...(result.complete ? [] : [notComplete(result, kept)]),
    ...untouchedLines(work),
  ]
  const lines = [...kernels, ...faults, ...failed].map((line) => wrapped(line))
  return ['', table(COLUMNS, cells, colors), '', ...lines, ...notes.map(dimmed(colors))].join('\n')
}

function notComplete({ entries }: AutotuneResult, kept: number): string {
  if (kept > 0) return 'Not complete: what was found is kept.'
  return `Not complete: nothing was ${entries.length > 0 ? 'kept' : 'decided, nothing kept'}.`
}

const dimmed =
  ({ dim }: Colors) =>
  (line: string): string =>
    dim(wrapped(line))

function why({ before, after, decided, tried, candidates }: TunedProblem): string {
  const ran = tried.filter(hasRun).length
  if (!decided) return `not decided, not kept: ${ran} of ${candidates} measured`
  const isSame = after.config === before.config
  return `${isSame ? `${before.reason} stays` : 'fastest'}; ${ran} of ${candidates} verified`
}

/** A layer's name may be a path: its end tells it from others. */
const MOST_NAME = 36

/** As many as fit in a column: `fc1, fc2`, `fc1 and 7 more`. */
function namesOf(layers: readonly string[]): string {
  const all = layers.join(', ')
  if (all.length <= MOST_NAME) return all
  const [first = ''] = layers
  const more = layers.length === 1 ? '' : ` and ${layers.length - 1} more`
  const room = MOST_NAME - more.length
  return `${first.length <= room ? first : `…${first.slice(1 - room)}`}${more}`
}

/** Layers that keep their kernels, a line for each reason. */
function untouchedLines({ untouched }: ModelTasks): string[] {
  const byReason = new Map<string, string[]>()
  for (const { layer, op, reason } of untouched) {
    const key = `${op}: ${reason}`
    byReason.set(key, [...(byReason.get(key) ?? []), layer])
  }
  return [...byReason].map(([reason, layers]) => {
    return `Not touched: ${layers.length} ${reason} (${namesOf(layers)})`
  })
}
