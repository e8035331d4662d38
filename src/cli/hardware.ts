/** `--hardware NAME|FILE`: a hardware by name, or from a JSON file as models/hardware has them. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { FileFormatError } from '../errors.ts'
import { readLocalFile } from '../formats/node-files.ts'
import type { Hardware } from '../schedule/hardware.ts'
import type { Context } from './context.ts'

const positive = z.number().positive()
const whole = z.number().int().positive()
const fanout = z.strictObject({ x: whole, y: whole })
const energy = z.strictObject({ energy: z.number().nonnegative() })

const level = z.strictObject({
  name: z.string().min(1),
  words: z.number().int().nonnegative().optional(),
  energy: z.number().nonnegative(),
  readEnergy: z.number().nonnegative().optional(),
  writeEnergy: z.number().nonnegative().optional(),
  fanout: fanout.optional(),
  bandwidth: z.strictObject({ read: positive.optional(), write: positive.optional() }).optional(),
  double_buffered: z.boolean().optional(),
  multicast: z.boolean().optional(),
  word_bits: whole.optional(),
})

const hardwareFile = z.strictObject({
  schema: z.string().optional(),
  name: z.string().min(1),
  source: z.string().optional(),
  array: fanout,
  levels: z.array(level).min(2),
  network: energy,
  mac: energy,
  word_bits: whole.optional(),
  clock_hz: positive.optional(),
  energy_unit: z.string().optional(),
})

/**
 * The hardware in a file; a name is handed on as it is.
 * @throws FileFormatError that names the field which does not fit
 */
export async function readHardware({ signal }: Context, nameOrFile: string): Promise<string | Hardware> {
  if (!/\.json$/i.test(nameOrFile) && !existsSync(nameOrFile)) return nameOrFile
  const bytes = await readLocalFile(nameOrFile, signal)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new FileFormatError(`${nameOrFile} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
  }
  const parsed = hardwareFile.safeParse(json)
  if (parsed.success) {
    // Dropping undefined fields is what JSON has done already.
    const { schema: _, ...hardware } = parsed.data
    return hardware as Hardware
  }
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`)
  throw new FileFormatError(`${nameOrFile} is no hardware: ${faults.join('; ')}`, { remedy: 'See models/hardware for examples' })
}
