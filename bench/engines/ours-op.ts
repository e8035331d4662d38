/**
 * One op of ours, by itself: the public op and the plan it chooses. Its first call is an eager call; later runs use that plan made
 * ready once (a `CommandList`), each in a submission of its own.
 */
import { OptionError } from '../../src/errors.ts'
import { CommandList } from '../../src/gpu/commands.ts'
import type { DeviceTensor } from '../../src/gpu/device-tensor.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { checkPlan } from '../../src/gpu/launch.ts'
import { writeTensor } from '../../src/gpu/transfer.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { parseAttributes, runOp, withZeros } from '../../src/ops/run.ts'
import type { HostTensor } from '../../src/tensor/tensor.ts'
import { hostTensor, type Work } from '../work.ts'
import { boundPlan } from './bound.ts'
import type { Ready } from './ready.ts'

/** The op of a graph of one node: its first input is fed at each run, the others are there before. */
function soleNode({ graph, feeds, name }: Work) {
  const [node] = typeof graph === 'string' ? [] : graph.nodes
  if (typeof graph === 'string' || node === undefined || graph.nodes.length > 1) throw new Error(`${name} is not one op`)
  const [fed, ...rest] = node.inputs.map((input): HostTensor | null => {
    if (input === null) return null
    const operand = feeds[input]
    const value = operand === undefined ? graph.constants.get(input) : hostTensor(operand)
    if (value === undefined) throw new Error(`${name} has no value for ${input}`)
    return value
  })
  if (fed === undefined || fed === null) throw new Error(`${name} has no inputs`)
  return { op: node.op, attributes: node.attributes, fed, rest }
}

export async function readyOp(gpu: Gpu, work: Work): Promise<Ready> {
  const { op, attributes, fed, rest: hostRest } = soleNode(work)
  const definition = opNamed(op)
  const rest = hostRest.map((host) => (host === null ? null : gpu.upload(host)))
  await gpu.idle()
  const opened = performance.now()
  const eagers = await runOp(gpu, definition, [fed, ...rest], attributes)
  const [eager] = eagers
  if (eager === undefined) throw new OptionError('The op gave no result', { op })
  const values = (await eager.data()) as ArrayLike<number>
  const first_ms = performance.now() - opened
  for (const each of eagers) each.dispose()

  const a = gpu.upload(fed)
  const inputs = [a, ...rest]
  const context = { inputs, values: inputs.map(() => null), attributes: parseAttributes(definition, attributes) }
  const outputs = definition.infer(context)
  const plan = definition.plan({ ...context, outputs, device: gpu.facts })
  const whole = withZeros(plan)
  checkPlan(whole, { inputs, outputs }, gpu.facts)
  const made = outputs.map((type) => gpu.allocate(type))
  const owned: DeviceTensor[] = []
  const bound = await boundPlan(gpu, whole, inputs, made, owned)
  const commands = await CommandList.create(gpu, bound)
  const [result] = made
  if (result === undefined) throw new OptionError('The op gives no result', { op })
  return {
    opened,
    first_ms,
    values,
    async fromHost(repeats) {
      for (let run = 0; run < repeats; run++) {
        writeTensor(gpu.device.queue, fed, a.segments)
        submit(gpu, commands)
        await gpu.read(result)
      }
    },
    async onDevice(repeats) {
      for (let run = 0; run < repeats; run++) submit(gpu, commands)
      await gpu.idle()
    },
    bound: () => Promise.resolve(bound),
    kernel: plan.reason,
    dispose() {
      commands.dispose()
      for (const each of [...inputs, ...made, ...owned]) each?.dispose()
    },
  }
}

function submit({ device }: Gpu, commands: CommandList): void {
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  commands.encode(pass)
  pass.end()
  device.queue.submit([encoder.finish()])
}
