/**
 * A hardware at other bit widths. Think of it as the same shelves filled with narrower boxes: as many values more fit, each
 * access and each wire carries fewer bits, and the MAC shrinks. Access energy, room and bandwidth follow the bits linearly, the
 * addition too, the multiplication quadratically (Sze et al. 2017, VII-A); see `wordsPerValue` and `macPrice`.
 */
import { OptionError } from '../errors.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { OPERANDS, type Operand } from '../schedule/problem.ts'

const MOST_BITS = 1024

/**
 * The hardware with `bits` of its operands; operands not named keep theirs. Its own prices stay those of a full word.
 * @throws OptionError for bits that are no integer from 1 to 1024, or a hardware that does not say how wide its word is
 */
export function atPrecision(hardware: Hardware, bits: Partial<Readonly<Record<Operand, number>>>): Hardware {
  if (hardware.word_bits === undefined) {
    throw new OptionError(`${hardware.name} does not say how wide its words are`, { remedy: 'Add "word_bits" to the hardware' })
  }
  for (const [operand, wanted] of Object.entries(bits)) {
    if (!OPERANDS.some((known) => known === operand)) {
      throw new OptionError(`There is no operand called "${operand}"`, { remedy: `Operands are ${OPERANDS.join(', ')}` })
    }
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST_BITS) {
      throw new OptionError(`${operand} of ${wanted} bits`, { operand, limit: `an integer from 1 to ${MOST_BITS}` })
    }
  }
  return { ...hardware, precision: { ...hardware.precision, ...bits } }
}
