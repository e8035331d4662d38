/**
 * A graph of ours, compiled as callers compile it: weights are prepared once, at load. The first call is compiling, for a file reading
 * it too, and one run.
 */
import { compile } from '../../src/graph/model.ts'
import { loadModel } from '../../src/graph/load.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { hostTensor, type OwnFigures, type Work } from '../work.ts'
import { boundModel, kernelTime } from './bound.ts'
import { countKernels } from './kernels.ts'
import { kernelSamples, sample } from './sample.ts'

export async function measureGraph(gpu: Gpu, work: Work): Promise<OwnFigures> {
  const { graph, output, feeds } = work
  const fed = Object.fromEntries(Object.entries(feeds).map(([name, operand]) => [name, hostTensor(operand)]))
  const opened = performance.now()
  using model = await (typeof graph === 'string' ? loadModel(gpu, graph) : compile(gpu, graph))
  const result = async (inputs: Readonly<Record<string, Tensor>>, to: 'host' | 'device' = 'host'): Promise<Tensor> => {
    const value = (await model.run(inputs, { to }))[output]
    if (value === undefined) throw new Error(`${work.name} gave no ${output}`)
    return value
  }
  const values = (await (await result(fed)).data()) as ArrayLike<number>
  const first_ms = performance.now() - opened
  const error = work.error(values)

  const fromHost = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) await result(fed)
  }
  const rule = await work.rule(first_ms, async () => {
    const again = performance.now()
    await fromHost(1)
    return performance.now() - again
  })
  const end_to_end = await sample(fromHost, rule)
  const figures = { opened, first_ms, end_to_end, ...(error === undefined ? {} : { error }) }
  const reasons = model.plan().map(({ plan }) => plan.reason)
  if (!work.resident) return { ...figures, resident: end_to_end, nodes: countKernels(reasons) }

  const onDevice = Object.fromEntries(Object.entries(fed).map(([name, host]) => [name, gpu.upload(host)]))
  const queue = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) (await result(onDevice, 'device')).dispose()
    await gpu.idle()
  }
  await queue(1)
  const resident = await sample(queue, rule)
  const kernel_ms = await kernelTime(gpu, await boundModel(gpu, model, onDevice), kernelSamples(rule, resident))
  return { ...figures, resident, ...(kernel_ms === undefined ? {} : { kernel_ms }), kernel: reasons.join(' + ') }
}
