/** `tilewright bench`: products, convolutions and networks timed, under the adapter's measured roof and beside other engines. */
import { Argument, Command } from 'commander'
import { CONV } from '../../../bench/cases/conv.ts'
import { GEMM } from '../../../bench/cases/gemm.ts'
import { MODEL } from '../../../bench/cases/model.ts'
import { BENCH_NAMES, casesNamed, type Bench, type BenchCase, type BenchName } from '../../../bench/cases/table.ts'
import { installPeers, missingPeers, peersFolder } from '../../../bench/engines/peers.ts'
import { modelGraph } from '../../../bench/model/work.ts'
import type { Peer } from '../../../bench/protocol.ts'
import { faultsOf, type BenchReport } from '../../../bench/report.ts'
import { runBench } from '../../../bench/run.ts'
import { OptionError } from '../../errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { listConv, listGemm, listModels } from '../bench-list.ts'
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

gemm: matrix products. conv: convolutions of networks, one ONNX node each with its bias and activation. model: networks end to end.
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
          return exit(await bench(context, { bench: GEMM, list: listGemm }, options))
        case 'conv':
          return exit(await bench(context, { bench: CONV, list: listConv }, options))
        case 'model':
          return exit(await bench(context, { bench: MODEL, list: listModels, graphOf: modelGraph }, options))
      }
    })
}

interface Kind<C extends BenchCase> {
  readonly bench: Bench<C>
  readonly list: (cases: readonly C[], colors: Colors) => string
  readonly graphOf?: (item: C) => Graph
}

/** The exit code. */
async function bench<C extends BenchCase>(context: Context, kind: Kind<C>, options: Options): Promise<number> {
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
  if (!report.complete && report.cases.every(({ left_out }) => left_out !== undefined)) {
    remark(context, 'Stopped before the first case was done: there is nothing to show.')
    return EXIT.interrupted
  }
  const told = options.firstCall
  present(context, options.json, report, () => renderBench(report, colorsFor(context, context.out), told))
  if (options.text !== undefined) {
    writeText(options.text, `${renderBench(report, colorsFor({ ...context, env: { NO_COLOR: '1' } }, context.out), told)}\n`)
    remark(context, `Wrote ${options.text}`)
  }
  return judge(context, report)
}

/** @throws OptionError for both options, and for a glob that fits nothing */
function chosen<C extends BenchCase>(table: Bench<C>, { cases, quick }: Options): C[] {
  if (cases !== undefined && quick === true)
    throw new OptionError('--cases does not go with --quick', { remedy: 'Leave one of them out' })
  if (cases !== undefined) return casesNamed(table, cases)
  return quick === true ? table.cases.filter(({ name }) => table.quick.includes(name)) : [...table.cases]
}

/** @throws OptionError for a name that is no engine's */
function othersOf({ name, others }: Bench, asked: Options['peers']): readonly Peer[] {
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

async function time<C extends BenchCase>(
  context: Context,
  { bench: table, graphOf }: Kind<C>,
  cases: readonly C[],
  { others, folder, tuning }: Engines,
  options: Options,
): Promise<BenchReport<C>> {
  using progress = new Progress(context)
  return await runBench({
    bench: table,
    cases,
    peers: [...OURS, ...others],
    peersFolder: folder,
    firstCall: options.firstCall,
    rounds: options.rounds,
    signal: context.signal,
    onProgress: (done, total, text) => progress.update(done, total, text),
    ...(graphOf === undefined ? {} : { graphOf }),
    ...(tuning === undefined ? {} : { tuning }),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
  })
}

function judge(context: Context, report: BenchReport): number {
  const faults = faultsOf(report)
  for (const [where, reason] of faults) remark(context, `${where}: ${reason}`)
  const compared = report.cases.some(({ peers }) => peers.tilewright?.status === 'ok')
  if (!compared && report.complete) remark(context, 'No case was timed.')
  return faults.length === 0 && compared ? EXIT.ok : EXIT.failed
}
