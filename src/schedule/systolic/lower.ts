/**
 * From a layer and a flow to dispatches of a systolic array: a workgroup is the R×C array, its lanes hand words to their
 * neighbours one step at a time, and the counted build counts its own steps. Two builds, as in `lowering/lower.ts`.
 *
 * A fold of a long stream takes longer than a dispatch may: the steps are then cut into several dispatches, and what the lanes hold
 * waits in a scratch tensor between them.
 */
import accessCounted from '../../../shaders/systolic/access_counted.wgsl?raw'
import accessFast from '../../../shaders/systolic/access_fast.wgsl?raw'
import inputsHeld from '../../../shaders/systolic/inputs_held.wgsl?raw'
import network from '../../../shaders/systolic/network.wgsl?raw'
import outputStationary from '../../../shaders/systolic/output_stationary.wgsl?raw'
import pauseKept from '../../../shaders/systolic/pause_kept.wgsl?raw'
import pauseNone from '../../../shaders/systolic/pause_none.wgsl?raw'
import productBody from '../../../shaders/systolic/product.wgsl?raw'
import stationary from '../../../shaders/systolic/stationary.wgsl?raw'
import sumsApart from '../../../shaders/systolic/sums_apart.wgsl?raw'
import sumsInPlace from '../../../shaders/systolic/sums_in_place.wgsl?raw'
import weightsHeld from '../../../shaders/systolic/weights_held.wgsl?raw'
import { DeviceLimitError, MappingError } from '../../errors.ts'
import { zeroDispatch } from '../../gpu/fill.ts'
import { LONGEST_LAUNCH_SECONDS } from '../../gpu/launch.ts'
import type { DeviceFacts, DispatchPlan, OpPlan, OperandSpec, TensorRef } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { fanoutOf, type Hardware, type SystolicFlow } from '../hardware.ts'
import type { Problem } from '../problem.ts'
import { SYSTOLIC_COUNTERS } from './counts.ts'
import { systolicShape, type SystolicArray, type SystolicShape } from './shape.ts'

/** Lanes along an axis where nothing else decides. */
const SIDE = 16

/**
 * Work of a lane in a step, in the operations that `launchesOf` converts to time at its cautious rates: 64 ns on a software adapter
 * (lavapipe on two busy cores took 18 to 39 ns, most of it the barrier), and on a GPU as if few workgroups ran at once.
 */
const LANE_STEP_OPERATIONS = 32
/** Seconds that a step takes on a GPU even when it runs alone: a load from storage and a barrier, one after the other. */
const STEP_LATENCY = 2e-6

export interface SystolicFit {
  readonly array: SystolicArray
  /** What was shrunk, for the report. */
  readonly notes: readonly string[]
}

/** The hardware's array (its fan-out above the innermost level) as far as a workgroup holds it: rows run along y, columns along x. */
export function fitArray(hardware: Hardware, device: DeviceFacts): SystolicFit {
  const whole = fanoutOf(hardware, hardware.levels.length - 2)
  const lanes = Math.min(device.limits.maxComputeInvocationsPerWorkgroup, networkLanes(device))
  if (whole.x * whole.y <= lanes) return { array: { rows: whole.y, columns: whole.x }, notes: [] }
  const columns = Math.min(whole.x, SIDE, lanes)
  const array = { rows: Math.min(whole.y, Math.floor(lanes / columns)), columns }
  return {
    array,
    notes: [`array of ${whole.y}×${whole.x} shrunk to ${array.rows}×${array.columns}: a workgroup has ${lanes} invocations`],
  }
}

/** Lanes whose wires (two words each way) workgroup memory holds; a few words are left to the counters. */
function networkLanes(device: DeviceFacts): number {
  return Math.floor((device.limits.maxComputeWorkgroupStorageSize / 4 - 16) / 4)
}

export interface LoweredSystolic {
  readonly shape: SystolicShape
  /** Inputs: x [N, G·C, H, W], w [G·M, C, R, S]; outputs: y [N, G·M, P, Q], and in the counted build counts u32[22]. */
  readonly plan: OpPlan
}

/**
 * @param types of x and w (they fix storage dtypes and the input plane)
 * @param longest seconds that a dispatch may take by estimate
 * @throws MappingError when the array does not fit a workgroup; DeviceLimitError for a stream beyond 2³¹ steps
 */
export function lowerSystolic(
  problem: Problem,
  flow: SystolicFlow,
  array: SystolicArray,
  device: DeviceFacts,
  build: 'fast' | 'counted',
  types: { readonly x: TensorType; readonly w: TensorType },
  longest = LONGEST_LAUNCH_SECONDS,
): LoweredSystolic {
  const shape = systolicShape(problem, flow, array)
  const lanes = array.rows * array.columns
  if (lanes > device.limits.maxComputeInvocationsPerWorkgroup || lanes > networkLanes(device)) {
    throw new MappingError('The array does not fit a workgroup', {
      lanes,
      limit: `maxComputeInvocationsPerWorkgroup ${device.limits.maxComputeInvocationsPerWorkgroup}, ${networkLanes(device)} by workgroup memory`,
      remedy: 'Take fewer rows or columns',
    })
  }
  if (shape.foldSteps >= 2 ** 31) {
    throw new DeviceLimitError(`A fold of ${shape.foldSteps} steps`, { limit: '2^31 steps', remedy: 'Use a smaller batch' })
  }
  const [, , rows = 1, columns = 1] = types.x.shape
  // Row folds add up, one after another in one workgroup; where every lane keeps its own sum, each fold is a workgroup.
  const inOrder = flow === 'os' ? 1 : shape.rowFolds
  const workgroups = shape.products * shape.columnFolds * (flow === 'os' ? shape.rowFolds : 1)
  const slices = sliceSteps(inOrder * shape.foldSteps, lanes, device, longest)
  const kept = slices.length > 1
  const apart = types.x.dtype === 'f16' && inOrder > 1
  const temps: TensorType[] = []
  const temp = (type: TensorType): TensorRef => ({ kind: 'temp', index: temps.push(type) - 1 })

  const operands: OperandSpec[] = [
    { name: 'w', dtype: types.w.dtype, access: 'read' },
    { name: 'x', dtype: types.x.dtype, access: 'read' },
    { name: 'y', dtype: types.x.dtype, access: 'read_write' },
  ]
  const bind: TensorRef[] = [
    { kind: 'input', index: 1 },
    { kind: 'input', index: 0 },
    { kind: 'output', index: 0 },
  ]
  if (apart) {
    operands.push({ name: 'sums', dtype: 'f32', access: 'read_write' })
    bind.push(temp({ dtype: 'f32', shape: [problem.N, problem.groups * problem.M, problem.P, problem.Q] }))
  }
  if (kept) {
    operands.push({ name: 'state', dtype: 'f32', access: 'read_write' })
    bind.push(temp({ dtype: 'f32', shape: [workgroups, lanes, 3] }))
  }
  if (build === 'counted') {
    operands.push({ name: 'counts', dtype: 'u32', access: 'atomic' })
    bind.push({ kind: 'output', index: 1 })
  }
  const body = [
    build === 'fast' ? accessFast : accessCounted,
    apart ? sumsApart : sumsInPlace,
    kept ? pauseKept : pauseNone,
    productBody,
    network,
    ...(flow === 'os' ? [outputStationary] : [flow === 'ws' ? weightsHeld : inputsHeld, stationary]),
  ].join('\n')
  const fixed = productParams(problem, shape, { rows, columns })
  const program = {
    name: `systolic/${flow}/${build}`,
    body,
    operands,
    params: Object.fromEntries([...Object.keys(fixed), ...SLICE].map((name) => [name, name.startsWith('pad_') ? 'i32' : 'u32'])),
    constants: { ROWS: array.rows, COLUMNS: array.columns },
    workgroupSize: [lanes, 1, 1],
  } satisfies DispatchPlan['program']
  const dispatches = slices.map(({ first, beats }): DispatchPlan => {
    const at = { fold: Math.floor(first / shape.foldSteps), step: first % shape.foldSteps, beats, resumes: first === 0 ? 0 : 1 }
    const flops = workgroups * beats * lanes * LANE_STEP_OPERATIONS
    return { program, bind, params: { ...fixed, ...at }, groups: workgroups, cost: { flops, bytes: 0 } }
  })
  const clear = zeroDispatch({ dtype: 'u32', shape: [2 * SYSTOLIC_COUNTERS] }, { kind: 'output', index: 1 })
  return {
    shape,
    plan: { reason: reasonOf(shape, slices.length), dispatches: build === 'counted' ? [clear, ...dispatches] : dispatches, temps },
  }
}

/** Params that say which part of the steps a dispatch does. */
const SLICE = ['fold', 'step', 'beats', 'resumes'] as const

/** The steps of one workgroup cut into stretches that take at most `longest` seconds when it runs alone. */
function sliceSteps(steps: number, lanes: number, device: DeviceFacts, longest: number): { first: number; beats: number }[] {
  const seconds = device.software ? (lanes * LANE_STEP_OPERATIONS) / 5e8 : STEP_LATENCY
  const count = Math.max(1, Math.ceil((steps * seconds) / longest))
  const length = Math.ceil(steps / count)
  const slices: { first: number; beats: number }[] = []
  for (let first = 0; first < steps; first += length) slices.push({ first, beats: Math.min(length, steps - first) })
  return slices
}

function productParams(problem: Problem, shape: SystolicShape, input: SystolicArrayExtent): Record<string, number> {
  const { groups, M, C, P, Q, R, S, stride, dilation, padding } = problem
  return {
    groups_G: groups,
    ...{ M, C, P, Q, R, S },
    H: input.rows,
    W: input.columns,
    stride_y: stride[0],
    stride_x: stride[1],
    dilation_y: dilation[0],
    dilation_x: dilation[1],
    pad_top: padding[0],
    pad_left: padding[1],
    window: shape.window,
    along_rows: shape.alongRows,
    along_columns: shape.alongColumns,
    stream: shape.stream,
    row_folds: shape.rowFolds,
    column_folds: shape.columnFolds,
    fold_steps: shape.foldSteps,
  }
}

interface SystolicArrayExtent {
  readonly rows: number
  readonly columns: number
}

function reasonOf({ array, folds, foldSteps, flow }: SystolicShape, slices: number): string {
  const held = { ws: 'weights held', is: 'inputs held', os: 'sums held' }[flow]
  const cut = slices > 1 ? `, in ${slices} dispatches` : ''
  return `systolic array of ${array.rows}×${array.columns}, ${held}: ${folds} folds of ${foldSteps} steps${cut}`
}
