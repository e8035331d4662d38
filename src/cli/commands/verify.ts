/** `tilewright verify`: every node's output on the GPU against the CPU reference, worst first. */
import { Command } from 'commander'
import { seededInputs } from '../../../models/inputs.ts'
import { bindDimensions } from '../../graph/dimensions.ts'
import { runnable } from '../../graph/load.ts'
import { verifyModel, type VerifiedNode, type VerifyReport } from '../../profile/verify.ts'
import type { HostTensor } from '../../tensor/tensor.ts'
import { colorsFor, EXIT, integerOption, numberOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, withGpu } from '../gpu.ts'
import { inputOptions, readInputs, requireAll, type InputFlags } from '../input.ts'
import { asSparse, MODEL_HELP, modelOptions, openModel, sparsityOption, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { scientific, table, type Column } from '../table.ts'

interface Options extends InputFlags, ModelFlags {
  readonly rtol?: number
  readonly atol?: number
  readonly inputSeed?: number
  readonly json?: JsonTarget
  readonly adapter?: string
}

const EXAMPLES = `
Examples:
  tilewright verify model.onnx                              seeded input
  tilewright verify model.onnx --input data=cat.jpg --preprocess imagenet
  tilewright verify resnet50 --rtol 1e-4 --atol 1e-6 --json verify.json

Both sides of a node are fed the same activations. Without --rtol and --atol each op's own error bound holds; with them,
|error| ≤ atol + rtol · |reference|. Exit code 1 when a node fails.`

export function verifyCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('verify')
    .description("Compares every node's output on the GPU with the CPU reference, worst first.")
    .argument('MODEL', MODEL_HELP)
    .option('--rtol <X>', 'allowed relative error', numberOption('--rtol', 0))
    .option('--atol <X>', 'allowed absolute error', numberOption('--atol', 0))
    .option('--input-seed <N>', 'seed of the inputs that are not given (default: 0)', integerOption('--input-seed', 0))
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return sparsityOption(modelOptions(inputOptions(command))).action(async (model: string, options: Options) => {
    const opened = await openModel(context, model, options)
    const graph = await asSparse(context, runnable(opened), options, opened.sizes)
    const given = await readInputs(context, graph, options)
    const all = Object.keys(given).length > 0
    if (all) requireAll(graph, given)
    const bound = all ? graph : bindDimensions(graph, opened.sizes)
    const input: Record<string, HostTensor> = all ? given : seededInputs(bound, options.inputSeed ?? 0)
    const report = await withGpu(context, options.adapter, async (gpu) => {
      remark(
        context,
        `${graph.name} on ${adapterTitle(gpu.adapter)}, ${all ? 'input given' : `seeded input (seed ${options.inputSeed ?? 0})`}`,
      )
      using progress = new Progress(context)
      return await verifyModel(gpu, bound, input, {
        signal: context.signal,
        onProgress: ({ node, op, index, total }) => progress.update(index, total, `${node} (${op})`),
        ...(options.rtol === undefined ? {} : { rtol: options.rtol }),
        ...(options.atol === undefined ? {} : { atol: options.atol }),
      })
    })
    present(context, options.json, report, () => render(context, report))
    exit(judge(context, report))
  })
}

const COLUMNS: readonly Column[] = [
  { title: 'Node' },
  { title: 'Op' },
  { title: 'Output' },
  { title: 'Max |error|', align: 'right' },
  { title: 'Relative', align: 'right' },
  { title: 'of allowed', align: 'right' },
  { title: '' },
]

function render(context: Context, report: VerifyReport): string {
  const colors = colorsFor(context, context.out)
  const cells = ({ node, op, output, max_abs, rel, ratio, ok }: VerifiedNode): string[] => [
    node,
    op,
    output === node ? '' : output,
    scientific(max_abs),
    scientific(rel),
    Number.isFinite(ratio) ? `${(100 * ratio).toPrecision(2)} %` : String(ratio),
    ok ? colors.green('ok') : colors.red('WRONG'),
  ]
  const { nodes, outputs } = report
  const failed = [...nodes, ...outputs].filter(({ ok }) => !ok).length
  const verdict = failed === 0 ? colors.green('all agree') : colors.red(`${failed} do not agree`)
  return [
    table(COLUMNS, nodes.map(cells), colors),
    '',
    ...(outputs.length === 0
      ? []
      : ['A plain run, beside the run that kept all values:', table(COLUMNS, outputs.map(cells), colors), '']),
    `${nodes.length} node outputs${outputs.length === 0 ? '' : `, ${outputs.length} model outputs`}: ${verdict}`,
  ].join('\n')
}

function judge(context: Context, { nodes, outputs, complete }: VerifyReport): number {
  const colors = colorsFor(context, context.err)
  for (const { node, op, output, max_abs, ratio } of [...nodes, ...outputs].filter(({ ok }) => !ok)) {
    const factor = Number.isFinite(ratio) ? `${ratio.toPrecision(3)} times what is allowed` : 'a NaN or an infinity on one side'
    remark(context, `${colors.red('VerificationError:')} ${node} (${op}), output ${output}: off by ${max_abs}, ${factor}`)
  }
  if (!complete) remark(context, 'Stopped early: the nodes above are those that were done.')
  if (context.signal.aborted) return EXIT.interrupted
  return complete && [...nodes, ...outputs].every(({ ok }) => ok) ? EXIT.ok : EXIT.failed
}
