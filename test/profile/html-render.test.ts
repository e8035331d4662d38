/** The page as text: self-contained, and not to be broken out of by a name in the report. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { escapeHtml, inlineJson, inlineScript, renderReport } from '../../src/profile/html/render.ts'
import { sampleReport } from './html-sample.ts'

const sheet = readFileSync(new URL('../../src/profile/html/style.css', import.meta.url), 'utf8')
const script = 'const a = "</script><!-- x"; const b = /<\\/script/; draw(a, b)'
const evil = '</script><script>alert("x")</script><!--\u2028'

describe('renderReport', () => {
  const report = sampleReport({ model: evil })
  const page = renderReport(report, { script })

  it('holds the whole report as JSON', () => {
    const json = /<script type="application\/json" id="report-data">\n([\s\S]*?)\n<\/script>/.exec(page)?.[1]
    expect(JSON.parse(json ?? '')).toEqual(structuredClone(report))
  })

  it('has just its own two script elements, and no comment, whatever the report says', () => {
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page.match(/<\/script/gi)).toHaveLength(2)
    expect(page.includes('<!--')).toBe(false)
  })

  it('fetches nothing', () => {
    expect(page.match(/\ssrc=|href="(?!data:)/gi)).toBeNull()
    expect(`${page}${sheet}`.match(/@import|url\(\s*["']?(?!data:)|https?:/gi)).toBeNull()
    expect(sheet).toContain('.tw-report')
  })

  it('says the summary in words without scripts', () => {
    const plain = renderReport(sampleReport(), { script })
    const noscript = /<noscript>([\s\S]*)<\/noscript>/.exec(plain)?.[1] ?? ''
    expect(noscript).toContain('needs the least modelled energy in CONV')
    expect(noscript).toContain('64 of 64 rows agree with the CPU reference')
  })
})

describe('inlining', () => {
  it('keeps the value of JSON', () => {
    const value = { a: '<b>&</b>', b: ['</script>', '\u2029'], c: 1.5e-9 }
    expect(JSON.parse(inlineJson(value))).toEqual(value)
    expect(inlineJson(value)).not.toContain('<')
  })

  it('keeps the meaning of a script', () => {
    const text = 'return ["</script>", "<!--", /<\\/SCRIPT>/.test("</SCRIPT>")]'
    const inlined = inlineScript(text)
    expect(inlined).not.toMatch(/<\/script|<!--/i)
    const run = (body: string): unknown => (new Function(body) as () => unknown)()
    expect(run(inlined)).toEqual(run(text))
  })

  it('escapes text for HTML', () => {
    expect(escapeHtml(`<a href="x">'&'</a>`)).toBe('&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;')
  })
})
