/** Entry of dist/report.js, the script inlined into a report page: reads the JSON in the page and draws it. */
import type { ProfileReport } from '../report.ts'
import { REPORT_SCHEMA } from '../report.ts'
import { mountReport } from './page.ts'

const root = document.querySelector<HTMLElement>('#report')
const data = document.querySelector('#report-data')?.textContent
if (root !== null && data !== null && data !== undefined) {
  const report = JSON.parse(data) as Omit<ProfileReport, 'schema'> & { readonly schema: string }
  if (report.schema === REPORT_SCHEMA) mountReport(root, { ...report, schema: REPORT_SCHEMA })
  else root.textContent = `This page draws ${REPORT_SCHEMA}; the data in it is ${report.schema}.`
}
