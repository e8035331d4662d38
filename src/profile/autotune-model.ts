/** What there is to tune in a model: its matrix products and convolutions as they run, and the layers that keep their kernels, with why. */
import { DtypeError, OptionError, ShapeError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { Graph } from '../graph/graph.ts'
import type { TypedNode } from '../graph/passes.ts'
import { runningGraph } from '../graph/running.ts'
import type { Convolution } from '../ops/conv2d/convolution.ts'
import { convolutionOfNode } from '../ops/conv2d/nodes.ts'
import { conv2d } from '../ops/conv2d/op.ts'
import { productOfNode } from '../ops/gemm/nodes.ts'
import { plainProduct, type Product } from '../ops/gemm/product.ts'
import { LAYOUTS, layoutShape, type Layout } from '../ops/layout.ts'
import { parseAttributes } from '../ops/run.ts'
import type { Shape } from '../tensor/shape.ts'
import type { TensorType } from '../tensor/tensor.ts'
import { tunableConvolution } from './tunable-convolution.ts'
import { tunableProduct } from './tunable-product.ts'
import type { TuneTask } from './tournament.ts'

/** A layer with multiply-adds whose kernel stays as it is. */
export interface UntouchedLayer {
  readonly layer: string
  readonly op: string
  readonly reason: string
}

export interface ModelTasks {
  readonly tasks: readonly TuneTask[]
  readonly untouched: readonly UntouchedLayer[]
}

export interface TaskOptions {
  /** Default f32. */
  readonly precision?: 'f32' | 'f16'
  /** Names of the layers to tune (default: all). */
  readonly layers?: readonly string[] | undefined
}

/**
 * The products and convolutions of a graph whose input shapes are fixed, as they run on a device: fused, and in the layouts that they
 * get there.
 * @throws ShapeError, DtypeError, UnsupportedOpError as compiling would; OptionError for a layer that there is not, or an input
 *   whose shape is not fixed
 */
export function modelTasks(graph: Graph, device: DeviceFacts, { precision = 'f32', layers }: TaskOptions = {}): ModelTasks {
  const { running } = runningGraph(graph, { types: fixedTypes(graph) }, { precision, device })
  const known = new Set(running.nodes.flatMap(({ node, fused = [] }) => [node.name, ...fused]))
  const missing = layers?.filter((layer) => !known.has(layer)) ?? []
  if (missing.length > 0) {
    const names = running.nodes.filter((item) => taskOf(item) !== undefined).map(({ node }) => node.name)
    throw new OptionError(`${graph.name} has no layer ${missing.join(', ')}`, {
      remedy: `Matrix products and convolutions: ${names.join(', ') || 'none'}`,
    })
  }
  const tasks: TuneTask[] = []
  const untouched: UntouchedLayer[] = []
  for (const item of running.nodes) {
    const { node, definition } = item
    if (layers !== undefined && !layers.includes(node.name)) continue
    const made = taskOf(item)
    if (made === undefined) {
      if (definition.problem === undefined && definition.ownLoops === undefined) continue
      const { ownLoops } = definition
      const reason = ownLoops === undefined ? 'this op chooses by rule' : `${ownLoops.what} chooses by rule`
      untouched.push({ layer: node.name, op: node.op, reason })
    } else if ('reason' in made) untouched.push({ layer: node.name, op: node.op, reason: made.reason })
    else tasks.push(made)
  }
  return { tasks, untouched }
}

function fixedTypes(graph: Graph): Map<string, TensorType> {
  return new Map(
    graph.inputs.map(({ name, dtype, shape }): [string, TensorType] => {
      const fixed: Shape = shape.map((extent) => {
        if (typeof extent === 'number') return extent
        throw new OptionError(`Input ${name} has the symbolic dimension ${extent}`, { shape, remedy: 'Give it a size' })
      })
      return [name, { dtype, shape: fixed }]
    }),
  )
}

/** Undefined for a node that is neither. */
function taskOf({ node, context }: TypedNode): TuneTask | { readonly reason: string } | undefined {
  const product = productOfNode(node.op, context, context.attributes)
  const convolution = convolutionOfNode(node.op, context, context.attributes)
  if (product === undefined && convolution === undefined) return undefined
  if (product?.kernel !== undefined) return { reason: 'its kernel is given by the model' }
  if (convolution?.algorithm !== undefined) return { reason: 'its algorithm is given by the model' }
  const isEmpty = [...context.inputs, ...context.outputs].some((type) => type?.shape.includes(0) === true)
  if (isEmpty) return { reason: 'it is empty' }
  const problem =
    convolution === undefined
      ? product && tunableProduct(product.product, product.sparsity)
      : tunableConvolution(convolution.convolution)
  return problem && { problem, layers: [node.name] }
}

const PRODUCT_REMEDY = 'Give gemm:MxKxN, as gemm:128x4096x4096 or gemm:128x4096x4096:f16'
const CONVOLUTION_REMEDY = [
  'Give conv:CxHxW,MxRxS, as conv:64x56x56,128x3x3,s2,p1 or conv:8*32x112x112,32x3x3,p1,g32,nhwc,f16;',
  'over one axis conv:CxL,MxS, over three conv:CxDxHxW,MxTxRxS',
].join(' ')

/**
 * The problem that text names: a product [M, K] times [K, N] as `gemm:MxKxN`, with `:f16` for half floats; or a convolution as
 * `conv:[N*]CxHxW,MxRxS` (CxL,MxS and CxDxHxW,MxTxRxS over one and three axes) with any of `,sSTRIDE`, `,pPADDING`, `,dDILATION`, `,gGROUPS`, a layout, `,f16`; undefined for other text.
 * @throws OptionError for text that begins so and names none, ShapeError for sizes that do not fit, DtypeError for another dtype
 */
export function bareTask(text: string): TuneTask | undefined {
  if (text.startsWith('gemm:')) return { problem: tunableProduct(bareProduct(text)), layers: [text] }
  if (text.startsWith('conv:')) return { problem: tunableConvolution(bareConvolution(text)), layers: [text] }
  return undefined
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size > 0 && size < 2 ** 31
}

/** The product of `gemm:MxKxN`. @throws as `bareTask` */
export function bareProduct(text: string): Product {
  const [, m, k, n, suffix] = /^gemm:(\d+)x(\d+)x(\d+)(?::(\w+))?$/.exec(text) ?? []
  const [rows, depth, columns] = [Number(m), Number(k), Number(n)]
  if (![rows, depth, columns].every(isSize)) throw new OptionError(`${text} names no product`, { remedy: PRODUCT_REMEDY })
  const dtype = suffix ?? 'f32'
  if (dtype !== 'f32' && dtype !== 'f16') throw new DtypeError(`${text}: products of f32 and f16 are tuned`, { dtype })
  return plainProduct('matmul', rows, columns, depth, dtype)
}

/** The convolution of `conv:CxHxW,MxRxS`. @throws as `bareTask` */
export function bareConvolution(text: string): Convolution {
  const unnamed = (): OptionError => new OptionError(`${text} names no convolution`, { remedy: CONVOLUTION_REMEDY })
  const [pictures = '', filters = '', ...options] = text.slice('conv:'.length).split(',')
  const [, count = '1', sizes = ''] = /^(?:(\d+)\*)?(\d+(?:x\d+){1,3})$/.exec(pictures) ?? []
  if (!/^\d+(?:x\d+){1,3}$/.test(filters)) throw unnamed()
  const [channels = 0, ...extents] = sizes.split('x').map(Number)
  const [all = 0, ...kernel] = filters.split('x').map(Number)
  if (![Number(count), channels, all, ...extents, ...kernel].every(isSize)) throw unnamed()
  if (kernel.length !== extents.length) throw unnamed()
  const numbers = new Map<string, number>()
  let layout: Layout = 'nchw'
  let dtype: 'f32' | 'f16' = 'f32'
  for (const option of options) {
    const named = LAYOUTS.find((one) => one === option)
    const [, letter = '', value = ''] = /^([spdg])(\d+)$/.exec(option) ?? []
    if (named !== undefined) layout = named
    else if (option === 'f32' || option === 'f16') dtype = option
    else if (letter !== '' && !numbers.has(letter)) numbers.set(letter, Number(value))
    else throw unnamed()
  }
  const groups = numbers.get('g') ?? 1
  if (groups < 1) throw unnamed()
  if (channels % groups !== 0)
    throw new ShapeError(`${text}: ${channels} channels do not split into ${groups} groups`, { op: 'conv2d' })
  const each = (letter: string, usual: number): number[] => kernel.map(() => numbers.get(letter) ?? usual)
  const attributes = parseAttributes(conv2d, {
    stride: each('s', 1),
    dilation: each('d', 1),
    padding: [...each('p', 0), ...each('p', 0)],
    groups,
    layout,
  })
  const inputs = [
    { dtype, shape: layoutShape(layout, Number(count), channels, extents) },
    { dtype, shape: [all, channels / groups, ...kernel] },
  ]
  const outputs = conv2d.infer({ inputs, values: [], attributes })
  const found = convolutionOfNode('conv2d', { inputs, outputs }, attributes)
  if (found === undefined) throw unnamed()
  return found.convolution
}
