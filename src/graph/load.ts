/**
 * From a name to a network: a builder's name (`alexnet`), an ONNX file's bytes, path or URL. Files are read by what the platform
 * has: `fetch` in a browser; in Node also paths, once src/formats/node-files.ts is imported.
 */
import { isNetworkName, networkNamed, type NetworkOptions } from '../../models/index.ts'
import { ModelFormatError, OptionError, UnsupportedOpError } from '../errors.ts'
import { importOnnx, type ExternalData } from '../formats/onnx.ts'
import type { Gpu } from '../gpu/gpu.ts'
import type { Graph, UnsupportedNode } from './graph.ts'
import { compile, type CompileOptions, type Model } from './model.ts'

/** A builder's name, a path or URL, or the bytes of an ONNX file. */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer

export interface LoadGraphOptions extends NetworkOptions {
  /** Gives files that an ONNX model keeps weights in; by default they are read from beside the model. */
  readonly externalData?: ExternalData
  readonly signal?: AbortSignal
}

export interface LoadOptions extends LoadGraphOptions, CompileOptions {
  readonly signal?: AbortSignal
}

export interface LoadedGraph {
  readonly graph: Graph
  /** Every node that cannot be run, and why; the graph runs only where there is none. */
  readonly unsupported: readonly UnsupportedNode[]
}

/** Reads a path, or a `file:` URL. */
export type FileReader = (path: string | URL, signal?: AbortSignal) => Promise<Uint8Array>

let readPath: FileReader = (path, signal) => fetchBytes(String(path), signal)

/** How paths are read from now on: src/formats/node-files.ts sets Node's way. */
export function setFileReader(reader: FileReader): void {
  readPath = reader
}

/**
 * The bytes at a URL (`http`, `https`, `data`, `blob`, `file`) or at a path.
 * @throws OptionError when there is nothing to be read there; the signal's reason
 */
export function readBytes(location: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  const text = String(location)
  if (/^(https?|data|blob):/i.test(text)) return fetchBytes(text, signal)
  if (/^file:/i.test(text)) return readPath(new URL(text), signal)
  return readPath(text, signal)
}

/**
 * A network without a GPU: what can be looked at, and what in it cannot be run.
 * @throws OptionError when the source is neither a network's name nor a readable file
 * @throws ModelFormatError when it is no complete ONNX model
 */
export async function loadGraph(source: ModelSource, options: LoadGraphOptions = {}): Promise<LoadedGraph> {
  const { externalData, signal, ...network } = options
  if (typeof source === 'string' && isNetworkName(source)) {
    return { graph: networkNamed(source).build(network), unsupported: [] }
  }
  const extra = Object.entries(network).find(([, value]) => value !== undefined)
  if (extra !== undefined) {
    throw new OptionError(`Option ${extra[0]} is for networks that Tilewright builds, not for a model file`, {
      remedy: 'A model file has its own weights; symbolic dimensions follow from what is fed',
    })
  }
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    const bytes = source instanceof Uint8Array ? source : new Uint8Array(source)
    return importOnnx(bytes, { externalData })
  }
  const bytes = await readModel(source, signal)
  const beside = dataBeside(source, signal)
  try {
    return await importOnnx(bytes, { name: baseName(source), externalData: externalData ?? beside })
  } catch (error) {
    if (!(error instanceof ModelFormatError)) throw error
    throw new ModelFormatError(`${String(source)}: ${error.summary}`, error.details, { cause: error })
  }
}

/**
 * Loads a network and makes it ready to run: kernels chosen, memory planned, weights uploaded.
 * @throws UnsupportedOpError that lists every node that cannot be run, with the reason
 * @throws as `loadGraph` and `compile`
 */
export async function loadModel(gpu: Gpu, source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const { batch, seed, weights, externalData, ...rest } = options
  const network = {
    ...(batch === undefined ? {} : { batch }),
    ...(seed === undefined ? {} : { seed }),
    ...(weights === undefined ? {} : { weights }),
    ...(externalData === undefined ? {} : { externalData }),
    ...(rest.signal === undefined ? {} : { signal: rest.signal }),
  }
  return compile(gpu, runnable(await loadGraph(source, network)), rest)
}

/** The graph of a model, all of which can be run. @throws UnsupportedOpError listing each node that cannot, and why. */
export function runnable({ graph, unsupported }: LoadedGraph): Graph {
  if (unsupported.length === 0) return graph
  const lines = unsupported.map(({ node, op, reason }) => `  ${node} (${op}): ${reason}`)
  const what = unsupported.length === 1 ? '1 node' : `${unsupported.length} nodes`
  throw new UnsupportedOpError(`${what} of ${graph.name} cannot be run:\n${lines.join('\n')}`)
}

/** As `readBytes`; for what can be no file's name, the error lists the networks. */
async function readModel(source: string | URL, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await readBytes(source, signal)
  } catch (error) {
    // Throws: what is no file here was meant as a network.
    if (error instanceof OptionError && typeof source === 'string' && /^[\w-]+$/.test(source)) networkNamed(source)
    throw error
  }
}

async function fetchBytes(url: string, signal?: AbortSignal): Promise<Uint8Array> {
  let response: Response
  try {
    response = await fetch(url, signal === undefined ? {} : { signal })
  } catch (cause) {
    signal?.throwIfAborted()
    throw new OptionError(`${url} cannot be fetched`, { reason: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
  if (!response.ok) throw new OptionError(`${url} cannot be fetched: ${response.status} ${response.statusText}`.trim())
  return new Uint8Array(await response.arrayBuffer())
}

/** Reads the files in which a model at `source` keeps weights: they lie beside it. */
export function dataBeside(source: string | URL, signal?: AbortSignal): ExternalData {
  return (file) => readBytes(sibling(source, file), signal)
}

/** The location of a file named relative to `source`. */
function sibling(source: string | URL, file: string): string {
  const text = String(source)
  if (/^(https?|file):/i.test(text)) return new URL(file, text).href
  return `${text.slice(0, Math.max(text.lastIndexOf('/'), text.lastIndexOf('\\')) + 1)}${file}`
}

/** `nets/squeezenet.onnx` → `squeezenet`; `squeezenet/model.onnx` → `squeezenet`, as model collections name their files. */
function baseName(source: string | URL): string {
  const parts = (String(source).split(/[?#]/)[0] ?? '').split(/[/\\]/)
  const file = (parts.pop() ?? '').replace(/\.onnx$/i, '')
  const folder = parts.pop() ?? ''
  return file === 'model' && /^[^.:]/.test(folder) ? folder : file || 'model'
}
