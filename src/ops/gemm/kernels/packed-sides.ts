/**
 * The scales, zero points and bias of a product of bytes, as its kernel reads them. Each is a binding of its own where the device has
 * enough of those; else they are gathered first, as raw words, into one:
 *
 *     a_zero [.] b_zero [....] a_scale [.] b_scale [....]   ->   sides [ a_zero | b_zero | a_scale | b_scale ]
 */
import gather from '../../../../shaders/gemm/integer/gather.wgsl?raw'
import { segmentBytes, segmentCount, type DeviceFacts, type DispatchPlan, type OperandSpec } from '../../../gpu/program.ts'
import { sizeOf } from '../../../tensor/shape.ts'
import type { TensorType } from '../../../tensor/tensor.ts'
import type { Walk } from '../../matmul-integer/sizes.ts'

/** A scale, zero point or bias: which input it is and how it is walked. */
export interface SideValue extends Walk {
  readonly input: number
  readonly type: TensorType
}

export interface NamedSide {
  /** WGSL: `fn NAME(slice, line)` reads the operand and the params of that name. */
  readonly name: string
  readonly value: SideValue | null
  readonly as: 'i32' | 'f32'
  readonly absent: string
  /** Taken off a zero point of u8 bytes that were moved by it. */
  readonly shift: number
}

export interface GatheredSides {
  readonly dispatch: DispatchPlan
  readonly type: TensorType
  /** Where each side begins. */
  readonly offsets: ReadonlyMap<string, number>
}

const LANES = 64

/** The gathering dispatch, writing temp 0; null where all sides can be bound beside `others`. */
export function gatherSides(
  op: string,
  sides: readonly NamedSide[],
  others: readonly TensorType[],
  { limits }: Pick<DeviceFacts, 'limits'>,
): GatheredSides | null {
  const there = sides.flatMap(({ name, value, as }) => (value === null ? [] : [{ name, value, as }]))
  const bindings = [...others, ...there.map(({ value }) => value.type)].reduce(
    (sum, type) => sum + segmentCount(type, segmentBytes(limits)),
    0,
  )
  if (bindings <= limits.maxStorageBuffersPerShaderStage || there.length < 2) return null
  const offsets = new Map<string, number>()
  let count = 0
  const lines = there.map(({ name, value, as }) => {
    offsets.set(name, count)
    const first = count
    count += sizeOf(value.type.shape)
    const index = `index - params.${name}_start`
    return { first, name, text: `  if (index >= params.${name}_start) { return bitcast<u32>(${as}(load_${name}s(${index}))); }` }
  })
  // From the last side back: an index belongs to the last one that begins at it or before.
  const word = `fn word_of(index: u32) -> u32 {\n${lines
    .map(({ text }) => text)
    .toReversed()
    .join('\n')}\n  return 0u;\n}`
  return {
    type: { dtype: 'u32', shape: [count] },
    offsets,
    dispatch: {
      program: {
        name: `${op}/gather`,
        body: `${word}\n${gather}`,
        operands: [
          ...there.map(({ name, value }): OperandSpec => ({ name: `${name}s`, dtype: value.type.dtype, access: 'read' })),
          { name: 'sides', dtype: 'u32', access: 'write' },
        ],
        params: { count: 'u32', ...Object.fromEntries(lines.map(({ name }) => [`${name}_start`, 'u32'] as const)) },
        workgroupSize: [LANES, 1, 1],
      },
      bind: [...there.map(({ value }) => ({ kind: 'input', index: value.input }) as const), { kind: 'temp', index: 0 }],
      params: { count, ...Object.fromEntries(lines.map(({ name, first }) => [`${name}_start`, first])) },
      groups: Math.ceil(count / LANES),
      cost: { flops: 0, bytes: 8 * count },
    },
  }
}

/** The operands that a kernel reads sides from. */
export function sideOperands(sides: readonly NamedSide[], gathered: GatheredSides | null): OperandSpec[] {
  if (gathered !== null) return [{ name: 'sides', dtype: 'u32', access: 'read' }]
  return sides.flatMap(({ name, value }) =>
    value === null ? [] : [{ name: `${name}s`, dtype: value.type.dtype, access: 'read' } as const],
  )
}

/** `fn NAME(slice, line)` for each side. */
export function sideText(sides: readonly NamedSide[], gathered: GatheredSides | null): string[] {
  return sides.map(({ name, value, as, absent, shift }) => {
    if (value === null) return `fn ${name}(slice: Slice, line: u32) -> ${as} { return ${absent}; }`
    const strides = [0, 1, 2, 3].map((axis) => `params.${name}_batch${axis}`).join(', ')
    const index = `params.${name}_offset + line * params.${name}_line + dot(slice.at, vec4<u32>(${strides}))`
    const loaded = gathered === null ? `${as}(load_${name}s(${index}))` : `bitcast<${as}>(load_sides(${index}))`
    return `fn ${name}(slice: Slice, line: u32) -> ${as} { return ${loaded}${shift === 0 ? '' : ` - ${shift}`}; }`
  })
}
