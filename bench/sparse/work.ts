/**
 * A case of the sparse bench as the engine takes it: what is dense, and what is held against it, each as `Work` of its own (bench/work.ts).
 * Those at several densities are made one after another, since all at once would not fit.
 */
import { OptionError } from '../../src/errors.ts'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { packCsc } from '../../src/sparsity/csc.ts'
import { csrBytes, packCsr } from '../../src/sparsity/csr.ts'
import { packEie } from '../../src/sparsity/eie.ts'
import {
  packTwoOfFour,
  quantiseTwoOfFour,
  twoOfFourBytes,
  unpackTwoOfFour,
  type TwoOfFour,
} from '../../src/sparsity/two-of-four.ts'
import { float16Array, halfBits, isFloat16Array } from '../../src/tensor/half.ts'
import { HostTensor, tensor } from '../../src/tensor/tensor.ts'
import { convShapes, type ConvCase } from '../cases/conv.ts'
import {
  BLOCK,
  DENSITIES,
  type FormatCase,
  type ProductCase,
  type PrunedConvCase,
  type SkippingCase,
  type SparseCase,
} from '../cases/sparse.ts'
import { convWork } from '../conv/work.ts'
import { convOperands, type ConvOperands } from '../conv/operands.ts'
import { ruleFor } from '../engines/sample.ts'
import type { Operand, Work } from '../work.ts'
import { runLengthWork } from './codes.ts'
import { activationFloats, asHalves, ProductReference, prunedFloats, sparseValues, storedAs } from './operands.ts'

/** Something that is timed, with what it moves and multiplies at least. */
export interface Contender {
  readonly work: Work
  /** How its weights lie, where they could lie in several ways. */
  readonly form?: string
  /** Bytes of the weights, as they are stored. */
  readonly weight_bytes: number
  /** Bytes of weights, activations and result, each once. */
  readonly bytes: number
}

export interface Challenger {
  /** What it is: `2:4`, `csr`, … */
  readonly label: string
  /** Of weights, or of activations. */
  readonly density: number
  /** Made when its turn comes. */
  make(): Contender
}

export interface SparseWork {
  /** In each form that its weights can have, of which the fastest counts; none for codes, which no dense kernel makes. */
  readonly dense: readonly Contender[]
  readonly challengers: readonly Challenger[]
}

/** What each kind of case is timed as. @param software whether the adapter is one, for which weights are cut into fewer parts */
export function sparseWork(item: SparseCase, software: boolean): SparseWork {
  switch (item.family) {
    case '2:4':
      return productWork(item)
    case '2:4-conv':
      return prunedConvWork(item)
    case 'break-even':
      return item.format === 'zero-skipping' ? skippingWork(item) : formatWork(item, ELEMENTS[software ? 'software' : 'gpu'])
    case 'run-length':
      return runLengthWork(item)
  }
}

/** The dense work alone: what other engines are given. */
export function denseWork(item: SparseCase, software: boolean): Work {
  const [dense] = sparseWork(item, software).dense
  if (dense === undefined) throw new OptionError(`${item.name} has no dense kernel beside it`)
  return dense.work
}

function operandOf({ dtype, shape, values }: HostTensor): Operand {
  if (isFloat16Array(values)) return { dtype: 'f16', shape, values: new Uint16Array(halfBits(values)) }
  if (dtype !== 'f32' || !(values instanceof Float32Array)) throw new Error(`${dtype} is no operand of the sparse bench`)
  return { dtype, shape, values: new Float32Array(values) }
}

const bytesOf = (...tensors: readonly HostTensor[]): number => tensors.reduce((sum, { values }) => sum + values.byteLength, 0)

/** A product of X with what `make` adds to the graph. */
function oneProduct(name: string, x: HostTensor, reference: ProductReference, make: (g: GraphBuilder, x: Value) => Value): Work {
  const g = graph(name)
  g.output('y', make(g, g.input('x', x.dtype, x.shape)))
  return {
    name,
    graph: g.finish(),
    feeds: { x: operandOf(x) },
    output: 'y',
    ours: 'op',
    firstFromOpening: false,
    resident: true,
    tfjs: 'it is not asked',
    rule: (first_ms) => Promise.resolve(ruleFor(false, first_ms)),
    error: (values) => reference.errorOf(values),
  }
}

function productWork(item: ProductCase): SparseWork {
  const { m, n, k, share } = item
  const dtype = item.dtype === 'f16' ? 'f16' : 'f32'
  const [given, pruned] = [activationFloats(dtype, [m, k]), prunedFloats(dtype, [n, k], share)]
  const x = storedAs(dtype, given)
  const floats = packTwoOfFour(pruned, { share })
  const plain = dtype === 'f16' ? { ...floats, values: halvesOf(floats), bits: 16 as const } : floats
  const bits = item.dtype === 'int8' ? 8 : item.dtype === 'int4' ? 4 : undefined
  const packed = bits === undefined ? plain : quantiseTwoOfFour(plain, { bits, block: BLOCK })
  const reference = new ProductReference(given, bits === undefined ? pruned : unpackTwoOfFour(packed))
  const around = bytesOf(x) + m * n * (dtype === 'f16' ? 2 : 4)
  const dense =
    bits === undefined ? denseProducts(item, x, storedAs(dtype, pruned), reference) : [denseIntegers(item, x, packed, reference)]
  return {
    dense: dense.map((each) => ({ ...each, bytes: each.weight_bytes + around })),
    challengers: [
      {
        label: share === 1 ? '2:4' : `2:4, ${share} lines alike`,
        density: 0.5,
        make: () => {
          const work = oneProduct(item.name, x, reference, (g, input) => sparseNode(g, input, packed))
          return { work, weight_bytes: twoOfFourBytes(packed), bytes: twoOfFourBytes(packed) + around }
        },
      },
    ],
  }
}

/** The values of packed f32 as halves. */
function halvesOf({ values: { values, shape } }: TwoOfFour): HostTensor<'f16'> {
  if (!(values instanceof Float32Array)) throw new Error('Only f32 become halves')
  return asHalves(new HostTensor('f32', shape, values))
}

function sparseNode(g: GraphBuilder, x: Value, { values, positions, scales, share, block }: TwoOfFour): Value {
  const inputs = [
    x,
    g.constant(values, 'values'),
    null,
    null,
    null,
    g.constant(positions, 'positions'),
    ...(scales === undefined ? [] : [g.constant(scales, 'scales')]),
  ]
  return g.node('sparseMatmul', inputs, { name: 'product', share, ...(block === undefined ? {} : { block }) })
}

interface Dense {
  readonly form?: string
  readonly work: Work
  readonly weight_bytes: number
}

/** The dense product, with W as [K, N] and as [N, K]. */
function denseProducts({ name }: { readonly name: string }, x: HostTensor, w: HostTensor, reference: ProductReference): Dense[] {
  const turned = turnedOver(w)
  const weight_bytes = bytesOf(w)
  return [
    {
      form: 'W [K, N]',
      weight_bytes,
      work: oneProduct(name, x, reference, (g, input) => g.node('matmul', [input, g.constant(turned, 'w')], { name: 'product' })),
    },
    {
      form: 'W [N, K]',
      weight_bytes,
      work: oneProduct(name, x, reference, (g, input) =>
        g.node('gemm', [input, g.constant(w, 'w')], { name: 'product', transB: true }),
      ),
    },
  ]
}

/** [N, K] → [K, N]. */
function turnedOver({ values, shape }: HostTensor): HostTensor {
  const [n = 0, k = 0] = shape
  const cross = <A extends { readonly length: number; [index: number]: number }>(from: A, to: A): void => {
    for (let line = 0; line < n; line++)
      for (let depth = 0; depth < k; depth++) to[depth * n + line] = from[line * k + depth] ?? NaN
  }
  if (isFloat16Array(values)) {
    const bits = new Uint16Array(n * k)
    cross<Uint16Array>(halfBits(values), bits)
    return new HostTensor('f16', [k, n], float16Array(bits.buffer, 0, bits.length))
  }
  if (!(values instanceof Float32Array)) throw new Error('Dense operands are floats')
  const floats = new Float32Array(n * k)
  cross<Float32Array>(values, floats)
  return tensor(floats, [k, n])
}

/** The dense product of the same integers and scales. Accuracy level 4, as language models carry it: its kernels may round activations. */
function denseIntegers({ name, n, k }: ProductCase, x: HostTensor, packed: TwoOfFour, reference: ProductReference): Dense {
  const { bits, scales, block = k } = packed
  if (scales === undefined || (bits !== 8 && bits !== 4)) throw new Error('Integers have scales')
  const blocks = Math.ceil(k / block)
  const whole = unpackTwoOfFour({ ...packed, scales: new HostTensor('f32', scales.shape, new Float32Array(n * blocks).fill(1)) })
  const middle = bits === 8 ? 128 : 8
  const bytes = new Uint8Array((n * k * bits) / 8)
  for (let index = 0; index < n * k; index++) {
    const code = (whole.values[index] ?? NaN) + middle
    if (bits === 8) bytes[index] = code
    else bytes[index >> 1] = (bytes[index >> 1] ?? 0) | (code << (4 * (index & 1)))
  }
  const work = oneProduct(name, x, reference, (g, input) => {
    const codes = g.constant(tensor(bytes, [n, blocks, (block * bits) / 8]), 'codes')
    const factors = g.constant(tensor(new Float32Array(scales.values), [n, blocks]), 'scales')
    return g.node('matmulNBits', [input, codes, factors], { name: 'product', bits, blockSize: block, accuracyLevel: 4 })
  })
  return { work, weight_bytes: bytes.length + bytesOf(scales) }
}

function formatWork(item: FormatCase, elements: number): SparseWork {
  const { name, m, n, k } = item
  const x = activationFloats('f32', [m, k])
  const around = bytesOf(x) + 4 * m * n
  const weights = (density: number): { w: HostTensor; reference: ProductReference } => {
    const w = sparseValues('f32', [n, k], density)
    return { w, reference: new ProductReference(x, w) }
  }
  const [densest] = DENSITIES
  const { w, reference } = weights(densest)
  const dense = denseProducts(item, x, w, reference)
  return {
    dense: dense.map((each) => ({ ...each, bytes: each.weight_bytes + around })),
    challengers: DENSITIES.map((density) => ({
      label: item.format,
      density,
      make: () => {
        const sparse = weights(density)
        const { inputs, attributes, op, bytes } = packedFormat(item.format, sparse.w, elements)
        const work = oneProduct(name, x, sparse.reference, (g, input) =>
          g.node(op, [input, ...inputs.map((one, index) => g.constant(one, `w${index}`))], { name: 'product', ...attributes }),
        )
        return { work, weight_bytes: bytes, bytes: bytes + around }
      },
    })),
  }
}

/** Processing elements of CSC and of EIE's form: as the chip has, or as measured to be fastest on llvmpipe with 2 processors. */
const ELEMENTS = { gpu: 64, software: 8 } as const

interface Packed {
  readonly op: string
  readonly inputs: readonly HostTensor[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly bytes: number
}

/** Weights in a format, as its op takes them. */
function packedFormat(format: FormatCase['format'], w: HostTensor, elements: number): Packed {
  switch (format) {
    case 'csr': {
      const packed = packCsr(w)
      const { values, columns, pointers, indexBits } = packed
      return { op: 'csrMatmul', inputs: [values, columns, pointers], attributes: { indexBits }, bytes: csrBytes(packed) }
    }
    case 'csc': {
      const { values, rows, pointers, indexBits, lines } = packCsc(w, { elements })
      return {
        op: 'cscMatmul',
        inputs: [values, rows, pointers],
        attributes: { indexBits, lines },
        bytes: bytesOf(values, rows, pointers),
      }
    }
    case 'eie': {
      const { values, zeros, pointers, lines } = packEie(w, { elements })
      return {
        op: 'eieMatmul',
        inputs: [values, zeros, pointers],
        attributes: { lines },
        bytes: bytesOf(values, zeros, pointers),
      }
    }
  }
}

/** The convolution's graph again, its node with more attributes. */
function withAttributes(given: Graph | string, more: Readonly<Record<string, unknown>>): Graph {
  if (typeof given === 'string') throw new Error('The convolution is no graph')
  return {
    ...given,
    nodes: given.nodes.map((node) => (node.op === 'conv2d' ? { ...node, attributes: { ...node.attributes, ...more } } : node)),
  }
}

const convBytes = (layer: ConvCase, weights: number): number => {
  const { x, y } = convShapes(layer)
  const each = layer.dtype === 'f16' ? 2 : 4
  return weights + each * [x, y].reduce((sum, shape) => sum + shape.reduce((product, extent) => product * extent, 1), 0)
}

function prunedConvWork({ layer }: PrunedConvCase): SparseWork {
  const { w: shape } = convShapes(layer)
  const [filters = 1, channels = 1, ...kernel] = shape
  const taps = kernel.reduce((product, extent) => product * extent, 1)
  // [M, C, taps] from [M · taps, C].
  const lines = prunedFloats(layer.dtype, [filters * taps, channels])
  const w = layer.dtype === 'f16' ? float16Array(filters * channels * taps) : new Float32Array(filters * channels * taps)
  for (let line = 0; line < filters * taps; line++) {
    const [filter, tap] = [Math.floor(line / taps), line % taps]
    for (let channel = 0; channel < channels; channel++) {
      w[(filter * channels + channel) * taps + tap] = Number(lines.values[line * channels + channel] ?? NaN)
    }
  }
  const operands: ConvOperands = {
    ...convOperands(layer),
    w: isFloat16Array(w) ? new Uint16Array(halfBits(w)) : new Float32Array(w),
  }
  const work = convWork(layer, operands)
  const packed = twoOfFourBytes(packTwoOfFour(storedAs(layer.dtype, lines)))
  return {
    dense: [{ work, weight_bytes: w.byteLength, bytes: convBytes(layer, w.byteLength) }],
    challengers: [
      {
        label: '2:4',
        density: 0.5,
        make: () => ({
          work: { ...work, graph: withAttributes(work.graph, { sparsity: '2:4' }) },
          weight_bytes: packed,
          bytes: convBytes(layer, packed),
        }),
      },
    ],
  }
}

function skippingWork({ layer }: SkippingCase): SparseWork {
  const operands = convOperands(layer)
  const at = (density: number): Work => {
    const x = operandOf(sparseValues('f32', convShapes(layer).x, density)).values
    return convWork(layer, { ...operands, x })
  }
  const [densest] = DENSITIES
  const contender = (work: Work): Contender => {
    const weight_bytes = operands.w.byteLength
    return { work, weight_bytes, bytes: convBytes(layer, weight_bytes) }
  }
  return {
    dense: [contender(at(densest))],
    challengers: DENSITIES.map((density) => ({
      label: 'zero-skipping',
      density,
      make: () => {
        const work = at(density)
        return contender({ ...work, graph: withAttributes(work.graph, { algorithm: 'zero-skipping' }) })
      },
    })),
  }
}
