/**
 * 2:4 weights in a safetensors file (src/sparsity/two-of-four.ts has the format itself). One file holds many layers, each as up to three
 * tensors beside what the header says of them:
 *
 *     __metadata__      format: "tilewright.two-of-four/1", layers: [{ name, lines, depth, bits, share, block? }, …] as JSON
 *     NAME.values       F32, F16 or I8 [lines, 16 · words], of 4 bits U8 [lines, 8 · words]
 *     NAME.positions    U32 [⌈lines / share⌉, words]
 *     NAME.scales       F32 [lines, ⌈depth / block⌉], where the integers are scaled
 */
import { z } from 'zod'
import { FileFormatError, type ErrorDetails } from '../errors.ts'
import {
  unorderedGroup,
  GROUP,
  KEPT,
  PADDING,
  wordsOf,
  WORD_DEPTH,
  WORD_GROUPS,
  WORD_VALUES,
  type TwoOfFour,
  type ValueBits,
} from '../sparsity/two-of-four.ts'
import type { DType } from '../tensor/dtype.ts'
import { formatShape, sameShape, type Shape } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'

const FORMAT = 'tilewright.two-of-four/1'

const extent = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Layer = z.strictObject({
  name: z.string(),
  lines: extent,
  depth: extent,
  bits: z.union([z.literal(32), z.literal(16), z.literal(8), z.literal(4)]),
  share: extent.refine((share) => share === 1 || (share > 0 && share % GROUP === 0), 'share is 1 or a multiple of 4'),
  block: extent.positive().optional(),
})
type Layer = z.infer<typeof Layer>

/**
 * The bytes of a file with these layers, by name.
 * @throws FileFormatError for a layer that `loadTwoOfFour` would refuse
 */
export function saveTwoOfFour(layers: ReadonlyMap<string, TwoOfFour>): Uint8Array {
  const tensors = new Map<string, HostTensor>()
  const described: Layer[] = []
  for (const [name, packed] of layers) {
    const { lines, depth, bits, share, values, positions, scales, block } = packed
    checkPacked(name, packed)
    described.push({ name, lines, depth, bits, share, ...(block === undefined ? {} : { block }) })
    tensors.set(`${name}.values`, values)
    tensors.set(`${name}.positions`, positions)
    if (scales !== undefined) tensors.set(`${name}.scales`, scales)
  }
  return encodeSafetensors(tensors, { format: FORMAT, layers: JSON.stringify(described) })
}

/**
 * The layers of a file that `saveTwoOfFour` wrote, by name, checked through and through.
 * @throws FileFormatError naming tensor, row and group: another format or version, tensors that are missing, not of the shape or dtype that
 *   the header says, or of no layer, positions out of order, padding that is not zero, scales that are not finite
 */
export function loadTwoOfFour(bytes: Uint8Array): Map<string, TwoOfFour> {
  const { tensors, metadata } = decodeSafetensors(bytes)
  const own = (key: string): string | undefined => (Object.hasOwn(metadata, key) ? metadata[key] : undefined)
  const format = own('format')
  if (format !== FORMAT) {
    throw new FileFormatError(`This safetensors file holds no 2:4 layers: its format is ${format ?? 'not said'}`, {
      remedy: `Tilewright reads ${FORMAT}, and PyTorch's semi-structured tensors by loadSemiStructured`,
    })
  }
  const layers = new Map<string, TwoOfFour>()
  let used = 0
  for (const layer of described(own('layers'))) {
    const { name, lines, depth, share, bits, block } = layer
    if (layers.has(name)) throw new FileFormatError('Two layers have the same name', { layer: name })
    const words = wordsOf(depth)
    const shape = [lines, words * (bits === 4 ? WORD_GROUPS : WORD_VALUES)]
    const values = valuesOf(bits, take(tensors, `${name}.values`), `${name}.values`, shape)
    const positions = expect(take(tensors, `${name}.positions`), `${name}.positions`, 'u32', [Math.ceil(lines / share), words])
    used += 2
    let packed: TwoOfFour = { lines, depth, bits, share, values, positions }
    if (block !== undefined) {
      const scales = expect(take(tensors, `${name}.scales`), `${name}.scales`, 'f32', [lines, Math.ceil(depth / block)])
      packed = { ...packed, scales, block }
      used++
    }
    checkPacked(name, packed)
    layers.set(name, packed)
  }
  if (used === tensors.size) return layers
  const known = new Set([...layers.keys()].flatMap((name) => ['values', 'positions', 'scales'].map((part) => `${name}.${part}`)))
  const tensor =
    [...tensors.keys()].find((name) => !known.has(name)) ?? [...tensors.keys()].find((name) => name.endsWith('.scales'))
  throw new FileFormatError('A tensor belongs to no layer of the file', { tensor })
}

function described(text: string | undefined): Layer[] {
  let json: unknown
  try {
    json = JSON.parse(text ?? '')
  } catch (cause) {
    throw new FileFormatError("The metadata's layers are no JSON", {}, { cause })
  }
  const parsed = z.array(Layer).safeParse(json)
  if (parsed.success) return parsed.data
  throw new FileFormatError("The metadata's layers are damaged", { problem: z.prettifyError(parsed.error) })
}

function take(tensors: ReadonlyMap<string, HostTensor>, name: string): HostTensor {
  const found = tensors.get(name)
  if (found === undefined) throw new FileFormatError('A tensor of a 2:4 layer is missing', { tensor: name })
  return found
}

function isOf<D extends DType>(tensor: HostTensor, dtype: D): tensor is HostTensor<D> {
  return tensor.dtype === dtype
}

/** @throws FileFormatError where dtype or shape are others */
function expect<D extends DType>(found: HostTensor, name: string, dtype: D, shape: Shape): HostTensor<D> {
  if (isOf(found, dtype) && sameShape(found.shape, shape)) return found
  throw new FileFormatError(`A tensor of a 2:4 layer should be ${dtype} ${formatShape(shape)}`, {
    tensor: name,
    dtype: found.dtype,
    shape: found.shape,
  })
}

function valuesOf(bits: ValueBits, found: HostTensor, name: string, shape: Shape): TwoOfFour['values'] {
  switch (bits) {
    case 32:
      return expect(found, name, 'f32', shape)
    case 16:
      return expect(found, name, 'f16', shape)
    case 8:
      return expect(found, name, 'i8', shape)
    case 4:
      return expect(found, name, 'u8', shape)
  }
}

/**
 * Holds packed weights against what the kernels rely on.
 * @throws FileFormatError naming tensor, row and group
 */
function checkPacked(name: string, packed: TwoOfFour): void {
  const { lines, depth, bits, values, positions, share, scales, block } = packed
  const fail = (tensor: string, message: string, details: ErrorDetails = {}): FileFormatError =>
    new FileFormatError(message, { tensor: `${name}.${tensor}`, ...details })
  const words = wordsOf(depth)
  valuesOf(bits, values, `${name}.values`, [lines, words * (bits === 4 ? WORD_GROUPS : WORD_VALUES)])
  expect(positions, `${name}.positions`, 'u32', [Math.ceil(lines / share), words])
  if ((scales === undefined) !== (block === undefined)) throw fail('scales', 'Scales and their block go together')
  if (scales !== undefined && block !== undefined) {
    if (bits > 8) throw fail('scales', `Values of ${bits} bits have no scales`)
    if (block < depth && block % WORD_DEPTH !== 0) throw fail('scales', `A block of ${block} is no multiple of ${WORD_DEPTH}`)
    expect(scales, `${name}.scales`, 'f32', [lines, Math.ceil(depth / block)])
    const at = scales.values.findIndex((scale) => !Number.isFinite(scale))
    const blocks = scales.shape[1] ?? 1
    if (at >= 0) throw fail('scales', `A scale is ${scales.values[at]}`, { row: Math.floor(at / blocks), block: at % blocks })
  }
  const unordered = unorderedGroup(positions)
  if (unordered !== undefined) {
    const { row, group, first, second } = unordered
    throw fail('positions', `Positions ${first} and ${second} of a group are not in rising order`, { row, group })
  }
  // Nothing is padded; of no depth there are as many lines as a header says.
  if (depth === words * WORD_DEPTH) return
  const whole = Math.floor(depth / GROUP)
  const groups = words * WORD_GROUPS
  for (let row = 0; row < Math.ceil(lines / share); row++) {
    for (let group = Math.ceil(depth / GROUP); group < groups; group++) {
      const word = positions.values[row * words + Math.floor(group / WORD_GROUPS)] ?? 0
      const seats = (word >>> (4 * (group % WORD_GROUPS))) & 15
      if (seats !== PADDING) throw fail('positions', 'Padding has other positions than 0 and 1', { row, group })
    }
  }
  // What stands for no depth: the groups behind the last, and seats of the last that the depth does not reach.
  for (let line = 0; line < lines; line++) {
    for (let group = whole; group < groups; group++) {
      const word = positions.values[Math.floor(line / share) * words + Math.floor(group / WORD_GROUPS)] ?? 0
      for (let slot = 0; slot < KEPT; slot++) {
        const seat = (word >>> (4 * (group % WORD_GROUPS) + 2 * slot)) & 3
        const at = line * groups + group
        const stored = bits === 4 ? ((values.values[at] ?? 0) >> (4 * slot)) & 15 : values.values[KEPT * at + slot]
        if (group * GROUP + seat >= depth && stored !== 0) throw fail('values', 'Padding is not zero', { row: line, group })
      }
    }
  }
}
