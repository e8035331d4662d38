/** `tilewright inspect --nonzero`: runs the network, counts what is not zero, and shows it as the survey's Table IV does. */
import { seededInputs } from '../../models/inputs.ts'
import { OptionError } from '../errors.ts'
import { bindDimensions } from '../graph/dimensions.ts'
import type { Graph } from '../graph/graph.ts'
import { runnable } from '../graph/load.ts'
import type { InspectedLayer } from '../profile/inspect.ts'
import { countNonzeros, type NonzeroFigures, type NonzeroReport } from '../profile/nonzero.ts'
import { priceNonzeros, type ZeroBill } from '../profile/nonzero-energy.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import type { Colors, Context } from './context.ts'
import { adapterTitle, withGpu } from './gpu.ts'
import { readHardware } from './hardware.ts'
import { readRuns, requireAll, type InputFlags } from './input.ts'
import type { OpenedModel } from './model.ts'
import { Progress } from './progress.ts'
import { grouped, short, table, wrapped, type Column } from './table.ts'

export interface NonzeroFlags {
  readonly hardware?: string
  readonly dataflow?: string
  readonly budget?: number
  readonly inputSeed?: number
  readonly cpu?: true
  readonly adapter?: string
}

/**
 * Runs the network on the inputs given, or on seeded ones.
 * @returns the report, and the sizes of symbolic dimensions that it was run with
 * @throws UnsupportedOpError listing every node that cannot be run; OptionError for a wrong input; what running may throw
 */
export async function countedNonzeros(
  context: Context,
  opened: OpenedModel,
  flags: NonzeroFlags & InputFlags,
): Promise<{ readonly report: NonzeroReport; readonly sizes: Readonly<Record<string, number>> }> {
  const graph = runnable(opened)
  const given = await readRuns(context, graph, flags)
  for (const run of given) requireAll(graph, run)
  const sizes = given.length === 0 ? opened.sizes : sizesOf(graph, given[0] ?? {})
  const bound = bindDimensions(graph, sizes)
  const seed = flags.inputSeed ?? 0
  const runs = given.length === 0 ? [seededInputs(bound, seed)] : given
  using progress = new Progress(context)
  const options = {
    runs,
    signal: context.signal,
    onProgress: (run: number, node: string) => progress.update(run, runs.length, node),
    ...(given.length === 0 ? { seed } : {}),
  }
  const report =
    flags.cpu === true
      ? await countNonzeros(bound, options)
      : await withGpu(context, flags.adapter, (gpu) => countNonzeros(bound, { ...options, gpu }))
  return { report, sizes }
}

/** The report with what its zeros are worth on `--hardware`, where that is given. @throws as `readHardware`; OptionError */
export async function pricedNonzeros(
  context: Context,
  report: NonzeroReport,
  layers: readonly InspectedLayer[],
  { hardware: name, dataflow, budget }: NonzeroFlags,
): Promise<NonzeroReport> {
  if (name === undefined) {
    if (dataflow === undefined && budget === undefined) return report
    const flag = dataflow === undefined ? '--budget' : '--dataflow'
    throw new OptionError(`${flag} is of an accelerator, and there is none`, { remedy: 'Give --hardware too' })
  }
  const hardware = await readHardware(context, name)
  using progress = new Progress(context)
  const energy = await priceNonzeros(report, layers, hardware, {
    ...(dataflow === undefined ? {} : { dataflow }),
    ...(budget === undefined ? {} : { budget }),
    signal: context.signal,
    onProgress: (done, total, layer) => progress.update(done, total, `${layer} on ${hardware.name}`),
  })
  return { ...report, energy }
}

/** Symbolic dimensions as a run's tensors have them. */
function sizesOf(graph: Graph, input: Readonly<Record<string, HostTensor>>): Record<string, number> {
  return Object.fromEntries(
    graph.inputs.flatMap(({ name, shape }) =>
      shape.flatMap((extent, axis) => (typeof extent === 'string' ? [[extent, input[name]?.shape[axis] ?? 1] as const] : [])),
    ),
  )
}

const COLUMNS: readonly Column[] = [
  { title: 'Layer' },
  { title: 'Weights', align: 'right' },
  { title: 'not 0', align: 'right' },
  { title: '%', align: 'right' },
  { title: '2:4' },
  { title: 'Inputs', align: 'right' },
  { title: '% not 0', align: 'right' },
  { title: 'run-length', align: 'right' },
  { title: 'MACs', align: 'right' },
  { title: 'input not 0', align: 'right' },
  { title: 'both not 0', align: 'right' },
  { title: '%', align: 'right' },
]

/** @param batch pictures of a run, for figures of one picture */
export function renderNonzeros(report: NonzeroReport, batch: number, colors: Colors): string[] {
  const rows = report.layers.map(({ name, two_of_four: pattern, inputs, density, ...figures }) => [
    name,
    grouped(figures.weights),
    grouped(figures.nonzero_weights),
    percent(density.weights),
    pattern === null ? colors.dim('–') : pattern ? 'yes' : colors.dim('no'),
    grouped(inputs.elements),
    percent(density.inputs),
    `${inputs.ratio.toFixed(2)} ×`,
    ...macs(figures),
  ])
  const kinds = [
    ['convolutions', report.conv],
    ['fully connected', report.fc],
    ...(report.product.layers > 0 ? [['products of activations', report.product] as const] : []),
    ['total', report.total],
  ] as const
  const sums = kinds.map(([name, totals]) => [
    name,
    String(totals.layers),
    grouped(totals.weights),
    grouped(totals.nonzero_weights),
    percent(part(totals.nonzero_weights, totals.weights)),
    ...macs(totals),
  ])
  const totalColumns = [
    { title: '' },
    { title: 'Layers', align: 'right' },
    ...COLUMNS.slice(1, 4),
    ...COLUMNS.slice(8),
  ] satisfies Column[]
  return [
    table(COLUMNS, rows, colors),
    '',
    table(totalColumns, sums, colors),
    wrapped(activationsLine(report)),
    wrapped(
      'Inputs: activations that enter the layer; run-length: their size, 5-bit runs and 16-bit values, over the plain one. MACs: zero padding ' +
        'included, as inspect counts them; both not 0: weight and input.',
    ),
    ...report.uncounted.map(({ node, op, reason }) => colors.yellow(`Not counted: ${node} (${op}): ${reason}`)),
    ...energyLines(report, colors),
    ...surveyLines(report, batch, colors),
  ]
}

/** A utilisation below which what zeros save says more of the mapping than of the zeros. */
const IDLE = 0.05

function energyLines({ energy }: NonzeroReport, colors: Colors): string[] {
  if (energy === undefined) return []
  const { hardware, dataflow, budget, seeds, unit, total, layers, unpriced, not_two_of_four: plain } = energy
  const own = Object.values(layers).some((bills) => bills.own !== undefined) ? ['as described'] : []
  const titles = ['Energy', 'zeros gated or skipped', ...own, 'Cycles', 'zeros skipped', ...own, 'Utilisation']
  const rows = [...Object.entries(layers), ['total', total] as const].map(([name, bills]) => {
    const shown = [bills.dense, bills.skipped, ...own.map(() => bills.own)]
    const cells = (pick: (bill: ZeroBill) => number): string[] =>
      shown.map((bill) => (bill === undefined ? '–' : short(pick(bill))))
    return [
      name,
      ...cells(({ energy: sum }) => sum),
      ...cells(({ cycles }) => cycles),
      `${(100 * bills.utilization).toPrecision(3)} %`,
    ]
  })
  const notes =
    `The best mapping of each layer for energy × cycles without zeros, of ${seeds} searches of ${grouped(budget)}; utilisation: of the PEs, without ` +
    "zeros. A MAC with a zero factor, its weight's read and its output's update at the innermost level take no energy where zeros are gated " +
    'or skipped, and no time where they are skipped; gated, they take as long as any.'
  return [
    '',
    `On ${hardware}${dataflow === null ? '' : `, ${dataflow}`}${unit === undefined ? '' : `, unit of energy: ${unit}`}:`,
    table([{ title: 'Layer' }, ...titles.map((title): Column => ({ title, align: 'right' }))], rows, colors),
    wrapped(own.length === 0 ? notes : `${notes} as described: what ${hardware} itself does about zeros.`),
    ...(dataflow === null || total.utilization >= IDLE
      ? []
      : [
          colors.yellow(
            wrapped(
              `Under ${dataflow}, ${(100 * total.utilization).toPrecision(3)} % of the PEs work, and zeros save time that a better mapping would not spend: ` +
                '--dataflow none looks at all mappings.',
            ),
          ),
        ]),
    ...(plain.length === 0 ? [] : [wrapped(`As described, dense, for their weights do not hold 2:4: ${plain.join(', ')}.`)]),
    ...[...new Set(unpriced.map(({ reason }) => reason))].map((reason) => {
      const names = unpriced.filter((each) => each.reason === reason).map(({ name }) => name)
      return colors.yellow(wrapped(`Not priced: ${names.join(', ')}. ${reason}`))
    }),
  ]
}

function macs({ macs: all, nonzero_input_macs: inputs, nonzero_macs: both }: NonzeroFigures): string[] {
  return [grouped(all), grouped(inputs), grouped(both), percent(part(both, all))]
}

function part(count: number, of: number): number {
  return of === 0 ? 0 : count / of
}

function percent(value: number): string {
  return (100 * value).toFixed(1)
}

function activationsLine({ activations: { inputs, seed, runs, adapter } }: NonzeroReport): string {
  const where = adapter === null ? 'the CPU reference' : adapterTitle(adapter)
  const what =
    inputs === 'seeded'
      ? `seeded noise (seed ${seed}), no picture: zeros are those that this input makes`
      : runs === 1
        ? 'the input given'
        : `the ${runs} inputs given: figures that hang on them are means`
  return `Activations of ${where} on ${what}.`
}

/** What trained networks have on ImageNet, beside what this one has. */
function surveyLines({ survey, conv, fc, total }: NonzeroReport, batch: number, colors: Colors): string[] {
  if (survey === undefined) return []
  const { dense, sparse, source } = survey
  const rows = [
    ['convolution weights not 0', grouped(conv.nonzero_weights), dense.convWeights, sparse.convWeights],
    ['convolution MACs not 0', short(conv.nonzero_macs / batch), dense.convMacs, sparse.convMacs],
    ['fully connected weights not 0', grouped(fc.nonzero_weights), dense.fcWeights, sparse.fcWeights],
    ['fully connected MACs not 0', short(fc.nonzero_macs / batch), dense.fcMacs, sparse.fcMacs],
    ['all weights not 0', grouped(total.nonzero_weights), dense.totalWeights, sparse.totalWeights],
    ['all MACs not 0', short(total.nonzero_macs / batch), dense.totalMacs, sparse.totalMacs],
  ]
  const columns: Column[] = [
    { title: 'For one picture' },
    { title: 'here', align: 'right' },
    { title: `${source}, dense`, align: 'right' },
    { title: 'sparse', align: 'right' },
  ]
  return [
    '',
    table(columns, rows, colors),
    wrapped(
      "The survey's networks are trained, and its MACs are means over the validation pictures of ImageNet. Weights compare exactly with the " +
        'dense column; MACs only in kind where weights or inputs are seeded here.',
    ),
  ]
}
