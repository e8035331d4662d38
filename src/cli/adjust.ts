/** Options that change what a hardware costs: another set of energies, other bits, activations compressed on their way to DRAM. */
import type { Command } from 'commander'
import { runLengthRatio, withRunLength } from '../cost/compression.ts'
import { ENERGY_SET_NAMES, energySetNamed, withEnergies } from '../cost/energy-sets.ts'
import { atPrecision } from '../cost/precision.ts'
import { OptionError } from '../errors.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Operand } from '../schedule/problem.ts'

type ByOperand = Partial<Record<Operand, number>>

export interface AdjustFlags {
  readonly energies?: string
  readonly bits?: ByOperand
  readonly zeros?: ByOperand
}

/** Adds the options to a command. */
export function adjustOptions(command: Command): Command {
  return command
    .option('--energies <SET>', `prices by ${ENERGY_SET_NAMES.join(', ')}`)
    .option('--bits <LIST>', 'bits of operands, as 8 or weights=4,inputs=8,outputs=32', byOperand('--bits'))
    .option(
      '--zeros <LIST>',
      'part of the values that is zero, as inputs=0.6,outputs=0.5: compressed by run length at the outermost level',
      byOperand('--zeros'),
    )
}

/** The hardware that the options make of one. @throws OptionError for values it cannot take */
export function adjusted(hardware: Hardware, { energies, bits, zeros }: AdjustFlags): Hardware {
  let result = hardware
  if (energies !== undefined) result = withEnergies(result, energies)
  if (bits !== undefined) result = atPrecision(result, bits)
  if (zeros !== undefined) result = withRunLength(result, zeros)
  return result
}

/** What the options did, a line each, for people. */
export function adjustments({ energies, bits, zeros }: AdjustFlags): string[] {
  const list = (values: ByOperand, show: (value: number) => string): string =>
    OPERANDS.flatMap((operand) => (values[operand] === undefined ? [] : [`${operand} ${show(values[operand])}`])).join(', ')
  return [
    ...(energies === undefined ? [] : [`Energies: ${energySetNamed(energies).title}`]),
    ...(bits === undefined ? [] : [`Bits: ${list(bits, String)}`]),
    ...(zeros === undefined
      ? []
      : [
          `Run-length compressed at the outermost level, to ${list(zeros, (part) => `${(100 * runLengthRatio(part)).toFixed(1)} %`)} of the plain size`,
        ]),
  ]
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
