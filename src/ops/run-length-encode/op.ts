/**
 * Run-length code of activations as the Eyeriss chip makes it (src/cost/compression.ts has the words): a tensor on its way to memory,
 * without its zeros. Eyeriss codes value after value; here lanes take 32 values each, and prefix sums tell each where its pairs go:
 *
 *     x ─▶ masks: a bit a value ─▶ count: what lies before each block, words ─▶ pairs: run and value ─▶ pack: three a word
 *
 * Inputs: x (f16: its bits, a zero of either sign is 0; i32: numbers of 16 bits, others saturate). Outputs: words (u32,
 * [⌈n/3⌉, 2], low half first: the size that n values without a zero take, zeros past the last word), counts (u32, [2]: words, pairs).
 */
import { z } from 'zod'
import joinBlocks from '../../../shaders/sparse/join_blocks.wgsl?raw'
import countBody from '../../../shaders/sparse/run_length/count.wgsl?raw'
import masksBody from '../../../shaders/sparse/run_length/masks.wgsl?raw'
import packBody from '../../../shaders/sparse/run_length/pack.wgsl?raw'
import pairsBody from '../../../shaders/sparse/run_length/pairs.wgsl?raw'
import stretch from '../../../shaders/sparse/run_length/stretch.wgsl?raw'
import valueF16 from '../../../shaders/sparse/run_length/value_f16.wgsl?raw'
import valueI32 from '../../../shaders/sparse/run_length/value_i32.wgsl?raw'
import scan from '../../../shaders/sparse/scan.wgsl?raw'
import { PAIRS, runLengthEncode as encoded, runLengthPairs } from '../../cost/compression.ts'
import type { OpPlan, TensorRef } from '../../gpu/program.ts'
import { halfBits, isFloat16Array } from '../../tensor/half.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { HostTensor, type TensorType } from '../../tensor/tensor.ts'
import { requireDType, requireIndexable, requireInput } from '../checks.ts'
import { inputRef, outputRef, planOf } from '../movement/linear.ts'
import { exactly } from '../movement/reference.ts'
import type { InferContext, InputValues, OpDefinition, PlanContext, ReferenceOutput } from '../op.ts'
import { numbersOf } from '../values.ts'

const OP = 'runLengthEncode'
const LANES = 128
/** Values that a lane takes: the bits of a word of masks. */
const EACH = 32

const attributes = z.strictObject({})
type EncodeAttributes = z.infer<typeof attributes>

/** Words that `count` values take where none is zero. */
function mostWords(count: number): number {
  return Math.ceil(count / PAIRS)
}

/** @throws DtypeError unless x is f16 or i32 */
function infer({ inputs }: InferContext<EncodeAttributes>): TensorType[] {
  const x = requireInput(OP, inputs, 0, 'x')
  requireDType(OP, 'x', x, ['f16', 'i32'])
  requireIndexable(OP, x)
  return [
    { dtype: 'u32', shape: [mostWords(sizeOf(x.shape)), 2] },
    { dtype: 'u32', shape: [2] },
  ]
}

/** The numbers of 16 bits that a tensor's values are coded as: bits of halves, else saturated. */
export function codedValues(x: HostTensor): ArrayLike<number> {
  if (isFloat16Array(x.values)) return halfBits(x.values).map((bits) => (bits === 0x8000 ? 0 : bits))
  return Int16Array.from(numbersOf(x), (value) => Math.min(Math.max(value, -(2 ** 15)), 2 ** 15 - 1))
}

function reference(inputs: InputValues): ReferenceOutput[] {
  const values = codedValues(requireInput(OP, inputs, 0, 'x'))
  const code = encoded(values)
  const words = new Uint32Array(2 * mostWords(values.length))
  for (const [index, word] of code.entries()) {
    words[2 * index] = Number(BigInt.asUintN(32, word))
    words[2 * index + 1] = Number(word >> 32n)
  }
  return [
    exactly(new HostTensor('u32', [words.length / 2, 2], words)),
    exactly(new HostTensor('u32', [2], Uint32Array.of(code.length, runLengthPairs(values)))),
  ]
}

function plan({ inputs }: PlanContext<EncodeAttributes>): OpPlan {
  const x = requireInput(OP, inputs, 0, 'x')
  const isHalf = x.dtype === 'f16'
  const value = isHalf ? valueF16 : valueI32
  const count = sizeOf(x.shape)
  const masks = Math.ceil(count / EACH)
  const blocks = Math.ceil(masks / LANES)
  const words = mostWords(count)
  const temp = (index: number): TensorRef => ({ kind: 'temp', index })
  const source = { name: 'x', dtype: x.dtype, access: 'read', ...(isHalf ? { raw: true } : {}) } as const
  const workgroupSize = [LANES, 1, 1] as const
  const bytes = (isHalf ? 2 : 4) * count
  return planOf(
    `run-length code of ${count} values, ${EACH} a lane`,
    [
      {
        program: {
          name: 'run_length/masks',
          body: [stretch, scan, value, masksBody].join('\n'),
          operands: [source, { name: 'masks', dtype: 'u32', access: 'write' }, { name: 'blocks', dtype: 'u32', access: 'write' }],
          params: { count: 'u32', masks: 'u32' },
          workgroupSize,
        },
        bind: [inputRef(0), temp(0), temp(1)],
        params: { count, masks },
        groups: blocks,
        cost: { flops: count, bytes: bytes + 4 * masks },
      },
      {
        program: {
          name: 'run_length/count',
          body: [stretch, scan, countBody, joinBlocks].join('\n'),
          operands: [
            { name: 'blocks', dtype: 'u32', access: 'read_write' },
            { name: 'counts', dtype: 'u32', access: 'write' },
          ],
          params: { blocks: 'u32', past_end: 'u32' },
          workgroupSize,
        },
        bind: [temp(1), outputRef(1)],
        params: { blocks, past_end: EACH * LANES * blocks - count },
        groups: 1,
        cost: { flops: 0, bytes: 36 * blocks },
      },
      {
        program: {
          name: 'run_length/pairs',
          body: [stretch, scan, value, pairsBody].join('\n'),
          operands: [
            source,
            { name: 'masks', dtype: 'u32', access: 'read' },
            { name: 'blocks', dtype: 'u32', access: 'read' },
            { name: 'pairs', dtype: 'u32', access: 'write' },
          ],
          params: { count: 'u32', masks: 'u32' },
          workgroupSize,
        },
        bind: [inputRef(0), temp(0), temp(1), temp(2)],
        params: { count, masks },
        groups: blocks,
        cost: { flops: count, bytes: bytes + 4 * masks + 4 * count },
      },
      {
        program: {
          name: 'run_length/pack',
          body: packBody,
          operands: [
            { name: 'pairs', dtype: 'u32', access: 'read' },
            { name: 'counts', dtype: 'u32', access: 'read' },
            { name: 'words', dtype: 'u32', access: 'write' },
          ],
          params: { count: 'u32', pairs: 'u32' },
          workgroupSize,
        },
        bind: [temp(2), outputRef(1), outputRef(0)],
        params: { count: words, pairs: count },
        groups: Math.ceil(words / LANES),
        cost: { flops: 0, bytes: 4 * count + 8 * words },
      },
    ],
    [
      { dtype: 'u32', shape: [masks] },
      { dtype: 'u32', shape: [blocks, 3] },
      { dtype: 'u32', shape: [count] },
    ],
  )
}

export const runLengthEncode: OpDefinition<EncodeAttributes> = {
  name: OP,
  attributes,
  hostInputs: [],
  infer,
  reference,
  plan,
  flops: () => 0,
}
