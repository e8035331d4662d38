/** Saves a report as a page of its own: the same page that `tilewright profile --html` writes. */
import { download } from '../profile/html/dom.ts'
import { renderReport } from '../profile/html/render.ts'
import type { ProfileReport } from '../profile/report.ts'

/** The page's script is fetched only now: it is as large as this page. */
export async function saveHtml(report: ProfileReport, button: HTMLButtonElement): Promise<void> {
  button.disabled = true
  try {
    const { default: script } = await import('virtual:report-script')
    download(`${report.model.replaceAll(/[^\w.-]+/g, '-')}.html`, 'text/html', renderReport(report, { script }))
  } catch (error) {
    button.textContent = `Not saved: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    button.disabled = false
  }
}
