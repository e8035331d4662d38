/** Shape rules, references and plans of data movement, without a GPU: values worked out by hand, and what is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DeviceLimitError, OptionError, ShapeError, UnsupportedOpError } from '../../src/errors.ts'
import type { DeviceFacts, OpPlan } from '../../src/gpu/program.ts'
import type { InputValues, OpDefinition } from '../../src/ops/op.ts'
import { concat } from '../../src/ops/concat/op.ts'
import { constantOfShape } from '../../src/ops/constant-of-shape/op.ts'
import { depthToSpace } from '../../src/ops/depth-to-space/op.ts'
import { dropout } from '../../src/ops/dropout/op.ts'
import { flatten } from '../../src/ops/flatten/op.ts'
import { gather } from '../../src/ops/gather/op.ts'
import { collapse, strideParams } from '../../src/ops/movement/strides.ts'
import { opNamed, REGISTRY } from '../../src/ops/registry.ts'
import { pad } from '../../src/ops/pad/op.ts'
import { reshape } from '../../src/ops/reshape/op.ts'
import { parseAttributes } from '../../src/ops/run.ts'
import { shape as shapeOp } from '../../src/ops/shape/op.ts'
import { slice } from '../../src/ops/slice/op.ts'
import { spaceToDepth } from '../../src/ops/space-to-depth/op.ts'
import { squeeze } from '../../src/ops/squeeze/op.ts'
import { transpose } from '../../src/ops/transpose/op.ts'
import { unsqueeze } from '../../src/ops/unsqueeze/op.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { list } from '../cases/movement.ts'

const FACTS: DeviceFacts = {
  adapter: 'test',
  features: new Set(),
  language: new Set(),
  limits: {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxStorageBuffersPerShaderStage: 8,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  },
  software: false,
}

function iota(...shape: number[]): HostTensor {
  return tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
    shape,
  )
}

function hostValues(definition: OpDefinition, inputs: InputValues): InputValues {
  return inputs.map((input, index) => (definition.hostInputs.includes(index) ? input : null))
}

function shapeOf(definition: OpDefinition, inputs: InputValues, given: unknown = {}): readonly number[] | undefined {
  const attributes = parseAttributes(definition, given)
  return definition.infer({ inputs, values: hostValues(definition, inputs), attributes })[0]?.shape
}

function planOf(definition: OpDefinition, inputs: InputValues, given: unknown = {}): OpPlan {
  const context = { inputs, values: hostValues(definition, inputs), attributes: parseAttributes(definition, given) }
  return definition.plan({ ...context, outputs: definition.infer(context), device: FACTS })
}

function valuesOf(definition: OpDefinition, inputs: InputValues, given: unknown = {}): (number | bigint)[] {
  const result = definition.reference(inputs, parseAttributes(definition, given))[0]
  return Array.from<number | bigint>(result?.tensor.values ?? [])
}

describe('reshape', () => {
  it.each([
    [[2, 3, 4], [4, 2, 3], false, [4, 2, 3]],
    [[2, 3, 4], [2, -1], false, [2, 12]],
    [[2, 3, 4], [0, 0, 1, -1], false, [2, 3, 1, 4]],
    [[0, 3, 4], [3, 4, 0], true, [3, 4, 0]],
    [[0, 3], [0, 7], false, [0, 7]],
    [[0, 3], [3, -1], false, [3, 0]],
    [[1], [], false, []],
  ])('%j as %j (allowzero after) gives %j', (from, target, allowzero, expected) => {
    expect(shapeOf(reshape, [iota(...from), list(...target)], { allowzero })).toEqual(expected)
  })

  it.each([
    [[2, 3], [4, -1], false, /do not divide by 4/],
    [[2, 3], [-1, -1], false, /More than one -1/],
    [[2, 3], [7], false, /6 elements do not fit shape \[7\]/],
    [[2, 3], [2, 3, 0], false, /A 0 at axis 2/],
    [[2, 3], [-2, 3], false, /Extent -2/],
    [[0, 3], [0, -1], false, /-1/],
    [[0, 3], [0, -1], true, /Both 0 and -1/],
  ])('%j as %j (allowzero %j) is refused', (from, target, allowzero, message) => {
    expect(() => shapeOf(reshape, [iota(...from), list(...target)], { allowzero })).toThrow(ShapeError)
    expect(() => shapeOf(reshape, [iota(...from), list(...target)], { allowzero })).toThrow(message)
  })

  it('needs the value of its shape', () => {
    const context = { inputs: [iota(2), list(2)], values: [null, null], attributes: { allowzero: false } }
    expect(() => reshape.infer(context)).toThrow(OptionError)
  })
})

describe('flatten, squeeze, unsqueeze', () => {
  it.each([
    [0, [1, 24]],
    [1, [2, 12]],
    [2, [6, 4]],
    [3, [24, 1]],
    [-1, [6, 4]],
    [-3, [1, 24]],
  ])('flatten at %i', (axis, expected) => {
    expect(shapeOf(flatten, [iota(2, 3, 4)], { axis })).toEqual(expected)
  })

  it('take and refuse axes', () => {
    expect(shapeOf(flatten, [iota()], { axis: 0 })).toEqual([1, 1])
    expect(() => shapeOf(flatten, [iota(2)], { axis: 2 })).toThrow(ShapeError)
    expect(shapeOf(squeeze, [iota(1, 3, 1)])).toEqual([3])
    expect(shapeOf(squeeze, [iota(1, 3, 1), list(-1)])).toEqual([1, 3])
    expect(() => shapeOf(squeeze, [iota(1, 3, 1), list(1)])).toThrow(/extent 3, not 1/)
    expect(() => shapeOf(squeeze, [iota(1), list(0)], { axes: [0] })).toThrow(OptionError)
    expect(shapeOf(unsqueeze, [iota(3, 4), list(0, -1)])).toEqual([1, 3, 4, 1])
    expect(shapeOf(unsqueeze, [iota(3, 4)], { axes: [3, 1] })).toEqual([3, 1, 4, 1])
    expect(() => shapeOf(unsqueeze, [iota(3), list(1, -2)])).toThrow(/twice/)
    expect(() => shapeOf(unsqueeze, [iota(3), list(2)])).toThrow(ShapeError)
    expect(() => shapeOf(unsqueeze, [iota(3)])).toThrow(/axes\) is missing/)
  })
})

describe('slice', () => {
  it.each([
    [10, 2, 7, 2, [2, 4, 6]],
    [10, -3, 100, 1, [7, 8, 9]],
    [10, 100, 0, -4, [9, 5, 1]],
    [10, -1, -100, -3, [9, 6, 3, 0]],
    [10, 5, 5, 1, []],
    [10, 3, 6, -1, []],
    [0, 0, 5, 1, []],
  ])('of %i from %i to %i by %i', (extent, start, end, step, expected) => {
    const inputs = [iota(extent), list(start), list(end), null, list(step)]
    expect(valuesOf(slice, inputs)).toEqual(expected)
    expect(shapeOf(slice, inputs)).toEqual([expected.length])
  })

  it('refuses a step of 0, an axis given twice, lists of different lengths', () => {
    expect(() => shapeOf(slice, [iota(3), list(0), list(1), list(0), list(0)])).toThrow(/step is 0/)
    expect(() => shapeOf(slice, [iota(3, 3), list(0, 0), list(1, 1), list(1, -1)])).toThrow(/twice/)
    expect(() => shapeOf(slice, [iota(3, 3), list(0, 0), list(1)])).toThrow(/ends has 1 entries where starts has 2/)
  })
})

describe('pad', () => {
  it.each([
    ['constant', [0, 0, 1, 2, 3, 0]],
    ['edge', [1, 1, 1, 2, 3, 3]],
    ['reflect', [3, 2, 1, 2, 3, 2]],
    ['wrap', [2, 3, 1, 2, 3, 1]],
  ])('%s', (mode, expected) => {
    expect(valuesOf(pad, [tensor([1, 2, 3]), list(2, 1)], { mode })).toEqual(expected)
  })

  it('crops, and reflects more than once', () => {
    expect(valuesOf(pad, [iota(5), list(-2, -1)])).toEqual([2, 3])
    expect(valuesOf(pad, [iota(3), list(5, 0)], { mode: 'reflect' })).toEqual([1, 0, 1, 2, 1, 0, 1, 2])
    expect(() => shapeOf(pad, [iota(2), list(-2, -1)])).toThrow(/remove more/)
    expect(() => shapeOf(pad, [iota(0), list(1, 0)], { mode: 'edge' })).toThrow(/nothing to repeat/)
    expect(() => shapeOf(pad, [iota(2, 2), list(1, 1)])).toThrow(/twice the axes/)
  })
})

describe('blocks', () => {
  it('of ONNX: DCR takes the block from the outer channels, CRD from the inner ones', () => {
    expect(valuesOf(depthToSpace, [iota(1, 8, 1, 1)], { blocksize: 2 })).toEqual([0, 2, 4, 6, 1, 3, 5, 7])
    expect(valuesOf(depthToSpace, [iota(1, 8, 1, 1)], { blocksize: 2, mode: 'CRD' })).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(valuesOf(spaceToDepth, [iota(1, 1, 2, 4)], { blocksize: 2 })).toEqual([0, 2, 1, 3, 4, 6, 5, 7])
  })

  it('spaceToDepth is undone by depthToSpace in mode DCR', () => {
    const small = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(small, small, small, small, small, (n, c, h, w, blocksize) => {
        const x = iota(n, c, h * blocksize, w * blocksize)
        const packed = spaceToDepth.reference([x], { blocksize })[0]?.tensor ?? x
        expect(valuesOf(depthToSpace, [packed], { blocksize })).toEqual([...x.values])
      }),
    )
  })

  it('must divide', () => {
    expect(() => shapeOf(depthToSpace, [iota(1, 6, 1, 1)], { blocksize: 2 })).toThrow(/6 channels do not divide/)
    expect(() => shapeOf(spaceToDepth, [iota(1, 1, 3, 2)], { blocksize: 2 })).toThrow(/3 × 2 pixels/)
    expect(() => shapeOf(spaceToDepth, [iota(2, 2)], { blocksize: 2 })).toThrow(ShapeError)
  })
})

describe('transpose, concat, gather, shape, constantOfShape, dropout', () => {
  it('transpose twice is the identity', () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 })
    const shuffled = shapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.shuffledSubarray(
          shape.map((_, axis) => axis),
          { minLength: shape.length },
        ),
      ),
    )
    fc.assert(
      fc.property(shuffled, ([shape, perm]) => {
        const x = iota(...shape)
        const there = transpose.reference([x], { perm })[0]?.tensor ?? x
        const back = perm.map((_, axis) => perm.indexOf(axis))
        expect(valuesOf(transpose, [there], { perm: back })).toEqual([...x.values])
      }),
    )
    expect(() => shapeOf(transpose, [iota(2, 3)], { perm: [0, 0] })).toThrow(/name each axis once/)
  })

  it('concat joins rows, and refuses what does not fit', () => {
    expect(valuesOf(concat, [iota(2, 2), tensor([7, 8], [2, 1])], { axis: -1 })).toEqual([0, 1, 7, 2, 3, 8])
    expect(() => shapeOf(concat, [iota(2, 2), iota(3, 2)], { axis: 1 })).toThrow(/does not join/)
    expect(() => shapeOf(concat, [], { axis: 0 })).toThrow(ShapeError)
    expect(() => shapeOf(concat, [iota()], { axis: 0 })).toThrow(ShapeError)
    expect(planOf(concat, [iota(2, 0), iota(2, 3), iota(2, 1)], { axis: 1 }).dispatches.length).toBe(2)
  })

  it('gather refuses an index out of range on the host', () => {
    expect(valuesOf(gather, [iota(3, 2), tensor([-1], [], 'i64')])).toEqual([4, 5])
    expect(() => valuesOf(gather, [iota(3), tensor([3], [1], 'i64')])).toThrow(/Index 3 is outside an axis of 3/)
  })

  it('shape clamps its range', () => {
    expect(valuesOf(shapeOp, [iota(3, 4, 5)], { start: -10, end: -1 })).toEqual([3n, 4n])
    expect(valuesOf(shapeOp, [iota(3, 4, 5)], { start: 2, end: 99 })).toEqual([5n])
  })

  it('constantOfShape rounds and wraps its value', () => {
    expect(valuesOf(constantOfShape, [list(2)], { value: 200, dtype: 'i8' })).toEqual([-56, -56])
    expect(valuesOf(constantOfShape, [list()], { value: 0.1 })).toEqual([Math.fround(0.1)])
    expect(() => shapeOf(constantOfShape, [list(2, -1)])).toThrow(/negative extent/)
  })

  it('dropout refuses to drop', () => {
    const yes = tensor([true], [], 'bool')
    expect(() => shapeOf(dropout, [iota(2), tensor([0.3], []), yes])).toThrow(UnsupportedOpError)
    expect(() => shapeOf(dropout, [iota(2), null, yes])).toThrow(/random/)
    expect(shapeOf(dropout, [iota(2), tensor([0], []), yes])).toEqual([2])
  })
})

describe('plans', () => {
  it('dispatch nothing where no element moves', () => {
    expect(planOf(reshape, [iota(2, 3), list(6)])).toMatchObject({ alias: 0, dispatches: [] })
    expect(planOf(transpose, [iota(3, 1, 5)], { perm: [1, 0, 2] })).toMatchObject({ alias: 0 })
    expect(planOf(slice, [iota(3, 4), list(0), list(9)])).toMatchObject({ alias: 0 })
    expect(planOf(pad, [iota(3), list(0, 0)])).toMatchObject({ alias: 0 })
    expect(planOf(dropout, [iota(3)])).toMatchObject({ alias: 0 })
    expect(planOf(transpose, [iota(3, 2)]).alias).toBeUndefined()
    expect(planOf(slice, [iota(3), list(-1), list(-9), null, list(-1)]).alias).toBeUndefined()
  })

  it('merge axes that can be walked as one', () => {
    expect(
      collapse({
        extents: [2, 1, 3, 4],
        strides: [
          [12, 9, 4, 1],
          [12, 12, 4, 1],
        ],
      }).extents,
    ).toEqual([24])
    expect(
      collapse({
        extents: [2, 3, 4],
        strides: [
          [12, 4, 1],
          [1, 8, 2],
        ],
      }).extents,
    ).toEqual([2, 12])
    expect(strideParams('test', { extents: [5], strides: [[-1], [1]], offsets: [4, 0] })).toMatchObject({
      rank: 1,
      p_outer: 2 ** 32 - 1,
      p_offset: 4,
    })
  })

  it('refuse more axes than a kernel walks', () => {
    const perm = [8, 7, 6, 5, 4, 3, 2, 1, 0]
    expect(() => planOf(transpose, [iota(...perm.map(() => 2))], { perm })).toThrow(DeviceLimitError)
    expect(() => planOf(transpose, [iota(...perm.map(() => 2))], { perm })).toThrow(/9 axes.*limit 8 axes/)
  })

  it('share one program for all transposes, slices and concats of a dtype', () => {
    const programs = [
      planOf(transpose, [iota(3, 2)]),
      planOf(slice, [iota(9), list(1), list(5)]),
      planOf(concat, [iota(3), iota(4)], { axis: 0 }),
      planOf(depthToSpace, [iota(2, 8, 3, 3)], { blocksize: 2 }),
    ].map(({ dispatches }) => dispatches[0]?.program)
    expect(new Set(programs.map((program) => JSON.stringify(program))).size).toBe(1)
  })
})

describe('the registry', () => {
  it('holds each op under its name', () => {
    for (const [name, definition] of REGISTRY) expect(definition.name).toBe(name)
    expect(() => opNamed('nonsense')).toThrow(UnsupportedOpError)
  })
})
