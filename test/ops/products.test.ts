import { describe, expect, it } from 'vitest'
import { DtypeError, ShapeError } from '../../src/errors.ts'
import { gemm } from '../../src/ops/gemm/op.ts'
import { collapsed } from '../../src/ops/gemm/product.ts'
import { linear } from '../../src/ops/linear/op.ts'
import { matmul } from '../../src/ops/matmul/op.ts'
import type { InputTypes } from '../../src/ops/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { inferred, planned } from './facts.ts'

function f32(...shapes: number[][]): InputTypes {
  return shapes.map((shape) => ({ dtype: 'f32', shape }))
}

describe('gemm', () => {
  it('infers [I, J] from operands transposed or not', () => {
    expect(inferred(gemm, [[3, 4], [4, 5], null])[0]!.shape).toEqual([3, 5])
    expect(
      inferred(
        gemm,
        [
          [4, 3],
          [5, 4],
          [3, 1],
        ],
        { transA: 1, transB: true },
      )[0]!.shape,
    ).toEqual([3, 5])
  })
  it.each([
    [[[3, 4], [5, 6], null], {}, /4 and 5/],
    [[[3, 4], [4, 5], [4]], {}, /broadcast/],
    [
      [
        [3, 4],
        [4, 5],
        [2, 3, 5],
      ],
      {},
      /broadcast/,
    ],
    [[[3], [3, 5], null], {}, /rank 1/],
    [[[3, 4]], {}, /Input 1 \(B\) is missing/],
  ])('refuses %j %j', (shapes, attributes, words) => {
    expect(() => inferred(gemm, shapes, attributes)).toThrow(ShapeError)
    expect(() => inferred(gemm, shapes, attributes)).toThrow(words)
  })
  it('refuses integers by name', () => {
    expect(() =>
      inferred(
        gemm,
        [
          [3, 4],
          [4, 5],
        ],
        {},
        'i32',
      ),
    ).toThrow(DtypeError)
  })
  it('is what a hand computes', () => {
    const attributes = parseAttributes(gemm, { alpha: 2, beta: 0.5, transB: 1 })
    const [y] = gemm.reference([tensor([1, 2, 3, 4], [2, 2]), tensor([1, 0, 1, 1], [2, 2]), tensor([10, 20])], attributes)
    expect(Array.from(y!.exact!)).toEqual([2 * 1 + 5, 2 * 3 + 10, 2 * 3 + 5, 2 * 7 + 10])
  })
  it('does not read C where beta is 0', () => {
    const [y] = gemm.reference([tensor([2], [1, 1]), tensor([3], [1, 1]), tensor([NaN])], parseAttributes(gemm, { beta: 0 }))
    expect(Array.from(y!.exact!)).toEqual([6])
  })
  it('reads f16 and rounds to it once', () => {
    const [y] = gemm.reference([tensor([60000, 60000], [1, 2], 'f16'), tensor([1, -1], [2, 1], 'f16')], parseAttributes(gemm, {}))
    expect(y!.tensor.dtype).toBe('f16')
    expect(y!.exact![0]).toBe(0)
    const [z] = gemm.reference([tensor([60000, 60000], [1, 2], 'f16'), tensor([1, 1], [2, 1], 'f16')], parseAttributes(gemm, {}))
    expect(z!.exact![0]).toBe(120000)
    expect(z!.tensor.values[0]).toBe(Infinity)
  })
  it('plans by shape: few rows and one column are a vector', () => {
    const name = (...shapes: (number[] | null)[]): unknown => planned(gemm, shapes).dispatches[0]?.program.name
    expect(name([17, 9], [9, 17], null)).toBe('gemm/tiled')
    expect(name([16, 9], [9, 17], null)).toBe('gemm/vector')
    expect(name([99, 9], [9, 1], null)).toBe('gemm/vector')
    expect(name([1, 9], [9, 9], null)).toBe('gemm/vector')
    expect(name([0, 9], [9, 9], null)).toBeUndefined()
  })
  it('is the problem P, M, C = i, j, k', () => {
    expect(gemm.problem!({ inputs: f32([3, 4], [4, 5]), values: [], attributes: parseAttributes(gemm, {}) })).toMatchObject({
      P: 3,
      M: 5,
      C: 4,
      N: 1,
      groups: 1,
    })
  })
})

describe('matmul', () => {
  it.each([
    [[3], [3], []],
    [[3], [3, 4], [4]],
    [[2, 3], [3], [2]],
    [
      [2, 3],
      [3, 4],
      [2, 4],
    ],
    [
      [5, 2, 3],
      [3, 4],
      [5, 2, 4],
    ],
    [
      [6, 1, 2, 3],
      [5, 3, 4],
      [6, 5, 2, 4],
    ],
    [[3], [5, 3, 4], [5, 4]],
    [
      [0, 2, 3],
      [3, 4],
      [0, 2, 4],
    ],
  ])('%j × %j → %j', (a, b, shape) => {
    expect(inferred(matmul, [a, b])[0]!.shape).toEqual(shape)
  })
  it.each([
    [
      [2, 3],
      [4, 5],
    ],
    [[], [3]],
    [
      [2, 2, 3],
      [3, 3, 4],
    ],
  ])('refuses %j × %j', (a, b) => {
    expect(() => inferred(matmul, [a, b])).toThrow(ShapeError)
  })
  it('computes batches apart', () => {
    const [y] = matmul.reference(
      [tensor([1, 2, 3, 4], [2, 1, 2]), tensor([1, 10, 100, 1000], [2, 2, 1])],
      parseAttributes(matmul, {}),
    )
    expect(Array.from(y!.exact!)).toEqual([21, 4300])
    expect(y!.tensor.shape).toEqual([2, 1, 1])
  })
  it('folds the batch into the rows where one B serves all', () => {
    const { dispatches } = planned(matmul, [
      [5, 2, 3],
      [3, 4],
    ])
    const none = parseAttributes(matmul, {})
    expect(dispatches.length).toBe(1)
    expect(dispatches[0]!.params).toMatchObject({ rows: 10, columns: 4, depth: 3 })
    expect(matmul.problem!({ inputs: f32([5, 2, 3], [3, 4]), values: [], attributes: none })).toMatchObject({ P: 10, groups: 1 })
    expect(matmul.problem!({ inputs: f32([5, 2, 3], [5, 3, 4]), values: [], attributes: none })).toMatchObject({ P: 2, groups: 5 })
  })
  it('joins batch dimensions, and dispatches what a kernel cannot take one by one', () => {
    expect(
      collapsed([
        { size: 2, a: 60, b: 60 },
        { size: 1, a: 7, b: 9 },
        { size: 3, a: 20, b: 20 },
      ]),
    ).toEqual([{ size: 6, a: 20, b: 20 }])
    expect(
      collapsed([
        { size: 2, a: 0, b: 60 },
        { size: 3, a: 20, b: 20 },
      ]),
    ).toHaveLength(2)
    const { dispatches } = planned(matmul, [
      [2, 1, 3, 1, 2, 1, 3, 4],
      [1, 2, 1, 2, 1, 3, 4, 2],
    ])
    expect(dispatches.map(({ params }) => params.y_offset)).toEqual([0, 1, 2, 3].map((index) => index * 3 * 2 * 2 * 3 * 3 * 2))
  })
})

describe('linear', () => {
  it('flattens, and is the convolution whose filters are as large as the input', () => {
    expect(inferred(linear, [[2, 3, 5, 7], [11, 105], [11]])[0]!.shape).toEqual([2, 11])
    const problem = (shape: number[]) =>
      linear.problem!({ inputs: f32(shape, [11, 105]), values: [], attributes: parseAttributes(linear, {}) })
    expect(problem([2, 3, 5, 7])).toMatchObject({ N: 2, M: 11, C: 3, R: 5, S: 7, P: 1, Q: 1 })
    expect(problem([2, 3, 35])).toMatchObject({ C: 3, R: 1, S: 35 })
    expect(problem([2, 105])).toMatchObject({ C: 105, R: 1, S: 1 })
  })
  it('refuses what does not fit', () => {
    expect(() => inferred(linear, [[2, 3, 5], [4, 14], null])).toThrow(/15 values per row/)
    expect(() => inferred(linear, [[2, 3], [4, 3], [3]])).toThrow(/\[4\]/)
  })
  it('is what a hand computes', () => {
    const [y] = linear.reference(
      [tensor([1, 2, 3, 4], [2, 2]), tensor([1, 1, 0, -1], [2, 2]), tensor([100, 200])],
      parseAttributes(linear, {}),
    )
    expect(Array.from(y!.exact!)).toEqual([103, 198, 107, 196])
  })
})
