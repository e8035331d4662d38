/**
 * Tilewright's side: the public op and the plan it chooses by itself. Its first call is an eager call; later runs use that plan
 * made ready once (a `CommandList`), each in a submission of its own.
 */
import packageJson from '../../package.json' with { type: 'json' }
import { TilewrightError } from '../../src/errors.ts'
import { CommandList, type BoundDispatch } from '../../src/gpu/commands.ts'
import type { DeviceTensor } from '../../src/gpu/device-tensor.ts'
import { filePlace } from '../../src/formats/node-tuning.ts'
import { openGpu, type Gpu } from '../../src/gpu/gpu.ts'
import { checkPlan } from '../../src/gpu/launch.ts'
import { inlined, type OpPlan, type TensorRef } from '../../src/gpu/program.ts'
import { timeDispatches } from '../../src/gpu/timer.ts'
import { writeTensor } from '../../src/gpu/transfer.ts'
import { TuningStore } from '../../src/profile/tuning.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { parseAttributes, runOp, withZeros } from '../../src/ops/run.ts'
import { tensor, type HostTensor, type TensorType } from '../../src/tensor/tensor.ts'
import { BLOCK, type GemmCase } from '../cases/gemm.ts'
import { shapesOf } from './onnx.ts'
import { errorOf, operandA, operandB, packedB } from './operands.ts'
import type { Answer, Job } from './protocol.ts'
import { median, ruleFor, sample } from './sample.ts'

/** The op of a case, as `runOp` takes it: A first, then what is there before the run. */
interface Product {
  readonly op: string
  readonly rest: readonly HostTensor[]
  readonly attributes: Readonly<Record<string, unknown>>
}

const DTYPE = { f32: 'f32', f16: 'f16', int4: 'f32', int8: 'i8' } as const

function productOf(item: GemmCase): Product {
  const { dtype, n, k, transposed } = item
  if (dtype === 'int4') {
    const { codes, scales } = packedB(item)
    const rest = [tensor(codes, [n, k / BLOCK, BLOCK / 2]), tensor(scales, [n, k / BLOCK])]
    // As the model that ONNX Runtime is given (onnx.ts): activations may be rounded to bytes.
    return { op: 'matmulNBits', rest, attributes: { bits: 4, blockSize: BLOCK, accuracyLevel: 4 } }
  }
  const rest = [tensor(operandB(item), shapesOf(item).b, DTYPE[dtype])]
  if (dtype === 'int8') return { op: 'matmulInteger', rest, attributes: {} }
  return transposed ? { op: 'gemm', rest, attributes: { transB: true } } : { op: 'matmul', rest, attributes: {} }
}

export async function measureOurs(job: Job, item: GemmCase, sparing: boolean): Promise<Answer> {
  const { op, rest: hostRest, attributes } = productOf(item)
  const hostA = tensor(operandA(item), shapesOf(item).a, DTYPE[item.dtype])
  const safe = job.peer === 'tilewright-safe'
  const begin = performance.now()
  const gpu = await openGpu({
    powerPreference: 'high-performance',
    ...(job.adapter === undefined ? {} : { adapter: job.adapter }),
    disableRobustness: !safe,
    skipValidation: !safe,
    tuning: job.tuning === undefined ? false : new TuningStore(filePlace(job.tuning)),
  })
  try {
    const definition = opNamed(op)
    const rest = hostRest.map((host) => gpu.upload(host))
    await gpu.idle()
    const opened = performance.now()
    const [eager] = await runOp(gpu, definition, [hostA, ...rest], attributes)
    if (eager === undefined) return { status: 'cannot', reason: `${op} gave no result` }
    const values = (await eager.data()) as ArrayLike<number>
    const first_ms = performance.now() - opened
    const error = errorOf(item, values)
    eager.dispose()

    const a = gpu.upload(hostA)
    const inputs = [a, ...rest]
    const context = { inputs, values: inputs.map(() => null), attributes: parseAttributes(definition, attributes) }
    const outputs = definition.infer(context)
    const plan = definition.plan({ ...context, outputs, device: gpu.facts })
    const ready = await prepare(gpu, plan, inputs, outputs)
    const rule = ruleFor(sparing, first_ms)
    const resident = await sample(async (repeats) => {
      for (let run = 0; run < repeats; run++) submit(gpu, ready.commands)
      await gpu.idle()
    }, rule)
    const end_to_end = await sample(async (repeats) => {
      for (let run = 0; run < repeats; run++) {
        writeTensor(gpu.device.queue, hostA, a.segments)
        submit(gpu, ready.commands)
        await gpu.read(ready.output)
      }
    }, rule)
    const timing = await timeDispatches(gpu, ready.bound, { warmups: 0, samples: rule.samples === 1 ? 1 : 3 })
    return {
      status: 'ok',
      open_ms: opened - begin,
      first_ms,
      end_to_end,
      resident,
      ...(timing.source === 'wall' ? {} : { kernel_ms: median(timing.samples_ms) }),
      error,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      peak_gpu_bytes: gpu.memory.peakBytes,
      kernel: plan.reason,
      version: `tilewright ${packageJson.version}`,
      toggles: gpu.adapter.toggles,
    }
  } catch (error) {
    // What the device or an op does not take is an answer; anything else is a fault of ours, and shows as one.
    if (error instanceof TilewrightError) return { status: 'cannot', reason: `${error.name}: ${error.message}` }
    throw error
  } finally {
    gpu.dispose()
  }
}

interface Ready {
  readonly commands: CommandList
  readonly bound: readonly BoundDispatch[]
  readonly output: DeviceTensor
}

async function prepare(gpu: Gpu, plan: OpPlan, inputs: readonly DeviceTensor[], types: readonly TensorType[]): Promise<Ready> {
  const whole = withZeros(inlined(plan))
  checkPlan(whole, { inputs, outputs: types }, gpu.facts)
  const outputs = types.map((type) => gpu.allocate(type))
  const temps = whole.temps.map((type) => gpu.allocate(type))
  const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
    const found = { input: inputs, output: outputs, temp: temps, prepared: [] }[kind][index]
    if (found === undefined) throw new Error(`The plan has no ${kind} ${index}`)
    return found
  }
  const bound = whole.dispatches.map((dispatch): BoundDispatch => ({ dispatch, tensors: dispatch.bind.map(tensorAt) }))
  const commands = await CommandList.create(gpu, bound)
  return { commands, bound, output: tensorAt({ kind: 'output', index: 0 }) }
}

function submit({ device }: Gpu, commands: CommandList): void {
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  commands.encode(pass)
  pass.end()
  device.queue.submit([encoder.finish()])
}
