/** Verification finds a wrong kernel, blames the node that has it, and only that. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededInputs } from '../../models/inputs.ts'
import { lenet5 } from '../../models/lenet5.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { opNamed } from '../../src/ops/registry.ts'
import { verifyModel } from '../../src/profile/verify.ts'

describe('verifyModel', () => {
  let gpu: Gpu
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => gpu?.dispose())

  const graph = lenet5({ batch: 2 })
  const input = seededInputs(graph)

  test('a network with the default kernels agrees', async () => {
    const seen: string[] = []
    const report = await verifyModel(gpu, graph, input, { onProgress: ({ node }) => seen.push(node) })
    expect(report).toMatchObject({ schema: 'tilewright.verify/1', model: 'lenet5', complete: true })
    expect(report.nodes.map(({ node }) => node).toSorted()).toEqual(graph.nodes.map(({ name }) => name).toSorted())
    expect([...report.nodes, ...report.outputs].filter(({ ok }) => !ok)).toEqual([])
    expect(seen).toEqual(['lenet5', ...graph.nodes.map(({ name }) => name), 'lenet5'])
  })

  test('a wrong kernel is found, comes first, and does not taint the nodes after it', async () => {
    const report = await verifyModel(gpu, graph, input, {
      // A sigmoid that is a hyperbolic tangent.
      planNode: ({ node, context }, device) =>
        node.name === 'sigmoid2' ? opNamed('tanh').plan({ ...context, attributes: {}, device }) : undefined,
    })
    expect(report.nodes.filter(({ ok }) => !ok).map(({ node }) => node)).toEqual(['sigmoid2'])
    expect(report.nodes[0]).toMatchObject({ node: 'sigmoid2', ok: false })
    expect(report.nodes[0]?.max_abs).toBeGreaterThan(0.1)
  })

  test('stopped, it reports the nodes that were done', async () => {
    const stop = new AbortController()
    const report = await verifyModel(gpu, graph, input, {
      signal: stop.signal,
      onProgress: ({ index }) => {
        if (index === 3) stop.abort(new DOMException('stop', 'AbortError'))
      },
    })
    expect(report.complete).toBe(false)
    expect(report.nodes.map(({ node }) => node).toSorted()).toEqual(['conv1', 'sigmoid1'])
  })
})
