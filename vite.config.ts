/**
 * The library build, one configuration with a mode for each side:
 * `node` makes dist/node.js, dist/cli.js, dist/map-worker.js and dist/bench-child.js (dependencies stay imports, `webgpu` above all),
 * `browser` makes dist/browser.js (everything in one file with its licences, no Node code).
 * scripts/build.mjs runs them; the report and the demo pages have configurations of their own.
 */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { licences } from './vite.report.config.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig(({ mode }) => {
  const shared = {
    outDir: path('dist'),
    emptyOutDir: false,
    target: 'es2022',
    minify: false,
    sourcemap: true,
    reportCompressedSize: false,
  }
  switch (mode) {
    case 'node':
      return {
        publicDir: false,
        build: {
          ...shared,
          ssr: true,
          rollupOptions: {
            input: {
              node: path('src/node.ts'),
              cli: path('src/cli/main.ts'),
              'map-worker': path('src/schedule/search/node-worker.ts'),
              'bench-child': path('bench/child.ts'),
            },
            output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' },
          },
        },
      }
    case 'browser':
      return {
        publicDir: false,
        plugins: [licences()],
        build: {
          ...shared,
          lib: { entry: path('src/index.ts'), formats: ['es'], fileName: () => 'browser.js' },
          rollupOptions: { output: { codeSplitting: false } },
        },
      }
    default:
      throw new Error(`vite.config.ts has the modes node and browser, not ${mode}: run npm run build`)
  }
})
