/** `--input NAME=FILE`: tensors from .npy and .pb files, pictures through preprocessing, seeded values where nothing is given. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { DtypeError, FileFormatError, MappingError, OptionError, ShapeError, TilewrightError } from '../errors.ts'
import { PRESETS, readTensor, type PreprocessOptions, type Preset } from '../formats/index.ts'
import { readLocalFile } from '../formats/node-files.ts'
import type { Graph, GraphInput } from '../graph/graph.ts'
import { formatShape } from '../tensor/shape.ts'
import type { HostTensor } from '../tensor/tensor.ts'
import { choiceOption, type Context } from './context.ts'

export interface InputFlags {
  readonly input?: readonly string[]
  readonly preprocess?: Preset
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  readonly bgr?: true
  readonly resize?: number | readonly [number, number]
  readonly crop?: number | readonly [number, number]
}

/** Adds `--input` and the options of preprocessing. */
export function inputOptions(command: Command): Command {
  return command
    .option(
      '--input <NAME=FILE>',
      'a tensor (.npy, .pb) or a picture (.png, .jpg); NAME= may be left out where there is one input',
      collect,
    )
    .option(
      '--preprocess <PRESET>',
      `how pictures become tensors: ${PRESETS.join(', ')} (default: none)`,
      choiceOption('--preprocess', PRESETS),
    )
    .option('--mean <LIST>', 'subtracted from each channel: one number, or one a channel, as 104,117,123', numbers('--mean'))
    .option('--std <LIST>', 'divides each channel', numbers('--std'))
    .option('--bgr', 'channels in the order blue, green, red')
    .option('--resize <SIZE>', 'short side in pixels, or HEIGHTxWIDTH', size('--resize'))
    .option('--crop <SIZE>', 'centre crop: side in pixels, or HEIGHTxWIDTH', size('--crop'))
}

/**
 * The tensors that `--input` names, one for each, checked against the graph's inputs.
 * @throws OptionError for a wrong name or a missing file; FileFormatError for a file that cannot be read;
 *   ShapeError, DtypeError for a tensor that does not fit its input
 */
export async function readInputs(context: Context, graph: Graph, flags: InputFlags): Promise<Record<string, HostTensor>> {
  const tensors: Record<string, HostTensor> = {}
  for (const text of flags.input ?? []) {
    const { input, file } = split(text, graph)
    if (tensors[input.name] !== undefined) throw new OptionError(`Input ${input.name} is given twice`)
    const tensor = await readInput(context, input, file, flags)
    checkInput(input, tensor, file)
    tensors[input.name] = tensor
  }
  return tensors
}

/** What stands in a folder of inputs. */
const TENSOR_FILE = /\.(npy|pb|png|jpe?g)$/i

/**
 * Inputs of several runs: `--input` may name an input more than once, or a folder, whose files are taken by name; an input with one file
 * has it in every run.
 * @throws OptionError for a folder without tensors and pictures, and inputs with unlike numbers of files; as `readInputs`
 */
export async function readRuns(context: Context, graph: Graph, flags: InputFlags): Promise<Record<string, HostTensor>[]> {
  const files = new Map<string, string[]>()
  for (const text of flags.input ?? []) {
    const { input, file } = split(text, graph)
    files.set(input.name, [...(files.get(input.name) ?? []), ...filesAt(file)])
  }
  const runs = Math.max(0, ...[...files.values()].map(({ length }) => length))
  const uneven = [...files].find(([, { length }]) => length !== 1 && length !== runs)
  if (uneven !== undefined) {
    throw new OptionError(`Input ${uneven[0]} has ${uneven[1].length} files, and another input ${runs}`, {
      remedy: 'Give each input one file, or as many as the others',
    })
  }
  const each: Record<string, HostTensor>[] = []
  for (let run = 0; run < runs; run++) {
    const input = [...files].map(([name, list]) => `${name}=${list[list.length === 1 ? 0 : run] ?? ''}`)
    each.push(await readInputs(context, graph, { ...flags, input }))
  }
  return each
}

/** The file itself, or those of a folder. */
function filesAt(path: string): string[] {
  if (!existsSync(path) || !statSync(path).isDirectory()) return [path]
  const files = readdirSync(path)
    .filter((name) => TENSOR_FILE.test(name))
    .toSorted()
  if (files.length === 0) throw new OptionError(`${path} holds neither tensors (.npy, .pb) nor pictures (.png, .jpg)`)
  return files.map((name) => join(path, name))
}

/** @throws OptionError listing the inputs that have no tensor. */
export function requireAll(graph: Graph, tensors: Readonly<Record<string, HostTensor>>): void {
  const missing = graph.inputs.filter(({ name }) => tensors[name] === undefined)
  if (missing.length === 0) return
  const list = missing.map(({ name, dtype, shape }) => `${name} (${dtype} ${formatShape(shape)})`).join(', ')
  throw new OptionError(`${graph.name} has no tensor for ${list}`, { remedy: 'Give one with --input NAME=FILE' })
}

function split(text: string, graph: Graph): { input: GraphInput; file: string } {
  const [only, another] = graph.inputs
  const names = graph.inputs.map(({ name }) => name)
  // Names may hold '=': the longest input name that begins the text wins.
  const named = graph.inputs.filter(({ name }) => text.startsWith(`${name}=`)).toSorted((a, b) => b.name.length - a.name.length)[0]
  if (named !== undefined) return { input: named, file: text.slice(named.name.length + 1) }
  if (only === undefined) throw new OptionError(`${graph.name} has no inputs`)
  if (another === undefined && (!text.includes('=') || existsSync(text))) return { input: only, file: text }
  const what = text.includes('=') ? `no input called ${text.slice(0, text.indexOf('='))}` : 'several inputs: which is the file for?'
  throw new OptionError(`${graph.name} has ${what}`, { remedy: `Give --input NAME=FILE; its inputs are ${names.join(', ')}` })
}

async function readInput({ signal }: Context, input: GraphInput, file: string, flags: InputFlags): Promise<HostTensor> {
  if (file === '') throw new OptionError(`Input ${input.name} has no file`, { remedy: 'Give --input NAME=FILE' })
  const bytes = await readLocalFile(file, signal)
  return located(file, () => readTensor(bytes, file, { input, preprocess: preprocessing(flags) }))
}

/** Runs `read`, and names the file in what it throws. */
export function located<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const options = { cause }
    if (!(cause instanceof TilewrightError) || cause.message.includes(file)) throw cause
    const message = `${file}: ${cause.message}`
    if (cause instanceof DtypeError) throw new DtypeError(message, {}, options)
    if (cause instanceof ShapeError) throw new ShapeError(message, {}, options)
    if (cause instanceof FileFormatError) throw new FileFormatError(message, {}, options)
    if (cause instanceof MappingError) throw new MappingError(message, {}, options)
    if (cause instanceof OptionError) throw new OptionError(message, {}, options)
    throw cause
  }
}

/** What the options say of preprocessing. */
export function preprocessing({ preprocess: preset, mean, std, bgr, resize, crop }: InputFlags): PreprocessOptions {
  return { preset, mean, std, bgr, resize, crop }
}

function checkInput({ name, dtype, shape }: GraphInput, tensor: HostTensor, file: string): void {
  if (tensor.dtype !== dtype) {
    throw new DtypeError(`Input ${name} takes ${dtype}, but ${file} holds ${tensor.dtype}`, {
      dtype: tensor.dtype,
      remedy: `Save it as ${dtype}`,
    })
  }
  const fits =
    shape.length === tensor.shape.length &&
    shape.every((extent, axis) => typeof extent === 'string' || extent === tensor.shape[axis])
  if (!fits) {
    throw new ShapeError(`Input ${name} takes the shape ${formatShape(shape)}, but ${file} has ${formatShape(tensor.shape)}`, {
      dtype,
    })
  }
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

function numbers(option: string): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const value = Number(part)
      if (part.trim() !== '' && Number.isFinite(value)) return value
      throw new OptionError(`${option} takes numbers separated by commas, not ${JSON.stringify(text)}`)
    })
}

function size(option: string): (text: string) => number | [number, number] {
  return (text) => {
    const match = /^(\d+)(?:[x×,](\d+))?$/.exec(text)
    if (match === null) throw new OptionError(`${option} takes pixels, as 224 or 224x224, not ${JSON.stringify(text)}`)
    const [, first, second] = match
    return second === undefined ? Number(first) : [Number(first), Number(second)]
  }
}
