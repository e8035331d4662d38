/**
 * TensorFlow.js on its WebGPU backend, in Node: its CommonJS builds, Dawn's globals, and a device opened as ours is, so that it has
 * the same adapter, toggles, features and limits. It computes in f32 only, and works through a queue of its own that a read
 * empties: so a read of one element of the last result ends a sample.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { openGpu } from '../../src/gpu/gpu.ts'
import { pacePolling } from '../../src/gpu/pace.ts'
import type { GemmCase } from '../cases/gemm.ts'
import { shapesOf } from './onnx.ts'
import { errorOf, operandA, operandB } from './operands.ts'
import type { Answer, Job } from './protocol.ts'
import { ruleFor, sample } from './sample.ts'

/** What of tfjs-core and its backend is used here. */
interface TfTensor {
  data(): Promise<Float32Array>
  dispose(): void
}
interface Tf {
  readonly version_core: string
  registerBackend(name: string, make: () => object): boolean
  setBackend(name: string): Promise<boolean>
  tensor(values: Float32Array, shape: readonly number[]): TfTensor
  matMul(a: TfTensor, b: TfTensor, transposeA: boolean, transposeB: boolean): TfTensor
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor
  memory(): { readonly numBytesAllocatedInGPU?: number }
}

interface TfWebGpu {
  readonly WebGPUBackend: new (device: GPUDevice, info?: GPUAdapterInfo) => object
}

const F32_ONLY = 'it computes in f32 only'

export async function measureTfjs(job: Job, item: GemmCase, sparing: boolean): Promise<Answer> {
  if (item.dtype !== 'f32') return { status: 'cannot', reason: F32_ONLY }
  // It waits through the same binding as ours, and so with the same pauses between polls.
  pacePolling()
  const dawn = await import('webgpu')
  Object.assign(globalThis, dawn.globals)
  const load = createRequire(join(job.peersFolder, 'package.json'))
  const tf = load('@tensorflow/tfjs-core') as Tf
  const { WebGPUBackend } = load('@tensorflow/tfjs-backend-webgpu') as TfWebGpu
  const shapes = shapesOf(item)
  const valuesA = operandA(item)
  const valuesB = operandB(item)
  if (!(valuesA instanceof Float32Array) || !(valuesB instanceof Float32Array)) throw new Error(F32_ONLY)
  const begin = performance.now()
  const { device, adapter } = await openGpu({
    powerPreference: 'high-performance',
    disableRobustness: true,
    skipValidation: true,
    ...(job.adapter === undefined ? {} : { adapter: job.adapter }),
  })
  // It looks whether this is there, and uses the device it is handed. Loaded without it, it has not taken the name for itself.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: {} }, configurable: true })
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, device.adapterInfo))
  if (!(await tf.setBackend('webgpu'))) return { status: 'cannot', reason: 'its WebGPU backend does not start' }
  const faults: string[] = []
  device.addEventListener('uncapturederror', ({ error }) => faults.push(error.message.split('\n')[0] ?? ''))
  const oneOf = async (x: TfTensor, rank: number): Promise<void> => {
    const all = (value: number): number[] => Array.from({ length: rank }, () => value)
    const part = tf.slice(x, all(0), all(1))
    await part.data()
    part.dispose()
  }
  const rank = shapes.b.length
  const b = tf.tensor(valuesB, shapes.b)
  // Weights go to the device when they are first used.
  await oneOf(b, rank)
  const opened = performance.now()
  const product = (a: TfTensor): TfTensor => tf.matMul(a, b, false, item.transposed)
  const fromHost = async (): Promise<Float32Array> => {
    const a = tf.tensor(valuesA, shapes.a)
    const c = product(a)
    const values = await c.data()
    a.dispose()
    c.dispose()
    return values
  }
  const values = await fromHost()
  const first_ms = performance.now() - opened
  if (faults[0] !== undefined) return { status: 'cannot', reason: faults[0] }
  const error = errorOf(item, values)

  const rule = ruleFor(sparing, first_ms)
  const end_to_end = await sample(async (repeats) => {
    for (let run = 0; run < repeats; run++) await fromHost()
  }, rule)
  const a = tf.tensor(valuesA, shapes.a)
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) {
      const c = product(a)
      if (run === repeats - 1) await oneOf(c, rank)
      c.dispose()
    }
  }
  await queue(1)
  const resident = await sample(queue, rule)
  const { numBytesAllocatedInGPU } = tf.memory()
  if (faults[0] !== undefined) return { status: 'cannot', reason: faults[0] }
  return {
    status: 'ok',
    open_ms: opened - begin,
    first_ms,
    end_to_end,
    resident,
    error,
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    ...(numBytesAllocatedInGPU === undefined ? {} : { peak_gpu_bytes: numBytesAllocatedInGPU }),
    version: `tfjs-webgpu ${tf.version_core}`,
    toggles: adapter.toggles,
  }
}
