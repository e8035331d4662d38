/** `tilewright bench`: products, convolutions and networks timed, under the adapter's measured roof and beside other engines. */
import { Argument, Command } from 'commander'
import { CONV } from '../../../bench/cases/conv.ts'
import { GEMM } from '../../../bench/cases/gemm.ts'
import { MODEL } from '../../../bench/cases/model.ts'
import { SPARSE, type SparseCase } from '../../../bench/cases/sparse.ts'
import { BENCH_NAMES, casesNamed, type Bench, type BenchCase, type BenchName } from '../../../bench/cases/table.ts'
import { installPeers, missingPeers, peersFolder } from '../../../bench/engines/peers.ts'
import { modelGraph } from '../../../bench/model/work.ts'
import type { Peer } from '../../../bench/protocol.ts'
import { faultsOf, type BenchReport } from '../../../bench/report.ts'
import { runBench, type BenchOptions } from '../../../bench/run.ts'
import { sparseFaults, type SparseReport } from '../../../bench/sparse/report.ts'
import { runSparse } from '../../../bench/sparse/run.ts'
import { OptionError } from '../../errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { listConv, listGemm, listModels } from '../bench-list.ts'
import { listSparse, renderSparse } from '../bench-sparse.ts'
import { renderBench } from '../bench-table.ts'
import { colorsFor, EXIT, integerOption, remark, type Colors, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, tuningStore } from '../gpu.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'

interface Options {
  readonly peers?: true | string
  readonly cases?: string
  readonly quick?: true
  readonly tuned?: true
  readonly list?: true
  readonly firstCall: boolean
  readonly rounds: number
  readonly text?: string
  readonly json?: JsonTarget
  readonly adapter?: string
}

const OURS: readonly Peer[] = ['tilewright', 'tilewright-safe']

const EXAMPLES = `
Examples:
  tilewright bench gemm --quick                          a few cases, seconds
  tilewright bench gemm --peers --json out/gemm.json     beside ONNX Runtime (WebGPU, CPU) and TensorFlow.js (WebGPU)
  tilewright bench conv --peers ort-webgpu --cases 'depthwise,resnet50-3x3-*'
  tilewright bench model --peers                         whole networks, beside ONNX Runtime
  tilewright bench gemm --cases 'square-*,llm-m1-*' --rounds 3
  tilewright bench gemm --tuned                          with the kernels that tilewright tune kept on this adapter
  tilewright bench conv --list                           names and sizes of all cases
  tilewright bench sparse --cases 'm1-*'                 2:4 beside our own dense kernels, in turns in one process

gemm: matrix products. conv: convolutions of networks, one ONNX node each with its bias and activation. model: networks end to end.
sparse: 2:4 products and convolutions beside our own dense kernels, densities at which CSR, CSC, EIE's form and zero-skipping
convolutions break even, ratios of run-length codes; peers are given the dense product. A software adapter is given a selection that
takes minutes; --cases takes any.
Each engine runs each case in a process of its own. Times are of operands and results that stay on the device; of models they are end
to end. The first call of a product begins with A in host memory, ends with C there, and compiles the shaders; that of a convolution or
a model also makes the session, or compiles the graph. Shader caches are off (--no-first-call leaves them on).
Results are held against sums in f64; those of models against ONNX Runtime's CPU provider, where it is among the peers.
Kernels are chosen by rule, as on a machine where nothing was tuned; --tuned takes what tilewright tune kept. The table says how many.
The peers are installed, by npm ci, when --peers is first given (about 360 MB).
Exit code 1 when ours does not hold a case, or gets it wrong.`

export function benchCommand(context: Context, exit: (code: number) => void): Command {
  return new Command('bench')
    .description(
      'Times products, convolutions or networks, beside other engines where asked, under the peaks measured of this GPU.',
    )
    .addArgument(new Argument('<BENCH>', 'what is timed').choices([...BENCH_NAMES]))
    .option('--peers [NAMES]', `time other engines too, on the same adapter: some of ${GEMM.others.join(', ')} (default: all)`)
    .option('--cases <GLOBS>', 'cases by name, * for any text, or by family, separated by commas (default: all)')
    .option('--quick', 'a few small cases')
    .option('--tuned', 'ours with the kernels that tilewright tune kept on this adapter (default: kernels by rule)')
    .option('--list', 'list the cases instead of timing them')
    .option('--no-first-call', 'leave shader caches on: first calls are then not told')
    .option('--rounds <N>', 'go through the engines N times for each case', integerOption('--rounds', 1), 1)
    .option('--text <FILE>', 'write the table to FILE, too')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
    .action(async (name: BenchName, options: Options) => {
      switch (name) {
        case 'gemm':
          return exit(await bench(context, engines(GEMM, listGemm, options), options))
        case 'conv':
          return exit(await bench(context, engines(CONV, listConv, options), options))
        case 'model':
          return exit(await bench(context, engines(MODEL, listModels, options, modelGraph), options))
        case 'sparse':
          return exit(await bench(context, sparse, options))
      }
    })
}

/** A bench, how it is run, and how its report is shown and judged. */
interface Kind<C extends BenchCase, R> {
  readonly bench: Bench<C, BenchName>
  readonly list: (cases: readonly C[], colors: Colors) => string
  /** Of ours, besides the peers asked for. */
  readonly ours: readonly Peer[]
  run(options: Omit<BenchOptions<C>, 'bench' | 'graphOf'>): Promise<R>
  render(report: R, colors: Colors): string
  verdict(report: R): Verdict
}

interface Verdict {
  readonly complete: boolean
  /** Whether any case has figures at all, be it that it was not done. */
  readonly begun: boolean
  /** Whether ours was timed. */
  readonly compared: boolean
  readonly faults: readonly (readonly [where: string, reason: string])[]
}

function engines<C extends BenchCase>(
  table: Bench<C>,
  list: Kind<C, BenchReport<C>>['list'],
  { firstCall }: Options,
  graphOf?: (item: C) => Graph,
): Kind<C, BenchReport<C>> {
  return {
    bench: table,
    list,
    ours: OURS,
    run: (given) => runBench({ bench: table, ...given, ...(graphOf === undefined ? {} : { graphOf }) }),
    render: (report, colors) => renderBench(report, colors, firstCall),
    verdict: (report) => ({
      complete: report.complete,
      begun: report.cases.some(({ left_out }) => left_out === undefined),
      compared: report.cases.some(({ peers }) => peers.tilewright?.status === 'ok'),
      faults: faultsOf(report),
    }),
  }
}

const sparse: Kind<SparseCase, SparseReport> = {
  bench: SPARSE,
  list: listSparse,
  ours: ['tilewright'],
  run: runSparse,
  render: renderSparse,
  verdict: (report) => ({
    complete: report.complete,
    begun: report.cases.some(({ left_out }) => left_out === undefined),
    compared: report.cases.some(({ points }) => points.length > 0),
    faults: sparseFaults(report),
  }),
}

/** The exit code. */
async function bench<C extends BenchCase, R extends object>(context: Context, kind: Kind<C, R>, options: Options): Promise<number> {
  const cases = chosen(kind.bench, options)
  if (options.list === true) {
    present(context, options.json, cases, () => kind.list(cases, colorsFor(context, context.out)))
    return EXIT.ok
  }
  const others = othersOf(kind.bench, options.peers)
  checkWritable(options.json, options.text)
  const tuning = options.tuned === true ? await keptTuning(context) : undefined
  const folder = others.length > 0 ? await readyPeers(context) : ''
  const report = await time(context, kind, cases, { others, folder, tuning }, options)
  const verdict = kind.verdict(report)
  if (!verdict.complete && !verdict.begun) {
    remark(context, 'Stopped before the first case was done: there is nothing to show.')
    return EXIT.interrupted
  }
  present(context, options.json, report, () => kind.render(report, colorsFor(context, context.out)))
  if (options.text !== undefined) {
    writeText(options.text, `${kind.render(report, colorsFor({ ...context, env: { NO_COLOR: '1' } }, context.out))}\n`)
    remark(context, `Wrote ${options.text}`)
  }
  return judge(context, verdict)
}

/** @throws OptionError for both options, and for a glob that fits nothing */
function chosen<C extends BenchCase>(table: Bench<C, BenchName>, { cases, quick }: Options): C[] {
  if (cases !== undefined && quick === true)
    throw new OptionError('--cases does not go with --quick', { remedy: 'Leave one of them out' })
  if (cases !== undefined) return casesNamed(table, cases)
  return quick === true ? table.cases.filter(({ name }) => table.quick.includes(name)) : [...table.cases]
}

/** @throws OptionError for a name that is no engine's */
function othersOf(
  { name, others }: Pick<Bench<BenchCase, BenchName>, 'name' | 'others'>,
  asked: Options['peers'],
): readonly Peer[] {
  if (asked === undefined) return []
  if (asked === true) return others
  const names = asked.split(',').map((text) => text.trim())
  const unknown = names.find((text) => !others.some((peer) => peer === text))
  if (unknown !== undefined)
    throw new OptionError(`--peers does not know ${JSON.stringify(unknown)} for ${name}`, {
      remedy: `Give some of ${others.join(', ')}`,
    })
  return others.filter((peer) => names.includes(peer))
}

/** The file of results, readable. @throws OptionError where nothing is kept; FileFormatError where it is damaged */
async function keptTuning(context: Context): Promise<string> {
  const store = tuningStore(context)
  if (store === undefined)
    throw new OptionError('--tuned: TILEWRIGHT_TUNING is off', { remedy: 'Name a file with it, or leave --tuned out' })
  await store.entries()
  return store.name
}

async function readyPeers(context: Context): Promise<string> {
  const folder = peersFolder()
  const missing = missingPeers(folder)
  if (missing.length > 0) {
    remark(context, `Installing ${missing.join(', ')} in ${folder} (about 360 MB, once)`)
    await installPeers(folder, context.signal)
  }
  return folder
}

interface Engines {
  readonly others: readonly Peer[]
  /** With the peers. */
  readonly folder: string
  readonly tuning: string | undefined
}

async function time<C extends BenchCase, R>(
  context: Context,
  kind: Kind<C, R>,
  cases: readonly C[],
  { others, folder, tuning }: Engines,
  options: Options,
): Promise<R> {
  using progress = new Progress(context)
  return await kind.run({
    cases,
    peers: [...kind.ours, ...others],
    peersFolder: folder,
    firstCall: options.firstCall,
    rounds: options.rounds,
    named: options.cases !== undefined || options.quick === true,
    signal: context.signal,
    onProgress: (done, total, text) => progress.update(done, total, text),
    ...(tuning === undefined ? {} : { tuning }),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
  })
}

function judge(context: Context, { faults, compared, complete }: Verdict): number {
  for (const [where, reason] of faults) remark(context, `${where}: ${reason}`)
  if (!compared && complete) remark(context, 'No case was timed.')
  return faults.length === 0 && compared ? EXIT.ok : EXIT.failed
}
