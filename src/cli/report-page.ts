/** Pages for people, with the built script of the page inlined. */
import { existsSync, readFileSync } from 'node:fs'
import { OptionError } from '../errors.ts'
import type { Figures } from '../profile/figures/result.ts'
import type { MappingSpace } from '../profile/html/mapping/data.ts'
import { renderMappingPage } from '../profile/html/mapping/render.ts'
import { renderPage, renderReport } from '../profile/html/render.ts'
import type { ProfileReport } from '../profile/report.ts'

/** Where dist/report.js lies, seen from dist/cli.js, from dist/chunks/*.js and from the sources. */
const PLACES = ['./report.js', '../report.js', '../../dist/report.js']

/** The HTML of a report. @throws OptionError when the page's script was not built. */
export function reportPage(report: ProfileReport): string {
  return renderReport(report, { script: pageScript() })
}

/** The HTML of redone figures. @throws OptionError when the page's script was not built. */
export function figuresPage(figures: Figures): string {
  const sentences = figures.claims.map(({ survey, ours, agrees }) => `${survey}: ${agrees ? 'so here' : 'not so here'}, ${ours}`)
  return renderPage({ title: 'AlexNet under six dataflows', sentences, data: figures }, { script: pageScript() })
}

/** The HTML of a mapping space. @throws OptionError when the page's script was not built. */
export function mappingPage(space: MappingSpace): string {
  return renderMappingPage(space, { script: pageScript() })
}

function pageScript(): string {
  const file = PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url))
  if (file === undefined)
    throw new OptionError('The script of the report page is missing', { remedy: 'Build Tilewright: npm run build' })
  return readFileSync(file, 'utf8')
}
