/**
 * The survey's Figs. 33, 34 and 35 (Sze et al. 2017, section V-B) anew: AlexNet under six dataflows on one chip area, each layer
 * under the best mapping that the dataflow allows. Think of a race in which all cars weigh the same: the design differs, the
 * silicon does not.
 */
import type { Convention } from '../../cost/prices.ts'
import { MappingError } from '../../errors.ts'
import type { Dataflow } from '../../schedule/dataflow.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import type { MapResult } from '../../schedule/mapper.ts'
import { macsOf, type Problem } from '../../schedule/problem.ts'
import type { Cell } from './cells.ts'
import { claimsOf } from './claims.ts'
import { constraintsOf, type Stay } from './dataflows.ts'
import { COMPARED, ROOMS, bufferBytes, equalAreaHardware, type Compared } from './equal-area.ts'
import { totalOf } from './energy.ts'
import { alexnetLayers, type Job, type Kind } from './layers.ts'
import { priceMapping } from './pricing.ts'
import { publishedCell } from './published.ts'
import { FIGURES_SCHEMA, type Design, type FigureName, type Figures, type Settings } from './result.ts'

/** What the mapper is asked. */
export interface Question {
  readonly problem: Problem
  readonly hardware: Hardware
  readonly dataflow: Dataflow
}

/** What a figure needs: Fig. 33 the convolutions, Fig. 34 the fully connected layers, Fig. 35 every layer under row stationary. */
export function jobsOf(figure: FigureName, batch: number): Job[] {
  const layers = alexnetLayers(batch)
  const wanted = (dataflow: Compared, kind: Kind): boolean => {
    if (figure === 'all') return true
    return figure === '35' ? dataflow === 'rs' : kind === (figure === '33' ? 'conv' : 'fc')
  }
  return COMPARED.flatMap((dataflow) => layers.filter(({ kind }) => wanted(dataflow, kind)).map((layer) => ({ layer, dataflow })))
}

export function questionsOf({ layer, dataflow }: Job, stay: Stay): Question[] {
  const hardware = equalAreaHardware(dataflow)
  return constraintsOf(dataflow, stay).map((constraint) => ({ problem: layer.problem, hardware, dataflow: constraint }))
}

/** A job's figures from the mappings found for it: those of the one that needs least. @throws MappingError where one is not legal */
export function cellOf({ layer, dataflow }: Job, found: readonly MapResult[], convention: Convention): Cell {
  const { name, kind, problem } = layer
  const priced = found.map(({ mapping, searched }) => ({
    ...priceMapping(problem, equalAreaHardware(dataflow), mapping, convention),
    mapping,
    searched,
  }))
  const [best] = priced.toSorted((a, b) => totalOf(a.energy) - totalOf(b.energy))
  if (best === undefined) throw new MappingError(`No mapping of ${name} under ${dataflow} was found`)
  const searched = {
    seen: priced.reduce((sum, { searched: { seen } }) => sum + seen, 0),
    total: priced.reduce((sum, { searched: { total } }) => sum + total, 0),
    exhaustive: priced.every(({ searched: { exhaustive } }) => exhaustive),
  }
  return { layer: name, kind, dataflow, macs: macsOf(problem), ...best, searched }
}

/** The result of a run, whole or stopped. */
export function figuresOf(settings: Settings, cells: readonly Cell[]): Figures {
  const jobs = jobsOf(settings.figure, settings.batch)
  const published = jobs.map(publishedCell)
  return {
    schema: FIGURES_SCHEMA,
    ...settings,
    complete: cells.length === jobs.length,
    designs: designs(),
    cells,
    published,
    claims: claimsOf(cells, published),
  }
}

function designs(): Design[] {
  return COMPARED.map((dataflow) => {
    const { rfBytes, stores } = ROOMS[dataflow]
    return { dataflow, rf_bytes: rfBytes, buffer_bytes: bufferBytes(rfBytes), stores }
  })
}
