/** `tilewright profile`: every layer of a network under every dataflow: time, predicted accesses and energy, checked. */
import { Command } from 'commander'
import { OptionError } from '../../errors.ts'
import { figuresOf, rowsOf, type Row } from '../../profile/html/data.ts'
import { profileModel, type ProfileProgress } from '../../profile/profile.ts'
import { configText, type ConvolutionReport, type ProfileReport } from '../../profile/report.ts'
import { traceOf } from '../../profile/trace.ts'
import { DATAFLOW_NAMES } from '../../schedule/dataflow.ts'
import { SYSTOLIC_NAMES, systolicNames } from '../../schedule/systolic/shape.ts'
import { colorsFor, type Colors, EXIT, integerOption, choiceOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, withGpu } from '../gpu.ts'
import { readHardware } from '../hardware.ts'
import { asSparse, MODEL_HELP, modelOptions, openBound, sparsityOption, type ModelFlags } from '../model.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, jsonText, present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { reportPage } from '../report-page.ts'
import { duration, grouped, scientific, short, table, wrapped, type Column } from '../table.ts'

interface Options extends ModelFlags {
  readonly dataflow: readonly string[]
  readonly hardware?: string
  readonly precision: 'f32' | 'f16'
  readonly samples?: number
  readonly roofline?: boolean
  readonly html?: string
  readonly json?: JsonTarget
  readonly trace?: string
  readonly adapter?: string
}

/** What `--dataflow` may name besides `all` and `systolic`: the seven dataflows, the systolic arrays, and the default kernels. */
const CHOICES = [...DATAFLOW_NAMES, ...SYSTOLIC_NAMES, 'fastest'] as const

const EXAMPLES = `
Examples:
  tilewright profile alexnet
  tilewright profile alexnet --dataflow rs,ws --html out/alexnet.html --json out/alexnet.json
  tilewright profile alexnet --dataflow fastest --batch 4
  tilewright profile alexnet --dataflow all,fastest --roofline   the seven beside the default kernels, under one roof
  tilewright profile model.onnx --dataflow os-a --hardware eyeriss --trace out/trace.json
  tilewright profile lenet5 --dataflow fastest --sparsity 2:4    its weights pruned to 2:4, and run so
  tilewright profile lenet5 --dataflow systolic          arrays that count their own steps

Dataflows: ${CHOICES.join(', ')};
all (the default) is the first seven, systolic the three that begin so; fastest, the default kernels, is asked for by name.
Of a default kernel the report says which it is, its expected time, its accesses (predicted and counted) and how much of what the
device allows at its arithmetic intensity (operations of the definition per byte, every word once) was reached; of a convolution's
algorithm also what it multiplies beside the definition's MACs, and its error beside its bound, both relative to the magnitude of the
patch that an output is computed from. Weights are packed or transformed once, which is neither timed nor counted.
Exit code 1 when a row does not agree with the CPU reference, or when its counted accesses are not the predicted ones.`

export function profileCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('profile')
    .description('Runs every layer of a network under accelerator dataflows; measures, predicts, counts and verifies.')
    .argument('MODEL', MODEL_HELP)
    .option('--dataflow <LIST>', 'dataflows, separated by commas', parseDataflows, [...DATAFLOW_NAMES])
    .option('--hardware <NAME|FILE>', 'the hardware that mappings are made for (default: this GPU)')
    .option(
      '--precision <P>',
      'f32 or f16: how tensors are stored; sums are f32',
      choiceOption('--precision', ['f32', 'f16'] as const),
      'f32',
    )
    .option(
      '--samples <N>',
      'timed runs of each row (default: 3, fewer for long rows on a software adapter)',
      integerOption('--samples', 1),
    )
    .option('--roofline', 'every row beside what this device allows at its arithmetic intensity; default kernels have it always')
    .option('--html <FILE>', 'write a self-contained report page')
    .option('--trace <FILE>', 'write a Chrome trace, for Perfetto')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return sparsityOption(modelOptions(command)).action(async (model: string, options: Options) => {
    checkWritable(options.json, options.html, options.trace)
    const hardware = options.hardware === undefined ? undefined : await readHardware(context, options.hardware)
    const graph = await asSparse(context, await openBound(context, model, options), options)
    if (options.sparsity !== undefined && options.dataflow.some((name) => name !== 'fastest')) {
      remark(context, 'Default kernels (--dataflow fastest) run 2:4 as such; dataflows run the same weights with their zeros.')
    }
    const report = await withGpu(context, options.adapter, async (gpu) => {
      remark(context, `${graph.name} on ${adapterTitle(gpu.adapter)}, dataflows ${options.dataflow.join(', ')}`)
      using progress = new Progress(context)
      return await profileModel(gpu, graph, {
        dataflows: options.dataflow,
        precision: options.precision,
        signal: context.signal,
        onProgress: (event: ProfileProgress) =>
          progress.update(
            event.index,
            event.total,
            [event.layer, event.dataflow, event.phase].filter((part, at, all) => all.indexOf(part) === at).join(' '),
          ),
        ...(hardware === undefined ? {} : { hardware }),
        ...(options.batch === undefined ? {} : { batch: options.batch }),
        ...(options.samples === undefined ? {} : { samples: options.samples }),
      })
    })
    present(context, options.json, report, () => render(context, report, options.roofline === true))
    if (options.html !== undefined) {
      writeText(options.html, reportPage(report))
      remark(context, `Wrote ${options.html}`)
    }
    if (options.trace !== undefined) {
      writeText(options.trace, `${jsonText(traceOf(report))}\n`)
      remark(context, `Wrote ${options.trace}`)
    }
    exit(judge(context, report))
  })
}

/** @throws OptionError for a name that is no dataflow, listing those there are. */
export function parseDataflows(text: string): string[] {
  const names = text.split(',').flatMap((part) => {
    const name = part.trim().toLowerCase().replaceAll('_', '-')
    if (name === 'all') return [...DATAFLOW_NAMES]
    const systolic = systolicNames(name)
    if (systolic !== undefined) return [...systolic]
    if ((CHOICES as readonly string[]).includes(name)) return [name]
    throw new OptionError(`There is no dataflow called ${JSON.stringify(part.trim())}`, {
      remedy: `Give all, systolic, or some of ${CHOICES.join(', ')}, separated by commas`,
    })
  })
  return [...new Set(names)]
}

const COLUMNS: readonly Column[] = [
  { title: 'Layer' },
  { title: 'Dataflow' },
  { title: 'Time', align: 'right' },
  { title: 'GFLOP/s', align: 'right' },
  { title: 'Energy', align: 'right' },
  { title: 'per MAC', align: 'right' },
  { title: 'DRAM', align: 'right' },
  { title: 'Buffer', align: 'right' },
  { title: 'Max error', align: 'right' },
  { title: 'of bound', align: 'right' },
  { title: 'Reference' },
  { title: 'Counted' },
]

function render(context: Context, report: ProfileReport, all: boolean): string {
  const colors = colorsFor(context, context.out)
  const rows = rowsOf(report)
  const cells = rows.map((row) => {
    const { result } = row
    const first = rows.find(({ layer }) => layer === row.layer) === row
    const name = first ? row.layer : colors.dim(row.layer)
    if (result.skipped !== undefined) return [name, row.dataflow, colors.yellow('skipped'), '', '', '', '', '', '', '', '', '']
    const energy = result.predicted?.energy.total
    return [
      name,
      row.dataflow,
      result.time_ms === undefined ? '–' : duration(result.time_ms),
      result.gflops === undefined ? '–' : result.gflops.toPrecision(3),
      energy === undefined ? '–' : short(energy),
      energy === undefined ? '–' : (energy / row.macs).toPrecision(3),
      accessesAt(row, 0),
      accessesAt(row, 1),
      result.max_error === undefined ? '–' : scientific(result.max_error),
      result.max_error_ratio === undefined ? '–' : `${(100 * result.max_error_ratio).toPrecision(2)} %`,
      result.verified === undefined ? '–' : result.verified ? colors.green('ok') : colors.red('WRONG'),
      result.counted === undefined && result.kernel?.accesses === undefined
        ? '–'
        : row.differences.length > 0 || result.counted_equal === false
          ? colors.red('DIFFERS')
          : colors.green('= predicted'),
    ]
  })
  const clock = report.clock.source === 'wall' ? 'wall clock' : `timestamp queries, quantum ${report.clock.quantum_ns} ns`
  const taken = rows.map(({ result }) => result.samples_ms?.length ?? 0).filter((count) => count > 0)
  const [least, most] = [Math.min(...taken), Math.max(...taken)]
  const samples = taken.length === 0 ? '–' : least === most ? `${most}` : `${least} to ${most}`
  const notes = [
    `${report.model}, batch ${report.batch}, ${report.precision}, mappings for ${report.hardware}, on ${adapterTitle(report.adapter)}.`,
    `Time: median of ${samples} after ${report.warmups} warm-up, ${clock}. Energy: modelled, one MAC = 1; DRAM and Buffer: predicted accesses in words.`,
    ...(report.adapter.software ? ['A software adapter: its times rank nothing on a GPU.'] : []),
  ]
  const skipped = rows.flatMap(({ layer, dataflow, result }) =>
    result.skipped === undefined ? [] : [`${colors.yellow('skipped')} ${layer} ${dataflow}: ${result.skipped}`],
  )
  const arrays = rows.flatMap(stepsOf)
  const roof = roofLines(report, rows, all, colors)
  return [
    '',
    table(COLUMNS, cells, colors),
    '',
    ...roof,
    ...totals(report, rows),
    ...arrays,
    ...skipped,
    '',
    ...notes.map(colors.dim),
  ].join('\n')
}

const ROOF_COLUMNS: readonly Column[] = [
  { title: 'Layer' },
  { title: 'Kernel' },
  { title: 'Time', align: 'right' },
  { title: 'Expected', align: 'right' },
  { title: 'Accesses', align: 'right' },
  { title: 'Counted' },
  { title: 'Op/byte', align: 'right' },
  { title: 'GFLOP/s', align: 'right' },
  { title: 'Attainable', align: 'right' },
  { title: 'Reached', align: 'right' },
  { title: 'Bound' },
]

/** Of convolutions besides: what an algorithm multiplies, and how far it errs. */
const ALGORITHM_COLUMNS: readonly Column[] = [
  { title: 'Layer' },
  { title: 'Algorithm' },
  { title: 'X>Y' },
  { title: 'Multiplies', align: 'right' },
  { title: 'of MACs', align: 'right' },
  { title: 'Error', align: 'right' },
  { title: 'at most', align: 'right' },
]

/** Rows under the roof of the device: default kernels, or all of them. */
function roofLines(report: ProfileReport, rows: readonly Row[], all: boolean, colors: Colors): string[] {
  const { peaks } = report
  const shown = rows.filter(({ dataflow, result }) => result.roofline !== undefined && (all || dataflow === 'fastest'))
  if (peaks === undefined || shown.length === 0) return []
  const cells = shown.map(({ layer, dataflow, result, differences }) => {
    const { roofline, kernel, time_ms, gflops, expected_ms } = result
    const expected = kernel?.predicted_ms ?? expected_ms
    const accesses = figuresOf(result).filter(({ space }) => space === 'storage')
    const predicted = accesses.reduce((sum, figure) => sum + figure.predicted, 0)
    return [
      layer,
      kernel?.name ?? (expected_ms !== undefined ? 'own' : dataflow === 'fastest' ? 'convolution' : dataflow),
      time_ms === undefined ? '–' : duration(time_ms),
      expected === undefined ? '–' : duration(expected),
      accesses.length === 0 ? '–' : short(predicted),
      accesses.length === 0 ? '–' : differences.length > 0 ? colors.red('DIFFERS') : colors.green('= predicted'),
      roofline === undefined ? '–' : roofline.intensity.toPrecision(3),
      gflops === undefined ? '–' : gflops.toPrecision(3),
      roofline === undefined ? '–' : roofline.attainable_gflops.toPrecision(3),
      roofline === undefined
        ? '–'
        : `${roofline.share < 0.995 ? (100 * roofline.share).toPrecision(2) : (100 * roofline.share).toFixed(0)} %`,
      roofline?.bound ?? '–',
    ]
  })
  const configs = shown.flatMap(({ layer, result: { kernel, notes, expected_ms } }) => {
    if (kernel !== undefined) return [`${layer}: ${configText(kernel)} (${notes?.[0] ?? ''})`]
    return expected_ms === undefined ? [] : [`${layer}: ${notes?.[0] ?? ''}`]
  })
  const bytes = shown.some(({ result: { roofline } }) => roofline?.peak === 'none')
    ? ' Products of bytes: under the GB/s alone.'
    : ''
  const peak = `Roof: ${(peaks.flops.f32 / 1e9).toPrecision(3)} GFLOP/s of f32, ${(peaks.bytes_per_s / 1e9).toPrecision(3)} GB/s, measured.${bytes}`
  const algorithms = shown.flatMap(({ layer, result: { kernel } }) => {
    return kernel?.convolution === undefined ? [] : [[layer, kernel.name, ...algorithmCells(kernel.convolution)]]
  })
  return [
    table(ROOF_COLUMNS, cells, colors),
    colors.dim(peak),
    ...(algorithms.length === 0 ? [] : ['', table(ALGORITHM_COLUMNS, algorithms, colors), '']),
    ...configs.map((line) => colors.dim(wrapped(line))),
    '',
  ]
}

function algorithmCells({ layout, outputLayout, multiplications, macs, error }: ConvolutionReport): string[] {
  return [
    layout === outputLayout ? layout : `${layout}>${outputLayout}`,
    short(multiplications),
    `${(100 * (multiplications / macs)).toPrecision(3)} %`,
    scientific(error.measured),
    scientific(error.bound),
  ]
}

/** Predicted reads, fills and updates at a level, in words. */
function accessesAt({ result }: Row, level: number): string {
  const name = result.mapping?.levels[level]?.name ?? Object.keys(result.predicted?.accesses ?? {})[level]
  const accesses = name === undefined ? undefined : result.predicted?.accesses[name]
  if (accesses === undefined) return '–'
  return short(Object.values(accesses).reduce((sum, { reads, fills, updates }) => sum + reads + fills + updates, 0))
}

/** Of a row on a systolic array: the steps that it counted itself, beside those of the closed form. */
function stepsOf({ layer, dataflow, result: { systolic, predicted } }: Row): string[] {
  if (systolic === undefined) return []
  const { array, folds, fold_steps: each, counted } = systolic
  const used = predicted === undefined ? '' : `, ${(100 * predicted.utilization).toPrecision(3)} % of its lanes busy`
  const expected = counted.steps === systolic.predicted.steps ? '' : `, predicted ${grouped(systolic.predicted.steps)}`
  return [
    `${layer} ${dataflow}: array of ${array.rows}×${array.columns}, ${grouped(folds)} ${folds === 1 ? 'fold' : 'folds'} of ${grouped(each)} steps, ${grouped(counted.steps)} counted${expected}${used}`,
  ]
}

/** One line per dataflow: its time and energy over the whole network. */
function totals(report: ProfileReport, rows: readonly Row[]): string[] {
  const names = [...new Set(rows.map(({ dataflow }) => dataflow))]
  const width = Math.max(8, ...names.map(({ length }) => length))
  return names.map((name) => {
    const own = rows.filter((row) => row.dataflow === name && row.result.skipped === undefined)
    const time = own.reduce((sum, { result }) => sum + (result.time_ms ?? 0), 0)
    const priced = own.filter(({ result }) => result.predicted !== undefined)
    const energy = priced.reduce((sum, { result }) => sum + (result.predicted?.energy.total ?? 0), 0)
    const macs = priced.reduce((sum, row) => sum + row.macs, 0)
    const part = priced.length === own.length ? '' : ` in ${priced.length} of them`
    const modelled = energy === 0 ? '' : `, energy ${short(energy)} (${(energy / macs).toPrecision(3)} per MAC)${part}`
    return `${name.padEnd(width)} ${own.length} of ${report.layers.length} layers, ${duration(time)}${modelled}`
  })
}

/** The exit code, and on standard error each row that is not as it must be. */
function judge(context: Context, report: ProfileReport): number {
  const colors = colorsFor(context, context.err)
  const bad = rowsOf(report).filter(({ status }) => status === 'failed' || status === 'unchecked')
  for (const { layer, dataflow, result, differences } of bad) {
    const reasons = [
      ...(result.verified === undefined ? ['not verified'] : []),
      ...(result.verified === false ? [`differs from the CPU reference by ${result.max_error}`] : []),
      ...differences.map(({ what, predicted, counted }) => `${what}: counted ${counted}, predicted ${predicted}`),
      ...(result.counted_equal === false && differences.length === 0 ? ['counted accesses are not the predicted ones'] : []),
    ]
    remark(context, `${colors.red('VerificationError:')} ${layer} ${dataflow}: ${reasons.join('; ')}`)
  }
  const all = rowsOf(report)
  const nothing = all.length > 0 && all.every(({ result }) => result.skipped !== undefined)
  if (nothing) remark(context, 'No row ran: each was skipped, for the reasons above.')
  if (!report.complete) remark(context, 'Stopped early: the report holds the rows that were done.')
  if (context.signal.aborted) return EXIT.interrupted
  return bad.length > 0 || nothing || !report.complete ? EXIT.failed : EXIT.ok
}
