/** All ops, by name: the one place where an op is registered. */
import { UnsupportedOpError } from '../errors.ts'
import { averagePool } from './average-pool/op.ts'
import { batchNorm } from './batch-norm/op.ts'
import { convInteger } from './conv-integer/op.ts'
import { convTranspose2d } from './conv-transpose2d/op.ts'
import { conv2d } from './conv2d/op.ts'
import { gemm } from './gemm/op.ts'
import { globalAveragePool } from './global-average-pool/op.ts'
import { globalMaxPool } from './global-max-pool/op.ts'
import { linear } from './linear/op.ts'
import { lrn } from './lrn/op.ts'
import { matmul } from './matmul/op.ts'
import { matmulInteger } from './matmul-integer/op.ts'
import { matmulNBits } from './matmul-nbits/op.ts'
import { sparseMatmul } from './sparse-matmul/op.ts'
import { maxPool } from './max-pool/op.ts'
import type { OpDefinition } from './op.ts'
import { add } from './add/op.ts'
import { cast } from './cast/op.ts'
import { clip } from './clip/op.ts'
import { concat } from './concat/op.ts'
import { constantOfShape } from './constant-of-shape/op.ts'
import { cscMatmul } from './csc-matmul/op.ts'
import { csrMatmul } from './csr-matmul/op.ts'
import { depthToSpace } from './depth-to-space/op.ts'
import { div } from './div/op.ts'
import { dequantizeLinear } from './dequantize-linear/op.ts'
import { dropout } from './dropout/op.ts'
import { dynamicQuantizeLinear } from './dynamic-quantize-linear/op.ts'
import { eieMatmul } from './eie-matmul/op.ts'
import { elu } from './elu/op.ts'
import { flatten } from './flatten/op.ts'
import { gather } from './gather/op.ts'
import { hardSigmoid } from './hard-sigmoid/op.ts'
import { hardSwish } from './hard-swish/op.ts'
import { identity } from './identity/op.ts'
import { leakyRelu } from './leaky-relu/op.ts'
import { maxout } from './maxout/op.ts'
import { mul } from './mul/op.ts'
import { pad } from './pad/op.ts'
import { place } from './place/op.ts'
import { prelu } from './prelu/op.ts'
import { qlinearConv } from './qlinear-conv/op.ts'
import { qlinearMatmul } from './qlinear-matmul/op.ts'
import { quantizeLinear } from './quantize-linear/op.ts'
import { relayout } from './relayout/op.ts'
import { relu } from './relu/op.ts'
import { reshape } from './reshape/op.ts'
import { runLengthDecode } from './run-length-decode/op.ts'
import { runLengthEncode } from './run-length-encode/op.ts'
import { shape } from './shape/op.ts'
import { sigmoid } from './sigmoid/op.ts'
import { slice } from './slice/op.ts'
import { softmax } from './softmax/op.ts'
import { spaceToDepth } from './space-to-depth/op.ts'
import { squeeze } from './squeeze/op.ts'
import { sub } from './sub/op.ts'
import { sum } from './sum/op.ts'
import { tanh } from './tanh/op.ts'
import { transpose } from './transpose/op.ts'
import { unsqueeze } from './unsqueeze/op.ts'

const DEFINITIONS: readonly OpDefinition[] = [
  conv2d,
  convTranspose2d,
  convInteger,
  qlinearConv,
  gemm,
  matmul,
  matmulInteger,
  qlinearMatmul,
  matmulNBits,
  csrMatmul,
  cscMatmul,
  eieMatmul,
  sparseMatmul,
  linear,
  maxPool,
  averagePool,
  globalMaxPool,
  globalAveragePool,
  lrn,
  batchNorm,
  softmax,
  relu,
  leakyRelu,
  prelu,
  elu,
  sigmoid,
  hardSigmoid,
  hardSwish,
  tanh,
  maxout,
  clip,
  add,
  sub,
  mul,
  div,
  sum,
  concat,
  slice,
  pad,
  flatten,
  reshape,
  squeeze,
  unsqueeze,
  transpose,
  relayout,
  place,
  depthToSpace,
  spaceToDepth,
  dropout,
  identity,
  constantOfShape,
  shape,
  gather,
  cast,
  quantizeLinear,
  dequantizeLinear,
  dynamicQuantizeLinear,
  runLengthEncode,
  runLengthDecode,
]

export const REGISTRY: ReadonlyMap<string, OpDefinition> = new Map(DEFINITIONS.map((definition) => [definition.name, definition]))

/** The op called `name`. @throws UnsupportedOpError. */
export function opNamed(name: string): OpDefinition {
  const definition = REGISTRY.get(name)
  if (definition !== undefined) return definition
  throw new UnsupportedOpError(`There is no op ${name}`, { op: name })
}
