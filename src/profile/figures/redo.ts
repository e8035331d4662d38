/** Runs the jobs of a figure through the mapper, and stops with what it has. */
import type { Convention } from '../../cost/prices.ts'
import { DEFAULT_BUDGET } from '../../schedule/mapper.ts'
import { mapMany, type ManyOptions } from '../../schedule/search/many.ts'
import { cellOf, figuresOf, jobsOf, questionOf } from './figures.ts'
import type { FigureName, Figures } from './result.ts'

export interface RedoOptions extends Pick<ManyOptions, 'spawn' | 'signal' | 'onProgress'> {
  readonly figure?: FigureName
  /** Pictures (default 16, as in the survey). */
  readonly batch?: number
  /** Default: `isca16`, as in the survey. */
  readonly convention?: Convention
  /** Mappings looked at for each layer and dataflow, at most. */
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
  const { figure = 'all', batch = 16, convention = 'isca16', budget = DEFAULT_BUDGET, seed = 1, workers = 0, ...how } = options
  const jobs = jobsOf(figure, batch)
  const tasks = jobs.map((job) => ({ ...questionOf(job), objective: 'energy' as const, convention, budget, seed }))
  const outcomes = await mapMany(tasks, { workers, ...how })
  const cells = jobs.flatMap((job, index) => {
    const { result, error } = outcomes[index] ?? {}
    if (error !== undefined) throw error
    // A search that was cut short is not the dataflow's best.
    return result === undefined || result.searched.stopped === true ? [] : [cellOf(job, result, convention)]
  })
  return figuresOf({ figure, batch, convention, budget, seed }, cells)
}
