/**
 * `tilewright inspect`: layers, shapes, weights, MACs, arithmetic intensity, unsupported nodes. Needs no GPU, but to count non-zero
 * MACs.
 */
import { Command, Option } from 'commander'
import { LAYOUT_CHOICES, type LayoutChoice } from '../../graph/layout.ts'
import { LAYOUT_DEVICES, type LayoutRequest } from '../../profile/inspect-layout.ts'
import { inspectGraph, type InspectedFilters, type InspectedLayer, type InspectReport, type Totals } from '../../profile/inspect.ts'
import { BUDGET, SEEDS } from '../../profile/nonzero-energy.ts'
import { OptionError } from '../../errors.ts'
import { DATAFLOW_NAMES } from '../../schedule/dataflow.ts'
import { colorsFor, EXIT, integerOption, type Colors, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP } from '../gpu.ts'
import { inputOptions, type InputFlags } from '../input.ts'
import { MODEL_HELP, modelOptions, openModel, type ModelFlags } from '../model.ts'
import { countedNonzeros, pricedNonzeros, renderNonzeros, type NonzeroFlags } from '../nonzero.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { bytes, dimensions, duration, grouped, short, table, wrapped, type Column } from '../table.ts'

interface Options extends ModelFlags, InputFlags, NonzeroFlags {
  readonly json?: JsonTarget
  readonly nonzero?: true
  readonly layout?: LayoutChoice
  readonly device?: LayoutRequest['device']
}

const EXAMPLES = `
Examples:
  tilewright inspect alexnet
  tilewright inspect vgg16 --batch 16 --json vgg16.json
  tilewright inspect model.onnx --dim N=4
  tilewright inspect alexnet --json          JSON on standard output
  tilewright inspect googlenet --layout      layouts, and what transposes remain
  tilewright inspect alexnet --nonzero       weights and MACs that are not zero, on seeded noise
  tilewright inspect squeezenet.onnx --nonzero --input data=photos/ --preprocess caffe
  tilewright inspect alexnet --nonzero --hardware eyeriss     and what gating and skipping zeros saves there

--nonzero runs the network, on inputs that are given or seeded, with all its activations kept. --input may be given several times or name
a folder: figures are then means over the runs.
Exit code 0 also where some nodes cannot be run: they are listed.`

export function inspectCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('inspect')
    .description('Layers, shapes, weights, MACs and arithmetic intensity of a network, and what in it cannot be run.')
    .argument('MODEL', MODEL_HELP)
    .option(JSON_FLAGS, JSON_HELP)
    .addOption(
      new Option(
        '--layout [CHOICE]',
        'how feature maps lie, why, and what each transpose costs: chosen over the network, or forced',
      )
        .choices(LAYOUT_CHOICES)
        .preset('auto'),
    )
    .addOption(
      new Option('--device <KIND>', 'the kind of device to lay out for (default: gpu); implies --layout').choices(LAYOUT_DEVICES),
    )
    .option('--nonzero', 'count weights, input activations and MACs that are not zero: runs the network')
    .option('--input-seed <N>', 'seed of the inputs that are not given (default: 0)', integerOption('--input-seed', 0))
    .option('--hardware <NAME>', 'what the zeros are worth on this accelerator: a name or a file; with --nonzero')
    .option('--dataflow <NAME>', `with --hardware: ${DATAFLOW_NAMES.join(', ')} or none (default: the one it was built for)`)
    .option(
      '--budget <N>',
      `with --hardware: mappings that each of a layer's ${SEEDS.length} searches looks at (default: ${BUDGET})`,
      integerOption('--budget', 1),
    )
    .option('--cpu', 'run it on the CPU reference: slow, and needs no GPU')
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return modelOptions(inputOptions(command)).action(async (model: string, options: Options) => {
    const opened = await openModel(context, model, options)
    const { graph, unsupported } = opened
    const { device } = options
    if (options.nonzero === undefined) refuseRunning(options)
    const counted = options.nonzero === undefined ? undefined : await countedNonzeros(context, opened, options)
    const sizes = counted?.sizes ?? opened.sizes
    const choice = options.layout ?? (device === undefined ? undefined : 'auto')
    const layout = choice === undefined ? undefined : { layout: choice, device: device ?? 'gpu' }
    const inspected = inspectGraph(graph, { unsupported, sizes, layout })
    const report =
      counted === undefined
        ? inspected
        : { ...inspected, nonzero: await pricedNonzeros(context, counted.report, inspected.layers, options) }
    present(context, options.json, report, () => render(context, report, device === undefined))
    exit(EXIT.ok)
  })
}

/** @throws OptionError for options that are of a run, where there is none */
function refuseRunning(options: Options): void {
  const own = [
    'input',
    'inputSeed',
    'hardware',
    'dataflow',
    'budget',
    'cpu',
    'adapter',
    'preprocess',
    'mean',
    'std',
    'bgr',
    'resize',
    'crop',
  ] as const
  const found = own.find((name) => options[name] !== undefined)
  if (found === undefined) return
  const flag = `--${found.replace('S', '-s')}`
  throw new OptionError(`${flag} is for a run, and inspect does not run the network`, {
    remedy: `Add --nonzero, or leave ${flag} out`,
  })
}

const COLUMNS: readonly Column[] = [
  { title: 'Layer' },
  { title: 'Op' },
  { title: 'Output' },
  { title: 'Filters' },
  { title: 'Weights', align: 'right' },
  { title: 'MACs', align: 'right' },
  { title: 'FLOP/byte', align: 'right' },
]

/** @param assumed whether the kind of device was not given */
function render(context: Context, report: InspectReport, assumed: boolean): string {
  const colors = colorsFor(context, context.out)
  const rows = report.layers.map((layer) => [
    layer.name,
    layer.op,
    layer.output === null ? '?' : dimensions(layer.output),
    filters(layer),
    layer.weights === 0 ? colors.dim('–') : grouped(layer.weights),
    layer.macs === 0 ? colors.dim('–') : grouped(layer.macs),
    layer.intensity === 0 ? colors.dim('–') : layer.intensity.toPrecision(3),
  ])
  const sizes = Object.entries(report.dimensions).map(([name, size]) => `${name} = ${size}`)
  const lines = [
    `${colors.bold(report.model)}: ${report.inputs.map(({ name, dtype, shape }) => `${name} ${dtype} ${dimensions(shape)}`).join(', ')} → ` +
      report.outputs
        .map(({ name, dtype, shape }) => `${name} ${dtype ?? ''} ${shape === null ? '?' : dimensions(shape)}`)
        .join(', '),
    ...(sizes.length === 0 ? [] : [`Symbolic dimensions: ${sizes.join(', ')} (set with --dim)`]),
    '',
    ...(report.nonzero === undefined
      ? [table(COLUMNS, rows, colors), '', ...totals(report, colors), ...fusedLines(report)]
      : renderNonzeros(report.nonzero, batchOf(report), colors)),
    ...layoutLines(report, assumed, colors),
    ...(report.nonzero === undefined ? surveyLines(report, colors) : []),
  ]
  if (report.unsupported.length > 0) {
    lines.push('', colors.red(`${report.unsupported.length} unsupported:`))
    for (const [what, nodes] of byReason(report)) lines.push(`  ${what} – ${nodes.length} × ${nodes.join(', ')}`)
  }
  return lines.join('\n')
}

/** Nodes under the op and the reason that they share, in the order of the graph. */
function byReason({ unsupported }: InspectReport): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const { node, op, reason } of unsupported) {
    const what = `${op}: ${reason}`
    groups.set(what, [...(groups.get(what) ?? []), node])
  }
  return groups
}

/** As `96 × 3×11×11, stride 4`. */
function filters({ problem, kind, filters: own }: InspectedLayer): string {
  if (own !== undefined) return filterText(own)
  if (problem === undefined) return ''
  const { M, C, R, S, stride, dilation, groups } = problem
  if (kind === 'product') return `${groups > 1 ? `${groups} of ` : ''}${problem.P}×${C} · ${C}×${M}`
  return filterText({ number: M * groups, shape: [C, R, S], stride, dilation, groups })
}

function filterText({ number, shape, stride, dilation, groups }: InspectedFilters): string {
  const [step = 1] = stride
  const steps = stride.every((each) => each === step) ? String(step) : stride.join('×')
  return [
    `${number} × ${dimensions(shape)}`,
    ...(steps === '1' ? [] : [`stride ${steps}`]),
    ...(dilation.every((each) => each === 1) ? [] : [`dilation ${dilation.join('×')}`]),
    ...(groups > 1 ? [`${groups} groups`] : []),
  ].join(', ')
}

function totals(report: InspectReport, colors: Colors): string[] {
  const { conv, fc, product, macs, weights, biases, parameters, flops } = report
  const all: Totals = { layers: conv.layers + fc.layers + product.layers, macs, weights }
  const kinds: [string, Totals][] = [
    ['convolutions', conv],
    ['fully connected', fc],
    ...(product.layers > 0 ? [['products of activations', product] as [string, Totals]] : []),
    ['total', all],
  ]
  const rows = kinds.map(([name, { layers, macs: m, weights: w }]) => [name, String(layers), grouped(w), grouped(m)])
  return [
    table(
      [{ title: '' }, { title: 'Layers', align: 'right' }, { title: 'Weights', align: 'right' }, { title: 'MACs', align: 'right' }],
      rows,
      colors,
    ),
    `Besides weights: ${grouped(biases)} biases, ${grouped(parameters)} other parameters. ${short(flops).replace(/^\d+$/, '$& ')}FLOP in all (a MAC is 2).`,
  ]
}

const LAYOUT_COLUMNS: readonly Column[] = [{ title: 'Layer' }, { title: 'Op' }, { title: 'Layout' }, { title: 'Why' }]

function layoutLines({ layout: laid }: InspectReport, assumed: boolean, colors: Colors): string[] {
  if (laid === undefined) return []
  const known = laid.device === 'gpu' ? 'a GPU' : 'a software adapter'
  const kind = assumed ? `${known} (the default; --device software: for a software adapter)` : known
  const choice = laid.layout === 'auto' ? 'chosen' : `forced to ${laid.layout}`
  if (laid.nodes.length === 0) return ['', `Layouts, ${choice} for ${kind}: all feature maps lie in nchw.`]
  const rows = laid.nodes.map(({ node, op, input, output, reason, in_place_of: into }) => [
    node,
    op,
    input === output ? input : `${input} → ${output}`,
    into === undefined ? reason : `${reason}; in place in its concat`,
  ])
  const costs = laid.transposes.map(({ value, from, to, bytes: moved, share, estimate_us: us }) => {
    return `  ${value}: ${from} → ${to}, ${bytes(moved)} (${(100 * share).toPrecision(2)} % of all), about ${duration(us / 1000)}`
  })
  const aliases =
    laid.aliases === 0
      ? ''
      : `${laid.aliases === 1 ? '1 change of layout moves' : `${laid.aliases} changes of layout move`} no element.`
  const copied = laid.parts_copied === 0 ? '' : `, ${laid.parts_copied} of their parts copied`
  return [
    '',
    `Layouts, ${choice} for ${kind}:`,
    table(LAYOUT_COLUMNS, rows, colors),
    ...(costs.length > 0
      ? ['Transposes that remain:', ...costs, ...(aliases === '' ? [] : [`Besides, ${aliases}`])]
      : [aliases === '' ? 'No transposes.' : `No transposes. ${aliases}`]),
    ...(laid.concats_in_place === 0 ? [] : [`Concats written in place by what they join: ${laid.concats_in_place}${copied}.`]),
  ]
}

/** Nodes that run in the kernel of a product. */
function fusedLines({ layers }: InspectReport): string[] {
  const products = new Map<string, string[]>()
  for (const { name, fused_into: into } of layers) if (into !== undefined) products.set(into, [...(products.get(into) ?? []), name])
  if (products.size === 0) return []
  const list = [...products].map(([product, names]) => `${names.join(', ')} with ${product}`)
  return [wrapped(`In the kernel of their product, where the device can bind it: ${list.join('; ')}.`)]
}

/** Pictures that a network built by name takes at once. */
function batchOf({ inputs }: Pick<InspectReport, 'inputs'>): number {
  return Number(inputs[0]?.shape[0] ?? 1)
}

function surveyLines({ survey, conv, fc, macs, weights, inputs }: InspectReport, colors: Colors): string[] {
  if (survey === undefined) return []
  const batch = batchOf({ inputs })
  const rows = [
    ['convolution weights', grouped(conv.weights), survey.convWeights],
    ['convolution MACs', grouped(conv.macs / batch), survey.convMacs],
    ['fully connected weights', grouped(fc.weights), survey.fcWeights],
    ['fully connected MACs', grouped(fc.macs / batch), survey.fcMacs],
    ['all weights', grouped(weights), survey.totalWeights],
    ['all MACs', grouped(macs / batch), survey.totalMacs],
  ]
  const columns: Column[] = [
    { title: 'For one picture' },
    { title: 'here', align: 'right' },
    { title: survey.source, align: 'right' },
  ]
  return ['', table(columns, rows, colors), survey.note]
}
