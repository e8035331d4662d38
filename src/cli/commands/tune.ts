/** `tilewright tune`: measures kernels for the matrix products of a model and keeps the fastest for this machine. */
import { Command } from 'commander'
import { OptionError } from '../../errors.ts'
import type { Gpu } from '../../gpu/gpu.ts'
import { choose, productKey } from '../../ops/gemm/choose.ts'
import { rankCandidates } from '../../ops/gemm/estimate.ts'
import { allCandidates, FAMILIES, familyNamed } from '../../ops/gemm/families.ts'
import type { Config } from '../../ops/gemm/family.ts'
import { autotune, distinctTasks, type AutotuneProgress, type AutotuneResult } from '../../profile/autotune.ts'
import type { ModelTasks } from '../../profile/autotune-model.ts'
import { hasRun, sizesOf, untunedFacts, type ProductSizes, type TunedProduct } from '../../profile/tournament.ts'
import type { TuningStore } from '../../profile/tuning.ts'
import { choiceOption, colorsFor, EXIT, integerOption, numberOption, remark, type Colors, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, tuningStore, withGpu } from '../gpu.ts'
import { MODEL_HELP, shapeOptions } from '../model.ts'
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
  tilewright tune vgg16                                  its fully connected layers, for a minute
  tilewright tune model.onnx --dim N=8 --budget 300
  tilewright tune model.onnx --layers fc1,fc2 --precision f16
  tilewright tune gemm:128x4096x4096:f16                 a product of [128, 4096] and [4096, 4096] half floats
  tilewright tune bench --layers 'llm-*'                 cases of the bench's table
  tilewright tune model.onnx --dry-run                   what would be measured, in the order of the estimate
  tilewright tune --reset                                forgets what was measured on this adapter

Results are kept in TILEWRIGHT_TUNING (a file, or off), else in tilewright/tuning.json of the user's cache folder, by adapter,
version of the kernels, and problem; every command, and openGpu in Node, uses them from then on, but for tilewright bench gemm, which
chooses by rule unless --tuned is given. Each kernel is verified before it is timed. Ctrl-C keeps what was found. Only matrix products are tuned: the output says which layers keep their kernels.
Exit code 1 when a product could not be tuned, or there was none.`

export function tuneCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('tune')
    .description('Measures kernels for the matrix products of a network, and keeps the fastest for this adapter.')
    .argument('[MODEL]', `${MODEL_HELP}; or gemm:MxKxN, gemm:MxKxN:f16; or bench, the table of tilewright bench gemm`)
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
  const titles = progressTitles(gpu, work)
  return await autotune(gpu, work.tasks, {
    budgetMs: budget * 1000,
    samples,
    signal: context.signal,
    onProgress: (event: AutotuneProgress) => {
      const title = titles.get(event.product)
      if (title === undefined) throw new Error(`Progress of ${event.product}, which is not tuned here`)
      const { name, kernels } = title
      progress.update(event.index, event.total, `${name}: ${event.phase}, ${event.measured} of ${kernels} kernels measured`)
    },
    ...(store === undefined ? {} : { onTuned: (entry) => store.add([entry]) }),
  })
}

/** By `productKey`: layers and sizes for people, and how many kernels there are, the default one among them. */
function progressTitles(gpu: Gpu, { tasks }: ModelTasks): Map<string, { name: string; kernels: number }> {
  const facts = untunedFacts(gpu)
  return new Map(
    distinctTasks(tasks).map(({ product, layers }) => {
      const { config } = choose(product, facts)
      const configs = [familyNamed(config.kernel, product.op).schema.parse(config), ...allCandidates(product, facts)]
      const kernels = new Set(configs.map((one) => JSON.stringify(one))).size
      return [productKey(product), { name: `${namesOf(layers)}, ${sizesText(sizesOf(product))}`, kernels }]
    }),
  )
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
  { title: 'Candidates', align: 'right' },
  { title: 'Estimate', align: 'right' },
  { title: 'Bound' },
]

function renderPreview(context: Context, gpu: Gpu, rows: readonly PreviewRow[], work: ModelTasks): string {
  const colors = colorsFor(context, context.out)
  const cells = rows.map(({ sizes, layers, candidates }) => {
    const [first] = candidates
    const best = first === undefined ? ['–', '–'] : [duration(first.estimate_ms), first.bound]
    return [namesOf(layers), sizesText(sizes), String(candidates.length), ...best]
  })
  const kernels = rows.map(({ sizes, layers, default: now, candidates: [first] }) => {
    const best = first === undefined ? '' : `; first by estimate: ${configText(first.config)}`
    return `${namesOf(layers)}, ${sizesText(sizes)}: now ${configText(now.config)} (${now.reason})${best}`
  })
  const notes = [`On ${adapterTitle(gpu.adapter)}; nothing was measured.`, ...untouchedLines(work)]
  return ['', table(PREVIEW, cells, colors), '', ...kernels.map((line) => wrapped(line)), ...notes.map(dimmed(colors))].join('\n')
}

const COLUMNS: readonly Column[] = [
  { title: 'Layers' },
  { title: 'Product' },
  { title: 'Before', align: 'right' },
  { title: 'After', align: 'right' },
  { title: 'Speed-up', align: 'right' },
  { title: 'GFLOP/s', align: 'right' },
]

function render(context: Context, result: AutotuneResult, work: ModelTasks, store: TuningStore | undefined): string {
  const colors = colorsFor(context, context.out)
  const cells = result.tuned.map(({ layers, sizes, before, after }) => {
    const factor = before.time_ms / after.time_ms
    const text = `${factor.toFixed(2)}×`
    return [
      namesOf(layers),
      sizesText(sizes),
      duration(before.time_ms),
      duration(after.time_ms),
      factor > 1 ? colors.green(text) : text,
      (sizes.flops / after.time_ms / 1e6).toPrecision(3),
    ]
  })
  const kernels = result.tuned.map((row) => {
    return `${namesOf(row.layers)}, ${sizesText(row.sizes)}: ${configText(row.after.config)}; ${why(row)}`
  })
  const correlation = result.rank_correlation
  const faults = result.tuned.flatMap(({ sizes, tried }) =>
    tried.flatMap(({ config, fault }) =>
      fault === undefined ? [] : [`${colors.yellow('out')} ${sizesText(sizes)} ${configText(config)}: ${fault}`],
    ),
  )
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

function why({ before, after, decided, tried, candidates }: TunedProduct): string {
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
