/** What the fusion of epilogues folds, and what it must leave alone. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { graph, type GraphBuilder, type Value } from '../../src/graph/builder.ts'
import { fuseGraph } from '../../src/graph/fuse.ts'
import type { Graph, GraphNode } from '../../src/graph/graph.ts'
import { typeGraph, type TypedNode } from '../../src/graph/passes.ts'
import { tensor, type HostTensor } from '../../src/tensor/tensor.ts'
import { OPS } from './ops.ts'

const zeros = (...shape: number[]): HostTensor => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)

type Build = (g: GraphBuilder, x: Value) => Value

/** The nodes of a graph over x [4, 6] after fusion. */
function fusedNodes(
  build: Build,
  accepts: (node: TypedNode) => boolean = () => true,
  shape: readonly number[] = [4, 6],
): TypedNode[] {
  const g = graph()
  g.output('y', build(g, g.input('x', 'f32', shape)))
  const made = g.finish()
  const types = new Map(made.inputs.map(({ name, dtype }) => [name, { dtype, shape }]))
  const typed = fuseGraph(typeGraph(made, types), accepts)
  for (const { node } of typed.nodes) for (const name of node.inputs) if (name !== null) expect(typed.types.has(name)).toBe(true)
  return [...typed.nodes]
}

describe('constants of the pass', () => {
  it('never take the name of a value of the graph', () => {
    const constants = new Map([
      ['w', zeros(6, 5)],
      ['b', tensor([4])],
      ['1 / b', tensor([100])],
    ])
    const nodes: GraphNode[] = [
      { name: 'product', op: 'matmul', inputs: ['x', 'w'], outputs: ['p'], attributes: {} },
      { name: 'quotient', op: 'div', inputs: ['p', 'b'], outputs: ['y'], attributes: {} },
      { name: 'rest', op: 'sub', inputs: ['x', '1 / b'], outputs: ['z'], attributes: {} },
    ]
    const given: Graph = {
      name: 'names',
      inputs: [{ name: 'x', dtype: 'f32', shape: [4, 6] }],
      nodes,
      constants,
      outputs: ['y', 'z'],
    }
    const fused = fuseGraph(typeGraph(given, new Map([['x', { dtype: 'f32', shape: [4, 6] }]])), () => true)
    expect(fused.nodes.map(({ node }) => node.name)).toEqual(['product', 'rest'])
    expect(fused.known.get('1 / b')?.values).toEqual(new Float32Array([100]))
    const scale = fused.nodes[0]?.node.inputs[4] ?? ''
    expect(fused.known.get(scale)?.values).toEqual(new Float32Array([0.25]))
  })
})

const opsOf = (nodes: readonly TypedNode[]): string[] => nodes.map(({ node }) => node.op)

describe('an epilogue is folded', () => {
  it('whole, in the order in which it is computed', () => {
    const nodes = fusedNodes((g, x) => {
      const product = g.matmul(x, zeros(6, 5), { name: 'product' })
      const scaled = g.mul(product, zeros(5), { name: 'scale' })
      const shifted = g.add(zeros(5), scaled, { name: 'shift' })
      return g.relu(g.add(shifted, g.slice(x, { starts: [0], ends: [5], axes: [1] }), { name: 'skip' }), { name: 'relu' })
    })
    expect(opsOf(nodes)).toEqual(['slice', 'matmul'])
    expect(nodes[1]).toMatchObject({
      node: { name: 'product', outputs: ['y'], attributes: { activation: 'relu' } },
      fused: ['scale', 'shift', 'skip', 'relu'],
    })
    expect(nodes[1]?.context.inputs.map((type) => type?.shape)).toEqual([[4, 6], [6, 5], [5], [4, 5], [5]])
  })

  it.each<[string, Build, string]>([
    ['tanh', (g, x) => g.tanh(g.linear(x, zeros(5, 6))), 'tanh'],
    ['sigmoid', (g, x) => g.sigmoid(g.gemm(x, zeros(6, 5), { c: zeros(5) })), 'sigmoid'],
  ])('%s', (_, build, activation) => {
    const nodes = fusedNodes(build)
    expect(nodes).toHaveLength(1)
    expect(nodes[0]?.context.attributes).toMatchObject({ activation })
  })

  it.each(['value first', 'gate first'])('x · sigmoid(x), %s, as silu', (order) => {
    const nodes = fusedNodes((g, x) => {
      const value = g.matmul(x, zeros(6, 5))
      const gate = g.sigmoid(value, { name: 'gate' })
      return order === 'gate first' ? g.mul(gate, value, { name: 'gated' }) : g.mul(value, gate, { name: 'gated' })
    })
    expect(opsOf(nodes)).toEqual(['matmul'])
    expect(nodes[0]).toMatchObject({ context: { attributes: { activation: 'silu' } }, fused: ['gate', 'gated'] })
  })

  it('a bias of shape [1, J], as a vector where the op wants one', () => {
    const nodes = fusedNodes((g, x) => g.add(g.linear(x, zeros(5, 6)), zeros(1, 5)))
    expect(opsOf(nodes)).toEqual(['linear'])
    expect(nodes[0]?.context.inputs[2]?.shape).toEqual([5])
  })

  it('a division by powers of two, as the scale that it is', () => {
    const nodes = fusedNodes((g, x) => g.div(g.matmul(x, zeros(6, 5)), tensor([8, -0.5, 1, 2, 4])))
    expect(opsOf(nodes)).toEqual(['matmul'])
    expect(nodes[0]?.node.inputs).toHaveLength(5)
    expect(nodes[0]?.context.inputs[4]?.shape).toEqual([5])
  })

  it('a bias whose gemm had a beta for the C that it lacked', () => {
    const nodes = fusedNodes((g, x) => g.add(g.gemm(x, zeros(6, 5), { beta: 3 }), zeros(5)))
    expect(nodes[0]?.context.attributes).toMatchObject({ beta: 1 })
  })

  it('into the later of two products', () => {
    const nodes = fusedNodes((g, x) => g.add(g.matmul(x, zeros(6, 5), { name: 'a' }), g.matmul(x, zeros(6, 5), { name: 'b' })))
    expect(nodes.map(({ node }) => node.name)).toEqual(['b', 'a'])
    expect(nodes[1]?.node.inputs[3]).toBe(nodes[0]?.node.outputs[0])
  })

  it('under a batch that only one side has', () => {
    const nodes = fusedNodes((g, x) => g.relu(g.add(g.matmul(x, zeros(3, 6, 5)), zeros(5))))
    expect(opsOf(nodes)).toEqual(['matmul'])
    expect(nodes[0]?.context.outputs[0]?.shape).toEqual([3, 4, 5])
  })
})

describe('stays as it is', () => {
  it.each<[string, Build, string[]]>([
    ['a value that is read twice', (g, x) => twice(g, g.matmul(x, zeros(6, 5))), ['matmul', 'relu', 'tanh', 'add']],
    ['x + x', (g, x) => double(g, g.matmul(x, zeros(6, 5))), ['matmul', 'add']],
    ['a second activation', (g, x) => g.relu(g.tanh(g.matmul(x, zeros(6, 5)))), ['matmul', 'relu']],
    ['an addition after the activation', (g, x) => g.add(g.relu(g.matmul(x, zeros(6, 5))), zeros(5)), ['matmul', 'add']],
    ['a scale after the bias', (g, x) => g.mul(g.linear(x, zeros(5, 6), { bias: zeros(5) }), zeros(5)), ['linear', 'mul']],
    ['a third addition', (g, x) => g.add(g.add(g.gemm(x, zeros(6, 5), { c: zeros(5) }), zeros(4, 5)), zeros(5)), ['gemm', 'add']],
    ['an operand that makes the result larger', (g, x) => g.add(g.matmul(x, zeros(6, 5)), zeros(2, 4, 5)), ['matmul', 'add']],
    ['a matrix beside a vector operand', (g, x) => g.add(g.matmul(x, zeros(6)), zeros(1)), ['matmul', 'add']],
    ['a bias of one for a linear', (g, x) => g.add(g.linear(x, zeros(5, 6)), zeros(4, 1)), ['linear', 'add']],
    ['a division that would round twice', (g, x) => g.div(g.matmul(x, zeros(6, 5)), tensor([3])), ['matmul', 'div']],
    ['a division by 0', (g, x) => g.div(g.matmul(x, zeros(6, 5)), zeros(1)), ['matmul', 'div']],
    ['a division of a constant', (g, x) => g.div(tensor([2]), g.matmul(x, zeros(6, 5))), ['matmul', 'div']],
  ])('%s', (_, build, ops) => {
    expect(opsOf(fusedNodes(build))).toEqual(ops)
  })

  it('an output, although a node reads it once', () => {
    const g = graph()
    const product = g.matmul(g.input('x', 'f32', [4, 6]), zeros(6, 5))
    g.output('product', product)
    g.output('y', g.relu(product))
    const typed = typeGraph(g.finish(), new Map([['x', { dtype: 'f32', shape: [4, 6] }]]))
    expect(opsOf(fuseGraph(typed, () => true).nodes)).toEqual(['matmul', 'relu'])
  })

  it('what the device cannot bind in one kernel', () => {
    const nodes = fusedNodes(
      (g, x) => g.relu(g.add(g.matmul(x, zeros(6, 5)), zeros(4, 5))),
      ({ context }) => context.inputs.length <= 2,
    )
    expect(opsOf(nodes)).toEqual(['matmul', 'add', 'relu'])
  })

  it('an op of the caller’s own under a known name', () => {
    const g = graph()
    g.output('y', g.add(g.node('affine', [g.input('x', 'f32', [4])], { factor: 2 }), zeros(4)))
    const typed = typeGraph(g.finish(), new Map([['x', { dtype: 'f32', shape: [4] }]]), new Map(), { ops: OPS })
    expect(opsOf(fuseGraph(typed, () => true).nodes)).toEqual(['affine', 'add'])
  })
})

function twice(g: GraphBuilder, value: Value): Value {
  return g.add(g.relu(value), g.tanh(value))
}

function double(g: GraphBuilder, value: Value): Value {
  return g.add(value, value)
}

it('what is fused computes what it stands for: random chains through the references', () => {
  const step = fc.constantFrom('scale', 'bias', 'row', 'skip', 'relu', 'tanh', 'sigmoid', 'silu', 'double', 'halve')
  let fewer = 0
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 999 }), (steps, seed) => {
    let state = seed
    const random = (...shape: number[]): HostTensor => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
        state = (state * 48271) % 2147483647
        return state / 2147483647 - 0.5
      })
      return tensor(values, shape)
    }
    const g = graph()
    let value: Value = g.matmul(g.input('x', 'f32', [4, 6]), random(6, 5))
    for (const name of steps) {
      if (name === 'scale') value = g.mul(value, random(1, 5))
      else if (name === 'bias') value = g.add(value, random(5))
      else if (name === 'row') value = g.add(random(4, 1), value)
      else if (name === 'skip') value = g.add(value, random(4, 5))
      else if (name === 'double') value = g.add(value, value)
      else if (name === 'halve') value = g.div(value, tensor([2, -4, 1, 0.5, 8]))
      else if (name === 'silu') value = g.mul(value, g.sigmoid(value))
      else value = g.node(name, [value])
    }
    g.output('y', value)
    const made = g.finish()
    const typed = typeGraph(made, new Map([['x', { dtype: 'f32', shape: [4, 6] }]]))
    const fused = fuseGraph(typed, () => true)
    fewer += typed.nodes.length - fused.nodes.length
    const x = random(4, 6)
    const expected = evaluated(typed.nodes, new Map([...typed.known, ['x', x]]))
    const actual = evaluated(fused.nodes, new Map([...fused.known, ['x', x]]))
    expect(actual.length).toBe(20)
    for (const [index, want] of expected.entries()) expect(actual[index]).toBeCloseTo(want, 4)
  })
  fc.assert(property, { numRuns: 200, seed: 20170327 })
  expect(fewer).toBeGreaterThan(100)
})

function evaluated(nodes: readonly TypedNode[], values: Map<string, HostTensor>): number[] {
  for (const { node, definition, context } of nodes) {
    const inputs = node.inputs.map((name) => (name === null ? null : (values.get(name) ?? null)))
    const outputs = definition.reference(inputs, context.attributes)
    node.outputs.forEach((name, index) => {
      const made = outputs[index]
      if (made !== undefined) values.set(name, made.tensor)
    })
  }
  return Array.from(values.get('y')?.values ?? [], Number)
}
