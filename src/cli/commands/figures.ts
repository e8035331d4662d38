/** `tilewright figures`: the survey's Figs. 33 to 35 anew, six dataflows on one chip area. Needs no GPU. */
import { availableParallelism, cpus } from 'node:os'
import { Command } from 'commander'
import { CONVENTIONS, type Convention } from '../../cost/prices.ts'
import { STAYS, type Stay } from '../../profile/figures/dataflows.ts'
import { PARTS } from '../../profile/figures/energy.ts'
import { FIGURE_NAMES, type FigureName, type Figures } from '../../profile/figures/result.ts'
import { redoFigures } from '../../profile/figures/redo.ts'
import { byLayer, comparison, figuresCsv, singly, type SheetRow } from '../../profile/figures/sheets.ts'
import { OPERANDS } from '../../schedule/problem.ts'
import { builtMapWorker, nodeMapWorker } from '../../schedule/search/node-spawn.ts'
import { choiceOption, colorsFor, EXIT, integerOption, remark, type Context } from '../context.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { figuresPage } from '../report-page.ts'
import { grouped, short, table, type Column } from '../table.ts'

interface Options {
  readonly batch: number
  readonly convention: Convention
  readonly stationary: Stay
  readonly budget?: number
  readonly seed: number
  readonly workers?: number
  readonly html?: string
  readonly csv?: string
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright figures                                     all three: 8 layers, 6 dataflows
  tilewright figures 33 --html out/figures.html          the CONV layers, with a page of charts
  tilewright figures 35 --convention tilewright          row stationary, layer by layer, multicast free
  tilewright figures --stationary buffer                 stationary operands may leave between tiles of the buffer
  tilewright figures all --json out/figures.json --csv out/figures.csv

Figures: 33 the CONV layers of AlexNet under six dataflows, 34 its FC layers, 35 its layers under row stationary.
Every dataflow has 256 PEs and storage on the same area; energies are 1 a MAC, 1 register file, 2 array, 6 buffer, 200 DRAM.
Ctrl-C shows what is done so far.`

export function figuresCommand(context: Context, exit: (code: number) => void): Command {
  return new Command('figures')
    .description('Redoes Figs. 33 to 35 of Sze et al. 2017: energy of AlexNet under six dataflows on one chip area.')
    .argument('[FIGURE]', FIGURE_NAMES.join(', '), choiceOption('FIGURE', FIGURE_NAMES), 'all')
    .option('--batch <N>', 'pictures in a batch', integerOption('--batch', 1), 16)
    .option(
      '--convention <C>',
      'isca16 charges the network for each word delivered to a PE, tilewright for each hop',
      choiceOption('--convention', CONVENTIONS),
      'isca16',
    )
    .option(
      '--stationary <S>',
      'a stationary operand stays to the end, or while a tile of the buffer is worked on',
      choiceOption('--stationary', STAYS),
      'end',
    )
    .option(
      '--budget <N>',
      'mappings to look at for each layer and constraint, at most (default: 40000)',
      integerOption('--budget', 1),
    )
    .option('--seed <N>', 'seed of the search', integerOption('--seed', 0), 1)
    .option('--workers <N>', 'threads, 0 for none beside this one (default: one for each core)', integerOption('--workers', 0))
    .option('--html <FILE>', 'write a self-contained page with charts')
    .option('--csv <FILE>', 'write every energy as CSV')
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
    .action(async (figure: FigureName, options: Options) => {
      checkWritable(options.json, options.html, options.csv)
      const figures = await run(context, figure, options)
      present(context, options.json, figures, () => render(context, figures))
      if (options.html !== undefined) {
        writeText(options.html, figuresPage(figures))
        remark(context, `Wrote ${options.html}`)
      }
      if (options.csv !== undefined) {
        writeText(options.csv, figuresCsv(figures.cells))
        remark(context, `Wrote ${options.csv}`)
      }
      if (!figures.complete) remark(context, 'Stopped: only the layers that were done are shown.')
      exit(EXIT.ok)
    })
}

async function run(context: Context, figure: FigureName, options: Options): Promise<Figures> {
  const { batch, convention, stationary, seed, budget } = options
  // Where the sources run unbuilt there is no script for a thread.
  const { workers = builtMapWorker() === undefined ? 0 : availableParallelism() } = options
  const date = new Date().toISOString()
  const began = performance.now()
  using progress = new Progress(context)
  const figures = await redoFigures({
    figure,
    batch,
    convention,
    stationary,
    seed,
    workers,
    spawn: () => nodeMapWorker(),
    signal: context.signal,
    onProgress: ({ done, tasks, seen }) => progress.update(done, tasks, `${short(seen)} mappings seen`),
    ...(budget === undefined ? {} : { budget }),
  })
  const seconds = Math.round(performance.now() - began) / 1000
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} threads, Node ${process.versions.node}`
  return { ...figures, run: { date, seconds, workers, machine } }
}

function render(context: Context, figures: Figures): string {
  const { cells, claims, figure, batch, convention, stationary } = figures
  const colors = colorsFor(context, context.out)
  const sections: string[] = []
  const section = (title: string, body: string): void => void sections.push(`${colors.bold(title)}\n\n${body}`)
  const unit = `energy per MAC, in MACs; batch ${batch}, convention ${convention}, stationary to the ${stationary === 'end' ? 'end' : 'end of a buffer tile'}`
  const sheet = (title: string, rows: readonly SheetRow[], first: string): void => {
    if (rows.length === 0) return
    const extra = rows.some(({ share }) => share !== undefined)
      ? 'of all'
      : rows.some(({ toRs }) => toRs !== undefined)
        ? '× rs'
        : undefined
    const last = ({ share, toRs }: SheetRow): string =>
      share !== undefined ? percent(share) : toRs !== undefined ? toRs.toFixed(2) : '–'
    const columns: Column[] = [
      { title: first },
      ...[...PARTS, '│', 'weights', 'inputs', 'psums', '│', 'total', ...(extra === undefined ? [] : [extra])].map(
        (title): Column => ({ title, align: 'right' }),
      ),
    ]
    const body = rows.map((row) => [
      row.name,
      ...PARTS.map((part) => row.parts[part].toFixed(3)),
      '│',
      ...OPERANDS.map((operand) => row.operands[operand].toFixed(3)),
      '│',
      row.total.toFixed(3),
      ...(extra === undefined ? [] : [last(row)]),
    ])
    section(title, table(columns, body, colors))
  }
  section('Designs of one area (256 PEs)', designTable(figures, colors))
  if (figure !== '34' && figure !== '35') sheet(`Fig. 33: CONV layers (${unit})`, comparison(cells, 'conv'), 'dataflow')
  if (figure !== '33' && figure !== '35') sheet(`Fig. 34: FC layers (${unit})`, comparison(cells, 'fc'), 'dataflow')
  if (figure !== '33' && figure !== '34') sheet(`Fig. 35: row stationary by layer (${unit})`, byLayer(cells), 'layer')
  if (!figures.complete) sheet(`Layers that were done (${unit})`, singly(cells), 'layer')
  section(
    'What the survey says, and what comes out',
    claims
      .map(({ where, survey, ours, agrees, published }) =>
        [
          `${agrees ? colors.green('agrees ') : colors.yellow('differs')}  ${survey} (${where})`,
          `         here: ${ours}`,
          ...(published === undefined ? [] : [colors.dim(`         by the authors' formulas: ${published.value}`)]),
        ].join('\n'),
      )
      .join('\n'),
  )
  return sections.join('\n\n')
}

function designTable({ designs }: Figures, colors: ReturnType<typeof colorsFor>): string {
  const columns: Column[] = [
    { title: 'dataflow' },
    { title: 'RF of a PE', align: 'right' },
    { title: 'buffer', align: 'right' },
    { title: 'a PE keeps' },
  ]
  return table(
    columns,
    designs.map(({ dataflow, rf_bytes, buffer_bytes, stores }) => [
      dataflow,
      `${rf_bytes} B`,
      `${grouped(buffer_bytes)} B`,
      stores,
    ]),
    colors,
  )
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
