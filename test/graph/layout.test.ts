/** The layout pass without a GPU: what it chooses, where it puts transposes, and what it leaves alone. */
import { describe, expect, it } from 'vitest'
import { networkNamed } from '../../models/index.ts'
import { graph } from '../../src/graph/builder.ts'
import { bindDimensions } from '../../src/graph/dimensions.ts'
import { fuseGraph } from '../../src/graph/fuse.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { layoutGraph, type LaidOut, type LayoutChoice } from '../../src/graph/layout.ts'
import { resolveInputs, typeGraph, type TypedNode } from '../../src/graph/passes.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { HostTensor } from '../../src/tensor/tensor.ts'

function weights(...shape: number[]): HostTensor<'f32'> {
  return new HostTensor('f32', shape, () => new Float32Array(sizeOf(shape)))
}

function laid(given: Graph, layout: LayoutChoice = 'auto', accepts: (node: TypedNode) => boolean = () => true): LaidOut {
  const bound = bindDimensions(given, {})
  const shapes = new Map(bound.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
  const typed = typeGraph(bound, resolveInputs(bound.inputs, shapes))
  return layoutGraph(
    fuseGraph(typed, () => true),
    { layout, device: { software: true }, accepts },
  )
}

/** Borders where elements move. */
function transposes(result: LaidOut): string[] {
  return result.borders.filter(({ bytes }) => bytes > 0).map(({ value, from, to }) => `${value} ${from} ${to}`)
}

function layoutsOf(result: LaidOut): Record<string, string> {
  return Object.fromEntries(
    result.decisions.map(({ node, input, output }) => [node, input === output ? input : `${input} ${output}`]),
  )
}

/** A convolution of 3 channels to 32, a pool, and what `more` makes of it. */
function net(more: (g: ReturnType<typeof graph>, x: { name: string }) => { name: string }): Graph {
  const g = graph('net')
  const x = g.input('x', 'f32', [1, 3, 20, 20])
  const conv = g.conv2d(x, weights(32, 3, 3, 3), { padding: 1, name: 'conv' })
  g.output('y', more(g, g.maxPool(conv, { kernel: 2, stride: 2, name: 'pool' })))
  return g.finish()
}

describe('networks', () => {
  it.each([
    ['squeezenet1.1', []],
    ['googlenet', []],
    ['resnet50', []],
    ['mobilenetv1', []],
    ['mobilenetv2', []],
    ['efficientnetb0', []],
    ['unet', []],
    // Fully connected layers take what the last pool leaves in the order of nchw.
    ['alexnet', ['pool5 nhwc nchw']],
    ['vgg16', ['pool5 nhwc nchw']],
  ])('%s ends with no transposes but %j', (name, expected) => {
    const result = laid(networkNamed(name).build())
    expect(transposes(result)).toEqual(expected)
    const convolutions = result.decisions.filter(({ op }) => op === 'conv2d')
    expect(convolutions.length).toBeGreaterThan(4)
    expect(convolutions[0]).toMatchObject({ input: 'nchw', output: 'nhwc' })
    expect(convolutions.slice(1, -1).every(({ input, output }) => input === 'nhwc' && output === 'nhwc')).toBe(true)
    for (const { reason } of result.decisions) expect(reason).not.toBe('')
  })

  it('are left alone in nchw, or where nothing depends on layouts', () => {
    const given = networkNamed('lenet5').build()
    expect(laid(given, 'nchw').decisions).toEqual([])
    const g = graph('sums')
    const x = g.input('x', 'f32', [1, 8, 4, 4])
    g.output('y', g.relu(g.add(x, x)))
    const result = laid(g.finish())
    expect(result.decisions).toEqual([])
    expect(result.graph.nodes).toHaveLength(2)
  })
})

describe('nodes', () => {
  it('take up axes, constants and permutations', () => {
    const given = net((g, x) => {
      const joined = g.concat([x, g.relu(x, { name: 'relu' })], { axis: 1, name: 'joined' })
      const scaled = g.mul(joined, weights(64, 1, 1), { name: 'scaled' })
      const padded = g.pad(scaled, { pads: [0, 0, 1, 2, 0, 0, 3, 4], name: 'padded' })
      const cut = g.slice(padded, { starts: [1, 2], ends: [9, 30], axes: [-1, 1], name: 'cut' })
      return g.transpose(g.maxPool(cut, { kernel: 2, name: 'last' }), { perm: [0, 2, 3, 1], name: 'turned' })
    })
    const { graph: typed, decisions, borders } = laid(given, 'nhwc')
    const named = new Map(typed.nodes.map((item) => [item.node.name, item]))
    expect(borders).toEqual([])
    expect(named.get('joined')?.context).toMatchObject({ attributes: { axis: 3 }, outputs: [{ shape: [1, 10, 10, 64] }] })
    expect(named.get('scaled')?.context.inputs[1]?.shape).toEqual([1, 1, 1, 64])
    expect(Array.from(named.get('padded')?.context.values[1]?.values ?? [], Number)).toEqual([0, 1, 2, 0, 0, 3, 4, 0])
    expect(Array.from(named.get('cut')?.context.values[3]?.values ?? [], Number)).toEqual([2, 3])
    expect(named.get('turned')?.context).toMatchObject({ attributes: { perm: [0, 1, 2, 3] }, outputs: [{ shape: [1, 13, 7, 28] }] })
    expect(decisions.find(({ node }) => node === 'turned')).toMatchObject({ input: 'nhwc', output: 'nchw' })
  })

  it('that lack a layout get what they read moved, and only they', () => {
    const given = net((g, x) => g.node('depthToSpace', [x], { blocksize: 2, name: 'blocks' }))
    const result = laid(given, 'nhwc')
    expect(transposes(result)).toEqual(['pool nhwc nchw'])
    expect(layoutsOf(result)).toEqual({ conv: 'nchw nhwc', pool: 'nhwc', blocks: 'nchw' })
    expect(result.decisions.at(-1)?.reason).toBe('depthToSpace computes in nchw alone')
    expect(result.borders).toMatchObject([{ bytes: 2 * 4 * 3200 }])
    const names = result.graph.nodes.map(({ node }) => node.name)
    expect(names).toEqual(['conv', 'pool', 'pool: nhwc to nchw', 'blocks'])
  })

  it('share a transpose of one value', () => {
    const given = net((g, x) => {
      const one = g.node('depthToSpace', [x], { blocksize: 2 })
      return g.add(one, g.node('depthToSpace', [x], { blocksize: 2, mode: 'CRD' }))
    })
    expect(transposes(laid(given, 'nhwc')).filter((border) => border.startsWith('pool'))).toEqual(['pool nhwc nchw'])
  })

  it('keep quads whole in nchw4', () => {
    const parts = (first: number): Graph =>
      net((g, x) => g.concat([g.conv2d(x, weights(first, 32, 1, 1), { name: 'part' }), x], { axis: 1, name: 'joined' }))
    expect(layoutsOf(laid(parts(8), 'nchw4')).joined).toBe('nchw4')
    expect(layoutsOf(laid(parts(7), 'nchw4')).joined).toBe('nchw')
    // A soft maximum over channels would count the places past the last.
    expect(
      layoutsOf(
        laid(
          net((g, x) => g.softmax(x, { axis: 1, name: 'soft' })),
          'nchw4',
        ),
      ).soft,
    ).toBe('nchw')
    expect(
      layoutsOf(
        laid(
          net((g, x) => g.softmax(x, { axis: 2, name: 'soft' })),
          'nchw4',
        ),
      ).soft,
    ).toBe('nchw4')
  })

  it('that the device refuses in a layout stay in another', () => {
    const given = net((g, x) => g.relu(x))
    const result = laid(given, 'nhwc', ({ node }) => node.op !== 'maxPool' || node.attributes.layout === undefined)
    expect(layoutsOf(result).pool).toBe('nchw')
    const free = laid(given, 'auto', ({ node }) => node.attributes.outputLayout === undefined)
    expect(free.decisions.every(({ input, output }) => input === output)).toBe(true)
  })
})

describe('borders', () => {
  it('cost nothing where there is one position or one channel', () => {
    const one = net((g, x) => g.flatten(g.globalAveragePool(x, { name: 'mean' })))
    expect(laid(one, 'nhwc').borders).toMatchObject([{ value: 'mean', from: 'nhwc', to: 'nchw', bytes: 0, seconds: 0 }])
    const wide = laid(
      net((g, x) => g.flatten(x)),
      'nhwc',
    )
    expect(transposes(wide)).toEqual(['pool nhwc nchw'])
  })

  it('keep names, shapes and layouts of inputs and outputs', () => {
    for (const layout of ['auto', 'nhwc', 'nchw4'] as const) {
      const given = net((_, x) => x)
      const { graph: typed } = laid(given, layout)
      expect(typed.outputs).toEqual(given.outputs)
      expect(typed.types.get('y')?.shape).toEqual([1, 32, 10, 10])
      expect(typed.nodes.flatMap(({ node }) => node.outputs)).toContain('y')
    }
  })

  it('are cheaper than a layout that is worth little', () => {
    // One small pool between nodes that lack other layouts is not worth two transposes.
    const g = graph('net')
    const x = g.input('x', 'f32', [1, 16, 8, 8])
    const blocks = g.node('depthToSpace', [x], { blocksize: 2 })
    g.output('y', g.node('spaceToDepth', [g.maxPool(blocks, { kernel: 2, stride: 2, name: 'pool' })], { blocksize: 2 }))
    expect(laid(g.finish()).borders).toEqual([])
  })
})
