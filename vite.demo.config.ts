/**
 * The demo: a page that runs networks, and one that explores mappings.
 *   npm run demo                             vite -c vite.demo.config.ts   (serves src/demo)
 *   vite build -c vite.demo.config.ts        the page as static files in dist/demo, for any web server
 */
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { build, defineConfig } from 'vite'
import { licences } from './vite.report.config.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** `virtual:report-script`: the text of dist/report.js, built when it is asked for. */
function reportScript(): Plugin {
  const id = '\0virtual:report-script'
  return {
    name: 'report-script',
    resolveId: (source) => (source === 'virtual:report-script' ? id : undefined),
    async load(asked) {
      if (asked !== id) return undefined
      const built = await build({ configFile: path('vite.report.config.ts'), logLevel: 'warn', build: { write: false } })
      const outputs = Array.isArray(built) ? built : 'output' in built ? [built] : []
      const chunk = outputs.flatMap(({ output }) => output).find((file) => file.type === 'chunk')
      if (chunk?.type !== 'chunk') throw new Error('The report script was not built')
      return `export default ${JSON.stringify(chunk.code)}`
    },
  }
}

export default defineConfig({
  root: path('src/demo'),
  base: './',
  publicDir: false,
  cacheDir: path('node_modules/.vite/demo'),
  plugins: [reportScript(), licences()],
  worker: { format: 'es', plugins: () => [licences()] },
  // Sources lie beside and above src/demo.
  server: { fs: { allow: [path('.')] } },
  build: {
    outDir: path('dist/demo'),
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 2000,
    rollupOptions: { input: { index: path('src/demo/index.html'), explore: path('src/demo/explore.html') } },
  },
})
