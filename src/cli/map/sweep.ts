/** `--sweep LEVEL.field=VALUES`: one hardware made into many. Every field of a hardware file that is a number can be swept. */
import { OptionError } from '../../errors.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import { parseHardware } from '../../schedule/parse.ts'

export interface Sweep {
  /** As given: `GLB.words`, `array.x`. */
  readonly field: string
  readonly values: readonly number[]
}

export interface SweepPoint {
  /** Value by field; empty without a sweep. */
  readonly at: Readonly<Record<string, number>>
  readonly hardware: Hardware
}

const MOST_POINTS = 10_000
const SUFFIX: Readonly<Record<string, number>> = { '': 1, k: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** For commander: collects sweeps. @throws OptionError naming what does not fit the form */
export function collectSweep(text: string, before: readonly Sweep[] = []): readonly Sweep[] {
  const at = text.indexOf('=')
  const field = text.slice(0, at).trim()
  if (at < 1 || !field.includes('.')) {
    throw new OptionError(`--sweep takes LEVEL.field=VALUES, not ${JSON.stringify(text)}`, {
      remedy: 'As GLB.words=16k,32k,64k, RF.words=16..512:*2 or array.x=4..16:+4',
    })
  }
  if (before.some((sweep) => sweep.field === field)) throw new OptionError(`--sweep names ${field} twice`)
  const values = text
    .slice(at + 1)
    .split(',')
    .flatMap((part) => valuesOf(part.trim()))
  return [...before, { field, values: [...new Set(values)] }]
}

/** A number, or a range FROM..TO:*FACTOR or FROM..TO:+STEP. */
function valuesOf(text: string): number[] {
  const [, low, high, kind, by] = /^(.+?)\.\.(.+?)(?::([*+])(.+))?$/.exec(text) ?? []
  if (low === undefined || high === undefined) return [numberOf(text)]
  const [from, to, step] = [numberOf(low), numberOf(high), by === undefined ? 2 : numberOf(by)]
  const isProduct = kind !== '+'
  if (from > to)
    throw new OptionError(`--sweep: the range ${text} starts at ${from}, beyond its end ${to}`, {
      remedy: 'Give the lower one first',
    })
  if (isProduct ? step <= 1 || from <= 0 : step <= 0) {
    throw new OptionError(`--sweep: the range ${text} has no end`, { remedy: 'As 1k..128k:*2 (the default step) or 4..16:+4' })
  }
  const values: number[] = []
  for (let value = from; value <= to; value = isProduct ? value * step : value + step) {
    values.push(value)
    if (values.length > MOST_POINTS) throw new OptionError(`--sweep: the range ${text} has more than ${MOST_POINTS} values`)
  }
  return values
}

function numberOf(text: string): number {
  const [, digits, suffix = ''] = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)([kMG]?)$/.exec(text) ?? []
  const value = Number(digits) * (SUFFIX[suffix] ?? 1)
  if (digits !== undefined && Number.isFinite(value)) return value
  throw new OptionError(`--sweep does not know the value ${JSON.stringify(text)}`, {
    remedy: 'Give a number, as 16, 1.5 or 1e6; k is 1024, M 1024²',
  })
}

/** The hardware at every combination of the sweeps' values, the last sweep fastest. @throws OptionError naming the field */
export function sweepPoints(hardware: Hardware, sweeps: readonly Sweep[]): SweepPoint[] {
  const count = sweeps.reduce((product, { values }) => product * values.length, 1)
  if (count > MOST_POINTS) {
    throw new OptionError(`The sweeps make ${count} points`, { limit: `${MOST_POINTS} points`, remedy: 'Give fewer values' })
  }
  let points: SweepPoint[] = [{ at: {}, hardware }]
  for (const { field, values } of sweeps) {
    points = points.flatMap((point) =>
      values.map((value) => ({ at: { ...point.at, [field]: value }, hardware: withField(point.hardware, field, value) })),
    )
  }
  return points
}

/** A copy with one number set: a level's by its name, or one of `array`, `network`, `mac`. */
function withField(hardware: Hardware, field: string, value: number): Hardware {
  const level = hardware.levels.findIndex(({ name }) => field.startsWith(`${name}.`))
  const prefix = level < 0 ? '' : `${hardware.levels[level]?.name ?? ''}.`
  const path = field.slice(prefix.length).split('.')
  const copy: unknown = structuredClone(hardware)
  let place = level < 0 ? copy : childOf(childOf(copy, 'levels'), String(level))
  if (level < 0 && !['array', 'network', 'mac'].includes(path[0] ?? '')) {
    throw new OptionError(`--sweep: ${hardware.name} has no ${field}`, {
      remedy: `Its levels are ${hardware.levels.map(({ name }) => name).join(', ')}; beside them there are array, network and mac`,
    })
  }
  for (const key of path.slice(0, -1)) {
    if (childOf(place, key) === undefined) setChild(place, key, {})
    place = childOf(place, key)
  }
  setChild(place, path.at(-1) ?? '', value)
  try {
    return parseHardware(copy)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(
      `--sweep ${field}=${value}: ${error.summary}`,
      { remedy: 'Sweep a number of the hardware file' },
      { cause: error },
    )
  }
}

function childOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

function setChild(value: unknown, key: string, child: unknown): void {
  if (typeof value === 'object' && value !== null) {
    Object.defineProperty(value, key, { value: child, enumerable: true, writable: true, configurable: true })
  }
}
