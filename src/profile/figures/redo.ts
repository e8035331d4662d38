/** Runs the jobs of a figure through the mapper, and stops with what it has. */
import type { Convention } from '../../cost/prices.ts'
import { mapProblem } from '../../schedule/mapper.ts'
import type { Cell } from './cells.ts'
import { cellOf, figuresOf, jobsOf, questionOf } from './figures.ts'
import type { FigureName, Figures } from './result.ts'

export interface RedoOptions {
  readonly figure?: FigureName
  /** Pictures (default 16, as in the survey). */
  readonly batch?: number
  readonly convention?: Convention
  /** Mappings looked at for each layer and dataflow, at most. */
  readonly budget?: number
  readonly seed?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number, text: string) => void
}

export const DEFAULT_BUDGET = 20_000

/** The figures; cells that were not reached when `signal` fired are missing. */
export async function redoFigures(options: RedoOptions = {}): Promise<Figures> {
  const { figure = 'all', batch = 16, convention = 'isca16', budget = DEFAULT_BUDGET, seed = 1, signal, onProgress } = options
  const jobs = jobsOf(figure, batch)
  const cells: Cell[] = []
  for (const [index, job] of jobs.entries()) {
    onProgress?.(index, jobs.length, `${job.dataflow} ${job.layer.name}`)
    await new Promise((resolve) => setTimeout(resolve, 0))
    if (signal?.aborted === true) break
    const { problem, hardware, dataflow } = questionOf(job)
    const found = mapProblem(problem, { hardware, dataflow, objective: 'energy', convention, budget, seed })
    cells.push(cellOf(job, found, convention))
  }
  return figuresOf({ figure, batch, convention, budget, seed }, cells)
}
