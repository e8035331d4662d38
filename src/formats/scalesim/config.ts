/**
 * SCALE-Sim's configuration: a systolic array, three buffers and a dataflow. Think of it as an order form for a hardware: the array
 * and its flow, a buffer for each operand, and, where the file fixes them, the words that pass to the memory in a cycle.
 */
import { FileFormatError } from '../../errors.ts'
import type { Hardware, SystolicFlow } from '../../schedule/hardware.ts'
import type { Operand } from '../../schedule/problem.ts'

const LARGEST_TEXT = 1 << 16
const LARGEST_SIDE = 1 << 16
/** A kilobyte, of words of one byte. */
const KILOBYTE = 1024
const STATIONARY: Readonly<Record<SystolicFlow, Operand>> = { ws: 'weights', is: 'inputs', os: 'outputs' }

/** Settings that change how SCALE-Sim counts, and what leaves them off. */
const SWITCHES: readonly (readonly [key: string, off: RegExp, what: string])[] = [
  ['sparsitysupport', /^false$/i, 'sparse operands'],
  ['optimizedmapping', /^false$/i, 'sparse operands'],
  ['ifmapcustomlayout', /^false$/i, 'layouts of its own'],
  ['filtercustomlayout', /^false$/i, 'layouts of its own'],
  ['useramulatortrace', /^false$/i, 'traces of a memory simulator'],
]

/** Whether a text is a configuration: it has their section, or their keys. */
export function looksLikeConfig(text: string): boolean {
  return /^[ \t]*(\[architecture_presets\]|ArrayHeight\s*[:=])/im.test(text.slice(0, LARGEST_TEXT))
}

/**
 * The hardware of a configuration file. Sizes are in kilobytes of one-byte words, as in SCALE-Sim; energies are normalised.
 * @throws FileFormatError naming the file and the line of what is missing, out of range or not read
 */
export function readConfig(file: string, text: string): Hardware {
  if (text.length > LARGEST_TEXT) {
    throw new FileFormatError(`${file} has ${text.length} characters`, { limit: `${LARGEST_TEXT} characters of configuration` })
  }
  const settings = settingsOf(file, text)
  for (const [key, off, what] of SWITCHES) {
    const setting = settings.get(key)
    if (setting !== undefined && !off.test(setting.value)) throw refusal(file, setting, `${what} are not read`, 'Set it to False')
  }
  const number = (key: string, most: number, least = 1): number => numberOf(file, settings, [key], { least, most })
  const [rows, columns] = [number('arrayheight', LARGEST_SIDE), number('arraywidth', LARGEST_SIDE)]
  const words = (key: string): number =>
    numberOf(file, settings, [`${key}sramszkb`, `${key}sramsz`], { least: 1, most: 1 << 20 }) * KILOBYTE
  const flow = flowOf(file, settings)
  const rates = bandwidthsOf(file, settings)
  const notes = [
    'SCALE-Sim gives no energies: normalised to one MAC, DRAM 200, buffer 6, PE 1, hop 2',
    'words are of one byte, sizes in units of 1024; offsets, request queues and banks are not read',
    ...(rates === undefined ? [] : ['Bandwidth is that of each of the three interfaces to the memory']),
  ]
  return {
    name: settings.get('run_name')?.value.slice(0, 200) ?? 'scale-sim',
    source: `SCALE-Sim configuration ${file}`,
    dataflow: `systolic-${flow}`,
    systolic: flow,
    array: { x: columns, y: rows },
    levels: [
      { name: 'DRAM', energy: 200, ...(rates === undefined ? {} : { bandwidth: { write: rates.outputs } }) },
      {
        name: 'IFMAP',
        words: words('ifmap'),
        energy: 6,
        holds: ['inputs'],
        ...(rates === undefined ? {} : { bandwidth: { write: rates.inputs } }),
      },
      {
        name: 'FILTER',
        words: words('filter'),
        energy: 6,
        holds: ['weights'],
        ...(rates === undefined ? {} : { bandwidth: { write: rates.weights } }),
      },
      { name: 'OFMAP', words: words('ofmap'), energy: 6, holds: ['outputs'] },
      { name: 'PE', words: 1, energy: 1, holds: [STATIONARY[flow]] },
    ],
    network: { energy: 2 },
    mac: { energy: 1 },
    word_bits: 8,
    energy_unit: 'MAC',
    notes,
  }
}

interface Setting {
  readonly value: string
  readonly line: number
}

/** `key: value` and `key = value` under `[sections]`; keys in any case. */
function settingsOf(file: string, text: string): ReadonlyMap<string, Setting> {
  const settings = new Map<string, Setting>()
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trim()
    if (line === '' || /^[#;]/.test(line) || /^\[[^\]]{1,100}\]$/.test(line)) continue
    const at = line.search(/[:=]/)
    if (at < 1)
      throw new FileFormatError(`${file}:${index + 1}: ${JSON.stringify(line.slice(0, 80))} is no setting`, {
        remedy: 'As ArrayHeight: 32',
      })
    const key = line.slice(0, at).trim().toLowerCase()
    const value = line.slice(at + 1).trim()
    const before = settings.get(key)
    if (before !== undefined) {
      throw new FileFormatError(`${file}:${index + 1}: ${key.slice(0, 80)} stands in line ${before.line} already`)
    }
    settings.set(key, { value, line: index + 1 })
  }
  return settings
}

function refusal(file: string, { value, line }: Setting, message: string, remedy?: string): FileFormatError {
  return new FileFormatError(
    `${file}:${line}: ${message}, found ${JSON.stringify(value.slice(0, 40))}`,
    remedy === undefined ? {} : { remedy },
  )
}

function numberOf(
  file: string,
  settings: ReadonlyMap<string, Setting>,
  keys: readonly string[],
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const setting = keys.map((key) => settings.get(key)).find((found) => found !== undefined)
  if (setting === undefined) throw new FileFormatError(`${file} has no ${keys[0]}`)
  const value = /^\d{1,12}$/.test(setting.value) ? Number(setting.value) : NaN
  if (value >= least && value <= most) return value
  throw refusal(file, setting, `expected an integer from ${least} to ${most}`)
}

function flowOf(file: string, settings: ReadonlyMap<string, Setting>): SystolicFlow {
  const setting = settings.get('dataflow')
  if (setting === undefined) throw new FileFormatError(`${file} has no dataflow`, { remedy: 'Dataflow: ws, os or is' })
  const flow = (['ws', 'os', 'is'] as const).find((known) => known === setting.value.toLowerCase())
  if (flow === undefined) throw refusal(file, setting, 'expected the dataflow ws, os or is')
  return flow
}

/** Words per cycle of each interface to the memory; absent where SCALE-Sim sets them so that nothing stalls. */
function bandwidthsOf(file: string, settings: ReadonlyMap<string, Setting>): Readonly<Record<Operand, number>> | undefined {
  const mode = settings.get('interfacebandwidth')
  if (mode === undefined || /^calc$/i.test(mode.value)) return undefined
  if (!/^user$/i.test(mode.value)) throw refusal(file, mode, 'expected the interface bandwidth CALC or USER')
  const setting = settings.get('bandwidth')
  if (setting === undefined)
    throw new FileFormatError(`${file} has no bandwidth`, { remedy: 'InterfaceBandwidth USER needs Bandwidth' })
  const rates = setting.value.split(',').map((part) => (/^\s*\d{1,9}\s*$/.test(part) ? Number(part) : NaN))
  const [inputs, weights = inputs, outputs = inputs] = rates
  if (
    inputs === undefined ||
    weights === undefined ||
    outputs === undefined ||
    rates.length > 3 ||
    !rates.every((rate) => rate >= 1)
  ) {
    throw refusal(file, setting, 'expected one to three integers of at least 1')
  }
  return { inputs, weights, outputs }
}
