/**
 * The counted build of any plan: each accessor adds what it moves to an operand `access_counts`, so that a kernel family's prediction
 * of its own accesses is held to what the device did. Think of it as a profiler's counter on every load and store.
 *
 * Counted are elements that go through accessors, also where an index lies past the end. What a body touches directly (atomic operands,
 * `NAME_0` of matrix loads, workgroup memory) is not. Counts are kept modulo 2^32.
 */
import { DeviceValidationError } from '../errors.ts'
import { tensor, type TensorType } from '../tensor/tensor.ts'
import { CommandList, type BoundDispatch } from './commands.ts'
import { DeviceTensor } from './device-tensor.ts'
import { scoped } from './faults.ts'
import { zeroDispatch } from './fill.ts'
import type { Gpu } from './gpu.ts'
import { checkPlan } from './launch.ts'
import { inlined, type DispatchPlan, type OpPlan, type TensorRef } from './program.ts'

/** Elements that a dispatch loaded from and stored to an operand. */
export interface AccessCount {
  readonly loads: number
  readonly stores: number
}

/** By operand; atomic operands, which are touched directly, are not there. */
export type AccessCounts = Readonly<Record<string, AccessCount>>

/** What the refs of a plan stand for. */
interface Memory {
  readonly inputs: readonly (DeviceTensor | null)[]
  readonly outputs: readonly DeviceTensor[]
  readonly temps: readonly DeviceTensor[]
}

/**
 * Runs the counted build of a plan on device tensors and gives the accesses of each of its dispatches, in order.
 * @param inputs as the plan's refs name them; an input that the plan writes is changed
 * @param outputs types of the outputs, whose values are dropped
 * @throws DeviceLimitError where one binding more is too many; as `runPlan` besides
 */
export async function countAccesses(
  gpu: Gpu,
  given: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly TensorType[],
): Promise<AccessCounts[]> {
  const plan = inlined(given)
  const counters = plan.dispatches.map(({ program }) => new Uint32Array(2 * program.operands.length))
  const last = (index: number): TensorRef => ({ kind: 'input', index: inputs.length + index })
  const zeros = plan.temps.flatMap((type, index) => (type.zeroed === true ? [zeroDispatch(type, { kind: 'temp', index })] : []))
  const counted = plan.dispatches.map((dispatch, index): DispatchPlan => {
    return { ...dispatch, program: { ...dispatch.program, counted: true }, bind: [...dispatch.bind, last(index)] }
  })
  const whole: OpPlan = { ...plan, dispatches: [...zeros, ...counted] }
  const counterTypes = counters.map(({ length }): TensorType => ({ dtype: 'u32', shape: [length] }))
  checkPlan(whole, { inputs: [...inputs, ...counterTypes], outputs }, gpu.facts)

  return gpu.exclusive(async () => {
    const own: DeviceTensor[] = []
    const keep = (made: DeviceTensor): DeviceTensor => {
      own.push(made)
      return made
    }
    try {
      const counts = counters.map((words) => keep(gpu.upload(tensor(words))))
      await execute(gpu, whole.dispatches, {
        inputs: [...inputs, ...counts],
        outputs: outputs.map((type) => keep(gpu.allocate(type))),
        temps: plan.temps.map((type) => keep(gpu.allocate(type))),
      })
      const results: AccessCounts[] = []
      for (const [index, count] of counts.entries()) {
        const words = await count.data()
        const operands = plan.dispatches[index]?.program.operands ?? []
        const entries = operands.map(({ name }, operand): [string, AccessCount] => {
          return [name, { loads: Number(words[2 * operand]), stores: Number(words[2 * operand + 1]) }]
        })
        results.push(Object.fromEntries(entries.filter((_, operand) => operands[operand]?.access !== 'atomic')))
      }
      return results
    } finally {
      for (const made of own) made.dispose()
    }
  })
}

async function execute(gpu: Gpu, dispatches: readonly DispatchPlan[], memory: Memory): Promise<void> {
  const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
    const found = (kind === 'input' ? memory.inputs : kind === 'output' ? memory.outputs : memory.temps)[index]
    if (!(found instanceof DeviceTensor)) throw new DeviceValidationError(`There is no ${kind} ${index}`)
    return found
  }
  const bound = dispatches.map((dispatch): BoundDispatch => ({ dispatch, tensors: dispatch.bind.map(tensorAt) }))
  const commands = await CommandList.create(gpu, bound)
  try {
    await scoped(gpu.device, { op: 'counted build' }, () => {
      const encoder = gpu.device.createCommandEncoder({ label: 'counted' })
      const pass = encoder.beginComputePass()
      commands.encode(pass)
      pass.end()
      gpu.device.queue.submit([encoder.finish()])
    })
  } finally {
    commands.dispose()
  }
}
