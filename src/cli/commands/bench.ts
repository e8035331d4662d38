/** `tilewright bench gemm`: matrix products timed, under the adapter's measured roof and beside other engines. */
import { Argument, Command } from 'commander'
import { casesNamed, GEMM_CASES, QUICK, type GemmCase } from '../../../bench/cases/gemm.ts'
import { installPeers, missingPeers, peersFolder } from '../../../bench/gemm/peers.ts'
import type { Peer } from '../../../bench/gemm/protocol.ts'
import { faultsOf, type BenchReport } from '../../../bench/gemm/report.ts'
import { runBench } from '../../../bench/gemm/run.ts'
import { OptionError } from '../../errors.ts'
import { renderBench } from '../bench-table.ts'
import { colorsFor, EXIT, integerOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, tuningStore } from '../gpu.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { dimensions, short, table } from '../table.ts'

interface Options {
  readonly peers?: true
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
const OTHERS: readonly Peer[] = ['ort-webgpu', 'ort-cpu', 'tfjs-webgpu']

const EXAMPLES = `
Examples:
  tilewright bench gemm --quick                          a few cases, seconds
  tilewright bench gemm --peers --json out/gemm.json     beside ONNX Runtime (WebGPU, CPU) and TensorFlow.js (WebGPU)
  tilewright bench gemm --cases 'square-*,llm-m1-*' --rounds 3
  tilewright bench gemm --tuned                          with the kernels that tilewright tune kept on this adapter
  tilewright bench gemm --list                           names and sizes of all cases

Each engine runs each case in a process of its own. Times are of operands and results that stay on the device; the first call
begins with A in host memory, ends with C there, and compiles the shaders; shader caches are off (--no-first-call leaves them on).
Kernels are chosen by rule, as on a machine where nothing was tuned; --tuned takes what tilewright tune kept. The table says how many.
The peers are installed, by npm ci, when --peers is first given (about 360 MB).
Exit code 1 when ours does not hold a case, or gets it wrong.`

export function benchCommand(context: Context, exit: (code: number) => void): Command {
  return new Command('bench')
    .description('Times matrix products, beside other engines where asked, under the peaks measured of this GPU.')
    .addArgument(new Argument('<BENCH>', 'what is timed').choices(['gemm']))
    .option('--peers', 'time ONNX Runtime and TensorFlow.js too, on the same adapter')
    .option('--cases <GLOBS>', 'cases by name, * for any text, separated by commas (default: all)')
    .option('--quick', 'five small cases')
    .option('--tuned', 'ours with the kernels that tilewright tune kept on this adapter (default: kernels by rule)')
    .option('--list', 'list the cases instead of timing them')
    .option('--no-first-call', 'leave shader caches on: first calls are then not told')
    .option('--rounds <N>', 'go through the engines N times for each case', integerOption('--rounds', 1), 1)
    .option('--text <FILE>', 'write the table to FILE, too')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
    .action(async (_bench: string, options: Options) => {
      const cases = chosen(options)
      if (options.list === true) {
        present(context, options.json, cases, () => renderCases(context, cases))
        exit(EXIT.ok)
        return
      }
      checkWritable(options.json, options.text)
      const tuning = options.tuned === true ? await keptTuning(context) : undefined
      const folder = options.peers === true ? await readyPeers(context) : ''
      const report = await time(context, cases, { folder, tuning }, options)
      if (!report.complete && report.cases.every(({ left_out }) => left_out !== undefined)) {
        remark(context, 'Stopped before the first case was done: there is nothing to show.')
        exit(EXIT.interrupted)
        return
      }
      const told = options.firstCall
      present(context, options.json, report, () => renderBench(report, colorsFor(context, context.out), told))
      if (options.text !== undefined) {
        writeText(options.text, `${renderBench(report, colorsFor({ ...context, env: { NO_COLOR: '1' } }, context.out), told)}\n`)
        remark(context, `Wrote ${options.text}`)
      }
      exit(judge(context, report))
    })
}

/** @throws OptionError for both options, and for a glob that fits nothing */
function chosen({ cases, quick }: Options): GemmCase[] {
  if (cases !== undefined && quick === true)
    throw new OptionError('--cases does not go with --quick', { remedy: 'Leave one of them out' })
  if (cases !== undefined) return casesNamed(cases)
  return quick === true ? GEMM_CASES.filter(({ name }) => QUICK.includes(name)) : [...GEMM_CASES]
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

interface Places {
  /** With the peers. */
  readonly folder: string
  readonly tuning: string | undefined
}

async function time(
  context: Context,
  cases: readonly GemmCase[],
  { folder, tuning }: Places,
  options: Options,
): Promise<BenchReport> {
  using progress = new Progress(context)
  return await runBench({
    cases,
    peers: options.peers === true ? [...OURS, ...OTHERS] : OURS,
    peersFolder: folder,
    firstCall: options.firstCall,
    rounds: options.rounds,
    signal: context.signal,
    onProgress: (done, total, text) => progress.update(done, total, text),
    ...(tuning === undefined ? {} : { tuning }),
    ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
  })
}

function renderCases(context: Context, cases: readonly GemmCase[]): string {
  const rows = cases.map(({ name, family, dtype, batch, m, n, k }) => [
    name,
    family,
    dtype,
    `${batch === 1 ? '' : `${batch} of `}${dimensions([m, k, n])}`,
    short(2 * batch * m * n * k),
  ])
  const columns = [
    { title: 'Case' },
    { title: 'Family' },
    { title: 'B' },
    { title: 'M×K×N' },
    { title: 'FLOP', align: 'right' as const },
  ]
  return table(columns, rows, colorsFor(context, context.out))
}

function judge(context: Context, report: BenchReport): number {
  const faults = faultsOf(report)
  for (const [where, reason] of faults) remark(context, `${where}: ${reason}`)
  const compared = report.cases.some(({ peers }) => peers.tilewright?.status === 'ok')
  if (!compared && report.complete) remark(context, 'No case was timed.')
  return faults.length === 0 && compared ? EXIT.ok : EXIT.failed
}
