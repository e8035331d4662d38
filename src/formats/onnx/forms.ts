/**
 * How ops of ours are written in ONNX. The plain case reads the importer's own table (table.ts) backwards: the ONNX name and the
 * attributes of each op are said there once. What ONNX says otherwise than we do has a form of its own here: fused epilogues
 * become nodes of their own, numbers that stand for all axes are spelled out, and what we keep as attributes ONNX may want as inputs.
 */
import { TensorProto_DataType as DataType } from 'onnx-buf'
import { activationField, type Activation } from '../../ops/gemm/activation.ts'
import type { DType } from '../../tensor/dtype.ts'
import { tensor, type HostTensor } from '../../tensor/tensor.ts'
import { onnxTypeOf, toTensorProto } from '../tensor-proto.ts'
import { ownName } from './convert.ts'
import type { Emission, OnnxAttribute, OnnxAttributes } from './emission.ts'
import { MICROSOFT_TABLE } from './quantised.ts'
import { OP_TABLE, type OpRule } from './table.ts'

/** Writes a node. */
export type Form = (node: Emission) => void

/** Attributes that choose a kernel or bound its error: they are no part of what is computed. */
const HINTS: ReadonlySet<string> = new Set(['algorithm', 'maxError', 'accumulate'])

/** ONNX has one layout. */
const LAYOUT: ReadonlySet<string> = new Set(['layout', 'outputLayout'])

/** Attributes that ONNX's ops have since the opset named, where that is newer than the op. */
const ATTRIBUTE_SINCE: ReadonlyMap<string, number> = new Map([
  ['AveragePool.dilations', 19],
  ['QuantizeLinear.block_size', 21],
  ['QuantizeLinear.output_dtype', 21],
  ['DequantizeLinear.block_size', 21],
  ['DequantizeLinear.output_dtype', 23],
])

const RULES: ReadonlyMap<string, readonly [onnxName: string, rule: OpRule]> = new Map(
  [...OP_TABLE].map(([onnxName, rule]) => [rule.op, [onnxName, rule]]),
)

/** How an op is written, or undefined where ONNX has no form of it. */
export function formOf(op: string): Form | undefined {
  return FORMS.get(op) ?? (RULES.has(op) ? (node) => plain(node) : undefined)
}

/** The name and the rule of an op that has one ONNX op to itself. */
function ruleOf(node: Emission): readonly [onnxName: string, rule: OpRule] {
  return RULES.get(node.node.op) ?? node.refuse('ONNX has no such op')
}

/** Same inputs, same outputs, attributes under ONNX's names. */
function plain(node: Emission, handled: readonly string[] = []): void {
  const [opType, rule] = ruleOf(node)
  const extra = node.inputs.findIndex((input, index) => index >= rule.inputs[1] && input !== '')
  if (extra >= 0) node.refuse(`ONNX's ${opType} has no input ${extra}`)
  node.emit(opType, node.inputs, node.node.outputs, attributesOf(node, opType, rule.attributes, handled))
}

/**
 * The node's attributes as ONNX spells them.
 * @param handled those that the form writes in another way
 */
function attributesOf(
  node: Emission,
  opType: string,
  kinds: OpRule['attributes'],
  handled: readonly string[] = [],
): Record<string, OnnxAttribute> {
  const written: Record<string, OnnxAttribute> = {}
  const names = new Map(Object.entries(kinds).map(([name, kind]) => [ownName(name), { name, kind }]))
  for (const [own, value] of Object.entries(node.attributes)) {
    if (value === undefined || handled.includes(own)) continue
    const known = names.get(own)
    if (known === undefined) {
      if (HINTS.has(own) || (LAYOUT.has(own) && value === 'nchw')) continue
      return node.refuse(`ONNX has no attribute ${own} = ${JSON.stringify(value)}`)
    }
    const attribute = encoded(node, known.kind, value)
    // ONNX's default, and a number that may say no more than that.
    if (known.name === 'dilations' && 'ints' in attribute && attribute.ints.every((step) => step === 1)) continue
    node.needs(ATTRIBUTE_SINCE.get(`${opType}.${known.name}`) ?? 0)
    written[known.name] = attribute
  }
  return written
}

function encoded(node: Emission, kind: OpRule['attributes'][string], value: unknown): OnnxAttribute {
  switch (kind) {
    case 'int':
      if (typeof value === 'number') return { int: value }
      break
    case 'bool':
      if (typeof value === 'boolean') return { int: Number(value) }
      break
    case 'float':
      if (typeof value === 'number') return { float: value }
      break
    case 'string':
      if (typeof value === 'string') return { string: value }
      break
    case 'ints':
      if (isNumbers(value)) return { ints: value }
      break
    case 'floats':
      if (isNumbers(value)) return { floats: value }
      break
    case 'tensor':
  }
  return node.refuse(`an attribute of kind ${kind} cannot be ${JSON.stringify(value)}`)
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}

/** Attributes of a window: a number stands for all spatial axes of X, padding for both ends of each. */
const PER_AXIS: Readonly<Record<string, number>> = { kernel: 1, stride: 1, dilation: 1, padding: 2, outputPadding: 1 }

/** The same node, its window attributes as lists. */
function spelled(node: Emission): Emission {
  const { autoPad = 'NOTSET' } = node.attributes
  const entries = Object.entries(node.attributes).flatMap(([name, value]): [string, unknown][] => {
    // Padding is given by number or by rule; ONNX Runtime takes one of them.
    if ((name === 'padding' && autoPad !== 'NOTSET') || (name === 'autoPad' && autoPad === 'NOTSET')) return []
    const ends = PER_AXIS[name]
    if (ends === undefined || typeof value !== 'number') return [[name, value]]
    const axes = node.type(node.input(0)).shape.length - 2
    return [[name, Array.from({ length: ends * axes }, () => value)]]
  })
  return node.with(Object.fromEntries(entries))
}

/** Convolutions, transposed ones too: input 3 is the residual. */
function convolution(given: Emission): void {
  const node = spelled(given)
  const [opType, rule] = ruleOf(node)
  const attributes = attributesOf(node, opType, rule.attributes, ['activation'])
  finish(node, { opType, inputs: node.inputs.slice(0, 3), attributes }, { residual: node.input(3) })
}

/** Pools, and convolutions of bytes. That a pool has indices, its second output says. */
function windowed(node: Emission): void {
  plain(spelled(node), ['indices'])
}

/** A product whose last steps may have been folded into it, as nodes of ONNX. */
interface Product {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly attributes?: OnnxAttributes
  readonly domain?: string
}

/** What follows a product; '' is absent. Factors and terms broadcast. */
interface Steps {
  readonly scale?: string
  readonly bias?: string
  readonly residual?: string
}

/** activation(scale · product + bias + residual), the last of the steps being the node's output. */
function finish(node: Emission, product: Product, { scale = '', bias = '', residual = '' }: Steps): void {
  const chain: ((x: string, y: string) => void)[] = []
  if (scale !== '') chain.push((x, y) => node.emit('Mul', [x, scale], [y]))
  if (bias !== '') chain.push((x, y) => node.emit('Add', [x, bias], [y]))
  if (residual !== '') chain.push((x, y) => node.emit('Add', [x, residual], [y]))
  const activation = activationOf(node)
  if (activation !== 'none') chain.push((x, y) => activate(node, activation, x, y))
  let value = chain.length === 0 ? node.output : node.value('product')
  node.emit(product.opType, product.inputs, [value], product.attributes, product.domain)
  chain.forEach((step, index) => {
    const next = index === chain.length - 1 ? node.output : node.value('step')
    step(value, next)
    value = next
  })
}

function activationOf(node: Emission): Activation {
  return activationField.parse(node.attributes['activation'])
}

/** Activations that ONNX has as ops without attributes. */
const NAMED = { relu: 'Relu', sigmoid: 'Sigmoid', tanh: 'Tanh', hardSwish: 'HardSwish' } as const

/** y = activation(x), of the dtype of the node's output. */
function activate(node: Emission, activation: Exclude<Activation, 'none'>, x: string, y: string): void {
  const scalar = (name: string, value: number): string => node.constant(name, tensor([value], [], floatOf(node)))
  if (typeof activation !== 'string') {
    switch (activation.name) {
      case 'clip': {
        const bound = (name: 'min' | 'max'): string => (activation[name] === undefined ? '' : scalar(name, activation[name]))
        return node.emit('Clip', [x, bound('min'), bound('max')], [y])
      }
      case 'leakyRelu':
        return node.emit('LeakyRelu', [x], [y], { alpha: { float: activation.alpha } })
      case 'hardSigmoid':
        return node.emit('HardSigmoid', [x], [y], { alpha: { float: activation.alpha }, beta: { float: activation.beta } })
    }
  }
  switch (activation) {
    case 'silu':
      return node.emit('Mul', [x, node.step('Sigmoid', [x])], [y])
    case 'gelu': {
      // By tanh: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))).
      const cubic = node.step('Mul', [node.step('Mul', [node.step('Mul', [x, x]), x]), scalar('cubic', 0.044715)])
      const inner = node.step('Mul', [node.step('Add', [x, cubic]), scalar('inner', Math.sqrt(2 / Math.PI))])
      const factor = node.step('Add', [node.step('Tanh', [inner]), scalar('one', 1)])
      return node.emit('Mul', [node.step('Mul', [x, scalar('half', 0.5)]), factor], [y])
    }
    case 'relu':
    case 'sigmoid':
    case 'tanh':
    case 'hardSwish':
      return node.emit(NAMED[activation], [x], [y])
  }
}

function floatOf(node: Emission): 'f32' | 'f16' {
  return node.type(node.output).dtype === 'f16' ? 'f16' : 'f32'
}

/** A product of another float dtype than its operands' has no ONNX form. */
function sameFloat(node: Emission): void {
  const { output } = node.attributes
  if (output !== undefined && output !== node.type(node.input(0)).dtype)
    node.refuse(`ONNX has no product into ${JSON.stringify(output)}`)
}

const FUSED = ['activation', 'output', 'accumulate', 'kernel']

/** C stays with Gemm where nothing comes between it and the sums. */
function gemm(node: Emission): void {
  sameFloat(node)
  const [a, b, c = '', residual = '', scale = ''] = node.inputs
  const [opType, rule] = ruleOf(node)
  const attributes = attributesOf(node, opType, rule.attributes, FUSED)
  if (scale === '') return finish(node, { opType, inputs: [a ?? '', b ?? '', c], attributes }, { residual })
  const { beta: _, ...product } = attributes
  finish(node, { opType, inputs: [a ?? '', b ?? ''], attributes: product }, { scale, bias: scaledBy(node, c), residual })
}

/** beta · c. */
function scaledBy(node: Emission, c: string): string {
  const beta = node.number('beta') ?? 1
  if (c === '' || beta === 0) return ''
  return beta === 1 ? c : node.step('Mul', [c, node.constant('beta', tensor([beta], [], floatOf(node)))])
}

function matmul(node: Emission): void {
  sameFloat(node)
  const [a = '', b = '', bias = '', residual = '', scale = ''] = node.inputs
  attributesOf(node, 'MatMul', {}, FUSED)
  finish(node, { opType: 'MatMul', inputs: [a, b] }, { bias, residual, scale })
}

/** x [N, …] · wᵀ: a Gemm of the flattened x. */
function linear(node: Emission): void {
  sameFloat(node)
  const [x = '', w = '', bias = '', residual = '', scale = ''] = node.inputs
  attributesOf(node, 'Gemm', {}, FUSED)
  const flat = node.type(x).shape.length === 2 ? x : node.step('Flatten', [x])
  const product = { opType: 'Gemm', attributes: { transB: { int: 1 } } }
  if (scale === '') return finish(node, { ...product, inputs: [flat, w, bias] }, { residual })
  finish(node, { ...product, inputs: [flat, w] }, { scale, bias, residual })
}

/** i8 or u8 into i32, or with scales into a float; com.microsoft has them first, then the zero points. */
function matmulInteger(node: Emission): void {
  const [a = '', b = '', aZero = '', bZero = '', aScale = '', bScale = '', bias = '', residual = ''] = node.inputs
  attributesOf(node, 'MatMulInteger', {}, ['activation', 'dtype', 'kernel', 'transB'])
  if (node.attributes['transB'] === true) node.refuse('ONNX has no product of integers with a transposed B')
  if (aScale === '' && bScale === '') return node.emit('MatMulInteger', [a, b, aZero, bZero], [node.output])
  const one = (): string => node.constant('scale', tensor([1], [], floatOf(node)))
  const scales = [aScale === '' ? one() : aScale, bScale === '' ? one() : bScale]
  for (const scale of scales) {
    if (node.type(scale).dtype !== node.type(node.output).dtype) node.refuse('ONNX has its scales in the dtype of the result')
  }
  const product = { opType: 'MatMulIntegerToFloat', domain: 'com.microsoft', inputs: [a, b, ...scales, aZero, bZero, bias] }
  finish(node, product, { residual })
}

/** Weights of 4 or 8 bits; K and N are attributes there. */
function matmulNBits(node: Emission): void {
  const [x = '', packed = '', scales = '', zeros = '', bias = ''] = node.inputs
  const rule = MICROSOFT_TABLE.get('MatMulNBits') ?? node.refuse('ONNX has no such op')
  const depth = node.type(x).shape.at(-1) ?? 0
  const columns = node.type(packed).shape[0] ?? 0
  const attributes = attributesOf(node, 'MatMulNBits', rule.attributes, ['activation', 'kernel', 'K', 'N'])
  const sizes = { K: { int: depth }, N: { int: columns }, bits: { int: 4 }, block_size: { int: 32 } }
  const product = { opType: 'MatMulNBits', domain: 'com.microsoft', attributes: { ...sizes, ...attributes } }
  finish(node, { ...product, inputs: [x, packed, scales, zeros, '', bias] }, {})
}

/** Bounds are inputs, of x's dtype. */
function clip(node: Emission): void {
  const { dtype } = node.type(node.input(0))
  const bound = (index: number, name: string): string => {
    const value = node.number(name)
    return value === undefined ? node.input(index) : node.constant(name, tensor([value], [], dtype))
  }
  node.emit('Clip', [node.input(0), bound(1, 'min'), bound(2, 'max')], [node.output])
}

/** Before opset 13 softmax saw a matrix: all axes before `axis` as rows. */
function softmax(node: Emission): void {
  const { axis = -1, legacy = false } = node.attributes
  attributesOf(node, 'Softmax', {}, ['axis', 'legacy'])
  if (typeof axis !== 'number') return node.refuse(`axis cannot be ${JSON.stringify(axis)}`)
  const [x] = node.inputs
  if (legacy !== true) return node.emit('Softmax', [x ?? ''], [node.output], { axis: { int: axis } })
  const shape = node.step('Shape', [x ?? ''])
  const flat = node.step('Flatten', [x ?? ''], { axis: { int: axis } })
  node.emit('Reshape', [node.step('Softmax', [flat], { axis: { int: -1 } }), shape], [node.output])
}

/** The mask, where there is one, is the second output: nothing says so besides. */
function dropout(node: Emission): void {
  node.emit('Dropout', node.inputs, node.node.outputs)
}

function squeezed(node: Emission): void {
  const [opType] = ruleOf(node)
  const { axes } = node.attributes
  const inputs = axes === undefined ? node.inputs : [node.input(0), node.constant('axes', integers(node, axes))]
  node.emit(opType, inputs, [node.output])
}

function integers(node: Emission, values: unknown): HostTensor {
  return isNumbers(values)
    ? tensor(values, [values.length], 'i64')
    : node.refuse(`these are no integers: ${JSON.stringify(values)}`)
}

function typeNamed(node: Emission, dtype: unknown): DataType {
  const type = onnxTypeOf(String(dtype))
  return type === DataType.UNDEFINED ? node.refuse(`ONNX has no ${String(dtype)}`) : type
}

function cast(node: Emission): void {
  node.emit('Cast', [node.input(0)], [node.output], { to: { int: typeNamed(node, node.attributes['to']) } })
}

function constantOfShape(node: Emission): void {
  const { value = 0 } = node.attributes
  const { dtype } = node.type(node.output)
  if (typeof value !== 'number' && typeof value !== 'bigint') return node.refuse(`a constant cannot be ${String(value)}`)
  node.emit('ConstantOfShape', [node.input(0)], [node.output], { value: { tensor: toTensorProto(filled(dtype, value)) } })
}

function filled(dtype: DType, value: number | bigint): HostTensor {
  return dtype === 'i64' ? tensor([BigInt(value)], [1], dtype) : tensor([Number(value)], [1], dtype)
}

/** `dtype` is ONNX's output_dtype; where the zero point or the scale says the same, older opsets do. */
function quantised(node: Emission): void {
  const [opType, rule] = ruleOf(node)
  const { dtype } = node.attributes
  const attributes = attributesOf(node, opType, rule.attributes, ['dtype'])
  const told =
    opType === 'QuantizeLinear' ? (node.input(2) === '' ? 'u8' : node.type(node.input(2)).dtype) : node.type(node.input(1)).dtype
  if (dtype !== undefined && dtype !== told) {
    node.needs(ATTRIBUTE_SINCE.get(`${opType}.output_dtype`) ?? 0)
    attributes['output_dtype'] = { int: typeNamed(node, dtype) }
  }
  node.emit(opType, node.inputs, [node.output], attributes)
}

const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['conv2d', convolution],
  ['convTranspose2d', convolution],
  ['convInteger', windowed],
  ['qlinearConv', windowed],
  ['maxPool', windowed],
  ['averagePool', windowed],
  ['gemm', gemm],
  ['matmul', matmul],
  ['linear', linear],
  ['matmulInteger', matmulInteger],
  ['matmulNBits', matmulNBits],
  ['clip', clip],
  ['softmax', softmax],
  ['dropout', dropout],
  ['squeeze', squeezed],
  ['unsqueeze', squeezed],
  ['cast', cast],
  ['constantOfShape', constantOfShape],
  ['quantizeLinear', quantised],
  ['dequantizeLinear', quantised],
])
