/** Options that change what a hardware costs: another set of energies, other bits, zeros and what is done about them. */
import type { Command } from 'commander'
import { isNetworkName } from '../../models/index.ts'
import { runLengthRules, VALUE_BITS } from '../cost/compression.ts'
import { ENERGY_SET_NAMES, energySetNamed, withEnergies } from '../cost/energy-sets.ts'
import { runs } from '../cost/formats.ts'
import { atPrecision } from '../cost/precision.ts'
import type { Densities } from '../cost/sparsity.ts'
import type { Density } from '../cost/density.ts'
import { zeroRules } from '../cost/zero-rules.ts'
import { OptionError } from '../errors.ts'
import type { Hardware } from '../schedule/hardware.ts'
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
    .option(
      '--bits <LIST>',
      'bits of operands, as 8 (of all three) or weights=4,inputs=8,outputs=32',
      byOperand('--bits', plainNumber, 'NUMBER'),
    )
    .option(
      '--zeros <LIST>',
      'part of the values that is zero, as inputs=0.6,weights=2:4 (a number alone: of weights, inputs and outputs), or measured (inputs of ' +
        'MODEL:LAYER); what becomes of them, --on-zeros says',
      (text: string) => (text === 'measured' ? text : byOperand('--zeros', zeroPart, '0.6 or 2:4')(text)),
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
  /** Where zeros are given: for `evaluate`, which then tells what the hardware's rules leave. */
  readonly densities?: Densities
}

/**
 * @param subject the PROBLEM argument, whose activations `--zeros measured` looks at
 * @throws OptionError for values that the hardware cannot take, or activations that are not there to be measured
 */
export async function adjusted(
  context: Context,
  original: Hardware,
  subject: string,
  { energies, bits, zeros, onZeros, ...flags }: AdjustFlags & ModelFlags,
): Promise<Adjusted> {
  let hardware = original
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
  const known = zeros === 'measured' ? await measured(context, subject, flags) : given(zeros)
  const rule = await ruleOf(context, hardware, onZeros, known)
  lines.push(`${known.what}. ${rule.title}`)
  return { hardware: rule.hardware, lines, densities: known.densities }
}

interface KnownZeros {
  readonly densities: Densities
  /** Of the inputs, run-length coded, over their plain size, where they were measured. */
  readonly ratio?: number
  /** For people. */
  readonly what: string
}

async function measured(context: Context, subject: string, flags: ModelFlags): Promise<KnownZeros> {
  const { part, ratio } = await measure(context, subject, flags)
  const what = `Measured: ${percent(part)} of the inputs are zero${whoseWeights(subject, flags)}`
  return { densities: { inputs: 1 - part }, ratio, what }
}

function given(zeros: Zeros): KnownZeros {
  const what = `Zeros: ${list(zeros, (part) => (part === '2:4' ? part : percent(part)))}`
  return { densities: densitiesOf(zeros), what }
}

interface Rule {
  readonly hardware: Hardware
  /** For people, a sentence. */
  readonly title: string
}

/** The hardware with what it does about zeros. */
async function ruleOf(context: Context, hardware: Hardware, rule: string | undefined, zeros: KnownZeros): Promise<Rule> {
  const { name, sparsity } = hardware
  if (rule === undefined && sparsity !== undefined) return { hardware, title: `What becomes of them: as ${name} says` }
  if (rule === undefined || rule === 'run-length') return runLength(hardware, zeros)
  if (rule === 'gate' || rule === 'skip') {
    const done = rule === 'gate' ? 'gated' : 'skipped'
    return {
      hardware: { ...hardware, sparsity: zeroRules(hardware, rule) },
      title: `MACs, reads of weights and updates of outputs that meet them are ${done}`,
    }
  }
  const other = await readHardware(context, rule)
  if (other.sparsity === undefined) {
    throw new OptionError(`${other.name} has no rules about zeros`, {
      remedy: 'Give --on-zeros gate, skip, run-length, or another hardware',
    })
  }
  const { compute, levels = {} } = other.sparsity
  const names = new Set(hardware.levels.map((level) => level.name))
  const missing = Object.keys(levels).filter((level) => !names.has(level))
  if (missing.length > 0) {
    throw new OptionError(`${name} has no level ${missing.join(', ')}, of which ${other.name} has rules`, {
      remedy: 'Give --on-zeros gate or skip, or the hardware itself',
    })
  }
  return {
    hardware: { ...hardware, sparsity: { ...(compute === undefined ? {} : { compute }), levels } },
    title: `What becomes of them: as ${other.name} says`,
  }
}

/** Operands of which densities are given are run-length coded at the outermost level, words that say no width as 16 bits. */
function runLength(plain: Hardware, { densities, ratio }: KnownZeros): Rule {
  const isWide = plain.word_bits === undefined && plain.precision === undefined
  const hardware = isWide ? { ...plain, word_bits: VALUE_BITS } : plain
  const operands = OPERANDS.filter((operand) => densities[operand] !== undefined)
  const coded = Object.fromEntries(
    operands.map((operand) => [operand, operand === 'inputs' && ratio !== undefined ? { ratio } : {}]),
  )
  const sparsity = runLengthRules(hardware, coded)
  const outermost = hardware.levels[0]?.name ?? ''
  const sizes = operands.map((operand) => {
    const density = densities[operand]
    if (typeof density !== 'number') {
      throw new OptionError('Run-length coding is of zeros at random places, and 2:4 has its own', {
        operand,
        remedy: 'Give --on-zeros gate, skip or a hardware that stores 2:4, as a100-like does',
      })
    }
    const valueBits = hardware.precision?.[operand] ?? hardware.word_bits ?? VALUE_BITS
    const { values, metadata } = runs(sparsity.levels?.[outermost]?.[operand] ?? {}, { density, valueBits })
    const size = values + metadata / valueBits
    return `${operand} ${percent(size)}${size > 1 ? ' (grows)' : ''}`
  })
  return {
    hardware: { ...hardware, sparsity },
    title:
      `Run-length coded at ${outermost}, to ${sizes.join(', ')} of the plain size` +
      (isWide ? ` (values of ${VALUE_BITS} bits: the hardware says no word_bits)` : ''),
  }
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

/** 0.5, or 2:4. */
function zeroPart(text: string): number | '2:4' | undefined {
  return text.trim() === '2:4' ? '2:4' : plainNumber(text)
}

function plainNumber(text: string): number | undefined {
  const value = Number(text)
  return text.trim() !== '' && Number.isFinite(value) ? value : undefined
}

function list<T>(values: Partial<Readonly<Record<Operand, T>>>, show: (value: T) => string): string {
  return OPERANDS.flatMap((operand) => {
    const value = values[operand]
    return value === undefined ? [] : [`${operand} ${show(value)}`]
  }).join(', ')
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

/** `8` for all operands, or `weights=4,inputs=8`. @param what the values that it takes, for people */
function byOperand<T>(
  option: string,
  read: (text: string) => T | undefined,
  what: string,
): (text: string) => Partial<Record<Operand, T>> {
  return (text) => {
    const refuse = (): never => {
      throw new OptionError(`${option} does not take ${JSON.stringify(text)}`, {
        remedy:
          `Give ${what} for all operands, or by operand (${OPERANDS.map((operand) => `${operand}=…`).join(',')})` +
          (option === '--zeros' ? ', or measured' : ''),
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
