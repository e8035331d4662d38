/** Entry of dist/report.js, the script inlined into a page: reads the JSON in the page and draws what its schema says. */
import { mountFigures } from '../figures/page.ts'
import { FIGURES_SCHEMA, type Figures } from '../figures/result.ts'
import type { ProfileReport } from '../report.ts'
import { REPORT_SCHEMA } from '../report.ts'
import { MAPPING_SPACE_SCHEMA, type MappingSpace } from './mapping/data.ts'
import { mountMappingSpace } from './mapping/page.ts'
import { mountReport } from './page.ts'

const root = document.querySelector<HTMLElement>('#report')
const data = document.querySelector('#report-data')?.textContent
if (root !== null && data !== null && data !== undefined) {
  type Known = Omit<ProfileReport, 'schema'> | Omit<Figures, 'schema'> | Omit<MappingSpace, 'schema'>
  const { schema, ...rest } = JSON.parse(data) as Known & { readonly schema: string }
  if (schema === REPORT_SCHEMA) mountReport(root, { ...(rest as Omit<ProfileReport, 'schema'>), schema: REPORT_SCHEMA })
  else if (schema === FIGURES_SCHEMA) mountFigures(root, { ...(rest as Omit<Figures, 'schema'>), schema: FIGURES_SCHEMA })
  else if (schema === MAPPING_SPACE_SCHEMA) {
    mountMappingSpace(root, { ...(rest as Omit<MappingSpace, 'schema'>), schema: MAPPING_SPACE_SCHEMA })
  } else {
    root.textContent = `This page draws ${REPORT_SCHEMA}, ${FIGURES_SCHEMA} and ${MAPPING_SPACE_SCHEMA}; the data in it is ${schema}.`
  }
}
