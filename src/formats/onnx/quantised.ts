/**
 * Quantised ops: those of ONNX itself, and those of com.microsoft that ONNX Runtime's quantisers write. Definitions of the latter:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
 */
import { dtypeOf, onnxTypeName } from '../tensor-proto.ts'
import { CONV_ATTRIBUTES } from './attributes.ts'
import type { Conversion } from './convert.ts'
import type { OpRule } from './table.ts'

export const QUANTISED_RULES: readonly (readonly [string, OpRule])[] = [
  ['MatMulInteger', { op: 'matmulInteger', since: 10, inputs: [2, 4], attributes: {} }],
  ['ConvInteger', { op: 'convInteger', since: 10, inputs: [2, 4], attributes: CONV_ATTRIBUTES }],
  ['QLinearConv', { op: 'qlinearConv', since: 10, inputs: [8, 9], attributes: CONV_ATTRIBUTES }],
  ['QLinearMatMul', { op: 'qlinearMatmul', since: 10, inputs: [8, 8], attributes: {} }],
  [
    'QuantizeLinear',
    {
      op: 'quantizeLinear',
      since: 10,
      inputs: [2, 3],
      attributes: { axis: 'int', block_size: 'int' },
      // `saturate` speaks of 8-bit floats; the division is in f32 whatever `precision` asks for.
      other: ['output_dtype', 'saturate', 'precision'],
      convert: withDtype,
    },
  ],
  [
    'DequantizeLinear',
    {
      op: 'dequantizeLinear',
      since: 10,
      inputs: [2, 3],
      attributes: { axis: 'int', block_size: 'int' },
      other: ['output_dtype'],
      convert: withDtype,
    },
  ],
  [
    'DynamicQuantizeLinear',
    { op: 'dynamicQuantizeLinear', since: 11, inputs: [1, 1], outputs: 3, attributes: {}, convert: dynamic },
  ],
]

/** Ops of domain com.microsoft. */
export const MICROSOFT_TABLE: ReadonlyMap<string, OpRule> = new Map<string, OpRule>([
  ['MatMulIntegerToFloat', { op: 'matmulInteger', since: 1, inputs: [4, 7], attributes: {}, convert: integerToFloat }],
  [
    'MatMulNBits',
    {
      op: 'matmulNBits',
      since: 1,
      inputs: [3, 6],
      attributes: { K: 'int', N: 'int', bits: 'int', block_size: 'int', accuracy_level: 'int' },
      other: ['weight_prepacked'],
      convert: nbits,
    },
  ],
])

/** `output_dtype` says the dtype of the result; 0 leaves it to the inputs. */
function withDtype(node: Conversion, rule: OpRule): void {
  const type = node.attributes.int('output_dtype') ?? 0
  const dtype = type === 0 ? undefined : dtypeOf(type)
  if (dtype === null) node.refuse(`attribute output_dtype: ${onnxTypeName(type)} is not supported`)
  node.emit(rule.op, node.inputs, [node.output], { ...node.read(rule.attributes), ...(dtype === undefined ? {} : { dtype }) })
}

function dynamic(node: Conversion): void {
  const outputs = node.node.outputs.slice(0, 3)
  if (outputs.length < 3 || outputs.includes('')) throw node.broken('The op has three outputs, all required')
  node.emit('dynamicQuantizeLinear', [node.input(0)], outputs, {})
}

/** A, B, scale of A, scale of B, zero point of A, zero point of B, bias: ours has zero points first. */
function integerToFloat(node: Conversion): void {
  const [a, b, aScale, bScale, aZero = null, bZero = null, bias = null] = node.inputs
  const inputs = [a ?? null, b ?? null, aZero, bZero, aScale ?? null, bScale ?? null, bias]
  while (inputs.at(-1) === null) inputs.pop()
  node.emit('matmulInteger', inputs, [node.output], {})
}

/** Input 4 reorders the depth (g_idx of GPTQ with act-order); the bias is input 5. */
function nbits(node: Conversion, rule: OpRule): void {
  const [a = null, b = null, scales = null, zeros = null, order = null, bias = null] = node.inputs
  if (order !== null) node.refuse('input g_idx (groups in any order) is not supported')
  if ((node.attributes.int('weight_prepacked') ?? 0) !== 0)
    node.refuse("attribute weight_prepacked: weights in a runtime's own order")
  const inputs = [a, b, scales, zeros, bias]
  while (inputs.at(-1) === null) inputs.pop()
  node.emit(rule.op, inputs, [node.output], node.read(rule.attributes))
}
