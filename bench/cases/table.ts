/** What the tables of cases have in common: a bench is a table with what its runner, its report and its command ask of a case. */
import { OptionError } from '../../src/errors.ts'
import type { Peer } from '../protocol.ts'

export const BENCH_NAMES = ['gemm', 'conv', 'model', 'sparse'] as const
export type BenchName = (typeof BENCH_NAMES)[number]
/** Those in which engines stand side by side; the sparse one has a report of its own. */
export type EngineBench = Exclude<BenchName, 'sparse'>

export interface BenchCase {
  /** Never changes. */
  readonly name: string
  readonly family: string
  readonly dtype: string
}

export interface Bench<C extends BenchCase = BenchCase, N extends BenchName = EngineBench> {
  readonly name: N
  readonly cases: readonly C[]
  /** In the order of the report. */
  readonly families: readonly string[]
  /** A few cases, one of each kind, that take seconds: `--quick`. */
  readonly quick: readonly string[]
  /** Engines besides ours that can be asked. */
  readonly others: readonly Peer[]
  /** A glob that fits several, for messages. */
  readonly example: string
  /** Multiplications with addition. */
  macs(item: C): number
  /** Bytes that move at least: every operand once, as densely as the dtype allows. */
  leastBytes(item: C): number
  /** Why a case is not run on this kind of adapter, or undefined where it is. @param named whether it was asked for by name */
  leftOut(item: C, software: boolean, named?: boolean): string | undefined
  /** Error relative to the largest value beyond which ours is wrong. */
  mostError(item: C): number
  /** Whether the first call of an engine begins before the session is made, or the model compiled. */
  readonly firstFromOpening: boolean
  /** Whether families have means of their own. */
  readonly byFamily: boolean
  /** Whether results are held against what ONNX Runtime's CPU provider computes, which then runs first. */
  readonly heldAgainstCpu: boolean
}

/** An error lists the cases of a table that has no more. */
const MOST_NAMES = 12

/**
 * The cases whose names fit `globs` (`*` stands for any text; several are separated by commas), or whose family is called so, in the
 * table's order.
 * @throws OptionError when a glob fits none, naming some that there are
 */
export function casesNamed<C extends BenchCase>({ cases, families, example }: Bench<C, BenchName>, globs: string): C[] {
  const names = cases.length > MOST_NAMES ? '' : `Cases: ${cases.map(({ name }) => name).join(', ')}; families`
  const some = `${names === '' ? 'Families' : names}: ${families.join(', ')}`
  const patterns = globs.split(',').map((glob) => {
    const text = glob.trim()
    const pattern = new RegExp(`^${text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')}$`)
    const fits = ({ name, family }: C): boolean => pattern.test(name) || family === text
    if (!cases.some(fits)) {
      throw new OptionError(`No case is called ${JSON.stringify(text)}`, {
        remedy: `${some}; a * stands for any text, as in ${example}; --list shows all`,
      })
    }
    return fits
  })
  return cases.filter((item) => patterns.some((fits) => fits(item)))
}

/** @throws OptionError where there is no such case */
export function caseNamed<C extends BenchCase>({ cases }: Bench<C, BenchName>, name: string): C {
  const found = cases.find((item) => item.name === name)
  if (found === undefined) throw new OptionError(`No case is called ${JSON.stringify(name)}`)
  return found
}
