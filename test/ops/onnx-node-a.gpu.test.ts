import { nodeCaseTests } from '../conformance/onnx-node.ts'

const OPS = [
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'MaxPool',
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'LRN',
  'BatchNormalization',
  'Softmax',
]

const SOFTMAX_CASES = ['axis_1', 'default_axis', 'example', 'large_number', 'negative_axis']

/** Training is not supported; the `_expanded` cases spell softmax out in ops that Tilewright does not have. */
const REFUSED = {
  test_batchnorm_example_training_mode: 'refused: BatchNormalization',
  ...Object.fromEntries(
    SOFTMAX_CASES.flatMap((name) =>
      ['', '_ver18'].map((version) => [`test_softmax_${name}_expanded${version}`, 'refused: ReduceMax']),
    ),
  ),
}

nodeCaseTests(OPS, 75, REFUSED)
