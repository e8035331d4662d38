/** Networks from names, bytes, paths and URLs. */
import { create } from '@bufbuild/protobuf'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import { TensorProto_DataLocation, TensorProto_DataType, TensorProtoSchema } from 'onnx-buf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import '../../src/formats/node-files.ts'
import { ModelFormatError, OptionError, UnsupportedOpError } from '../../src/errors.ts'
import { bindDimensions, symbolicDimensions } from '../../src/graph/dimensions.ts'
import { loadGraph, runnable } from '../../src/graph/load.ts'
import { classifier, unknownOps } from '../cli/files.ts'
import { folderOf } from '../cli/harness.ts'
import { modelBytes, node, valueInfo } from '../formats/onnx-builder.ts'

/** x + w, with w [4] in the file weights.bin beside the model. */
function withExternalData(): Uint8Array {
  const entries = { location: 'weights.bin', offset: '4', length: '16' }
  const w = create(TensorProtoSchema, {
    name: 'w',
    dims: [4n],
    dataType: TensorProto_DataType.FLOAT,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  })
  return modelBytes({ inputs: [valueInfo('x', [4])], initializers: [w], nodes: [node('Add', ['x', 'w'], ['y'])] })
}

const weights = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer)
const files: Readonly<Record<string, Uint8Array>> = {
  'classifier.onnx': classifier('N'),
  'external.onnx': withExternalData(),
  'weights.bin': weights,
  'unknown.onnx': unknownOps(),
}
const folder = folderOf({ ...files, 'text.onnx': 'not a model' })
const lonely = folderOf({ 'external.onnx': withExternalData() })
let server: Server
let url: string

beforeAll(async () => {
  server = createServer((request, response) => {
    const file = files[request.url?.slice(1) ?? '']
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  folder.remove()
  lonely.remove()
})

describe('loadGraph', () => {
  test('a network by name, with its options', async () => {
    const { graph, unsupported } = await loadGraph('AlexNet', { batch: 2 })
    expect([graph.name, graph.inputs[0]?.shape, unsupported]).toEqual(['alexnet', [2, 3, 227, 227], []])
  })

  test('the same model from bytes, a path, a file URL and over http', async () => {
    const sources = [
      files['classifier.onnx'] ?? '',
      Uint8Array.from(files['classifier.onnx'] ?? []).buffer,
      folder.path('classifier.onnx'),
      pathToFileURL(folder.path('classifier.onnx')),
      `${url}/classifier.onnx`,
      new URL(`${url}/classifier.onnx`),
    ]
    const graphs = await Promise.all(sources.map(async (source) => (await loadGraph(source)).graph))
    for (const graph of graphs) expect({ ...graph, name: '' }).toEqual({ ...graphs[0], name: '' })
    expect(graphs.slice(2).map(({ name }) => name)).toEqual(['classifier', 'classifier', 'classifier', 'classifier'])
  })

  test('weights in a file beside the model, on disk and over http', async () => {
    for (const source of [folder.path('external.onnx'), pathToFileURL(folder.path('external.onnx')), `${url}/external.onnx`]) {
      const { graph } = await loadGraph(source)
      expect(Array.from(graph.constants.get('w')?.values as Float32Array)).toEqual([1, 2, 3, 4])
    }
    const given = await loadGraph(withExternalData(), { externalData: () => weights })
    expect(Array.from(given.graph.constants.get('w')?.values as Float32Array)).toEqual([1, 2, 3, 4])
  })

  test('says which file is missing', async () => {
    await expect(loadGraph(lonely.path('external.onnx'))).rejects.toThrow(/weights\.bin/)
    await expect(loadGraph(folder.path('none.onnx'))).rejects.toThrow(OptionError)
    await expect(loadGraph(`${url}/none.onnx`)).rejects.toThrow(/none\.onnx cannot be fetched: 404/)
    await expect(loadGraph('http://127.0.0.1:1/x.onnx')).rejects.toThrow(OptionError)
    await expect(loadGraph('alexnut')).rejects.toThrow(/no network called alexnut/)
  })

  test('names the file that is no model', async () => {
    await expect(loadGraph(folder.path('text.onnx'))).rejects.toThrow(ModelFormatError)
    await expect(loadGraph(folder.path('text.onnx'))).rejects.toThrow(/text\.onnx: /)
  })

  test('refuses options that a model file has no use for', async () => {
    await expect(loadGraph(folder.path('classifier.onnx'), { batch: 2 })).rejects.toThrow(OptionError)
  })

  test('stops at a signal', async () => {
    const signal = AbortSignal.abort(new DOMException('stop', 'AbortError'))
    await expect(loadGraph(folder.path('classifier.onnx'), { signal })).rejects.toThrow('stop')
  })

  test('every unsupported node is in one error', async () => {
    const loaded = await loadGraph(folder.path('unknown.onnx'))
    expect(loaded.unsupported.map(({ node: name, op }) => [name, op])).toEqual([
      ['first', 'FancyOp'],
      ['last', 'org.example::Conv'],
    ])
    expect(() => runnable(loaded)).toThrow(UnsupportedOpError)
    expect(() => runnable(loaded)).toThrow(
      /2 nodes of unknown cannot be run:\n {2}first \(FancyOp\): .*\n {2}last \(org\.example::Conv\): /,
    )
  })
})

describe('symbolic dimensions', () => {
  test('are given sizes by name, the others one', async () => {
    const { graph } = await loadGraph(files['classifier.onnx'] ?? '')
    expect(symbolicDimensions(graph)).toEqual(['N'])
    expect(bindDimensions(graph).inputs[0]?.shape).toEqual([1, 3, 8, 8])
    expect(bindDimensions(graph, { N: 5 }).inputs[0]?.shape).toEqual([5, 3, 8, 8])
    expect(() => bindDimensions(graph, { M: 5 })).toThrow(/symbolic dimensions are N/)
    expect(() => bindDimensions(graph, { N: 0 })).toThrow(OptionError)
  })
})
