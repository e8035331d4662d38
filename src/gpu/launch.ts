/**
 * From a dispatch to launches, as pure functions: the linear count of workgroups is split so that no launch is estimated beyond
 * half a second, and each launch is folded over x, y and z, none of which may exceed the device's limit (65 535).
 */
import { DeviceLimitError, DeviceValidationError, type ErrorDetails } from '../errors.ts'
import type { TensorType } from '../tensor/tensor.ts'
import { checkTensor } from './device-tensor.ts'
import {
  meets,
  operandsOf,
  segmentBytes,
  segmentCount,
  type DeviceFacts,
  type DispatchPlan,
  type OpPlan,
  type ProgramSource,
} from './program.ts'

/** A GPU's watchdog kills what runs for about two seconds; a quarter of that leaves room for a wrong estimate. */
export const LONGEST_LAUNCH_SECONDS = 0.5

/** One `dispatchWorkgroups`: workgroups `first` … `end − 1` of a dispatch, over a grid that may have a few too many. */
export interface Launch {
  readonly first: number
  readonly end: number
  readonly grid: readonly [number, number, number]
  readonly seconds: number
}

/** Rates that a poor kernel still reaches: on purpose far below any device's peak. */
function slowestRates(facts: DeviceFacts): { flops: number; bytes: number } {
  return facts.software ? { flops: 5e8, bytes: 5e8 } : { flops: 5e10, bytes: 1e10 }
}

/** A cautious estimate of how long a dispatch takes on a device, in seconds. */
export function estimateSeconds(cost: DispatchPlan['cost'], facts: DeviceFacts): number {
  const rates = slowestRates(facts)
  return Math.max(cost.flops / (rates.flops * (cost.speed ?? 1)), cost.bytes / rates.bytes)
}

/**
 * The grid of at least `groups` workgroups with the fewest too many.
 * @throws DeviceLimitError when even three dimensions do not hold them.
 */
export function foldGrid(groups: number, limit: number): [number, number, number] {
  if (groups <= limit) return [groups, 1, 1]
  const z = Math.ceil(groups / (limit * limit))
  const y = Math.ceil(groups / (limit * z))
  const x = Math.ceil(groups / (y * z))
  if (y > limit || z > limit) {
    throw new DeviceLimitError(`A dispatch of ${groups} workgroups does not fit a grid`, { limit: `${limit} per dimension` })
  }
  return [Math.min(x, limit), y, z]
}

/** Splits a dispatch into launches, each estimated at most `longest` seconds. No launches for no workgroups. */
export function launchesOf(
  { groups, cost }: Pick<DispatchPlan, 'groups' | 'cost'>,
  facts: DeviceFacts,
  longest = LONGEST_LAUNCH_SECONDS,
): Launch[] {
  if (!Number.isSafeInteger(groups) || groups < 0) throw new DeviceValidationError(`A dispatch of ${groups} workgroups`)
  // One grid's worth of slack below 2^32: a folded grid may count past `groups`, and indices must not wrap.
  if (groups > 2 ** 31) throw new DeviceLimitError(`A dispatch of ${groups} workgroups`, { limit: '2^31 workgroups' })
  if (groups === 0) return []
  const seconds = estimateSeconds(cost, facts)
  const count = Math.min(groups, Math.max(1, Math.ceil(seconds / longest)))
  const step = Math.ceil(groups / count)
  const launches: Launch[] = []
  for (let first = 0; first < groups; first += step) {
    const end = Math.min(groups, first + step)
    const grid = foldGrid(end - first, facts.limits.maxComputeWorkgroupsPerDimension)
    launches.push({ first, end, grid, seconds: (seconds * (end - first)) / groups })
  }
  return launches
}

/** The uniform block of a launch: `first_group`, `groups`, then the program's params in order; 4 bytes each. */
export function packParams(
  program: Pick<ProgramSource, 'name' | 'params'>,
  values: Readonly<Record<string, number>>,
  first: number,
  end: number,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(program.params)
  const view = new DataView(new ArrayBuffer((entries.length + 2) * 4))
  view.setUint32(0, first, true)
  view.setUint32(4, end, true)
  entries.forEach(([name, type], index) => {
    const value = values[name]
    const offset = (index + 2) * 4
    if (value === undefined) throw new DeviceValidationError(`Param ${name} has no value`, { op: program.name })
    if (type === 'f32') {
      view.setFloat32(offset, value, true)
      return
    }
    const [least, most] = type === 'u32' ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1]
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new DeviceLimitError(`Param ${name} is ${value}`, { op: program.name, limit: `${type}: ${least} to ${most}` })
    }
    if (type === 'u32') view.setUint32(offset, value, true)
    else view.setInt32(offset, value, true)
  })
  for (const name of Object.keys(values)) {
    if (!(name in program.params)) throw new DeviceValidationError(`The program has no param ${name}`, { op: program.name })
  }
  return new Uint8Array(view.buffer)
}

/** The types that a plan's refs stand for. */
export interface PlanTypes {
  readonly inputs: readonly (TensorType | null)[]
  readonly outputs: readonly TensorType[]
}

/** The tensor types that a dispatch binds, in its operands' order. @throws DeviceValidationError on a ref to nothing. */
export function boundTypes(dispatch: DispatchPlan, plan: OpPlan, types: PlanTypes): TensorType[] {
  const { program, bind } = dispatch
  const operands = operandsOf(program)
  if (bind.length !== operands.length) {
    throw new DeviceValidationError(`${bind.length} tensors for ${operands.length} operands`, { op: program.name })
  }
  return bind.map(({ kind, index }, operand) => {
    const lists = {
      input: types.inputs,
      output: types.outputs,
      temp: plan.temps,
      prepared: (plan.prepared ?? []).map((preparation) => preparation.type),
    }
    const type = lists[kind][index]
    const spec = operands[operand]
    const name = spec?.name
    if (type === undefined || type === null) {
      throw new DeviceValidationError(`Operand ${name} is bound to ${kind} ${index}, which is not there`, { op: program.name })
    }
    if (type.dtype !== spec?.dtype) {
      throw new DeviceValidationError(`Operand ${name} is ${spec?.dtype}, but ${kind} ${index} is ${type.dtype}`, {
        op: program.name,
      })
    }
    return type
  })
}

/**
 * Checks before anything runs that the device can hold and bind all of a plan, and has the features of its programs.
 * @throws DeviceLimitError, DtypeError naming the node, op, dtype, shape, limit and remedy.
 */
export function checkPlan(plan: OpPlan, types: PlanTypes, facts: DeviceFacts, where: ErrorDetails = {}): void {
  const { prepared = [], temps } = plan
  const made = [...temps, ...prepared.map(({ type }) => type)]
  for (const type of [...types.inputs, ...types.outputs, ...made]) if (type !== null) checkTensor(type, facts, where)
  const bytesPerSegment = segmentBytes(facts.limits)
  const limit = facts.limits.maxStorageBuffersPerShaderStage
  for (const dispatch of [...prepared.flatMap(({ dispatches }) => dispatches), ...plan.dispatches]) {
    const bound = boundTypes(dispatch, plan, types)
    for (const feature of dispatch.program.requires ?? []) {
      if (!meets(facts, feature)) {
        throw new DeviceLimitError(`Kernel ${dispatch.program.name} needs a feature that this device lacks`, {
          ...where,
          limit: `feature ${feature} is missing`,
          remedy: 'Choose another kernel or adapter',
        })
      }
    }
    const counts = bound.map((type) => segmentCount(type, bytesPerSegment))
    const total = counts.reduce((sum, count) => sum + count, 0)
    if (total > limit) {
      const largest = bound[counts.indexOf(Math.max(...counts))]
      throw new DeviceLimitError(`Kernel ${dispatch.program.name} needs ${total} storage bindings`, {
        ...where,
        ...(largest === undefined ? {} : { dtype: largest.dtype, shape: largest.shape }),
        limit: `maxStorageBuffersPerShaderStage ${limit}, ${bytesPerSegment} bytes in each`,
        remedy: 'Use a smaller batch, precision f16, or an adapter with larger bindings',
      })
    }
    const lanes = dispatch.program.workgroupSize.reduce((product, extent) => product * extent, 1)
    if (lanes > facts.limits.maxComputeInvocationsPerWorkgroup) {
      throw new DeviceLimitError(`Kernel ${dispatch.program.name} has workgroups of ${lanes} invocations`, {
        ...where,
        limit: `maxComputeInvocationsPerWorkgroup ${facts.limits.maxComputeInvocationsPerWorkgroup}`,
        remedy: 'Choose a smaller tile',
      })
    }
    const { workgroupBytes = 0 } = dispatch.program
    if (workgroupBytes > facts.limits.maxComputeWorkgroupStorageSize) {
      throw new DeviceLimitError(`Kernel ${dispatch.program.name} takes ${workgroupBytes} bytes of workgroup memory`, {
        ...where,
        limit: `maxComputeWorkgroupStorageSize ${facts.limits.maxComputeWorkgroupStorageSize}`,
        remedy: 'Choose a smaller tile',
      })
    }
    foldGrid(Math.max(1, dispatch.groups), facts.limits.maxComputeWorkgroupsPerDimension)
  }
}
