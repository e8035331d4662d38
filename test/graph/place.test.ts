/** Concat in place without a GPU: which parts are written where they belong, and which are copied. */
import { describe, expect, it } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { graph } from '../../src/graph/builder.ts'
import { bindDimensions } from '../../src/graph/dimensions.ts'
import { fuseGraph } from '../../src/graph/fuse.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { layoutGraph, type LayoutChoice } from '../../src/graph/layout.ts'
import { resolveInputs, typeGraph, type TypedGraph, type TypedNode } from '../../src/graph/passes.ts'
import { placeGraph } from '../../src/graph/place.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

function weights(...shape: number[]): HostTensor<'f32'> {
  return new HostTensor('f32', shape, () => new Float32Array(sizeOf(shape)))
}

function placed(given: Graph, layout: LayoutChoice = 'nhwc', accepts: (node: TypedNode) => boolean = () => true): TypedGraph {
  const bound = bindDimensions(given, {})
  const shapes = new Map(bound.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
  const fused = fuseGraph(typeGraph(bound, resolveInputs(bound.inputs, shapes)), () => true)
  const laid = layoutGraph(fused, { layout, device: { software: true }, accepts: () => true })
  return placeGraph(laid.graph, { layoutOf: (name) => laid.layouts.get(name) ?? 'nchw', accepts })
}

function ops({ nodes }: TypedGraph): string[] {
  return nodes.map(({ node }) => node.op)
}

/** Two convolutions of x, 8 and 12 channels, to be joined. */
function net(join: (g: ReturnType<typeof graph>, a: { name: string }, b: { name: string }) => { name: string }, batch = 1): Graph {
  const g = graph('net')
  const x = g.input('x', 'f32', [batch, 4, 6, 6])
  const a = g.relu(g.conv2d(x, weights(8, 4, 1, 1), { name: 'a' }))
  g.output('y', join(g, a, g.conv2d(x, weights(12, 4, 3, 3), { padding: 1, name: 'b' })))
  return g.finish()
}

describe('networks', () => {
  it.each(['squeezenet1.1', 'googlenet'])('%s has no concat and no copy left', (name) => {
    for (const layout of ['auto', 'nhwc', 'nchw'] as const) {
      const result = placed(networkNamed(name).build(), layout)
      expect(ops(result)).not.toContain('concat')
      expect(ops(result)).not.toContain('place')
      const parts = result.nodes.filter(({ node }) => node.attributes.place !== undefined)
      expect(parts.length).toBeGreaterThan(15)
    }
  })
})

describe('parts', () => {
  it('lie one after another in one value', () => {
    for (const [layout, shape] of [
      ['nhwc', [1, 6, 6, 20]],
      ['nchw', [1, 20, 6, 6]],
      ['nchw4', [1, 5, 6, 6, 4]],
    ] as const) {
      const result = placed(
        net((g, a, b) => g.relu(g.concat([b, a], { axis: 1, name: 'joined' }))),
        layout,
      )
      const [first, second] = ['b', 'a'].map((name) => result.nodes.find(({ node }) => node.name === name))
      expect(first?.node.attributes.place).toEqual({ channels: 20, first: 0 })
      expect(second?.node.attributes.place).toEqual({ channels: 20, first: 12 })
      expect(first?.node.outputs).toEqual(second?.node.outputs)
      expect(second?.context.outputs[0]?.shape).toEqual(shape)
      expect(second?.fused).toContain('joined')
      expect(ops(result)).not.toContain('concat')
    }
  })

  it('that others use too are copied', () => {
    const result = placed(net((g, a, b) => g.mul(g.concat([a, b], { axis: 1 }), g.concat([b, g.sigmoid(a)], { axis: 1 }))))
    expect(ops(result).filter((op) => op === 'concat' || op === 'place')).toEqual(['concat', 'concat'])
    const mixed = placed(net((g, a, b) => g.concat([g.maxPool(a, { kernel: 1, name: 'pool' }), b, a], { axis: 1, name: 'joined' })))
    expect(ops(mixed)).not.toContain('concat')
    const copies = mixed.nodes.filter(({ node }) => node.op === 'place')
    expect(copies.map(({ node }) => node.attributes)).toEqual([{ layout: 'nhwc', channels: 28, first: 20 }])
    expect(mixed.nodes.find(({ node }) => node.name === 'pool')?.node.attributes.place).toEqual({ channels: 28, first: 0 })
  })

  it('stay with their concat where it is none of channels, or nothing can write in place', () => {
    const along = (axis: number): string[] => ops(placed(net((g, a) => g.concat([a, g.relu(a)], { axis }))))
    expect(along(2)).toContain('concat')
    expect(along(0)).toContain('concat')
    const refused = placed(
      net((g, a, b) => g.concat([a, b], { axis: 1 })),
      'nhwc',
      ({ node }) => node.attributes.place === undefined,
    )
    expect(ops(refused)).toContain('concat')
    // Pools of several pictures are placed in nhwc alone.
    const pools = net((g, a, b) => g.concat([g.maxPool(a, { kernel: 2 }), g.averagePool(b, { kernel: 2 })], { axis: 1 }), 2)
    expect(ops(placed(pools, 'nchw'))).toContain('concat')
    expect(ops(placed(pools, 'nhwc'))).not.toContain('concat')
  })

  it('of a concat in a concat are placed once, and copied then', () => {
    const nested = net((g, a, b) =>
      g.concat([g.concat([a, b], { axis: 1 }), g.conv2d(a, weights(4, 8, 1, 1), { name: 'c' })], { axis: 1 }),
    )
    const result = placed(nested)
    const copies = result.nodes.filter(({ node }) => node.op === 'place')
    expect(copies).toHaveLength(2)
    expect(ops(result)).not.toContain('concat')
  })
})
