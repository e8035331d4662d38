/**
 * Graphs to ONNX models: `importOnnx` the other way round, so that a network that was built here can be run by others. Everything is
 * in the one file: inputs, outputs, weights. Names of values stay; what is fused into a node becomes nodes of its own again.
 *
 *     ModelProto ─ ir_version, opset_import, graph ─ node, input, output ┐   small, by the protobuf library
 *                                              └─ initializer ─ raw_data ┘   as large as the weights: laid behind, copied once
 */
import { clearField, create, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from 'onnx-buf'
import { ModelFormatError, TilewrightError, UnsupportedOpError } from '../../errors.ts'
import { bindDimensions, symbolicDimensions } from '../../graph/dimensions.ts'
import type { Graph, GraphNode } from '../../graph/graph.ts'
import { checkGraph, resolveInputs, typeGraph } from '../../graph/passes.ts'
import { REGISTRY } from '../../ops/registry.ts'
import { onnxNames } from '../../ops/window.ts'
import { parseAttributes } from '../../ops/run.ts'
import { byteSize } from '../../tensor/dtype.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { HostTensor, TensorType } from '../../tensor/tensor.ts'
import { onnxTypeOf, toTensorProto } from '../tensor-proto.ts'
import { Refusal } from './attributes.ts'
import { Emission, OnnxSketch } from './emission.ts'
import { formOf } from './forms.ts'

/** What most runtimes read; ops that are newer raise it. */
const OPSET = 17
const IR_VERSION = 8n
/** The com.microsoft domain has one version. */
const MICROSOFT = 1n

/** Of a protobuf message, whose lengths are signed 32-bit integers in most readers. */
const MOST_BYTES = 2 ** 31 - 1

/** Fields of onnx.proto that are written here. */
const FIELD = { modelGraph: 7, graphInitializer: 5, tensorRawData: 9 } as const
/** Protobuf's wire type of what has a length. */
const LENGTH_DELIMITED = 2

/**
 * The bytes of an ONNX model: opset 17 or what its ops need, IR version 8, weights within. Kernels forced by attributes are left out.
 * @throws UnsupportedOpError listing every node that has no ONNX form, with the reason; ModelFormatError beyond 2 GiB; ShapeError,
 * DtypeError for a graph that does not fit together
 */
export function exportOnnx(graph: Graph): Uint8Array<ArrayBuffer> {
  checkSize(graph)
  const types = typesOf(graph)
  const values = [
    ...graph.inputs.map(({ name }) => name),
    ...graph.constants.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]
  const sketch = new OnnxSketch(
    values,
    graph.nodes.map(({ name }) => name),
    OPSET,
  )
  writeNodes(graph, sketch, types.known)
  const envelope = create(GraphProtoSchema, {
    name: graph.name,
    node: sketch.nodes,
    input: graph.inputs.map(({ name, dtype, shape }) => valueInfo(name, dtype, shape)),
    output: graph.outputs.map((name) => {
      const type = types.outputs.get(name)
      return type === undefined ? create(ValueInfoProtoSchema, { name }) : valueInfo(name, type.dtype, type.shape)
    }),
  })
  const constants = [...graph.constants, ...sketch.constants].map(([name, tensor]) => tensorField(name, tensor))
  const inner = [toBinary(GraphProtoSchema, envelope), ...constants.flat()]
  const opsets = [
    { domain: '', version: BigInt(sketch.opset) },
    ...[...sketch.domains].map((domain) => ({ domain, version: MICROSOFT })),
  ]
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'tilewright',
    opsetImport: opsets.map((opset) => create(OperatorSetIdProtoSchema, opset)),
  })
  return joined(graph, [toBinary(ModelProtoSchema, model), header(FIELD.modelGraph, lengthOf(inner)), ...inner])
}

function checkSize(graph: Graph): void {
  const bytes = [...graph.constants.values()].reduce((sum, { dtype, shape }) => sum + sizeOf(shape) * byteSize(dtype), 0)
  if (bytes > MOST_BYTES) refuseSize(graph, bytes)
}

function refuseSize(graph: Graph, bytes: number): never {
  throw new ModelFormatError(`${graph.name} is too large for one ONNX file`, {
    bytes,
    limit: `${MOST_BYTES} bytes, a protobuf message`,
    remedy: 'Weights in files of their own are not written yet',
  })
}

interface ExportTypes {
  /** Of every value, for ranks and dtypes: symbolic dimensions stand for some size. */
  readonly known: ReadonlyMap<string, TensorType>
  /** Of outputs, as far as they do not depend on a symbolic dimension: null there. */
  readonly outputs: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly (number | string | null)[] }>
}

/** Symbolic dimensions are tried with two sizes: what changes between them depends on one. */
const TRIALS = [224, 256] as const

function typesOf(graph: Graph): ExportTypes {
  const unknown = graph.nodes.filter(({ op }) => !REGISTRY.has(op))
  if (unknown.length > 0) refuseNodes(graph, new Map(unknown.map((node) => [node, 'Tilewright does not have this op'])))
  checkGraph(graph)
  const isFixed = symbolicDimensions(graph).length === 0
  const [first, second] = isFixed ? [trial(graph, 1)] : TRIALS.map((size) => attempt(() => trial(graph, size)))
  if (first === undefined) return { known: new Map(), outputs: new Map() }
  const outputs = graph.outputs.flatMap((name) => {
    const type = first.get(name)
    const other = isFixed ? type : second?.get(name)
    if (type === undefined) return []
    const shape = type.shape.map((extent, axis) => (other?.shape[axis] === extent ? extent : null))
    return [[name, { dtype: type.dtype, shape }] as const]
  })
  return { known: first, outputs: new Map(outputs) }
}

function trial(graph: Graph, size: number): ReadonlyMap<string, TensorType> {
  const bound = bindDimensions(graph, {}, size)
  const shapes = new Map(bound.inputs.map(({ name, shape }) => [name, shape.map(Number)]))
  return typeGraph(bound, resolveInputs(bound.inputs, shapes), new Map(), { keep: 'all' }).types
}

/** A size of no meaning may break a rule that real ones keep. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof TilewrightError) return undefined
    throw error
  }
}

function writeNodes(graph: Graph, sketch: OnnxSketch, types: ReadonlyMap<string, TensorType>): void {
  const refused = new Map<GraphNode, string>()
  for (const node of graph.nodes) {
    const form = formOf(node.op)
    if (form === undefined) {
      refused.set(node, 'ONNX has no such op')
      continue
    }
    try {
      form(new Emission(node, givenAttributes(node), sketch, types))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.set(node, error.message)
    }
  }
  if (refused.size > 0) refuseNodes(graph, refused)
}

function refuseNodes(graph: Graph, refused: ReadonlyMap<GraphNode, string>): never {
  const lines = [...refused].map(([{ name, op }, reason]) => `  ${name} (${op}): ${reason}`)
  const what = refused.size === 1 ? '1 node' : `${refused.size} nodes`
  throw new UnsupportedOpError(`${what} of ${graph.name} cannot be written as ONNX:\n${lines.join('\n')}`)
}

/** The attributes that a node states, under the op's own names and in the form in which the op reads them. */
function givenAttributes(node: GraphNode): Record<string, unknown> {
  const definition = REGISTRY.get(node.op)
  if (definition === undefined) return {}
  const stated = new Set(entriesOf(onnxNames(node.attributes)).map(([name]) => name))
  const parsed = entriesOf(parseAttributes(definition, node.attributes, node.name))
  return Object.fromEntries(parsed.filter(([name]) => stated.has(name)))
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

/** @param shape a string is a symbolic dimension, null one that is not known */
function valueInfo(name: string, dtype: string, shape: readonly (number | string | null)[]): ValueInfoProto {
  const dim = shape.map((extent) => {
    if (extent === null) return {}
    if (typeof extent === 'string') return { value: { case: 'dimParam' as const, value: extent } }
    return { value: { case: 'dimValue' as const, value: BigInt(extent) } }
  })
  const value = { elemType: onnxTypeOf(dtype), shape: { dim } }
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value } } })
}

/** An initializer as a field of the graph: its head, then its values where they lie. */
function tensorField(name: string, tensor: HostTensor): Uint8Array[] {
  const proto = toTensorProto(tensor, name)
  const { rawData } = proto
  clearField(proto, TensorProtoSchema.field.rawData)
  const inner = [toBinary(TensorProtoSchema, proto), header(FIELD.tensorRawData, rawData.length), rawData]
  return [header(FIELD.graphInitializer, lengthOf(inner)), ...inner]
}

/** Tag and length of a field (protobuf's encoding: number · 8 + wire type, then the length, both as varints). */
function header(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, LENGTH_DELIMITED).uint32(length).finish()
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}

function joined(graph: Graph, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = lengthOf(parts)
  if (length > MOST_BYTES) refuseSize(graph, length)
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
