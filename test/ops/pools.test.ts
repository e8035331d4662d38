import { describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError, UnsupportedOpError } from '../../src/errors.ts'
import { averagePool } from '../../src/ops/average-pool/op.ts'
import { globalAveragePool } from '../../src/ops/global-average-pool/op.ts'
import { globalMaxPool } from '../../src/ops/global-max-pool/op.ts'
import { maxPool } from '../../src/ops/max-pool/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { inferred, planned } from './facts.ts'

const GRID = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3])

function max(x: HostTensor, attributes: unknown): number[][] {
  return maxPool
    .reference([x], parseAttributes(maxPool, attributes))
    .map(({ tensor: { values } }) => Array.from(values as Float32Array, Number))
}
function average(x: HostTensor, attributes: unknown): number[] {
  return Array.from(averagePool.reference([x], parseAttributes(averagePool, attributes))[0]!.exact!)
}

describe('pool shapes', () => {
  it.each([
    ['floor', 8, { kernel: 3, stride: 2 }, 3],
    ['ceil', 8, { kernel: 3, stride: 2, ceil_mode: 1 }, 4],
    ['ceil, exact fit', 9, { kernel: 3, stride: 2, ceil_mode: 1 }, 4],
    ['ceil, the last window would start in the padding', 6, { kernel: 1, stride: 3, padding: [0, 1], ceil_mode: 1 }, 2],
    ['ceil, the last window starts on the last value', 7, { kernel: 1, stride: 3, padding: [0, 1], ceil_mode: 1 }, 3],
    ['ceil, padding before counts', 6, { kernel: 1, stride: 3, padding: [1, 1], ceil_mode: 1 }, 3],
    ['dilation', 9, { kernel: 3, dilation: 3 }, 3],
    ['same', 10, { kernel: 3, stride: 4, auto_pad: 'SAME_LOWER' }, 3],
  ])('%s', (_, extent, attributes, expected) => {
    expect(inferred(maxPool, [[1, 1, extent]], attributes)[0]!.shape).toEqual([1, 1, expected])
    expect(inferred(averagePool, [[1, 1, extent]], attributes)[0]!.shape).toEqual([1, 1, expected])
  })
  it('refuses what does not fit', () => {
    expect(() => inferred(maxPool, [[1, 1, 3, 3]], { kernel: 4 })).toThrow(ShapeError)
    expect(() => inferred(maxPool, [[1, 1, 3, 3]], { kernel_shape: [2] })).toThrow(ShapeError)
    expect(() => inferred(maxPool, [[1, 1, 3, 3]], {})).toThrow(OptionError)
    expect(() => inferred(maxPool, [[1, 1]], { kernel: 1 })).toThrow(ShapeError)
    expect(() => inferred(maxPool, [[1, 1, 2, 2, 2, 2]], { kernel: 1 })).toThrow(UnsupportedOpError)
    expect(() => inferred(maxPool, [[1, 1, 3, 3]], { kernel: 2 }, 'i32')).toThrow(DtypeError)
    expect(() => inferred(averagePool, [[1, 1, 3, 3]], { kernel: 2 }, 'u8')).toThrow(DtypeError)
  })
  it('gives indices on demand', () => {
    expect(inferred(maxPool, [[1, 2, 3, 3]], { kernel: 2, indices: true }, 'u8')).toEqual([
      { dtype: 'u8', shape: [1, 2, 2, 2] },
      { dtype: 'i64', shape: [1, 2, 2, 2] },
    ])
  })
})

describe('maxPool: reference', () => {
  it('takes the greatest, the first of equals, and where it was', () => {
    expect(max(GRID, { kernel: 2, indices: true })).toEqual([
      [5, 6, 8, 9],
      [4, 5, 7, 8],
    ])
    expect(max(GRID, { kernel: 2, indices: true, storage_order: 1 })[1]).toEqual([4, 7, 5, 8])
    expect(max(tensor([1, 1, 1, 1], [1, 1, 2, 2]), { kernel: 2, indices: true })).toEqual([[1], [0]])
  })
  it('takes NaN as the greatest and padding as nothing', () => {
    expect(max(tensor([-5, NaN, -7, -8], [1, 1, 4]), { kernel: 2, stride: 2, padding: 1 })).toEqual([[-5, NaN, -8]])
  })
})

describe('averagePool: reference', () => {
  it('counts padding or not', () => {
    expect(average(GRID, { kernel: 2, padding: [1, 1, 0, 0] })[0]).toBe(1)
    expect(average(GRID, { kernel: 2, padding: [1, 1, 0, 0], count_include_pad: 1 })[0]).toBe(0.25)
  })
  it('never counts what ceil mode reaches beyond the padding', () => {
    const five = tensor([1, 2, 3, 4, 5], [1, 1, 5])
    expect(average(five, { kernel: 2, stride: 2, ceil_mode: 1, count_include_pad: 1 })).toEqual([1.5, 3.5, 5])
    expect(average(five, { kernel: 5, stride: 3, padding: 1, ceil_mode: 1, count_include_pad: 1 })).toEqual([2, 3])
  })
})

describe('global pools', () => {
  it('keep the rank', () => {
    expect(inferred(globalMaxPool, [[2, 3, 4, 5]])[0]!.shape).toEqual([2, 3, 1, 1])
    expect(inferred(globalAveragePool, [[0, 3, 4]])[0]!.shape).toEqual([0, 3, 1])
    expect(planned(globalAveragePool, [[0, 3, 4]]).dispatches).toEqual([])
  })
  it('refuse planes without values', () => {
    expect(() => inferred(globalAveragePool, [[1, 3, 0, 4]])).toThrow(ShapeError)
    expect(() => inferred(globalMaxPool, [[1, 3, 0, 4]])).toThrow(ShapeError)
  })
  it('are what a hand computes', () => {
    expect(globalAveragePool.reference([GRID], { layout: 'nchw' })[0]!.exact).toEqual(Float64Array.of(5))
    expect(globalMaxPool.reference([GRID], { layout: 'nchw' })[0]!.exact).toEqual(Float64Array.of(9))
  })
})
