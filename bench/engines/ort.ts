/**
 * ONNX Runtime for Node, on its WebGPU or its CPU provider. On WebGPU three sessions share one device:
 *
 *     host    inputs host → result host: first call, end to end
 *     device  inputs and result on the device, run after run, the result dropped at once: resident
 *     tiny    8×8×8, read back: it waits for all that was queued before it
 *
 * Its native build always switches Dawn's robustness off, and validation too where `validationMode` is `disabled`, as here.
 */
import { readdirSync, readFileSync, rmSync, mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportOnnx } from '../../src/formats/onnx/export.ts'
import { graph } from '../../src/graph/builder.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import type { Answer, Job } from '../protocol.ts'
import { numbersOf, type OperandArray } from '../values.ts'
import type { Operand, Work } from '../work.ts'
import { kernelSamples, median, sample, type SampleRule } from './sample.ts'

/** What of onnxruntime-node is used here. */
interface OrtTensor {
  /** Half floats as their bits. */
  readonly data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer>
  dispose(): void
}
type Feeds = Readonly<Record<string, OrtTensor>>
interface OrtSession {
  run(feeds: Feeds): Promise<Readonly<Record<string, OrtTensor>>>
  endProfiling(): void
  release(): Promise<void>
}
interface Ort {
  readonly env: { readonly versions: { readonly common: string; readonly node?: string } }
  readonly Tensor: new (type: string, data: OperandArray, shape: readonly number[]) => OrtTensor
  readonly InferenceSession: { create(model: Uint8Array | string, options: object): Promise<OrtSession> }
}

const ELEMENT = { f32: 'float32', f16: 'float16', i8: 'int8' } as const

/** Its own wording where no node may fall back to the CPU and one would. */
const ON_CPU = /fallback to CPU EP has been explicitly disabled|assigned to the default CPU EP/i

/** A model that only hands its input on: how a tensor is brought to where a session computes, and how a device is opened. */
export function identityModel({ dtype, shape }: Pick<Operand, 'dtype' | 'shape'>): Uint8Array {
  const g = graph('identity')
  g.output('c', g.identity(g.input('a', dtype, shape)))
  return exportOnnx(g.finish())
}

const TINY = { values: new Float32Array(64).fill(0.5), shape: [8, 8] } as const

function tinyModel(): Uint8Array {
  const g = graph('tiny')
  g.output('c', g.matmul(g.input('a', 'f32', TINY.shape), tensor(TINY.values, TINY.shape)))
  return exportOnnx(g.finish())
}

function optionsFor(job: Job, more: object = {}): object {
  if (job.peer === 'ort-cpu') return { executionProviders: ['cpu'], ...more }
  return {
    executionProviders: ['webgpu'],
    extra: {
      session: { disable_cpu_ep_fallback: '1' },
      ep: { webgpuexecutionprovider: { validationMode: 'disabled' } },
    },
    ...more,
  }
}

/** The engine, the job, what is run: what every step here needs. */
interface Bench {
  readonly ort: Ort
  readonly job: Job
  readonly work: Work
  readonly model: Uint8Array | string
  readonly feeds: Feeds
}

function resultOf({ work }: Pick<Bench, 'work'>, results: Readonly<Record<string, OrtTensor>>): OrtTensor {
  const result = results[work.output]
  if (result === undefined) throw new Error(`ONNX Runtime gave no ${work.output}`)
  return result
}

export async function measureOrt(job: Job, work: Work): Promise<Answer> {
  const load = createRequire(join(job.peersFolder, 'package.json'))
  const ort = load('onnxruntime-node') as Ort
  const model = typeof work.graph === 'string' ? work.graph : exportOnnx(work.graph)
  const operands = Object.entries(work.feeds)
  const feeds = Object.fromEntries(
    operands.map(([name, { dtype, shape, values }]) => [name, new ort.Tensor(ELEMENT[dtype], values, shape)]),
  )
  const bench: Bench = { ort, job, work, model, feeds }

  const begin = performance.now()
  let opened = begin
  let session: OrtSession
  try {
    if (work.firstFromOpening) {
      const [, operand] = operands[0] ?? []
      if (operand === undefined) throw new Error(`${work.name} has no inputs`)
      // The device is opened by the first session, whatever it is of.
      await ort.InferenceSession.create(identityModel(operand), optionsFor(job))
      opened = performance.now()
    }
    session = await ort.InferenceSession.create(model, optionsFor(job))
    if (!work.firstFromOpening) opened = performance.now()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (ON_CPU.test(message))
      return { status: 'cannot', reason: 'its WebGPU provider has no kernel for it: it would run on the CPU' }
    return { status: 'cannot', reason: message.split('\n')[0] ?? message }
  }
  const first = resultOf(bench, await session.run(feeds))
  const first_ms = performance.now() - opened
  const error = work.error(numbersOf(first.data))

  const fromHost = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) resultOf(bench, await session.run(feeds)).dispose()
  }
  const rule = await work.rule(first_ms, async () => {
    const again = performance.now()
    await fromHost(1)
    return performance.now() - again
  })
  const end_to_end = await sample(fromHost, rule)
  // Before more sessions hold the weights again.
  const peak_rss_bytes = process.resourceUsage().maxRSS * 1024
  const device = job.peer === 'ort-cpu' || !work.resident ? undefined : await residentOf(bench, rule)
  return {
    status: 'ok',
    open_ms: opened - begin,
    first_ms,
    end_to_end,
    resident: device?.resident ?? end_to_end,
    ...(device === undefined ? {} : { kernel_ms: device.kernel_ms }),
    ...(error === undefined ? {} : { error }),
    peak_rss_bytes,
    version: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    toggles: job.peer === 'ort-cpu' ? [] : ['disable_robustness', 'skip_validation'],
  }
}

async function residentOf(bench: Bench, rule: SampleRule) {
  const { ort, job, work, model, feeds } = bench
  const stay = { preferredOutputLocation: 'gpu-buffer' }
  const device = await ort.InferenceSession.create(model, optionsFor(job, stay))
  const tiny = await ort.InferenceSession.create(tinyModel(), optionsFor(job))
  const spark: Feeds = { a: new ort.Tensor('float32', TINY.values, TINY.shape) }
  const onDevice: Record<string, OrtTensor> = {}
  for (const [name, operand] of Object.entries(work.feeds)) {
    const feed = feeds[name]
    if (feed === undefined) continue
    const copy = await ort.InferenceSession.create(identityModel(operand), optionsFor(job, stay))
    const { c } = await copy.run({ a: feed })
    if (c !== undefined) onDevice[name] = c
  }
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) resultOf(bench, await device.run(onDevice)).dispose()
    await tiny.run(spark)
  }
  // The tiny kernel compiles here, and the device session's buffers are made.
  await queue(1)
  const resident = await sample(queue, rule)
  return { resident, kernel_ms: await profiled(bench, kernelSamples(rule, resident)) }
}

interface ProfileEvent {
  readonly cat: string
  readonly dur: number
}

/** Milliseconds of the kernels of a run by ONNX Runtime's own profile, whose `Api` events are timestamps of the device. */
async function profiled(bench: Bench, runs: number): Promise<number> {
  const { ort, job, model, feeds } = bench
  const folder = mkdtempSync(join(tmpdir(), 'ort-profile-'))
  try {
    const profile = { enableProfiling: true, profileFilePrefix: join(folder, 'p') }
    const session = await ort.InferenceSession.create(model, optionsFor(job, profile))
    for (let run = 0; run <= runs; run++) resultOf(bench, await session.run(feeds)).dispose()
    session.endProfiling()
    const [file] = readdirSync(folder)
    if (file === undefined) throw new Error('ONNX Runtime wrote no profile')
    const events = JSON.parse(readFileSync(join(folder, file), 'utf8')) as ProfileEvent[]
    const kernels = events.filter(({ cat }) => cat === 'Api').map(({ dur }) => dur)
    const each = kernels.length / (runs + 1)
    if (!Number.isInteger(each) || each === 0) throw new Error(`${kernels.length} kernels in the profile of ${runs + 1} runs`)
    // The first run is left out; a run may have several kernels.
    const sums = Array.from({ length: runs }, (_, run) =>
      kernels.slice((run + 1) * each, (run + 2) * each).reduce((sum, microseconds) => sum + microseconds / 1000, 0),
    )
    return median(sums)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
