/** A plan of ours with memory for all that it binds, so that its dispatches can be submitted, or timed, again and again. */
import type { BoundDispatch } from '../../src/gpu/commands.ts'
import type { DeviceTensor } from '../../src/gpu/device-tensor.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import type { OpPlan, TensorRef } from '../../src/gpu/program.ts'
import { timeDispatches } from '../../src/gpu/timer.ts'
import type { Model } from '../../src/graph/model.ts'
import { prepare } from '../../src/ops/run.ts'
import { median } from './sample.ts'

/** What is prepared from weights is made here, once; the rest is dispatched each time. What memory is taken goes into `owned`, too. */
export async function boundPlan(
  gpu: Gpu,
  plan: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly DeviceTensor[],
  owned: DeviceTensor[] = [],
): Promise<BoundDispatch[]> {
  const prepared = await prepare(gpu, plan, inputs)
  const temps = plan.temps.map((type) => gpu.allocate(type))
  const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
    const found = { input: inputs, output: outputs, temp: temps, prepared }[kind][index]
    if (found === undefined || found === null) throw new Error(`The plan has no ${kind} ${index}`)
    return found
  }
  owned.push(...prepared, ...temps)
  return plan.dispatches.map((dispatch) => ({ dispatch, tensors: dispatch.bind.map(tensorAt) }))
}

/** Milliseconds on the device's own clock, or undefined where it has none. */
export async function kernelTime(gpu: Gpu, bound: readonly BoundDispatch[], samples: number): Promise<number | undefined> {
  const { source, samples_ms } = await timeDispatches(gpu, bound, { warmups: samples === 1 ? 0 : 1, samples })
  return source === 'wall' ? undefined : median(samples_ms)
}

/** All dispatches of a run of a model, on the inputs given, with its weights; for graphs of which memory holds every value. */
export async function boundModel(
  gpu: Gpu,
  model: Model,
  inputs: Readonly<Record<string, DeviceTensor>>,
  owned: DeviceTensor[] = [],
): Promise<BoundDispatch[]> {
  const values = new Map<string, DeviceTensor>(Object.entries(inputs))
  const bound: BoundDispatch[] = []
  const own = (tensor: DeviceTensor): DeviceTensor => {
    owned.push(tensor)
    return tensor
  }
  for (const { node, plan, context } of model.plan()) {
    const taken = node.inputs.map((name, index) => {
      const type = context.inputs[index]
      if (name === null || type === null || type === undefined) return null
      const host = model.graph.constants.get(name)
      const value = values.get(name) ?? own(host === undefined ? gpu.allocate(type) : gpu.upload(host))
      values.set(name, value)
      return value
    })
    const made = context.outputs.map((type) => own(gpu.allocate(type)))
    bound.push(...(await boundPlan(gpu, plan, taken, made, owned)))
    node.outputs.forEach((name, index) => {
      const value = plan.alias === undefined ? made[index] : taken[plan.alias]
      if (value !== undefined && value !== null) values.set(name, value)
    })
  }
  return bound
}
