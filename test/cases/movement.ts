/** Cases of data movement: every dtype, odd sizes, up to eight axes, empty tensors, negative steps and pads. */
import { concat } from '../../src/ops/concat/op.ts'
import { constantOfShape } from '../../src/ops/constant-of-shape/op.ts'
import { depthToSpace } from '../../src/ops/depth-to-space/op.ts'
import { dropout } from '../../src/ops/dropout/op.ts'
import { flatten } from '../../src/ops/flatten/op.ts'
import { gather } from '../../src/ops/gather/op.ts'
import { identity } from '../../src/ops/identity/op.ts'
import { pad } from '../../src/ops/pad/op.ts'
import { PAD_MODES } from '../../src/ops/pad/rule.ts'
import { reshape } from '../../src/ops/reshape/op.ts'
import { shape as shapeOp } from '../../src/ops/shape/op.ts'
import { slice } from '../../src/ops/slice/op.ts'
import { spaceToDepth } from '../../src/ops/space-to-depth/op.ts'
import { squeeze } from '../../src/ops/squeeze/op.ts'
import { transpose } from '../../src/ops/transpose/op.ts'
import { unsqueeze } from '../../src/ops/unsqueeze/op.ts'
import { DTYPES, type DType } from '../../src/tensor/dtype.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import type { Case, CaseTable } from './case.ts'

const F32: readonly DType[] = ['f32']

/** A host input. */
export function list(...values: readonly number[]): HostTensor {
  return tensor(values, [values.length], 'i64')
}

/** The shapes of host inputs, null where absent, with their values. */
function given(x: readonly number[], ...values: readonly (HostTensor | null)[]): Pick<Case, 'inputs' | 'given'> {
  const stated: Record<number, HostTensor> = {}
  values.forEach((value, index) => {
    if (value !== null) stated[index + 1] = value
  })
  return { inputs: [x, ...values.map((value) => value?.shape ?? null)], given: stated }
}

export const TRANSPOSE: CaseTable = {
  definition: transpose,
  cases: [
    { name: 'reversed', inputs: [[5, 7, 11]], dtypes: DTYPES },
    ...[
      [0, 2, 1],
      [1, 0, 2],
      [2, 0, 1],
      [1, 2, 0],
      [0, 1, 2],
    ].map((perm): Case => ({ name: `perm ${perm.join(', ')}`, inputs: [[5, 7, 11]], attributes: { perm }, dtypes: F32 })),
    { name: 'scalar', inputs: [[]], dtypes: F32 },
    { name: 'vector', inputs: [[9]], dtypes: F32 },
    { name: 'channels last', inputs: [[2, 3, 5, 7]], attributes: { perm: [0, 2, 3, 1] } },
    { name: 'only axes of extent 1 move', inputs: [[3, 1, 5, 1]], attributes: { perm: [1, 0, 3, 2] }, dtypes: F32 },
    {
      name: 'eight axes',
      inputs: [[2, 3, 2, 3, 2, 3, 2, 2]],
      attributes: { perm: [7, 2, 5, 0, 4, 1, 6, 3] },
      dtypes: ['f32', 'i64'],
    },
    { name: 'ten axes, of which four matter', inputs: [[2, 1, 3, 1, 1, 2, 1, 1, 2, 1]], dtypes: F32 },
    { name: 'empty', inputs: [[3, 0, 2]], dtypes: F32 },
    { name: 'special values', inputs: [[17, 19]], data: 'special' },
  ],
}

export const SLICE: CaseTable = {
  definition: slice,
  cases: [
    { name: 'a window', ...given([20, 10, 5], list(0, 0), list(3, 10), list(0, 1), list(1, 1)), dtypes: DTYPES },
    { name: 'default axes and steps', ...given([20, 10, 5], list(0, 0, 3), list(20, 10, 4)), dtypes: F32 },
    { name: 'past the end', ...given([20, 10, 5], list(1), list(1000), list(1)), dtypes: F32 },
    { name: 'from past the end', ...given([20, 10, 5], list(1000), list(1000), list(1)), dtypes: F32 },
    { name: 'the last', ...given([20, 10, 5], list(0, -1), list(-1, 2 ** 40), list(0, 1)), dtypes: F32 },
    {
      name: 'backwards',
      ...given([20, 10, 5], list(20, 10, 4), list(0, 0, 1), list(0, 1, 2), list(-1, -3, -2)),
      dtypes: ['f32', 'i64', 'u8'],
    },
    { name: 'all of it backwards', ...given([7], list(-1), list(-(2 ** 62)), list(0), list(-1)), dtypes: F32 },
    { name: 'far steps', ...given([50, 3], list(1), list(50), list(0), list(17)), dtypes: F32 },
    { name: 'negative axes', ...given([20, 10, 5], list(1, 2), list(4, 5), list(-1, -3)), dtypes: F32 },
    { name: 'i32 indices', ...given([9], tensor([2], [1], 'i32'), tensor([5], [1], 'i32')), dtypes: F32 },
    { name: 'all', ...given([3, 4], list(0), list(3)), dtypes: F32 },
    { name: 'empty axis', ...given([0, 4], list(-1), list(5), list(0), list(-1)), dtypes: F32 },
    {
      name: 'eight axes backwards',
      ...given([2, 2, 3, 2, 2, 2, 2, 3], list(-1, -1), list(-9, -9), list(2, 7), list(-1, -1)),
      dtypes: F32,
    },
  ],
}

export const PAD: CaseTable = {
  definition: pad,
  cases: [
    ...PAD_MODES.flatMap((mode): Case[] => [
      { name: `${mode}, every dtype`, ...given([3, 4, 5], list(0, 1, 2, 2, 0, 3)), attributes: { mode }, dtypes: DTYPES },
      { name: `${mode}, cropped`, ...given([5, 6, 7], list(-1, 2, -3, 2, -1, 1)), attributes: { mode }, dtypes: F32 },
      { name: `${mode}, wider than the input`, ...given([3, 2], list(7, 5, 4, 6)), attributes: { mode }, dtypes: F32 },
      { name: `${mode}, an axis of 1`, ...given([2, 1], list(0, 2, 0, 3)), attributes: { mode }, dtypes: F32 },
      {
        name: `${mode}, eight axes`,
        ...given([2, 1, 3, 2, 1, 2, 3, 2], list(...[1, 0, 0, 1, 0, 1, 0, 0], ...[0, 1, 1, 0, 1, 0, 0, 1])),
        attributes: { mode },
        dtypes: F32,
      },
    ]),
    { name: 'a value', ...given([3, 4], list(1, 1, 1, 1), tensor([-2.5], [])), dtypes: F32 },
    { name: 'a value that is NaN', ...given([3, 4], list(1, 1, 1, 1), tensor([NaN], [1])), dtypes: F32 },
    { name: 'an infinite half', ...given([3], list(1, 2), tensor([-Infinity], [], 'f16')), dtypes: ['f16'] },
    { name: 'a wide value', ...given([3], list(1, 2), tensor([-(2 ** 40)], [], 'i64')), dtypes: ['i64'] },
    { name: 'a byte', ...given([3], list(1, 2), tensor([-7], [], 'i8')), dtypes: ['i8'] },
    { name: 'axes', ...given([3, 4, 5], list(1, 2, 0, 3), null, list(-1, 0)), dtypes: F32 },
    { name: 'nothing', ...given([3, 4], list(0, 0, 0, 0)), dtypes: F32 },
    {
      name: 'ten axes, two of them padded',
      ...given([2, 2, 2, 1, 2, 1, 2, 1, 2, 2], list(1, 1, 2, 2), null, list(3, 8)),
      dtypes: F32,
    },
    { name: 'an empty input', ...given([0, 2], list(1, 1, 1, 1), tensor([3], [])), dtypes: F32 },
    { name: 'an empty result', ...given([3, 2], list(-3, 0, 0, 1)), dtypes: F32 },
    { name: 'a scalar', ...given([], list()), dtypes: F32 },
  ],
}

export const CONCAT: CaseTable = {
  definition: concat,
  cases: [
    {
      name: 'axis 1',
      inputs: [
        [2, 3, 5],
        [2, 4, 5],
        [2, 1, 5],
      ],
      attributes: { axis: 1 },
      dtypes: DTYPES,
    },
    {
      name: 'axis 0',
      inputs: [
        [2, 3],
        [5, 3],
      ],
      attributes: { axis: 0 },
      dtypes: F32,
    },
    {
      name: 'last axis',
      inputs: [
        [2, 3, 5],
        [2, 3, 7],
      ],
      attributes: { axis: -1 },
      dtypes: F32,
    },
    { name: 'vectors', inputs: [[3], [1], [4]], attributes: { axis: 0 }, dtypes: ['f32', 'i64'] },
    { name: 'one', inputs: [[2, 3]], attributes: { axis: 1 }, dtypes: F32 },
    {
      name: 'twenty-three',
      inputs: Array.from({ length: 23 }, (_, i) => [3, (i % 4) + 1, 2]),
      attributes: { axis: 1 },
      dtypes: ['f32', 'f16'],
    },
    {
      name: 'empty operands',
      inputs: [
        [2, 0],
        [2, 3],
        [2, 0],
        [2, 1],
      ],
      attributes: { axis: 1 },
      dtypes: F32,
    },
    {
      name: 'nothing but empty operands',
      inputs: [
        [0, 2],
        [0, 3],
      ],
      attributes: { axis: 1 },
      dtypes: F32,
    },
    {
      name: 'nine axes',
      inputs: [
        [2, 1, 2, 1, 2, 1, 2, 1, 2],
        [2, 1, 2, 1, 3, 1, 2, 1, 2],
      ],
      attributes: { axis: 4 },
      dtypes: F32,
    },
  ],
}

export const BLOCKS: readonly CaseTable[] = [
  {
    definition: depthToSpace,
    cases: (['DCR', 'CRD'] as const).flatMap((mode): Case[] => [
      { name: `${mode}, blocks of 2`, inputs: [[2, 12, 5, 7]], attributes: { blocksize: 2, mode }, dtypes: DTYPES },
      { name: `${mode}, blocks of 3`, inputs: [[1, 18, 3, 1]], attributes: { blocksize: 3, mode }, dtypes: F32 },
      { name: `${mode}, blocks of 1`, inputs: [[2, 3, 4, 5]], attributes: { blocksize: 1, mode }, dtypes: F32 },
      { name: `${mode}, empty`, inputs: [[0, 4, 5, 7]], attributes: { blocksize: 2, mode }, dtypes: F32 },
    ]),
  },
  {
    definition: spaceToDepth,
    cases: [
      { name: 'blocks of 2', inputs: [[2, 3, 10, 6]], attributes: { blocksize: 2 }, dtypes: DTYPES },
      { name: 'blocks of 3', inputs: [[1, 2, 9, 3]], attributes: { blocksize: 3 }, dtypes: F32 },
      { name: 'blocks of 1', inputs: [[2, 3, 4, 5]], attributes: { blocksize: 1 }, dtypes: F32 },
      { name: 'empty', inputs: [[2, 0, 4, 4]], attributes: { blocksize: 2 }, dtypes: F32 },
    ],
  },
]

const INDICES = tensor([0, 4, -1, -5, 2, 2], [2, 3], 'i64')

export const GATHER: CaseTable = {
  definition: gather,
  cases: [
    { name: 'axis 0', ...given([5, 4, 3], INDICES), dtypes: DTYPES },
    { name: 'axis 1', ...given([3, 5, 7], INDICES), attributes: { axis: 1 }, dtypes: F32 },
    { name: 'last axis', ...given([3, 7, 5], INDICES), attributes: { axis: -1 }, dtypes: F32 },
    { name: 'one index', ...given([3, 7], tensor([-2], [], 'i64')), attributes: { axis: 1 }, dtypes: F32 },
    { name: 'i32 indices', ...given([5, 11], tensor([4, -4, 0], [3], 'i32')), dtypes: ['f32', 'i64'] },
    { name: 'no indices', ...given([5, 2], tensor([], [0], 'i64')), dtypes: F32 },
    { name: 'of a vector', ...given([5], INDICES), dtypes: F32 },
  ],
}

export const ALIASES: readonly CaseTable[] = [
  {
    definition: identity,
    cases: [
      { name: 'identity', inputs: [[3, 5]], dtypes: DTYPES },
      { name: 'scalar', inputs: [[]], dtypes: F32 },
    ],
  },
  {
    definition: reshape,
    cases: [
      { name: 'as told', ...given([3, 4, 5], list(6, 10)), dtypes: DTYPES },
      { name: 'the rest', ...given([3, 4, 5], list(2, -1)), dtypes: F32 },
      { name: 'kept and the rest', ...given([3, 4, 5], list(0, -1)), dtypes: F32 },
      { name: 'to a scalar', ...given([1, 1], list()), dtypes: F32 },
      { name: 'empty', ...given([0, 3], list(3, 0)), attributes: { allowzero: true }, dtypes: F32 },
    ],
  },
  {
    definition: flatten,
    cases: [0, 1, 2, 3, -1, -2, -3].map((axis): Case => ({
      name: `axis ${axis}`,
      inputs: [[3, 4, 5]],
      attributes: { axis },
      dtypes: F32,
    })),
  },
  {
    definition: squeeze,
    cases: [
      { name: 'all', inputs: [[1, 3, 1, 5]], dtypes: F32 },
      { name: 'axes as an input', ...given([1, 3, 1, 5], list(-2)), dtypes: F32 },
      { name: 'axes as an attribute', inputs: [[1, 3, 1, 5]], attributes: { axes: [0, 2] }, dtypes: F32 },
    ],
  },
  {
    definition: unsqueeze,
    cases: [
      { name: 'axes as an input', ...given([3, 5], list(0, -1, 2)), dtypes: F32 },
      { name: 'axes as an attribute', inputs: [[3, 5]], attributes: { axes: [1] }, dtypes: F32 },
      { name: 'of a scalar', ...given([], list(0)), dtypes: F32 },
    ],
  },
  {
    definition: dropout,
    cases: [
      { name: 'the identity', inputs: [[3, 5]] },
      { name: 'with a mask', inputs: [[3, 5, 7]], attributes: { mask: true } },
      {
        name: 'training with ratio 0',
        inputs: [[3, 5], [], []],
        given: { 1: tensor([0], []), 2: tensor([true], [], 'bool') },
        dtypes: F32,
      },
    ],
  },
]

export const MADE: readonly CaseTable[] = [
  {
    definition: shapeOp,
    cases: [
      { name: 'all', inputs: [[3, 0, 5]], dtypes: DTYPES },
      { name: 'a part', inputs: [[3, 4, 5]], attributes: { start: -2, end: 2 }, dtypes: F32 },
      { name: 'none', inputs: [[3, 4, 5]], attributes: { start: 2, end: 1 }, dtypes: F32 },
      { name: 'eleven axes', inputs: [[1, 2, 1, 1, 3, 1, 1, 1, 1, 2, 1]], dtypes: F32 },
      { name: 'scalar', inputs: [[]], dtypes: F32 },
    ],
  },
  {
    definition: constantOfShape,
    cases: [
      ...DTYPES.map((dtype): Case => ({
        name: `three of ${dtype}`,
        inputs: [[2]],
        given: { 0: list(3, 37) },
        attributes: { value: 3, dtype },
        dtypes: F32,
      })),
      { name: 'NaN', inputs: [[1]], given: { 0: list(5) }, attributes: { value: NaN }, dtypes: F32 },
      {
        name: 'a wide integer',
        inputs: [[1]],
        given: { 0: list(5) },
        attributes: { value: -(2n ** 40n), dtype: 'i64' },
        dtypes: F32,
      },
      { name: 'true', inputs: [[1]], given: { 0: list(5) }, attributes: { value: 7, dtype: 'bool' }, dtypes: F32 },
      { name: 'a scalar', inputs: [[0]], given: { 0: list() }, dtypes: F32 },
      { name: 'empty', inputs: [[2]], given: { 0: list(0, 3) }, dtypes: F32 },
    ],
  },
]
