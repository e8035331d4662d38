/**
 * The layers of a network whose weights can be pruned, as the matrices that pruning sees, and those that cannot, each with the reason.
 *
 *     conv2d  W [M, C/g, …taps]   lines: filters and taps, depth: input channels of a group     values as they lie
 *     linear  W [M, K]            lines: outputs, depth: inputs                                 values as they lie
 *     gemm, matmul  B [K, J]      lines: columns, depth: rows                                   read across
 */
import { z } from 'zod'
import { UnsupportedOpError } from '../errors.ts'
import type { PrunePattern } from '../sparsity/pattern.ts'
import { allocate, isFloat } from '../tensor/dtype.ts'
import { sizeOf, type Shape } from '../tensor/shape.ts'
import { HostTensor } from '../tensor/tensor.ts'
import { operandValues, type ConstantSources, type Source } from './constant-source.ts'
import type { TypedGraph, TypedNode } from './passes.ts'
import { endLayers } from './prune-ends.ts'

export interface PrunableLayer {
  /** Of the first node that has these weights. */
  readonly name: string
  readonly op: string
  /** All nodes that have them. */
  readonly nodes: readonly string[]
  readonly typed: TypedNode
  /** The operand's name in the graph, and the constant behind it. */
  readonly operand: string
  readonly source: Source
  /** [M, C, …taps] as pruning sees it. */
  readonly shape: Shape
  /** The axis of the operand that is the depth: 0 where it lies [K, J]. */
  readonly depth: 0 | 1
  /** Why it stays as it is unless it is named: at an end of the network (prune-ends.ts). */
  readonly end?: string
}

/** A layer that stays as it is. */
export interface DenseLayer {
  readonly name: string
  readonly op: string
  readonly shape: Shape | null
  readonly weights: number
  readonly reason: string
}

export interface LayerList {
  readonly layers: readonly PrunableLayer[]
  readonly dense: readonly DenseLayer[]
}

const PRODUCTS: ReadonlySet<string> = new Set(['conv2d', 'linear', 'gemm', 'matmul'])
const QUANTISED: ReadonlySet<string> = new Set(['qlinearConv', 'convInteger', 'qlinearMatmul', 'matmulInteger', 'matmulNBits'])
const gemmFields = z.looseObject({ transB: z.union([z.boolean(), z.number()]).default(false) })

/**
 * All convolutions and products of a network.
 * @throws UnsupportedOpError naming the layers of a quantised network
 */
export function prunableLayers(typed: TypedGraph, sources: ConstantSources, pattern: PrunePattern): LayerList {
  refuseQuantised(typed, sources)
  const others = otherReaders(typed, sources)
  const ends = endLayers(typed, pattern)
  const layers = new Map<string, PrunableLayer>()
  const dense: DenseLayer[] = []
  for (const each of typed.nodes) {
    const { node } = each
    if (!PRODUCTS.has(node.op) && node.op !== 'convTranspose2d') continue
    const operand = node.inputs[1] ?? ''
    const source = sources.resolve(operand)
    const shape = source === undefined ? null : layerShape(each, source)
    const leave = (reason: string): void => {
      dense.push({ name: node.name, op: node.op, shape, weights: shape === null ? 0 : sizeOf(shape), reason })
    }
    const frozen = source === undefined ? undefined : (sources.frozen(source.constant) ?? others.get(source.constant))
    const depth = depthOf(each)
    const reason = ends.get(node.name)
    const end = reason === undefined ? {} : { end: reason }
    if (source === undefined || shape === null) leave('its weights are computed, not constant')
    else if (node.op === 'convTranspose2d') leave('a transposed convolution reads no input channels side by side')
    else if (shape.length < 2 || (node.op === 'matmul' && shape.length > 2)) leave(`its weights have rank ${source.shape.length}`)
    else if (frozen !== undefined) leave(`its weights may not change: ${frozen}`)
    else {
      const known = layers.get(operand)
      if (known !== undefined && known.depth !== depth) leave(`${known.name} reads the same weights along the other axis`)
      else if (known !== undefined) layers.set(operand, { ...known, ...end, nodes: [...known.nodes, node.name] })
      else {
        const thin = tooThin(shape, pattern)
        if (thin !== undefined) leave(thin)
        else {
          const own = { name: node.name, op: node.op, nodes: [node.name], ...end }
          layers.set(operand, { ...own, typed: each, operand, source, shape, depth })
        }
      }
    }
  }
  return { layers: [...layers.values()], dense }
}

/** Constants that a node reads other than as the weights of a product, and what to say of it. */
function otherReaders({ nodes }: TypedGraph, sources: ConstantSources): Map<string, string> {
  const found = new Map<string, string>()
  for (const { node } of nodes) {
    for (const [index, name] of node.inputs.entries()) {
      const source = name === null || (index === 1 && PRODUCTS.has(node.op)) ? undefined : sources.resolve(name)
      if (source !== undefined) found.set(source.constant, `${node.name} (${node.op}) reads them as well`)
    }
  }
  return found
}

function refuseQuantised({ nodes }: TypedGraph, sources: ConstantSources): void {
  const quantised = nodes.filter(({ node }) => {
    return QUANTISED.has(node.op) || (PRODUCTS.has(node.op) && sources.isDequantised(node.inputs[1] ?? ''))
  })
  const [first] = quantised
  if (first === undefined) return
  const names = quantised.map(({ node }) => `${node.name} (${node.op})`)
  throw new UnsupportedOpError(`The weights of ${names.length} layers are quantised: ${names.slice(0, 4).join(', ')}`, {
    node: first.node.name,
    op: first.node.op,
    remedy: 'Prune the network in floats, and quantise what that gives',
  })
}

function tooThin(shape: Shape, { kind }: PrunePattern): string | undefined {
  const [, channels = 0] = shape
  if (sizeOf(shape) === 0) return 'it has no weights'
  if (kind !== '2:4' || channels >= 4) return undefined
  return `a filter reads ${channels} channel${channels === 1 ? '' : 's'}: there is no group of four`
}

/** Of a gemm B is [K, J] unless transB says otherwise; of a matmul always. */
function depthOf({ node, context }: TypedNode): 0 | 1 {
  if (node.op === 'matmul') return 0
  if (node.op !== 'gemm') return 1
  return gemmFields.parse(context.attributes).transB ? 1 : 0
}

function layerShape(typed: TypedNode, { shape }: Source): Shape {
  return depthOf(typed) === 0 && shape.length === 2 ? shape.toReversed() : shape
}

/** A layer's weights [M, C, …taps], f32. */
export function layerWeights(constants: ReadonlyMap<string, HostTensor>, { source, depth, shape }: PrunableLayer): Float32Array {
  const values = operandValues(constants, source)
  return depth === 1 ? values : crossed(values, shape)
}

/** [K, J] → [J, K]. */
function crossed(values: Float32Array, [lines = 0, depth = 0]: Shape): Float32Array {
  const across = new Float32Array(values.length)
  for (let k = 0; k < depth; k++) for (let j = 0; j < lines; j++) across[j * depth + k] = values[k * lines + j] ?? NaN
  return across
}

/** Sets weights that the mask cuts to zero. The constant is replaced, not changed. */
export function applyMask(constants: Map<string, HostTensor>, { source, depth, shape }: PrunableLayer, mask: Uint8Array): void {
  const tensor = constants.get(source.constant)
  if (tensor === undefined || !isFloat(tensor.dtype)) return
  const values = allocate(tensor.dtype, sizeOf(tensor.shape))
  if (!(values instanceof BigInt64Array) && !(tensor.values instanceof BigInt64Array)) values.set(tensor.values)
  const [lines = 0, deep = 0] = shape
  for (let at = 0; at < mask.length; at++) {
    if (mask[at] !== 0) continue
    const own = depth === 1 ? at : (at % deep) * lines + Math.floor(at / deep)
    values[source.places?.[own] ?? own] = 0
  }
  constants.set(source.constant, new HostTensor(tensor.dtype, tensor.shape, values))
}
