/**
 * Runs the bench: for each case every engine in turn, each in a process of its own, so that engines are compared within the same
 * minute and none inherits another's memory, compiled shaders or crash.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OptionError } from '../src/errors.ts'
import { exportOnnx } from '../src/formats/onnx/export.ts'
import { openGpu } from '../src/gpu/gpu.ts'
import type { Graph } from '../src/graph/graph.ts'
import { measureDotPeak, measurePeaks } from '../src/profile/peak.ts'
import type { AdapterDescription } from '../src/profile/report.ts'
import type { Bench, BenchCase } from './cases/table.ts'
import { median } from './engines/sample.ts'
import { answerIn, engineAnswer, type Answer, type Job, type Measured, type Peer, type Unheld } from './protocol.ts'
import { reportOf, type BenchReport, type CaseAnswers, type Machine, type Roof } from './report.ts'

/** dist/bench-child.js, seen from dist/*.js and from dist/chunks/*.js. */
const CHILDREN = ['./bench-child.js', '../bench-child.js']

/** Longest that one peer may take for one case. */
const PATIENCE_MS = 5 * 60_000

export interface BenchOptions<C extends BenchCase> {
  readonly bench: Bench<C>
  readonly cases: readonly C[]
  /** The network of a case, for benches whose engines read a file. */
  readonly graphOf?: (item: C) => Graph
  readonly peers: readonly Peer[]
  /** As `openGpu` takes it. */
  readonly adapter?: string
  /** Folder with the peers' node_modules. */
  readonly peersFolder: string
  /** Whether first calls count: then every shader cache is off. */
  readonly firstCall: boolean
  /** Times that all engines are gone through for each case (default 1): samples of all rounds are taken together. */
  readonly rounds?: number
  /** File with what `tilewright tune` kept, for ours; absent: kernels by rule. */
  readonly tuning?: string
  /** Whether the cases were asked for by name, which runs those, too, that one kind of adapter is spared otherwise. */
  readonly named?: boolean
  /** Stops: what was measured until then is the result. */
  readonly signal: AbortSignal
  readonly onProgress?: (done: number, total: number, text: string) => void
  /** The script of a peer's process, where it is not the built one. */
  readonly child?: string
}

/** @throws NoAdapterError; OptionError where the child's script was not built */
export async function runBench<C extends BenchCase>(options: BenchOptions<C>): Promise<BenchReport<C>> {
  const { bench, cases, signal, onProgress, rounds = 1 } = options
  const { peers } = options
  const child = options.child ?? builtChild()
  const load = loadNow()
  const { adapter, roof } = await measureRoof(options.adapter)
  const results: CaseAnswers<C>[] = []
  const runs = cases.filter((item) => bench.leftOut(item, adapter.software, options.named) === undefined)
  // Who computes what the others are held against goes first.
  const order = bench.heldAgainstCpu ? peers.toSorted((a, b) => Number(b === 'ort-cpu') - Number(a === 'ort-cpu')) : peers
  const total = runs.length * peers.length * rounds
  let done = 0
  for (const item of cases) {
    const reason = bench.leftOut(item, adapter.software, options.named)
    if (reason !== undefined) {
      results.push({ item, left_out: reason, answers: new Map() })
      continue
    }
    if (signal.aborted) break
    using files = new CaseFiles(item.name, options.graphOf?.(item))
    const answers = new Map<Peer, Answer[]>()
    for (let round = 0; round < rounds; round++) {
      for (const [index, peer] of order.entries()) {
        if (signal.aborted) break
        onProgress?.(done++, total, `${item.name}: ${peer} (engine ${index + 1} of ${peers.length})`)
        const job: Job = {
          peer,
          bench: bench.name,
          case: item.name,
          ...files.paths,
          peersFolder: options.peersFolder,
          software: adapter.software,
          ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
          ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
        }
        const answer = await runChild(child, job, options, engineAnswer)
        if (answer !== undefined) answers.set(peer, [...(answers.get(peer) ?? []), answer])
      }
    }
    if (signal.aborted) break
    results.push({ item, answers: new Map([...answers].map(([peer, list]) => [peer, merged(list)])) })
  }
  // Once more: whatever else the machine did the first time may be over.
  const again = signal.aborted ? undefined : (await measureRoof(options.adapter)).roof
  return reportOf(bench, {
    adapter,
    roof: again === undefined ? roof : higher(roof, again),
    peers,
    results,
    machine: machineNow(load),
    shader_caches: options.firstCall ? 'off' : 'as they are',
    rounds,
    tuned: options.tuning !== undefined,
    complete: !signal.aborted && results.length === cases.length,
  })
}

/** A case's network as a file, and where its result is kept, for as long as the engines run. */
class CaseFiles {
  readonly paths: Pick<Job, 'model' | 'expected'>
  readonly #folder: string | undefined

  constructor(name: string, graph: Graph | undefined) {
    if (graph === undefined) {
      this.paths = {}
      return
    }
    this.#folder = mkdtempSync(join(tmpdir(), 'tilewright-bench-'))
    const model = join(this.#folder, `${name}.onnx`)
    writeFileSync(model, exportOnnx(graph))
    this.paths = { model, expected: join(this.#folder, 'expected.bin') }
  }

  [Symbol.dispose](): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Load average over the last minute. */
export const loadNow = (): number => loadavg()[0] ?? 0

/** @param load_before `loadNow()` of before it all */
export function machineNow(load_before: number): Machine {
  return {
    load_before,
    processor: cpus()[0]?.model ?? 'unknown processor',
    processors: cpus().length,
    load: loadNow(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  }
}

export async function measureRoof(name: string | undefined): Promise<{ adapter: AdapterDescription; roof: Roof }> {
  const gpu = await openGpu({
    powerPreference: 'high-performance',
    disableRobustness: true,
    skipValidation: true,
    tuning: false,
    ...(name === undefined ? {} : { adapter: name }),
  })
  try {
    const { flops, bytes_per_s } = await measurePeaks(gpu)
    const i8 = await measureDotPeak(gpu)
    return { adapter: gpu.adapter, roof: { flops: { ...flops, ...(i8 === undefined ? {} : { i8 }) }, bytes_per_s } }
  } finally {
    gpu.dispose()
  }
}

/** The higher one of each figure. */
export function higher({ flops: one, bytes_per_s }: Roof, { flops: other, bytes_per_s: again }: Roof): Roof {
  const [f16, i8] = [Math.max(one.f16 ?? 0, other.f16 ?? 0), Math.max(one.i8 ?? 0, other.i8 ?? 0)]
  const flops = { f32: Math.max(one.f32, other.f32), ...(f16 === 0 ? {} : { f16 }), ...(i8 === 0 ? {} : { i8 }) }
  return { flops, bytes_per_s: Math.max(bytes_per_s, again) }
}

/** @throws OptionError where it was not built */
export function builtChild(): string {
  const found = CHILDREN.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((file) => existsSync(file))
  if (found !== undefined) return found
  throw new OptionError('The script of the bench (dist/bench-child.js) is missing', { remedy: 'Build Tilewright: npm run build' })
}

/** Environment in which no driver keeps compiled shaders: Mesa's switch, and NVIDIA's. */
const NO_CACHES = { MESA_SHADER_CACHE_DISABLE: 'true', __GL_SHADER_DISK_CACHE: '0' }

/** One peer, one case. Undefined where the signal came first. */
export async function runChild<A>(
  script: string,
  job: Job,
  { signal, firstCall }: { readonly signal: AbortSignal; readonly firstCall: boolean },
  read: (json: unknown) => A,
): Promise<A | Unheld | undefined> {
  const env = firstCall ? { ...process.env, ...NO_CACHES } : process.env
  const printed: string[] = []
  const complaints: string[] = []
  const ended = await new Promise<string>((resolve) => {
    const child = spawn(process.execPath, [script, JSON.stringify(job)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const end = (): void => void child.kill('SIGKILL')
    const late = setTimeout(end, PATIENCE_MS)
    signal.addEventListener('abort', end, { once: true })
    child.stdout.on('data', (text: Buffer) => printed.push(text.toString()))
    child.stderr.on('data', (text: Buffer) => complaints.push(text.toString()))
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, reason) => {
      clearTimeout(late)
      signal.removeEventListener('abort', end)
      resolve(reason === null ? `code ${code}` : reason === 'SIGKILL' ? `no answer within ${PATIENCE_MS / 1000} s` : reason)
    })
  })
  const answer = answerIn(printed.join(''), read)
  if (answer !== undefined || signal.aborted) return answer
  // As Node prints what was thrown: a line `Error: message`, below the line of source that threw it.
  const said = complaints
    .join('')
    .split('\n')
    .find((line) => /^\w*Error\b/.test(line))
  return { status: 'failed', reason: `its process ended (${ended})${said === undefined ? '' : `: ${said}`}` }
}

/** The rounds of one case and peer as one answer: samples together, the median of what each round gives once. */
export function merged(answers: readonly Answer[]): Answer {
  const [first] = answers
  if (first === undefined) throw new Error('There are no rounds to merge')
  const other = answers.find(({ status }) => status !== 'ok')
  if (other !== undefined) return other
  const all = answers.filter((answer): answer is Measured => answer.status === 'ok')
  if (first.status !== 'ok' || all.length === 1) return first
  const samples = (of: 'resident' | 'end_to_end') => ({
    samples_ms: all.flatMap((answer) => answer[of].samples_ms),
    repeats: first[of].repeats,
  })
  const errors = all.flatMap(({ error }) => (error === undefined ? [] : [error]))
  const kernels = all.flatMap(({ kernel_ms }) => (kernel_ms === undefined ? [] : [kernel_ms]))
  return {
    ...first,
    open_ms: median(all.map(({ open_ms }) => open_ms)),
    first_ms: median(all.map(({ first_ms }) => first_ms)),
    end_to_end: samples('end_to_end'),
    resident: samples('resident'),
    ...(kernels.length === 0 ? {} : { kernel_ms: median(kernels) }),
    ...(errors[0] === undefined
      ? {}
      : { error: errors.reduce((one, next) => (next.relative > one.relative ? next : one), errors[0]) }),
    peak_rss_bytes: Math.max(...all.map(({ peak_rss_bytes }) => peak_rss_bytes)),
  }
}
