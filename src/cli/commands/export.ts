/** `tilewright export`: a network as an ONNX file, weights within, so that other runtimes run the same. Needs no GPU. */
import { Command } from 'commander'
import type { ValueInfoProto } from 'onnx-buf'
import { decodeModel } from '../../formats/onnx/decode.ts'
import { exportOnnx } from '../../formats/onnx/export.ts'
import { dtypeOf } from '../../formats/tensor-proto.ts'
import { bindDimensions } from '../../graph/dimensions.ts'
import type { Graph, GraphInput } from '../../graph/graph.ts'
import { runnable } from '../../graph/load.ts'
import type { DType } from '../../tensor/dtype.ts'
import { EXIT, type Context } from '../context.ts'
import { MODEL_HELP, modelOptions, openModel, type ModelFlags } from '../model.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, writeText, type JsonTarget } from '../output.ts'
import { bytes as sizeText, dimensions, grouped } from '../table.ts'

export const EXPORT_SCHEMA = 'tilewright.export/1'

export interface ExportedOutput {
  readonly name: string
  /** null where the file does not say it. */
  readonly dtype: DType | null
  /** null for an extent that hangs on a symbolic dimension. */
  readonly shape: readonly (number | null)[] | null
}

export interface ExportReport {
  readonly schema: typeof EXPORT_SCHEMA
  readonly model: string
  readonly file: string
  readonly bytes: number
  /** Versions of operator sets by domain; '' is ONNX's own. */
  readonly opsets: Readonly<Record<string, number>>
  readonly ir_version: number
  /** Of the file: what is fused here is several nodes there. */
  readonly nodes: number
  readonly inputs: readonly GraphInput[]
  readonly outputs: readonly ExportedOutput[]
}

interface Options extends ModelFlags {
  readonly out: string
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright export resnet50 -o resnet50.onnx                   seeded weights
  tilewright export mobilenetv2 -o out/mobile.onnx --batch 8 --seed 3
  tilewright export alexnet --weights alexnet.safetensors -o alexnet.onnx
  tilewright export model.onnx -o fixed.onnx --dim N=4          old opsets become opset 17, dimension N becomes 4

Opset 17, or what the ops need; IR version 8; weights within the file. Symbolic dimensions stay, unless --dim or --batch fixes them.
Exit code 1 when a node has no ONNX form (all are listed), or the weights are beyond 2 GiB.`

export function exportCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('export')
    .description('Writes a network as an ONNX file, weights within, for other runtimes.')
    .argument('MODEL', MODEL_HELP)
    .requiredOption('-o, --out <FILE>', 'the ONNX file')
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
  return modelOptions(command).action(async (model: string, options: Options) => {
    const { out } = options
    checkWritable(options.json, out)
    const opened = await openModel(context, model, options)
    const graph = fixed(runnable(opened), opened.sizes)
    const file = exportOnnx(graph)
    writeText(out, file)
    const report = reportOf(graph, out, file)
    present(context, options.json, report, () => render(report))
    exit(EXIT.ok)
  })
}

/** The graph with the dimensions that `sizes` names fixed, and no other. @throws OptionError for an unknown one */
function fixed(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  bindDimensions(graph, sizes)
  const inputs = graph.inputs.map((input) => ({
    ...input,
    shape: input.shape.map((extent) => (typeof extent === 'string' ? (sizes[extent] ?? extent) : extent)),
  }))
  return { ...graph, inputs }
}

function reportOf({ name, inputs }: Graph, file: string, written: Uint8Array): ExportReport {
  const { graph, opsets, irVersion } = decodeModel(written)
  return {
    schema: EXPORT_SCHEMA,
    model: name,
    file,
    bytes: written.length,
    opsets: Object.fromEntries(opsets),
    ir_version: irVersion,
    nodes: graph.node.length,
    inputs,
    outputs: graph.output.map(outputOf),
  }
}

/** As the file has it. */
function outputOf({ name, type }: ValueInfoProto): ExportedOutput {
  if (type?.value.case !== 'tensorType') return { name, dtype: null, shape: null }
  const { elemType, shape } = type.value.value
  const extents = shape?.dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : null))
  return { name, dtype: dtypeOf(elemType), shape: extents ?? null }
}

function render({ model, file, bytes, opsets, nodes, inputs, outputs }: ExportReport): string {
  const versions = Object.entries(opsets).map(([domain, version]) => `${domain === '' ? 'opset' : domain} ${version}`)
  const fed = inputs.map(({ name, dtype, shape }) => `${name} ${dtype} ${dimensions(shape)}`)
  const given = outputs.map(({ name, dtype, shape }) => {
    return [name, dtype ?? '', shape === null ? '?' : dimensions(shape.map((extent) => extent ?? '?'))]
      .filter((text) => text !== '')
      .join(' ')
  })
  return [
    `Wrote ${file}: ${model}, ${grouped(nodes)} nodes, ${sizeText(bytes)}, ${versions.join(', ')}`,
    `${fed.join(', ')} → ${given.join(', ')}`,
  ].join('\n')
}
