/**
 * PyTorch's semi-structured tensors in a safetensors file (src/sparsity/semi-structured.ts has their layout). PyTorch itself saves such
 * a tensor as a pickle; in a safetensors file it lies as its inner tensors, which are named as the fields of its class:
 *
 *     NAME.packed                  NAME.meta                   since PyTorch 2.2 (`__tensor_flatten__`)
 *     NAME.sparse_tensor_cutlass   NAME.meta_tensor_cutlass    PyTorch 2.1
 *
 * cuSPARSELt's form has one tensor, values and metadata in an order that its library keeps to itself: it is refused by name.
 */
import { DtypeError, FileFormatError, TilewrightError } from '../errors.ts'
import { fromSemiStructured, type MetaOrder, type SemiStructured, type SemiStructuredDtype } from '../sparsity/semi-structured.ts'
import type { TwoOfFour } from '../sparsity/two-of-four.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { readSafetensors, writeSafetensors, type RawTensor } from './safetensors.ts'
import { tensorOverBytes } from './tensor-proto.ts'

/** Names of values and of metadata, behind the layer's. */
const PAIRS = [
  ['packed', 'meta'],
  ['sparse_tensor_cutlass', 'meta_tensor_cutlass'],
] as const
/** What PyTorch keeps beside them for training: the transposed matrix, and a mask. */
const TRAINING = ['packed_t', 'meta_t', 'compressed_swizzled_bitmask'] as const
const CUSPARSELT = 'compressed_tensor_cusparselt'

const DTYPES: Readonly<Record<string, SemiStructuredDtype>> = { F32: 'f32', F16: 'f16', BF16: 'bf16', I8: 'i8' }
const CODES: Readonly<Record<SemiStructuredDtype, string>> = { f32: 'F32', f16: 'F16', bf16: 'BF16', i8: 'I8' }

export interface SemiStructuredFile {
  /** By the name of the weight. */
  readonly layers: ReadonlyMap<string, TwoOfFour>
  /** Tensors of the file that are no part of a layer. */
  readonly others: readonly string[]
  /** What was changed or left out on the way, for people. */
  readonly notes: readonly string[]
}

/**
 * The semi-structured weights of a file.
 * @param options `order` of the metadata: `plain` (default), or `cutlass`, which is how PyTorch keeps them in memory. The words of the one
 *   are words of the other, too: a wrong order gives wrong weights, not an error.
 * @throws FileFormatError naming tensor, row and group for damaged files, metadata without values, cuSPARSELt's form, and files without any
 *   (what `fromSemiStructured` refuses, too); DtypeError for values and metadata of dtypes that PyTorch does not use
 */
export function loadSemiStructured(bytes: Uint8Array, options: { readonly order?: MetaOrder } = {}): SemiStructuredFile {
  const { tensors } = readSafetensors(bytes)
  const layers = new Map<string, TwoOfFour>()
  const notes: string[] = []
  const used = new Set<string>()
  for (const [name, tensor] of tensors) {
    if (name.endsWith(`.${CUSPARSELT}`)) throw cuSparseLt(name)
    for (const [values, meta] of PAIRS) {
      if (!name.endsWith(`.${values}`)) continue
      const layer = name.slice(0, -values.length - 1)
      const words = tensors.get(`${layer}.${meta}`)
      if (words === undefined) throw cuSparseLt(name)
      if (layers.has(layer)) throw new FileFormatError('A weight is there in two forms', { tensor: layer })
      const given = semiStructured(name, tensor, `${layer}.${meta}`, words)
      layers.set(
        layer,
        named(layer, () => fromSemiStructured(given, options)),
      )
      if (given.dtype === 'bf16') notes.push(`${layer}: bf16 became f32, value for value`)
      used.add(name).add(`${layer}.${meta}`)
    }
  }
  for (const name of tensors.keys()) {
    const orphan = PAIRS.find(([, meta]) => name.endsWith(`.${meta}`) && !used.has(name))
    if (orphan !== undefined) throw new FileFormatError(`Metadata have no values: there is no .${orphan[0]}`, { tensor: name })
    const part = TRAINING.find((each) => name.endsWith(`.${each}`) && layers.has(name.slice(0, -each.length - 1)))
    if (part === undefined) continue
    used.add(name)
    notes.push(`${name}: left out, it is for training`)
  }
  if (layers.size === 0) {
    throw new FileFormatError('The safetensors file holds no semi-structured weights', {
      remedy: `They are pairs of tensors called ${PAIRS.map(([values, meta]) => `NAME.${values} and NAME.${meta}`).join(', or ')}`,
    })
  }
  return { layers, others: [...tensors.keys()].filter((name) => !used.has(name)), notes }
}

function cuSparseLt(tensor: string): FileFormatError {
  return new FileFormatError(
    'A weight is in the form of cuSPARSELt, whose order is known to its library alone, or has no metadata',
    {
      tensor,
      remedy: 'Save it in the form of CUTLASS: SparseSemiStructuredTensor._FORCE_CUTLASS = True before to_sparse_semi_structured',
    },
  )
}

function semiStructured(name: string, { dtype: code, shape, bytes }: RawTensor, metaName: string, meta: RawTensor): SemiStructured {
  const dtype = Object.hasOwn(DTYPES, code) ? DTYPES[code] : undefined
  if (dtype === undefined) {
    throw new DtypeError(`Semi-structured values of ${code} are not supported`, {
      tensor: name,
      dtype: code,
      remedy: `PyTorch has ${Object.keys(DTYPES).join(', ')}`,
    })
  }
  if (meta.dtype !== 'I16' && meta.dtype !== 'I32') {
    throw new DtypeError('Semi-structured metadata are I16 or I32', { tensor: metaName, dtype: meta.dtype })
  }
  const words = meta.dtype === 'I16' ? new Int16Array(aligned(meta.bytes)) : new Int32Array(aligned(meta.bytes))
  return {
    dtype,
    values: dtype === 'bf16' ? widened(shape, bytes) : tensorOverBytes(dtype, shape, bytes),
    meta: { bits: meta.dtype === 'I16' ? 16 : 32, shape: meta.shape, words },
  }
}

/** A copy that begins at its buffer's first byte. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** bf16 is the upper half of an f32. */
function widened(shape: readonly number[], bytes: Uint8Array): HostTensor<'f32'> {
  const halves = new Uint16Array(aligned(bytes))
  const bits = Uint32Array.from(halves, (half) => half << 16)
  return new HostTensor('f32', shape, new Float32Array(bits.buffer))
}

/** Adds the layer's name to what its tensors are refused for. */
function named<T>(layer: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof TilewrightError)) throw error
    throw new FileFormatError(`${layer}: ${error.summary}`, { tensor: layer, ...error.details }, { cause: error })
  }
}

/** The bytes of a file with these weights, as NAME.packed and NAME.meta. */
export function saveSemiStructured(layers: ReadonlyMap<string, SemiStructured>): Uint8Array {
  const tensors = new Map<string, RawTensor>()
  for (const [name, { dtype, values, meta }] of layers) {
    const all = new Uint8Array(values.values.buffer as ArrayBuffer, values.values.byteOffset, values.values.byteLength)
    tensors.set(`${name}.packed`, { dtype: CODES[dtype], shape: values.shape, bytes: dtype === 'bf16' ? narrowed(all) : all })
    const words = meta.bits === 16 ? Int16Array.from(meta.words) : Int32Array.from(meta.words)
    tensors.set(`${name}.meta`, { dtype: `I${meta.bits}`, shape: meta.shape, bytes: new Uint8Array(words.buffer) })
  }
  return writeSafetensors(tensors)
}

/** The upper halves of f32 values. */
function narrowed(bytes: Uint8Array): Uint8Array {
  const values = new Uint32Array(aligned(bytes))
  return new Uint8Array(Uint16Array.from(values, (bits) => bits >>> 16).buffer)
}
