/**
 * Programs and dispatches as data, before any GPU is involved. Think of a `ProgramSource` as a kernel whose operands are
 * named but not yet bound, and of an `OpPlan` as the list of dispatches that computes one node.
 *
 * A body touches an operand `x` only through `load_x(index) -> x_t` and `store_x(index, value)`, which `assemble` writes:
 * they hide the storage type (f16 is converted to and from f32; i8, u8 and bool lie as 32-bit words), and that a tensor
 * larger than the binding limit lies in several segments. The counted build of a dataflow swaps these accessors.
 */
import { DeviceValidationError } from '../errors.ts'
import type { DType } from '../tensor/dtype.ts'
import type { TensorType } from '../tensor/tensor.ts'

export interface OperandSpec {
  readonly name: string
  readonly dtype: DType
  /** `atomic`: array<atomic<u32>>, touched directly as `NAME_0`; dtype must be u32 and it must fit one segment. */
  readonly access: 'read' | 'write' | 'read_write' | 'atomic'
}

export type ParamType = 'u32' | 'i32' | 'f32'

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
  readonly requires?: readonly ('shader-f16' | 'subgroups')[]
}

/** Which tensor an operand is bound to: an input, output or scratch tensor of the op, by index. */
export interface TensorRef {
  readonly kind: 'input' | 'output' | 'temp'
  readonly index: number
}

export interface DispatchPlan {
  readonly program: ProgramSource
  /** One for each operand of the program, in order. */
  readonly bind: readonly TensorRef[]
  /** A value for each param of the program. */
  readonly params: Readonly<Record<string, number>>
  /** Workgroups in all, a linear count: the executor folds it over x, y, z and may split it into several launches. */
  readonly groups: number
  /** For splitting and for the roofline: arithmetic operations (a MAC is 2) and bytes moved if every word moved once. */
  readonly cost: { readonly flops: number; readonly bytes: number }
}

export interface OpPlan {
  /** Why this kernel, for people: `implicit GEMM: default kernel`. */
  readonly reason: string
  readonly dispatches: readonly DispatchPlan[]
  /** Scratch tensors, alive only during this op. `zeroed`: cleared before the op runs. */
  readonly temps: readonly (TensorType & { readonly zeroed?: boolean })[]
  /** Set where output 0 is input `alias` under another shape: nothing is dispatched, memory is shared. */
  readonly alias?: number
}

/** What a plan may know of a device: pure data, so that plans are tested without one. */
export interface DeviceFacts {
  readonly features: ReadonlySet<string>
  readonly limits: DeviceLimits
  /**
   * Absent without the `subgroups` feature. `linear`: lane i of a subgroup is invocation i of its part of the workgroup (probed).
   */
  readonly subgroups?: { readonly min: number; readonly max: number; readonly linear: boolean }
  /** Products that the matrix units make. Absent without the feature `chromium-experimental-subgroup-matrix`. */
  readonly matrices?: readonly MatrixUnit[]
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

/** Bytes of one element in GPU memory: f16 2, i64 8 (a low and a high word), all others one 32-bit word. */
export function deviceByteSize(dtype: DType): number {
  return dtype === 'f16' ? 2 : dtype === 'i64' ? 8 : 4
}

const STORAGE_TYPE: Record<DType, string> = {
  f32: 'f32',
  f16: 'f16',
  i32: 'i32',
  i8: 'i32',
  u32: 'u32',
  u8: 'u32',
  bool: 'u32',
  i64: 'vec2<u32>',
}

/** The WGSL type that `load_` returns for a dtype: the storage type, but f32 for f16. */
export function valueType(dtype: DType): string {
  return dtype === 'f16' ? 'f32' : STORAGE_TYPE[dtype]
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

export interface Assembled {
  readonly code: string
  /** In binding order from 1 on (0 is `params`): which operand and which of its segments. */
  readonly bindings: readonly { readonly operand: number; readonly segment: number; readonly readOnly: boolean }[]
}

/**
 * The final WGSL: enables, `params`, bindings and accessors of every operand for the given segment counts, constants, body.
 * @param segments segments of each operand, in the operands' order
 * @param bytesPerSegment power of two
 */
export function assemble(source: ProgramSource, segments: readonly number[], bytesPerSegment: number): Assembled {
  const lines: string[] = []
  const features = new Set(source.requires)
  if (source.operands.some((operand) => operand.dtype === 'f16')) features.add('shader-f16')
  if (features.has('shader-f16')) lines.push('enable f16;')
  if (features.has('subgroups')) lines.push('enable subgroups;')

  const fields = { first_group: 'u32', groups: 'u32', ...source.params }
  lines.push('struct Params {', ...Object.entries(fields).map(([name, type]) => `  ${name}: ${type},`), '}')
  lines.push('@group(0) @binding(0) var<uniform> params: Params;')

  const bindings: { operand: number; segment: number; readOnly: boolean }[] = []
  source.operands.forEach((operand, index) => {
    const count = segments[index] ?? 1
    const readOnly = operand.access === 'read'
    if (operand.access === 'atomic' && (count !== 1 || operand.dtype !== 'u32')) {
      throw new DeviceValidationError('An atomic operand must be u32 and fit one binding', {
        op: source.name,
        operand: operand.name,
      })
    }
    const element = operand.access === 'atomic' ? 'atomic<u32>' : STORAGE_TYPE[operand.dtype]
    for (let segment = 0; segment < count; segment++) {
      bindings.push({ operand: index, segment, readOnly })
      const access = readOnly ? 'read' : 'read_write'
      lines.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${operand.name}_${segment}: array<${element}>;`)
    }
    if (operand.access !== 'atomic') lines.push(...accessors(operand, count, bytesPerSegment))
  })

  const [x, y, z] = source.workgroupSize
  const constants: Record<string, number | string> = {
    WORKGROUP_X: x,
    WORKGROUP_Y: y,
    WORKGROUP_Z: z,
    LANES: x * y * z,
    ...source.constants,
  }
  for (const [name, value] of Object.entries(constants)) {
    lines.push(`const ${name} = ${typeof value === 'number' ? `${value}u` : value};`)
  }
  lines.push(
    '/// The linear index of this workgroup over all launches of the dispatch; return at once when it is >= params.groups.',
    'fn workgroup_index(id: vec3<u32>, grid: vec3<u32>) -> u32 {',
    '  return params.first_group + id.x + grid.x * (id.y + grid.y * id.z);',
    '}',
  )
  return { code: `${lines.join('\n')}\n${source.body}`, bindings }
}

function accessors({ name, dtype, access }: OperandSpec, count: number, bytesPerSegment: number): string[] {
  const value = valueType(dtype)
  const storage = STORAGE_TYPE[dtype]
  const convertIn = (text: string): string => (storage === value ? text : `${value}(${text})`)
  const convertOut = storage === value ? 'value' : `${storage}(value)`
  const shift = Math.log2(bytesPerSegment / deviceByteSize(dtype))
  const mask = `${2 ** shift - 1}u`
  const lines = [`alias ${name}_t = ${value};`]
  if (access !== 'write') {
    lines.push(`fn load_${name}(index: u32) -> ${value} {`)
    for (let segment = 0; segment < count - 1; segment++) {
      lines.push(`  if ((index >> ${shift}u) == ${segment}u) { return ${convertIn(`${name}_${segment}[index & ${mask}]`)}; }`)
    }
    lines.push(`  return ${convertIn(`${name}_${count - 1}[${count === 1 ? 'index' : `index & ${mask}`}]`)};`, '}')
  }
  if (access !== 'read') {
    lines.push(`fn store_${name}(index: u32, value: ${value}) {`)
    for (let segment = 0; segment < count - 1; segment++) {
      lines.push(`  if ((index >> ${shift}u) == ${segment}u) { ${name}_${segment}[index & ${mask}] = ${convertOut}; return; }`)
    }
    lines.push(`  ${name}_${count - 1}[${count === 1 ? 'index' : `index & ${mask}`}] = ${convertOut};`, '}')
  }
  return lines
}
