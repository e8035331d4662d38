/** `tilewright evaluate`: what a mapping costs on a hardware, predicted. Needs no GPU. */
import { Command } from 'commander'
import { evaluate } from '../../cost/evaluate.ts'
import type { Evaluation } from '../../cost/evaluation.ts'
import { CONVENTIONS, type Convention } from '../../cost/prices.ts'
import { timeloopFile } from '../../formats/timeloop/write.ts'
import { loopNest } from '../../schedule/loopnest.ts'
import { OPERANDS } from '../../schedule/problem.ts'
import { adjusted, adjustOptions, type AdjustFlags } from '../adjust.ts'
import { choiceOption, colorsFor, EXIT, remark, type Context } from '../context.ts'
import { HARDWARE_HELP, MAPPING_HELP, PROBLEM_HELP, readSubject } from '../hardware.ts'
import { modelOptions, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, checkWritable, present, writeText, type JsonTarget } from '../output.ts'
import { renderSparse } from '../sparse-table.ts'
import { duration, grouped, short, table, type Column } from '../table.ts'

export const EVALUATE_SCHEMA = 'tilewright.evaluate/1'

interface Options extends ModelFlags, AdjustFlags {
  readonly halo: 'exact' | 'timeloop'
  readonly convention: Convention
  readonly nest?: true
  readonly yaml?: string
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright map alexnet:conv2 --hardware eyeriss-chip --json conv2.json      writes a file with problem, hardware and mapping
  tilewright evaluate conv2.json                       evaluates it
  tilewright evaluate alexnet:conv2 eyeriss mapping.json
  tilewright evaluate problem.json hardware.json mapping.json --halo timeloop --json out.json
  tilewright evaluate prob.yaml arch.yaml map.yaml --halo timeloop         Timeloop's files; or one file with all three
  tilewright evaluate alexnet.csv:Conv2 google.cfg     SCALE-Sim's files: the layer runs in folds of the systolic array
  tilewright evaluate conv2.json --zeros inputs=0.6,weights=0.3                     what the chip's gating and formats make of zeros
  tilewright evaluate conv2.json --zeros weights=2:4,inputs=0.5 --on-zeros skip
  tilewright evaluate conv2.json --nest --yaml conv2.yaml`

export function evaluateCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('evaluate')
    .description('Predicts accesses, energy and cycles of a mapping.')
    .argument('PROBLEM', PROBLEM_HELP)
    .argument('[HARDWARE]', HARDWARE_HELP)
    .argument('[MAPPING]', MAPPING_HELP)
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
    .option('--nest', 'print the mapping as a loop nest first')
    .option('--yaml <FILE>', "write hardware, problem and mapping as Timeloop's YAML")
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
  return modelOptions(adjustOptions(command)).action(
    async (text: string, hardwareText: string | undefined, mappingFile: string | undefined, options: Options) => {
      checkWritable(options.json, options.yaml)
      const subject = await readSubject(context, { problem: text, hardware: hardwareText, mapping: mappingFile }, options)
      const { problem, mapping } = subject
      const { hardware, lines, densities } = await adjusted(context, subject.hardware, text, options)
      const { halo, convention } = options
      const evaluation = evaluate(problem, hardware, mapping, {
        halo,
        convention,
        ...(densities === undefined ? {} : { densities }),
      })
      if (options.yaml !== undefined) {
        writeText(options.yaml, timeloopFile(problem, hardware, mapping))
        remark(context, `Wrote ${options.yaml}`)
      }
      present(context, options.json, { schema: EVALUATE_SCHEMA, halo, convention, ...evaluation }, () =>
        [
          ...(options.nest === true ? [`${loopNest(problem, hardware, mapping)}\n`] : []),
          ...lines,
          renderEvaluation(context, evaluation),
        ].join('\n'),
      )
      exit(EXIT.ok)
    },
  )
}

/** Accesses by level and operand, and the totals. */
export function renderEvaluation(context: Context, evaluation: Evaluation): string {
  const { macs, cycles, utilization, accesses, network, energy } = evaluation
  const colors = colorsFor(context, context.out)
  const columns: Column[] = [
    { title: 'Level' },
    { title: 'Operand' },
    { title: 'Reads', align: 'right' },
    { title: 'Fills', align: 'right' },
    { title: 'Updates', align: 'right' },
  ]
  const rows = Object.entries(accesses).flatMap(([level, operands]) =>
    OPERANDS.map((operand) => {
      const { reads, fills, updates } = operands[operand]
      return [level, operand, grouped(reads), grouped(fills), grouped(updates)]
    }),
  )
  const joules = (value: number): string => energyText(value, energy.unit)
  const levels = Object.entries(energy.levels).map(([level, value]) => `${level} ${joules(value)}`)
  const hops = OPERANDS.map((operand) => `${operand} ${short(network.hops[operand])}`)
  const operands = OPERANDS.map((operand) => `${operand} ${joules(energy.per_operand[operand])}`)
  const { unit } = energy
  const perMac = `${(energy.total / macs).toPrecision(3)}${unit === undefined || unit === 'MAC' ? '' : ` ${unit}`}`
  return [
    table(columns, rows, colors),
    '',
    `${grouped(macs)} MACs in ${grouped(cycles)} cycles, utilisation ${(100 * utilization).toPrecision(3)} %${renderTime(evaluation)}`,
    `Hops: ${hops.join(', ')}`,
    `Energy ${joules(energy.total)}${energy.unit === 'MAC' ? ' MAC energies' : ''} (${perMac} per MAC): ${levels.join(', ')}, network ${joules(energy.network)}, MAC ${joules(energy.mac)}`,
    `Energy by operand: ${operands.join(', ')}`,
    ...(evaluation.sparse === undefined ? [] : ['', renderSparse(evaluation, evaluation.sparse, colors, joules)]),
  ].join('\n')
}

/** Powers of ten of a joule in a unit. */
const JOULES: ReadonlyMap<string, number> = new Map([
  ['fJ', -15],
  ['pJ', -12],
  ['nJ', -9],
  ['µJ', -6],
  ['uJ', -6],
  ['mJ', -3],
  ['J', 0],
])
const PREFIXES = ['f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G'] as const

/** Three digits and the unit: 986 M pJ are 986 µJ. MAC energies stand bare: the line says once what they are. */
function energyText(value: number, unit: string | undefined): string {
  if (unit === undefined || unit === 'MAC') return short(value)
  const power = JOULES.get(unit)
  if (power === undefined || value === 0) return `${short(value)} ${unit}`
  let place = power / 3 + 5
  let scaled = value
  while (Math.abs(scaled) >= 999.5 && place < PREFIXES.length - 1) {
    scaled /= 1000
    place++
  }
  return `${Number(scaled.toPrecision(3))} ${PREFIXES[place]}J`
}

/** What the time waits for, where anything does, and seconds where the clock is known. */
function renderTime({ time }: Evaluation): string {
  if (time === undefined) return ''
  const seconds = time.seconds === undefined ? '' : `, ${duration(1000 * time.seconds)}`
  const bound = time.bound === 'compute' ? '' : `, bound by ${time.bound} (${grouped(time.compute)} steps)`
  return `${bound}${seconds}`
}
