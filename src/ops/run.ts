/** Runs a single op, without a graph: plan, bind, submit. What `ops.conv2d(gpu, …)` stands on. */
import { DtypeError, OptionError, type ErrorDetails } from '../errors.ts'
import { CommandList, type BoundDispatch } from '../gpu/commands.ts'
import { DeviceTensor } from '../gpu/device-tensor.ts'
import { scoped } from '../gpu/faults.ts'
import { zeroDispatch } from '../gpu/fill.ts'
import type { Gpu } from '../gpu/gpu.ts'
import { checkPlan, LONGEST_LAUNCH_SECONDS } from '../gpu/launch.ts'
import { inlined, rebound, type OpPlan, type TensorRef } from '../gpu/program.ts'
import { HostTensor, type Tensor, type TensorType } from '../tensor/tensor.ts'
import type { OpDefinition } from './op.ts'

export interface RunOptions {
  readonly signal?: AbortSignal
  /** Named in errors. */
  readonly node?: string
}

/** A plan with the clearing of its zeroed temps among its dispatches, in front. */
export function withZeros(plan: OpPlan): OpPlan {
  const zeros = plan.temps.flatMap((type, index) => (type.zeroed === true ? [zeroDispatch(type, { kind: 'temp', index })] : []))
  return zeros.length === 0 ? plan : { ...plan, dispatches: [...zeros, ...plan.dispatches] }
}

/**
 * Makes what a plan has prepared, for one that runs it many times. The tensors are the caller's to dispose of.
 * @throws as `runPlan`
 */
export async function prepare(gpu: Gpu, plan: OpPlan, inputs: readonly (DeviceTensor | null)[]): Promise<DeviceTensor[]> {
  const { prepared = [] } = plan
  if (prepared.length === 0) return []
  const outputs = prepared.map((_, index): TensorRef => ({ kind: 'output', index }))
  const dispatches = prepared.flatMap((preparation) => preparation.dispatches)
  const alone = {
    reason: 'preparation',
    dispatches: dispatches.map((dispatch) => rebound(dispatch, { prepared: outputs })),
    temps: [],
  }
  return runPlan(
    gpu,
    alone,
    inputs,
    prepared.map(({ type }) => type),
  )
}

/**
 * Runs a plan on device tensors and returns new ones for its outputs, which the caller disposes of.
 * Resolves when the device has accepted the work; `data()` waits for it.
 * @param inputs null where an optional input is absent or only its value on the host is used
 * @throws DeviceLimitError, DtypeError before anything runs; DeviceValidationError; the signal's reason
 */
export async function runPlan(
  gpu: Gpu,
  plan: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly TensorType[],
  options: RunOptions = {},
): Promise<DeviceTensor[]> {
  const { signal, node } = options
  const where: ErrorDetails = node === undefined ? {} : { node }
  signal?.throwIfAborted()
  if (plan.alias !== undefined) return [aliased(gpu, plan.alias, inputs, outputs)]
  const whole = withZeros(inlined(plan))
  checkPlan(whole, { inputs, outputs }, gpu.facts, where)
  return gpu.exclusive(() => execute(gpu, whole, inputs, outputs, options), signal)
}

/** As `runPlan`, for a caller that already has the Gpu to itself (`gpu.exclusive`). */
export async function runPlanAlone(
  gpu: Gpu,
  plan: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly TensorType[],
  options: RunOptions = {},
): Promise<DeviceTensor[]> {
  const whole = withZeros(inlined(plan))
  checkPlan(whole, { inputs, outputs }, gpu.facts, options.node === undefined ? {} : { node: options.node })
  return execute(gpu, whole, inputs, outputs, options)
}

async function execute(
  gpu: Gpu,
  plan: OpPlan,
  inputs: readonly (DeviceTensor | null)[],
  outputs: readonly TensorType[],
  { signal, node }: RunOptions,
): Promise<DeviceTensor[]> {
  const where: ErrorDetails = node === undefined ? {} : { node }
  const results: DeviceTensor[] = []
  const temps: DeviceTensor[] = []
  try {
    for (const type of outputs) results.push(gpu.allocate(type))
    for (const type of plan.temps) temps.push(gpu.allocate(type))
    const tensorAt = ({ kind, index }: TensorRef): DeviceTensor => {
      const found = (kind === 'input' ? inputs : kind === 'output' ? results : temps)[index]
      if (!(found instanceof DeviceTensor)) throw new OptionError(`There is no ${kind} ${index}`, where)
      if (!gpu.owns(found)) throw new OptionError(`The tensor at ${kind} ${index} lies on another Gpu`, where)
      return found
    }
    const bound = plan.dispatches.map((dispatch): BoundDispatch => {
      return { dispatch, tensors: dispatch.bind.map(tensorAt), ...(node === undefined ? {} : { label: node }) }
    })
    await submit(gpu, bound, signal, where)
    return results
  } catch (error) {
    for (const tensor of results) tensor.dispose()
    throw error
  } finally {
    for (const tensor of temps) tensor.dispose()
  }
}

async function submit(
  gpu: Gpu,
  bound: readonly BoundDispatch[],
  signal: AbortSignal | undefined,
  where: ErrorDetails,
): Promise<void> {
  const { device } = gpu
  const commands = await CommandList.create(gpu, bound, signal === undefined ? {} : { signal })
  try {
    const batches = commands.batches(signal === undefined ? Infinity : LONGEST_LAUNCH_SECONDS)
    for (const [index, [from, to]] of batches.entries()) {
      if (index > 0) await gpu.idle()
      signal?.throwIfAborted()
      await scoped(device, where, () => {
        const encoder = device.createCommandEncoder()
        const pass = encoder.beginComputePass()
        commands.encode(pass, from, to)
        pass.end()
        device.queue.submit([encoder.finish()])
      })
    }
  } finally {
    commands.dispose()
  }
}

function aliased(gpu: Gpu, index: number, inputs: readonly (DeviceTensor | null)[], outputs: readonly TensorType[]): DeviceTensor {
  const source = inputs[index]
  const type = outputs[0]
  if (source === undefined || source === null || type === undefined) throw new OptionError(`There is no input ${index} to alias`)
  return gpu.reshape(source, type.shape)
}

/**
 * Attributes as an op takes them, with their defaults. @throws OptionError naming the node, the op and each attribute that does
 * not fit.
 */
export function parseAttributes<A>(definition: OpDefinition<A>, attributes: unknown, node?: string): A {
  const parsed = definition.attributes.safeParse(attributes)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  throw new OptionError(`Attributes do not fit: ${faults.join('; ')}`, {
    ...(node === undefined ? {} : { node }),
    op: definition.name,
  })
}

/**
 * Runs one op on host or device tensors (host tensors are uploaded), as the op's ONNX namesake takes them.
 * @returns one device tensor for each output, the caller's to dispose of
 * @throws ShapeError, DtypeError, OptionError for inputs or attributes that do not fit; as `runPlan` besides
 */
export async function runOp<A>(
  gpu: Gpu,
  definition: OpDefinition<A>,
  inputs: readonly (Tensor | null)[],
  attributes: unknown = {},
  options: RunOptions = {},
): Promise<DeviceTensor[]> {
  const parsed = parseAttributes(definition, attributes, options.node)
  const values = await Promise.all(
    inputs.map(async (input, index) => (definition.hostInputs.includes(index) ? hostValue(input) : null)),
  )
  const context = { inputs, values, attributes: parsed }
  const outputs = definition.infer(context)
  definition.checkValues?.(
    inputs.map((input) => (input !== null && isHostTensor(input) ? input : null)),
    parsed,
  )
  const plan = definition.plan({ ...context, outputs, device: gpu.facts })
  const needed = new Set(plan.alias === undefined ? [] : [plan.alias])
  for (const { bind } of plan.dispatches) for (const { kind, index } of bind) if (kind === 'input') needed.add(index)
  for (const { from } of plan.prepared ?? []) needed.add(from)
  const uploaded: DeviceTensor[] = []
  try {
    const onDevice = inputs.map((input, index): DeviceTensor | null => {
      if (input === null || !needed.has(index)) return null
      if (input instanceof DeviceTensor) return input
      if (!isHostTensor(input)) throw new DtypeError(`Input ${index} is no tensor`, { op: definition.name })
      const tensor = gpu.upload(input)
      uploaded.push(tensor)
      return tensor
    })
    return await runPlan(gpu, plan, onDevice, outputs, { node: definition.name, ...options })
  } finally {
    for (const tensor of uploaded) tensor.dispose()
  }
}

/** Whether a tensor lies on the host (`instanceof` would leave its dtype unknown). */
export function isHostTensor(tensor: Tensor): tensor is HostTensor {
  return tensor instanceof HostTensor
}

async function hostValue(input: Tensor | null): Promise<HostTensor | null> {
  if (input === null || isHostTensor(input)) return input
  return new HostTensor(input.dtype, input.shape, await input.data())
}
