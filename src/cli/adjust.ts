/** Options that change what a hardware costs: another set of energies, other bits, activations compressed on their way to DRAM. */
import type { Command } from 'commander'
import { isNetworkName } from '../../models/index.ts'
import { runLengthRatio, withRunLength } from '../cost/compression.ts'
import { ENERGY_SET_NAMES, energySetNamed, withEnergies } from '../cost/energy-sets.ts'
import { atPrecision } from '../cost/precision.ts'
import { OptionError } from '../errors.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Operand } from '../schedule/problem.ts'
import type { MeasuredZeros } from '../profile/report.ts'
import { zerosOfLayer } from '../profile/zeros.ts'
import type { Context } from './context.ts'
import { openBound, type ModelFlags } from './model.ts'

type ByOperand = Partial<Record<Operand, number>>

export interface AdjustFlags {
  readonly energies?: string
  readonly bits?: ByOperand
  readonly zeros?: ByOperand | 'measured'
}

/** Adds the options to a command. */
export function adjustOptions(command: Command): Command {
  return command
    .option('--energies <SET>', `prices by ${ENERGY_SET_NAMES.join(', ')}`)
    .option('--bits <LIST>', 'bits of operands, as 8 or weights=4,inputs=8,outputs=32', byOperand('--bits'))
    .option(
      '--zeros <LIST>',
      'part of the values that is zero, as inputs=0.6,outputs=0.5, or measured (inputs of MODEL:LAYER): compressed by run length at the outermost level',
      (text: string) => (text === 'measured' ? text : byOperand('--zeros')(text)),
    )
}

/** A hardware as the options make it, and what they did, a line each, for people. */
export interface Adjusted {
  readonly hardware: Hardware
  readonly lines: readonly string[]
}

/**
 * @param subject the PROBLEM argument, whose activations `--zeros measured` looks at
 * @throws OptionError for values that the hardware cannot take, or activations that are not there to be measured
 */
export async function adjusted(
  context: Context,
  given: Hardware,
  subject: string,
  { energies, bits, zeros, ...flags }: AdjustFlags & ModelFlags,
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
  if (zeros === 'measured') {
    const { part, ratio } = await measure(context, subject, flags)
    hardware = compressed(hardware, ratio)
    const change = ratio > 1 ? 'which run-length coding grows to' : 'run-length compressed to'
    lines.push(
      `Measured: ${percent(part)} of the inputs are zero, ${change} ${percent(ratio)} at the outermost level${whoseWeights(subject, flags)}`,
    )
  } else if (zeros !== undefined) {
    hardware = withRunLength(hardware, zeros)
    const ratios = list(zeros, (part) => `${percent(runLengthRatio(part))}${runLengthRatio(part) > 1 ? ' (grows)' : ''}`)
    lines.push(`Run-length compressed at the outermost level, to ${ratios} of the plain size`)
  }
  return { hardware, lines }
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
function byOperand(option: string): (text: string) => ByOperand {
  return (text) => {
    const refuse = (): never => {
      throw new OptionError(`${option} does not take ${JSON.stringify(text)}`, {
        remedy: `Give one number, or some of ${OPERANDS.map((operand) => `${operand}=NUMBER`).join(',')}`,
      })
    }
    const number = (part: string): number => {
      const value = Number(part)
      return part.trim() !== '' && Number.isFinite(value) ? value : refuse()
    }
    if (!text.includes('=')) {
      const value = number(text)
      return { weights: value, inputs: value, outputs: value }
    }
    const values: ByOperand = {}
    for (const part of text.split(',')) {
      const [name, value, ...others] = part.split('=')
      const operand = OPERANDS.find((known) => known === name?.trim())
      if (operand === undefined || value === undefined || others.length > 0 || values[operand] !== undefined) return refuse()
      values[operand] = number(value)
    }
    return values
  }
}
