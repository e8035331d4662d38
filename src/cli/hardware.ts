/** Hardware, mappings and problems that a command names: by name, from JSON files, or as the layer of a network. */
import { existsSync } from 'node:fs'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { FileFormatError, OptionError } from '../errors.ts'
import { readLocalFile } from '../formats/node-files.ts'
import { layerPlans } from '../profile/layers.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { parseEvaluationFile, parseHardware, parseMapping, parseProblem, type EvaluationFile } from '../schedule/parse.ts'
import type { Mapping } from '../schedule/mapping.ts'
import type { Problem } from '../schedule/problem.ts'
import type { Context } from './context.ts'
import { located } from './input.ts'
import { openBound, type ModelFlags } from './model.ts'

export const HARDWARE_HELP = `${HARDWARE_NAMES.join(', ')}, or a JSON file`
export const PROBLEM_HELP = 'a JSON file, or MODEL:LAYER, as alexnet:conv2'

/** A hardware by name or from a file. @throws OptionError, FileFormatError naming the file and the field that does not fit */
export async function readHardware(context: Context, nameOrFile: string): Promise<Hardware> {
  if (!isFile(nameOrFile)) return hardwareNamed(nameOrFile)
  const json = await readJson(context, nameOrFile)
  return located(nameOrFile, () => {
    const { hardware } = has(json, 'hardware') ? parseEvaluationFile(json) : { hardware: parseHardware(json) }
    if (hardware === undefined) throw new OptionError('The file has no hardware')
    return typeof hardware === 'string' ? hardwareNamed(hardware) : hardware
  })
}

/** A mapping from a file. @throws MappingError, FileFormatError naming the file */
export async function readMapping(context: Context, file: string): Promise<Mapping> {
  const json = await readJson(context, file)
  return located(file, () => parseMapping(has(json, 'mapping') ? json.mapping : withoutOthers(json)))
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
  if (isFile(text)) {
    const json = await readJson(context, text)
    return located(text, () => {
      const file = has(json, 'problem') ? parseEvaluationFile(json) : { problem: parseProblem(json) }
      if (file.problem === undefined) throw new OptionError('The file has no problem')
      return { ...file, problem: file.problem }
    })
  }
  const colon = text.lastIndexOf(':')
  if (colon < 1) throw new OptionError(`${JSON.stringify(text)} is no problem`, { remedy: `Give ${PROBLEM_HELP}` })
  const plans = layerPlans(await openBound(context, text.slice(0, colon), flags))
  const plan = plans.find(({ name }) => name === text.slice(colon + 1))
  if (plan !== undefined) return { problem: plan.problem }
  throw new OptionError(`${text.slice(0, colon)} has no layer ${text.slice(colon + 1)} with a loop nest`, {
    remedy: `Its layers are ${plans.map(({ name }) => name).join(', ')}`,
  })
}

function isFile(text: string): boolean {
  return /\.json$/i.test(text) || existsSync(text)
}

/** The JSON of a file. @throws FileFormatError naming it */
export async function readJson({ signal }: Context, file: string): Promise<unknown> {
  const bytes = await readLocalFile(file, signal)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new FileFormatError(`${file} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
  }
}

function has<K extends string>(json: unknown, key: K): json is Readonly<Record<K, unknown>> {
  return typeof json === 'object' && json !== null && key in json
}

/** A file with the mapping's levels at top level may hold a problem and a hardware beside them. */
function withoutOthers(json: unknown): unknown {
  if (!has(json, 'levels') || !(has(json, 'problem') || has(json, 'hardware'))) return json
  return { levels: json.levels }
}
