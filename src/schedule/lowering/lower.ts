/**
 * From a mapping to a dispatch: the WGSL of a dataflow kernel, its bindings, uniforms and grid, in three builds. *fast* has no
 * counters; *counted* bumps one in every accessor and adds them up into 64-bit pairs in a second output; *traced* logs every
 * access there (trace.ts reads it).
 */
import accessCounted from '../../../shaders/dataflow/access_counted.wgsl?raw'
import accessFast from '../../../shaders/dataflow/access_fast.wgsl?raw'
import accessTraced from '../../../shaders/dataflow/access_traced.wgsl?raw'
import fill from '../../../shaders/dataflow/fill.wgsl?raw'
import paddedInput from '../../../shaders/dataflow/padded_input.wgsl?raw'
import reduceSubgroup from '../../../shaders/dataflow/reduce_subgroup.wgsl?raw'
import reduceWorkgroup from '../../../shaders/dataflow/reduce_workgroup.wgsl?raw'
import type { PerOperand } from '../../cost/evaluation.ts'
import { DtypeError, MappingError } from '../../errors.ts'
import { zeroDispatch } from '../../gpu/fill.ts'
import type { DeviceFacts, DispatchPlan, OpPlan, OperandSpec } from '../../gpu/program.ts'
import type { TensorType } from '../../tensor/tensor.ts'
import { isRelevant, macsOf, type Problem } from '../problem.ts'
import type { Mapping } from '../mapping.ts'
import { emitMain, type Build } from './emit.ts'
import type { AddressSteps } from './scope.ts'
import { nestOf, type Nest } from './nest.ts'

/** Counters of the counted build, in the order of shaders/dataflow/access_counted.wgsl, as (low, high) pairs of u32. */
export const COUNTERS = 13

/** Extents of the input plane, which a problem alone does not fix (a window may leave rows over). */
export interface InputExtent {
  readonly rows: number
  readonly columns: number
}

export interface Lowered {
  readonly nest: Nest
  /**
   * Inputs: x [N, G·C, H, W], w [G·M, C, R, S]; outputs: y [N, G·M, P, Q], in the counted build counts u32[26], in the traced build
   * trace u32[2 + 7·records], as many records as the caller makes room for.
   */
  readonly plan: OpPlan
}

const ACCESS: Readonly<Record<Build, string>> = { fast: accessFast, counted: accessCounted, traced: accessTraced }
/** The second output of a build. */
const LOG: Readonly<Record<Build, { readonly name: string; readonly header: number } | undefined>> = {
  fast: undefined,
  counted: { name: 'counts', header: 2 * COUNTERS },
  traced: { name: 'trace', header: 2 },
}

/**
 * @param types of x and w (they fix storage dtypes and the input plane)
 * @throws MappingError naming what does not fit: lanes, buffer words, features, steps of a trace; DtypeError for a trace of other
 *   words than f32
 */
export function lower(
  problem: Problem,
  mapping: Mapping,
  device: DeviceFacts,
  build: Build,
  types: { readonly x: TensorType; readonly w: TensorType },
  input: InputExtent,
): Lowered {
  const nest = nestOf(problem, mapping)
  const layout = bufferLayout(nest)
  const lanes = laneLayout(nest, device)
  const words = Math.max(1, layout.words)
  const limitWords = workgroupWords(device) - lanes.networkWords
  if (words > limitWords) {
    throw new MappingError('The buffer tiles do not fit workgroup memory', {
      level: 'buffer',
      words_needed: words,
      words_there: limitWords,
    })
  }
  if (lanes.count > device.limits.maxComputeInvocationsPerWorkgroup) {
    throw new MappingError('The array does not fit a workgroup', {
      lanes: lanes.count,
      limit: `maxComputeInvocationsPerWorkgroup ${device.limits.maxComputeInvocationsPerWorkgroup}`,
    })
  }
  if (build === 'traced') checkTraceable(nest, types)
  const emitted = emitMain(nest, build, addressSteps(nest, layout))
  const subgroups = lanes.network === 'subgroup' || nest.forward
  const body = [
    ACCESS[build],
    fill,
    ...(nest.keep.buffer.has('inputs') ? [] : [paddedInput]),
    ...(nest.reduction > 1 ? [lanes.network === 'subgroup' ? reduceSubgroup : reduceWorkgroup] : []),
    emitted.main,
  ].join('\n')
  const log = LOG[build]
  const operands: OperandSpec[] = [
    { name: 'w', dtype: types.w.dtype, access: 'read' },
    { name: 'x', dtype: types.x.dtype, access: 'read' },
    { name: 'y', dtype: types.x.dtype, access: 'read_write' },
    ...(log === undefined ? [] : [{ name: log.name, dtype: 'u32', access: 'atomic' } as const]),
  ]
  const params = { ...problemParams(problem, nest, input, layout), ...emitted.params }
  const dispatch: DispatchPlan = {
    program: {
      name: `dataflow/${build}`,
      body,
      operands,
      params: Object.fromEntries(Object.keys(params).map((name) => [name, name.startsWith('pad_') ? 'i32' : 'u32'])),
      constants: {
        GLB_WORDS: roundedWords(words, limitWords),
        ...(nest.reduction > 1 ? { REDUCTION_PAD: lanes.reductionPad } : {}),
      },
      workgroupSize: [lanes.count, 1, 1],
      ...(subgroups ? { requires: ['subgroups'] } : {}),
    },
    bind: [
      { kind: 'input', index: 1 },
      { kind: 'input', index: 0 },
      { kind: 'output', index: 0 },
      ...(log === undefined ? [] : [{ kind: 'output', index: 1 } as const]),
    ],
    params,
    groups: nest.grid.reduce((product, loop) => product * loop.bound, 1),
    cost: { flops: 2 * macsOf(problem), bytes: 4 * (problem.groups * problem.M * problem.C * problem.R * problem.S) },
  }
  const cleared = log === undefined ? [] : [zeroDispatch({ dtype: 'u32', shape: [log.header] }, { kind: 'output', index: 1 })]
  const dispatches = [...cleared, dispatch]
  return { nest, plan: { reason: reasonOf(nest, lanes), dispatches, temps: [] } }
}

/** Names of words are f32 values, steps are u32. */
function checkTraceable(nest: Nest, types: { readonly x: TensorType; readonly w: TensorType }): void {
  for (const { dtype } of [types.x, types.w]) {
    if (dtype !== 'f32') throw new DtypeError(`A trace names words by f32 values, not ${dtype}`, { dtype, remedy: 'Trace in f32' })
  }
  const steps = [...nest.dram, ...nest.buffer, ...nest.registers].reduce((product, { bound }) => product * bound, 1)
  if (steps >= 2 ** 32) {
    throw new MappingError(`A trace of ${steps} steps`, { limit: '2^32 − 1 steps', remedy: 'Trace a smaller problem' })
  }
}

export interface LaneLayout {
  readonly count: number
  readonly network: 'none' | 'subgroup' | 'workgroup'
  readonly reductionPad: number
  readonly networkWords: number
}

/** Words of workgroup memory for tiles and network; a few are left to the counters, in either build, so that both fit. */
export function workgroupWords(device: DeviceFacts): number {
  return Math.floor(device.limits.maxComputeWorkgroupStorageSize / 4) - 16
}

/** Invocations of a workgroup: the lanes, with those that are summed padded to a power of two where subgroups sum them. */
export function laneLayout(nest: Nest, device: DeviceFacts): LaneLayout {
  const outer = nest.lanes.reduce((product, loop) => product * loop.bound, 1) / nest.reduction
  const pad = 2 ** Math.ceil(Math.log2(nest.reduction))
  const { subgroups } = device
  const inSubgroup = subgroups !== undefined && subgroups.linear && pad <= subgroups.min
  if (nest.forward) {
    const across = nest.lanes.at(-1)
    const inner = [...nest.dram, ...nest.buffer].at(-1)
    const slides = inner?.dimension === 'S' && inner.step === 1 && nest.problem.stride[1] === 1 && nest.problem.dilation[1] === 1
    if (inner?.bound === 1)
      throw new MappingError('Inputs cannot be forwarded: no loop over S runs in the buffer, so nothing moves along')
    if (!slides || nest.registers.length > 0 || !nest.keep.buffer.has('inputs') || nest.keep.registers.has('inputs')) {
      throw new MappingError(
        'Inputs are forwarded only from the buffer, with S innermost, stride and dilation 1, and no loops in registers',
      )
    }
    const fits = subgroups?.linear === true && across?.dimension === 'Q' && across.step === 1 && subgroups.min % across.bound === 0
    if (!fits || nest.reduction > 1 || !nest.keep.registers.has('outputs')) {
      throw new MappingError('Inputs cannot be forwarded: the lanes along Q do not divide a subgroup', {
        lanes: across?.bound,
        limit: `subgroup size ${subgroups?.min ?? 'none'}`,
        remedy: 'Leave `forward` out of the mapping, or split Q by a divisor of the subgroup size',
      })
    }
  }
  const reductionPad = inSubgroup ? pad : nest.reduction
  const unit = subgroups?.min ?? 8
  const count = Math.ceil((outer * reductionPad) / unit) * unit
  const network = nest.reduction === 1 ? 'none' : inSubgroup ? 'subgroup' : 'workgroup'
  return { count, network, reductionPad, networkWords: network === 'workgroup' ? count : 0 }
}

interface BufferLayout {
  readonly offset: PerOperand<number>
  readonly words: number
  readonly rows: number
  readonly columns: number
}

/** Where each operand's tile lies in workgroup memory. */
function bufferLayout({ problem, tile, keep }: Nest): BufferLayout {
  const rows = (tile.P - 1) * problem.stride[0] + (tile.R - 1) * problem.dilation[0] + 1
  const columns = (tile.Q - 1) * problem.stride[1] + (tile.S - 1) * problem.dilation[1] + 1
  const size = {
    weights: keep.buffer.has('weights') ? tile.M * tile.C * tile.R * tile.S : 0,
    inputs: keep.buffer.has('inputs') ? tile.N * tile.C * rows * columns : 0,
    outputs: keep.buffer.has('outputs') ? tile.N * tile.M * tile.P * tile.Q : 0,
  }
  const offset = { weights: 0, inputs: size.weights, outputs: size.weights + size.inputs }
  return { offset, words: size.weights + size.inputs + size.outputs, rows, columns }
}

/** Words of workgroup memory that the buffer tiles of a mapping take. */
export function bufferWords(nest: Nest): number {
  return bufferLayout(nest).words
}

/** Words of the register tiles that one invocation holds. */
export function registerWords({ registers, keep }: Nest): number {
  return [...keep.registers].reduce(
    (sum, operand) =>
      sum + registers.reduce((words, { dimension, bound }) => (isRelevant(operand, dimension) ? words * bound : words), 1),
    0,
  )
}

/** How far the address of a word moves when a coordinate grows by one, where the PE reads it (buffer tile or storage). */
function addressSteps({ problem, tile, keep }: Nest, { rows, columns }: BufferLayout): AddressSteps {
  const [U, V] = problem.stride
  const [D, E] = problem.dilation
  const { M, C, R, S } = problem
  return {
    weights: keep.buffer.has('weights')
      ? { M: tile.C * tile.R * tile.S, C: tile.R * tile.S, R: tile.S, S: 1 }
      : { G: M * C * R * S, M: C * R * S, C: R * S, R: S, S: 1 },
    inputs: { N: tile.C * rows * columns, C: rows * columns, P: U * columns, R: D * columns, Q: V, S: E },
    outputs: { N: tile.M * tile.P * tile.Q, M: tile.P * tile.Q, P: tile.Q, Q: 1 },
  }
}

function problemParams(problem: Problem, { tile }: Nest, input: InputExtent, layout: BufferLayout): Record<string, number> {
  const { N, M, C, P, Q, R, S } = problem
  return {
    groups_G: problem.groups,
    ...{ N, M, C, P, Q, R, S },
    H: input.rows,
    W: input.columns,
    stride_y: problem.stride[0],
    stride_x: problem.stride[1],
    dilation_y: problem.dilation[0],
    dilation_x: problem.dilation[1],
    pad_top: problem.padding[0],
    pad_left: problem.padding[1],
    tile_N: tile.N,
    tile_M: tile.M,
    tile_C: tile.C,
    tile_P: tile.P,
    tile_Q: tile.Q,
    tile_R: tile.R,
    tile_S: tile.S,
    tile_H: layout.rows,
    tile_W: layout.columns,
    glb_weights: layout.offset.weights,
    glb_inputs: layout.offset.inputs,
    glb_outputs: layout.offset.outputs,
  }
}

/** Workgroup memory is declared in powers of two, so that layers with tiles of about a size share a pipeline. */
function roundedWords(words: number, limit: number): number {
  return Math.min(2 ** Math.ceil(Math.log2(Math.max(words, 256))), limit)
}

function reasonOf(nest: Nest, lanes: LaneLayout): string {
  const network = { none: 'no spatial reduction', subgroup: 'subgroup reduction', workgroup: 'reduction through workgroup memory' }
  return `${lanes.count} lanes, ${network[lanes.network]}${nest.slide > 0 ? ', sliding window' : ''}${nest.forward ? ', forwarded inputs' : ''}`
}
