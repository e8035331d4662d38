/** ONNX's node cases of quantised ops. */
import { nodeCaseTests } from '../conformance/onnx-node.ts'

const OPS = [
  'ConvInteger',
  'QLinearConv',
  'MatMulInteger',
  'QLinearMatMul',
  'QuantizeLinear',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
]

/** The `_expanded` cases spell an op out in others, some of which Tilewright does not have. */
const REFUSED = {
  test_dynamicquantizelinear_expanded: 'refused: ReduceMin',
  test_dynamicquantizelinear_min_adjusted_expanded: 'refused: ReduceMin',
}

nodeCaseTests(OPS, 17, REFUSED)
