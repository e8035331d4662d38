/** `tilewright evaluate`: what a mapping costs on a hardware, predicted. Needs no GPU. */
import { Command } from 'commander'
import { hardwareNamed } from '../../../models/hardware/index.ts'
import { evaluate } from '../../cost/evaluate.ts'
import type { Evaluation } from '../../cost/evaluation.ts'
import { OptionError } from '../../errors.ts'
import { OPERANDS } from '../../schedule/problem.ts'
import { choiceOption, colorsFor, EXIT, type Context } from '../context.ts'
import { HARDWARE_HELP, PROBLEM_HELP, readHardware, readMapping, readProblem } from '../hardware.ts'
import { modelOptions, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { grouped, short, table, type Column } from '../table.ts'

export const EVALUATE_SCHEMA = 'tilewright.evaluate/1'

interface Options extends ModelFlags {
  readonly halo: 'exact' | 'timeloop'
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright evaluate conv2.json                       a file with problem, hardware and mapping
  tilewright evaluate alexnet:conv2 eyeriss mapping.json
  tilewright evaluate problem.json hardware.json mapping.json --halo timeloop --json out.json`

export function evaluateCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('evaluate')
    .description('Predicts accesses, energy and cycles of a mapping.')
    .argument('PROBLEM', PROBLEM_HELP)
    .argument('[HARDWARE]', HARDWARE_HELP)
    .argument('[MAPPING]', 'a JSON file')
    .option(
      '--halo <MODE>',
      'exact, or timeloop: overlaps as Timeloop counts them',
      choiceOption('--halo', ['exact', 'timeloop'] as const),
      'exact',
    )
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
  return modelOptions(command).action(
    async (text: string, hardwareText: string | undefined, mappingFile: string | undefined, options: Options) => {
      const file = await readProblem(context, text, options)
      const hardware = hardwareText === undefined ? file.hardware : await readHardware(context, hardwareText)
      const mapping = mappingFile === undefined ? file.mapping : await readMapping(context, mappingFile)
      if (hardware === undefined)
        throw new OptionError(`There is no hardware in ${text}`, { remedy: 'Give one: evaluate PROBLEM HARDWARE MAPPING' })
      if (mapping === undefined)
        throw new OptionError(`There is no mapping in ${text}`, { remedy: 'Give one: evaluate PROBLEM HARDWARE MAPPING' })
      const known = typeof hardware === 'string' ? hardwareNamed(hardware) : hardware
      const evaluation = evaluate(file.problem, known, mapping, { halo: options.halo })
      present(context, options.json, { schema: EVALUATE_SCHEMA, halo: options.halo, ...evaluation }, () =>
        renderEvaluation(context, evaluation),
      )
      exit(EXIT.ok)
    },
  )
}

/** Accesses by level and operand, and the totals. */
export function renderEvaluation(context: Context, { macs, cycles, utilization, accesses, network, energy }: Evaluation): string {
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
  const levels = Object.entries(energy.levels).map(([level, value]) => `${level} ${short(value)}`)
  const hops = OPERANDS.map((operand) => `${operand} ${short(network.hops[operand])}`)
  return [
    table(columns, rows, colors),
    '',
    `${grouped(macs)} MACs in ${grouped(cycles)} cycles, utilisation ${(100 * utilization).toPrecision(3)} %`,
    `Hops: ${hops.join(', ')}`,
    `Energy ${short(energy.total)} (${(energy.total / macs).toPrecision(3)} per MAC): ${levels.join(', ')}, network ${short(energy.network)}, MAC ${short(energy.mac)}`,
  ].join('\n')
}
