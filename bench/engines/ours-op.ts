/**
 * One op of ours, by itself: the public op and the plan it chooses. Its first call is an eager call; later runs use that plan made
 * ready once (a `CommandList`), each in a submission of its own.
 */
import { OptionError } from '../../src/errors.ts'
import { CommandList } from '../../src/gpu/commands.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { checkPlan } from '../../src/gpu/launch.ts'
import { writeTensor } from '../../src/gpu/transfer.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { parseAttributes, runOp, withZeros } from '../../src/ops/run.ts'
import type { HostTensor } from '../../src/tensor/tensor.ts'
import { hostTensor, type OwnFigures, type Work } from '../work.ts'
import { boundPlan, kernelTime } from './bound.ts'
import { kernelSamples, sample } from './sample.ts'

/** The op of a graph of one node: its first input is fed at each run, the others are there before. */
function soleNode({ graph, feeds, name }: Work) {
  const [node] = typeof graph === 'string' ? [] : graph.nodes
  if (typeof graph === 'string' || node === undefined || graph.nodes.length > 1) throw new Error(`${name} is not one op`)
  const [fed, ...rest] = node.inputs.map((input): HostTensor => {
    const operand = feeds[input ?? '']
    const value = operand === undefined ? graph.constants.get(input ?? '') : hostTensor(operand)
    if (value === undefined) throw new Error(`${name} has no value for ${input}`)
    return value
  })
  if (fed === undefined) throw new Error(`${name} has no inputs`)
  return { op: node.op, attributes: node.attributes, fed, rest }
}

export async function measureOp(gpu: Gpu, work: Work): Promise<OwnFigures> {
  const { op, attributes, fed, rest: hostRest } = soleNode(work)
  const definition = opNamed(op)
  const rest = hostRest.map((host) => gpu.upload(host))
  await gpu.idle()
  const opened = performance.now()
  const [eager] = await runOp(gpu, definition, [fed, ...rest], attributes)
  if (eager === undefined) throw new OptionError('The op gave no result', { op })
  const values = (await eager.data()) as ArrayLike<number>
  const first_ms = performance.now() - opened
  const error = work.error(values)
  eager.dispose()

  const a = gpu.upload(fed)
  const inputs = [a, ...rest]
  const context = { inputs, values: inputs.map(() => null), attributes: parseAttributes(definition, attributes) }
  const outputs = definition.infer(context)
  const plan = definition.plan({ ...context, outputs, device: gpu.facts })
  const whole = withZeros(plan)
  checkPlan(whole, { inputs, outputs }, gpu.facts)
  const made = outputs.map((type) => gpu.allocate(type))
  const bound = await boundPlan(gpu, whole, inputs, made)
  const commands = await CommandList.create(gpu, bound)
  const [result] = made
  if (result === undefined) throw new OptionError('The op gives no result', { op })
  const fromHost = async (repeats: number): Promise<void> => {
    for (let run = 0; run < repeats; run++) {
      writeTensor(gpu.device.queue, fed, a.segments)
      submit(gpu, commands)
      await gpu.read(result)
    }
  }
  const rule = await work.rule(first_ms, async () => {
    const again = performance.now()
    await fromHost(1)
    return performance.now() - again
  })
  const resident = await sample(async (repeats) => {
    for (let run = 0; run < repeats; run++) submit(gpu, commands)
    await gpu.idle()
  }, rule)
  const end_to_end = await sample(fromHost, rule)
  const kernel_ms = await kernelTime(gpu, bound, kernelSamples(rule, resident))
  return {
    opened,
    first_ms,
    end_to_end,
    resident,
    ...(kernel_ms === undefined ? {} : { kernel_ms }),
    ...(error === undefined ? {} : { error }),
    kernel: plan.reason,
  }
}

function submit({ device }: Gpu, commands: CommandList): void {
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  commands.encode(pass)
  pass.end()
  device.queue.submit([encoder.finish()])
}
