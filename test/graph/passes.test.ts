import { describe, expect, it } from 'vitest'
import { OptionError, ShapeError, UnsupportedOpError } from '../../src/errors.ts'
import { graph } from '../../src/graph/builder.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { checkGraph, fedInputs, resolveInputs, typeGraph } from '../../src/graph/passes.ts'
import { halveGraph } from '../../src/graph/precision.ts'
import type { Shape } from '../../src/tensor/shape.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { OPS } from './ops.ts'

function typed(net: Graph, shapes: Record<string, Shape>, values = {}) {
  checkGraph(net, OPS)
  return typeGraph(net, resolveInputs(net.inputs, new Map(Object.entries(shapes))), new Map(Object.entries(values)), { ops: OPS })
}

describe('typeGraph', () => {
  it('infers shapes for symbolic inputs', () => {
    const g = graph()
    const x = g.input('x', 'f32', ['N', 3])
    g.output('y', g.add(x, g.node('affine', [x])))
    expect(typed(g.finish(), { x: [5, 3] }).types.get('y')).toEqual({ dtype: 'f32', shape: [5, 3] })
  })

  it('folds what is known, and drops what no output needs', () => {
    const g = graph()
    const x = g.input('x', 'f32', [2])
    const c = g.node('affine', [g.node('affine', [tensor([1, 2])], { factor: 10 })], { offset: 1 })
    g.node('affine', [x], { name: 'dead' })
    g.output('y', g.add(x, c))
    const result = typed(g.finish(), { x: [2] })
    expect(result.nodes.map(({ node }) => node.op)).toEqual(['add'])
    expect([...result.known.get(c.name)!.values]).toEqual([11, 21])
  })

  it('folds a reshape whose shape comes from the shape of another value', () => {
    const g = graph()
    const x = g.input('x', 'f32', [6])
    const like = g.input('like', 'f32', ['A', 'B'])
    g.output('y', g.reshape(x, g.node('shape', [like])))
    const net = g.finish()
    expect(fedInputs(net, OPS)).toEqual(new Set())
    expect(typed(net, { x: [6], like: [3, 2] }).types.get('y')?.shape).toEqual([3, 2])
  })

  it('takes a fed shape from its value, also behind integer arithmetic', () => {
    const g = graph()
    const x = g.input('x', 'f32', [6])
    const to = g.input('to', 'i64', [2])
    g.output('y', g.reshape(x, g.identity(to)))
    const net = g.finish()
    expect(fedInputs(net, OPS)).toEqual(new Set(['to']))
    const result = typed(net, { x: [6], to: [2] }, { to: tensor([2, 3], [2], 'i64') })
    expect(result.types.get('y')?.shape).toEqual([2, 3])
    expect(result.nodes.map(({ node }) => node.op)).toEqual(['reshape'])
  })

  it('says which node wants on the host what only the device computes', () => {
    const g = graph()
    const x = g.input('x', 'f32', [2])
    g.output('y', g.reshape(x, g.node('affine', [x])))
    expect(() => fedInputs(g.finish(), OPS)).toThrow(UnsupportedOpError)
    expect(() => fedInputs(g.finish(), OPS)).toThrow(/affine_1.*node reshape_1; op reshape; dtype f32/)
  })

  it('names the node whose rule is broken', () => {
    const g = graph()
    const x = g.input('x', 'f32', ['N'])
    g.output('y', g.add(x, tensor([1, 2, 3]), { name: 'sum' }))
    const net = g.finish()
    expect(() => typed(net, { x: [4] })).toThrow(ShapeError)
    expect(() => typed(net, { x: [4] })).toThrow('[4] and [3] differ (node sum; op add; axis 0)')
  })

  it('names the attribute that does not fit', () => {
    const g = graph()
    g.output('y', g.node('affine', [g.input('x', 'f32', [1])], { factor: 'much' }))
    expect(() => typed(g.finish(), { x: [1] })).toThrow(OptionError)
    expect(() => typed(g.finish(), { x: [1] })).toThrow(/factor: .*node affine_1; op affine/)
  })
})

describe('checkGraph', () => {
  it('lists every unknown op', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1])
    g.output('y', g.node('fold', [g.node('affine', [g.node('spin', [x])])]))
    expect(() => checkGraph(g.finish(), OPS)).toThrow(/2 of 3 nodes[^]*spin_1: spin[^]*fold_1: fold/)
  })

  it('wants values made before they are used', () => {
    const node = { name: 'n', op: 'identity', inputs: ['nowhere'], outputs: ['y'], attributes: {} }
    const net: Graph = { name: 'g', inputs: [], outputs: ['y'], nodes: [node], constants: new Map() }
    expect(() => checkGraph(net, OPS)).toThrow(/nowhere is used before it is made/)
    expect(() => checkGraph({ ...net, nodes: [] }, OPS)).toThrow(/Output y is made by no node/)
  })
})

describe('resolveInputs', () => {
  const inputs = [
    { name: 'a', dtype: 'f32', shape: ['N', 3] },
    { name: 'b', dtype: 'f32', shape: ['N'] },
  ] as const

  it('wants one extent for one symbol', () => {
    const shapes = new Map([['a', [2, 3]], ['b', [4]]]) // prettier-ignore
    expect(() => resolveInputs(inputs, shapes)).toThrow(/Dimension N is 2 in input a, but 4 in input b/)
  })

  it('wants fixed extents and ranks as they are', () => {
    expect(() => resolveInputs(inputs, new Map([['a', [2, 4]], ['b', [2]]]))).toThrow('Input a is [2, 4], the model takes [N, 3]') // prettier-ignore
    expect(() => resolveInputs(inputs, new Map([['a', [2]], ['b', [2]]]))).toThrow(ShapeError) // prettier-ignore
  })
})

describe('halveGraph', () => {
  it('stores floats as halves and leaves integers', () => {
    const g = graph()
    const x = g.input('x', 'f32', [2, 2])
    const w = tensor([1, 2, 3, 1e-9], [2, 2])
    g.output('y', g.reshape(g.add(x, g.node('affine', [w], { factor: 2 })), [4]))
    const full = typed(g.finish(), { x: [2, 2] })
    const half = halveGraph(full, { ops: OPS })
    expect(half.types.get('y')).toEqual({ dtype: 'f16', shape: [4] })
    expect(half.types.get('x')?.dtype).toBe('f16')
    const folded = [...half.known.values()].find(({ dtype }) => dtype === 'f16')
    expect([...folded!.values]).toEqual([2, 4, 6, 0])
    expect([...half.known.values()].some(({ dtype }) => dtype === 'i64')).toBe(true)
    const again = halveGraph(full, { ops: OPS })
    expect(again.known.get('affine_1')).toBe(half.known.get('affine_1'))
  })
})
