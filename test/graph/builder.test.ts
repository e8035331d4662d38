import { describe, expect, it } from 'vitest'
import { OptionError } from '../../src/errors.ts'
import { graph } from '../../src/graph/builder.ts'
import { checkGraph } from '../../src/graph/passes.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { OPS } from './ops.ts'

describe('graph builder', () => {
  it('makes nodes in order, constants of tensors, and names outputs', () => {
    const w = tensor([1, 2], [2, 1, 1, 1])
    const g = graph('net')
    const x = g.input('x', 'f32', ['N', 1, 4, 4])
    const h = g.conv2d(x, w, { bias: tensor([0, 1]), pads: [1, 1, 1, 1], name: 'conv1' })
    const r = g.relu(h)
    g.output('y', g.reshape(r, [-1, 2]))
    const net = g.finish()
    expect(net.name).toBe('net')
    expect(net.inputs).toEqual([{ name: 'x', dtype: 'f32', shape: ['N', 1, 4, 4] }])
    expect(net.outputs).toEqual(['y'])
    expect(net.nodes).toEqual([
      { name: 'conv1', op: 'conv2d', inputs: ['x', 'conv1.1', 'conv1.2'], outputs: ['conv1'], attributes: { pads: [1, 1, 1, 1] } },
      { name: 'relu_1', op: 'relu', inputs: ['conv1'], outputs: ['relu_1'], attributes: {} },
      { name: 'reshape_1', op: 'reshape', inputs: ['relu_1', 'reshape_1.1'], outputs: ['y'], attributes: {} },
    ])
    expect(net.constants.get('conv1.1')).toBe(w)
    expect(net.constants.get('reshape_1.1')?.dtype).toBe('i64')
  })

  it('shares a constant that is given twice, and drops absent operands at the end only', () => {
    const g = graph()
    const x = g.input('x', 'f32', [3])
    const c = tensor([1, 2, 3])
    const sum = g.add(g.add(x, c), c)
    g.output('y', g.clip(sum, { max: 6 }))
    g.output('z', g.clip(sum))
    const net = g.finish()
    expect(net.constants.size).toBe(2)
    expect(net.nodes[2]?.inputs).toEqual(['add_2', null, 'clip_1.2'])
    expect(net.nodes[3]?.inputs).toEqual(['add_2'])
  })

  it('names one value twice, or an input, through identities', () => {
    const g = graph()
    const x = g.input('x', 'f32', [1])
    const y = g.node('affine', [x], { factor: 2 })
    g.output('y', y)
    g.output('again', y)
    g.output('same', x)
    const net = g.finish()
    expect(() => checkGraph(net, OPS)).not.toThrow()
    expect(net.outputs).toEqual(['y', 'again', 'same'])
    expect(net.nodes.filter((node) => node.op === 'identity').map((node) => [node.inputs[0], node.outputs[0]])).toEqual([
      ['y', 'again'],
      ['x', 'same'],
    ])
  })

  it('refuses strangers, doubles and graphs without output', () => {
    const g = graph()
    g.input('x', 'f32', [1])
    expect(() => g.finish()).toThrow(/no output/)
    expect(() => g.input('x', 'f32', [1])).toThrow(OptionError)
    expect(() => g.relu({ name: 'elsewhere' })).toThrow(/elsewhere is not of this graph/)
    g.relu({ name: 'x' }, { name: 'r' })
    expect(() => g.relu({ name: 'x' }, { name: 'r' })).toThrow(/two nodes r/)
    g.output('y', { name: 'r' })
    expect(() => g.output('y', { name: 'x' })).toThrow(/two outputs y/)
  })
})
