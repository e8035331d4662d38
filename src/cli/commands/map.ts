/** `tilewright map`: the best mapping of a problem on a hardware under a dataflow. Needs no GPU. */
import { Command } from 'commander'
import { hardwareNamed } from '../../../models/hardware/index.ts'
import { OptionError } from '../../errors.ts'
import { DATAFLOW_NAMES, dataflowNamed } from '../../schedule/dataflow.ts'
import { mapProblem } from '../../schedule/mapper.ts'
import type { Loop, Mapping } from '../../schedule/mapping.ts'
import { choiceOption, EXIT, integerOption, remark, type Context } from '../context.ts'
import { HARDWARE_HELP, PROBLEM_HELP, readHardware, readProblem } from '../hardware.ts'
import { modelOptions, type ModelFlags } from '../model.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { grouped } from '../table.ts'
import { renderEvaluation } from './evaluate.ts'

export const MAP_SCHEMA = 'tilewright.map/1'

interface Options extends ModelFlags {
  readonly hardware?: string
  readonly dataflow: string
  readonly objective: 'energy' | 'edp' | 'latency'
  readonly budget?: number
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright map alexnet:conv2 --hardware eyeriss --dataflow rs
  tilewright map problem.json --hardware hardware.json --dataflow ws --objective latency --json mapped.json
  tilewright evaluate mapped.json                      what it wrote can be evaluated again`

export function mapCommand(context: Context, exit: (code: number) => void): Command {
  const command = new Command('map')
    .description('Finds the best mapping of a layer on a hardware under a dataflow.')
    .argument('PROBLEM', PROBLEM_HELP)
    .option('--hardware <H>', HARDWARE_HELP)
    .requiredOption('--dataflow <D>', DATAFLOW_NAMES.join(', '))
    .option(
      '--objective <O>',
      'energy, edp or latency',
      choiceOption('--objective', ['energy', 'edp', 'latency'] as const),
      'energy',
    )
    .option('--budget <N>', 'mappings to look at, at most', integerOption('--budget', 1))
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
  return modelOptions(command).action(async (text: string, options: Options) => {
    const dataflow = dataflowNamed(options.dataflow)
    const file = await readProblem(context, text, options)
    const given = options.hardware === undefined ? file.hardware : await readHardware(context, options.hardware)
    if (given === undefined) throw new OptionError('No hardware was given', { remedy: `Give --hardware: ${HARDWARE_HELP}` })
    const hardware = typeof given === 'string' ? hardwareNamed(given) : given
    const { mapping, evaluation, searched } = mapProblem(file.problem, {
      hardware,
      dataflow,
      objective: options.objective,
      signal: context.signal,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.budget === undefined ? {} : { budget: options.budget }),
    })
    const { name, objective } = { name: dataflow.name, objective: options.objective }
    const result = { schema: MAP_SCHEMA, dataflow: name, objective, problem: file.problem, hardware, mapping, evaluation, searched }
    present(context, options.json, result, () => `${renderMapping(mapping)}\n\n${renderEvaluation(context, evaluation)}`)
    const { seen, total, exhaustive } = searched
    remark(
      context,
      exhaustive
        ? `All ${grouped(seen)} legal mappings were seen.`
        : `${grouped(seen)} mappings were seen, of a space of ${grouped(total)}.`,
    )
    exit(EXIT.ok)
  })
}

/** The loop nest, from the outermost in. */
function renderMapping({ levels }: Mapping): string {
  const list = (loops: readonly Loop[] = []): string => loops.map(([dimension, bound]) => `${dimension}${bound}`).join(' ') || '–'
  return levels
    .map(({ name, temporal, spatial, keep, forward }) => {
      const parts = [`${name.padEnd(6)} for ${list(temporal)}`]
      if (spatial !== undefined) parts.push(`spatial x: ${list(spatial.x)}, y: ${list(spatial.y)}`)
      if (keep !== undefined) parts.push(`keeps ${keep.join(', ') || 'nothing'}`)
      if (forward !== undefined)
        parts.push(
          `forwards ${Object.entries(forward)
            .map(([operand, axis]) => `${operand} along ${axis}`)
            .join(', ')}`,
        )
      return parts.join('; ')
    })
    .join('\n')
}
