/** `tilewright map --html`: the searches of one layer, the space around them and, where a profile is given, its counts, as a page. */
import { OptionError } from '../../errors.ts'
import { MAPPING_SPACE_SCHEMA, brief, type Chosen, type MappingSpace } from '../../profile/html/mapping/data.ts'
import { sampleMappings } from '../../profile/html/mapping/sample.ts'
import { REPORT_SCHEMA, type ProfileReport } from '../../profile/report.ts'
import type { Dataflow } from '../../schedule/dataflow.ts'
import { loopNest } from '../../schedule/loopnest.ts'
import type { Context } from '../context.ts'
import { readJson } from '../hardware.ts'
import { located } from '../input.ts'
import type { Row, RowObjective } from './rows.ts'

/** Points drawn of each dataflow's space. */
const SAMPLES = 240

export interface PageRequest {
  readonly rows: readonly Row[]
  readonly dataflows: readonly Dataflow[]
  readonly objective: RowObjective
  readonly halo: 'exact' | 'timeloop'
  readonly seed?: number
  readonly profile?: ProfileReport
}

/** @throws OptionError where the rows are of several layers or hardware, or none was found */
export function mappingSpace(context: Context, { rows, dataflows, objective, halo, seed = 1, profile }: PageRequest): MappingSpace {
  const [first] = rows
  if (first === undefined || rows.some(({ layer, hardware }) => layer !== first.layer || hardware !== first.hardware)) {
    throw new OptionError('--html draws one layer on one hardware', { remedy: 'Give MODEL:LAYER, and no --sweep' })
  }
  const { layer, problem, hardware } = first
  const samples = dataflows.flatMap((dataflow) => {
    if (context.signal.aborted) return []
    const drawn = sampleMappings(problem, hardware, { dataflow, halo, seed, count: SAMPLES })
    return [...drawn].map(({ mapping, energy, cycles }) => ({ dataflow: dataflow.name, energy, cycles, brief: brief(mapping) }))
  })
  return {
    schema: MAPPING_SPACE_SCHEMA,
    title: layer,
    problem,
    hardware,
    objective,
    chosen: rows.flatMap(({ dataflow, outcome: { result } }): Chosen[] =>
      result === undefined ? [] : [{ dataflow, ...result, nest: loopNest(problem, hardware, result.mapping) }],
    ),
    samples,
    failed: rows.flatMap(({ dataflow, outcome: { error } }) => (error === undefined ? [] : [{ dataflow, why: error.message }])),
    ...(profile === undefined ? {} : { profile }),
  }
}

/** The JSON that `profile --json` wrote. @throws OptionError, FileFormatError naming the file */
export async function readProfile(context: Context, file: string): Promise<ProfileReport> {
  const json = await readJson(context, file)
  return located(file, () => {
    if (!isProfile(json)) throw new OptionError('This is no profile', { remedy: 'Give a file that profile --json wrote' })
    return json
  })
}

function isProfile(json: unknown): json is ProfileReport {
  return (
    typeof json === 'object' &&
    json !== null &&
    'schema' in json &&
    json.schema === REPORT_SCHEMA &&
    'layers' in json &&
    Array.isArray(json.layers) &&
    'adapter' in json &&
    json.layers.every(isLayer)
  )
}

function isLayer(layer: unknown): boolean {
  return (
    typeof layer === 'object' && layer !== null && 'problem' in layer && 'dataflows' in layer && typeof layer.dataflows === 'object'
  )
}
