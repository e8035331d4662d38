/**
 * Values from their run-length code (src/ops/run-length-encode): a lane takes a word, prefix sums of lengths tell it where its values go.
 *
 *     words ─▶ lengths: values of each block ─▶ starts: where each block begins ─▶ values: into a tensor of zeros
 *
 * Inputs: words (u32, [w, 2], low half first), counts (u32, [2]: words that are coded, pairs; no more than w are read). Output: y of
 * `shape` and `dtype`. What the words do not hold is 0, what they hold past its end is dropped; the host coder throws there.
 */
import { z } from 'zod'
import joinBlocks from '../../../shaders/sparse/join_blocks.wgsl?raw'
import lengthsBody from '../../../shaders/sparse/run_length/lengths.wgsl?raw'
import putF16 from '../../../shaders/sparse/run_length/put_f16.wgsl?raw'
import putI32 from '../../../shaders/sparse/run_length/put_i32.wgsl?raw'
import startsBody from '../../../shaders/sparse/run_length/starts.wgsl?raw'
import sum from '../../../shaders/sparse/run_length/sum.wgsl?raw'
import valuesBody from '../../../shaders/sparse/run_length/values.wgsl?raw'
import wordBody from '../../../shaders/sparse/run_length/word.wgsl?raw'
import scan from '../../../shaders/sparse/scan.wgsl?raw'
import { runLengthDecode as decoded } from '../../cost/compression.ts'
import { ShapeError } from '../../errors.ts'
import type { OpPlan, TensorRef } from '../../gpu/program.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { HostTensor, tensor, type TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput, requireVector } from '../checks.ts'
import { fillDispatch } from '../movement/fill.ts'
import { inputRef, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { InferContext, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { numbersOf } from '../values.ts'

const OP = 'runLengthDecode'
const LANES = 128

const attributes = z.strictObject({
  /** Of the result: how many values there are is not in the code. */
  shape: z.array(z.number().int().nonnegative()),
  dtype: z.enum(['f16', 'i32']).default('f16'),
})
export type RunLengthDecodeAttributes = z.infer<typeof attributes>

/** @throws ShapeError, DtypeError where words or counts are none */
function infer({ inputs, attributes: { shape, dtype } }: InferContext<RunLengthDecodeAttributes>): TensorType[] {
  const words = requireInput(OP, inputs, 0, 'words')
  const counts = requireInput(OP, inputs, 1, 'counts')
  requireDType(OP, 'words', words, ['u32'])
  requireDType(OP, 'counts', counts, ['u32'])
  if (words.shape.length !== 2 || words.shape[1] !== 2) {
    throw new ShapeError('Input words are halves of 64-bit words, [words, 2]', { op: OP, shape: words.shape })
  }
  requireVector(OP, 'counts', counts, 2)
  const y: TensorType = { dtype, shape }
  requireIndexable(OP, y, words)
  return [y]
}

function reference(inputs: InputValues, { shape, dtype }: RunLengthDecodeAttributes): ReferenceOutput[] {
  const halves = numbersOf(requireInput(OP, inputs, 0, 'words'))
  const count = numbersOf(requireInput(OP, inputs, 1, 'counts'))[0] ?? 0
  const words = BigUint64Array.from({ length: Math.min(count, halves.length / 2) }, (_, index) => {
    return (BigInt(halves[2 * index + 1] ?? 0) << 32n) | BigInt(halves[2 * index] ?? 0)
  })
  const values = decoded(words, sizeOf(shape))
  if (dtype === 'i32') return [exactly(new HostTensor('i32', shape, Int32Array.from(values)))]
  return [exactly(tensor(Uint16Array.from(values), shape, 'f16'))]
}

function plan({ inputs, outputs }: PlanContext<RunLengthDecodeAttributes>): OpPlan {
  const words = requireInput(OP, inputs, 0, 'words')
  const y = requireInput(OP, outputs, 0, 'y')
  const isHalf = y.dtype === 'f16'
  const count = sizeOf(y.shape)
  const most = words.shape[0] ?? 0
  const blocks = count === 0 ? 0 : Math.ceil(most / LANES)
  const temp: TensorRef = { kind: 'temp', index: 0 }
  const workgroupSize = [LANES, 1, 1] as const
  const code = [
    { name: 'words', dtype: 'u32', access: 'read' },
    { name: 'counts', dtype: 'u32', access: 'read' },
  ] as const
  return planOf(
    `run-length code of ${count} values, a word a lane`,
    [
      fillDispatch(y, outputRef(), 0),
      {
        program: {
          name: 'run_length/lengths',
          body: [wordBody, sum, scan, lengthsBody].join('\n'),
          operands: [...code, { name: 'blocks', dtype: 'u32', access: 'write' }],
          params: { words: 'u32' },
          workgroupSize,
        },
        bind: [inputRef(0), inputRef(1), temp],
        params: { words: most },
        groups: blocks,
        cost: { flops: 0, bytes: 8 * most },
      },
      {
        program: {
          name: 'run_length/starts',
          body: [sum, scan, startsBody, joinBlocks].join('\n'),
          operands: [{ name: 'blocks', dtype: 'u32', access: 'read_write' }],
          params: { blocks: 'u32' },
          workgroupSize,
        },
        bind: [temp],
        params: { blocks },
        groups: Math.min(blocks, 1),
        cost: { flops: 0, bytes: 12 * blocks },
      },
      {
        program: {
          name: 'run_length/values',
          body: [wordBody, sum, scan, isHalf ? putF16 : putI32, valuesBody].join('\n'),
          operands: [
            ...code,
            { name: 'blocks', dtype: 'u32', access: 'read' },
            { name: 'y', dtype: y.dtype, access: 'write', ...(isHalf ? { raw: true } : {}) },
          ],
          params: { words: 'u32', count: 'u32' },
          workgroupSize,
        },
        bind: [inputRef(0), inputRef(1), temp, outputRef()],
        params: { words: most, count },
        groups: blocks,
        cost: { flops: 0, bytes: 8 * most + (isHalf ? 2 : 4) * count },
      },
    ],
    [{ dtype: 'u32', shape: [blocks] }],
  )
}

export const runLengthDecode: OpDefinition<RunLengthDecodeAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: () => 0,
}
