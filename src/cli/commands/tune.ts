/** `tilewright tune`: measures kernels for the matrix products of a model and keeps the fastest for this machine. */
import { Command } from 'commander'
import { OptionError } from '../../errors.ts'
import type { Gpu } from '../../gpu/gpu.ts'
import { choose, productKey } from '../../ops/gemm/choose.ts'
import { rankCandidates } from '../../ops/gemm/estimate.ts'
import { allCandidates, FAMILIES } from '../../ops/gemm/families.ts'
import type { Config } from '../../ops/gemm/family.ts'
import { autotune, distinctTasks, type AutotuneProgress, type AutotuneResult } from '../../profile/autotune.ts'
import type { ModelTasks } from '../../profile/autotune-model.ts'
import { hasRun, sizesOf, type ProductSizes, type TunedProduct } from '../../profile/tournament.ts'
import type { TuningStore } from '../../profile/tuning.ts'
import { choiceOption, colorsFor, EXIT, integerOption, numberOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, tuningStore, withGpu } from '../gpu.ts'
import { MODEL_HELP, shapeOptions } from '../model.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { duration, table, type Column } from '../table.ts'
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
  tilewright tune vgg16                                  its fully connected layers, for a minute
  tilewright tune model.onnx --dim N=8 --budget 300
  tilewright tune model.onnx --layers fc1,fc2 --precision f16
  tilewright tune gemm:128x4096x4096:f16                 a product of [128, 4096] and [4096, 4096] half floats
  tilewright tune bench --layers 'llm-*'                 cases of the bench's table
  tilewright tune model.onnx --dry-run                   what would be measured, in the order of the estimate
  tilewright tune --reset                                forgets what was measured on this adapter

Results are kept in TILEWRIGHT_TUNING (a file, or off), else in tilewright/tuning.json of the user's cache folder, by adapter,
version of the kernels, and problem; every command, and openGpu in Node, uses them from then on. Each kernel is verified before it
is timed. Ctrl-C keeps what was found. Only matrix products are tuned: the output says which layers keep their kernels.
Exit code 1 when a product could not be tuned, or there was none.`

export function tuneCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('tune')
    .description('Measures kernels for the matrix products of a network, and keeps the fastest for this adapter.')
    .argument('[MODEL]', `${MODEL_HELP}; or gemm:MxKxN, gemm:MxKxN:f16; or bench, the table of tilewright bench gemm`)
    .option('--budget <SECONDS>', 'time in all; every default kernel is measured in any case', numberOption('--budget', 0), 60)
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
  return shapeOptions(command).action(async (model: string | undefined, options: Options) => {
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
  const work = asked(gpu.facts.software)
  if (work.tasks.length === 0) {
    remark(context, `${model} has no matrix product to tune.`)
    for (const line of untouchedLines(work)) remark(context, line)
    return EXIT.failed
  }
  if (options.dryRun === true) {
    const plan = preview(gpu, work)
    const json = { schema: TUNE_SCHEMA, model, dry_run: true, adapter: gpu.adapter, products: plan, untouched: work.untouched }
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
  return await autotune(gpu, work.tasks, {
    budgetMs: budget * 1000,
    samples,
    signal: context.signal,
    onProgress: (event: AutotuneProgress) => {
      const kernel = event.config === undefined ? '' : ` ${configText(event.config)}`
      progress.update(event.index, event.total, `${event.product} ${event.phase}${kernel}, ${event.measured} measured`)
    },
    ...(store === undefined ? {} : { onTuned: (entry) => store.add([entry]) }),
  })
}

function listOption(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new OptionError(`--layers takes names separated by commas, not ${JSON.stringify(text)}`)
  return names
}

/** A configuration in a line, without what is its family's default: `broadcast rows 8, strips 2`. */
export function configText({ kernel, ...constants }: Config): string {
  const usual = FAMILIES.get(kernel)?.schema.safeParse({ kernel })
  const defaults = new Map<string, unknown>(Object.entries(usual?.success === true ? usual.data : {}))
  const parts = Object.entries(constants).flatMap(([name, value]) =>
    defaults.get(name) === value ? [] : [`${name} ${String(value)}`],
  )
  return parts.length === 0 ? kernel : `${kernel} ${parts.join(', ')}`
}

/** As the command takes it, M×K×N: `128×4096×11008 f16`. */
function sizesText({ rows, columns, depth, slices, dtype }: ProductSizes): string {
  return `${slices === 1 ? '' : `${slices} of `}${rows}×${depth}×${columns} ${dtype}`
}

interface PreviewRow {
  readonly product: string
  readonly sizes: ProductSizes
  readonly layers: readonly string[]
  readonly default: { readonly config: Config; readonly reason: string }
  /** From the fastest expected on. */
  readonly candidates: readonly { readonly config: Config; readonly estimate_ms: number; readonly bound: string }[]
}

function preview(gpu: Gpu, { tasks }: ModelTasks): PreviewRow[] {
  return distinctTasks(tasks).map(({ product, layers }) => ({
    product: productKey(product),
    sizes: sizesOf(product),
    layers,
    default: choose(product, gpu.facts),
    candidates: rankCandidates(product, allCandidates(product, gpu.facts), gpu.facts).map(({ config, estimate }) => {
      return { config, estimate_ms: estimate.seconds * 1000, bound: estimate.bound }
    }),
  }))
}

const PREVIEW: readonly Column[] = [
  { title: 'Layers' },
  { title: 'Product' },
  { title: 'Kernel now' },
  { title: 'Candidates', align: 'right' },
  { title: 'First by estimate' },
  { title: 'Estimate', align: 'right' },
  { title: 'Bound' },
]

function renderPreview(context: Context, gpu: Gpu, rows: readonly PreviewRow[], work: ModelTasks): string {
  const colors = colorsFor(context, context.out)
  const cells = rows.map(({ sizes, layers, default: now, candidates }) => {
    const [first] = candidates
    const best = first === undefined ? ['–', '–', '–'] : [configText(first.config), duration(first.estimate_ms), first.bound]
    return [namesOf(layers), sizesText(sizes), `${configText(now.config)} (${now.reason})`, String(candidates.length), ...best]
  })
  const notes = [`On ${adapterTitle(gpu.adapter)}; nothing was measured.`, ...untouchedLines(work)]
  return ['', table(PREVIEW, cells, colors), '', ...notes.map(colors.dim)].join('\n')
}

const COLUMNS: readonly Column[] = [
  { title: 'Layers' },
  { title: 'Product' },
  { title: 'Before', align: 'right' },
  { title: 'After', align: 'right' },
  { title: 'Speed-up', align: 'right' },
  { title: 'GFLOP/s', align: 'right' },
  { title: 'Kernel' },
  { title: 'Why' },
]

function render(context: Context, result: AutotuneResult, work: ModelTasks, store: TuningStore | undefined): string {
  const colors = colorsFor(context, context.out)
  const cells = result.tuned.map((row) => {
    const { layers, sizes, before, after } = row
    const factor = before.time_ms / after.time_ms
    const text = `${factor.toFixed(2)}×`
    return [
      namesOf(layers),
      sizesText(sizes),
      duration(before.time_ms),
      duration(after.time_ms),
      factor > 1 ? colors.green(text) : text,
      (sizes.flops / after.time_ms / 1e6).toPrecision(3),
      configText(after.config),
      why(row),
    ]
  })
  const correlation = result.rank_correlation
  const faults = result.tuned.flatMap(({ sizes, tried }) =>
    tried.flatMap(({ config, fault }) =>
      fault === undefined ? [] : [`${colors.yellow('out')} ${sizesText(sizes)} ${configText(config)}: ${fault}`],
    ),
  )
  const failed = result.untuned.map(({ product, reason }) => `${colors.red('not tuned')} ${product}: ${reason}`)
  const notes = [
    ...(correlation === undefined ? [] : [`Estimate and time rank alike to ${correlation.toFixed(2)} (1: the same order).`]),
    ...(result.adapter.software ? ['A software adapter: its times rank nothing on a GPU.'] : []),
    ...(store === undefined || result.entries.length === 0 ? [] : [`Kept in ${store.name}.`]),
    ...(result.complete ? [] : ['Not complete: what was found is kept.']),
    ...untouchedLines(work),
  ]
  return ['', table(COLUMNS, cells, colors), '', ...faults, ...failed, ...notes.map(colors.dim)].join('\n')
}

function why({ before, after, decided, tried, candidates }: TunedProduct): string {
  const ran = tried.filter(hasRun).length
  if (!decided) return `not decided, not kept: ${ran} of ${candidates} measured`
  const isSame = after.config === before.config
  return `${isSame ? `${before.reason} stays, the fastest` : 'fastest'} of ${ran} verified, ${candidates} in all`
}

function namesOf(layers: readonly string[]): string {
  return layers.length <= 3 ? layers.join(', ') : `${layers.slice(0, 2).join(', ')} and ${layers.length - 2} more`
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
