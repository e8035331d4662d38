/** `tilewright prune`: a network with zeros in its weights, what that kept, and what it does to the network's results. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { isNetworkName } from '../../../models/index.ts'
import { seededInputs } from '../../../models/inputs.ts'
import { OptionError } from '../../errors.ts'
import { exportOnnx } from '../../formats/onnx/export.ts'
import { rewriteOnnx } from '../../formats/onnx/rewrite.ts'
import { bindDimensions } from '../../graph/dimensions.ts'
import type { Graph } from '../../graph/graph.ts'
import { dataBeside, readBytes, runnable } from '../../graph/load.ts'
import { pruneGraph, type Pruned } from '../../graph/prune.ts'
import { planByEnergy, pruneByPlan, type EnergyPlan } from '../../graph/prune-energy.ts'
import { comparePruned, type Comparison, type LabelledInput } from '../../profile/prune-compare.ts'
import { parsePattern, PATTERN_EXAMPLES, type PrunePattern } from '../../sparsity/pattern.ts'
import { choiceOption, EXIT, integerOption, numberOption, remark, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, withGpu } from '../gpu.ts'
import { HARDWARE_HELP, readHardware } from '../hardware.ts'
import { inputOptions, readInputs, requireAll } from '../input.ts'
import { MODEL_HELP, openModel, shapeOptions, type ModelFlags, type OpenedModel } from '../model.ts'
import { checkWritable, JSON_FLAGS, JSON_HELP, present, writeText, type JsonTarget } from '../output.ts'
import { readPictures, type PictureFlags } from '../pictures.ts'
import { Progress } from '../progress.ts'
import { pruneJson, renderPrune, type PruneResult } from '../prune-table.ts'
import { bytes as sizeText } from '../table.ts'

const ORDERS = ['given', 'energy'] as const
/** Inputs that are made where none are given. */
const SEEDED = 4

interface Options extends ModelFlags, PictureFlags {
  readonly out?: string
  readonly force?: true
  readonly pattern?: PrunePattern
  readonly permute?: true
  readonly budget?: number
  readonly layers?: readonly string[]
  readonly skip?: readonly string[]
  readonly order: (typeof ORDERS)[number]
  readonly most?: number
  readonly hardware?: string
  readonly lost?: number
  readonly compare: boolean
  readonly inputSeed?: number
  readonly json?: JsonTarget
  readonly adapter?: string
}

const EXAMPLES = `
Examples:
  tilewright prune squeezenet.onnx --pattern 2:4 --permute -o pruned.onnx
  tilewright prune squeezenet.onnx --permute -o pruned.onnx --images photos/ --labels imagenet.txt --preprocess caffe
  tilewright prune mnist.onnx --images t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz --count 500
  tilewright prune model.onnx --pattern unstructured:0.8 --skip conv1 --skip 'fc*' -o sparse.onnx
  tilewright prune alexnet --order energy --most 3 -o alexnet.onnx      the three layers whose weights cost most energy
  tilewright prune squeezenet.onnx --order energy --pattern unstructured:0.6 --hardware scnn
  tilewright prune resnet50 --no-compare                                the report alone, without a GPU

2:4 keeps two of every four neighbouring input channels, 2:4x32 the same two for 32 neighbouring filters. --permute reorders
channels first, so that 2:4 keeps more; the network before pruning computes the same. Layers that cannot be pruned are listed
with the reason. Nothing is trained: fine-tuning is another tool's.
filter:0.5, channel:0.5 and block:4x4:0.5 cut that part of each layer's filters, input channels or blocks, rounded (halves up).
channel leaves what reads the network's own input channels, filter what makes its results, unless --layers names them.
Efficacy is (permuted - as they lie) / (at best - as they lie) of the sum of |w| kept; at best are as many weights, the largest of
each layer. The relative error of results is |pruned - dense| / |dense|, norms over all inputs.
--order energy begins where the pattern saves most energy on the hardware, by its own rules about zeros; one without any is taken
to pass over them. With unstructured:PART it makes as many zeros as PART of every layer, but where they save most, within --lost.
A picture's class is told by its name (eagle_1.jpg, eagle/1.jpg) in the words of --labels.
OUT keeps everything of MODEL.onnx but the weights; a network built by name is exported.`

export function pruneCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('prune')
    .description('Sets weights of a network to zero by magnitude, and says what that does to its results.')
    .argument('MODEL', MODEL_HELP)
    .option('-o, --out <FILE>', 'the pruned network, as ONNX; without it there is only the report')
    .option('--force', 'OUT may be MODEL itself')
    .option('--pattern <PATTERN>', `which weights become zero: ${PATTERN_EXAMPLES.join(', ')} (default: 2:4)`, parsePattern)
    .option('--permute', 'permute channels before 2:4, so that more is kept')
    .option('--budget <N>', 'evaluations of the search for each group of channels (default: seconds)', integerOption('--budget', 1))
    .option('--seed <N>', 'seed of that search, and of the weights of a network built by name', integerOption('--seed', 0))
    .option('--weights <FILE>', 'a safetensors file with the weights, for a network built by name')
    .option('--layers <NAME>', 'only these layers, * standing for any text; may be given several times', collect)
    .option('--skip <NAME>', 'not these layers; may be given several times', collect)
    .option(
      '--order <ORDER>',
      `which layers first: ${ORDERS.join(', ')} (most energy first)`,
      choiceOption('--order', ORDERS),
      'given',
    )
    .option('--most <N>', 'prune the first N layers in that order alone', integerOption('--most', 1))
    .option('--hardware <NAME>', `the accelerator that --order energy prices layers on (default: eyeriss): ${HARDWARE_HELP}`)
    .option(
      '--lost <PART>',
      'with --order energy and unstructured: part of its Σ|w| that a layer may lose (default: half as much again as evenly)',
      numberOption('--lost', 0),
    )
    .option('--images <PATH>', "pictures to compare on: a folder of .png and .jpg, or a file of MNIST's")
    .option('--labels <FILE>', "names of the classes, one a line, or MNIST's labels")
    .option('--count <N>', 'compare on the first N pictures', integerOption('--count', 1))
    .option('--input-seed <N>', 'seed of the inputs where none are given (default: 0)', integerOption('--input-seed', 0))
    .option('--no-compare', 'do not run the networks: no GPU is needed')
    .option(JSON_FLAGS, JSON_HELP)
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .addHelpText('after', EXAMPLES)
  return shapeOptions(inputOptions(command)).action(async (model: string, options: Options) => {
    const { out, json } = options
    checkOut(model, options)
    checkWritable(json, out)
    const { seed, ...rest } = options
    const opened = await openModel(context, model, isNetworkName(model) && seed !== undefined ? { ...rest, seed } : rest)
    const graph = runnable(opened)
    // Before the search, which may take minutes.
    const inputs = options.compare ? await inputsOf(context, opened, options) : undefined
    const { pruned, plan } = await prune(context, graph, opened.sizes, options)
    const comparison = inputs === undefined ? undefined : await compared(context, graph, pruned, inputs, options)
    if (out !== undefined) await write(context, model, out, pruned)
    const result: PruneResult = {
      ...{ model: graph.name, file: out, report: pruned.report, comparison, plan, inputs: inputs?.text },
    }
    present(context, json, pruneJson(result), () => renderPrune(context, result))
    exit(EXIT.ok)
  })
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

function checkOut(model: string, options: Options): void {
  const { out, json, force, compare, images, labels, order, lost, hardware, permute, budget, count, preprocess, input } = options
  if (lost !== undefined && order !== 'energy') {
    throw new OptionError('--lost bounds how sparsity is spread by energy', { remedy: 'Give --order energy as well' })
  }
  if (labels !== undefined && images === undefined) {
    throw new OptionError('--labels names the classes of pictures, and there are none', { remedy: 'Give --images PATH' })
  }
  for (const [name, given, needs, there] of [
    ['--hardware', hardware, '--order energy', order === 'energy'],
    ['--budget', budget, '--permute or --order energy', permute === true || order === 'energy'],
    ['--count', count, '--images', images !== undefined],
    ['--preprocess', preprocess, '--images or --input', images !== undefined || input !== undefined],
  ] as const) {
    if (given !== undefined && !there)
      throw new OptionError(`${name} is for ${needs}`, { remedy: `Give ${needs}, or leave it out` })
  }
  if (!compare && images !== undefined) throw new OptionError('--images is for comparing, which --no-compare leaves out')
  const files = [out, typeof json === 'string' ? json : undefined]
  for (const file of force === true ? [] : files) {
    if (file === undefined || !isSame(file, model)) continue
    throw new OptionError(`${file} is MODEL itself, and would be overwritten`, { remedy: 'Name another file, or give --force' })
  }
  const [network, report] = files
  if (network !== undefined && report !== undefined && (resolve(network) === resolve(report) || isSame(network, report))) {
    throw new OptionError(`${report} cannot hold both the network and the report`, { remedy: 'Name two files' })
  }
}

/** Whether two names are one file that is there, links followed. */
function isSame(a: string, b: string): boolean {
  if (!existsSync(a) || !existsSync(b)) return false
  const [one, other] = [statSync(a), statSync(b)]
  return one.dev === other.dev && one.ino === other.ino
}

async function prune(
  context: Context,
  graph: Graph,
  sizes: OpenedModel['sizes'],
  options: Options,
): Promise<{ pruned: Pruned; plan: EnergyPlan | undefined }> {
  using progress = new Progress(context)
  const { signal } = context
  const tell = ({ done, total, text }: { done: number; total: number; text: string }): void => progress.update(done, total, text)
  const { pattern = '2:4', permute = false, seed, budget, layers, skip, order, most, hardware, lost } = options
  const which = {
    ...{ pattern, sizes, signal, onProgress: tell },
    ...(layers === undefined ? {} : { layers }),
    ...(skip === undefined ? {} : { skip }),
    ...(most === undefined ? {} : { most }),
  }
  const plan =
    order === 'energy'
      ? await planByEnergy(graph, {
          ...{ ...which, hardware: await readHardware(context, hardware ?? 'eyeriss') },
          ...(lost === undefined ? {} : { lost }),
        })
      : undefined
  const pruned = await pruneGraph(graph, {
    ...{ ...which, permute },
    ...(seed === undefined ? {} : { seed }),
    ...(budget === undefined ? {} : { budget }),
    ...(plan === undefined ? {} : pruneByPlan(plan)),
  })
  return { pruned, plan }
}

interface Inputs {
  readonly list: readonly LabelledInput[]
  /** What they are, for people. */
  readonly text: string
}

async function inputsOf(context: Context, { graph, sizes }: OpenedModel, options: Options): Promise<Inputs> {
  const { images, inputSeed = 0 } = options
  if (images !== undefined) {
    if (options.input !== undefined)
      throw new OptionError('--images and --input both say what to compare on', { remedy: 'Give one' })
    const inputs = await readPictures(context, graph, images, options)
    const known = inputs.filter(({ label }) => label !== undefined).length
    return { list: inputs, text: `${inputs.length} pictures of ${images}, ${known} of a known class` }
  }
  if (options.input !== undefined) {
    const tensors = await readInputs(context, graph, options)
    requireAll(graph, tensors)
    return { list: [{ tensors }], text: 'the input given' }
  }
  const bound = bindDimensions(graph, sizes)
  const list = Array.from({ length: SEEDED }, (_, i) => ({ tensors: seededInputs(bound, inputSeed + i) }))
  return { list, text: `${SEEDED} seeded inputs (seed ${inputSeed})` }
}

async function compared(
  context: Context,
  graph: Graph,
  pruned: Pruned,
  { list, text }: Inputs,
  options: Options,
): Promise<Comparison> {
  return await withGpu(context, options.adapter, async (gpu) => {
    remark(context, `${graph.name} on ${adapterTitle(gpu.adapter)}, ${text}`)
    using progress = new Progress(context)
    const networks = new Map<string, Graph>()
    if (pruned.report.permuted) networks.set('dense, permuted', pruned.dense)
    networks.set('pruned', pruned.graph)
    return await comparePruned(gpu, graph, networks, list, {
      signal: context.signal,
      onProgress: ({ done, total, text: now }) => progress.update(done, total, now),
    })
  })
}

/** A model file with its weights replaced, or a network that was built here. */
async function write(context: Context, model: string, out: string, { graph, changed }: Pruned): Promise<void> {
  const { signal } = context
  const file = isNetworkName(model)
    ? exportOnnx(graph)
    : await rewriteOnnx(await readBytes(model, signal), changed, dataBeside(model, signal))
  writeText(out, file)
  remark(context, `Wrote ${out}, ${sizeText(file.length)}`)
}
