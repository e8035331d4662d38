/**
 * Results of tuning as data, and their keeping: one text, wherever a place for a text is (a file, IndexedDB). Think of a log book with
 * one line for each adapter, version of the kernels and problem; who writes reads first and adds, so that nobody's lines are lost.
 */
import { z } from 'zod'
import { FileFormatError } from '../errors.ts'
import type { TunedKernel, TuningSource } from '../gpu/tuning.ts'
import { KERNELS_VERSION } from '../ops/kept.ts'

export const TUNING_SCHEMA = 'tilewright.tuning/2'

/** Schemas of before: what they hold is of kernels of before, and counts as nothing. */
const OLDER: ReadonlySet<unknown> = new Set(['tilewright.tuning/1'])

const time = z.number().nonnegative()

const entrySchema = z.object({
  /** `DeviceFacts.adapter`. */
  adapter: z.string().min(1),
  /** `KERNELS_VERSION` of the kernels that ran. */
  kernels: z.string().min(1),
  /** `productKey` or `convolutionKey`. */
  problem: z.string().min(1),
  config: z.union([z.looseObject({ algorithm: z.string() }), z.looseObject({ kernel: z.string() })]),
  /** Milliseconds of the kernel, and of the one it replaces. */
  time_ms: time,
  before_ms: time,
  /** When it was measured: ISO 8601. */
  at: z.iso.datetime(),
})

export type TunedEntry = z.infer<typeof entrySchema>

const fileSchema = z.object({ schema: z.literal(TUNING_SCHEMA), entries: z.array(entrySchema) })

/** A place that holds one text. */
export interface TextPlace {
  /** For people. */
  readonly name: string
  /** The text, or undefined where there is none yet. @throws OptionError where it cannot be read */
  read(): Promise<string | undefined>
  /** Replaces the text by what `change` makes of it; no other writer comes between. @throws OptionError, and what `change` throws */
  update(change: (text: string | undefined) => string): Promise<void>
}

/** Entries of a text. @throws FileFormatError that names the place, what is wrong and the remedy */
export function parseTuning(text: string | undefined, name: string): TunedEntry[] {
  if (text === undefined || text.trim() === '') return []
  const remedy = 'Begin anew with `tilewright tune --reset`, or remove it'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${name} holds no results of tuning: it is no JSON`, { remedy }, { cause })
  }
  const parsed = fileSchema.safeParse(value)
  if (parsed.success) return parsed.data.entries
  const schema = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined
  if (OLDER.has(schema)) return []
  if (schema !== TUNING_SCHEMA) {
    throw new FileFormatError(`${name} holds no results of tuning that this version reads`, {
      schema: JSON.stringify(schema) ?? 'none',
      limit: TUNING_SCHEMA,
      remedy,
    })
  }
  const [first] = parsed.error.issues
  const where = first === undefined ? '' : `${first.path.join('.')}: ${first.message}`
  throw new FileFormatError(`${name} holds damaged results of tuning: ${where}`, { remedy })
}

/** The text of entries, a line each, in order, so that two files can be compared. */
export function tuningText(entries: readonly TunedEntry[]): string {
  const lines = entries.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).map((entry) => `    ${JSON.stringify(entry)}`)
  return `{\n  "schema": "${TUNING_SCHEMA}",\n  "entries": [\n${lines.join(',\n')}\n  ]\n}\n`
}

/** Of two entries for one adapter, version and problem the later one stays. */
export function mergeTuning(before: readonly TunedEntry[], added: readonly TunedEntry[]): TunedEntry[] {
  const merged = new Map<string, TunedEntry>()
  for (const entry of [...before, ...added]) {
    const known = merged.get(keyOf(entry))
    if (known === undefined || Date.parse(known.at) <= Date.parse(entry.at)) merged.set(keyOf(entry), entry)
  }
  return [...merged.values()]
}

function keyOf({ adapter, kernels, problem }: TunedEntry): string {
  return `${adapter} ${kernels} ${problem}`
}

/** Results of tuning in a place. */
export class TuningStore implements TuningSource {
  readonly #place: TextPlace
  readonly #kernels: string

  /** @param kernels the version whose results are read and removed; default: the kernels of this build */
  constructor(place: TextPlace, kernels: string = KERNELS_VERSION) {
    this.#place = place
    this.#kernels = kernels
  }

  get name(): string {
    return this.#place.name
  }

  /** All entries, of any adapter and version. @throws FileFormatError, OptionError */
  async entries(): Promise<TunedEntry[]> {
    return parseTuning(await this.#place.read(), this.name)
  }

  async load(adapter: string): Promise<ReadonlyMap<string, TunedKernel>> {
    const own = (await this.entries()).filter((entry) => entry.adapter === adapter && entry.kernels === this.#kernels)
    return new Map(own.map(({ problem, config }) => [problem, config]))
  }

  /** Adds entries to those that are there. @throws FileFormatError where what is there is damaged: it is left as it is */
  async add(entries: readonly TunedEntry[]): Promise<void> {
    await this.#place.update((text) => tuningText(mergeTuning(parseTuning(text, this.name), entries)))
  }

  /**
   * Forgets all that was measured on an adapter, or, without one, everything; what is damaged is forgotten as a whole.
   * @returns how many entries that were
   */
  async reset(adapter?: string): Promise<number> {
    let removed = 0
    await this.#place.update((text) => {
      const entries = this.#readable(text)
      const kept = adapter === undefined ? [] : entries.filter((entry) => entry.adapter !== adapter)
      removed = entries.length - kept.length
      return tuningText(kept)
    })
    return removed
  }

  #readable(text: string | undefined): TunedEntry[] {
    try {
      return parseTuning(text, this.name)
    } catch (error) {
      if (error instanceof FileFormatError) return []
      throw error
    }
  }
}
