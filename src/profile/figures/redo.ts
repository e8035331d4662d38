/** Runs the jobs of a figure through the mapper, and stops with what it has. */
import type { Convention } from '../../cost/prices.ts'
import { MappingError } from '../../errors.ts'
import { DEFAULT_BUDGET } from '../../schedule/mapper.ts'
import { mapMany, type ManyOptions } from '../../schedule/search/many.ts'
import type { Stay } from './dataflows.ts'
import { cellOf, figuresOf, jobsOf, questionsOf } from './figures.ts'
import type { FigureName, Figures } from './result.ts'

export interface RedoOptions extends Pick<ManyOptions, 'spawn' | 'signal' | 'onProgress'> {
  readonly figure?: FigureName
  /** Pictures (default 16, as in the survey). */
  readonly batch?: number
  /** Default: `isca16`, as in the survey. */
  readonly convention?: Convention
  /** How long a stationary operand stays (default: to the end). */
  readonly stationary?: Stay
  /** Mappings looked at for each layer and constraint, at most. */
  readonly budget?: number
  readonly seed?: number
  /** Threads (default 0: this one). */
  readonly workers?: number
}

/**
 * The figures; where `signal` fired, of the cells that were done.
 * @throws OptionError for a batch, budget, seed or number of workers that is none
 */
export async function redoFigures(options: RedoOptions = {}): Promise<Figures> {
  const {
    figure = 'all',
    batch = 16,
    convention = 'isca16',
    stationary = 'end',
    budget = DEFAULT_BUDGET,
    seed = 1,
    workers = 0,
    ...how
  } = options
  const jobs = jobsOf(figure, batch)
  const asked = jobs.flatMap((job) => questionsOf(job, stationary).map((question) => ({ job, question })))
  const tasks = asked.map(({ question }) => ({ ...question, objective: 'energy' as const, convention, budget, seed }))
  const outcomes = await mapMany(tasks, { workers, ...how })
  const cells = jobs.flatMap((job) => {
    const own = outcomes.filter((_, index) => asked[index]?.job === job)
    const found = own.flatMap(({ result }) => result ?? [])
    const error = own.find((outcome) => outcome.error !== undefined)?.error
    // Where one way of staying does not fit, another may.
    if (error !== undefined && (found.length === 0 || !(error instanceof MappingError))) throw error
    // A search that was cut short, or not begun, is not the dataflow's best.
    const isWhole = own.every(({ result, error: fault }) =>
      result === undefined ? fault !== undefined : result.searched.stopped !== true,
    )
    return isWhole ? [cellOf(job, found, convention)] : []
  })
  return figuresOf({ figure, batch, convention, stationary, budget, seed }, cells)
}
