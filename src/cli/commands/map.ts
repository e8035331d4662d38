/** `tilewright map`: the best mappings of a layer, or of all layers of a network, on a hardware under dataflows or none. Needs no GPU, but to measure time. */
import { Command } from 'commander'
import { hardwareNamed } from '../../../models/hardware/index.ts'
import { isNetworkName } from '../../../models/index.ts'
import { OptionError } from '../../errors.ts'
import { crossingOf, withoutAxis } from '../../formats/timeloop/axes.ts'
import { timeloopArchitecture, timeloopFile, timeloopProblem } from '../../formats/timeloop/write.ts'
import { layerPlans } from '../../profile/layers.ts'
import { DATAFLOWS, DATAFLOW_NAMES, UNCONSTRAINED, constraintNamed, parseDataflow, type Dataflow } from '../../schedule/dataflow.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import { DEFAULT_BUDGET } from '../../schedule/mapper.ts'
import { loopNest } from '../../schedule/loopnest.ts'
import { CONVENTIONS, type Convention } from '../../cost/prices.ts'
import { adjusted, adjustOptions, type AdjustFlags } from '../adjust.ts'
import { choiceOption, colorsFor, EXIT, integerOption, remark, type Context } from '../context.ts'
import {
  HARDWARE_HELP,
  PROBLEM_HELP,
  readConstraints,
  readHardware,
  readJson,
  readProblem,
  readTopologyLayers,
  type ConstraintsFor,
} from '../hardware.ts'
import { located } from '../input.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP } from '../gpu.ts'
import { mappingSpace, readProfile } from '../map/page.ts'
import { csvOf, figureOf, mappings, ranTitle, renderRows, renderTotals, type Row, type RowObjective } from '../map/rows.ts'
import { searchRows, type Layer, type SearchRequest } from '../map/search.ts'
import { collectSweep, sweepPoints, type Sweep } from '../map/sweep.ts'
import { mapByTime } from '../map/time.ts'
import { openBound, shapeOptions, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, checkWritable, present, writeText, type JsonTarget } from '../output.ts'
import { mappingPage } from '../report-page.ts'
import { duration, short, wrapped } from '../table.ts'
import { renderEvaluation } from './evaluate.ts'

export const MAP_SCHEMA = 'tilewright.map/1'
export const MAPS_SCHEMA = 'tilewright.maps/1'

interface Options extends Omit<ModelFlags, 'seed'>, AdjustFlags {
  readonly hardware?: string
  readonly dataflow: string
  readonly objective: RowObjective | 'time'
  readonly halo: 'exact' | 'timeloop'
  readonly convention: Convention
  readonly seed?: number
  readonly budget?: number
  readonly workers?: number
  readonly sweep?: readonly Sweep[]
  readonly csv?: string
  readonly json?: JsonTarget
  readonly yaml?: string
  readonly html?: string
  readonly profile?: string
  readonly candidates?: number
  readonly samples?: number
  readonly adapter?: string
}

/** Options of a search that needs no GPU. */
type ModelledOptions = Options & { readonly objective: RowObjective }

const EXAMPLES = `
Examples:
  tilewright map alexnet:conv2 --hardware eyeriss --dataflow rs
  tilewright map alexnet --hardware eyeriss --dataflow all --csv alexnet.csv        layer × dataflow, and the best without one
  tilewright map vgg16:conv3_2 --hardware eyeriss --dataflow ws,rs --sweep GLB.words=16k..128k:*2 --csv sweep.csv
  tilewright map alexnet:conv3 --hardware eyeriss --dataflow rs --sweep RF.words=64,128,256 --sweep array.x=8..16:+4
  tilewright map alexnet:conv3 --objective time --candidates 12                     run on the GPU, the fastest wins
  tilewright map problem.json --hardware hardware.json --objective latency --json mapped.json --yaml mapping.yaml
  tilewright map alexnet:conv3 --hardware eyeriss --dataflow all --html conv3.html
  tilewright evaluate mapped.json                      what it wrote can be evaluated again

A dataflow of one's own is a JSON file:
  { "name": "mine", "title": "weights stay, rows of outputs in parallel",
    "spatial": { "x": ["Q"], "y": ["M"] },                      dimensions over each axis of the array
    "keep": { "buffer": ["inputs"], "registers": ["weights"] }, what is kept between the outermost level and the PEs, and in a PE
    "optional": { "buffer": ["weights", "outputs"] },           what the mapper may keep there or not
    "innermost": ["C", "R", "S", "P"],                          loops above the registers, dimensions not named outside them
    "order": [["C", "R", "S"], ["P"]],                          the same in groups of any order (in place of innermost's order)
    "registers": ["S"],                                         loops that may run inside a PE
    "whole": ["S"],                                             loops that must run whole inside the array, as far as there is room
    "forward": ["inputs"],                                      operands that neighbours along x may hand on
    "levels": { "GLB": { "temporal": ["C", "P"] } } }           by level: temporal, spatial, keep, optional, order in place of these
optional, order, whole, forward and levels may be left out.`

export function mapCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('map')
    .description('Finds the best mappings of a layer, or of all layers of a network, on a hardware under dataflows.')
    .argument('PROBLEM', `${PROBLEM_HELP}; or MODEL or FILE.csv for all its layers`)
    .option('--hardware <H>', HARDWARE_HELP)
    .option(
      '--dataflow <D>',
      `${DATAFLOW_NAMES.join(', ')}; several, all, none (no constraint), a JSON file, or Timeloop's YAML with constraints`,
      'none',
    )
    .option(
      '--objective <O>',
      'energy, edp or latency; time: measured on the GPU',
      choiceOption('--objective', ['energy', 'edp', 'latency', 'time'] as const),
      'energy',
    )
    .option(
      '--halo <MODE>',
      'exact, or timeloop: overlaps as Timeloop counts them',
      choiceOption('--halo', ['exact', 'timeloop'] as const),
      'exact',
    )
    .option(
      '--convention <C>',
      'what energy is charged for: tilewright (accesses and hops), or isca16 (deliveries, as Eyeriss was evaluated)',
      choiceOption('--convention', CONVENTIONS),
      'tilewright',
    )
    .option('--seed <N>', 'which part of a space too large to walk is seen (default: 1)', integerOption('--seed', 0))
    .option(
      '--budget <N>',
      `mappings to evaluate for each search, at most (default: ${DEFAULT_BUDGET})`,
      integerOption('--budget', 1),
    )
    .option('--workers <N>', 'threads; 0: none beside this one (default: as many as cores)', integerOption('--workers', 0))
    .option(
      '--sweep <FIELD=VALUES>',
      'a number of the hardware, as GLB.words=16k,32k or array.x=4..16:+4; may be given several times',
      collectSweep,
    )
    .option('--csv <FILE>', 'write a line for each search')
    .option('--html <FILE>', 'write a page of one layer: the mapping space, energy, roofline, loop nests')
    .option('--profile <FILE>', 'with --html: the JSON of a profile whose counts are shown beside their predictions')
    .option(
      '--yaml <FILE>',
      "write architecture, problem and mapping as Timeloop's YAML (of one search, without what Timeloop has no form for: " +
        'forwarding, a dimension along both axes of a level); evaluate FILE, or evaluate FILE HARDWARE, reads it',
    )
    .option('--candidates <N>', 'with --objective time: mappings that are run (default: 8)', integerOption('--candidates', 1))
    .option('--samples <N>', 'with --objective time: timed runs of each (default: 3)', integerOption('--samples', 1))
    .option(ADAPTER_FLAGS, `with --objective time: ${ADAPTER_HELP}`)
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
  return shapeOptions(adjustOptions(command)).action(async (text: string, options: Options) => {
    checkWritable(options.json, options.csv, options.yaml, options.html)
    const found = await subject(context, text, options)
    const named = await readDataflows(context, options.dataflow, { problem: text, hardware: found.hardware })
    const { objective } = options
    if (options.profile !== undefined && options.html === undefined) {
      throw new OptionError('--profile is for the page', { remedy: 'Give --html FILE too' })
    }
    if (objective === 'time') {
      if (options.html !== undefined) {
        throw new OptionError('--html draws searches by prediction', { remedy: 'Give another objective, or leave --html out' })
      }
      exit(await mapByTime(context, found, named, options))
      return
    }
    const { layers } = found
    const { hardware, lines, densities } = await adjusted(context, required(found.hardware), text, shapeFlags(options))
    // With JSON on standard output there is no table to head.
    if (options.json === true || options.json === '-') for (const line of lines) remark(context, line)
    refuseTimeOptions(options)
    // Timeloop has no form for words that neighbours hand on.
    const dataflows = options.yaml === undefined ? named : named.map((dataflow) => ({ ...dataflow, forward: [] }))
    const points = sweepPoints(hardware, options.sweep ?? [])
    if (options.yaml !== undefined && layers.length * points.length * dataflows.length > 1) {
      throw new OptionError('--yaml writes one mapping', { remedy: 'Give one layer (MODEL:LAYER), one dataflow and no sweep' })
    }
    if (options.yaml !== undefined) {
      // Refused now rather than after the search, where Timeloop has no form for one of them.
      for (const { hardware: machine } of points) timeloopArchitecture(machine)
      for (const { problem } of layers) timeloopProblem(problem)
    }
    if (options.html !== undefined && layers.length * points.length > 1) {
      throw new OptionError('--html draws one layer on one hardware', { remedy: 'Give MODEL:LAYER, and no --sweep' })
    }
    const profile = options.profile === undefined ? undefined : await readProfile(context, options.profile)
    const began = performance.now()
    const request = { ...options, objective, layers, points, dataflows, ...(densities === undefined ? {} : { densities }) }
    const rows = options.yaml === undefined ? await searchRows(context, request) : [await searchForTimeloop(context, request)]
    const first = rows[0]
    if (rows.length === 1 && first !== undefined) presentOne(context, first, lines, { ...options, objective })
    else presentRows(context, rows, lines, { ...options, objective })
    if (options.html !== undefined) {
      const { halo, seed } = options
      const space = mappingSpace(context, {
        rows,
        dataflows,
        objective,
        halo,
        ...(seed === undefined ? {} : { seed }),
        ...(profile === undefined ? {} : { profile }),
      })
      write(context, options.html, mappingPage(space))
    }
    const seen = rows.reduce((sum, { outcome }) => sum + (outcome.result?.searched.seen ?? 0), 0)
    const time = performance.now() - began
    if (rows.length > 1) remark(context, `${ranTitle(rows)} evaluated ${short(seen)} ${mappings(seen)} in ${duration(time)}.`)
    exit(rows.some(({ outcome }) => outcome.result !== undefined) ? EXIT.ok : EXIT.failed)
  })
}

/** The layers to map, and the hardware: given, or of the problem's file. */
async function subject(
  context: Context,
  text: string,
  options: Options,
): Promise<{ readonly layers: readonly Layer[]; readonly hardware?: Hardware }> {
  const flags = shapeFlags(options)
  const isModel = isNetworkName(text) || /\.onnx$/i.test(text)
  const topology = isModel ? undefined : await readTopologyLayers(context, text, flags)
  const file = isModel || topology !== undefined ? undefined : await readProblem(context, text, flags)
  const given = options.hardware === undefined ? file?.hardware : await readHardware(context, options.hardware)
  const hardware = given === undefined ? {} : { hardware: typeof given === 'string' ? hardwareNamed(given) : given }
  if (file !== undefined) return { layers: [{ name: text, problem: file.problem }], ...hardware }
  const layers = topology ?? layerPlans(await openBound(context, text, flags))
  if (layers.length === 0) throw new OptionError(`${text} has no layer with a loop nest`)
  return { layers, ...hardware }
}

/** The options that a network and a hardware take; `--seed` is the search's. */
function shapeFlags({ batch, dim, energies, bits, zeros, onZeros }: Options): AdjustFlags & ModelFlags {
  return {
    ...(batch === undefined ? {} : { batch }),
    ...(dim === undefined ? {} : { dim }),
    ...(energies === undefined ? {} : { energies }),
    ...(bits === undefined ? {} : { bits }),
    ...(zeros === undefined ? {} : { zeros }),
    ...(onZeros === undefined ? {} : { onZeros }),
  }
}

function required(hardware: Hardware | undefined): Hardware {
  if (hardware !== undefined) return hardware
  throw new OptionError('No hardware was given', { remedy: `Give --hardware: ${HARDWARE_HELP}` })
}

/** @throws OptionError where an option that only measuring knows is given without it */
function refuseTimeOptions({ candidates, samples, adapter }: Options): void {
  const given = Object.entries({ candidates, samples, adapter }).find(([, value]) => value !== undefined)
  if (given !== undefined) throw new OptionError(`--${given[0]} goes with --objective time`, { remedy: 'Leave one of them out' })
}

/** `all` is every dataflow of the literature and none; a list names some; a file holds one. @throws OptionError, FileFormatError */
async function readDataflows(context: Context, text: string, scope: ConstraintsFor): Promise<readonly Dataflow[]> {
  const names = text.split(',').map((name) => name.trim())
  const lists = await Promise.all(
    names.map(async (name): Promise<readonly Dataflow[]> => {
      if (name === 'all') return [...DATAFLOW_NAMES.map((known) => DATAFLOWS[known]), UNCONSTRAINED]
      if (/\.ya?ml$/i.test(name)) return [await readConstraints(context, name, scope)]
      if (!/\.json$/i.test(name)) return [constraintNamed(name)]
      const json = await readJson(context, name)
      return [located(name, () => parseDataflow(json))]
    }),
  )
  const found = lists.flat()
  return found.filter((dataflow, index) => found.findIndex(({ name }) => name === dataflow.name) === index)
}

/** @param lines what the options made of the hardware */
function presentOne(context: Context, row: Row, lines: readonly string[], options: ModelledOptions): void {
  const { problem, hardware, outcome, dataflow } = row
  if (outcome.error !== undefined) throw outcome.error
  if (outcome.result === undefined) throw new OptionError('Stopped before a mapping was seen')
  const { mapping, evaluation, searched } = outcome.result
  const result = { schema: MAP_SCHEMA, dataflow, objective: options.objective, problem, hardware, mapping, evaluation, searched }
  present(context, options.json, result, () =>
    [loopNest(problem, hardware, mapping), '', ...lines, renderEvaluation(context, evaluation)].join('\n'),
  )
  if (options.csv !== undefined) write(context, options.csv, csvOf([row], options.objective))
  const { seen, total, exhaustive, stopped } = searched
  const part = total < 1e6 ? short(total) : total.toExponential(2).replace('e+', 'e')
  const were = seen === 1 ? 'was' : 'were'
  if (exhaustive) remark(context, `All ${short(seen)} legal ${mappings(seen)} of a space of ${part} ${were} evaluated.`)
  else
    remark(
      context,
      `${stopped === true ? 'Stopped: ' : ''}${short(seen)} ${mappings(seen)} ${were} evaluated, of a space of ${part}.`,
    )
  if (options.yaml !== undefined) write(context, options.yaml, timeloopFile(problem, hardware, mapping))
}

/**
 * One search for a mapping that Timeloop has a form for. Where the best one spreads a dimension along both axes of a level, the
 * search is run again with that dimension along either axis alone, and the better of the two is gone on with.
 */
async function searchForTimeloop(context: Context, request: SearchRequest): Promise<Row> {
  const search = async (dataflow: Dataflow): Promise<{ readonly row: Row; readonly dataflow: Dataflow }> => {
    const [row] = await searchRows(context, { ...request, dataflows: [dataflow] })
    if (row === undefined) throw new OptionError('There is nothing to search')
    return { row, dataflow }
  }
  const [given] = request.dataflows
  if (given === undefined) throw new OptionError('There is no dataflow to search')
  let best = await search(given)
  for (;;) {
    const { result } = best.row.outcome
    const crossing = result === undefined ? undefined : crossingOf(result.mapping)
    if (crossing === undefined || context.signal.aborted) return best.row
    const { level, dimension } = crossing
    remark(
      context,
      `Timeloop has one factor of ${dimension} over ${level}'s fan-out: searching again with it along either axis alone.`,
    )
    const alongX = await search(withoutAxis(best.dataflow, crossing, 'y'))
    const alongY = await search(withoutAxis(best.dataflow, crossing, 'x'))
    const [x = Infinity, y = Infinity] = [alongX, alongY].map(({ row }) => figureOf(row, request.objective))
    // Neither has one: what was found is presented, and writing it says why it cannot be.
    if (Math.min(x, y) === Infinity) return best.row
    best = y < x ? alongY : alongX
  }
}

/** @param lines what the options made of the hardware */
function presentRows(context: Context, rows: readonly Row[], lines: readonly string[], options: ModelledOptions): void {
  const { objective } = options
  const json = {
    schema: MAPS_SCHEMA,
    objective,
    rows: rows.map(({ outcome, ...row }) => ({
      ...row,
      ...outcome.result,
      ...(outcome.error === undefined ? {} : { error: outcome.error.message }),
    })),
  }
  present(context, options.json, json, () => {
    const colors = colorsFor(context, context.out)
    const totals = renderTotals(rows, objective, colors)
    return [
      ...lines.map((line) => wrapped(line)),
      ...(lines.length === 0 ? [] : ['']),
      renderRows(rows, colors),
      ...(totals === undefined ? [] : ['', totals]),
    ].join('\n')
  })
  if (options.csv !== undefined) write(context, options.csv, csvOf(rows, objective))
  for (const message of new Set(rows.flatMap(({ outcome }) => (outcome.error === undefined ? [] : [outcome.error.message])))) {
    remark(context, message)
  }
}

function write(context: Context, file: string, text: string): void {
  writeText(file, text.endsWith('\n') ? text : `${text}\n`)
  remark(context, `Wrote ${file}`)
}
