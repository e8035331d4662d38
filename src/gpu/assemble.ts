/**
 * From a program's source to final WGSL. Think of it as the linker: it puts enables, params, bindings and the accessors of each
 * operand before the body.
 *
 * One access of an operand, by dtype and width (elements of one access):
 *
 *            width 1                                width 4
 *   f32      f32                                    vec4<f32>
 *   f16      f16 ⇄ f32                              vec4<f16> ⇄ vec4<f32>
 *   i8       [ b3 b2 b1 b0 ] → one byte, as i32     the word [ b3 b2 b1 b0 ] itself, as u32 (width 16: four words)
 *
 * A store rounds to f16 as IEEE 754 does: by the device's own conversion where that is known to, else by `half.wgsl`.
 */
import halfBody from '../../shaders/runtime/half.wgsl?raw'
import { DeviceValidationError } from '../errors.ts'
import {
  deviceByteSize,
  operandsOf,
  valueType,
  type DeviceFacts,
  type OperandSpec,
  type ProgramSource,
  type Requirement,
} from './program.ts'

export interface Assembled {
  readonly code: string
  /** In binding order from 1 on (0 is `params`): which operand and which of its segments. */
  readonly bindings: readonly { readonly operand: number; readonly segment: number; readonly readOnly: boolean }[]
}

const DIRECTIVES: Record<Requirement, string> = {
  'shader-f16': 'enable f16;',
  subgroups: 'enable subgroups;',
  'chromium-experimental-subgroup-matrix': 'enable chromium_experimental_subgroup_matrix;',
  packed_4x8_integer_dot_product: 'requires packed_4x8_integer_dot_product;',
}

/**
 * The final WGSL: directives, `params`, bindings and accessors of every operand for the given segment counts, constants, body.
 * @param segments segments of each operand, in the operands' order
 * @param bytesPerSegment power of two
 * @param facts of the device: how it rounds to f16
 * @throws DeviceValidationError for an operand that no accessor can serve
 */
export function assemble(
  source: ProgramSource,
  segments: readonly number[],
  bytesPerSegment: number,
  { halvesRound }: Pick<DeviceFacts, 'halvesRound'>,
): Assembled {
  const lines: string[] = []
  const operands = operandsOf(source)
  const required = new Set(source.requires)
  if (operands.some((operand) => operand.dtype === 'f16')) required.add('shader-f16')
  for (const [name, directive] of Object.entries(DIRECTIVES)) if (required.has(name as Requirement)) lines.push(directive)

  const fields = { first_group: 'u32', groups: 'u32', ...source.params }
  lines.push('struct Params {', ...Object.entries(fields).map(([name, type]) => `  ${name}: ${type},`), '}')
  lines.push('@group(0) @binding(0) var<uniform> params: Params;')
  const rounding = halvesRound === true ? DEVICE_ROUNDING : OWN_ROUNDING
  if (rounding === OWN_ROUNDING && operands.some(roundsOnStore)) lines.push(halfBody)

  const bindings: { operand: number; segment: number; readOnly: boolean }[] = []
  operands.forEach((operand, index) => {
    const count = segments[index] ?? 1
    const readOnly = operand.access === 'read'
    const { element } = checked(operand, count, source.name)
    for (let segment = 0; segment < count; segment++) {
      bindings.push({ operand: index, segment, readOnly })
      const access = readOnly ? 'read' : 'read_write'
      lines.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${operand.name}_${segment}: array<${element}>;`)
    }
    if (operand.access !== 'atomic') {
      const counters = source.counted === true ? index : undefined
      lines.push(...accessors(operand, { count, bytesPerSegment, rounding, counters }))
    }
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

/** What an operand's binding is an array of, and the type of the values that its accessors pass. */
interface AccessTypes {
  readonly element: string
  readonly value: string
}

function checked(operand: OperandSpec, segments: number, program: string): AccessTypes {
  const { name, dtype, access, width = 1, raw } = operand
  const refuse = (message: string): never => {
    throw new DeviceValidationError(message, { op: program, operand: name, dtype })
  }
  if (access === 'atomic') {
    if (segments !== 1 || dtype !== 'u32') refuse('An atomic operand must be u32 and fit one binding')
    if (width !== 1 || raw === true) refuse('An atomic operand has no accessors, so neither width nor raw')
  }
  if (operand.direct === true) {
    if (access !== 'read') refuse('Only an operand that is read can be read directly')
    if (segments !== 1) refuse(`A direct operand must fit one binding, but lies in ${segments}`)
  }
  if (width === 4 && (dtype === 'i64' || dtype === 'bool')) refuse(`An operand of ${dtype} is accessed element by element, width 1`)
  if (width === 16 && !isPacked(operand)) refuse('Only bytes are accessed sixteen at a time')
  if (width === 1 && raw === true && isPacked(operand)) refuse(`A byte of ${dtype} has no WGSL type: raw takes width 4`)
  return typesOf(operand)
}

/** How a vec4 (`vector`) or an element of f32 becomes f16. */
type Rounding = (value: string, vector: boolean) => string
const DEVICE_ROUNDING: Rounding = (value, vector) => `${vector ? 'vec4<f16>' : 'f16'}(${value})`
const OWN_ROUNDING: Rounding = (value, vector) => `${vector ? 'halves_of' : 'half_of'}(${value})`

function roundsOnStore({ dtype, access, raw }: OperandSpec): boolean {
  return dtype === 'f16' && access !== 'read' && raw !== true
}

/** Whether four elements share a 32-bit word. */
function isPacked({ dtype }: OperandSpec): boolean {
  return dtype === 'i8' || dtype === 'u8'
}

function typesOf(operand: OperandSpec): AccessTypes {
  const { dtype, access, width = 1, raw } = operand
  if (access === 'atomic') return { element: 'atomic<u32>', value: 'u32' }
  if (isPacked(operand)) {
    if (width === 16) return { element: 'vec4<u32>', value: 'vec4<u32>' }
    if (width === 4) return { element: 'u32', value: 'u32' }
    return { element: access === 'read' ? 'u32' : 'atomic<u32>', value: valueType(dtype) }
  }
  const storage = dtype === 'f16' ? 'f16' : valueType(dtype)
  const value = raw === true ? storage : valueType(dtype)
  return width === 4 ? { element: `vec4<${storage}>`, value: `vec4<${value}>` } : { element: storage, value }
}

interface AccessorOptions {
  /** Segments. */
  readonly count: number
  readonly bytesPerSegment: number
  readonly rounding: Rounding
  /** Where in `access_counts` the operand counts, in pairs: elements loaded, elements stored. Absent in programs that do not count. */
  readonly counters: number | undefined
}

/** `x_t`, `load_x` and `store_x` of an operand x; each segment masks the index for itself. */
function accessors(operand: OperandSpec, { count, bytesPerSegment, rounding, counters }: AccessorOptions): string[] {
  const { name, dtype, access, width = 1 } = operand
  const counting = (place: 0 | 1): string[] =>
    counters === undefined ? [] : [`  atomicAdd(&access_counts_0[${2 * counters + place}u], ${width}u);`]
  const { value } = typesOf(operand)
  const shift = Math.log2(bytesPerSegment / (width * deviceByteSize(dtype)))
  const local = count === 1 ? 'index' : `index & ${2 ** shift - 1}u`
  const { prepare, load, store } =
    isPacked(operand) && width === 1 ? byteAccess(operand, local) : plainAccess(operand, local, rounding)
  const segments = Array.from({ length: count }, (_, segment) => `${name}_${segment}`)
  const lines = [`alias ${name}_t = ${value};`]
  if (operand.direct === true) {
    const count = counters === undefined ? '' : ` atomicAdd(&access_counts_0[${2 * counters}u], elements); `
    lines.push(`fn count_${name}(elements: u32) {${count}}`)
  }
  if (access !== 'write') {
    lines.push(`fn load_${name}(index: u32) -> ${value} {`, ...counting(0))
    segments.slice(0, -1).forEach((array, segment) => {
      lines.push(`  if ((index >> ${shift}u) == ${segment}u) { return ${load(array)}; }`)
    })
    lines.push(`  return ${load(`${name}_${count - 1}`)};`, '}')
  }
  if (access !== 'read') {
    lines.push(`fn store_${name}(index: u32, value: ${value}) {`, ...counting(1), ...prepare)
    segments.slice(0, -1).forEach((array, segment) => {
      lines.push(`  if ((index >> ${shift}u) == ${segment}u) { ${store(array)} return; }`)
    })
    lines.push(`  ${store(`${name}_${count - 1}`)}`, '}')
  }
  return lines
}

/** How one access is written, given the array of its segment. */
interface AccessText {
  /** Lines before a store. */
  readonly prepare: readonly string[]
  load(array: string): string
  store(array: string): string
}

/** An element of the array for each access, converted where the value has another type. */
function plainAccess(operand: OperandSpec, local: string, rounding: Rounding): AccessText {
  const { element, value } = typesOf(operand)
  const same = element === value
  const stored = same ? 'value' : rounding('value', operand.width === 4)
  return {
    prepare: [],
    load: (array) => (same ? `${array}[${local}]` : `${value}(${array}[${local}])`),
    store: (array) => `${array}[${local}] = ${stored};`,
  }
}

/**
 * A byte of a word, byte 0 in the lowest bits. Invocations may store different bytes of one word at once: each clears and sets its own
 * bits with atomics. High bits of the value are dropped.
 */
function byteAccess(operand: OperandSpec, local: string): AccessText {
  const { element, value } = typesOf(operand)
  const word = (array: string): string => `${array}[${local === 'index' ? local : `(${local})`} >> 2u]`
  const loaded = (array: string): string => (element === 'u32' ? word(array) : `atomicLoad(&${word(array)})`)
  return {
    prepare: ['  let shift = 8u * (index & 3u);', '  let byte = (u32(value) & 255u) << shift;'],
    load: (array) => `extractBits(${value === 'u32' ? loaded(array) : `i32(${loaded(array)})`}, 8u * (index & 3u), 8u)`,
    store: (array) => `atomicAnd(&${word(array)}, ~(255u << shift)); atomicOr(&${word(array)}, byte);`,
  }
}
