/**
 * The ops that can be imported, one rule each: our op, its attributes, and what older forms need to become the newest one
 * (attributes that turned into inputs, ...). `since` is the first opset in which the rule's reading is right.
 * Definitions and their history: https://github.com/onnx/onnx/blob/main/docs/Changelog.md. From opset 24 to 28 these ops only
 * gained element types (which are refused by name), so models of those opsets are read too.
 */
import { float16Array } from '../../tensor/half.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { dtypeOf, onnxTypeName } from '../tensor-proto.ts'
import { CONV_ATTRIBUTES, type AttributeKind } from './attributes.ts'
import type { Conversion } from './convert.ts'
import { QUANTISED_RULES } from './quantised.ts'

export const OLDEST_OPSET = 8
export const NEWEST_OPSET = 28

export interface OpRule {
  /** The name in src/ops/registry.ts. */
  readonly op: string
  readonly since: number
  /** Fewest and most inputs. */
  readonly inputs: readonly [number, number]
  readonly attributes: Readonly<Record<string, AttributeKind>>
  /** Outputs that our op can make; default 1. */
  readonly outputs?: number
  /** Attributes that inference does not need, or that `convert` reads itself. */
  readonly other?: readonly string[]
  /** Instead of the plain renaming. */
  readonly convert?: (node: Conversion, rule: OpRule) => void
}

const POOL: OpRule['attributes'] = { auto_pad: 'string', ceil_mode: 'bool', kernel_shape: 'ints', pads: 'ints', strides: 'ints' }

function unary(op: string, attributes: OpRule['attributes'] = {}): OpRule {
  return { op, since: 1, inputs: [1, 1], attributes }
}

function binary(op: string): OpRule {
  return { op, since: 7, inputs: [2, 2], attributes: {} }
}

export const OP_TABLE: ReadonlyMap<string, OpRule> = new Map<string, OpRule>([
  [
    'Conv',
    {
      op: 'conv2d',
      since: 1,
      inputs: [2, 3],
      attributes: CONV_ATTRIBUTES,
      convert: conv,
    },
  ],
  [
    'ConvTranspose',
    {
      op: 'convTranspose2d',
      since: 1,
      inputs: [2, 3],
      attributes: { ...CONV_ATTRIBUTES, output_padding: 'ints', output_shape: 'ints' },
      convert: conv,
    },
  ],
  ['Gemm', { op: 'gemm', since: 7, inputs: [2, 3], attributes: { alpha: 'float', beta: 'float', transA: 'bool', transB: 'bool' } }],
  ['MatMul', { op: 'matmul', since: 1, inputs: [2, 2], attributes: {} }],
  [
    'MaxPool',
    {
      op: 'maxPool',
      since: 1,
      inputs: [1, 1],
      outputs: 2,
      attributes: { ...POOL, dilations: 'ints', storage_order: 'int' },
      convert: maxPool,
    },
  ],
  [
    'AveragePool',
    { op: 'averagePool', since: 1, inputs: [1, 1], attributes: { ...POOL, dilations: 'ints', count_include_pad: 'bool' } },
  ],
  ['GlobalAveragePool', unary('globalAveragePool')],
  ['GlobalMaxPool', unary('globalMaxPool')],
  ['LRN', unary('lrn', { alpha: 'float', beta: 'float', bias: 'float', size: 'int' })],
  [
    'BatchNormalization',
    {
      op: 'batchNorm',
      since: 7,
      inputs: [5, 5],
      attributes: { epsilon: 'float' },
      other: ['momentum', 'spatial', 'training_mode'],
      convert: batchNorm,
    },
  ],
  ['Relu', unary('relu')],
  ['LeakyRelu', unary('leakyRelu', { alpha: 'float' })],
  ['PRelu', { op: 'prelu', since: 7, inputs: [2, 2], attributes: {} }],
  ['Elu', unary('elu', { alpha: 'float' })],
  ['Sigmoid', unary('sigmoid')],
  ['HardSigmoid', unary('hardSigmoid', { alpha: 'float', beta: 'float' })],
  ['HardSwish', unary('hardSwish')],
  ['Tanh', unary('tanh')],
  ['Clip', { op: 'clip', since: 1, inputs: [1, 3], attributes: { min: 'float', max: 'float' }, convert: clip }],
  ['Add', binary('add')],
  ['Sub', binary('sub')],
  ['Mul', binary('mul')],
  ['Div', binary('div')],
  ['Sum', { op: 'sum', since: 1, inputs: [1, Infinity], attributes: {} }],
  ['Concat', { op: 'concat', since: 4, inputs: [1, Infinity], attributes: { axis: 'int' }, convert: concat }],
  ['Slice', { op: 'slice', since: 1, inputs: [1, 5], attributes: {}, other: ['starts', 'ends', 'axes'], convert: slice }],
  ['Pad', { op: 'pad', since: 2, inputs: [1, 4], attributes: { mode: 'string' }, other: ['pads', 'value'], convert: pad }],
  ['Flatten', unary('flatten', { axis: 'int' })],
  ['Reshape', { op: 'reshape', since: 5, inputs: [2, 2], attributes: { allowzero: 'bool' } }],
  ['Squeeze', { op: 'squeeze', since: 1, inputs: [1, 2], attributes: {}, other: ['axes'], convert: axesInput }],
  ['Unsqueeze', { op: 'unsqueeze', since: 1, inputs: [1, 2], attributes: {}, other: ['axes'], convert: axesInput }],
  ['Transpose', unary('transpose', { perm: 'ints' })],
  ['DepthToSpace', unary('depthToSpace', { blocksize: 'int', mode: 'string' })],
  ['SpaceToDepth', unary('spaceToDepth', { blocksize: 'int' })],
  ['Softmax', { op: 'softmax', since: 1, inputs: [1, 1], attributes: { axis: 'int' }, convert: softmax }],
  ['Dropout', { op: 'dropout', since: 7, inputs: [1, 3], outputs: 2, attributes: {}, other: ['ratio', 'seed'], convert: dropout }],
  ['Identity', unary('identity')],
  [
    'Constant',
    {
      op: 'constant',
      since: 1,
      inputs: [0, 0],
      attributes: {},
      other: ['value', 'value_float', 'value_floats', 'value_int', 'value_ints', 'value_string', 'value_strings', 'sparse_value'],
      convert: constant,
    },
  ],
  [
    'ConstantOfShape',
    { op: 'constantOfShape', since: 9, inputs: [1, 1], attributes: {}, other: ['value'], convert: constantOfShape },
  ],
  ['Shape', unary('shape', { start: 'int', end: 'int' })],
  ['Gather', { op: 'gather', since: 1, inputs: [2, 2], attributes: { axis: 'int' } }],
  ['Cast', { op: 'cast', since: 6, inputs: [1, 1], attributes: {}, other: ['to', 'saturate', 'round_mode'], convert: cast }],
  ...QUANTISED_RULES,
])

/** The plain case: same inputs, the first output, attributes under our names. */
export function rename(node: Conversion, rule: OpRule): void {
  node.emit(rule.op, node.inputs, [node.output], node.read(rule.attributes))
}

/** Convolutions over four axes and more are refused here where their weights or their kernel tell. */
function conv(node: Conversion, rule: OpRule): void {
  const attributes = node.read(rule.attributes)
  const axes = Array.isArray(attributes.kernel) ? attributes.kernel.length : (node.facts(1).rank ?? node.facts(0).rank ?? 2) - 2
  if (axes > 3) node.refuse(`convolutions over ${axes} axes are not supported`)
  node.emit(rule.op, node.inputs, [node.output], attributes)
}

/** The second output says where the maxima were. */
function maxPool(node: Conversion, rule: OpRule): void {
  const attributes = node.read(rule.attributes)
  const [output, indices = ''] = node.node.outputs
  if (!node.isUsed(1)) return node.emit(rule.op, node.inputs, [node.output], attributes)
  node.emit(rule.op, node.inputs, [output ?? '', indices], { ...attributes, indices: true })
}

function batchNorm(node: Conversion, rule: OpRule): void {
  if (node.attributes.int('spatial') === 0) node.refuse('attribute spatial = 0 (statistics per element) is not supported')
  if (node.attributes.int('training_mode')) node.refuse('attribute training_mode = 1: only inference is supported')
  rename(node, rule)
}

function concat(node: Conversion, rule: OpRule): void {
  if (!node.attributes.has('axis')) throw node.broken('Attribute axis is missing')
  rename(node, rule)
}

/** A scalar of the dtype of input 0, for values that were attributes. */
function scalarLikeInput(node: Conversion, value: number, what: string): HostTensor {
  const { dtype } = node.facts(0)
  if (dtype === 'f32') return new HostTensor('f32', [], Float32Array.of(value))
  if (dtype === 'f16') {
    const half = float16Array(1)
    half[0] = value
    return new HostTensor('f16', [], half)
  }
  return node.refuse(`attribute ${what} needs the dtype of the input, which is ${dtype ?? 'not known at import'}`)
}

function i64(values: readonly (number | bigint)[]): HostTensor {
  return new HostTensor(
    'i64',
    [values.length],
    BigInt64Array.from(values, (value) => BigInt(value)),
  )
}

/** min and max were attributes before opset 11; our op takes both forms. */
function clip(node: Conversion, rule: OpRule): void {
  if (node.opset < 11) return rename(node, rule)
  node.emit('clip', node.inputs, [node.output], {})
}

/** starts, ends and axes were attributes before opset 10. */
function slice(node: Conversion): void {
  if (node.opset >= 10) {
    if (node.inputs.length < 3) throw node.broken('Inputs starts and ends are missing')
    return node.emit('slice', node.inputs, [node.output], {})
  }
  const starts = node.attributes.bigints('starts')
  const ends = node.attributes.bigints('ends')
  if (starts === undefined || ends === undefined) throw node.broken('Attributes starts and ends are missing')
  const axes = node.attributes.bigints('axes')
  const inputs = [node.input(0), node.addConstant('starts', i64(starts)), node.addConstant('ends', i64(ends))]
  if (axes !== undefined) inputs.push(node.addConstant('axes', i64(axes)))
  node.emit('slice', inputs, [node.output], {})
}

/** pads and value were attributes before opset 11. */
function pad(node: Conversion, rule: OpRule): void {
  if (node.opset >= 11) {
    node.input(1)
    return rename(node, rule)
  }
  const pads = node.attributes.bigints('pads')
  if (pads === undefined) throw node.broken('Attribute pads is missing')
  const inputs = [node.input(0), node.addConstant('pads', i64(pads))]
  const value = node.attributes.float('value') ?? 0
  if (value !== 0) inputs.push(node.addConstant('value', scalarLikeInput(node, value, 'value')))
  node.emit('pad', inputs, [node.output], node.read(rule.attributes))
}

/** The axes of Squeeze and Unsqueeze were an attribute before opset 13. */
function axesInput(node: Conversion, rule: OpRule): void {
  if (node.opset >= 13) return node.emit(rule.op, node.inputs, [node.output], {})
  const axes = node.attributes.bigints('axes')
  if (axes === undefined && rule.op === 'unsqueeze') throw node.broken('Attribute axes is missing')
  const inputs = [node.input(0)]
  if (axes !== undefined) inputs.push(node.addConstant('axes', i64(axes)))
  node.emit(rule.op, inputs, [node.output], {})
}

/**
 * Before opset 13, Softmax saw its input as a matrix, rows being all axes before `axis` (default 1), and normalised whole rows.
 * Where `axis` is the last axis that is today's softmax.
 */
function softmax(node: Conversion, rule: OpRule): void {
  if (node.opset >= 13) return rename(node, rule)
  const axis = node.attributes.int('axis') ?? 1
  const { rank } = node.facts(0)
  const isLast = axis === -1 || (rank !== undefined && axis === rank - 1)
  node.emit('softmax', node.inputs, [node.output], isLast ? { axis: -1 } : { axis, legacy: true })
}

/** Inference: the identity. Training would be random; where training_mode is fed, the op looks at what it is fed. */
function dropout(node: Conversion): void {
  const [, ratio = '', training = ''] = node.node.inputs
  const isTraining = node.constant(2)?.values[0]
  if (isTraining !== undefined && isTraining !== 0) {
    const share = ratio === '' ? 0.5 : node.constant(1)?.values[0]
    if (share === undefined)
      node.refuse('input training_mode is true and input ratio is not known at import: only inference is supported')
    if (share !== 0) node.refuse('input training_mode is true: only inference is supported')
  }
  const inputs = training !== '' && isTraining === undefined ? node.inputs : [node.input(0)]
  if (!node.isUsed(1)) return node.emit('dropout', inputs, [node.output], {})
  if (node.opset < 10)
    node.refuse(`its output 1 ('${node.node.outputs[1]}'), a mask of floats, is used; masks came to be booleans in opset 10`)
  node.emit('dropout', inputs, [node.node.outputs[0] ?? '', node.node.outputs[1] ?? ''], { mask: true })
}

function constant(node: Conversion): void {
  const { attributes } = node
  const tensor = node.tensor('value')
  if (tensor !== undefined) return node.becomeConstant(tensor)
  for (const name of ['value_string', 'value_strings', 'sparse_value']) {
    if (attributes.has(name))
      node.refuse(`attribute ${name}: ${name.startsWith('sparse') ? 'sparse' : 'string'} tensors are not supported`)
  }
  const float = attributes.float('value_float')
  if (float !== undefined) return node.becomeConstant(new HostTensor('f32', [], Float32Array.of(float)))
  const floats = attributes.floats('value_floats')
  if (floats !== undefined) return node.becomeConstant(new HostTensor('f32', [floats.length], Float32Array.from(floats)))
  const integers = attributes.bigints('value_ints')
  if (integers !== undefined) return node.becomeConstant(i64(integers))
  const integer = attributes.int('value_int')
  if (integer !== undefined) return node.becomeConstant(new HostTensor('i64', [], BigInt64Array.of(BigInt(integer))))
  throw node.broken('The constant has no value')
}

function constantOfShape(node: Conversion): void {
  const tensor = node.tensor('value') ?? new HostTensor('f32', [1], new Float32Array(1))
  if (tensor.values.length !== 1) throw node.broken(`Attribute value should hold one element, but holds ${tensor.values.length}`)
  node.emit('constantOfShape', [node.input(0)], [node.output], { value: tensor.values[0], dtype: tensor.dtype })
}

function cast(node: Conversion): void {
  const type = node.attributes.int('to')
  if (type === undefined) throw node.broken('Attribute to is missing')
  const to = dtypeOf(type)
  if (to === null) return node.refuse(`a cast to ${onnxTypeName(type)} is not supported`)
  node.emit('cast', [node.input(0)], [node.output], { to })
}
