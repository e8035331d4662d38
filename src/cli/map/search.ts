/** The searches of `tilewright map`: every layer at every swept point under every dataflow, over worker threads. */
import { availableParallelism } from 'node:os'
import type { Convention } from '../../cost/prices.ts'
import type { Densities } from '../../cost/sparsity.ts'
import { UNCONSTRAINED, type Dataflow } from '../../schedule/dataflow.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { DEFAULT_BUDGET } from '../../schedule/mapper.ts'
import type { Problem } from '../../schedule/problem.ts'
import { mapMany, type ManyOptions, type MapOutcome, type MapTask } from '../../schedule/search/many.ts'
import { builtMapWorker, nodeMapWorker } from '../../schedule/search/node-spawn.ts'
import { remark, type Context } from '../context.ts'
import { Progress } from '../progress.ts'
import { short } from '../table.ts'
import { figureOf, type Row, type RowObjective } from './rows.ts'
import type { SweepPoint } from './sweep.ts'

export interface Layer {
  readonly name: string
  readonly problem: Problem
}

export interface SearchRequest {
  readonly layers: readonly Layer[]
  readonly points: readonly SweepPoint[]
  readonly dataflows: readonly Dataflow[]
  readonly objective: RowObjective
  readonly halo: 'exact' | 'timeloop'
  readonly convention: Convention
  /** Of operands with zeros: what is told of the mappings found. The search itself is by dense costs. */
  readonly densities?: Densities
  readonly seed?: number
  readonly budget?: number
  /** Absent: as many as there are cores. */
  readonly workers?: number
}

/**
 * A row for each point, layer and dataflow, in this order. Searches without a constraint come last and begin from what the
 * dataflows found, so that no dataflow is better than none.
 */
export async function searchRows(context: Context, request: SearchRequest): Promise<Row[]> {
  const { layers, points, dataflows, objective, halo, convention, densities, seed, budget = DEFAULT_BUDGET } = request
  const cells = points.flatMap((point) =>
    layers.flatMap((layer) =>
      dataflows.map((dataflow) => ({ point, layer, dataflow, group: `${points.indexOf(point)} ${layer.name}` })),
    ),
  )
  const outcomes: MapOutcome[] = cells.map(() => ({}))
  using progress = new Progress(context)
  let doneBefore = 0
  let seenBefore = 0
  const run = async (indices: readonly number[]): Promise<void> => {
    const tasks = indices.flatMap((index): MapTask[] => {
      const cell = cells[index]
      if (cell === undefined) return []
      const { layer, point, dataflow, group } = cell
      const from = isFree(dataflow) ? foundIn(group) : []
      return [
        {
          problem: layer.problem,
          hardware: point.hardware,
          dataflow,
          objective,
          halo,
          convention,
          budget,
          from,
          ...(seed === undefined ? {} : { seed }),
          ...(densities === undefined ? {} : { densities }),
        },
      ]
    })
    const found = await mapMany(tasks, {
      ...threadsFor(context, request.workers, tasks.length),
      signal: context.signal,
      onProgress: ({ done, seen }) => {
        progress.update(doneBefore + done, cells.length, `${short(seenBefore + seen)} mappings`)
      },
    })
    for (const [at, index] of indices.entries()) outcomes[index] = found[at] ?? {}
    doneBefore += indices.length
    seenBefore += found.reduce((sum, { result }) => sum + (result?.searched.seen ?? 0), 0)
  }
  const foundIn = (group: string): Mapping[] =>
    cells.flatMap((cell, index) => {
      const mapping = cell.group === group ? outcomes[index]?.result?.mapping : undefined
      return mapping === undefined ? [] : [mapping]
    })
  const all = cells.map((_, index) => index)
  const free = new Set(all.filter((index) => cells[index] !== undefined && isFree(cells[index].dataflow)))
  await run(all.filter((index) => !free.has(index)))
  await run([...free])
  return cells.map(({ point, layer, dataflow, group }, index): Row => {
    const outcome = outcomes[index] ?? {}
    const reference = all.find((other) => free.has(other) && cells[other]?.group === group) ?? -1
    const best = figureOf({ outcome: outcomes[reference] ?? {} }, objective)
    const own = figureOf({ outcome }, objective)
    return {
      layer: layer.name,
      dataflow: dataflow.name,
      at: point.at,
      problem: layer.problem,
      hardware: point.hardware,
      outcome,
      ...(best === undefined || own === undefined ? {} : { ratio: own / best }),
    }
  })
}

function isFree(dataflow: Dataflow): boolean {
  return dataflow.name === UNCONSTRAINED.name
}

/** Threads for so many searches: this one alone where there is one search, or where the worker was not built, which is said. */
function threadsFor(context: Context, wanted: number | undefined, tasks: number): Pick<ManyOptions, 'workers' | 'spawn'> {
  const workers = wanted ?? (tasks > 1 ? Math.min(availableParallelism(), tasks) : 0)
  if (workers === 0) return { workers }
  if (wanted === undefined && builtMapWorker() === undefined) {
    remark(context, 'The mapping worker is not built: searching in one thread.')
    return { workers: 0 }
  }
  return { workers, spawn: nodeMapWorker }
}
