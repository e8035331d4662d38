/**
 * ONNX models to graphs. Old opsets are rewritten to the newest form of each op, so that the rest of Tilewright knows one form only.
 * A file that is no consistent model throws ModelFormatError; what is a model, but more than Tilewright can run, comes back
 * as a list of *all* the nodes, inputs and tensors that cannot be taken, each with the reason.
 */
import type { GraphProto, ValueInfoProto } from 'onnx-buf'
import { DtypeError, ModelFormatError } from '../errors.ts'
import type { Graph, GraphInput, GraphNode, UnsupportedNode } from '../graph/graph.ts'
import { REGISTRY } from '../ops/registry.ts'
import { Refusal } from './onnx/attributes.ts'
import { Conversion, GraphSketch, unique, type OnnxNode } from './onnx/convert.ts'
import { canonicalDomain, decodeModel, domainName, type DecodedModel } from './onnx/decode.ts'
import { noteFacts } from './onnx/facts.ts'
import { topologicalOrder } from './onnx/order.ts'
import { MICROSOFT_TABLE } from './onnx/quantised.ts'
import { NEWEST_OPSET, OLDEST_OPSET, OP_TABLE, rename } from './onnx/table.ts'
import { TensorReader, type ExternalData } from './onnx/tensors.ts'
import { dtypeOf, onnxTypeName } from './tensor-proto.ts'

export type { ExternalData } from './onnx/tensors.ts'

/** The ops of each domain. */
const TABLES = new Map([
  ['', OP_TABLE],
  ['com.microsoft', MICROSOFT_TABLE],
])

export interface ImportOptions {
  /** The graph's name; else the one in the file. */
  readonly name?: string | undefined
  /** Gives the bytes of files that the model keeps weights in, by their path relative to the model. */
  readonly externalData?: ExternalData | undefined
}

export interface ImportedModel {
  /**
   * The model. Nodes that cannot be run are in it under their ONNX op type ('LSTM', 'com.microsoft::QGemm'), which no registry
   * knows: a graph with a non-empty `unsupported` can be looked at, but not run.
   */
  readonly graph: Graph
  readonly unsupported: readonly UnsupportedNode[]
  /** Version of ONNX's own operator set. */
  readonly opset: number
  readonly irVersion: number
  readonly producer: string
}

/**
 * Imports an ONNX model (opsets 8 to 28; ops of older opsets where their definition has not changed since).
 * Initializers that also appear as inputs (IR version 3) are constants, not inputs.
 * @throws ModelFormatError when `bytes` are no complete, consistent model, or a file with external data is missing.
 */
export async function importOnnx(bytes: Uint8Array, options: ImportOptions = {}): Promise<ImportedModel> {
  const decoded = decodeModel(bytes)
  const { graph, model } = decoded
  const reader = await TensorReader.open(graph, options.externalData)
  return {
    ...convertGraph(decoded, reader, options.name ?? (graph.name === '' ? 'model' : graph.name)),
    opset: decoded.opsets.get('') ?? 0,
    irVersion: decoded.irVersion,
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
  }
}

function convertGraph(decoded: DecodedModel, reader: TensorReader, name: string): Pick<ImportedModel, 'graph' | 'unsupported'> {
  const { graph } = decoded
  const unsupported: UnsupportedNode[] = []
  const onnxNodes = namedNodes(graph)
  const initializers = initializerNames(graph)
  const inputInfos = graph.input.filter((info) => !initializers.has(info.name))
  const outputs = graph.output.map((info) => info.name)
  if (outputs.length === 0) throw new ModelFormatError('The model has no outputs')
  requireUnique(
    'input',
    inputInfos.map((info) => info.name),
  )
  requireUnique('output', outputs)
  const defined = new Set([...initializers, ...inputInfos.map((info) => info.name)])
  const ordered = topologicalOrder(onnxNodes, defined, outputs)
  const used = new Set([...outputs, ...onnxNodes.flatMap((node) => node.inputs)])

  const sketch = new GraphSketch([...defined, ...onnxNodes.flatMap((node) => node.outputs)])
  for (const info of [...graph.valueInfo, ...graph.output]) noteValueInfo(info, sketch)
  const inputs = inputInfos.flatMap((info) => graphInput(info, sketch, unsupported))
  readInitializers(graph, reader, sketch, unsupported)
  const tooOld: OnnxNode[] = []
  for (const node of ordered) convertNode(node, { decoded, reader, sketch, used, unsupported, tooOld })
  const [old] = tooOld
  if (old !== undefined) {
    throw new ModelFormatError(`Operator set ${decoded.opsets.get('')} is older than Tilewright reads`, {
      node: old.name,
      op: old.opType,
      limit: `opset ${OLDEST_OPSET} to ${NEWEST_OPSET}`,
      remedy: `Convert the model with onnx.version_converter, or export it again with opset ${OLDEST_OPSET} or later`,
    })
  }
  const needed = new Set([...outputs, ...sketch.nodes.flatMap((node) => node.inputs)])
  const constants = new Map([...sketch.constants].filter(([value]) => needed.has(value)))
  return { graph: { name, inputs, outputs, nodes: sketch.nodes, constants }, unsupported }
}

function namedNodes(graph: GraphProto): OnnxNode[] {
  const taken = new Set<string>()
  return graph.node.map((proto, index) => ({
    name: unique(proto.name === '' ? `${proto.opType}_${index}` : proto.name, taken),
    opType: proto.opType,
    domain: canonicalDomain(proto.domain),
    inputs: proto.input,
    outputs: proto.output,
    proto,
  }))
}

function initializerNames(graph: GraphProto): Set<string> {
  const names = [
    ...graph.initializer.map((proto) => proto.name),
    ...graph.sparseInitializer.map((proto) => proto.values?.name ?? ''),
  ]
  if (names.includes('')) throw new ModelFormatError('An initializer has no name')
  requireUnique('initializer', names)
  return new Set(names)
}

function requireUnique(what: string, names: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) throw new ModelFormatError(`The model has two ${what}s named '${name}'`)
    seen.add(name)
  }
}

/** Remembers the dtype and the rank that the file states for a value. */
function noteValueInfo(info: ValueInfoProto, sketch: GraphSketch): void {
  if (info.type?.value.case !== 'tensorType') return
  const { elemType, shape } = info.type.value.value
  sketch.facts.set(info.name, { dtype: dtypeOf(elemType) ?? undefined, rank: shape?.dim.length })
}

function graphInput(info: ValueInfoProto, sketch: GraphSketch, unsupported: UnsupportedNode[]): GraphInput[] {
  const refuse = (reason: string): [] => {
    unsupported.push({ node: info.name, op: 'Input', reason })
    return []
  }
  const type = info.type?.value
  if (type?.case !== 'tensorType') {
    return refuse(
      type?.case === undefined ? 'the input has no type' : `inputs of kind ${type.case.replace('Type', '')} are not supported`,
    )
  }
  const dtype = dtypeOf(type.value.elemType)
  if (dtype === null) return refuse(`element type ${onnxTypeName(type.value.elemType)} is not supported`)
  if (type.value.shape === undefined) return refuse('the input has no shape')
  noteValueInfo(info, sketch)
  const shape = type.value.shape.dim.map(({ value }, axis) => {
    if (value.case === 'dimParam' && value.value !== '') return value.value
    if (value.case !== 'dimValue' || value.value < 0n) return `${info.name}_dim${axis}`
    const extent = Number(value.value)
    if (Number.isSafeInteger(extent)) return extent
    throw new ModelFormatError(`Input '${info.name}' declares a dimension of ${value.value}`)
  })
  return [{ name: info.name, dtype, shape }]
}

function readInitializers(graph: GraphProto, reader: TensorReader, sketch: GraphSketch, unsupported: UnsupportedNode[]): void {
  for (const proto of graph.initializer) {
    try {
      sketch.setConstant(proto.name, reader.read(proto, proto.name))
    } catch (error) {
      if (!(error instanceof DtypeError)) throw error
      unsupported.push({
        node: proto.name,
        op: 'Initializer',
        reason: `element type ${onnxTypeName(proto.dataType)} is not supported`,
      })
    }
  }
  for (const proto of graph.sparseInitializer) {
    unsupported.push({ node: proto.values?.name ?? '', op: 'Initializer', reason: 'sparse tensors are not supported' })
  }
}

interface ConversionState {
  readonly decoded: DecodedModel
  readonly reader: TensorReader
  readonly sketch: GraphSketch
  readonly used: ReadonlySet<string>
  readonly unsupported: UnsupportedNode[]
  readonly tooOld: OnnxNode[]
}

function convertNode(node: OnnxNode, state: ConversionState): void {
  const { sketch, unsupported } = state
  try {
    const conversion = prepare(node, state)
    if (conversion === null) return
    for (const emitted of conversion.emitted) {
      sketch.nodes.push(emitted)
      noteFacts(emitted, sketch)
    }
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof DtypeError)) throw error
    const op = node.domain === '' ? node.opType : `${node.domain}::${node.opType}`
    unsupported.push({ node: node.name, op, reason: error.message })
    sketch.nodes.push({
      name: node.name,
      op,
      inputs: node.inputs.map((name) => (name === '' ? null : name)),
      outputs: node.outputs.filter((name) => name !== ''),
      attributes: {},
    })
  }
}

/** Runs the rule of a node. null: the model as a whole is too old. @throws Refusal with the reason why it cannot be run. */
function prepare(node: OnnxNode, { decoded, reader, sketch, used, tooOld }: ConversionState): Conversion | null {
  const opset = decoded.opsets.get(node.domain)
  if (decoded.model.functions.some((each) => each.name === node.opType && canonicalDomain(each.domain) === node.domain)) {
    throw new Refusal('functions defined in the model are not supported')
  }
  const table = TABLES.get(node.domain)
  if (table === undefined) throw new Refusal(`ops of domain ${node.domain} are not supported`)
  if (node.domain !== '' && !table.has(node.opType)) throw new Refusal('Tilewright does not have this op')
  if (opset === undefined)
    throw new ModelFormatError(`The model does not import domain ${domainName(node.domain)}`, { node: node.name, op: node.opType })
  const conversion = new Conversion(node, opset, sketch, reader, used)
  const [body] = conversion.attributes.subgraphs()
  if (body !== undefined) throw new Refusal(`ops with a subgraph (attribute ${body}) are not supported`)
  const rule = table.get(node.opType)
  if (rule === undefined) throw new Refusal('Tilewright does not have this op')
  if (node.domain === '' && opset > NEWEST_OPSET)
    throw new Refusal(`opset ${opset} is newer than Tilewright reads (${OLDEST_OPSET} to ${NEWEST_OPSET})`)
  if (opset < rule.since) {
    if (opset >= OLDEST_OPSET) throw new Refusal(`the op came with opset ${rule.since}, but the model imports ${opset}`)
    tooOld.push(node)
    return null
  }
  const unknown = conversion.attributes.names.find(
    (name) => !Object.hasOwn(rule.attributes, name) && rule.other?.includes(name) !== true,
  )
  if (unknown !== undefined) throw new Refusal(`attribute ${unknown} is not supported`)
  const count = conversion.inputs.length
  if (count < rule.inputs[0] || count > rule.inputs[1]) {
    throw conversion.broken(`The node has ${count} inputs; the op takes ${rule.inputs[0]} to ${rule.inputs[1]}`)
  }
  for (let index = 0; index < rule.inputs[0]; index++) conversion.input(index)
  const made = rule.outputs ?? 1
  for (let index = made; index < node.outputs.length; index++) {
    if (conversion.isUsed(index))
      throw new Refusal(`its output ${index} ('${node.outputs[index]}') is used, but cannot be computed`)
  }
  const convert = rule.convert ?? rename
  convert(conversion, rule)
  conversion.emitted.forEach(checkAttributes)
  return conversion
}

/** @throws Refusal when an attribute has a value that our op does not take. */
function checkAttributes(node: GraphNode): void {
  const parsed = REGISTRY.get(node.op)?.attributes.safeParse(node.attributes)
  if (parsed === undefined || parsed.success) return
  const issues = parsed.error.issues.map(({ path, message }) => `attribute ${path.join('.')}: ${message}`)
  throw new Refusal(issues.join('; '))
}
