/**
 * Programs and dispatches as data, before any GPU is involved. Think of a `ProgramSource` as a kernel whose operands are
 * named but not yet bound, and of an `OpPlan` as the list of dispatches that computes one node.
 *
 * A body touches an operand `x` only through `load_x(index) -> x_t` and `store_x(index, value)`, which `assemble` (`assemble.ts`)
 * writes: they hide the storage type (f16 is converted to and from f32, i8 and u8 lie four to a word), and that a tensor larger
 * than the binding limit lies in several segments. The counted build of a dataflow swaps these accessors.
 */
import type { DType } from '../tensor/dtype.ts'
import type { TensorType } from '../tensor/tensor.ts'
import type { TunedKernel } from './tuning.ts'

export interface OperandSpec {
  readonly name: string
  readonly dtype: DType
  /** `atomic`: array<atomic<u32>>, touched directly as `NAME_0`; dtype must be u32 and it must fit one segment. */
  readonly access: 'read' | 'write' | 'read_write' | 'atomic'
  /**
   * Elements that one access moves, default 1. With 4, index i stands for elements 4i … 4i+3, and `x_t` is a vec4; for i8 and u8 it
   * is the packed u32 word, as `dot4I8Packed` takes it. Values past the tensor's end are undefined; a kernel stores with
   * width 4 only where what it stores is whole vectors. Not for i64 and bool. 16 is for i8 and u8 alone: `x_t` is vec4<u32>, four packed
   * words, and the tensor must be whole ones. One tensor may be bound under several widths.
   */
  readonly width?: 1 | 4 | 16
  /** Values are of the storage type, unconverted: f16 stays `f16`. i8 and u8 take width 4 with it. */
  readonly raw?: boolean
  /**
   * The body also reads `NAME_0` itself, as matrix units load, and says how many elements by `count_NAME(elements)`. The tensor must
   * fit one segment. Only read.
   */
  readonly direct?: boolean
}

export type ParamType = 'u32' | 'i32' | 'f32'

/** What a program may ask of a device: features, and (`packed_4x8_integer_dot_product`) features of its WGSL. */
export type Requirement = 'shader-f16' | 'subgroups' | 'chromium-experimental-subgroup-matrix' | 'packed_4x8_integer_dot_product'

export interface ProgramSource {
  /** What profiles and labels show, as `conv2d/implicit_gemm`. */
  readonly name: string
  /** WGSL: functions and `fn main`, using accessors, `params`, the constants below and `workgroup_index`. */
  readonly body: string
  readonly operands: readonly OperandSpec[]
  /** Fields of the uniform `params`, in order. `first_group` and `groups` are always there besides. */
  readonly params: Readonly<Record<string, ParamType>>
  /** `const NAME = value;` lines: integers become u32, other text is taken verbatim (`1.5f`). */
  readonly constants?: Readonly<Record<string, number | string>>
  /** Also written as constants WORKGROUP_X, WORKGROUP_Y, WORKGROUP_Z and LANES (their product). */
  readonly workgroupSize: readonly [number, number, number]
  /** Bytes of all `var<workgroup>`, for the check against the device's limit. Absent where they are at most 16 KiB, which any device has. */
  readonly workgroupBytes?: number
  readonly requires?: readonly Requirement[]
  /** Adds the operand `access_counts`, into which every accessor counts (`counted.ts`). */
  readonly counted?: boolean
}

/** The last operand of a counted program: for each operand, elements loaded and elements stored, each modulo 2^32. */
const ACCESS_COUNTS: OperandSpec = { name: 'access_counts', dtype: 'u32', access: 'atomic' }

/** All operands of a program, in the order of a dispatch's `bind`. */
export function operandsOf({ operands, counted }: ProgramSource): readonly OperandSpec[] {
  return counted === true ? [...operands, ACCESS_COUNTS] : operands
}

/** Which tensor an operand is bound to: an input, output, scratch or prepared tensor of the op, by index. */
export interface TensorRef {
  readonly kind: 'input' | 'output' | 'temp' | 'prepared'
  readonly index: number
}

/**
 * A tensor that is computed from one input alone, in practice from weights: packed filters, transformed filters. A model whose input is
 * constant makes it once, at load, and keeps it in the input's stead; else it is made before the plan's dispatches.
 */
export interface Preparation {
  readonly type: TensorType
  /** Index of the input. */
  readonly from: number
  /** Bind that input and `{ kind: 'prepared', index }` of their own, nothing else. */
  readonly dispatches: readonly DispatchPlan[]
}

export interface DispatchPlan {
  readonly program: ProgramSource
  /** One for each operand of the program, in order (`operandsOf`). */
  readonly bind: readonly TensorRef[]
  /** A value for each param of the program. */
  readonly params: Readonly<Record<string, number>>
  /** Workgroups in all, a linear count: the executor folds it over x, y, z and may split it into several launches. */
  readonly groups: number
  /** For splitting and for the roofline: arithmetic operations (a MAC is 2) and bytes moved if every word moved once. */
  readonly cost: {
    readonly flops: number
    readonly bytes: number
    /** How many times faster than a poor kernel this one computes, at the least (default 1): splits long work less often. */
    readonly speed?: number
  }
}

export interface OpPlan {
  /** Why this kernel, for people: `implicit GEMM: default kernel`. */
  readonly reason: string
  readonly dispatches: readonly DispatchPlan[]
  /** Scratch tensors, alive only during this op. `zeroed`: cleared before the op runs. */
  readonly temps: readonly (TensorType & { readonly zeroed?: boolean })[]
  readonly prepared?: readonly Preparation[]
  /** Set where output 0 is input `alias` under another shape: nothing is dispatched, memory is shared. */
  readonly alias?: number
}

/** A plan that prepares what it needs each time it runs: preparations become temps and dispatches in front of the others. */
export function inlined(plan: OpPlan): OpPlan {
  const { prepared = [], ...rest } = plan
  if (prepared.length === 0) return plan
  const first = plan.temps.length
  const refs = { prepared: prepared.map((_, index): TensorRef => ({ kind: 'temp', index: first + index })) }
  const dispatches = [...prepared.flatMap((preparation) => preparation.dispatches), ...plan.dispatches]
  return {
    ...rest,
    temps: [...plan.temps, ...prepared.map(({ type }) => type)],
    dispatches: dispatches.map((dispatch) => rebound(dispatch, refs)),
  }
}

/** A plan whose preparations were made: it binds them as inputs, from `first` on. */
export function readied(plan: OpPlan, first: number): OpPlan {
  const { prepared = [], ...rest } = plan
  if (prepared.length === 0) return plan
  const refs = { prepared: prepared.map((_, index): TensorRef => ({ kind: 'input', index: first + index })) }
  return { ...rest, dispatches: plan.dispatches.map((dispatch) => rebound(dispatch, refs)) }
}

/** What the refs of an embedded plan stand for in the plan around it. */
export interface Surroundings {
  readonly inputs: readonly TensorRef[]
  readonly outputs: readonly TensorRef[]
  /** Where its temps are put among those of the plan around it. */
  readonly firstTemp: number
}

/** A plan as part of another: its dispatches bind what `surroundings` says, its temps follow the first `firstTemp` of the other. */
export function rewired(plan: OpPlan, { inputs, outputs, firstTemp }: Surroundings): Pick<OpPlan, 'dispatches' | 'temps'> {
  const { dispatches, temps } = inlined(plan)
  const moved = temps.map((_, index): TensorRef => ({ kind: 'temp', index: firstTemp + index }))
  return { dispatches: dispatches.map((dispatch) => rebound(dispatch, { input: inputs, output: outputs, temp: moved })), temps }
}

/** A dispatch with what it binds replaced; refs that `refs` does not name stay. */
export function rebound(dispatch: DispatchPlan, refs: Partial<Record<TensorRef['kind'], readonly TensorRef[]>>): DispatchPlan {
  return { ...dispatch, bind: dispatch.bind.map((ref) => refs[ref.kind]?.[ref.index] ?? ref) }
}

/** What a plan may know of a device: pure data, so that plans are tested without one. */
export interface DeviceFacts {
  /** The same text for the same kind of adapter, in letters, digits and `-`: a key for what was measured on it. */
  readonly adapter: string
  readonly features: ReadonlySet<string>
  /** Features of the WGSL language, as `packed_4x8_integer_dot_product`. */
  readonly language: ReadonlySet<string>
  readonly limits: DeviceLimits
  /**
   * Absent without the `subgroups` feature. `linear`: lane i of a subgroup is invocation i of its part of the workgroup (probed).
   */
  readonly subgroups?: { readonly min: number; readonly max: number; readonly linear: boolean }
  /**
   * Whether `f16(x)` rounds to nearest, ties to even, and is infinite from 65520 on (probed); stores of f16 do so in any case.
   * Absent without the feature `shader-f16`.
   */
  readonly halvesRound?: boolean
  /** Products that the matrix units make. Absent without the feature `chromium-experimental-subgroup-matrix`. */
  readonly matrices?: readonly MatrixUnit[]
  /** Kernels that were measured to be the fastest on this adapter, by problem (`productKey`, `convolutionKey` of src/ops). */
  readonly tuned?: ReadonlyMap<string, TunedKernel>
  /** True for lavapipe, SwiftShader, WARP: correct, slow. */
  readonly software: boolean
}

/** [M, K] × [K, N] of `component` into `result` (`f16`, `f32`, `u8`, `i8`, `u32`, `i32`). */
export interface MatrixUnit {
  readonly M: number
  readonly N: number
  readonly K: number
  readonly component: string
  readonly result: string
}

export interface DeviceLimits {
  readonly maxBufferSize: number
  readonly maxStorageBufferBindingSize: number
  readonly maxStorageBuffersPerShaderStage: number
  readonly maxComputeWorkgroupStorageSize: number
  readonly maxComputeInvocationsPerWorkgroup: number
  readonly maxComputeWorkgroupsPerDimension: number
}

/** Whether a device has what a program asks for. */
export function meets(facts: Pick<DeviceFacts, 'features' | 'language'>, requirement: Requirement): boolean {
  return facts.features.has(requirement) || facts.language.has(requirement)
}

/** Bytes of one element in GPU memory: f16 2, i8 and u8 1, i64 8 (a low and a high word), all others one 32-bit word. */
export function deviceByteSize(dtype: DType): number {
  switch (dtype) {
    case 'i8':
    case 'u8':
      return 1
    case 'f16':
      return 2
    case 'i64':
      return 8
    case 'f32':
    case 'i32':
    case 'u32':
    case 'bool':
      return 4
  }
}

const VALUE_TYPE: Record<DType, string> = {
  f32: 'f32',
  f16: 'f32',
  i32: 'i32',
  i8: 'i32',
  u32: 'u32',
  u8: 'u32',
  bool: 'u32',
  i64: 'vec2<u32>',
}

/** The WGSL type of one element's value in a kernel: f32 for f16, a whole word for i8, u8 and bool. */
export function valueType(dtype: DType): string {
  return VALUE_TYPE[dtype]
}

/** Power-of-two bytes of one segment on a device: the largest that one binding takes. */
export function segmentBytes(limits: Pick<DeviceLimits, 'maxStorageBufferBindingSize' | 'maxBufferSize'>): number {
  return 2 ** Math.floor(Math.log2(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)))
}

/** How many segments a tensor takes on a device (at least 1). */
export function segmentCount(type: TensorType, bytesPerSegment: number): number {
  const bytes = type.shape.reduce((product, extent) => product * extent, 1) * deviceByteSize(type.dtype)
  return Math.max(1, Math.ceil(bytes / bytesPerSegment))
}
