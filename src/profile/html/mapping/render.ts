/** The page of a mapping space as one HTML file; the script is the text of dist/report.js. */
import { plural, si } from '../format.ts'
import { renderPage, type RenderOptions } from '../render.ts'
import { unitOf, type MappingSpace } from './data.ts'

export function renderMappingPage(space: MappingSpace, options: RenderOptions): string {
  const unit = unitOf(space)
  const sentences = space.chosen.map(
    ({ dataflow, evaluation }) =>
      `${dataflow}: ${si(evaluation.energy.total)} ${unit}, ${plural(evaluation.cycles, 'cycle')}, utilisation ${(100 * evaluation.utilization).toFixed(1)} %`,
  )
  const failed = space.failed.map(({ dataflow, why }) => `${dataflow}: ${why}`)
  return renderPage(
    { title: `${space.title} on ${space.hardware.name}`, sentences: [...sentences, ...failed], data: space },
    options,
  )
}
