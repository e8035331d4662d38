/** `tilewright run`: a model on files; outputs as .npy files, or as the classes with the highest scores. */
import { join } from 'node:path'
import { Command } from 'commander'
import { OptionError } from '../../errors.ts'
import { parseLabels, type Label } from '../../formats/labels.ts'
import { readLocalFile } from '../../formats/node-files.ts'
import { encodeNpy } from '../../formats/npy.ts'
import { runnable } from '../../graph/load.ts'
import { compile } from '../../graph/model.ts'
import { isFloat } from '../../tensor/dtype.ts'
import { HostTensor } from '../../tensor/tensor.ts'
import { colorsFor, EXIT, integerOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, withGpu } from '../gpu.ts'
import { inputOptions, located, readInputs, requireAll, type InputFlags } from '../input.ts'
import { asSparse, MODEL_HELP, openModel, sparsityOption, weightOptions, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, jsonText, present, writeText, type JsonTarget } from '../output.ts'
import { Progress } from '../progress.ts'
import { dimensions, duration, table } from '../table.ts'

export const RUN_SCHEMA = 'tilewright.run/1'

interface Options extends InputFlags, Pick<ModelFlags, 'seed' | 'weights' | 'sparsity'> {
  readonly output?: string
  readonly top?: number
  readonly labels?: string
  readonly json?: JsonTarget
  readonly adapter?: string
}

interface Top {
  /** Which picture of the batch. */
  readonly item: number
  readonly index: number
  readonly label: string | null
  readonly score: number
}

export interface RunResult {
  readonly schema: typeof RUN_SCHEMA
  readonly model: string
  readonly outputs: Readonly<
    Record<string, { readonly dtype: string; readonly shape: readonly number[]; readonly file: string | null }>
  >
  /** Highest first, of the first output that is one score a class. */
  readonly top: readonly Top[]
}

const EXAMPLES = `
Examples:
  tilewright run squeezenet.onnx --input data=eagle.jpg --preprocess caffe --labels labels.txt --top 5
  tilewright run model.onnx --input x=x.npy --input mask=mask.npy --output out/
  tilewright run alexnet --input cat.png --preprocess imagenet      seeded weights: the numbers mean nothing

--output DIR writes each output as DIR/NAME.npy, and DIR/run.json.`

export function runCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('run')
    .description('Runs a model on tensors and pictures from files.')
    .argument('MODEL', MODEL_HELP)
    .option('--output <DIR>', 'write outputs as .npy files, and run.json')
    .option('--top <N>', 'show the N classes with the highest scores', integerOption('--top', 1))
    .option('--labels <FILE>', 'names of the classes, one a line')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return sparsityOption(weightOptions(inputOptions(command))).action(async (model: string, options: Options) => {
    const opened = await openModel(context, model, options)
    const graph = await asSparse(context, runnable(opened), options, opened.sizes)
    const input = await readInputs(context, graph, options)
    requireAll(graph, input)
    const labels = options.labels === undefined ? undefined : await readLabels(context, options.labels)
    const outputs = await withGpu(context, options.adapter, async (gpu) => {
      const { signal } = context
      const started = performance.now()
      using progress = new Progress(context)
      progress.update(0, 2, `preparing ${graph.name}`)
      using compiled = await compile(gpu, graph, { signal })
      progress.update(1, 2, `running ${graph.name}`)
      const results = await compiled.run(input, { signal })
      const host: Record<string, HostTensor> = {}
      for (const [name, result] of Object.entries(results)) {
        host[name] = new HostTensor(result.dtype, result.shape, await result.data())
        result.dispose()
      }
      progress.stop()
      remark(
        context,
        `Ran ${graph.name} on ${adapterTitle(gpu.adapter)}, preparation included in ${duration(performance.now() - started)}`,
      )
      return host
    })
    const wanted = options.top ?? (labels === undefined ? 0 : 5)
    const files = options.output === undefined ? undefined : fileNames(Object.keys(outputs))
    const result: RunResult = {
      schema: RUN_SCHEMA,
      model: graph.name,
      outputs: Object.fromEntries(
        Object.entries(outputs).map(([name, { dtype, shape }]) => [name, { dtype, shape, file: files?.get(name) ?? null }]),
      ),
      top: wanted === 0 ? [] : topOf(outputs, wanted, labels),
    }
    if (options.output !== undefined) {
      for (const [name, tensor] of Object.entries(outputs))
        writeText(join(options.output, files?.get(name) ?? `${fileName(name)}.npy`), encodeNpy(tensor))
      writeText(join(options.output, 'run.json'), `${jsonText(result)}\n`)
      remark(context, `Wrote ${Object.keys(outputs).length} .npy and run.json to ${options.output}`)
    }
    present(context, options.json, result, () => render(context, result))
    exit(EXIT.ok)
  })
}

async function readLabels({ signal }: Context, file: string): Promise<readonly Label[]> {
  const bytes = await readLocalFile(file, signal)
  return located(file, () => parseLabels(bytes))
}

/** A name as a file's: what no file system or shell minds. */
/** A file for each output; names that would be written alike (`a/b`, `a_b`, and `A_b` where case does not count) are numbered. */
export function fileNames(outputs: readonly string[]): Map<string, string> {
  const taken = new Set<string>()
  const files = new Map<string, string>()
  for (const output of outputs) {
    const plain = fileName(output)
    let name = plain
    for (let copy = 2; taken.has(name.toLowerCase()); copy++) name = `${plain}-${copy}`
    taken.add(name.toLowerCase())
    files.set(output, `${name}.npy`)
  }
  return files
}

function fileName(output: string): string {
  return output.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_') || '_'
}

/**
 * The highest scores of the first output that is scores, [N, classes] (trailing extents of 1 do not matter).
 * @throws OptionError when no output is, or when the labels are of another number of classes.
 */
export function topOf(outputs: Readonly<Record<string, HostTensor>>, count: number, labels: readonly Label[] | undefined): Top[] {
  const found = Object.entries(outputs).find(([, tensor]) => isFloat(tensor.dtype) && classesOf(tensor) !== undefined)
  const classes = found === undefined ? undefined : classesOf(found[1])
  if (found === undefined || classes === undefined) {
    throw new OptionError('No output is one score a class, so there is no top', {
      remedy: 'Leave --top and --labels out, and write outputs with --output',
    })
  }
  const [name, { values }] = found
  if (labels !== undefined && labels.length !== classes) {
    throw new OptionError(`There are ${labels.length} labels, but output ${name} has ${classes} classes`)
  }
  const scores = values as ArrayLike<number>
  const top: Top[] = []
  for (let item = 0; item * classes < scores.length; item++) {
    const own = Array.from({ length: classes }, (_, index) => ({ index, score: scores[item * classes + index] ?? NaN }))
    // NaN is never the highest score.
    own.sort((a, b) => (Number.isNaN(a.score) ? 1 : 0) - (Number.isNaN(b.score) ? 1 : 0) || b.score - a.score || a.index - b.index)
    top.push(...own.slice(0, count).map(({ index, score }) => ({ item, index, label: labels?.[index]?.name ?? null, score })))
  }
  return top
}

/** Classes of a tensor of scores, undefined where it is none. */
function classesOf({ shape }: HostTensor): number | undefined {
  const [batch, classes = batch, ...rest] = shape
  if (classes === undefined || classes < 2 || rest.some((extent) => extent !== 1)) return undefined
  return classes
}

function render(context: Context, { outputs, top }: RunResult): string {
  const colors = colorsFor(context, context.out)
  const lines = Object.entries(outputs).map(
    ([name, { dtype, shape, file }]) => `${name}: ${dtype} ${dimensions(shape)}${file === null ? '' : ` → ${file}`}`,
  )
  if (top.length === 0) return lines.join('\n')
  const batch = new Set(top.map(({ item }) => item)).size > 1
  const columns = [
    ...(batch ? [{ title: 'Item', align: 'right' as const }] : []),
    { title: 'Score', align: 'right' as const },
    { title: 'Class', align: 'right' as const },
    { title: 'Label' },
  ]
  const rows = top.map(({ item, index, label, score }) => [
    ...(batch ? [String(item)] : []),
    score.toPrecision(4),
    String(index),
    label ?? '',
  ])
  return [...lines, '', table(columns, rows, colors)].join('\n')
}
