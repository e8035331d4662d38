/** `tilewright diff`: which accesses grew or shrank between two mappings, and why. Needs no GPU. */
import { Command } from 'commander'
import { hardwareNamed } from '../../../models/hardware/index.ts'
import { diffMappings, entangled, factor, type Change, type DiffRow, type MappingDiff } from '../../cost/diff.ts'
import { OptionError } from '../../errors.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import type { EvaluationFile } from '../../schedule/parse.ts'
import type { Problem } from '../../schedule/problem.ts'
import { choiceOption, colorsFor, EXIT, integerOption, remark, type Context } from '../context.ts'
import { HARDWARE_HELP, readHardware, readProblem } from '../hardware.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { grouped, short, table, type Column } from '../table.ts'

const HALOS = ['exact', 'timeloop'] as const
const CONVENTIONS = ['tilewright', 'isca16'] as const

interface Options {
  readonly hardware?: string
  readonly halo: (typeof HALOS)[number]
  readonly haloB?: (typeof HALOS)[number]
  readonly convention: (typeof CONVENTIONS)[number]
  readonly conventionB?: (typeof CONVENTIONS)[number]
  readonly rows: number
  readonly json?: JsonTarget
}

const EXAMPLES = `
Examples:
  tilewright map alexnet:conv2 --hardware eyeriss --dataflow ws --json ws.json
  tilewright map alexnet:conv2 --hardware eyeriss --dataflow rs --json rs.json
  tilewright diff ws.json rs.json
  tilewright diff rs.json rs.json --halo-b timeloop        one mapping, counted in two ways`

export function diffCommand(context: Context, exit: (code: number) => void): Command {
  return new Command('diff')
    .description('Says which accesses grew or shrank between two mappings of a problem, and why.')
    .argument('A', 'a JSON file with problem, hardware and mapping, as `map --json` writes it')
    .argument('B', 'another of the same problem; without a hardware it takes that of A')
    .option('--hardware <H>', `for both, in place of what the files name: ${HARDWARE_HELP}`)
    .option('--halo <MODE>', 'exact, or timeloop: overlaps as Timeloop counts them', choiceOption('--halo', HALOS), 'exact')
    .option('--halo-b <MODE>', 'the same for B alone', choiceOption('--halo-b', HALOS))
    .option('--convention <C>', 'energy: tilewright or isca16', choiceOption('--convention', CONVENTIONS), 'tilewright')
    .option('--convention-b <C>', 'the same for B alone', choiceOption('--convention-b', CONVENTIONS))
    .option('--rows <N>', 'lines whose reasons are printed', integerOption('--rows', 0), 8)
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
    .action(async (fileA: string, fileB: string, options: Options) => {
      const [a, b] = [await readProblem(context, fileA), await readProblem(context, fileB)]
      sameProblem(a.problem, b.problem, fileA, fileB)
      const given = options.hardware === undefined ? undefined : await readHardware(context, options.hardware)
      const hardware = given ?? hardwareOf(a, fileA)
      const hardwareB = given ?? (b.hardware === undefined ? hardware : hardwareOf(b, fileB))
      const found = diffMappings(a.problem, hardware, mappingOf(a, fileA), mappingOf(b, fileB), {
        hardwareB,
        a: { halo: options.halo, convention: options.convention },
        b: { halo: options.haloB ?? options.halo, convention: options.conventionB ?? options.convention },
      })
      present(context, options.json, { problem: a.problem, ...found }, () => renderDiff(context, found, options.rows))
      if (found.rows.length > options.rows) {
        remark(
          context,
          `Reasons of the first ${options.rows} of ${found.rows.length} lines are shown: --rows N shows more, --json all.`,
        )
      }
      exit(EXIT.ok)
    })
}

function hardwareOf({ hardware }: EvaluationFile, file: string): Hardware {
  if (hardware === undefined)
    throw new OptionError(`There is no hardware in ${file}`, { remedy: `Give --hardware: ${HARDWARE_HELP}` })
  return typeof hardware === 'string' ? hardwareNamed(hardware) : hardware
}

function mappingOf({ mapping }: EvaluationFile, file: string) {
  if (mapping === undefined)
    throw new OptionError(`There is no mapping in ${file}`, { remedy: 'Give a file that map --json wrote' })
  return mapping
}

function sameProblem(a: Problem, b: Problem, fileA: string, fileB: string): void {
  const fields = (problem: Problem): [string, string][] => Object.entries(problem).map(([key, value]) => [key, String(value)])
  const other = new Map(fields(b))
  const differ = fields(a).flatMap(([key, value]) => {
    const its = other.get(key) ?? 'not given'
    return value === its ? [] : [`${key} ${value} and ${its}`]
  })
  if (differ.length === 0) return
  throw new OptionError(`${fileA} and ${fileB} are of different problems: ${differ.join('; ')}`, {
    remedy: 'Compare mappings of one problem',
  })
}

/** +12.3 M, −4, 0: whole words; a part may be a fraction. */
function signed(value: number): string {
  const digits = short(Math.abs(value) < 10 ? Number(value.toPrecision(3)) : Math.round(value))
  return value > 0 ? `+${digits}` : digits.replace('-', '−')
}

function totals({ energy, cycles, utilization }: MappingDiff, colors: ReturnType<typeof colorsFor>): string {
  const line = (name: string, change: Change, show: (value: number) => string): string[] => [
    name,
    show(change.a),
    show(change.b),
    factor(change),
  ]
  const right = (title: string): Column => ({ title, align: 'right' })
  return table(
    [{ title: 'Total' }, right('A'), right('B'), right('B / A')],
    [
      line('Energy', energy, short),
      line('Cycles', cycles, grouped),
      line('Utilisation', utilization, (value) => `${(100 * value).toPrecision(3)} %`),
    ],
    colors,
  )
}

export function renderDiff(context: Context, found: MappingDiff, reasons: number): string {
  const colors = colorsFor(context, context.out)
  const { differences, rows, equal } = found
  const parts = [totals(found, colors)]
  if (differences.length === 0) return [...parts, '', 'The two are the same.'].join('\n')
  const right = (title: string): Column => ({ title, align: 'right' })
  const ranked = differences.map((difference, index) => ({
    ...difference,
    mark: String.fromCodePoint(97 + (index % 26)) + (index < 26 ? '' : '′'),
  }))
  const note = entangled(found)
  parts.push(
    '',
    table(
      [{ title: 'Difference' }, right('Energy'), { title: 'What B does otherwise' }],
      ranked
        .toSorted((one, other) => Math.abs(other.energy) - Math.abs(one.energy))
        .map(({ mark, energy, label }) => [mark, signed(energy), wrapped(label, 90).join('\n')]),
      colors,
    ),
    ...(note === '' ? [] : [note]),
    '',
    table(
      [{ title: 'Access' }, right('A words'), right('B words'), right('B / A'), right('Energy'), { title: 'Mostly by' }],
      rows.map((row) => [
        nameOf(row),
        grouped(row.words.a),
        grouped(row.words.b),
        factor(row.words),
        signed(row.energy.change),
        row.parts
          .slice(0, 4)
          .map(({ difference }) => ranked[difference]?.mark)
          .join(' '),
      ]),
      colors,
    ),
    `${equal} lines are equal.`,
  )
  const shown = rows.slice(0, reasons).filter((row) => row.parts.length > 0)
  for (const row of shown) {
    parts.push('', colors.bold(`${nameOf(row)} ${row.words.change === 0 ? '' : factor(row.words)}`.trim()))
    for (const part of row.parts) {
      const amount = row.words.change === 0 ? `${signed(part.energy)} of energy` : `${signed(part.words)} words`
      const why = part.why === '' ? '' : `: ${part.why}`
      const [first = '', ...more] = wrapped(`${differences[part.difference]?.label}${why}`, 104)
      parts.push(
        `  ${ranked[part.difference]?.mark} ${amount.padStart(18)}  ${first}`,
        ...more.map((line) => `${' '.repeat(24)}${line}`),
      )
    }
  }
  return parts.join('\n')
}

const nameOf = ({ level, kind, operand }: DiffRow): string =>
  operand === undefined ? `${level} ${kind}` : `${level} ${kind} of ${operand}`

function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
