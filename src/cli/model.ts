/** The MODEL argument, and the options that say how a network is built. */
import type { Command } from 'commander'
import { isNetworkName, NETWORKS } from '../../models/index.ts'
import { OptionError } from '../errors.ts'
import { readLocalFile } from '../formats/node-files.ts'
import { decodeSafetensors } from '../formats/safetensors.ts'
import { bindDimensions } from '../graph/dimensions.ts'
import type { Graph } from '../graph/graph.ts'
import { loadGraph, runnable, type LoadedGraph } from '../graph/load.ts'
import { sparseGraph } from '../graph/sparsity.ts'
import { choiceOption, integerOption, remark, type Context } from './context.ts'
import { located } from './input.ts'

export const MODEL_HELP = `an ONNX file (path or URL), or one of ${NETWORKS.map(({ name }) => name).join(', ')}`

export interface ModelFlags {
  readonly batch?: number
  readonly dim?: Readonly<Record<string, number>>
  readonly seed?: number
  readonly weights?: string
  readonly sparsity?: '2:4'
}

export interface OpenedModel extends LoadedGraph {
  /** Of symbolic dimensions, as `--dim` and `--batch` give them. */
  readonly sizes: Readonly<Record<string, number>>
}

/** Adds the options that `openModel` reads. */
export function modelOptions(command: Command): Command {
  return shapeOptions(weightOptions(command))
}

/** Adds `--batch` and `--dim`, for what depends on a model's shapes alone. */
export function shapeOptions(command: Command): Command {
  return command
    .option(
      '--batch <N>',
      'pictures in a batch: for a network built by name, or a model whose first dimension is symbolic (default: 1)',
      integerOption('--batch', 1),
    )
    .option('--dim <NAME=SIZE>', 'size of a symbolic dimension (default: 1); may be given several times', collectDimension)
}

/** Adds `--seed` and `--weights`, for networks built by name. */
export function weightOptions(command: Command): Command {
  return command
    .option('--seed <N>', 'seed of the weights, for a network built by name (default: 0)', integerOption('--seed', 0))
    .option('--weights <FILE>', 'a safetensors file with the weights, for a network built by name')
}

/** Adds `--sparsity`, which `asSparse` reads. */
export function sparsityOption(command: Command): Command {
  return command.option(
    '--sparsity <PATTERN>',
    '2:4: layers that can run so do; weights that do not hold the pattern are pruned to it by magnitude',
    choiceOption('--sparsity', ['2:4'] as const),
  )
}

/** The graph with its layers in 2:4 where that was asked for, and a remark on what was done. @throws OptionError, UnsupportedOpError */
export async function asSparse(
  context: Context,
  graph: Graph,
  { sparsity }: ModelFlags,
  sizes: OpenedModel['sizes'] = {},
): Promise<Graph> {
  if (sparsity === undefined) return graph
  const { graph: sparse, report } = await sparseGraph(graph, sizes)
  const { layers, dense } = report
  const cut = layers.filter(({ retained }) => retained < 1)
  const kept = (100 * report.totals.pruned.retained).toFixed(1)
  const pruned = cut.length === 0 ? 'all held it already' : `${cut.length} pruned to it now, ${kept} % of the magnitude kept`
  remark(context, `2:4 in ${layers.length} of ${layers.length + dense.length} layers (${pruned})`)
  for (const { name, reason } of dense) remark(context, `  ${name} stays dense: ${reason}`)
  return sparse
}

/**
 * The network that MODEL and its options name, with what in it cannot be run.
 * @throws OptionError, ModelFormatError, FileFormatError
 */
export async function openModel(
  context: Context,
  model: string,
  { batch, dim = {}, seed, weights }: ModelFlags,
): Promise<OpenedModel> {
  const { signal } = context
  const built = isNetworkName(model)
  const tensors = weights === undefined ? undefined : await readWeights(context, weights)
  const loaded = await loadGraph(model, {
    signal,
    ...(built && batch !== undefined ? { batch } : {}),
    ...(seed === undefined ? {} : { seed }),
    ...(tensors === undefined ? {} : { weights: tensors }),
  })
  if (built || batch === undefined) return { ...loaded, sizes: dim }
  const first = loaded.graph.inputs[0]?.shape[0]
  if (typeof first === 'string') return { ...loaded, sizes: { [first]: batch, ...dim } }
  if (first === batch) return { ...loaded, sizes: dim }
  throw new OptionError(`${model} is made for a batch of ${first ?? 'nothing'}`, {
    remedy: 'Leave --batch out, or export it with a symbolic batch',
  })
}

/**
 * As `openModel`, for a network that is to run on inputs of its own: no dimension is symbolic any more.
 * @throws UnsupportedOpError listing every node that cannot be run
 */
export async function openBound(context: Context, model: string, flags: ModelFlags): Promise<Graph> {
  const opened = await openModel(context, model, flags)
  return bindDimensions(runnable(opened), opened.sizes)
}

async function readWeights({ signal }: Context, file: string): Promise<LoadedWeights> {
  const bytes = await readLocalFile(file, signal)
  return located(file, () => decodeSafetensors(bytes).tensors)
}

type LoadedWeights = ReturnType<typeof decodeSafetensors>['tensors']

/** For commander: collects sizes by name. @throws OptionError for anything that is not NAME=SIZE. */
function collectDimension(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, name, size] = /^(.+)=(\d+)$/.exec(text) ?? []
  if (name === undefined || Number(size) < 1)
    throw new OptionError(`--dim takes NAME=SIZE, as in --dim N=4, not ${JSON.stringify(text)}`)
  return { ...before, [name]: Number(size) }
}
