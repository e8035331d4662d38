/**
 * A report as one self-contained HTML page: the JSON and the page's script are inlined, nothing is fetched.
 * The script is the text of `dist/report.js`, which `vite build -c vite.report.config.ts` makes of entry.ts.
 */
import type { ProfileReport } from '../report.ts'
import { reportCss } from './style.ts'
import { summarise } from './summary.ts'

export interface RenderOptions {
  /** The text of dist/report.js. */
  readonly script: string
}

/**
 * The page of a report, to be written to a `.html` file.
 * Readers without scripts see the summary in words; the page needs no network.
 */
export function renderReport(report: ProfileReport, options: RenderOptions): string {
  const title = `${report.model}: Tilewright profile`
  return renderPage({ title, sentences: summarise(report).map(({ text }) => text), data: report }, options)
}

export interface PageContent {
  readonly title: string
  /** The page in words, for readers without scripts. */
  readonly sentences: readonly string[]
  /** What entry.ts draws, by its `schema`. */
  readonly data: { readonly schema: string }
}

/** A page around any data that entry.ts can draw. */
export function renderPage({ title, sentences, data }: PageContent, { script }: RenderOptions): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Tilewright">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>
${reportCss().replaceAll(/<\/(style)/gi, '<\\/$1')}
</style>
</head>
<body class="tw-page">
<main id="report"></main>
<noscript>
<h1>${escapeHtml(title)}</h1>
<ul>
${sentences.map((text) => `<li>${escapeHtml(text)}</li>`).join('\n')}
</ul>
<p>Charts and tables need scripts. The figures are in this page's source as JSON, under <code>id="report-data"</code>.</p>
</noscript>
<script type="application/json" id="report-data">
${inlineJson(data)}
</script>
<script>
${inlineScript(script)}
</script>
</body>
</html>
`
}

/** JSON that cannot end its script element, whatever a name in it says: `<` is written as an escape. */
export function inlineJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', String.raw`\u003c`)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`)
}

/** A script's text that cannot end its element nor open a comment; the sequences only occur in its strings and patterns. */
export function inlineScript(script: string): string {
  return script.replaceAll(/<(?=\/script|!--)/gi, String.raw`\x3c`)
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
