/**
 * Dtypes and ranks of values, as far as they follow from the graph alone. Rewriting old opsets needs them (the value of an old Pad
 * has the dtype of its input; the old Softmax is today's where its axis is the last). Unknown stays unknown.
 */
import type { GraphNode } from '../../graph/graph.ts'
import type { GraphSketch, ValueFacts } from './convert.ts'
import { isDType } from '../../tensor/dtype.ts'

const SAME_RANK = new Set([
  ...[
    'conv2d',
    'convTranspose2d',
    'maxPool',
    'averagePool',
    'globalAveragePool',
    'globalMaxPool',
    'lrn',
    'batchNorm',
    'relu',
    'leakyRelu',
    'prelu',
  ],
  ...[
    'elu',
    'sigmoid',
    'hardSigmoid',
    'hardSwish',
    'tanh',
    'clip',
    'concat',
    'slice',
    'pad',
    'transpose',
    'depthToSpace',
    'spaceToDepth',
    'softmax',
    'dropout',
  ],
  ...['identity', 'cast', 'quantizeLinear', 'dequantizeLinear', 'dynamicQuantizeLinear', 'matmulNBits'],
])
const BROADCAST = new Set(['add', 'sub', 'mul', 'div', 'sum'])

/** Notes what is known of the outputs of `node`. What the file itself says (value_info) wins. */
export function noteFacts(node: GraphNode, sketch: GraphSketch): void {
  const output = node.outputs[0]
  if (output === undefined) return
  const inputs = node.inputs.map((name) => (name === null ? {} : (sketch.facts.get(name) ?? {})))
  const stated = sketch.facts.get(output) ?? {}
  const dtype = stated.dtype ?? dtypeOfOutput(node, inputs)
  const rank = stated.rank ?? rankOfOutput(node, inputs, sketch)
  sketch.facts.set(output, { dtype, rank })
}

function dtypeOfOutput(node: GraphNode, inputs: readonly ValueFacts[]): ValueFacts['dtype'] {
  if (node.op === 'shape') return 'i64'
  if (node.op === 'cast') return isDType(node.attributes.to) ? node.attributes.to : undefined
  if (node.op === 'constantOfShape') return isDType(node.attributes.dtype) ? node.attributes.dtype : undefined
  if (isDType(node.attributes.dtype)) return node.attributes.dtype
  switch (node.op) {
    case 'quantizeLinear':
      return node.inputs.length > 2 ? inputs[2]?.dtype : 'u8'
    case 'dequantizeLinear':
      return inputs[1]?.dtype
    case 'dynamicQuantizeLinear':
      return 'u8'
    case 'qlinearMatmul':
      return inputs[7]?.dtype
    case 'matmulInteger':
      return node.inputs.length > 4 ? (inputs[4]?.dtype ?? inputs[5]?.dtype) : 'i32'
    default:
      return inputs[0]?.dtype
  }
}

function rankOfOutput(node: GraphNode, inputs: readonly ValueFacts[], sketch: GraphSketch): number | undefined {
  const first = inputs[0]?.rank
  if (SAME_RANK.has(node.op)) return first
  if (BROADCAST.has(node.op)) return largest(inputs)
  const constant = (index: number): readonly number[] | undefined => sketch.constants.get(node.inputs[index] ?? '')?.shape
  switch (node.op) {
    case 'flatten':
    case 'gemm':
      return 2
    case 'shape':
      return 1
    case 'matmul':
    case 'matmulInteger':
      return inputs.every((facts) => (facts.rank ?? 0) >= 2) ? largest(inputs) : undefined
    case 'reshape':
      return constant(1)?.[0]
    case 'squeeze':
    case 'unsqueeze': {
      const count = constant(1)?.[0]
      if (first === undefined || count === undefined) return undefined
      return node.op === 'squeeze' ? first - count : first + count
    }
    case 'gather': {
      const indices = inputs[1]?.rank
      return first === undefined || indices === undefined ? undefined : first - 1 + indices
    }
    default:
      return undefined
  }
}

function largest(inputs: readonly ValueFacts[]): number | undefined {
  const ranks = inputs.map((facts) => facts.rank)
  return ranks.every((rank) => rank !== undefined) ? Math.max(...ranks) : undefined
}
