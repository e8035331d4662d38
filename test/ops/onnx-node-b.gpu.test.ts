import { nodeCaseTests } from '../conformance/onnx-node.ts'

const OPS = [
  ...[
    'Relu',
    'LeakyRelu',
    'PRelu',
    'Elu',
    'Sigmoid',
    'HardSigmoid',
    'HardSwish',
    'Tanh',
    'Clip',
    'Add',
    'Sub',
    'Mul',
    'Div',
    'Sum',
    'Concat',
    'Slice',
    'Pad',
    'Flatten',
  ],
  ...['Reshape', 'Squeeze', 'Unsqueeze', 'Transpose', 'DepthToSpace', 'SpaceToDepth', 'Dropout', 'Identity', 'Constant'],
  ...['ConstantOfShape', 'Shape', 'Gather', 'Cast'],
]

/** The `_expanded` cases spell an op out in others, some of which Tilewright does not have. */
const REFUSED = {
  test_relu_expanded_ver18: 'refused: Max',
  test_hardsigmoid_example_expanded_ver18: 'refused: CastLike',
  test_hardsigmoid_expanded_ver18: 'refused: CastLike',
  test_prelu_example_expanded: 'refused: Less',
  test_leakyrelu_default_expanded: 'refused: CastLike',
  test_leakyrelu_example_expanded: 'refused: CastLike',
  test_elu_expanded_ver18: 'refused: CastLike',
  test_elu_default_expanded_ver18: 'refused: CastLike',
  test_clip_example_expanded: 'refused: Less',
  test_clip_outbounds_expanded: 'refused: Less',
  test_clip_splitbounds_expanded: 'refused: Less',
  test_clip_min_greater_than_max_expanded: 'refused: Less',
  test_clip_default_min_expanded: 'refused: Less',
  test_clip_default_int8_min_expanded: 'refused: Less',
  test_clip_default_int8_max_expanded: 'refused: Less',
}

nodeCaseTests(OPS, 125, REFUSED)
