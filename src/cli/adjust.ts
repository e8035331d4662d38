/** Options that change what a hardware costs: another set of energies, other bits, zeros and what is done about them. */
import type { Command } from 'commander'
import { isNetworkName } from '../../models/index.ts'
import { runLengthRatio, withRunLength } from '../cost/compression.ts'
import { ENERGY_SET_NAMES, energySetNamed, withEnergies } from '../cost/energy-sets.ts'
import { atPrecision } from '../cost/precision.ts'
import type { Densities } from '../cost/sparsity.ts'
import type { Density } from '../cost/density.ts'
import { zeroRules } from '../cost/zero-rules.ts'
import { OptionError } from '../errors.ts'
import type { Hardware, HardwareSparsity } from '../schedule/hardware.ts'
import { OPERANDS, type Operand } from '../schedule/problem.ts'
import type { MeasuredZeros } from '../profile/report.ts'
import { zerosOfLayer } from '../profile/zeros.ts'
import type { Context } from './context.ts'
import { readHardware } from './hardware.ts'
import { openBound, type ModelFlags } from './model.ts'

type ByOperand = Partial<Record<Operand, number>>
/** Part that is zero, or 2:4. */
type Zeros = Partial<Record<Operand, number | '2:4'>>

export interface AdjustFlags {
  readonly energies?: string
  readonly bits?: ByOperand
  readonly zeros?: Zeros | 'measured'
  readonly onZeros?: string
}

/** Adds the options to a command. */
export function adjustOptions(command: Command): Command {
  return command
    .option('--energies <SET>', `prices by ${ENERGY_SET_NAMES.join(', ')}`)
    .option('--bits <LIST>', 'bits of operands, as 8 or weights=4,inputs=8,outputs=32', byOperand('--bits', plainNumber))
    .option(
      '--zeros <LIST>',
      'part of the values that is zero, as inputs=0.6,weights=2:4, or measured (inputs of MODEL:LAYER); what becomes of them, --on-zeros says',
      (text: string) => (text === 'measured' ? text : byOperand('--zeros', zeroPart)(text)),
    )
    .option(
      '--on-zeros <RULE>',
      'with --zeros: gate or skip (MACs, reads of weights, updates of outputs), run-length (compressed at the outermost level), or a hardware ' +
        "whose rules are taken where levels have its names (default: the hardware's own; run-length where it has none)",
    )
}

/** A hardware as the options make it, and what they did, a line each, for people. */
export interface Adjusted {
  readonly hardware: Hardware
  readonly lines: readonly string[]
  /** Where the hardware has rules about zeros: for `evaluate`, which then tells what they leave. */
  readonly densities?: Densities
}

/**
 * @param subject the PROBLEM argument, whose activations `--zeros measured` looks at
 * @throws OptionError for values that the hardware cannot take, or activations that are not there to be measured
 */
export async function adjusted(
  context: Context,
  given: Hardware,
  subject: string,
  { energies, bits, zeros, onZeros, ...flags }: AdjustFlags & ModelFlags,
): Promise<Adjusted> {
  let hardware = given
  const lines: string[] = []
  if (energies !== undefined) {
    hardware = withEnergies(hardware, energies)
    lines.push(`Energies: ${energySetNamed(energies).title}`)
  }
  if (bits !== undefined) {
    hardware = atPrecision(hardware, bits)
    lines.push(`Bits: ${list(bits, String)}`)
  }
  if (zeros === undefined) {
    if (onZeros === undefined) return { hardware, lines }
    throw new OptionError('--on-zeros says what becomes of zeros, and there are none', { remedy: 'Give --zeros too' })
  }
  const rules = await rulesOf(context, hardware, onZeros)
  if (zeros !== 'measured') {
    if (rules !== undefined) return { hardware: { ...hardware, sparsity: rules }, lines, densities: densitiesOf(zeros) }
    const parts = runLengthParts(zeros)
    const ratios = list(parts, (part) => `${percent(runLengthRatio(part))}${runLengthRatio(part) > 1 ? ' (grows)' : ''}`)
    lines.push(`Run-length compressed at the outermost level, to ${ratios} of the plain size`)
    return { hardware: withRunLength(hardware, parts), lines }
  }
  const { part, ratio } = await measure(context, subject, flags)
  const seen = `Measured: ${percent(part)} of the inputs are zero`
  const whose = whoseWeights(subject, flags)
  if (rules !== undefined) {
    lines.push(`${seen}${whose}`)
    return { hardware: { ...hardware, sparsity: rules }, lines, densities: { inputs: 1 - part } }
  }
  const change = ratio > 1 ? 'which run-length coding grows to' : 'run-length compressed to'
  lines.push(`${seen}, ${change} ${percent(ratio)} at the outermost level${whose}`)
  return { hardware: compressed(hardware, ratio), lines }
}

/** What is done about zeros; undefined: run-length coding at the outermost level. */
async function rulesOf(context: Context, hardware: Hardware, rule: string | undefined): Promise<HardwareSparsity | undefined> {
  if (rule === undefined) return hardware.sparsity
  if (rule === 'run-length') return undefined
  if (rule === 'gate' || rule === 'skip') return zeroRules(hardware, rule)
  const other = await readHardware(context, rule)
  if (other.sparsity === undefined) {
    throw new OptionError(`${other.name} has no rules about zeros`, {
      remedy: 'Give --on-zeros gate, skip, run-length, or another hardware',
    })
  }
  const { compute, levels = {} } = other.sparsity
  const names = new Set(hardware.levels.map(({ name }) => name))
  const missing = Object.keys(levels).filter((name) => !names.has(name))
  if (missing.length > 0) {
    throw new OptionError(`${hardware.name} has no level ${missing.join(', ')}, of which ${other.name} has rules`, {
      remedy: 'Give --on-zeros gate or skip, or the hardware itself',
    })
  }
  return { ...(compute === undefined ? {} : { compute }), levels }
}

function densitiesOf(zeros: Zeros): Densities {
  const density = (part: number | '2:4'): Density => {
    if (part === '2:4') return { kept: 2, of: 4 }
    if (!(part >= 0 && part <= 1)) throw new OptionError(`${part} of the values are zero`, { limit: 'a fraction from 0 to 1' })
    return 1 - part
  }
  return Object.fromEntries(
    OPERANDS.flatMap((operand) => {
      const part = zeros[operand]
      return part === undefined ? [] : [[operand, density(part)]]
    }),
  )
}

function runLengthParts(zeros: Zeros): ByOperand {
  const parts: ByOperand = {}
  for (const operand of OPERANDS) {
    const part = zeros[operand]
    if (part === '2:4') {
      throw new OptionError('Run-length coding is of zeros at random places, and 2:4 has its own', {
        operand,
        remedy: 'Give --on-zeros gate, skip or a hardware that stores 2:4, as a100-like does',
      })
    }
    if (part !== undefined) parts[operand] = part
  }
  return parts
}

/** 0.5, or 2:4. */
function zeroPart(text: string): number | '2:4' | undefined {
  return text.trim() === '2:4' ? '2:4' : plainNumber(text)
}

function plainNumber(text: string): number | undefined {
  const value = Number(text)
  return text.trim() !== '' && Number.isFinite(value) ? value : undefined
}

function list(values: ByOperand, show: (value: number) => string): string {
  return OPERANDS.flatMap((operand) => (values[operand] === undefined ? [] : [`${operand} ${show(values[operand])}`])).join(', ')
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`
}

/** Zeros behind random weights are not those of a trained network. */
function whoseWeights(subject: string, { weights, seed = 0 }: ModelFlags): string {
  const isSeeded = weights === undefined && isNetworkName(subject.slice(0, subject.lastIndexOf(':')))
  return isSeeded ? `; weights are seeded: ${seed}, not trained (--weights FILE gives trained ones)` : ''
}

/** Zeros among the inputs of a layer, the network run on the CPU with seeded inputs. */
async function measure(context: Context, subject: string, flags: ModelFlags): Promise<MeasuredZeros> {
  const colon = subject.lastIndexOf(':')
  const model = subject.slice(0, colon)
  if (colon < 1 || !(isNetworkName(model) || /\.onnx$/i.test(model))) {
    throw new OptionError(`${subject} has no activations to measure zeros of`, {
      remedy: 'Name the layer, as in evaluate MODEL:LAYER HARDWARE MAPPING --zeros measured, or give --zeros inputs=PART',
    })
  }
  const graph = await openBound(context, model, flags)
  return zerosOfLayer(graph, subject.slice(colon + 1))
}

function compressed(hardware: Hardware, inputs: number): Hardware {
  const [outermost, ...others] = hardware.levels
  if (outermost === undefined) throw new OptionError(`${hardware.name} has no level`)
  return { ...hardware, levels: [{ ...outermost, compression: { ...outermost.compression, inputs } }, ...others] }
}

/** `8` for all operands, or `weights=4,inputs=8`. */
function byOperand<T>(option: string, read: (text: string) => T | undefined): (text: string) => Partial<Record<Operand, T>> {
  return (text) => {
    const refuse = (): never => {
      throw new OptionError(`${option} does not take ${JSON.stringify(text)}`, {
        remedy: `Give one number, or some of ${OPERANDS.map((operand) => `${operand}=NUMBER`).join(',')}`,
      })
    }
    const valueOf = (part: string): T => read(part) ?? refuse()
    if (!text.includes('=')) {
      const value = valueOf(text)
      return { weights: value, inputs: value, outputs: value }
    }
    const values: Partial<Record<Operand, T>> = {}
    for (const part of text.split(',')) {
      const [name, value, ...others] = part.split('=')
      const operand = OPERANDS.find((known) => known === name?.trim())
      if (operand === undefined || value === undefined || others.length > 0 || values[operand] !== undefined) return refuse()
      values[operand] = valueOf(value)
    }
    return values
  }
}
