/**
 * Hardware, mappings and problems that a command names: by name, from files (our JSON, Timeloop's YAML, SCALE-Sim's topologies and
 * configurations, told apart by what is in them), or as the layer of a network.
 */
import { existsSync } from 'node:fs'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { isNetworkName } from '../../models/index.ts'
import { systolicMapping } from '../cost/systolic.ts'
import { FileFormatError, OptionError } from '../errors.ts'
import { readLocalFile } from '../formats/node-files.ts'
import { LARGEST_TOPOLOGY, looksLikeConfig, looksLikeTopology, readConfig, readTopology } from '../formats/scalesim/index.ts'
import { CONSTRAINTS, looksLikeTimeloop, readTimeloop, type TimeloopFiles, type TimeloopSource } from '../formats/timeloop/index.ts'
import { layerPlans } from '../profile/layers.ts'
import type { Dataflow } from '../schedule/dataflow.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { parseEvaluationFile, parseHardware, parseMapping, parseProblem, type EvaluationFile } from '../schedule/parse.ts'
import type { Mapping } from '../schedule/mapping.ts'
import { DIMENSIONS, extentOf, type Problem } from '../schedule/problem.ts'
import { remark, type Context } from './context.ts'
import { located } from './input.ts'
import { openBound, type ModelFlags } from './model.ts'

export const HARDWARE_HELP = `${HARDWARE_NAMES.join(', ')}, or a file: JSON, Timeloop's YAML, SCALE-Sim's .cfg`
export const PROBLEM_HELP =
  "a file (JSON, Timeloop's YAML), a layer of SCALE-Sim's topology (FILE.csv:LAYER), or MODEL:LAYER, as alexnet:conv2 or net.onnx:conv_3"
export const MAPPING_HELP = "a file: JSON or Timeloop's YAML"

/** Bytes of a file that describes a layer or a hardware: beyond it, it is something else. */
const LARGEST_FILE = 2 * 2 ** 20

type FileContent =
  | { readonly kind: 'json'; readonly json: unknown }
  | { readonly kind: 'timeloop'; readonly source: TimeloopSource }
  | { readonly kind: 'topology'; readonly text: string }
  | { readonly kind: 'config'; readonly text: string }

/** A hardware by name or from a file. @throws OptionError, FileFormatError naming the file and the field that does not fit */
export async function readHardware(context: Context, nameOrFile: string): Promise<Hardware> {
  if (!isFile(nameOrFile)) return hardwareNamed(nameOrFile)
  const content = await contentOf(context, nameOrFile)
  if (content.kind === 'timeloop') {
    const { hardware } = noted(context, readTimeloop([{ ...content.source, sections: ['architecture', 'sparse_optimizations'] }]))
    if (hardware === undefined) throw new OptionError(`${nameOrFile} has no architecture`)
    return hardware
  }
  return hardwareOf(context, nameOrFile, content)
}

function hardwareOf(context: Context, file: string, content: Exclude<FileContent, { kind: 'timeloop' }>): Hardware {
  if (content.kind === 'config') {
    const hardware = readConfig(file, content.text)
    for (const note of hardware.notes ?? []) remark(context, `${file}: ${note}`)
    return hardware
  }
  if (content.kind === 'topology') throw new OptionError(`${file} is a topology: it has layers, and no hardware`)
  return located(file, () => {
    const { json } = content
    const { hardware } = has(json, 'hardware') ? parseEvaluationFile(json) : { hardware: parseHardware(json) }
    if (hardware === undefined) throw new OptionError('The file has no hardware')
    return typeof hardware === 'string' ? hardwareNamed(hardware) : hardware
  })
}

/**
 * A problem, with the hardware and the mapping that its file may hold besides.
 * @throws ShapeError, OptionError, MappingError, FileFormatError naming the file
 */
export async function readProblem(
  context: Context,
  text: string,
  flags: ModelFlags = {},
): Promise<EvaluationFile & { readonly problem: Problem }> {
  const found = await problemOf(context, text, flags)
  if (!('source' in found)) return found
  const { source } = found
  // A mapping of an architecture that stands elsewhere is not asked for here.
  const sections = /^architecture\s*:/m.test(source.text) ? {} : { sections: ['problem'] }
  const { problem, ...rest } = noted(context, readTimeloop([{ ...source, ...sections }]))
  if (problem === undefined) throw new OptionError(`${text} has no problem`)
  return { ...rest, problem }
}

export interface EvaluationTexts {
  readonly problem: string
  readonly hardware?: string | undefined
  readonly mapping?: string | undefined
}

export interface Subject {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly mapping: Mapping
}

/**
 * What `evaluate` is to evaluate: the files of Timeloop among the arguments are read together, so that a mapping is read with its
 * problem's dimensions. A systolic array without a mapping runs a layer in folds, as SCALE-Sim does.
 * @throws ShapeError, OptionError, MappingError, FileFormatError naming the file
 */
export async function readSubject(context: Context, texts: EvaluationTexts, flags: ModelFlags): Promise<Subject> {
  const sources: TimeloopSource[] = []
  let whole: TimeloopSource | undefined
  let known: { problem?: Problem; hardware?: Hardware; mapping?: Mapping } = {}
  const found = await problemOf(context, texts.problem, flags)
  if ('source' in found) {
    const sections = [
      'problem',
      ...(texts.hardware === undefined ? ['architecture'] : []),
      ...(texts.mapping === undefined ? ['mapping'] : []),
      'sparse_optimizations',
    ]
    sources.push({ ...found.source, sections })
  } else {
    const { hardware, ...rest } = found
    known = {
      ...rest,
      ...(hardware === undefined ? {} : { hardware: typeof hardware === 'string' ? hardwareNamed(hardware) : hardware }),
    }
  }
  if (texts.hardware !== undefined) {
    const content = isFile(texts.hardware) ? await contentOf(context, texts.hardware) : undefined
    if (content?.kind === 'timeloop') sources.push({ ...content.source, sections: ['architecture', 'sparse_optimizations'] })
    else known.hardware = content === undefined ? hardwareNamed(texts.hardware) : hardwareOf(context, texts.hardware, content)
  }
  if (texts.mapping !== undefined) {
    const content = await contentOf(context, texts.mapping)
    if (content.kind === 'timeloop') {
      // A mapping beside a problem of its own is written with that problem's names.
      if (/^problem\s*:/m.test(content.source.text)) whole = { ...content.source, sections: ['problem', 'mapping'] }
      else sources.push({ ...content.source, sections: ['mapping'] })
    } else known.mapping = mappingOf(texts.mapping, content)
  }
  const { hardware: given, problem: givenProblem } = known
  const read =
    sources.length === 0
      ? {}
      : noted(
          context,
          readTimeloop(sources, {
            ...(given === undefined ? {} : { hardware: given }),
            ...(givenProblem === undefined ? {} : { problem: givenProblem }),
          }),
        )
  const all = { ...known, ...read }
  if (whole === undefined) return complete(context, texts, all)
  const { mapping, problem: own } = readTimeloop([whole], all.hardware === undefined ? {} : { hardware: all.hardware })
  const { problem } = all
  const other = DIMENSIONS.find(
    (name) => own !== undefined && problem !== undefined && extentOf(own, name) !== extentOf(problem, name),
  )
  if (other !== undefined) {
    throw new OptionError(`The mapping of ${texts.mapping} is of another problem: ${other} differs from ${texts.problem}`, {
      dimension: other,
      remedy: 'Give its own problem, or take the problem out of its file',
    })
  }
  return complete(context, texts, { ...all, ...(mapping === undefined ? {} : { mapping }) })
}

function complete(
  context: Context,
  texts: EvaluationTexts,
  { problem, hardware, mapping }: { readonly problem?: Problem; readonly hardware?: Hardware; readonly mapping?: Mapping },
): Subject {
  const remedy = 'Give one: evaluate PROBLEM HARDWARE MAPPING'
  if (problem === undefined) throw new OptionError(`${texts.problem} has no problem`)
  if (hardware === undefined) throw new OptionError(`There is no hardware in ${texts.hardware ?? texts.problem}`, { remedy })
  if (mapping !== undefined) return { problem, hardware, mapping }
  if (texts.mapping !== undefined || hardware.systolic === undefined) {
    throw new OptionError(`There is no mapping in ${texts.mapping ?? texts.problem}`, { remedy })
  }
  remark(context, `No mapping is given: the layer runs as a matrix product, in folds of the systolic array (${hardware.systolic})`)
  return { hardware, ...systolicMapping(problem, hardware, hardware.systolic) }
}

/** What constraints are read for, where their file does not hold it itself. */
export interface ConstraintsFor {
  /** The argument that names the problem: of a Timeloop file, its dimensions' names are those of the constraints. */
  readonly problem: string
  readonly hardware: Hardware | undefined
}

/**
 * The constraints of a Timeloop file as a dataflow. Architecture and problem stand in the same file, or are those of the command.
 * @throws FileFormatError naming what a dataflow cannot state; OptionError for a file without constraints, or without an architecture
 */
export async function readConstraints(context: Context, file: string, { problem, hardware }: ConstraintsFor): Promise<Dataflow> {
  const content = await contentOf(context, file)
  if (content.kind !== 'timeloop')
    throw new OptionError(`${file} is no Timeloop file`, { remedy: 'Give its YAML, or a dataflow as JSON' })
  const { source } = content
  const sources: TimeloopSource[] = [{ ...source, sections: ['problem', 'architecture', ...CONSTRAINTS] }]
  const isIn = (name: string): boolean => new RegExp(`^${name}\\s*:`, 'm').test(source.text)
  if (!isIn('problem') && isFile(problem)) {
    const other = await contentOf(context, problem)
    if (other.kind === 'timeloop') sources.push({ ...other.source, sections: ['problem'] })
  }
  const hasConstraints = CONSTRAINTS.some(isIn)
  if (hasConstraints && !isIn('architecture') && hardware === undefined) {
    throw new OptionError(`${file} has constraints of an architecture that is not given`, { remedy: 'Give it with --hardware' })
  }
  const { dataflow, refusal } = readTimeloop(sources, hardware === undefined ? {} : { hardware })
  if (refusal !== undefined) throw refusal
  if (dataflow === undefined) throw new OptionError(`${file} has no constraints of an architecture in it`)
  return dataflow
}

/** A problem by its text, or the Timeloop file that has it. */
async function problemOf(
  context: Context,
  text: string,
  flags: ModelFlags,
): Promise<(EvaluationFile & { readonly problem: Problem }) | { readonly source: TimeloopSource }> {
  if (!isFile(text)) return layerOf(context, text, flags)
  refuseModelFlags(text, flags)
  const content = await contentOf(context, text)
  if (content.kind === 'timeloop') return { source: content.source }
  if (content.kind === 'topology') return { problem: topologyLayer(context, text, content.text) }
  if (content.kind === 'config') throw new OptionError(`${text} is a configuration: it has a hardware, and no problem`)
  const { json } = content
  return located(text, () => {
    const file = has(json, 'problem') ? parseEvaluationFile(json) : { problem: parseProblem(json) }
    if (file.problem === undefined) throw new OptionError('The file has no problem')
    return { ...file, problem: file.problem }
  })
}

/** MODEL:LAYER or TOPOLOGY:LAYER; names of layers and of files may hold colons themselves. */
async function layerOf(context: Context, text: string, flags: ModelFlags): Promise<{ readonly problem: Problem }> {
  const colons = [...text.matchAll(/:/g)].map(({ index }) => index).filter((index) => index > 0)
  const colon = colons.find((index) => isNetworkName(text.slice(0, index)) || existsSync(text.slice(0, index))) ?? colons.at(-1)
  if (colon === undefined) throw new OptionError(`${JSON.stringify(text)} is no problem`, { remedy: `Give ${PROBLEM_HELP}` })
  const [source, layer] = [text.slice(0, colon), text.slice(colon + 1)]
  if (/\.csv$/i.test(source)) {
    refuseModelFlags(source, flags)
    const content = await contentOf(context, source)
    if (content.kind === 'topology') return { problem: topologyLayer(context, source, content.text, layer) }
  }
  const plans = layerPlans(await openBound(context, source, flags))
  const plan = plans.find(({ name }) => name === layer)
  if (plan !== undefined) return { problem: plan.problem }
  throw new OptionError(`${source} has no layer ${layer} with a loop nest`, {
    remedy: `Its layers are ${plans.map(({ name }) => name).join(', ')}`,
  })
}

/** @throws OptionError for an option that says how a model is built, where a file has the layer itself */
function refuseModelFlags(file: string, { batch, dim, seed, weights }: ModelFlags): void {
  const given = Object.entries({ batch, dim, seed, weights }).find(([, value]) => value !== undefined)
  if (given !== undefined) {
    throw new OptionError(`--${given[0]} is for MODEL:LAYER, and ${file} is a file of a layer`, {
      remedy: given[0] === 'batch' ? 'Leave it out, and give the batch in the file' : 'Leave it out',
    })
  }
}

/** All layers of a file that is a topology of SCALE-Sim's; undefined where it is none. @throws OptionError, FileFormatError */
export async function readTopologyLayers(
  context: Context,
  file: string,
  flags: ModelFlags,
): Promise<readonly { readonly name: string; readonly problem: Problem }[] | undefined> {
  if (!/\.csv$/i.test(file)) return undefined
  const content = await contentOf(context, file)
  if (content.kind !== 'topology') return undefined
  refuseModelFlags(file, flags)
  const { layers, notes } = readTopology(file, content.text)
  for (const note of notes) remark(context, `${file}: ${note}`)
  return layers
}

/** A layer of a topology by name; without one, the only layer. */
function topologyLayer(context: Context, file: string, text: string, name?: string): Problem {
  const { layers, notes } = readTopology(file, text)
  const found = layers.filter((layer) => name === undefined || layer.name === name)
  const [layer] = found
  if (layer === undefined || found.length > 1) {
    const fault =
      name === undefined ? `has ${layers.length} layers` : `has ${found.length === 0 ? 'no' : 'more than one'} layer ${name}`
    const names = layers.slice(0, 40).map((known) => known.name)
    throw new OptionError(`${file} ${fault}`, {
      remedy: `Give ${file}:LAYER, one of ${names.join(', ')}${layers.length > 40 ? ', …' : ''}`,
    })
  }
  for (const note of notes.filter((text) => !text.includes(': ') || text.startsWith(`${layer.name}: `)))
    remark(context, `${file}: ${note}`)
  return layer.problem
}

function mappingOf(file: string, content: Exclude<FileContent, { kind: 'timeloop' }>): Mapping {
  if (content.kind !== 'json') throw new OptionError(`${file} is a file of SCALE-Sim's: it has no mapping`)
  const { json } = content
  return located(file, () => parseMapping(has(json, 'mapping') ? json.mapping : withoutOthers(json)))
}

function isFile(text: string): boolean {
  return /\.(json|ya?ml|cfg|csv)$/i.test(text) || existsSync(text)
}

/** What a file is: by its first lines, and by its name where those leave it open. */
async function contentOf(context: Context, file: string): Promise<FileContent> {
  const text = await textOf(context, file)
  const extension = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase()
  const timeloop = { kind: 'timeloop', source: { name: file, text } } as const
  if (extension === 'yaml' || extension === 'yml') return timeloop
  if (extension !== 'json') {
    if (extension === 'cfg' || looksLikeConfig(text)) return { kind: 'config', text }
    if (looksLikeTimeloop(text)) return timeloop
    if (extension === 'csv' || (!/^\s*[[{]/.test(text.slice(0, 1000)) && looksLikeTopology(text))) return { kind: 'topology', text }
  }
  return { kind: 'json', json: parsed(file, text) }
}

/** The JSON of a file. @throws FileFormatError naming it */
export async function readJson(context: Context, file: string): Promise<unknown> {
  return parsed(file, await textOf(context, file))
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${file} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
  }
}

async function textOf({ signal }: Context, file: string): Promise<string> {
  const bytes = await readLocalFile(file, signal, /\.csv$/i.test(file) ? LARGEST_TOPOLOGY : LARGEST_FILE)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new FileFormatError(`${file} is no text in UTF-8`, {}, { cause })
  }
}

/** Says what a Timeloop file leaves open and how it was read. */
function noted(context: Context, files: TimeloopFiles): TimeloopFiles {
  for (const note of files.notes) remark(context, `Timeloop: ${note}`)
  return files
}

function has<K extends string>(json: unknown, key: K): json is Readonly<Record<K, unknown>> {
  return typeof json === 'object' && json !== null && key in json
}

/** A file with the mapping's levels at top level may hold a problem and a hardware beside them. */
function withoutOthers(json: unknown): unknown {
  if (!has(json, 'levels') || !(has(json, 'problem') || has(json, 'hardware'))) return json
  return { levels: json.levels }
}
