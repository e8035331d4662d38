/**
 * TensorFlow.js on its WebGPU backend, in Node: its CommonJS builds, Dawn's globals, and a device opened as ours is, so that it has
 * the same adapter, toggles, features and limits. It computes in f32 only, and works through a queue of its own that a read
 * empties: so a read of one element of the last result ends a sample.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { openGpu } from '../../src/gpu/gpu.ts'
import { pacePolling } from '../../src/gpu/pace.ts'
import type { Answer, Job } from '../protocol.ts'
import type { Work } from '../work.ts'
import { sample } from './sample.ts'

/** What of tfjs-core and its backend is used here. */
export interface TfTensor {
  readonly shape: readonly number[]
  data(): Promise<Float32Array>
  dispose(): void
}
/** Of the four NHWC axes, before and after. */
export type TfPadding = readonly (readonly [number, number])[]
export interface TfConvolution {
  readonly x: TfTensor
  readonly filter: TfTensor
  readonly strides: number
  readonly pad: TfPadding
  readonly dilations: number
  readonly bias: TfTensor
  readonly activation: 'linear' | 'relu' | 'relu6'
}
export interface Tf {
  readonly version_core: string
  registerBackend(name: string, make: () => object): boolean
  setBackend(name: string): Promise<boolean>
  tensor(values: Float32Array, shape: readonly number[]): TfTensor
  matMul(a: TfTensor, b: TfTensor, transposeA: boolean, transposeB: boolean): TfTensor
  readonly fused: {
    conv2d(given: TfConvolution): TfTensor
    depthwiseConv2d(given: TfConvolution): TfTensor
  }
  conv2dTranspose(x: TfTensor, filter: TfTensor, outputShape: readonly number[], strides: number, pad: TfPadding): TfTensor
  add(a: TfTensor, b: TfTensor): TfTensor
  tidy<T>(work: () => T): T
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor
  memory(): { readonly numBytesAllocatedInGPU?: number }
}

interface TfWebGpu {
  readonly WebGPUBackend: new (device: GPUDevice, info?: GPUAdapterInfo) => object
}

export async function measureTfjs(job: Job, work: Work): Promise<Answer> {
  const { tfjs } = work
  if (typeof tfjs === 'string') return { status: 'cannot', reason: tfjs }
  // It waits through the same binding as ours, and so with the same pauses between polls.
  pacePolling()
  const dawn = await import('webgpu')
  Object.assign(globalThis, dawn.globals)
  const load = createRequire(join(job.peersFolder, 'package.json'))
  const tf = load('@tensorflow/tfjs-core') as Tf
  const { WebGPUBackend } = load('@tensorflow/tfjs-backend-webgpu') as TfWebGpu
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
  const oneOf = async (x: TfTensor): Promise<void> => {
    const all = (value: number): number[] => x.shape.map(() => value)
    const part = tf.slice(x, all(0), all(1))
    await part.data()
    part.dispose()
  }
  let opened = performance.now()
  const weights = tfjs.weights(tf)
  if (!work.firstFromOpening) {
    // Weights go to the device when they are first used.
    for (const weight of weights) await oneOf(weight)
    opened = performance.now()
  }
  const fromHost = async (): Promise<Float32Array> => {
    const input = tf.tensor(tfjs.input.values, tfjs.input.shape)
    const result = tf.tidy(() => tfjs.run(tf, input, weights))
    const values = await result.data()
    input.dispose()
    result.dispose()
    return values
  }
  const values = await fromHost()
  const first_ms = performance.now() - opened
  if (faults[0] !== undefined) return { status: 'cannot', reason: faults[0] }
  const error = work.error(tfjs.result(values))

  const rule = await work.rule(first_ms, async () => {
    const again = performance.now()
    await fromHost()
    return performance.now() - again
  })
  const end_to_end = await sample(async (repeats) => {
    for (let run = 0; run < repeats; run++) await fromHost()
  }, rule)
  const input = tf.tensor(tfjs.input.values, tfjs.input.shape)
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) {
      const result = tf.tidy(() => tfjs.run(tf, input, weights))
      if (run === repeats - 1) await oneOf(result)
      result.dispose()
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
    ...(error === undefined ? {} : { error }),
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    ...(numBytesAllocatedInGPU === undefined ? {} : { peak_gpu_bytes: numBytesAllocatedInGPU }),
    version: `tfjs-webgpu ${tf.version_core}`,
    toggles: adapter.toggles,
  }
}
