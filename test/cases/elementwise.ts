/** Cases of the elementwise ops: odd sizes, every rank, empty tensors, every kind of broadcasting, every dtype that kernels compute with. */
import type { OpDefinition } from '../../src/ops/op.ts'
import { add } from '../../src/ops/add/op.ts'
import { cast } from '../../src/ops/cast/op.ts'
import { clip } from '../../src/ops/clip/op.ts'
import { div } from '../../src/ops/div/op.ts'
import { elu } from '../../src/ops/elu/op.ts'
import { hardSigmoid } from '../../src/ops/hard-sigmoid/op.ts'
import { hardSwish } from '../../src/ops/hard-swish/op.ts'
import { leakyRelu } from '../../src/ops/leaky-relu/op.ts'
import { maxout } from '../../src/ops/maxout/op.ts'
import { mul } from '../../src/ops/mul/op.ts'
import { prelu } from '../../src/ops/prelu/op.ts'
import { relu } from '../../src/ops/relu/op.ts'
import { sigmoid } from '../../src/ops/sigmoid/op.ts'
import { sub } from '../../src/ops/sub/op.ts'
import { sum } from '../../src/ops/sum/op.ts'
import { tanh } from '../../src/ops/tanh/op.ts'
import { allocate, DTYPES, type DType } from '../../src/tensor/dtype.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import type { Case, CaseTable } from './case.ts'

const ON_DEVICE: readonly DType[] = ['f32', 'f16', 'i8', 'u8', 'i32', 'u32']
const SIGNED: readonly DType[] = ['f32', 'f16', 'i8', 'i32']

/** Where activations bend, saturate, cancel or overflow. */
const EDGES = [
  ...[
    0, -0, 1e-30, -1e-30, 1e-6, -1e-6, 1e-3, -1e-3, 0.1, -0.1, 0.5, -0.5, 0.999, -0.999, 1, -1, 1.001, -1.001, 2, -2, 5, -5, 9, -9,
  ],
  ...[16, -16, 40, -40, 80, -80, 88, -88, 89, -89, 100, -100, 1000, -1000, 65504, -65504, 1e30, -1e30, Infinity, -Infinity, NaN],
]

function edges(dtype: 'f32' | 'f16'): Case {
  return { name: 'edges', inputs: [[EDGES.length]], given: { 0: tensor(EDGES, [EDGES.length], dtype) }, dtypes: [dtype] }
}

function unary(definition: OpDefinition, dtypes: readonly DType[], more: readonly Case[] = []): CaseTable {
  const shapes = [[], [1], [257], [3, 5, 7, 11], [2, 1, 3, 1, 2, 3], [0], [3, 0, 2]]
  return {
    definition,
    cases: [
      ...shapes.map((shape): Case => ({ name: `[${shape.join(', ')}]`, inputs: [shape], dtypes })),
      { name: 'special values', inputs: [[400]], data: 'special' },
      edges('f32'),
      edges('f16'),
      ...more,
    ],
  }
}

export const UNARY: readonly CaseTable[] = [
  unary(relu, SIGNED),
  unary(leakyRelu, ['f32', 'f16'], [{ name: 'alpha', inputs: [[99]], attributes: { alpha: -2.5 } }]),
  unary(elu, ['f32', 'f16'], [{ name: 'alpha', inputs: [[99]], attributes: { alpha: 2 } }]),
  unary(sigmoid, ['f32', 'f16']),
  unary(tanh, ['f32', 'f16']),
  unary(hardSigmoid, ['f32', 'f16'], [{ name: 'slope', inputs: [[99]], attributes: { alpha: -1.5, beta: 0.25 } }]),
  unary(
    hardSwish,
    ['f32', 'f16'],
    [{ name: 'bends', inputs: [[6]], given: { 0: tensor([-3.0001, -3, -2.9999, 2.9999, 3, 3.0001]) } }],
  ),
]

function bounds(dtype: DType, low: number | null, high: number | null): Pick<Case, 'inputs' | 'given' | 'dtypes'> {
  const given: Record<number, HostTensor> = {}
  if (low !== null) given[1] = tensor([low], [], dtype)
  if (high !== null) given[2] = tensor([high], [1], dtype)
  return { inputs: [[501], low === null ? null : [], high === null ? null : [1]], given, dtypes: [dtype] }
}

export const CLIP: CaseTable = {
  definition: clip,
  cases: [
    ...(['f32', 'f16', 'i8', 'i32'] as const).flatMap((dtype): Case[] => [
      { name: 'both bounds', ...bounds(dtype, -1, 3) },
      { name: 'low alone', ...bounds(dtype, -3, null) },
      { name: 'high alone', ...bounds(dtype, null, 2) },
      { name: 'none', ...bounds(dtype, null, null) },
      { name: 'low above high', ...bounds(dtype, 5, -5) },
    ]),
    ...(['u8', 'u32'] as const).flatMap((dtype): Case[] => [
      { name: 'both bounds', ...bounds(dtype, 10, 200) },
      { name: 'low above high', ...bounds(dtype, 200, 100) },
      { name: 'high alone', ...bounds(dtype, null, 77) },
    ]),
    { name: 'the ends of i32', ...bounds('i32', -(2 ** 31), 2 ** 31 - 1) },
    { name: 'attributes', inputs: [[3, 41]], attributes: { min: -0.25, max: 0.5 } },
    { name: 'an infinite attribute', inputs: [[41]], data: 'special', attributes: { min: -Infinity, max: 6 } },
    { name: 'special values', data: 'special', ...bounds('f32', -2, 6) },
    { name: 'a bound that is NaN', data: 'special', ...bounds('f32', NaN, 6) },
    { name: 'empty', inputs: [[2, 0]], attributes: { min: 0 } },
  ],
}

const BROADCASTS: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[], []],
  [[257], [257]],
  [[3, 5, 7], []],
  [[], [3, 5, 7]],
  [[3, 5, 7], [7]],
  [
    [3, 5, 7],
    [5, 1],
  ],
  [
    [5, 1],
    [3, 5, 7],
  ],
  [
    [3, 1, 7],
    [1, 5, 1],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 1],
  ],
  [
    [4, 1],
    [1, 6],
  ],
  [
    [2, 1, 3, 1, 2, 1],
    [1, 2, 1, 3, 1, 2],
  ],
  [
    [2, 1, 2, 1, 2, 1, 2, 1],
    [1, 2, 1, 2, 1, 2, 1, 2],
  ],
  [
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 3],
    [2, 1],
  ],
  [[0, 3], [3]],
  [[1], [0]],
]

function binary(definition: OpDefinition, dtypes: readonly DType[], more: readonly Case[] = []): CaseTable {
  return {
    definition,
    cases: [
      ...BROADCASTS.map(([a, b]): Case => ({ name: `[${a.join(', ')}] and [${b.join(', ')}]`, inputs: [a, b], dtypes: ['f32'] })),
      {
        name: 'every dtype',
        inputs: [
          [7, 1, 37],
          [5, 1],
        ],
        dtypes,
      },
      { name: 'small integers', inputs: [[3, 100], [100]], data: 'integers', dtypes: ['i32', 'i8'] },
      {
        name: 'special values',
        inputs: [
          [20, 30],
          [20, 30],
        ],
        data: 'special',
      },
      ...more,
    ],
  }
}

export const BINARY: readonly CaseTable[] = [
  binary(add, ON_DEVICE),
  binary(sub, ON_DEVICE),
  binary(mul, ON_DEVICE),
  binary(div, ON_DEVICE, [
    {
      name: 'integers by 0 and -1',
      inputs: [[4], [4]],
      given: { 0: tensor([7, -7, -(2 ** 31), 5], [4], 'i32'), 1: tensor([0, 2, -1, -2], [4], 'i32') },
      dtypes: ['i32'],
    },
    {
      name: 'bytes by 0 and -1',
      inputs: [[3], [3]],
      given: { 0: tensor([7, -128, -7], [3], 'i8'), 1: tensor([0, -1, 2], [3], 'i8') },
      dtypes: ['i8'],
    },
  ]),
]

export const PRELU: CaseTable = {
  definition: prelu,
  cases: [
    {
      name: 'a slope per channel',
      inputs: [
        [2, 3, 5, 7],
        [3, 1, 1],
      ],
      dtypes: ['f32', 'f16', 'i32', 'u32'],
    },
    { name: 'one slope', inputs: [[2, 3, 5], []] },
    {
      name: 'a slope for each element',
      inputs: [
        [3, 5],
        [3, 5],
      ],
    },
    { name: 'a slope per column', inputs: [[3, 5], [5]] },
    { name: 'empty', inputs: [[0, 5], [5]] },
    { name: 'special values', data: 'special', inputs: [[40, 5], [5]] },
  ],
}

export const SUM: CaseTable = {
  definition: sum,
  cases: [
    { name: 'one', inputs: [[3, 4]] },
    { name: 'two', inputs: [[3, 4], [4]], dtypes: ON_DEVICE },
    { name: 'three', inputs: [[3, 1], [4], [2, 3, 4]], dtypes: ON_DEVICE },
    { name: 'four that broadcast to what none of them is', inputs: [[3, 1, 1], [4, 1], [5], []] },
    { name: 'twelve', inputs: Array.from({ length: 12 }, () => [3, 33]), dtypes: ['f32', 'f16', 'i8'] },
    { name: 'empty', inputs: [[0, 3], [1, 3], [3]] },
    { name: 'integers', inputs: [[50, 3], [3], [50, 1]], data: 'integers' },
    { name: 'special values', inputs: [[20, 20], [20, 20], [20]], data: 'special' },
  ],
}

export const MAXOUT: CaseTable = {
  definition: maxout,
  cases: [
    { name: 'planes', inputs: [[2, 15, 5, 7]], attributes: { pool: 3 }, dtypes: ON_DEVICE },
    { name: 'vectors', inputs: [[3, 10]], attributes: { pool: 5 } },
    { name: 'all channels', inputs: [[1, 7, 3]], attributes: { pool: 7 } },
    { name: 'pools of one', inputs: [[2, 3, 4]], attributes: { pool: 1 } },
    { name: 'empty', inputs: [[0, 4, 3]], attributes: { pool: 2 } },
    { name: 'special values', inputs: [[2, 24, 31]], attributes: { pool: 2 }, data: 'special' },
  ],
}

/** Values whose casts differ: fractions, halves, the ends of each range and beyond, NaN. */
const CASTS = [
  ...[0, -0, 0.4, -0.4, 0.5, 1, -1, 1.5, -1.5, 2.9, -2.9, 100, -100, 127, 128, -128, -129, 200, 255, 256, 300, -300, 65504, 70000],
  ...[
    2 ** 24 + 2,
    2 ** 31 - 128,
    2 ** 31,
    -(2 ** 31),
    3e9,
    2 ** 32 - 256,
    2 ** 32,
    1e10,
    -1e10,
    2 ** 40 + 2 ** 20,
    9e18,
    1e19,
    -1e19,
    1e30,
  ],
  ...[Infinity, -Infinity, NaN],
]
const WIDE = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  255n,
  256n,
  -129n,
  2n ** 24n + 1n,
  -(2n ** 24n) - 1n,
  2n ** 31n,
  -(2n ** 31n),
  2n ** 32n,
  2n ** 32n + 5n,
]
const WIDER = [
  -(2n ** 32n),
  2n ** 33n + 2n ** 9n + 1n,
  2n ** 40n,
  -(2n ** 52n),
  2n ** 53n,
  2n ** 62n,
  -(2n ** 63n),
  2n ** 63n - 2n ** 40n,
]

/** Values taken modulo the width of an integer dtype, as its typed array takes them. */
function wrapped(dtype: DType, values: readonly number[]): ArrayLike<number> {
  if (dtype === 'bool') return values
  const array = allocate(dtype, values.length) as Int32Array
  array.set(values)
  return array
}

function castsFrom(dtype: DType): Case[] {
  const wide = [...WIDE, ...WIDER]
  const floats = dtype === 'f32' || dtype === 'f16'
  const edge = floats
    ? tensor(CASTS, [CASTS.length], dtype)
    : tensor(dtype === 'i64' ? wide : wrapped(dtype, wide.map(Number)), [wide.length], dtype)
  return DTYPES.flatMap((to): Case[] => [
    { name: `edges to ${to}`, inputs: [edge.shape], given: { 0: edge }, attributes: { to }, dtypes: [dtype] },
    { name: `to ${to}`, inputs: [[3, 5, 19]], attributes: { to }, dtypes: [dtype] },
  ])
}

export const CAST: CaseTable = {
  definition: cast,
  cases: [...DTYPES.flatMap(castsFrom), { name: 'empty', inputs: [[0, 3]], attributes: { to: 'i32' }, dtypes: ['f32'] }],
}
