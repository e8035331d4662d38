/**
 * Builds dist/report.js: the page code of a report, one classic script that `renderReport` inlines into each page.
 *   npm run build   must call   vite build -c vite.report.config.ts   (after the library's own build, which may empty dist/)
 * The bundle starts with the licences of what is bundled.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig } from 'vite'

const root = fileURLToPath(new URL('.', import.meta.url))

/** The folder of the package that a module file belongs to. */
function packageOf(file: string): string | undefined {
  let folder = dirname(file)
  while (folder.includes('node_modules')) {
    if (existsSync(join(folder, 'package.json'))) return folder
    folder = dirname(folder)
  }
  return undefined
}

/** Puts the licence text of every bundled package at the head of each chunk. */
export function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        const packages = new Set(
          Object.keys(chunk.modules).flatMap((id) => packageOf(id.replace(/^\0/, '').replace(/\?.*$/, '')) ?? []),
        )
        const texts = new Map<string, string[]>()
        for (const folder of [...packages].toSorted()) {
          const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
            name: string
            version: string
          }
          const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
          const text = file === undefined ? 'see its package.json' : readFileSync(join(folder, file), 'utf8').trim()
          texts.set(text, [...(texts.get(text) ?? []), `${name} ${version}`])
        }
        const notices = [...texts].map(([text, names]) => `${names.join(', ')}\n${text}`).join('\n\n')
        if (notices !== '') chunk.code = `/*! Bundled:\n${notices.replaceAll('*/', '* /')}\n*/\n${chunk.code}`
      }
    },
  }
}

export default defineConfig({
  root,
  publicDir: false,
  plugins: [licences()],
  build: {
    outDir: join(root, 'dist'),
    emptyOutDir: false,
    target: 'es2022',
    lib: {
      entry: join(root, 'src/profile/html/entry.ts'),
      formats: ['iife'],
      name: 'tilewrightReport',
      fileName: () => 'report.js',
    },
  },
})
