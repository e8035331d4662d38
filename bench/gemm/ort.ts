/**
 * ONNX Runtime for Node, on its WebGPU or its CPU provider. On WebGPU three sessions share one device:
 *
 *     host    A host → C host: first call, end to end
 *     device  A and C on the device, run after run, C dropped at once: resident
 *     tiny    8×8×8, read back: it waits for all that was queued before it
 *
 * Its native build always switches Dawn's robustness off, and validation too where `validationMode` is `disabled`, as here.
 */
import { readdirSync, readFileSync, rmSync, mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GemmCase } from '../cases/gemm.ts'
import { float16Array } from '../../src/tensor/half.ts'
import { gemmModel, identityModel, shapesOf } from './onnx.ts'
import { errorOf, operandA, operandB, type OperandArray } from './operands.ts'
import type { Answer, Job } from './protocol.ts'
import { median, ruleFor, sample, type SampleRule } from './sample.ts'

/** What of onnxruntime-node is used here. */
interface OrtTensor {
  /** Half floats as their bits. */
  readonly data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer>
  dispose(): void
}
type Feeds = Readonly<Record<string, OrtTensor>>
interface OrtSession {
  run(feeds: Feeds): Promise<{ readonly c: OrtTensor }>
  endProfiling(): void
  release(): Promise<void>
}
interface Ort {
  readonly env: { readonly versions: { readonly common: string; readonly node?: string } }
  readonly Tensor: new (type: string, data: OperandArray, shape: readonly number[]) => OrtTensor
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> }
}

const ELEMENT = { f32: 'float32', f16: 'float16', int4: 'float32', int8: 'int8' } as const

/** Its own wording where no node may fall back to the CPU and one would. */
const ON_CPU = /fallback to CPU EP has been explicitly disabled|assigned to the default CPU EP/i

const TINY: GemmCase = {
  name: 'tiny',
  family: 'square',
  dtype: 'f32',
  batch: 1,
  m: 8,
  n: 8,
  k: 8,
  transposed: false,
  weights: true,
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

export async function measureOrt(job: Job, item: GemmCase, sparing: boolean): Promise<Answer> {
  const load = createRequire(join(job.peersFolder, 'package.json'))
  const ort = load('onnxruntime-node') as Ort
  const model = gemmModel(item)
  const shapes = shapesOf(item)
  const onHost = (name: 'a' | 'b'): OrtTensor =>
    new ort.Tensor(ELEMENT[item.dtype], name === 'a' ? operandA(item) : operandB(item), shapes[name])
  const feeds: Feeds = { a: onHost('a'), ...(item.weights ? {} : { b: onHost('b') }) }

  const begin = performance.now()
  let session: OrtSession
  try {
    session = await ort.InferenceSession.create(model, optionsFor(job))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (ON_CPU.test(message))
      return { status: 'cannot', reason: 'its WebGPU provider has no kernel for it: it would run on the CPU' }
    return { status: 'cannot', reason: message.split('\n')[0] ?? message }
  }
  const opened = performance.now()
  const first = (await session.run(feeds)).c
  const first_ms = performance.now() - opened
  const values = first.data
  const error = errorOf(item, numbers(values))

  const rule = ruleFor(sparing, first_ms)
  const end_to_end = await sample(async (repeats) => {
    for (let run = 0; run < repeats; run++) (await session.run(feeds)).c.dispose()
  }, rule)
  // Before more sessions hold the weights again.
  const peak_rss_bytes = process.resourceUsage().maxRSS * 1024
  const device = job.peer === 'ort-cpu' ? undefined : await residentOf(ort, job, item, model, feeds, rule)
  return {
    status: 'ok',
    open_ms: opened - begin,
    first_ms,
    end_to_end,
    resident: device?.resident ?? end_to_end,
    ...(device === undefined ? {} : { kernel_ms: device.kernel_ms }),
    error,
    peak_rss_bytes,
    version: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    toggles: job.peer === 'ort-cpu' ? [] : ['disable_robustness', 'skip_validation'],
  }
}

function numbers(values: OrtTensor['data']): ArrayLike<number> {
  return values instanceof Uint16Array ? float16Array(values.buffer, values.byteOffset, values.length) : values
}

async function residentOf(ort: Ort, job: Job, item: GemmCase, model: Uint8Array, feeds: Feeds, rule: SampleRule) {
  const stay = { preferredOutputLocation: 'gpu-buffer' }
  const device = await ort.InferenceSession.create(model, optionsFor(job, stay))
  const tiny = await ort.InferenceSession.create(gemmModel(TINY), optionsFor(job))
  const spark: Feeds = { a: new ort.Tensor('float32', operandA(TINY), [8, 8]) }
  const shapes = shapesOf(item)
  const onDevice: Record<string, OrtTensor> = {}
  for (const name of ['a', 'b'] as const) {
    const feed = feeds[name]
    if (feed === undefined) continue
    const copy = await ort.InferenceSession.create(identityModel(item.dtype, shapes[name]), optionsFor(job, stay))
    onDevice[name] = (await copy.run({ a: feed })).c
  }
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) (await device.run(onDevice)).c.dispose()
    await tiny.run(spark)
  }
  // The tiny kernel compiles here, and the device session's buffers are made.
  await queue(1)
  const resident = await sample(queue, rule)
  return { resident, kernel_ms: await profiled(ort, job, model, feeds, rule.samples === 1 ? 1 : 3) }
}

interface ProfileEvent {
  readonly cat: string
  readonly dur: number
}

/** Milliseconds of the kernels of a run by ONNX Runtime's own profile, whose `Api` events are timestamps of the device. */
async function profiled(ort: Ort, job: Job, model: Uint8Array, feeds: Feeds, runs: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ort-profile-'))
  try {
    const profile = { enableProfiling: true, profileFilePrefix: join(folder, 'p') }
    const session = await ort.InferenceSession.create(model, optionsFor(job, profile))
    for (let run = 0; run <= runs; run++) (await session.run(feeds)).c.dispose()
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
