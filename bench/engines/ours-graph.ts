/**
 * A graph of ours, compiled as callers compile it: weights are prepared once, at load. The first call is compiling, for a file reading
 * it too, and one run.
 */
import { compile } from '../../src/graph/model.ts'
import { loadModel } from '../../src/graph/load.ts'
import type { DeviceTensor } from '../../src/gpu/device-tensor.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { hostTensor, type Work } from '../work.ts'
import { boundModel } from './bound.ts'
import { countKernels } from './kernels.ts'
import type { Ready } from './ready.ts'

export async function readyGraph(gpu: Gpu, work: Work): Promise<Ready> {
  const { graph, output, feeds } = work
  const fed = Object.fromEntries(Object.entries(feeds).map(([name, operand]) => [name, hostTensor(operand)]))
  const opened = performance.now()
  const model = await (typeof graph === 'string' ? loadModel(gpu, graph) : compile(gpu, graph))
  const result = async (inputs: Readonly<Record<string, Tensor>>, to: 'host' | 'device' = 'host'): Promise<Tensor> => {
    const value = (await model.run(inputs, { to }))[output]
    if (value === undefined) throw new Error(`${work.name} gave no ${output}`)
    return value
  }
  const values = (await (await result(fed)).data()) as ArrayLike<number>
  const first_ms = performance.now() - opened
  const reasons = model.plan().map(({ plan }) => plan.reason)
  const owned: DeviceTensor[] = []
  let uploaded: Readonly<Record<string, DeviceTensor>> | undefined
  const device = () => (uploaded ??= Object.fromEntries(Object.entries(fed).map(([name, host]) => [name, gpu.upload(host)])))
  let warm = false
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) (await result(device(), 'device')).dispose()
    await gpu.idle()
  }
  return {
    opened,
    first_ms,
    values,
    async fromHost(repeats) {
      for (let run = 0; run < repeats; run++) await result(fed)
    },
    async onDevice(repeats) {
      // The first of these makes the results' buffers.
      if (!warm) await queue(1)
      warm = true
      await queue(repeats)
    },
    bound: () => boundModel(gpu, model, device(), owned),
    kernel: reasons.join(' + '),
    nodes: countKernels(reasons),
    dispose() {
      for (const each of [model, ...owned, ...Object.values(uploaded ?? {})]) each.dispose()
    },
  }
}
