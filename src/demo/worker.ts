/** The worker: opens the device, reads networks, profiles them. One call after another; `cancel` stops the one that runs. */
import { macsOf, openGpu, profileModel, type Gpu, type Graph } from '../index.ts'
import { bindDimensions, symbolicDimensions } from '../graph/dimensions.ts'
import { loadGraph, runnable } from '../graph/load.ts'
import { layerPlans } from '../profile/layers.ts'
import type { Calls, CallName, Failure, Inspected, Opened, ProfileRequest, Reply, Request, Source } from './protocol.ts'

let gpu: Gpu | undefined
const running = new Map<number, AbortController>()
let line: Promise<unknown> = Promise.resolve()

function post(reply: Reply): void {
  self.postMessage(reply)
}

async function open(): Promise<Opened> {
  if (gpu === undefined || gpu.disposed || gpu.faults.end !== undefined) {
    gpu?.dispose()
    gpu = await openGpu({ powerPreference: 'high-performance' })
  }
  return { adapter: gpu.adapter, f16: gpu.facts.features.has('shader-f16') }
}

async function graphOf(source: Source, signal?: AbortSignal): Promise<Graph> {
  const signalled = signal === undefined ? {} : { signal }
  return runnable(await loadGraph('network' in source ? source.network : source.bytes, signalled))
}

async function inspect(source: Source): Promise<Inspected> {
  const loaded = await graphOf(source)
  const graph = bindDimensions(loaded)
  const layers = layerPlans(graph).map(({ name, problem }) => ({ name, problem, macs: macsOf(problem) }))
  return { name: nameOf(source, graph), layers, nodes: graph.nodes.length, bound: symbolicDimensions(loaded) }
}

function nameOf(source: Source, graph: Graph): string {
  return 'file' in source ? source.file.replace(/\.onnx$/i, '') : graph.name
}

async function profile(
  { source, ...options }: ProfileRequest,
  id: number,
  signal: AbortSignal,
): Promise<Calls['profile']['reply']> {
  await open()
  if (gpu === undefined) throw new Error('The device is gone')
  const graph = bindDimensions(await graphOf(source, signal))
  const report = await profileModel(gpu, graph, {
    ...options,
    signal,
    onProgress: (event) => {
      post({ id, kind: 'progress', event })
    },
  })
  return { ...report, model: nameOf(source, graph) }
}

function answer(message: Exclude<Request, { call: 'cancel' }>, signal: AbortSignal): Promise<Calls[CallName]['reply']> {
  switch (message.call) {
    case 'open':
      return open()
    case 'inspect':
      return inspect(message.request)
    case 'profile':
      return profile(message.request, message.id, signal)
    default:
      throw new Error(`Unknown call ${JSON.stringify(message satisfies never)}`)
  }
}

function failure(error: unknown): Failure {
  return error instanceof Error ? { name: error.name, message: error.message } : { name: 'Error', message: String(error) }
}

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.call === 'cancel') {
    running.get(data.id)?.abort()
    return
  }
  const { id } = data
  const controller = new AbortController()
  running.set(id, controller)
  line = line
    .then(() => answer(data, controller.signal))
    .then((value) => {
      post({ id, kind: 'done', value })
    })
    .catch((error: unknown) => {
      post({ id, kind: 'error', error: failure(error) })
    })
    .finally(() => running.delete(id))
})
